"""What GPT-4 really answered in the experiments of arXiv 2406.03628 v1: read, checked, and sent over HTTP."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from chat_endpoints import completion, serving
from makeweight.errors import GenerationShortfall
from makeweight.generators.chat import ChatGenerator
from makeweight.generators.chat.parse import read_rows
from makeweight.generators.chat.values import number
from makeweight.sampler import balance

PER_ANSWER = 20


def answers(data_dir):
    found = sorted((data_dir / "opal").glob("*/*/gpt4_raw_seed*.txt"))
    for raw in found:
        seed = raw.stem.removeprefix("gpt4_raw_seed")
        yield raw, raw.with_name(f"gpt4_parsed_seed{seed}.csv"), raw.with_name(f"train_seed{seed}.csv")


def test_rows_are_read_as_their_authors_read_them(data_dir):
    equal = theirs_in_all = 0
    for raw, parsed, train in answers(data_dir):
        labels = list(pd.read_csv(train).columns)
        ours = read_rows(raw.read_text(), labels, needed=labels, style="sentence")
        rows = Counter(tuple(float(number(row[label])) for label in labels) for row in ours.rows)
        theirs = Counter(map(tuple, pd.read_csv(parsed)[labels].to_numpy(dtype=np.float64).tolist()))
        equal += (rows & theirs).total()
        theirs_in_all += theirs.total()
    assert theirs_in_all == 2200
    assert equal >= 0.995 * theirs_in_all


def test_answers_go_the_whole_way(data_dir):
    """The rare class of one experiment, from real answers in chunks of twenty lines."""
    folder = data_dir / "opal" / "craft" / "imbalanced"
    frame = pd.read_csv(folder / "train_seed1.csv")
    lines = (folder / "gpt4_raw_seed1.txt").read_text().splitlines()
    chunks = ["\n".join(lines[i : i + PER_ANSWER]) for i in range(0, len(lines), PER_ANSWER)]
    with serving(lambda body, number: completion(chunks[number])) as endpoint:
        generator = ChatGenerator(
            model="gpt-4", base_url=endpoint.url, style="sentence", concurrency=1, max_requests=len(chunks)
        )
        with pytest.raises(GenerationShortfall) as error:
            balance(frame, target="Target", generator=generator, sampling_strategy={0: 1000}, random_state=0)
    made = error.value.generation
    assert made.ledger.proposed == 200
    others = sum("Target is 1.0" in line for line in lines)  # some of them are out of range besides
    assert 0.8 * others <= made.ledger.rejected["wrong-group: Target"] <= others
    assert made.ledger.accepted + sum(made.ledger.rejected.values()) == 200
    assert made.ledger.accepted > 50
    assert (made.frame["Target"] == 0).all()
    assert made.ledger.entries[0].stopped == f"max_requests={len(chunks)} reached"
    for name in frame.columns[:-1]:
        assert made.frame[name].between(frame[name].min(), frame[name].max()).all()
