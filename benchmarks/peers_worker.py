"""One peer, one table, in an environment of the peer's own. Called by peers.py.

Usage: python peers_worker.py PEER TASK.json

TASK.json names the training rows (``train``, CSV), the ``target`` and the ``label`` that is wanted, how
many rows (``n``), the ``seed``, the ``categorical`` columns, the seconds for sampling, and where the rows
(``rows``) and the measurements (``report``) go; the report says how far the peer came where it failed. A peer
yields frames of rows until it has given enough of the wanted label.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import math
import os
import platform
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")

Draw = Callable[[], Iterator[pd.DataFrame]]


def seed_everything(seed: int) -> None:
    """Seed what a peer without a seed of its own draws from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def forever(draw: Callable[[], pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield batches without end."""
    while True:
        yield draw()


def ctgan(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    from ctgan import CTGAN

    seed_everything(task["seed"])
    model = CTGAN(enable_gpu=False)
    model.set_random_state(task["seed"])
    model.fit(train, task["categorical"])
    condition = {"condition_column": task["target"], "condition_value": task["label"]}
    return lambda: forever(lambda: model.sample(task["n"], **condition))


def tvae(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    from ctgan import TVAE

    seed_everything(task["seed"])
    model = TVAE(enable_gpu=False)
    model.set_random_state(task["seed"])
    model.fit(train, task["categorical"])
    return lambda: forever(lambda: model.sample(max(5000, task["n"])))


def arfpy(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    from arfpy import arf

    seed_everything(task["seed"])
    coded = train.astype(dict.fromkeys(task["categorical"], "category"))
    model = arf.arf(x=coded, random_state=task["seed"], verbose=False)
    model.forde()
    return lambda: forever(lambda: model.forge(n=max(5000, task["n"])))


def forest_diffusion(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    """Two noise levels and ten copies: the default (50 and 100) takes hours on two cores."""
    from ForestDiffusion import ForestDiffusionModel

    levels = {name: sorted(train[name].dropna().unique()) for name in task["categorical"]}
    matrix = pd.DataFrame(
        {
            name: train[name].map({v: i for i, v in enumerate(levels[name])}) if name in levels else train[name]
            for name in train.columns
        }
    ).to_numpy(float)
    at = {name: i for i, name in enumerate(train.columns)}
    two = [at[name] for name in levels if len(levels[name]) == 2]
    more = [at[name] for name in levels if len(levels[name]) > 2]
    whole = [at[n] for n in train.columns if n not in levels and np.array_equal(train[n], train[n].round())]
    model = ForestDiffusionModel(
        matrix,
        n_t=2,
        duplicate_K=10,
        bin_indexes=two,
        cat_indexes=more,
        int_indexes=whole,
        seed=task["seed"],
        n_jobs=-1,
    )

    def draw() -> pd.DataFrame:
        rows = pd.DataFrame(model.generate(batch_size=max(5000, task["n"])), columns=train.columns)
        for name, values in levels.items():
            code = rows[name].round().clip(0, len(values) - 1).astype(int)
            rows[name] = np.asarray(values, dtype=object)[code]
        return rows

    return lambda: forever(draw)


def mostlyai(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    from mostlyai.engine import TabularARGN

    model = TabularARGN(random_state=task["seed"], verbose=0)
    model.fit(X=train)
    wanted = pd.DataFrame({task["target"]: [task["label"]] * task["n"]})
    return lambda: forever(lambda: model.sample(n_samples=task["n"], seed_data=wanted)[train.columns])


def realtabformer(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    """Default model; training is cut at the steps of the task, so only its speed says something."""
    from realtabformer import REaLTabFormer

    folder = Path(task["rows"]).parent
    model = REaLTabFormer(
        model_type="tabular",
        max_steps=task["steps"],
        random_state=task["seed"],
        checkpoints_dir=str(folder / "checkpoints"),
        samples_save_dir=str(folder / "samples"),
    )
    trainer = model.fit(train, n_critic=0, gen_kwargs={})
    task["found"] |= pace(trainer, math.ceil(math.ceil(len(train) / 8) / 4) * model.epochs)
    return lambda: forever(lambda: model.sample(n_samples=64, gen_batch=128, device="cpu"))


def be_great(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    """A model of GPT-2's size from its configuration, untrained but for some steps: speed only.

    None of its rows can be read, so those that it generates are counted: one batch, each row as long as the
    longest real one. Its tokens are made from the table, so rows are shorter than in GPT-2's own.
    """
    from be_great import GReaT
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast  # type: ignore[attr-defined]

    folder = Path(task["rows"]).parent / "gpt2"
    folder.mkdir(exist_ok=True)
    text = [", ".join(f"{k} is {v}" for k, v in row.items()) for row in train.to_dict("records")]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(text, vocab_size=50257, special_tokens=["<|endoftext|>"])
    bpe.save_model(str(folder))
    GPT2TokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    model = GReaT(str(folder), max_steps=task["steps"], report_to=[], save_steps=10**9)
    trainer = model.fit(train, conditional_col=task["target"])
    task["found"] |= pace(trainer, math.ceil(len(train) / 8) * model.epochs) | {"generated": 0}
    longest = max(map(len, model.tokenizer(text)["input_ids"]))
    generate = model.model.generate

    def once(**arguments: Any) -> Any:
        if task["found"]["generated"]:
            raise StopIteration("one batch is enough")  # be_great would try 13 more, and ends on any error
        arguments["min_length"] = arguments["max_length"]
        tokens = generate(**arguments)
        task["found"] |= {"generated": len(tokens), "tokens_per_row": longest}
        return tokens

    model.model.generate = once
    return lambda: iter([model.sample(task["batch"], k=task["batch"], max_length=longest, device="cpu")])


def pace(trainer: Any, full_steps: int) -> dict[str, float]:
    """Return how many of how many steps a trainer of transformers did, and the seconds of one."""
    seconds = trainer.state.log_history[-1]["train_runtime"]
    steps = trainer.state.global_step
    return {"steps": steps, "full_steps": full_steps, "step_seconds": seconds / steps}


def smote(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    """SMOTENC where there are categories, else SMOTE; all wanted rows are made in one call."""
    from imblearn.over_sampling import SMOTE, SMOTENC

    X, y = train.drop(columns=task["target"]), train[task["target"]]
    coded = [name for name in task["categorical"] if name != task["target"]]
    counts = {task["label"]: int((y == task["label"]).sum()) + task["n"]}
    options = {"sampling_strategy": counts, "random_state": task["seed"]}
    sampler = SMOTENC(coded, **options) if coded else SMOTE(**options)

    def draw() -> pd.DataFrame:
        rows, labels = sampler.fit_resample(X, y)
        return rows.assign(**{task["target"]: labels}).iloc[len(train) :][train.columns]

    return lambda: forever(draw)


def makeweight(train: pd.DataFrame, task: dict[str, Any]) -> Draw:
    from makeweight.generators.fill import Limits, fill
    from makeweight.generators.registry import resolve
    from makeweight.plan import Groups, Plan
    from makeweight.table import Schema, Table

    table = Table(train, Schema.infer(train, target=task["target"]))
    groups = Groups(table)
    real = int((train[task["target"]] == task["label"]).sum())
    plan = Plan.make(groups, {task["label"]: real + task["n"]})
    generator: Any = resolve(task["generator"], OPTIONS.get(task["generator"]))
    generator = generator.fit(table, rng=np.random.default_rng(task["seed"]))
    if task["generator"] == "causal-lm":
        task["found"]["stopped"] = generator.training["stopped"]

    def draw() -> pd.DataFrame:
        seed = np.random.SeedSequence(task["seed"])
        made = fill(generator, table, plan, seed=seed, groups=groups, limits=Limits(on_shortfall="warn"))
        task["found"]["drawn"] = made.ledger.proposed
        return made.frame[train.columns]

    return lambda: iter([draw()])


#: Of our generators.
OPTIONS = {"causal-lm": {"model": "scratch", "max_seconds": 100}}
PEERS = {
    "smote": smote,
    "makeweight": makeweight,
    "ctgan": ctgan,
    "tvae": tvae,
    "arfpy": arfpy,
    "forest-diffusion": forest_diffusion,
    "mostlyai-argn": mostlyai,
    "realtabformer": realtabformer,
    "be-great": be_great,
}
IMPORTS = {
    "smote": "imblearn.over_sampling",
    "makeweight": "makeweight.sampler",
    "makeweight:transformer": "makeweight.generators.transformer.generator",
    "makeweight:causal-lm": "makeweight.generators.causal_lm.generator",
    "ctgan": "ctgan",
    "tvae": "ctgan",
    "arfpy": "arfpy.arf",
    "forest-diffusion": "ForestDiffusion",
    "mostlyai-argn": "mostlyai.engine",
    "realtabformer": "realtabformer",
    "be-great": "be_great",
}
#: Packages whose versions are reported where they are installed.
PACKAGES = (
    "makeweight",
    "imbalanced-learn",
    "ctgan",
    "arfpy",
    "ForestDiffusion",
    "mostlyai-engine",
    "realtabformer",
    "be_great",
    "torch",
    "transformers",
    "xgboost",
    "xgboost-cpu",
    "scikit-learn",
    "numpy",
    "pandas",
)


def versions() -> dict[str, str]:
    """Return the versions of what is installed in this environment."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def peak_memory() -> float:
    """Peak resident memory of this process, in MB."""
    import psutil

    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return float(info.peak_wset / 1e6)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def measure(peer: str, task: dict[str, Any], stage: Callable[..., None]) -> None:
    """Import, fit, sample; write the rows. ``stage`` keeps what is known so far and says what comes next."""
    stage("importing")
    name, _, task["generator"] = peer.partition(":")
    task["found"] = {}
    start = time.perf_counter()
    importlib.import_module(IMPORTS.get(peer, IMPORTS[name]))
    stage("fitting", import_seconds=time.perf_counter() - start)
    train = pd.read_csv(task["train"])
    start = time.perf_counter()
    draw = PEERS[name](train, task)
    stage("sampling", fit_seconds=time.perf_counter() - start, **task["found"])
    start = time.perf_counter()
    kept: list[pd.DataFrame] = []
    raw = got = 0
    for rows in draw():
        raw += len(rows)
        right = rows[rows[task["target"]].astype(str) == str(task["label"])]
        kept.append(right)
        got += len(right)
        if got >= task["n"] or time.perf_counter() - start > task["sampling_seconds"]:
            break
    seconds = time.perf_counter() - start
    pd.concat(kept).head(task["n"]).to_csv(task["rows"], index=False)
    account = {"sample_seconds": seconds, "drawn": raw, "kept": min(got, task["n"])} | task["found"]
    stage("done", **account, peak_mb=peak_memory())


def main() -> int:
    """Measure a peer, and report as far as it came."""
    peer, task = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    os.chdir(Path(task["rows"]).parent)
    report: dict[str, Any] = {"versions": versions()}

    def stage(name: str, **known: Any) -> None:
        report.update(known, stage=name)
        Path(task["report"]).write_text(json.dumps(report), encoding="utf-8")

    try:
        measure(peer, task, stage)
    except Exception as error:
        stage(report["stage"], error=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
