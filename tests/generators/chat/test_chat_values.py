"""What looks like a number and is none, half characters and infinities are rejected by name; failures are kept."""

import json
import os
import signal
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from chat_endpoints import completion, recombined, serving
from makeweight import Limits
from makeweight.errors import GenerationShortfall
from makeweight.generators.chat import ChatGenerator
from makeweight.generators.chat.values import number
from makeweight.generators.fill import ShortfallWarning
from makeweight.sampler import balance

NO_NUMBERS = ["E+3", "e9 $", "e1 %", "--3", "1e999", "-1e999", ".", "+", "e", "1,2,3", "1e", "0x1F", "½", "1_000", "٣x"]
HUGE = [float("inf"), -float("inf"), 10**400, 1e301, True and "9" * 400]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_text_that_is_no_number_stays_text(text):
    assert number(text) == text


def frame(n=80):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": rng.normal(size=n).round(2),
            "k": rng.integers(1, 4, n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
            "city": rng.choice(["Rome", "Oslo", "Bern"], n),
            "note": [f"he said {i} things about day {i % 7}" for i in range(n)],
            "y": np.repeat(["no", "yes"], [n - 20, 20]),
        }
    )


GOOD = {"a": 0.5, "k": 2, "day": "2024-03-01", "city": "Rome", "note": "she said 4 things about day 3", "y": "yes"}
BAD = [
    *(("a", value) for value in [*NO_NUMBERS, *HUGE]),
    *(("k", value) for value in ["E+3", "e1 %", *HUGE, 2.5, "two"]),
    *(("day", value) for value in [*HUGE, "2024-02-30", "E+3", 10**18 + 0.5]),
    *(("city", value) for value in ["\ud800", "Ro\udfffme", *HUGE]),
    *(("note", value) for value in ["\ud800", "half \udc00 a character"]),
]


@pytest.mark.parametrize(("column", "value"), BAD, ids=[f"{c}-{ascii(v)[:12]}" for c, v in BAD])
@pytest.mark.filterwarnings("error")
def test_values_that_cannot_be_are_rejected_by_name(column, value):
    rows = [GOOD | {column: value}] * 3
    with serving(lambda body, number: completion(json.dumps({"rows": rows}))) as endpoint:
        generator = ChatGenerator(model="m", base_url=endpoint.url)
        with pytest.raises(GenerationShortfall) as error:
            balance(frame(), target="y", kinds={"note": "text"}, generator=generator, random_state=0)
    (entry,) = error.value.generation.ledger
    assert entry.accepted == 0
    assert {reason.partition(": ")[2] for reason in entry.rejected} == {column}


class Faulty:
    """Fails at requests by their seed, as often as they are tried in one run; answers when asked again later."""

    def __init__(self, attempts, interrupt=None):
        self.attempts, self.interrupt = attempts, interrupt
        self.tries = Counter()
        self.paid = 0

    def __call__(self, body, number):
        if number == self.interrupt:
            self.tries[body["seed"]] = 0
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
            return 500  # the client is gone
        seed = body["seed"]
        self.tries[seed] += 1
        if number and seed % 5 == 0 and self.tries[seed] <= self.attempts:
            return 500
        self.paid += 1
        if number and seed % 5 == 1 and self.tries[seed] <= 1:
            return (200, {"Content-Type": "text/html"}, b"<html>busy</html>")
        return recombined(body)


def run(endpoint, folder, seed):
    generator = ChatGenerator(model="m", base_url=endpoint.url, cache_dir=folder, retries=1, rows_per_request=4)
    generator.concurrency = 1
    return balance(
        frame().drop(columns=["note", "day"]),
        target="y",
        group_by=["city"],
        generator=generator,
        random_state=seed,
        augment=30,
        limits=Limits(on_shortfall="warn"),
    )


@pytest.mark.filterwarnings("ignore::makeweight.generators.fill.ShortfallWarning")
@pytest.mark.parametrize("at", [3, 8])
@pytest.mark.parametrize("seed", [0])
def test_a_run_taken_up_again_under_faults_pays_and_yields_what_a_whole_one_does(tmp_path, seed, at):
    whole = Faulty(attempts=2)
    with serving(whole) as endpoint:
        expected = run(endpoint, tmp_path / "whole", seed)
        assert sum(n for n in expected.ledger.rejected.values()) > 0
    faulty = Faulty(attempts=2, interrupt=at)
    with serving(faulty) as endpoint:
        first = run(endpoint, tmp_path / "parts", seed)
        assert first.ledger.accepted < expected.ledger.accepted
        faulty.interrupt = None
        resumed = run(endpoint, tmp_path / "parts", seed)
    pd.testing.assert_frame_equal(resumed.frame, expected.frame)
    assert resumed.ledger.rejected == expected.ledger.rejected
    assert faulty.paid == whole.paid


def test_what_failed_in_a_run_that_ended_is_asked_again(tmp_path):
    faulty = Faulty(attempts=2)
    with serving(faulty) as endpoint:
        with pytest.warns(ShortfallWarning):
            first = run(endpoint, tmp_path / "a", 1)
        again = run(endpoint, tmp_path / "a", 1)
    assert again.ledger.accepted > first.ledger.accepted
