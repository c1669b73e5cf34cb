"""The whole path over HTTP, with a real server and a real model that is trained here on a table."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("openai", reason='the chat generator needs: pip install "makeweight[chat]"')

from makeweight.generators.chat import ChatGenerator
from makeweight.sampler import balance
from makeweight.table.text import render

WHY = 'a real server needs: pip install "makeweight[hf,chat]" fastapi uvicorn'
torch, tokenizers, transformers, _, _ = (
    pytest.importorskip(package, reason=WHY)
    for package in ("torch", "tokenizers", "transformers", "fastapi", "uvicorn")
)
STEPS, ROWS_PER_TEXT = 240, 4
#: The model is asked for a group by what stands between these words of the request.
TEMPLATE = "{{ bos_token }}{{ messages[-1]['content'].split('of the group ')[-1].split('.')[0] }}"


def make_frame():
    rng = np.random.default_rng(0)
    rare = np.arange(300) < 60
    return pd.DataFrame(
        {
            "y": np.where(rare, "rare", "common"),
            "size": (np.where(rare, 2.0, 6.0) + rng.normal(size=300)).round(2),
            "colour": rng.choice(["red", "blue"], 300),
            "count": rng.integers(1, 40, 300),
        }
    )


def train(frame, folder):
    """Train a small GPT-2 to write rows of a group, line after line, and save it with its chat template."""
    torch.manual_seed(0)
    rng = random.Random(0)
    lines = {}
    for row in frame.astype({"size": "str", "count": "str"}).to_dict("records"):
        lines.setdefault(row["y"], []).append(render(row))
    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator([line for group in lines.values() for line in group], trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = TEMPLATE
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=512,
        n_embd=64,
        n_layer=2,
        n_head=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = transformers.GPT2LMHeadModel(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        groups = rng.choices(list(lines), k=8)
        texts = [f"<s>y={y}\n" + "\n".join(rng.choices(lines[y], k=ROWS_PER_TEXT)) + "</s>" for y in groups]
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        loss = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def served(model, log):
    """Run ``transformers serve`` on loopback for the time of a block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        os.path.join(os.path.dirname(sys.executable), "transformers"),
        "serve",
        str(model),
        "--device",
        "cpu",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until_healthy(server, port, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)


def wait_until_healthy(server, port, log):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):  # not yet
            time.sleep(0.3)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def test_a_model_that_is_trained_served_asked_and_replayed(tmp_path):
    frame = make_frame()
    train(frame, tmp_path / "model")
    log = tmp_path / "serve.log"
    with served(tmp_path / "model", log) as url:
        options = {
            "model": str(tmp_path / "model"),
            "base_url": url,
            "rows_per_request": ROWS_PER_TEXT,
            "style": "sentence",
            "concurrency": 2,
            "cache_dir": tmp_path / "answers",
            "examples": 5,
        }
        made = balance(
            frame,
            target="y",
            generator=ChatGenerator(**options),
            random_state=0,
            sampling_strategy={"rare": 80, "common": 255},
        )
        # The model knows no JSON: what is asked for as JSON and comes as sentences is read all the same.
        other = balance(
            frame,
            target="y",
            generator=ChatGenerator(**{**options, "style": "json"}),
            random_state=0,
            sampling_strategy={"rare": 64},
        )
    assert made.ledger.shortfall == other.ledger.shortfall == 0
    sizes = made.frame.groupby("y")["size"].mean()
    assert sizes["rare"] < 4 < sizes["common"]
    assert made.frame["count"].between(1, 39).all()
    assert made.spent.tokens > 0
    assert not made.details["tokens_estimated"]
    replayed = balance(
        frame,
        target="y",
        generator=ChatGenerator(**{**options, "replay": options["cache_dir"]}),
        sampling_strategy={"rare": 80, "common": 255},
        random_state=0,
    )
    pd.testing.assert_frame_equal(made.frame, replayed.frame)
    print(made.ledger.to_dict(), *made.notes, sep="\n")  # noqa: T201 - shown by `pytest -s`
