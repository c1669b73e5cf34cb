"""What is written about a comparison holds no secret."""

import json

import numpy as np
import pandas as pd

from makeweight.evaluation import Design, harness
from makeweight.evaluation.arms import ArmSource
from makeweight.evaluation.design import generator_words
from makeweight.generators.registry import stated_options


def test_the_command_and_the_settings_hide_what_is_secret():
    options = {"model": "m", "api_key": "a-secret-key", "max_tokens": 100}
    assert stated_options(options) == {"model": "m", "api_key": "***", "max_tokens": "100"}
    assert "a-secret-key" not in json.dumps(generator_words("chat", options))


def test_a_comparison_writes_the_options_of_its_generator():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=60), "y": np.repeat([0, 0, 1], 20)})
    found = harness.compare(
        frame,
        target="y",
        generator="smoothed-bootstrap",
        options={"bandwidth": 0.5},
        estimators=["lr"],
        arms=["smoothed-bootstrap"],
        design=Design(splits=2),
        max_seconds=None,
    ).to_dict()
    assert found["settings"]["options"] == {"bandwidth": "0.5"}
    assert "--option bandwidth=0.5" in found["reproduce"]["command"]


def test_a_generator_that_is_defined_in_a_function_has_a_fingerprint_of_its_own():
    def make(width):
        class Local:
            def __init__(self):
                self.width = width

        return harness._digest(ArmSource("local", "generator", Local()))

    assert make(1) == make(1) != make(2)
