"""``makeweight doctor``."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NotRequired, TypedDict

import click
from rich.text import Text

from makeweight.cli import _show
from makeweight.cli._codes import GATE_FAILED
from makeweight.cli._options import json_option

#: A package is imported by another name than it is installed by.
MODULES = {"scikit-learn": "sklearn", "imbalanced-learn": "imblearn", "mostlyai-engine": "mostlyai.engine"}
#: What an extra adds.
EXTRAS = {
    "arf": "the generator arf",
    "chat": "the generator chat",
    "cluster": "tables in parts on a Dask cluster",
    "figures": "pictures",
    "hf": "the generator causal-lm",
    "mostlyai": "the generator mostlyai",
    "polars": "polars frames",
    "sdv": "the generators gaussian-copula, ctgan and tvae",
    "skops": "a model in a file without pickle: makeweight evaluate --model",
    "tabicl": "the generator tabicl, and a teacher of soft labels",
    "tabpfn": "the generator tabpfn, and a teacher of soft labels",
    "train": "the network in committees; makeweight pretrain, adapt and GPUs",
}
#: For what other processes try out; slow disks and busy machines import packages for minutes.
SECONDS = 6.0
LATE = "importing it took too long to be tried here"
REINSTALL = "pip install --force-reinstall --no-deps makeweight"
IMPORTS = """
import importlib, json, sys
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
        problem = None
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
    print(json.dumps(problem), flush=True)
"""
DEVICES = """
import json, torch
cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
mps = getattr(torch.backends, "mps", None)
print(json.dumps({"cuda": cuda, "mps": bool(mps and mps.is_available()), "threads": torch.get_num_threads()}))
"""


GENERATORS = """
import json
from makeweight.generators.registry import available
for info in available():
    told = json.dumps({"name": info.name, "problem": info.problem, "licence": info.licence})
    print(f"\\ngenerator {told}", flush=True)
"""


class Package(TypedDict):
    """One package: what is there, and the line that mends what is wrong."""

    name: str
    extra: str | None
    version: str | None
    works: bool
    problem: str | None
    fix: str | None
    imported: NotRequired[bool]  # False where it was not tried in time


class Devices(TypedDict):
    """What there is to compute on; None where torch did not say in time."""

    cpu_cores: int | None
    cuda: NotRequired[list[str] | None]
    mps: NotRequired[bool | None]
    threads: NotRequired[int]


class UsableGenerator(TypedDict):
    """Whether a generator can be used; None where that was not tried in time."""

    name: str
    problem: str | None
    licence: str | None
    usable: bool | None


class WeightsFile(TypedDict):
    """The weights of the transformer, with facts of their manifest where they are those."""

    works: bool
    problem: str | None
    fix: str | None
    sha256: str | None
    config: NotRequired[str]
    steps: NotRequired[int]
    tasks: NotRequired[int]
    bytes: NotRequired[int]


class Installation(TypedDict):
    """What the command prints as JSON."""

    makeweight: str
    python: str
    platform: str
    devices: Devices
    packages: list[Package]
    generators: list[UsableGenerator]
    weights: WeightsFile
    ok: bool


@click.command()
@json_option
@click.pass_context
def command(context: click.Context, /, as_json: bool) -> None:
    """Check the installation, with a one-line fix for what does not work.

    The packages are imported in another process, so that a broken one is reported and stops nothing.
    """
    deadline = time.monotonic() + SECONDS
    packages = [check(*requirement) for requirement in requirements()]
    listing = _start(GENERATORS)
    machine = _start(DEVICES) if any(package["name"] == "torch" and package["works"] for package in packages) else None
    with ThreadPoolExecutor(1) as pool:  # the weights are read here, while other processes import
        tried = pool.submit(_import, packages, deadline)
        file = weights()
        tried.result()
    required = all(package["works"] for package in packages if package["extra"] is None)
    report: Installation = {
        "makeweight": importlib.metadata.version("makeweight"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": devices(machine, deadline),
        "packages": packages,
        "generators": generators(listing, packages, deadline),
        "weights": file,
        "ok": required and file["works"],
    }
    if as_json:
        _show.print_json(report)
    else:
        _print(report)
    if not report["ok"]:
        context.exit(GATE_FAILED)


def requirements() -> list[tuple[str, str, str | None]]:
    """Return what this package requires here: name, versions, and the optional extra it belongs to."""
    from packaging.requirements import Requirement

    extras = importlib.metadata.metadata("makeweight").get_all("Provides-Extra") or []
    required = []
    for asked in map(Requirement, importlib.metadata.requires("makeweight") or []):
        for extra in (None, *extras):
            if asked.marker is None or asked.marker.evaluate({"extra": extra or ""}):
                required.append((asked.name, str(asked.specifier), extra))
                break
    return required


def check(name: str, versions: str, extra: str | None) -> Package:
    """Say whether one package is there and new enough."""
    fix = f'pip install "makeweight[{extra}]"' if extra else f'pip install "{name}{versions}"'
    report = Package(name=name, extra=extra, version=None, works=False, problem="not installed", fix=fix)
    try:
        version = report["version"] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return report
    lowest = re.search(r">=\s*([\d.]+)", versions)
    if lowest and _numbers(version) < _numbers(lowest.group(1)):
        return {**report, "problem": f"too old, {versions} is needed", "fix": f'pip install -U "{name}{versions}"'}
    above = re.search(r"<\s*([\d.]+)", versions)
    if above and _numbers(version) >= _numbers(above.group(1)):
        return {**report, "problem": f"too new, {versions} is needed"}
    return {**report, "works": True, "problem": None, "fix": None}


def devices(machine: subprocess.Popen[str] | None, deadline: float) -> Devices:
    """Return what there is to compute on; of accelerators, where torch tells in time."""
    if machine is None:
        return {"cpu_cores": os.cpu_count()}
    lines = _output(machine, deadline).splitlines()
    if not lines or machine.returncode != 0:
        return {"cpu_cores": os.cpu_count(), "cuda": None, "mps": None}
    seen: Devices = json.loads(lines[-1])
    return {**seen, "cpu_cores": os.cpu_count()}


def generators(listing: subprocess.Popen[str], packages: list[Package], deadline: float) -> list[UsableGenerator]:
    """Return what keeps each generator from being used.

    Of one that was not tried in time, that is the packages that it lacks; ``usable`` is None where it lacks none.
    """
    from makeweight.generators.registry import described, names

    rows: dict[str, UsableGenerator] = {}
    for line in _output(listing, deadline).splitlines():
        if not (line.startswith("generator {") and line.endswith("}")):  # another package's, or cut off
            continue
        entry: UsableGenerator = json.loads(line.removeprefix("generator "))
        rows[entry["name"]] = {**entry, "usable": entry["problem"] is None}
    for info in (described(name) for name in names() if name not in rows):
        lacking = [p["name"] for p in packages if p["extra"] == info.extra and info.extra and not p["works"]]
        problem = f"it needs {', '.join(lacking)}" if lacking else None
        usable = False if lacking else None
        rows[info.name] = {"name": info.name, "problem": problem, "licence": info.licence, "usable": usable}
    return list(rows.values())


def weights() -> WeightsFile:
    """Say whether the weights of the transformer are those of their manifest, by their SHA-256."""
    from makeweight.errors import FileProblem
    from makeweight.generators.transformer.manifest import embedded, read_weights

    try:
        content, manifest = read_weights(embedded())
    except FileProblem as error:
        return {"works": False, "problem": error.message, "fix": REINSTALL, "sha256": None}
    return {
        "works": True,
        "problem": None,
        "fix": None,
        "sha256": manifest.sha256,
        "config": manifest.config,
        "steps": manifest.steps,
        "tasks": manifest.tasks,
        "bytes": len(content),
    }


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start another Python, which does not look for modules in the working directory."""
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=sys.prefix)


def _output(process: subprocess.Popen[str], deadline: float) -> str:
    """Return what a process prints until it ends, or until the time is over."""
    try:
        return process.communicate(timeout=max(0.1, deadline - time.monotonic()))[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def _import(packages: list[Package], deadline: float) -> None:
    """Import the packages in another process, required ones first, and note in each what goes wrong.

    What is not imported in time is taken to work: it is there, and new enough.
    """
    left = sorted((p for p in packages if p["works"]), key=lambda p: p["extra"] is not None)
    while left and time.monotonic() < deadline:
        modules = [MODULES.get(p["name"], p["name"].replace("-", "_")) for p in left]
        process = _start(IMPORTS, *modules)
        output = _output(process, deadline)
        problems = [json.loads(line) for line in output.splitlines() if line.startswith(("null", '"'))]
        if len(problems) < len(left) and time.monotonic() >= deadline:
            for package in left[len(problems) :]:
                package["imported"] = False
        elif len(problems) < len(left):  # the process did not survive the next one
            problems.append(f"importing it ends the process with exit code {process.returncode}")
        for package, problem in zip(left, problems, strict=False):
            if problem is not None:
                package["works"], package["problem"] = False, problem
                package["fix"] = f'pip install --force-reinstall "{package["name"]}"'
        left = [] if time.monotonic() >= deadline else left[len(problems) :]


def _print(report: Installation) -> None:
    out = _show.console()
    out.print(f"makeweight {report['makeweight']}, Python {report['python']}, {report['platform']}")
    out.print(_devices_line(report["devices"]))
    for title, optional in (("required packages", False), ("optional packages", True)):
        rows: list[tuple[str | Text, ...]] = [
            (
                _mark(package["works"]),
                package["name"],
                package["version"] or "-",
                f"[{package['extra']}]: {EXTRAS.get(package['extra'] or '', '')}" if optional else "",
                _trouble(package),
            )
            for package in report["packages"]
            if (package["extra"] is not None) == optional
        ]
        columns: dict[str, dict[str, Any]] = {name: {"no_wrap": True} for name in ("", "1", "2", "3")}
        columns["4"] = {}
        _show.section(out, title, _show.table(columns, rows, headings=False))
    rows = [
        (
            _mark(info["usable"]),
            info["name"],
            "; ".join(filter(None, (info["problem"], info["licence"], LATE if info["usable"] is None else ""))),
        )
        for info in report["generators"]
    ]
    _show.section(out, "generators", _show.table({"": {}, "name": {"no_wrap": True}, " ": {}}, rows, headings=False))
    file = report["weights"]
    text = f"{file['problem']}: {file['fix']}"
    if file["works"]:
        text = f"{file['config']}, {file['steps']:,} steps, {file['bytes'] / 1e6:.1f} MB, SHA-256 checked"
    line = _show.table({"": {}, " ": {}}, [(_mark(file["works"]), text)], headings=False)
    _show.section(out, "weights of the transformer", line)
    out.print()
    broken = [part for part in (*report["packages"], file) if not part["works"]]
    if not broken:
        out.print("everything works")
    elif report["ok"]:
        out.print("what is required works; what is optional can be added with the lines above")
    else:
        out.print("something that is required does not work: see the lines above")


def _mark(works: bool | None) -> Text:
    if works is None:
        return Text("?", style="yellow")
    return Text("ok", style="green") if works else Text("no", style="red")


def _trouble(package: Package) -> str:
    if package.get("imported") is False:
        return f"installed; {LATE}"
    return "" if package["works"] else f"{package['problem']}: {package['fix']}"


def _devices_line(machine: Devices) -> str:
    parts = [f"{machine['cpu_cores']} CPU cores"]
    if machine.get("cuda", ()) is None:
        parts.append("torch did not say in time which GPUs there are")
    elif "cuda" in machine:
        parts.append(", ".join(machine["cuda"]) if machine["cuda"] else "no CUDA device")
        parts += ["Apple GPU (mps)"] if machine["mps"] else []
    else:
        parts.append("GPUs are looked for with torch, which is not installed")
    return "devices: " + "; ".join(parts)
