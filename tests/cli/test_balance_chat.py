"""`makeweight balance --generator chat`: forecast, leave, budget, resume and replay."""

import pandas as pd
import pytest

from chat_endpoints import recombined, serving

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')
CHAT = ("--target", "paid", "--generator", "chat", "--option", "model=m")


@pytest.fixture(autouse=True)
def without_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def at(url):
    return (*CHAT, "--option", f"base_url={url}")


def test_a_run_its_rerun_and_its_replay_write_the_same_file(run, csv, tmp_path):
    with serving() as endpoint:
        first = run("balance", csv, *at(endpoint.url), "--max-cost", "0.50", "-o", "out.csv")
        assert first.code == 0, first.err
        asked = len(endpoint.bodies)
        assert asked == 2
        again = run("balance", csv, *at(endpoint.url), "-o", "out.csv", "--force")
        assert (again.code, len(endpoint.bodies)) == (0, asked)
    rows = (tmp_path / "out.csv").read_bytes()
    replayed = run("balance", csv, *at(endpoint.url), "--replay", "out.csv.answers", "-o", "other.csv")
    assert replayed.code == 0, replayed.err
    assert (tmp_path / "other.csv").read_bytes() == rows
    frame = pd.read_csv(tmp_path / "out.csv")
    assert frame["paid"].value_counts().to_dict() == {"no": 32, "yes": 32}
    assert "2 requests to http://127.0.0.1" in first.err
    assert "repeat a row of their answer" in first.err
    assert "0 requests to" in replayed.err


def test_a_dry_run_sends_and_writes_nothing_and_shows_one_request(run, csv, tmp_path):
    with serving() as endpoint:
        for url in (endpoint.url, "https://remote.invalid/v1"):
            shown = run("balance", csv, *at(url), "-o", "out.csv", "--dry-run")
            assert shown.code == 0, shown.err
            for text in ("[system]", "[user]", "- age: whole number from", "Write exactly 20 new rows", "2 requests"):
                assert text in shown.out
            assert "A0" not in shown.out  # no identifiers
        assert "an unknown price" in shown.out
        facts = run("balance", csv, *at(endpoint.url), "--dry-run", "--json").json
        assert not endpoint.bodies
    assert facts["expected"]["requests"] == 2
    assert facts["expected"]["money"] == 0
    assert facts["prompt"].startswith("[system]")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_remote_endpoints_need_leave_and_prices(run, csv, monkeypatch):
    remote = at("http://remote.invalid/v1")
    assert "needs a key" in run("balance", csv, *remote).err
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-secret-key-1234")
    refused = run("balance", csv, *remote)
    assert refused.code == 2
    assert "real rows would leave this machine" in refused.err
    assert "--yes" in refused.err
    allowed = run("balance", csv, *remote, "--yes", "--option", "retries=0")
    assert allowed.code == 2
    assert "warning: http://remote.invalid/v1: up to 40 real rows" in allowed.err
    assert "no connection" in allowed.err
    assert "max_cost needs the price" in run("balance", csv, *remote, "--yes", "--max-cost", "1").err
    assert "secret" not in refused.err + allowed.err


def test_money_that_is_spent_is_a_shortfall(run, csv):
    def dear(body, number):
        return {**recombined(body), "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}

    with serving(dear) as endpoint:
        options = ("--option", "price=10,20", "--option", "rows_per_request=5", "--option", "concurrency=1")
        result = run("balance", csv, *at(endpoint.url), *options, "--max-cost", "0.05", "-o", "out.csv")
    assert result.code == 3
    assert "max_cost=0.05: the next request may cost" in result.err
    assert "hint: raise --max-cost USD" in result.err
    assert len(endpoint.bodies) == 2


def test_mistakes_are_told(run, csv):
    assert "a name that the endpoint knows" in run("balance", csv, "--target", "paid", "--generator", "chat").err
    for flag in (("--yes",), ("--replay", "x")):
        result = run("balance", csv, "--target", "paid", *flag)
        assert (result.code, "generators that ask an endpoint" in result.err) == (2, True)
    assert "rows_per_request" in run("balance", csv, *CHAT, "--option", "rows_per_reqest=3").err
