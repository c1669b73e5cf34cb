"""The chat generator passes the contract checks against an endpoint that behaves."""

import pytest

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from chat_endpoints import serving
from makeweight.generators.chat import ChatGenerator
from makeweight.generators.contract import CHECKS


@pytest.fixture(scope="module")
def endpoint():
    with serving() as server:
        yield server


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, endpoint):
    check(lambda: ChatGenerator(model="m", base_url=endpoint.url))
