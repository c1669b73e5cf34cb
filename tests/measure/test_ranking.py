"""Whether rows can improve the ranking is answered where a rare value has one class alone."""

import numpy as np
import pandas as pd

from makeweight.measure.ranking import ranking_answer
from makeweight.table import Schema, Table


def answer(frame):
    labels = frame["y"].to_numpy()
    return ranking_answer(Table(frame, Schema.infer(frame, target="y")), labels, np.random.default_rng(0))


def right(n=2000):
    """A right score, and a code of which 12 rows of the common class alone have the third value."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(1.5 - x))).astype(int)
    code = rng.choice(["a", "b"], n).astype(object)
    code[np.flatnonzero(y == 0)[:12]] = "c"
    return pd.DataFrame({"x": x, "code": code, "y": y})


def test_rows_of_a_value_that_one_class_has_are_left_out_and_counted():
    frame = right()
    test, text = answer(frame)
    assert not test.can_gain
    assert text.endswith(" 12 rows are not in this test: a value that only one class has decides them.")
    assert "decides" not in answer(frame[frame["code"] != "c"].reset_index(drop=True))[1]


def test_classes_that_a_column_tells_apart_are_not_tested():
    frame = right(200)
    frame["code"] = np.where(frame["y"] == 1, "a", "b")
    test, text = answer(frame)
    assert test is None
    assert text == "Whether rows can improve the ranking is not tested: a column tells the classes apart."
