import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makeweight.page import words
from makeweight.page.svg import Scale, element, scale_of

NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True, allow_infinity=True))


@given(NUMBERS)
def test_every_value_can_be_written(value):
    for write in (words.count, words.number, words.signed, words.share, words.p_value, words.shown):
        assert write(value)


@given(st.floats(-1e6, 1e6), st.integers(0, 5))
def test_a_number_is_read_back_to_its_decimals(value, places):
    text = words.number(value, places).replace("−", "-").replace(",", "")
    assert float(text) == pytest.approx(value, abs=0.5000001 * 10**-places)
    assert text != "-0"


@pytest.mark.parametrize("value", [None, math.nan])
def test_what_is_missing_is_a_dash(value):
    assert words.number(value) == words.count(value) == words.share(value) == words.shown(None) == words.MISSING


@given(st.text(), st.integers(3, 60))
def test_names_are_cut_and_encodable(text, length):
    short = words.cut(text, length)
    assert len(short) <= length
    short.encode("utf-8")
    assert words.name(text)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)), st.lists(st.floats(), max_size=2))
def test_a_scale_holds_its_ticks(values, include):
    scale = scale_of(values, include=include, pad=5)
    assert scale.low < scale.high
    ticks = scale.ticks(3)
    assert len(ticks) <= 3
    reach = 1e-6 * (scale.high / 2 - scale.low / 2)
    for at, text in ticks:
        assert scale.low - reach <= at <= scale.high + reach
        assert text
    for value in (*values, *include):
        if not math.isnan(value):
            assert 5 <= scale.at(value) <= 95


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_a_scale_always_has_a_tick(low, width):
    if low + width > low:
        assert Scale(low, low + width).ticks()


def test_far_values_do_not_squeeze_the_others():
    values = [0.40, 0.41, 0.42, 0.43, 0.44, 9.0]
    assert scale_of(values).high == 0.44
    assert scale_of(values, include=[0.69]).high == 0.69


def test_elements_escape_texts_and_attributes():
    made = element("text", '<b> & "c"', title="\"><script>'\x00", x=1.5)
    assert made == ('<text title="&#34;&gt;&lt;script&gt;&#39;\ufffd" x="1.5">&lt;b&gt; &amp; &#34;c&#34;</text>')


def test_codes_lead_to_their_checks_only():
    assert words.linked("MWQ04, MWQ99 & <b>", ["MWQ04"]) == ('<a href="#MWQ04">MWQ04</a>, MWQ99 &amp; &lt;b&gt;')
