"""The rooms import each other along the arrows of docs/design.md, and nothing heavy is imported early."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import house
import makeweight
from makeweight.generators import registry

PACKAGE = Path(makeweight.__file__).parent
ROOT = Path(__file__).parents[1]

#: What the modules of a room may import of the package; a longer prefix decides before a shorter one.
MAY_IMPORT = {
    "errors": [],
    "progress": [],
    "table": ["errors", "notebook"],
    "groups": ["errors", "table"],
    "plan": ["errors", "groups", "table"],
    "rules": ["errors", "table"],
    "balancing": ["committee", "errors", "progress", "table", "plan", "rules", "generators"],
    "_compat": [],
    "theory": ["errors"],
    "generators": ["errors", "notebook", "progress", "table", "plan", "rules", "generators", "theory"],
    "labelled": ["errors", "table"],
    "sampler": [
        "balancing",
        "labelled",
        "errors",
        "progress",
        "table",
        "plan",
        "generators",
        "measure",
        "committee",
        "theory",
        "rules",
        "weights",
        "_compat",
    ],
    "notebook": [],
    "synthesizer": ["errors", "progress", "notebook", "table", "plan", "rules", "generators"],
    "weights": ["errors", "labelled", "table", "plan", "generators", "theory"],
    "resampled": ["errors", "labelled", "measure", "_compat"],
    "classifier": [
        "labelled",
        "errors",
        "progress",
        "table",
        "plan",
        "rules",
        "generators",
        "sampler",
        "committee",
        "theory",
        "measure",
        "engine",
        "_compat",
    ],
    "engine": ["errors", "progress"],
    "measure": ["errors", "progress", "table", "plan", "generators", "theory", "engine"],
    "committee": ["labelled", "errors", "table", "plan", "generators", "measure", "theory", "engine", "_compat"],
    "evaluation": [
        "errors",
        "progress",
        "table",
        "plan",
        "generators",
        "sampler",
        "classifier",
        "measure",
        "theory",
        "quality",
        "engine",
        "committee",
        "page",
    ],
    "quality": ["errors", "progress", "notebook", "table", "plan", "theory", "page"],
    "page": ["errors"],
    "partitioned": [
        "errors",
        "progress",
        "table",
        "rules",
        "plan",
        "generators",
        "measure",
        "committee",
        "sampler",
        "engine",
    ],
    "experiments": [
        "errors",
        "progress",
        "table",
        "plan",
        "generators",
        "sampler",
        "classifier",
        "measure",
        "theory",
        "quality",
        "evaluation",
        "engine",
    ],
    "cli": [
        "balancing",
        "errors",
        "progress",
        "table",
        "plan",
        "generators",
        "sampler",
        "measure",
        "committee",
        "evaluation",
        "quality",
        "page",
        "partitioned",
        "experiments",
        "engine",
        "rules",
        "synthesizer",
        "weights",
        "cli",
        "",
    ],
    "__main__": ["cli"],
    "": [
        "balancing",
        "classifier",
        "committee",
        "evaluation",
        "generators",
        "partitioned",
        "plan",
        "progress",
        "quality",
        "resampled",
        "sampler",
        "synthesizer",
        "table",
    ],
}
#: Heavy packages and the rooms that may import them at all.
HEAVY = {
    "torch": ["generators.transformer", "generators.causal_lm", "cli.doctor"],
    "sdv": ["generators.adapters.sdv"],
    "mostlyai": ["generators.adapters.mostlyai"],
    "arfpy": ["generators.adapters.arf"],
    "tabicl": ["generators.adapters.tabicl"],
    "tabpfn": ["generators.adapters.tabpfn"],
    "huggingface_hub": ["generators.adapters.chain", "generators.causal_lm"],
    "safetensors": ["generators.transformer", "generators.causal_lm", "generators.frame.saving"],
    "matplotlib": ["generators.transformer.figures", "evaluation.figures", "experiments.figures"],
    "jinja2": ["page"],
    "dask": ["engine", "partitioned"],
    "distributed": ["engine", "partitioned"],
    "transformers": ["generators.causal_lm"],
    "peft": ["generators.causal_lm"],
    "tokenizers": ["generators.causal_lm"],
    "llguidance": ["generators.causal_lm"],
    "openai": ["generators.chat"],
    "rich": ["cli"],
    "click": ["cli", "__main__"],
    "imblearn": ["generators.resampler", "sampler", "evaluation", "experiments.published", "cli"],
    "xgboost": ["measure.learners", "committee.members"],
    "sklearn": [
        "classifier",
        "committee",
        "measure",
        "evaluation",
        "quality",
        "experiments",
        "generators.resampler",
        "generators.contract",
        "labelled",
        "resampled",
        "sampler",
        "_compat",
        "cli",
    ],
    "polars": ["table.containers", "cli.doctor"],
}
#: The only packages that theory may import.
THEORY = {"numpy", "scipy", "makeweight", *sys.stdlib_module_names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, rooms):
    return any(name == room or name.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_follow_the_arrows(path):
    name = name_of(path)
    room = name.split(".")[0]
    assert room in MAY_IMPORT, f"the room {room!r} has no arrows yet"
    for imported in imports_of(path):
        if imported.split(".")[0] == "makeweight":
            inside = imported.removeprefix("makeweight").lstrip(".")
            to = inside.split(".")[0]
            known = to in MAY_IMPORT or not inside
            assert not known or to == room or to in MAY_IMPORT[room], f"{name} imports {imported}"
        if room == "theory":
            assert imported.split(".")[0] in THEORY, f"{name} imports {imported}"
        heavy = imported.split(".")[0]
        if heavy in HEAVY:
            assert within(name, HEAVY[heavy]), f"{name} imports {heavy}"


def test_no_modules_import_each_other_in_a_circle():
    assert not house.circles(house.graph(PACKAGE, lazy=True))


def test_a_module_lists_what_other_rooms_use_and_nothing_else():
    """`__all__` is the face of a room: what other rooms import, what signatures name, what the texts explain."""
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
    texts = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    words = set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8") for path in texts)))
    words |= set(re.findall(r"\w+", " ".join(" ".join(house.signatures(tree)) for tree in trees.values())))
    for name, used in house.used_elsewhere(PACKAGE).items():
        own = name.rpartition(".")[2].startswith(("_", "on_"))  # the two kinds of arrays list the same words
        if own or (PACKAGE / name.replace(".", "/")).is_dir():
            continue
        face = house.listed(trees[name])
        assert used <= face, f"{name} does not list {used - face}, which other rooms import"
        assert face <= used | words, f"{name} lists {face - used - words}, which only its own room uses"


def generators():
    """Return the modules and packages in which the generators live, as the registry names them.

    Adapters of other packages share a room, and are one file each.
    """
    homes = (info.home.partition(":")[0].removeprefix("makeweight.").split(".") for info in registry.BUILT_IN)
    known = {".".join(home[: 3 if home[1] == "adapters" else 2]) for home in homes}
    return known | {"generators.adapters.any_object"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "generators").rglob("*.py")), ids=name_of)
def test_no_generator_is_imported_but_by_itself(path):
    name = name_of(path)
    others = [room for room in generators() if not within(name, [room])]
    for imported in imports_of(path):
        assert not within(imported.removeprefix("makeweight."), others), f"{name} imports {imported}"


def fresh(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_package_imports_nothing_heavy():
    loaded = fresh("import makeweight, sys; print(*sys.modules)")
    assert not {"numpy", "pandas", "sklearn", "torch", "rich", "click"} & set(loaded)


def test_importing_the_command_line_imports_nothing_heavy():
    loaded = fresh("import makeweight.cli, sys; print(*sys.modules)")
    assert not {"numpy", "pandas", "sklearn", "torch", "pyarrow"} & set(loaded)


@pytest.mark.parametrize("generator", ["transformer", "smoothed-bootstrap", "transport"])
def test_balancing_imports_no_scikit_learn(generator):
    """It is half of the time from the start of the interpreter to a balanced table."""
    loaded = fresh(
        "import sys, pandas as pd; from makeweight import balance;"
        "frame = pd.DataFrame({'x': range(9), 'y': [0] * 7 + [1] * 2});"
        f"balance(frame, target='y', generator='{generator}', random_state=0); print(*sys.modules)"
    )
    assert not {"sklearn", "imblearn", "scipy.stats", "torch", "matplotlib", "rich"} & set(loaded)


def test_the_command_balances_without_scikit_learn(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("x,y\n" + "".join(f"{i},{'ab'[i > 6]}\n" for i in range(9)))
    words = ["balance", str(data), "--target", "y", "--seed", "0", "-o", str(tmp_path / "out.csv")]
    loaded = fresh(f"import sys; from makeweight.cli import main; assert not main({words}); print(*sys.modules)")
    assert not {"sklearn", "imblearn", "scipy.stats", "torch", "matplotlib"} & set(loaded)


def test_importing_the_sampler_imports_no_torch():
    loaded = fresh(
        "import makeweight.sampler, makeweight.generators.registry as r, sys; r.names(); print(*sys.modules)"
    )
    assert not {"torch", "matplotlib", "transformers", "openai", "polars"} & set(loaded)


def test_public_names_are_there():
    for name in makeweight.__all__:
        assert getattr(makeweight, name)
    with pytest.raises(AttributeError, match="no attribute"):
        _ = makeweight.nothing
    assert set(makeweight.__all__) == set(dir(makeweight))
