"""The state of a pretraining that git keeps: small enough, and what a run resumed from it loses.

    python benchmarks/pretraining_state.py runs/tiny/checkpoint.pt                 # writes pretraining/checkpoint.pt
    python benchmarks/pretraining_state.py runs/tiny/checkpoint.pt -o pretraining/with-tables   # and the run's figures
    python benchmarks/pretraining_state.py runs/tiny/checkpoint.pt --compare 200   # measures, writes nothing

The weights stay as they are, the optimisers' moments become bfloat16, and the running mean of the weights starts again
at the weights, with its long memory. --compare resumes from the whole state, from the small one, and from the small
one without moments, each for so many steps at the full learning rate, and prints the validation of the mean and how
far the weights end from those of the whole state.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

import torch

from makeweight.generators.transformer import weights
from makeweight.generators.transformer.config import CONFIGS
from makeweight.generators.transformer.pretrain import Trainer

STATES = Path(__file__).resolve().parent.parent / "pretraining"


def small(state: dict[str, Any]) -> dict[str, Any]:
    """The state with moments in bfloat16, and the weights as their own mean, which are then written once."""
    means = {name: state["model"].get(name.removeprefix("module."), value) for name, value in state["averaged"].items()}
    optimisers = [{**optimiser, "state": rounded(optimiser["state"])} for optimiser in state["optimisers"]]
    return {**state, "averaged": means, "optimisers": optimisers}


def rounded(moments: dict[int, dict[str, torch.Tensor]]) -> dict[int, dict[str, torch.Tensor]]:
    """Moments in bfloat16; numbers of steps as they are."""
    return {
        place: {name: value.bfloat16() if value.ndim else value for name, value in own.items()}
        for place, own in moments.items()
    }


def forgetful(state: dict[str, Any]) -> dict[str, Any]:
    """The state without moments."""
    return {**small(state), "optimisers": [{**optimiser, "state": {}} for optimiser in state["optimisers"]]}


def content(state: dict[str, Any]) -> bytes:
    """Bytes of a checkpoint."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def resumed(state: dict[str, Any], steps: int) -> tuple[torch.Tensor, list[float]]:
    """All weights after so many steps, and the nats per cell of the mean of the weights before and after."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        path.write_bytes(content(state))
        config = CONFIGS[state["config"]["name"]]
        run = Trainer(config, Path(folder), torch.device("cpu"), seconds=1e9, steps=state["step"] + steps)
        run.resume(path)
        totals = [run.evaluate()["total"], run.run()["total"]]
        return torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()]), totals


def compare(state: dict[str, Any], steps: int) -> None:
    """Print what is lost."""
    whole: torch.Tensor | None = None
    start = torch.cat([parameter.flatten() for parameter in state["model"].values()])
    for name, chosen in (("whole", state), ("small", small(state)), ("no moments", forgetful(state))):
        ends, (before, after) = resumed(chosen, steps)
        whole = ends if whole is None else whole
        apart, moved = float((ends - whole).norm()), float((whole - start).norm())
        print(f"{name}: {before:.4f} nats per cell, after {steps} steps {after:.4f}; weights {apart:.3g} from those of")
        print(f"  the whole state, which moved by {moved:.3g}; {len(content(chosen)) / 1e6:.2f} MB", flush=True)


def keep_figures(new: Path, kept: Path) -> None:
    """Write the figures of a run below those of the runs that it went on from, a line per step."""
    head, *lines = new.read_text(encoding="utf-8").splitlines()
    first = int(lines[0].split(",")[0])
    before = kept.read_text(encoding="utf-8").splitlines()[1:] if kept.exists() else []
    lines = [*(line for line in before if int(line.split(",")[0]) < first), *lines]
    weights.write_atomically(kept, ("\n".join([head, *lines]) + "\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--compare", type=int, metavar="STEPS")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="another folder than pretraining/")
    options = parser.parse_args()
    torch.set_num_threads(1)
    state = torch.load(options.checkpoint, weights_only=True)
    if options.compare is not None:
        compare(state, options.compare)
        return
    folder = options.output or STATES
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "checkpoint.pt"
    weights.write_atomically(path, content(small(state)))
    if options.output:
        keep_figures(options.checkpoint.parent / "validation.csv", folder / "validation.csv")
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
