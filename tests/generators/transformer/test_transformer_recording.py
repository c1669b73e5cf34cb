"""What the prior makes of numbers: every habit of real tables is there, and does what it says."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from makeweight.generators.transformer import recording  # noqa: E402
from makeweight.generators.transformer.mechanisms import Random, standardise  # noqa: E402

BATCH, ROWS, COLUMNS = 300, 60, 5


@pytest.fixture
def random():
    return Random(torch.Generator().manual_seed(0))


@pytest.fixture
def x(random):
    return standardise(random.normal(BATCH, ROWS, COLUMNS))


def changed(before, after):
    """Columns of tables (B D) in which something is not as it was."""
    return ((before != after) & ~(before.isnan() & after.isnan())).any(1)


def test_columns_are_made_of_others(random, x):
    made = recording.relations(random, x)
    products = ratios = 0
    for table, column in changed(x, made).nonzero().tolist():
        one, two = x[table, :, :, None], x[table, :, None]
        for name, pairs in (("product", one * two), ("ratio", one / (two.abs() + 0.3))):
            options = pairs.flatten(1)
            found = torch.corrcoef(torch.cat([made[table, :, column, None], options], 1).T)[0, 1:].max() > 0.999
            products += int(found and name == "product")
            ratios += int(found and name == "ratio")
    assert products > 10
    assert ratios > 5


def test_missing_cells_also_come_together(random, x):
    gone = recording.missing(random, x, (x[..., 0] > 0).long())
    share = gone.float().mean(1)
    some = share > 0.02
    assert 0.02 < some.float().mean() < 0.3
    together = (gone == gone.roll(1, -1)).all(1) & some
    assert 0.05 < together.sum() / some.sum() < 0.4


def test_flags_say_whether_the_neighbour_was_measured(random, x):
    gone = random.chance(0.3, BATCH, ROWS, COLUMNS)
    table = x.masked_fill(gone, torch.nan)
    told, which = recording.flags(random, table, gone)
    assert 0.03 < which.float().mean() < 0.2
    assert torch.equal(changed(table, told), which)
    at = which[:, None].expand_as(told)
    assert torch.equal(told[at], gone.roll(1, -1)[at].float())


def test_recoded_columns_follow_their_neighbour(random, x):
    coded = random.chance(0.5, BATCH, COLUMNS)
    table = torch.where(coded[:, None], (2 * x).round().abs(), x)
    told, categorical = recording.recode(random, table, coded)
    rewritten = changed(table, told).nonzero().tolist()
    assert len(rewritten) > 0.02 * BATCH * COLUMNS
    assert (categorical != coded).any()
    for number, column in rewritten:
        source, new = table[number, :, column - 1], told[number, :, column]
        if coded[number, column - 1]:  # equal codes have equal names
            assert all(len(new[source == value].unique()) == 1 for value in source.unique())
        else:  # bands: in the order of the numbers
            assert (new[source.argsort()].diff() >= 0).all()


def test_a_neighbour_that_is_missing_is_missing_in_other_words(random, x):
    table = (2 * x).round().abs().masked_fill(random.chance(0.2, BATCH, ROWS, COLUMNS), torch.nan)
    coded = torch.ones(BATCH, COLUMNS, dtype=torch.bool)
    told, _ = recording.recode(random, table, coded)
    at = changed(table, told)[:, None].expand_as(told)
    assert torch.equal(told.isnan()[at], table.roll(1, -1).isnan()[at])


def test_the_mean_is_put_where_numbers_were_missing(random, x):
    table = x.masked_fill(random.chance(0.3, BATCH, ROWS, COLUMNS), torch.nan)
    coded = random.chance(0.5, BATCH, COLUMNS)
    told = recording.impute(random, table, coded)
    at = changed(table, told)
    assert not (at & coded).any()
    assert 0.1 < at.any(-1).float().mean() < 0.4
    for number, column in at.nonzero().tolist():
        filled = told[number, table[number, :, column].isnan(), column]
        torch.testing.assert_close(filled, table[number, :, column].nanmean().expand_as(filled))


def test_columns_do_not_apply_for_the_same_rows(random, x):
    coded = random.chance(0.5, BATCH, COLUMNS)
    table = torch.where(coded[:, None], (2 * x).round().abs(), x + 10)  # no number is zero
    told = recording.not_applicable(random, table, coded, x)
    assert torch.equal(told[..., -1], table[..., -1])
    at = changed(table, told)
    assert 0.03 < at.any(-1).float().mean() < 0.15
    for number in at.any(-1).nonzero()[:, 0].tolist():
        rows = (told[number] != table[number])[:, at[number]]  # R and the columns that do not apply
        assert torch.equal(rows, rows[:, :1].expand_as(rows))
        last, gate = table[number, :, -1], rows[:, 0]
        if coded[number, -1]:
            assert len(last[gate].unique()) == 1
        assert not set(last[gate].tolist()) & set(last[~gate].tolist())


def test_rows_repeat_within_their_group(random, x):
    groups = random.whole(0, 2, BATCH, ROWS)
    told = recording.repeat(random, x, groups)
    assert 0.05 < changed(x, told).any(-1).float().mean() < 0.2
    moved = (told != x).all(-1) & (told[:, :, :1] != x[:, :, :1]).any(-1)
    for number in moved.any(-1).nonzero()[:, 0].tolist():
        for row in moved[number].nonzero()[:, 0].tolist():
            own = groups[number] == groups[number, row]
            cells = told[number, row] == x[number, own]  # every cell is that of a row of the same group
            assert cells.any(0).all()
    whole = [len(table.unique(dim=0)) for table in told]
    assert min(whole) < ROWS // 2
