"""What the command says when it is stopped or its generator fails."""

import subprocess
import sys

import pandas as pd
import pytest

from makeweight.errors import GeneratorError
from makeweight.generators.transformer.generator import InContextTransformer


@pytest.fixture
def failing(monkeypatch):
    """The default generator, which cannot write rows of the label "yes"."""
    propose = InContextTransformer.propose

    def fails(self, group, n, *, rng):
        if group == ("yes",):
            raise GeneratorError("the pen broke", where="paid=yes")
        return propose(self, group, n, rng=rng)

    monkeypatch.setattr(InContextTransformer, "propose", fails)


def test_a_group_that_fails_says_how_to_get_the_others(run, csv, failing):
    result = run("balance", csv, "--target", "paid", "--augment", 9, "-o", "o.csv")
    assert result.code == 2
    assert "9 rows by transformer" in result.err
    assert "short by 24 for paid=yes: failed: the pen broke" in result.err
    assert "--on-shortfall warn" in result.err.partition("hint: ")[2]
    assert not (csv.parent / "o.csv").exists()
    result = run("balance", csv, "--target", "paid", "--augment", 9, "-o", "o.csv", "--on-shortfall", "warn")
    assert result.code == 0
    assert "33 rows short" in result.err
    assert pd.read_csv("o.csv")["paid"].value_counts().to_dict() == {"no": 41, "yes": 8}


def test_a_failure_before_the_first_row_has_nothing_to_keep(run, csv, failing):
    for choice in ("raise", "warn"):
        result = run("balance", csv, "--target", "paid", "-o", "o.csv", "--on-shortfall", choice)
        assert result.code == 2
        assert result.err == "error: the pen broke (paid=yes)\nhint: makeweight balance --help\n"


def test_an_interrupt_while_importing_ends_without_a_traceback():
    code = (
        "import sys, runpy\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "runpy.run_module('makeweight', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "interrupted: nothing was written\n"
