"""How fast, how long and how much: pace, waits and budgets by themselves."""

import threading
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from chat_endpoints import recombined, serving
from makeweight import Limits
from makeweight.generators.chat import ChatGenerator
from makeweight.generators.chat.endpoint import Endpoint
from makeweight.generators.chat.limits import CALM, LATER, Pace, Retry, Spending, retry_after
from makeweight.generators.contract import example_table
from makeweight.sampler import balance


def test_waits_grow_up_to_a_cap_with_jitter_and_never_undercut_what_was_asked():
    retry = Retry(first=0.5, most=60.0)
    for failures in range(60):
        plain = min(60.0, 0.5 * 2.0 ** min(failures, 30))
        waits = {retry.seconds(failures, None) for _ in range(20)}
        assert all(plain <= wait <= 1.25 * plain for wait in waits)
        assert len(waits) > 1
    assert 7.0 <= retry.seconds(3, 7.0) <= 8.75


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.25", 0.25), ("-4", 0.0), (None, None), ("", None), ("nan", None), ("later", None)],
)
def test_retry_after_as_a_number(header, seconds):
    assert retry_after(header) == seconds


def test_retry_after_as_a_date():
    assert 50 < retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60


def test_pace_halves_on_complaints_and_recovers():
    pace = Pace(8)
    for limit in (4, 2, 1, 1):
        pace.complain(0.0)
        assert pace.limit == limit
    for _ in range(CALM - 1):
        pace.praise()
    assert pace.limit == 1
    for _ in range(10 * CALM):
        pace.praise()
    assert pace.limit == 8


def test_a_complaint_holds_everybody_back_and_waiting_can_be_cancelled():
    pace = Pace(2)
    pace.complain(0.4)
    began = time.monotonic()
    with pace.turn(lambda: False) as going:
        assert going
        assert time.monotonic() - began >= 0.4
        with pace.turn(lambda: True) as second:
            assert not second


def test_threads_over_groups_share_the_bound():
    def slow(body, number):
        time.sleep(0.05)
        return recombined(body)

    table = example_table(n=120, rare=40, group_by=("sex", "old"))
    with serving(slow) as endpoint:
        generator = ChatGenerator(model="m", base_url=endpoint.url, concurrency=2, rows_per_request=5)
        made = balance(
            table.frame,
            target="y",
            group_by=("sex", "old"),
            generator=generator,
            sampling_strategy="minority",
            augment=10,
            n_jobs=4,
            random_state=0,
            limits=Limits(copies="accept"),
        )
    assert made.ledger.shortfall == 0
    assert endpoint.most_active == 2


@given(
    limit=st.integers(1, 2000),
    asked=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=30),
    used=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=30, max_size=30),
)
def test_a_budget_is_never_exceeded_where_requests_keep_to_their_reservation(limit, asked, used):
    spending = Spending(max_tokens=limit, price=(1.0, 2.0))
    for held, (a, b) in zip(asked, used, strict=False):
        if spending.reserve(*held) is None:
            spending.settle(held, (int(a * held[0]), int(b * held[1])))
        assert spending.tokens <= limit
    assert spending.money == pytest.approx((spending.tokens_sent + 2.0 * spending.tokens_received) / 1e6)


def test_what_is_under_way_waits_and_is_no_end():
    spending = Spending(max_cost=0.001, price=(1.0, 1.0))
    assert spending.reserve(300, 300) is None
    assert spending.reserve(300, 300) is LATER
    waited = []

    def other():
        spending.wait(lambda: False)
        waited.append(spending.reserve(300, 300))

    thread = threading.Thread(target=other)
    thread.start()
    spending.settle((300, 300), (100, 100))
    thread.join(5)
    assert waited == [None]
    spending.settle((300, 300), (100, 100))
    assert spending.reserve(400, 400).startswith("max_cost=0.001: the next request may cost 0.0008 US dollars")
    spending.wait(lambda: True)  # nothing is under way, and nobody waits


def test_reservations_hold_under_threads():
    spending = Spending(max_requests=50)
    granted = []

    def work():
        granted.extend(spending.reserve(1, 1) is None for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == spending.requests == 50


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://[::1]:8/v1", True),
        ("http://0.0.0.0:8/v1", True),
        ("http://a.localhost/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://127.0.0.1.example.com", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_what_is_on_this_machine(address, local):
    assert Endpoint.find(address, "a-key-of-some-kind").is_local is local
