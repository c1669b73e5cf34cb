"""Nothing is paid twice, nothing secret is kept or shown, nothing leaves the machine without leave."""

import copy
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from chat_endpoints import completion, recombined, serving
from makeweight import Limits, SyntheticOverSampler
from makeweight.errors import FileProblem, GenerationShortfall, GeneratorError, MakeweightError, OptionError
from makeweight.generators.chat import ChatGenerator, RemoteNotice
from makeweight.generators.chat.cache import Recording, Recordings
from makeweight.generators.contract import example_table
from makeweight.generators.fill import ShortfallWarning
from makeweight.plan import Groups, Plan
from makeweight.sampler import balance

TABLE = example_table(n=60, rare=20)
SECRET = "sk-very-secret-key-0123456789"


def run(url, *, rows=30, seed=0, on_shortfall="raise", n_jobs=None, augment=0, **options):
    generator = ChatGenerator(**{"model": "m", "base_url": url, "rows_per_request": 10, **options})
    return balance(
        TABLE.frame,
        target="y",
        generator=generator,
        random_state=seed,
        sampling_strategy={"rare": 20 + rows},
        limits=Limits(on_shortfall=on_shortfall),
        n_jobs=n_jobs,
        augment=augment,
    )


def test_a_rerun_asks_for_nothing_and_a_replay_needs_no_endpoint(tmp_path):
    folder = tmp_path / "answers"
    with serving() as endpoint:
        made = run(endpoint.url, cache_dir=folder, augment=15)
        asked = len(endpoint.bodies)
        again = run(endpoint.url, cache_dir=folder, augment=15, n_jobs=3)
        assert len(endpoint.bodies) == asked
    pd.testing.assert_frame_equal(made.frame, again.frame)
    assert again.spent.tokens == again.spent.requests == 0
    offline = run(endpoint.url, replay=folder, augment=15)
    pd.testing.assert_frame_equal(made.frame, offline.frame)
    assert offline.details["real_rows_sent"] == 0
    with pytest.raises(GeneratorError, match="no answer is recorded") as error:
        run(endpoint.url, replay=folder, seed=1)
    assert "same table, options, strategy and seed" in error.value.message
    with pytest.warns(ShortfallWarning, match="of 90 rows"):
        more = run(endpoint.url, replay=folder, rows=90, on_shortfall="warn")
    assert 0 < more.ledger.accepted < 90
    assert "no answer is recorded" in more.ledger.entries[0].stopped


def test_a_run_that_goes_on_stays_within_one_budget(tmp_path):
    folder = tmp_path / "answers"
    with serving() as endpoint:
        for most, asked in ((2, 2), (2, 2), (3, 3)):
            options = {"cache_dir": folder, "rows": 90, "concurrency": 1, "max_requests": most}
            with pytest.warns(ShortfallWarning):
                made = run(endpoint.url, on_shortfall="warn", **options)
            assert len(endpoint.bodies) == asked
            assert made.ledger.entries[0].stopped == f"max_requests={most} reached"
        spent = made.spent.tokens
        assert made.spent.requests == 1
        with pytest.warns(ShortfallWarning):
            made = run(endpoint.url, on_shortfall="warn", **options | {"max_requests": None, "max_tokens": 3 * spent})
        assert len(endpoint.bodies) == 3
        assert made.ledger.entries[0].stopped.startswith(f"max_tokens={3 * spent}")


def test_feedback_survives_a_replay(tmp_path):
    def often_wrong(body, number):
        answer = recombined(body)
        content = json.loads(answer["choices"][0]["message"]["content"])
        for row in content["rows"][::2]:
            row["colour"] = "mauve"
        return completion(json.dumps(content))

    with serving(often_wrong) as endpoint:
        made = run(endpoint.url, cache_dir=tmp_path / "a", augment=20, n_jobs=2)
    assert any("unknown-category: colour" in body["messages"][-1]["content"] for body in endpoint.bodies)
    again = run(endpoint.url, replay=tmp_path / "a", augment=20)
    pd.testing.assert_frame_equal(made.frame, again.frame)


def test_every_raw_answer_is_kept_before_it_is_read(tmp_path):
    with serving(lambda body, number: completion("no rows, but paid for")) as endpoint:
        with pytest.raises(GenerationShortfall):
            run(endpoint.url, cache_dir=tmp_path / "a")
        lines = (tmp_path / "a" / "answers.jsonl").read_text().splitlines()
        assert len(lines) == len(endpoint.bodies)
        assert all("paid for" in json.loads(line)["answer"] for line in lines)


def test_a_killed_run_is_taken_up_where_it_was(tmp_path):
    """A run is killed in the middle of a request; its rerun pays for the rest only."""
    gate = threading.Event()

    def slowly(body, number):
        if number == 4:
            gate.wait(20)
        return recombined(body)

    script = textwrap.dedent(
        """
        import sys
        sys.path.insert(0, sys.argv[3])
        from test_chat_recordings import run
        run(sys.argv[1], cache_dir=sys.argv[2], rows=80, concurrency=1)
        """
    )
    folder = str(tmp_path / "a")
    with serving(slowly) as endpoint:
        here = os.path.dirname(__file__)
        tests = os.path.dirname(os.path.dirname(here))
        child = subprocess.Popen(
            [sys.executable, "-c", script, endpoint.url, folder, here], env={**os.environ, "PYTHONPATH": tests}
        )
        while len(endpoint.bodies) < 5:
            assert child.poll() is None
            time.sleep(0.05)
        child.kill()
        child.wait(10)
        gate.set()
        with (tmp_path / "a" / "answers.jsonl").open("a") as file:
            file.write('{"key": "half a li')
        made = run(endpoint.url, cache_dir=folder, rows=80, concurrency=1)
        assert made.ledger.shortfall == 0
        assert made.spent.requests == 4
        assert sum(answer["recorded"] for answer in made.details["answers"]) == 4
        assert any("damaged" in note for note in made.notes)
        whole = run(endpoint.url, rows=80, concurrency=1)
    pd.testing.assert_frame_equal(made.frame, whole.frame)


def test_an_interrupt_keeps_what_was_accepted():
    def interrupting(body, number):
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(3)
        return recombined(body)

    with serving(interrupting) as endpoint:
        began = time.monotonic()
        with pytest.warns(ShortfallWarning, match="interrupted"):
            made = run(endpoint.url, rows=60, concurrency=1, on_shortfall="warn")
    assert time.monotonic() - began < 10
    assert made.ledger.entries[0].stopped == "interrupted"
    assert made.ledger.accepted == 20


def everything_said(generator, error):
    """All that a user, a log or a file could get to see."""
    return " ".join([repr(generator), str(generator), str(error), repr(error), str(error.__cause__)])


@pytest.mark.parametrize("status", [401, 429, 500, 200])
def test_secrets_are_nowhere(status, tmp_path, caplog, recwarn):
    """Even an endpoint that repeats the key does not get it into an error, a log, a report or a file."""
    caplog.set_level(logging.DEBUG)
    echo = {"error": {"message": f"you sent {SECRET}", "code": SECRET}}
    answer = (status, {}, echo) if status != 200 else completion(f"my key is {SECRET}")
    generator = ChatGenerator(model="m", api_key=SECRET, cache_dir=tmp_path / "a", retries=0)
    with serving(lambda body, number: answer) as endpoint:
        generator.base_url = endpoint.url
        with pytest.raises(MakeweightError) as error:
            balance(TABLE.frame, target="y", generator=generator, random_state=0)
        assert endpoint.headers[0]["authorization"] == f"Bearer {SECRET}"
    generator.save(tmp_path / "saved")
    sampler = SyntheticOverSampler(generator=generator)
    said = everything_said(generator, error.value) + caplog.text + repr(sampler)
    said += " ".join(str(warning.message) for warning in recwarn)
    generation = getattr(error.value, "generation", None)
    if generation is not None:
        said += json.dumps(generation.to_dict())
    for path in tmp_path.rglob("*"):
        if path.is_file():
            said += path.read_text()
            assert path.name in ("manifest.json", "answers.jsonl")
    assert SECRET not in said
    assert SECRET[3:20] not in said


def test_the_fitted_generator_of_a_sampler_can_be_saved(tmp_path):
    X, y = TABLE.frame.drop(columns="y"), TABLE.frame["y"]
    with serving() as endpoint:
        sampler = SyntheticOverSampler(ChatGenerator(model="m", base_url=endpoint.url), random_state=0)
        sampler.fit_resample(X, y)
    sampler.generator_.save(tmp_path / "saved")
    assert ChatGenerator.load(tmp_path / "saved", sampler.table_).model == "m"
    assert "generator_" not in vars(pickle.loads(pickle.dumps(sampler)))


def test_keys_come_from_the_environment_for_remote_endpoints_only(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with serving() as endpoint:
        run(endpoint.url)
        assert SECRET not in str(endpoint.headers)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": ""}, "a name that the endpoint knows"),
        ({"rows_per_request": 0}, "rows_per_request"),
        ({"style": "xml"}, "style"),
        ({"temperature": 3}, "temperature"),
        ({"price": (1,)}, "price"),
        ({"timeout": 0}, "timeout"),
        ({"api_key": 7}, "api_key"),
        ({"base_url": "localhost:8000"}, "not an address"),
        ({"base_url": f"http://me:{SECRET}@localhost/v1"}, "more than an address"),
        ({"base_url": f"http://localhost/v1?key={SECRET}"}, "more than an address"),
        ({"base_url": "https://example.com/v1"}, "needs a key"),
        ({"api_key": f"{SECRET}\n"}, "characters that no key has"),
        ({"base_url": "https://example.com/v1", "api_key": SECRET, "max_cost": 1.0}, "price of a token"),
        ({"replay": "no-such-folder"}, "no recorded answers"),
    ],
)
def test_options_are_checked_before_anything_is_sent(options, says):
    generator = ChatGenerator(**{"model": "m", "base_url": "http://localhost:1/v1", **options})
    with pytest.raises(MakeweightError, match=says) as error:
        generator.fit(TABLE, rng=np.random.default_rng(0))
    assert SECRET not in str(error.value)


def test_rows_do_not_leave_the_machine_without_leave(tmp_path):
    """The address cannot be reached: without leave that is not even tried."""
    remote = {"model": "m", "base_url": "http://remote.invalid/v1", "api_key": SECRET, "retries": 0}
    with pytest.raises(OptionError, match="real rows would leave this machine") as error:
        balance(TABLE.frame, target="y", generator=ChatGenerator(**remote))
    assert "--yes" in error.value.hint
    assert "columns: y, size, count" in error.value.message
    assert "key" not in error.value.message.partition("columns:")[2]  # identifiers are not sent
    with (
        pytest.warns(RemoteNotice, match=r"remote\.invalid/v1: up to 40 real rows"),
        pytest.raises(GeneratorError, match="no connection"),
    ):
        balance(TABLE.frame, target="y", generator=ChatGenerator(**remote, allow_remote=True))
    recordings = Recordings(tmp_path / "a")
    generator = ChatGenerator(**remote, cache_dir=tmp_path / "a").fit(TABLE, rng=np.random.default_rng(0))
    digest = generator._session.prompter.digest
    recordings.add(Recording("k", "http://remote.invalid/v1", digest, {}, "x"))
    again = ChatGenerator(**remote, cache_dir=tmp_path / "a")  # leave was given before, for these columns
    with pytest.warns(RemoteNotice), pytest.raises(GeneratorError, match="no connection"):
        balance(TABLE.frame, target="y", generator=again)


def test_redirects_are_not_followed():
    with serving() as elsewhere:
        with (
            serving(lambda body, number: (307, {"Location": f"{elsewhere.url}/chat/completions"}, {})) as here,
            pytest.raises(GeneratorError, match="status 307"),
        ):
            run(here.url)
        assert not elsewhere.bodies


def test_recordings_are_private_and_of_one_kind(tmp_path):
    folder = tmp_path / "a"
    Recordings(folder).add(Recording("k", "e", "t", {}, "ü\udcff"))
    assert Recordings(folder).get("k").answer == "ü\udcff"
    assert (folder / "answers.jsonl").stat().st_mode & 0o077 == 0
    assert Recordings(folder).get("other") is None
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").write_text("x")
    with pytest.raises(FileProblem, match="not empty"):
        Recordings(tmp_path / "b")
    (folder / "manifest.json").write_text('{"format": 99, "kind": "makeweight chat answers"}')
    with pytest.raises(FileProblem, match="something else"):
        Recordings(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(FileProblem, match="damaged"):
        Recordings(folder)


def test_options_are_saved_without_key_leave_and_rows(tmp_path):
    generator = ChatGenerator(
        model="m", api_key=SECRET, allow_remote=True, price=(0.1, 0.4), description={"size": "in m"}
    )
    generator.save(tmp_path)
    loaded = ChatGenerator.load(tmp_path, concurrency=2)
    assert (loaded.api_key, loaded.allow_remote, loaded.concurrency) == (None, False, 2)
    assert loaded.description == {"size": "in m"}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["options"]["evil"] = 1
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FileProblem, match="evil"):
        ChatGenerator.load(tmp_path)
    with pytest.raises(FileProblem, match="cannot be read"):
        ChatGenerator.load(tmp_path / "nowhere")


def test_unfitted_generators_can_be_copied_and_pickled():
    generator = ChatGenerator(model="m", concurrency=2)
    for other in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert vars(other) == vars(generator)


def test_the_forecast_is_near_what_is_spent():
    with serving() as endpoint:
        options = {"model": "m", "base_url": endpoint.url, "price": (1.0, 2.0), "rows_per_request": 10}
        generator = ChatGenerator(**options)
        plan = Plan.make(Groups(TABLE), {"rare": 60})
        unfitted = generator.cost(plan)
        cost = generator.fit(TABLE, rng=np.random.default_rng(0)).cost(plan)
        assert cost.requests == unfitted.requests == 4
        assert 0.3 < unfitted.tokens / cost.tokens < 3
        assert cost.money == pytest.approx(
            (
                1.0 * (cost.tokens - 40 * generator._session.prompter.row_tokens)
                + 2.0 * 40 * generator._session.prompter.row_tokens
            )
            / 1e6
        )
        sent = run(endpoint.url, rows=40).details["answers"]
    assert len(sent) == 4
    free = ChatGenerator(model="m", base_url="http://localhost:1/v1").cost(plan)
    unknown = ChatGenerator(model="m", base_url="http://remote.invalid/v1").cost(plan)
    assert (free.money, unknown.money) == (0.0, None)
