"""The code of docs/generators/other-packages.md runs, and a package that is installed is found by name."""

import re
import textwrap
from pathlib import Path

import pytest

from makeweight.cli import main
from makeweight.generators.contract import example_table
from makeweight.generators.registry import available, described, resolve

pytestmark = pytest.mark.usefixtures("quick_transformer")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "generators" / "other-packages.md"


def blocks(language="python"):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_pages_object_writes_rows(capsys):
    exec(blocks()[0], {})
    assert capsys.readouterr().out.startswith("145 [")


def test_the_pages_generator_passes_every_check():
    code, checks = blocks()[1:]
    body = code[code.index("class") :].strip().splitlines()
    assert len([line for line in body if line.strip() and '"""' not in line]) <= 20
    names = {}
    exec(code, names)
    exec(checks, names)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The page's generator as a package, installed as pip does: a module, and its metadata beside it."""
    (tmp_path / "yourpackage").mkdir()
    (tmp_path / "yourpackage" / "generators.py").write_text(blocks()[1])
    about = tmp_path / "yourpackage-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: yourpackage\nVersion: 1.0\n")
    head, line = blocks("toml")[0].strip().splitlines()
    group = re.search(r'"(.*)"', head)[1]
    points = f"""
        [{group}]
        {line.replace('"', "")}
        broken = yourpackage.nothing:Lost
        """
    (about / "entry_points.txt").write_text(textwrap.dedent(points))
    monkeypatch.syspath_prepend(str(tmp_path))


def test_an_installed_package_is_found_by_name(installed):
    info = described("independent")
    assert (info.origin, info.options()[0].name) == ("yourpackage", "blur")
    assert resolve("independent", {"blur": "0.5"}).blur == 0.5
    problems = {info.name: info.problem for info in available()}
    assert problems["independent"] is None
    assert "yourpackage.nothing" in problems["broken"]


def call(capsys, *words):
    code = main(list(words))
    out = capsys.readouterr()
    assert code == 0, out.err
    return out.out + out.err


def test_every_command_knows_it(installed, capsys, tmp_path):
    data = tmp_path / "data.csv"
    example_table(n=120).frame.drop(columns=["key"]).to_csv(data, index=False)
    assert "Every column of a row is that of some real row" in call(capsys, "generators")
    assert "blur" in call(capsys, "generators", "independent")
    assert '"name": "independent"' in call(capsys, "doctor", "--json")
    words = ["--target", "y", "--generator", "independent", "--option", "blur=0.2", "--seed", "0"]
    assert "by independent" in call(capsys, "balance", str(data), *words, "-o", str(tmp_path / "out.csv"))
