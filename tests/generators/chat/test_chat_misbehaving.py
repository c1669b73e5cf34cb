"""Endpoints that misbehave in every way seen in the wild: bounded, accounted for, and never paid twice."""

import json
import time

import pytest

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from chat_endpoints import completion, drip, drop, flood, hang, recombined, serving
from makeweight import Limits
from makeweight.errors import GenerationShortfall, GeneratorError
from makeweight.generators.chat import ChatGenerator
from makeweight.generators.chat import client as client_module
from makeweight.generators.contract import example_table
from makeweight.sampler import balance

TABLE = example_table(n=60, rare=20)


def run(endpoint, *, rows=30, on_shortfall="raise", seed=0, caller_cost=None, **options):
    options = {"model": "m", "rows_per_request": 10, "retries": 3, "timeout": 5.0, **options}
    generator = ChatGenerator(base_url=endpoint.url, **options)
    generation = balance(
        TABLE.frame,
        target="y",
        generator=generator,
        random_state=seed,
        sampling_strategy={"rare": 20 + rows},
        limits=Limits(on_shortfall=on_shortfall, max_cost=caller_cost),
    )
    check_identities(generation)
    return generation


def check_identities(generation):
    for account in (*generation.ledger, generation.ledger):
        assert account.requested == account.accepted + account.shortfall
        assert account.proposed == account.accepted + sum(account.rejected.values())


def first(*bad):
    """Answer badly at first, and well from then on."""
    return lambda body, number: bad[number] if number < len(bad) else recombined(body)


def sometimes(bad, every=3):
    """Answer badly every third time, beginning with the third."""
    return lambda body, number: bad if number % every == every - 1 else recombined(body)


def short(endpoint, **options):
    """Run to a shortfall and return what was generated."""
    with pytest.raises(GenerationShortfall) as error:
        run(endpoint, **options)
    check_identities(error.value.generation)
    return error.value.generation


def rejected(generation):
    return set(generation.ledger.rejected)


def test_what_is_retried_is_retried_until_it_works():
    answers = (429, 500, 503, 408, 409)
    with serving(first(*answers)) as endpoint:
        generation = run(endpoint, retries=5, concurrency=1)
    assert generation.ledger.shortfall == 0
    assert len(endpoint.bodies) == len(answers) + 3
    assert generation.spent.requests == 3


def test_retry_after_is_honoured_as_seconds_and_refused_when_it_is_long():
    with serving(first((429, {"Retry-After": "0.7"}, {"error": {"message": "slow"}}))) as endpoint:
        run(endpoint, concurrency=1)
    assert endpoint.times[1] - endpoint.times[0] >= 0.7
    with serving(lambda body, number: (429, {"Retry-After": "3600"}, {})) as endpoint:
        began = time.monotonic()
        with pytest.raises(GeneratorError, match="status 429"):
            run(endpoint)
    assert time.monotonic() - began < 3
    assert len(endpoint.bodies) == 1


def test_sustained_429_slows_down_rather_than_fails():
    busy = (429, {}, {"error": {"message": "too many"}})
    with serving(lambda body, number: busy if 0 < number < 12 else recombined(body)) as endpoint:
        generation = run(endpoint, retries=1)
    assert generation.ledger.shortfall == 0
    assert len(endpoint.bodies) > 12


def test_429_for_ever_ends_with_what_was_accepted():
    busy = (429, {"Retry-After": "0.5"}, {"error": {"message": "too many"}})
    with serving(lambda body, number: busy if number > 0 else recombined(body)) as endpoint:
        began = time.monotonic()
        generation = short(endpoint, rows=100, concurrency=1)
    assert time.monotonic() - began < 20
    assert "status 429" in generation.ledger.entries[0].stopped
    assert generation.ledger.accepted > 0


def test_an_account_without_money_is_not_asked_again():
    broke = (429, {}, {"error": {"message": "no money", "code": "insufficient_quota", "type": "x"}})
    with serving(lambda body, number: broke) as endpoint:
        with pytest.raises(GeneratorError, match="no money") as error:
            run(endpoint)
        assert "top it up" in error.value.hint
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(("status", "hint"), [(401, "check the key"), (403, "check the key"), (404, "model")])
def test_what_cannot_get_better_fails_at_once_with_a_hint(status, hint):
    with serving(lambda body, number: status) as endpoint:
        with pytest.raises(GeneratorError, match=f"status {status}") as error:
            run(endpoint)
        assert hint in error.value.hint
    assert len(endpoint.bodies) == 1


def test_a_failure_in_the_middle_keeps_what_was_accepted():
    with serving(lambda body, number: 401 if number >= 2 else recombined(body)) as endpoint:
        generation = short(endpoint, rows=40, concurrency=1)
    assert generation.ledger.accepted > 0
    assert "status 401" in generation.ledger.entries[0].stopped


def test_a_server_that_is_not_there():
    with serving() as endpoint:
        pass
    with pytest.raises(GeneratorError, match="no connection") as error:
        run(endpoint)
    assert "is the server running" in error.value.hint


def test_hanging_and_dripping_endpoints_end_in_time():
    for bad in (hang(6), drip(6)):
        with serving(lambda body, number, bad=bad: bad) as endpoint:
            began = time.monotonic()
            with pytest.raises(GeneratorError, match="no answer in time") as error:
                run(endpoint, timeout=0.5)
            assert time.monotonic() - began < 5
            assert "raise timeout" in error.value.hint
        assert len(endpoint.bodies) == client_module.MAX_TIMEOUTS


def test_a_dropped_connection_is_asked_again():
    with serving(first(drop, drop)) as endpoint:
        assert run(endpoint, concurrency=1).ledger.shortfall == 0
    assert len(endpoint.bodies) == 5


def test_a_flood_is_cut_off():
    with serving(sometimes(flood(50))) as endpoint:
        began = time.monotonic()
        generation = run(endpoint, concurrency=1)
    assert "answer-too-large" in rejected(generation)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"choices": [{"message": {"content": "cut', "not-a-chat-completion"),
        (b"", "not-a-chat-completion"),
        ((200, {"Content-Type": "text/html"}, b"<html>log in</html>"), "not-a-chat-completion"),
        ({"choices": []}, "not-a-chat-completion"),
        ({"error": "none"}, "not-a-chat-completion"),
        (completion(""), "empty-answer"),
        (completion(None), "empty-answer"),
        (completion(None, refusal="I will not"), "refused"),
        (completion("x", finish="content_filter"), "refused"),
        (completion("As a language model, I cannot make up people."), "answer-without-rows"),
        (completion(json.dumps({"rows": [{"size": 1, "count": 2}]})), "missing-column: spend"),
        (completion('{"rows": [{"size": 1, "cou', finish="length"), "answer-without-rows"),
    ],
)
def test_answers_without_rows_are_in_the_ledger(bad, reason):
    with serving(sometimes(bad)) as endpoint:
        generation = run(endpoint, concurrency=1)
    assert reason in rejected(generation)
    assert generation.ledger.shortfall == 0


def test_an_endpoint_that_never_writes_rows_ends_soon():
    with serving(lambda body, number: completion("I would rather not.")) as endpoint:
        generation = short(endpoint, rows=100)
    assert "no valid row in the last 3 rounds" in generation.ledger.entries[0].stopped
    assert len(endpoint.bodies) == 12


def test_a_truncated_answer_loses_its_last_row_only():
    def cut(body, number):
        text = recombined(body)["choices"][0]["message"]["content"]
        return completion(text[:-25], finish="length")

    with serving(cut) as endpoint:
        generation = run(endpoint)
    assert generation.ledger.rejected["truncated-row"] >= 3
    assert generation.ledger.shortfall == 0


def test_duplicates_copies_and_collapsed_columns_are_told():
    def same(body, number):
        row = json.loads(recombined(body)["choices"][0]["message"]["content"])["rows"][0]
        return completion(json.dumps({"rows": [row] * 10}))

    with serving(same) as endpoint:
        generation = run(endpoint, rows=20, concurrency=1)
    told = generation.details["answers"][0]
    assert told["duplicates"] == 9
    assert "size" in told["collapsed"]
    assert any("90.0% repeat a row" in note for note in generation.notes)

    def copies(body, number):
        lines = body["messages"][-1]["content"].split("\n")
        rows = [json.loads(line) for line in lines if line.startswith("{") and '"rare"' in line]
        return completion(json.dumps({"rows": rows}))

    with serving(copies) as endpoint:
        generation = short(endpoint, rows=20, concurrency=1)
    assert "copy-of-a-real-row" in rejected(generation)
    assert generation.details["answers"][0]["copied"] == generation.details["answers"][0]["rows"]


def test_reasons_go_with_the_next_request_and_only_with_it():
    def coarse(body, number):
        answer = recombined(body)
        if number == 0:
            content = json.loads(answer["choices"][0]["message"]["content"])
            for row in content["rows"]:
                row["size"] = 1e9
            return completion(json.dumps(content))
        return answer

    with serving(coarse) as endpoint:
        run(endpoint, rows=30, concurrency=1)
    users = [body["messages"][-1]["content"] for body in endpoint.bodies]
    told = ["out-of-range: size (10)" in user for user in users]
    assert told[:2] == [False, True]
    assert not any(told[2:])


def test_structured_outputs_are_given_up_once_and_for_good():
    def picky(body, number):
        if "response_format" in body:
            message = {"message": "response_format is not supported", "param": "response_format"}
            return 400, {}, {"error": message}
        return recombined(body)

    with serving(picky) as endpoint:
        generation = run(endpoint, rows=60)
    assert sum("response_format" in body for body in endpoint.bodies) == 1
    assert any("does not take response_format" in note for note in generation.notes)


def test_parameters_of_another_name_are_replaced():
    def picky(body, number):
        for name in ("max_tokens", "temperature", "seed"):
            if name in body:
                return 400, {}, {"error": {"message": f"no {name}", "param": name}}
        return recombined(body)

    with serving(picky) as endpoint:
        run(endpoint)
    assert "max_completion_tokens" in endpoint.bodies[-1]
    assert "response_format" in endpoint.bodies[-1]
    long = (400, {}, {"error": {"message": "too long"}})
    with serving(lambda body, number: long) as endpoint, pytest.raises(GeneratorError, match="too long"):
        run(endpoint)
    assert len(endpoint.bodies) == 2  # once more without structured outputs, which it may have meant


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_requests": 2}, "max_requests=2 reached"),
        ({"max_tokens": 20_000}, "max_tokens=20000"),
        ({"max_cost": 0.02, "price": (1.0, 2.0)}, "max_cost=0.02"),
    ],
)
def test_budgets_end_with_what_was_accepted(options, reason):
    with serving(lambda body, number: {**recombined(body), **usage(2000, 1000)}) as endpoint:
        generation = short(endpoint, rows=200, **options)
    assert reason in generation.ledger.entries[0].stopped
    assert generation.ledger.accepted > 0
    assert generation.spent.tokens == 3000 * len(endpoint.bodies)
    assert len(endpoint.bodies) <= 6


@pytest.mark.parametrize("concurrency", [1, 8])
def test_most_of_a_budget_is_spent_whatever_the_concurrency(concurrency):
    def answer(body, number):
        n = int(body["messages"][-1]["content"].rpartition("Write exactly ")[2].partition(" new row")[0])
        return {**recombined(body), **usage(700, 40 * n)}

    with serving(answer) as endpoint:
        generation = short(endpoint, rows=400, price=(0.15, 0.60), max_cost=0.005, concurrency=concurrency)
    assert 0.003 < generation.spent.money <= 0.005
    assert "max_cost=0.005" in generation.ledger.entries[0].stopped
    assert endpoint.most_active <= concurrency


def test_a_refusal_in_prose_is_shown():
    refusal = completion("As a language model,\n I cannot\x1b[2J make up people. " + "x" * 400)
    with serving(lambda body, number: refusal) as endpoint:
        generation = short(endpoint, rows=20)
    began = "began 'As a language model, I cannot [2J make up people. xx"
    assert began in generation.ledger.entries[0].stopped
    assert any(began in note and len(note) < 150 for note in generation.notes)
    answers = iter([completion("I am sorry."), *[None] * 9])
    with serving(lambda body, number: next(answers) or recombined(body)) as endpoint:
        generation = run(endpoint, rows=20)
    assert "an answer without rows began 'I am sorry.'" in generation.notes


def usage(sent, received):
    return {"usage": {"prompt_tokens": sent, "completion_tokens": received}}


def test_the_budget_of_the_caller_holds_too():
    with serving(lambda body, number: {**recombined(body), **usage(2000, 1000)}) as endpoint:
        generation = short(endpoint, rows=200, price=(1.0, 2.0), concurrency=1, caller_cost=0.01)
    assert "max_cost=0.01 reached" in generation.ledger.entries[0].stopped
    assert generation.spent.money == pytest.approx(0.012)


def test_tokens_are_estimated_where_the_endpoint_does_not_count():
    def silent(body, number):
        answer = recombined(body)
        del answer["usage"]
        return answer

    with serving(silent) as endpoint:
        generation = run(endpoint)
    assert generation.details["tokens_estimated"]
    assert generation.spent.tokens > 1000


def test_requests_under_way_are_bounded():
    def slow(body, number):
        time.sleep(0.1)
        return recombined(body)

    with serving(slow) as endpoint:
        run(endpoint, rows=60, concurrency=3, rows_per_request=5)
    assert endpoint.most_active == 3
