"""Our generators beside the peers: time, memory, valid rows, copies, and what a classifier makes of the rows.

Usage: python benchmarks/peers.py [--tables craft adult ...] [--peers NAME ...] [--seconds 400] [--again]
                                  [--environments build/peers] [--output FILE] [--show]

Every peer gets an environment of its own from PyPI (made on first use) and a process of its own; it sees
the training rows, and has to write rows of the rare label. All run after one another on this machine, each
for at most --seconds, of which a quarter for writing. A peer that fails, or is not done in time, stands in
the table with its message; results are kept as they come, so an interrupted run goes on where it was. --show
prints the tables of docs/peers.md from the results and measures nothing. With --published as the first word,
peers_published.py judges generators, ours and those that adapters bring in, as published tables do.

What the columns say. *all s*: from the start of the process to the rows, imports included; *fit s* of it are
for fitting, and *rows/s* of the wanted label come out after that. *MB*: peak memory of the process and its
children. *valid*: right label, categories that the table has, numbers within its range, whole numbers where
the column is whole. *copies*: equal to a training row. *C2ST*: AUROC of boosted trees, cross-fitted, that
tell the rows from held-out real rows of the same label (.5: they cannot). *log-loss*, *AUROC*: balanced
log-loss on untouched real rows of a random forest on training and synthetic rows (all of them, valid or not),
as it is and after a two-parameter calibration fitted on one half of the test rows for the other (what is left
is what the rows are worth beyond calibration).
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from makeweight.table.files import replace_file
from peers_judge import DATA, ROOT, TABLES, Case, figures, load, worth

WORKER = Path(__file__).with_name("peers_worker.py")
TORCH = "torch==2.13.0"

#: Peer to the packages of its environment; the versions are those that install and run together.
REQUIREMENTS = {
    "arfpy": ["arfpy==0.1.1", "numpy<2.4", "pandas<3"],
    "ctgan": [TORCH, "ctgan==0.12.1"],
    "tvae": [TORCH, "ctgan==0.12.1"],
    "mostlyai-argn": [
        TORCH,
        "accelerate",
        "datasets",
        "huggingface-hub",
        "joblib",
        "json-repair",
        "opacus>=1.6",
        "pandas<3",
        "peft",
        "psutil<6",
        "pyarrow",
        "scikit-learn",
        "tokenizers",
        "transformers>=5.5.3",
    ],
    "be-great": [TORCH, "be_great==0.0.14"],
    "realtabformer": [TORCH, "realtabformer==0.2.4", "transformers<5", "datasets<4.5", "huggingface-hub<1", "pandas<3"],
    "forest-diffusion": ["ForestDiffusion==1.0.6", "xgboost-cpu", "pandas<3"],
}
#: Installed without its own requirements: the language half pulls gigabytes that the tabular half never uses.
ALONE = {"mostlyai-argn": ["mostlyai-engine==2.7.3"]}
#: Peers that share an environment.
SHARED = {"tvae": "ctgan"}
LABELS = {
    "makeweight:smoothed-bootstrap": "**smoothed-bootstrap**",
    "makeweight:transport": "**transport**",
    "makeweight:transformer": "**transformer**",
    "makeweight:causal-lm": "**causal-lm**, from scratch",
    "smote": "SMOTE(NC)",
    "arfpy": "arfpy",
    "ctgan": "CTGAN",
    "tvae": "TVAE",
    "mostlyai-argn": "MOSTLY AI TabularARGN",
    "be-great": "be_great, GPT-2-sized",
    "realtabformer": "REaLTabFormer",
    "forest-diffusion": "ForestDiffusion",
}
REFERENCES = ("do nothing", "further real rows")
NOTES = {"forest-diffusion": "2 noise levels and 10 copies instead of 50 and 100"}
#: Steps of training after which these are cut: whole, it takes hours, so only their speed is measured.
STEPS = {"realtabformer": 10, "be-great": 4}
#: Rows that be_great generates side by side: its own default.
BATCH = 100
#: For writing, of the peers whose speed alone is measured.
SPEED_SECONDS = 30.0

#: What docs/peers.md says above the tables.
LEGEND = """\
One run on {cores} cores ({processor}), no GPU, Python {python}; every peer in an environment and a process of
its own, for at most {limit} s. *all s*: from the start of the process to the rows; *rows/s*: after fitting;
*valid*: categories and ranges of the table, whole numbers where it has them; *copies*: of training rows;
*C2ST*: AUROC of telling the rows from held-out real ones (.5 is best); then a random forest's balanced
log-loss on real rows, as it is and *calibrated*, and its AUROC."""


def python_of(peer: str, environments: Path) -> str:
    """Return the interpreter of a peer's environment, made on first use."""
    if peer not in REQUIREMENTS:
        return sys.executable
    folder = environments / SHARED.get(peer, peer)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not ((folder / "ready").exists() and python.exists()):
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "psutil", *REQUIREMENTS[peer]], check=True)
        if peer in ALONE:
            subprocess.run([*install, "--no-deps", *ALONE[peer]], check=True)
        (folder / "ready").touch()
    return str(python)


def memory(process: psutil.Process) -> int:
    """Return the bytes of a process; where the system tells, shared ones are divided among their users."""
    known = process.memory_full_info()
    return int(getattr(known, "pss", known.uss))


def supervise(command: list[str], log: Path, limit: float) -> tuple[int | None, float, float]:
    """Run a command; return its exit status (None: stopped at the limit), seconds, and peak memory in MB."""
    began, peak = time.perf_counter(), 0
    with log.open("wb") as stream:
        process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        family = [process]
        try:
            while time.perf_counter() - began < limit:
                with contextlib.suppress(psutil.NoSuchProcess):  # it may end while it is looked at
                    family = [process, *process.children(recursive=True)]
                    peak = max(peak, sum(map(memory, family)))
                with contextlib.suppress(psutil.TimeoutExpired):
                    return process.wait(1.0), time.perf_counter() - began, peak / 1e6
            return None, time.perf_counter() - began, peak / 1e6
        finally:
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            psutil.wait_procs(family, timeout=10)


def run_peer(peer: str, case: Case, options: argparse.Namespace) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Run a peer in a process of its own; return its measurements, or its error, and the rows."""
    try:
        python = python_of(peer, options.environments.resolve())
    except subprocess.CalledProcessError as error:
        words = " ".join(map(str, error.cmd[1:3]))
        return {"error": f"no environment: python {words} ended with status {error.returncode}"}, None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder = Path(place)
        case.train.to_csv(folder / "train.csv", index=False)
        coded = [str(c) for c in case.train if not pd.api.types.is_numeric_dtype(case.train[c])]
        few = [str(c) for c in case.train if c not in coded and case.train[c].nunique() == 2]
        task = {
            "train": str(folder / "train.csv"),
            "rows": str(folder / "rows.csv"),
            "target": case.target,
            "report": str(folder / "report.json"),
            "label": case.label,
            "n": case.n,
            "seed": 1,
            "categorical": sorted({*coded, *few, case.target}),
            "steps": STEPS.get(peer),
            "batch": BATCH,
            "sampling_seconds": SPEED_SECONDS if peer in STEPS else options.seconds / 4,
        }
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        command = [python, str(WORKER), peer, str(folder / "task.json")]
        status, seconds, peak = supervise(command, folder / "log", options.seconds)
        report: dict[str, Any] = {"stage": "starting"}
        if (folder / "report.json").exists():
            report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        report |= {"seconds": seconds, "peak_mb": max(peak, report.get("peak_mb", 0.0))}
        if status is None:
            return report | {"over": options.seconds}, None
        if status:
            log = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return {"error": log[-1][:300] if log else f"exit status {status}"} | report, None
        return report, pd.read_csv(folder / "rows.csv", keep_default_na=bool(case.train.isna().to_numpy().any()))


def measure(peer: str, case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Return the record of a peer on a table."""
    record: dict[str, Any] = {}
    report, rows = run_peer(peer, case, options)
    if "error" in report and "stage" in report and case.train.isna().to_numpy().any():
        record["error_with_missing_values"] = report["error"]
        case = case.without_missing()
        report, rows = run_peer(peer, case, options)
    record |= report
    if rows is None:
        return record
    written = report.get("generated", report["drawn"]) if peer in STEPS else report["kept"]
    record["rows_per_second"] = written / report["sample_seconds"]
    return record | ({} if peer in STEPS or rows.empty else figures(case, rows))


def one(peer: str, case: Case, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the record of a peer or of a reference, or None where the table has no such reference."""
    began = {
        "measured": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load_before": psutil.getloadavg()[0],
        "limit": options.seconds,
    }
    head = {"table": case.name, "peer": peer, "wanted": case.n}
    if peer == "do nothing":
        return head | {"wanted": 0} | worth(case, None)
    if peer != "further real rows":
        return head | began | measure(peer, case, options)
    return None if case.more is None else head | {"wanted": len(case.more)} | worth(case, case.more)


def notes(record: dict[str, Any]) -> str:
    """Return what has to be said of a record."""
    found = [NOTES.get(record["peer"], "")]
    if "over" in record:
        found.append(f"over {record['over']:.0f} s, stopped while {record['stage']}")
    if "error" in record:
        found.append(f"failed while {record.get('stage', 'installing')}: `{record['error']}`")
    if "error_with_missing_values" in record:
        found.append(f"rows with missing values dropped: `{record['error_with_missing_values']}`")
    if "full_steps" in record:
        hours = record["full_steps"] * record["step_seconds"] / 3600
        found.append(
            f"speed only, of rows of any label: training cut at {record['steps']} of "
            f"{record['full_steps']:,} steps (all: {hours:.0f} h)"
        )
    if "generated" in record:
        found.append(f"{record['drawn']} of {record['generated']} rows could be read")
    elif record["peer"] not in STEPS and record.get("kept", record["wanted"]) < record["wanted"]:
        found.append(f"only {record['kept']:,} of {record['wanted']:,} rows")
    if record.get("stopped") == "max_seconds":
        found.append("training cut at 100 s")
    if record["peer"] == "further real rows":
        found.append(f"{record['wanted']:,} rows that no peer saw")
    return "; ".join(filter(None, found)).replace("|", "\\|")


def show(state: dict[str, Any]) -> None:
    """Print one table of figures per table of data, as markdown."""
    columns = {
        "all s": ("seconds", ".1f"),
        "fit s": ("fit_seconds", ".1f"),
        "rows/s": ("rows_per_second", ",.{}f"),
        "MB": ("peak_mb", ",.0f"),
        "valid": ("valid", ".3f"),
        "copies": ("copies", ".3f"),
        "C2ST": ("c2st", ".3f"),
        "log-loss": ("log_loss", ".3f"),
        "calibrated": ("calibrated_log_loss", ".3f"),
        "AUROC": ("auroc", ".3f"),
    }
    machine, order = state["machine"], [*REFERENCES, *LABELS]
    print("<!-- printed by python benchmarks/peers.py --show -->")
    limits = {record["limit"] for record in state["records"] if "limit" in record}
    print(LEGEND.format(**machine, limit=" or ".join(f"{limit:,.0f}" for limit in sorted(limits))))
    for name in TABLES:
        records = [record for record in state["records"] if record["table"] == name]
        if not records:
            continue
        records.sort(key=lambda record: order.index(record["peer"]))
        wanted = max(record["wanted"] for record in records)
        print(f"\n{name}, {wanted:,} rows of the rare label:\n\n| | {' | '.join(columns)} | |")
        print(f"|---|{'---:|' * len(columns)}---|")
        for record in records:
            cells = []
            for key, form in columns.values():
                value = record.get(key)
                digits = 1 if value is not None and value < 10 else 0
                cells.append("-" if value is None else format(value, form.format(digits)))
            label = LABELS.get(record["peer"], record["peer"])
            print(f"| {label} | {' | '.join(cells)} | {notes(record)} |")
        speed = {record["peer"]: record.get("rows_per_second") for record in records}
        ours, great = speed.get("makeweight:transformer"), speed.get("be-great")
        if ours and great:
            print(f"\n`transformer` writes {ours / great:,.0f} times as many rows a second as be_great.")
    print("<!-- end -->")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), processor)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gb": psutil.virtual_memory().total / 1e9,
        "system": platform.platform(),
        "python": platform.python_version(),
        "threads": os.environ.get("OMP_NUM_THREADS", "as the peer likes"),
    }


def keep(path: Path, state: dict[str, Any]) -> None:
    """Write the results through a temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(state, indent=1) + "\n"
    replace_file(path, lambda stream: stream.write(text.encode()))


def main() -> int:
    """Measure what is not measured yet, keep everything and print it."""
    if sys.argv[1:2] == ["--published"]:
        import peers_published

        return peers_published.main(sys.argv[2:])
    peers = list(LABELS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=["craft", "adult"], choices=TABLES)
    parser.add_argument("--peers", nargs="+", default=peers, choices=peers)
    parser.add_argument("--seconds", type=float, default=400, help="for one peer on one table, at most")
    parser.add_argument("--environments", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--again", action="store_true", help="measure what has been measured or has failed, too")
    parser.add_argument("--show", action="store_true", help="print what has been measured, and measure nothing")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "peers.json")
    options = parser.parse_args()
    state: dict[str, Any] = {"records": []}
    if options.output.exists():
        state = json.loads(options.output.read_text(encoding="utf-8"))
    if options.show:
        if not state["records"]:
            print(f"error: nothing has been measured in {options.output}", file=sys.stderr)
            return 2
        show(state)
        return 0
    if not DATA.is_dir():
        print(f"error: no tables in {DATA}\nhint: name their folder in MAKEWEIGHT_DATA", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the peer is stopped, too
    records = state["records"]
    known = {(record["table"], record["peer"]) for record in records}
    for case in map(load, options.tables):
        for peer in (*REFERENCES, *options.peers):
            if (case.name, peer) in known and not options.again:
                continue
            print(f"{datetime.datetime.now():%H:%M:%S} {case.name}: {peer}", file=sys.stderr, flush=True)
            record = one(peer, case, options)
            if record is not None:
                records = [r for r in records if (r["table"], r["peer"]) != (case.name, peer)] + [record]
                state = {
                    "command": shlex.join(["python", "benchmarks/peers.py", *sys.argv[1:]]),
                    "machine": machine(),
                    "requirements": REQUIREMENTS | ALONE,
                    "records": records,
                }
                keep(options.output, state)
    show(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
