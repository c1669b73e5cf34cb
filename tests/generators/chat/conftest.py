"""Keys of the environment do not reach these tests, and waiting is short in them."""

import pytest


@pytest.fixture(autouse=True)
def quick_and_without_keys(monkeypatch):
    from makeweight.generators.chat import generator
    from makeweight.generators.chat.limits import Retry

    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    quick = {"first": 0.01, "most": 2.0, "longest": 4.0}
    monkeypatch.setattr(generator, "Retry", lambda **given: Retry(**{**quick, **given}))
