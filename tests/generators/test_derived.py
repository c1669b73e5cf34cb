"""Columns that others determine: found where every row says so, computed in rows that are written."""

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema, Synthesizer
from makeweight.balancing import balance
from makeweight.generators.frame.deriving import find_derived
from makeweight.generators.frame.known import KnownTable
from makeweight.generators.limits import Limits
from makeweight.generators.registry import resolve
from makeweight.rules import read_conditions
from makeweight.table import Table

pytestmark = pytest.mark.usefixtures("quick_transformer")

OURS = ("smoothed-bootstrap", "transport", "transformer")


def people(n=240, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "weight": rng.normal(75, 12, n).round(1),
            "height": rng.normal(1.72, 0.09, n).round(2),
            "age": rng.integers(18, 90, n),
            "day": rng.gamma(4, 30, n).round(1),
            "night": rng.gamma(4, 20, n).round(1),
            "start": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
            "days": rng.integers(1, 40, n),
            "city": rng.choice(["Rome", "Oslo", "Bern"], n),
        }
    )
    frame["bmi"] = (frame["weight"] / frame["height"] ** 2).round(1)
    frame["minutes"] = (frame["day"] + frame["night"]).round(1)
    frame["charge"] = (0.17 * frame["day"]).round(2)
    frame["end"] = frame["start"] + pd.to_timedelta(frame["days"], "D")
    frame["band"] = pd.cut(frame["age"], [0, 30, 60, 99], labels=["young", "middle", "old"]).astype(str)
    frame["country"] = frame["city"].map({"Rome": "Italy", "Oslo": "Norway", "Bern": "Switzerland"})
    frame["in_rome"] = frame["city"] == "Rome"
    frame["label"] = np.where(np.arange(n) % 6 == 0, "rare", "common")
    return frame


def said(frame, **options):
    table = Table(frame, Schema.infer(frame, **options))
    return {text.split(" ")[0]: text for text in (rule.says(table.schema.learned) for rule in find_derived(table))}


def obeys(rows):
    assert (abs(rows["bmi"] - rows["weight"] / rows["height"] ** 2) <= 0.0501).all()
    assert np.allclose(rows["minutes"], rows["day"] + rows["night"])
    assert (abs(rows["charge"] - 0.17 * rows["day"]) <= 0.00501).all()
    assert (rows["end"] - rows["start"] == pd.to_timedelta(rows["days"], "D")).all()
    assert (pd.cut(rows["age"], [0, 30, 60, 99], labels=["young", "middle", "old"]).astype(str) == rows["band"]).all()
    assert (rows["city"].map({"Rome": "Italy", "Oslo": "Norway", "Bern": "Switzerland"}) == rows["country"]).all()
    assert ((rows["city"] == "Rome") == rows["in_rome"]).all()


def test_rules_are_found_and_said():
    assert said(people(), target="label") == {
        "bmi": "bmi = weight / height²",
        "minutes": "minutes = day + night",
        "charge": "charge = 0.17 × day",
        "end": "end = start + days",
        "band": "band follows from age",
        "country": "country follows from city",
        "in_rome": "in_rome follows from city",
    }


@pytest.mark.parametrize("generator", OURS)
def test_written_rows_obey_them(generator):
    result = balance(people(), target="label", generator=generator, random_state=0)
    made = result.frame
    assert len(made) == 160
    obeys(made)
    real = people()
    for name in ("bmi", "minutes", "charge"):
        assert made[name].between(real[name].min(), real[name].max()).all()
    assert any("bmi = weight / height²" in note for note in result.notes)


@pytest.mark.parametrize("generator", OURS)
def test_they_are_left_alone_where_that_is_wanted(generator):
    frame = people()
    result = balance(frame, target="label", generator=generator, options={"derive": False}, random_state=0)
    made = result.frame
    assert not np.allclose(made["minutes"], made["day"] + made["night"])
    assert not any("computed" in note for note in result.notes)


def test_one_row_that_says_otherwise_is_enough():
    frame = people(4000)
    frame.loc[3999, "minutes"] += 0.2
    frame.loc[1999, "country"] = "Norway" if frame.loc[1999, "city"] != "Oslo" else "Italy"
    assert not {"minutes", "country"} & said(frame, target="label").keys()


@pytest.mark.parametrize("seed", range(8))
def test_chance_makes_no_rule(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.choice([40, 120, 600]))
    latent = rng.normal(size=(n, 3))
    frame = pd.DataFrame(latent @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(n, 8))).round(1)
    frame.columns = [f"x{i}" for i in frame]
    for j in range(4):
        frame[f"c{j}"] = rng.choice(list("abcdef"), n, p=[0.6, 0.2, 0.1, 0.05, 0.03, 0.02])
        frame[f"flag{j}"] = (latent[:, 0] + 0.3 * rng.normal(size=n)) > rng.normal()
        frame[f"few{j}"] = rng.integers(0, 4, n)
    assert said(frame) == {}


def test_missing_cells_are_missing_together_or_there_is_no_rule():
    frame = people(400)
    frame.loc[::7, "day"] = np.nan
    frame["minutes"] = (frame["day"] + frame["night"]).round(1)
    frame["charge"] = (0.17 * frame["day"]).round(2).fillna(0.0)
    found = said(frame, target="label")
    assert "minutes" in found
    assert "charge" not in found
    made = balance(frame, target="label", random_state=0).frame
    assert (made["minutes"].isna() == made["day"].isna()).all()
    assert made["minutes"].isna().any()


def test_a_total_and_its_parts_go_one_way_only():
    rng = np.random.default_rng(0)
    parts = pd.DataFrame(rng.integers(0, 50, size=(300, 3)), columns=["a", "b", "c"])
    frame = pd.DataFrame({"total": parts.sum(axis=1), **parts, "half": parts.sum(axis=1) / 2})
    table = Table(frame, Schema.infer(frame))
    rules = find_derived(table)
    assert len(rules) == 2
    computed = set()
    for rule in rules:  # sources are written, or computed before
        assert not {r.column for r in rules} - computed & set(rule.sources) - computed
        computed.add(rule.column)
    written = [j for j in range(5) if j not in {rule.column for rule in rules}]
    encoded = {j: table.encode(frame.columns[j]) for j in written}
    for rule in rules:
        encoded[rule.column] = rule.values_of(table.schema.learned, encoded)
        np.testing.assert_allclose(encoded[rule.column], frame.iloc[:, rule.column])


def test_dummies_of_one_category_follow_from_the_others():
    rng = np.random.default_rng(0)
    frame = pd.get_dummies(pd.Series(rng.choice(["a", "b", "c", "d"], 200)))
    frame["label"] = np.where(np.arange(200) % 5 == 0, 1, 0)
    assert list(said(frame, target="label")) == ["d"]
    made = balance(
        frame, target="label", generator="smoothed-bootstrap", limits=Limits(copies="accept"), random_state=0
    ).frame
    assert made["d"].eq(1 - made[["a", "b", "c"]].astype(int).sum(axis=1)).mean() > 0.99


def test_a_saved_generator_computes_the_same(tmp_path):
    frame = people()
    table = Table(frame, Schema.infer(frame, target="label"))
    for name in OURS:
        fitted = resolve(name).fit(table, rng=np.random.default_rng(0))
        fitted.save(tmp_path / name)
        loaded = type(fitted).load(tmp_path / name, table)
        rows = [g.propose(("rare",), 30, rng=np.random.default_rng(1)) for g in (fitted, loaded)]
        pd.testing.assert_frame_equal(*rows)
        obeys(rows[1])


def test_a_row_that_breaks_a_rule_is_unlikely_and_not_impossible():
    frame = people()
    table = Table(frame, Schema.infer(frame, target="label"))
    broken = frame.head(5).assign(country=["Norway" if city != "Oslo" else "Italy" for city in frame["city"][:5]])
    generator = resolve("transformer").fit(table, rng=np.random.default_rng(0))
    change = generator.log_prob(broken) - generator.log_prob(frame.head(5))
    np.testing.assert_allclose(change, -np.log(241 * 3))


def test_conditions_reach_what_is_computed():
    frame = people()
    table = Table(frame, Schema.infer(frame, target="label"))
    generator = resolve("transformer").fit(table, rng=np.random.default_rng(0))
    where = read_conditions({"country": "Norway", "band": ["young", "old"], "in_rome": False}, table.schema)
    rows = generator.propose_where(("rare",), 40, where, rng=np.random.default_rng(1))
    assert len(rows) == 40
    assert set(rows["city"]) == {"Oslo"}
    assert set(rows["band"]) <= {"young", "old"}
    obeys(rows)
    synth = Synthesizer("transformer", random_state=0).fit(frame, target="label")
    some = synth.sample(20, where={"bmi": (22.0, 27.0), "country": "Italy"})
    assert some["bmi"].between(22, 27).all()
    assert set(some["city"]) == {"Rome"}


def test_a_row_is_filled_in_by_what_it_says_already():
    frame = people()
    synth = Synthesizer("transformer", random_state=0).fit(frame, target="label")
    gaps = frame.head(12).copy()
    gaps.loc[:3, ["bmi", "end", "country"]] = None  # all that it takes is known
    gaps.loc[4:7, ["weight", "bmi"]] = None  # both are drawn
    gaps.loc[8:, ["city", "weight", "day", "start"]] = None  # what follows from them is known
    filled = synth.impute(gaps)
    pd.testing.assert_frame_equal(filled.loc[:3], frame.loc[:3])
    assert (abs(filled["bmi"] - filled["weight"] / filled["height"] ** 2) <= 0.0501).all()
    assert filled.loc[8:, "city"].notna().all()
    obeys(filled)
    assert (filled.loc[8:, "city"] == frame.loc[8:11, "city"]).all()
    assert np.allclose(filled.loc[8:, "day"], frame.loc[8:11, "day"])
    assert (filled.loc[8:, "start"] == frame.loc[8:11, "start"]).all()


def test_large_tables_are_looked_at_whole():
    rng = np.random.default_rng(0)
    n = 30_000
    code = np.where(np.arange(n) % 9_973 == 1, 99, rng.integers(0, 30, n))  # four rows have the last one
    names = np.array([f"name {value}" for value in range(100)])
    frame = pd.DataFrame({"code": code.astype(str), "name": names[code], "x": rng.normal(size=n).round(3)})
    frame["band"] = np.where(frame["x"] > 3.9, "far", "near")
    assert said(frame) == {"name": "name follows from code"}
    frame["band"] = np.where(frame["x"] > 1.9, "far", "near")
    assert said(frame) == {"name": "name follows from code", "band": "band follows from x"}


def noise(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"x": rng.normal(50, 9, n).round(1), "k": rng.integers(0, 100, n)})


@pytest.mark.parametrize("what", ["milliseconds", "moments", "far", "single", "large"])
def test_a_far_origin_hides_nothing(what):
    rng, frame = noise()
    n = len(frame)
    frame["far"] = {
        "milliseconds": lambda: 1_700_000_000_000 + rng.integers(0, 2000, n),
        "moments": lambda: pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 3000, n), "ms"),
        "far": lambda: 1e9 + rng.normal(0, 0.3, n),
        "single": lambda: (1013 + rng.normal(0, 0.0004, n)).astype("f4"),
        "large": lambda: 2**60 + rng.integers(0, 10**6, n),
    }[what]()
    assert said(frame) == {}


@pytest.mark.parametrize("share", [1, 20])
def test_what_stands_for_missing_hides_nothing(share):
    rng, frame = noise()
    frame["y"] = rng.normal(0, 5, 200).round(2)
    frame["z"] = rng.normal(0, 5, 200).round(2)
    frame.loc[: share - 1, ["x", "y", "z"]] = 1e11
    assert said(frame) == {}
    single = frame.astype("f4")
    single.loc[: share - 1, ["x", "y", "z"]] = -3.4028235e38
    assert said(single) == {}


def test_rows_of_one_person_are_not_many_witnesses():
    rng = np.random.default_rng(0)
    people = pd.DataFrame(
        {
            "weight": rng.normal(70, 14, 40).round(3),
            "sex": rng.choice(list("mf"), 40),
            "smoker": rng.random(40) < 0.4,
            "years": rng.integers(20, 80, 40),
        }
    )
    visits = people.loc[np.repeat(np.arange(40), 8)].reset_index(drop=True)
    assert said(visits.assign(pressure=rng.normal(130, 12, 320).round())) == {}
    _, once = noise(60)
    once["c"] = rng.choice(list("ab"), 60)
    assert said(once.loc[np.repeat(np.arange(60), 5)].reset_index(drop=True)) == {}


def test_what_needs_no_rounding_is_computed_from_the_finer_side():
    rng = np.random.default_rng(0)
    start, days = rng.normal(50, 10, 300), rng.integers(1, 40, 300)
    frame = pd.DataFrame({"start": start, "end": start + days, "days": days})
    assert said(frame) == {"end": "end = start + days"}
    price = rng.lognormal(3, 0.5, 300).round(2)
    frame = pd.DataFrame({"price": price, "total": (price * days).round(2), "pieces": days})
    assert said(frame) == {"total": "total = price × pieces"}


def test_shares_of_a_nearly_constant_total_are_written_in_time():
    rng = np.random.default_rng(0)
    n, frame = 300, pd.DataFrame(index=range(300))
    for k in range(5):
        a, s = rng.uniform(0, 100, n).round(2), (100 + rng.uniform(-0.5, 0.5, n)).round(2)
        frame[f"a{k}"], frame[f"b{k}"], frame[f"s{k}"] = a, (s - a).round(2), s
    frame["label"] = np.where(np.arange(n) % 6 == 0, "rare", "common")
    assert set(said(frame, target="label")) == {f"b{k}" for k in range(5)}
    for name in OURS:
        made = balance(frame, target="label", generator=name, random_state=0)
        assert len(made) == 200
        assert np.allclose(made.frame["a0"] + made.frame["b0"], made.frame["s0"])


def test_what_is_cut_off_is_cut_where_people_cut():
    rng = np.random.default_rng(0)
    n = 400
    day = pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 2000, n), "D")
    moment = pd.Timestamp("2024-04-01") + pd.to_timedelta(rng.integers(0, 3000, n), "h")
    x = rng.uniform(0, 30, n).round(1)
    frame = pd.DataFrame({"day": day, "year": day.year, "moment": moment, "date": moment.normalize(), "x": x})
    frame["whole"] = np.floor(x).astype(int)
    frame["label"] = np.where(np.arange(n) % 6 == 0, "rare", "common")
    made = balance(frame, target="label", random_state=0).frame
    assert (made["day"].dt.year == made["year"]).all()
    assert (made["moment"].dt.normalize() == made["date"]).all()
    assert (np.floor(made["x"]) == made["whole"]).all()


@pytest.mark.parametrize("parts", [3, 7])
def test_factors_are_said_as_people_say_them(parts):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 90, 80).round(1)
    [text] = said(pd.DataFrame({"x": x, "y": (x / parts).round(2)})).values()
    assert text == f"y = {1 / parts:.12g} × x"


def test_moments_are_no_factors_and_prices_follow_from_products():
    rng = np.random.default_rng(0)
    n = 300
    product, prices = rng.integers(0, 40, n), rng.lognormal(3, 0.5, 40).round(2)
    frame = pd.DataFrame(
        {"product": [f"p{i}" for i in product], "price": prices[product], "pieces": rng.integers(1, 9, n)}
    )
    frame["total"] = (frame["price"] * frame["pieces"]).round(2)
    assert said(frame) == {"price": "price follows from product", "total": "total = price × pieces"}
    pickup = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 8_000_000, n), "s")
    days = rng.integers(1, 30, n)
    frame = pd.DataFrame({"pickup": pickup, "back": pickup + pd.to_timedelta(days, "D"), "days": days})
    assert said(frame) == {"back": "back = pickup + days"}


def test_flags_of_what_was_measured_follow_from_it():
    rng = np.random.default_rng(0)
    value = np.where(rng.random(400) < 0.15, np.nan, rng.lognormal(0, 1, 400).round(2))
    measured = np.where(np.isnan(value), "no", "yes")
    frame = pd.DataFrame({"value": value, "measured": measured, "age": rng.normal(50, 9, 400).round(1)})
    assert said(frame) == {"measured": "measured follows from value"}
    filled = frame.assign(value=frame["value"].fillna(99.0))  # as tables do that put a number instead
    assert said(filled) == {"measured": "measured follows from value"}
    frame["label"] = np.where(np.arange(400) % 6 == 0, "rare", "common")
    made = balance(frame, target="label", random_state=0).frame
    assert (made["value"].isna() == (made["measured"] == "no")).all()
    assert made["value"].isna().any()


def test_marks_on_single_values_of_a_number_are_learned_and_bands_are_not():
    """A number in the middle of its range tells other columns nothing of having been filled in; a flag does."""
    frame = people().drop(columns="minutes")
    filled = np.random.default_rng(1).random(len(frame)) < 0.2
    frame["night"] = np.where(filled, 77.77, frame["night"])
    frame["asked"] = np.where(filled, "no", "yes")
    table = Table(frame, Schema.infer(frame, target="label"))
    known = KnownTable.of(table, derive=True)
    marks = {table.schema.learned[rule.column].name: rule.marks for rule in known.derived}
    assert marks["asked"]
    assert not marks["band"]
    assert not marks["bmi"]
    assert {column.name for column in known.learned} >= {"asked", "night", "age"}
    assert not {column.name for column in known.learned} & {"band", "bmi"}
    rng = np.random.default_rng(0)
    rows = resolve("transformer").fit(table, rng=rng).propose(("rare",), 200, rng=rng)
    assert 0 < (rows["asked"] == "no").sum() < 200
    assert (rows["night"][rows["asked"] == "no"] - 77.77).abs().max() < 1
    assert (rows["asked"][rows["night"] == 77.77] == "no").all()
