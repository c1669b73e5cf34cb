"""Training: what the loss is over, when it stops, what is kept, and where models come from."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from makeweight.errors import FileProblem, GeneratorError, OptionError
from makeweight.generators.causal_lm import CausalLMGenerator, training
from makeweight.generators.causal_lm import model as models
from makeweight.generators.causal_lm.corpus import Corpus, tokenized
from makeweight.generators.causal_lm.rows import RowText
from makeweight.generators.causal_lm.sampling import draw, left_padded
from makeweight.generators.causal_lm.training import LanguageTrainer, Recipe, batch_loss
from makeweight.generators.check import Checker
from makeweight.generators.contract import example_table
from makeweight.plan import Groups

TINY = {"model": "scratch", "layers": 1, "width": 32}
RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=1e-3, validation_share=0.2, patience=5, max_seconds=None)


def small(n=40, seed=0):
    """Return a model and rows of two columns of one to three tokens each."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        values = [f" {value}" for value in rng.integers(1, 999, n)]
        language = models.make([", a is", ", b is"], ["y is"], values, longest=40, layers=1, width=32)
    groups = rng.integers(0, 2, n)
    prompts = [language.encode("y is") + language.encode(f" {label}") for label in "01"]
    cells = [[language.encode(value) for value in values], [language.encode(value) for value in values[::-1]]]
    names = [language.encode(", a is"), language.encode(", b is")]
    return language, Corpus(prompts, names, cells, groups, language.end)


def llama(tokenizer):
    """Return a model of another architecture: rotary positions, grouped heads, layers of other names."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(config)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_padding_changes_no_logit(architecture):
    language, _ = small()
    if architecture == "llama":
        language = models.Language(llama(language.tokenizer), language.tokenizer, "full")
    language.model.eval()
    prompts = [[5, 9, 11, 40, 7], [5, 9], [61, 3, 8]]
    tokens, mask = left_padded(prompts, language.pad)
    with torch.no_grad():
        padded = language.logits(tokens, mask)
        for row, prompt in enumerate(prompts):
            alone = language.logits(torch.tensor([prompt]), torch.ones((1, len(prompt)), dtype=torch.int64))
            torch.testing.assert_close(padded[row, -len(prompt) :], alone[0], rtol=1e-5, atol=1e-5)


def test_keys_and_values_kept_change_no_logit():
    from transformers import DynamicCache

    language, _ = small()
    language.model.eval()
    tokens, mask = left_padded([[5, 9, 11, 40, 7], [5, 9, 12]], language.pad)
    with torch.no_grad():
        whole = language.logits(tokens, mask)
        cache = DynamicCache(config=language.model.config)
        parts = [language.logits(tokens[:, i : i + 1], mask[:, : i + 1], cache) for i in range(tokens.shape[1])]
    torch.testing.assert_close(torch.cat(parts, 1)[0], whole[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.cat(parts, 1)[1, 2:], whole[1, 2:], rtol=1e-5, atol=1e-5)


def test_the_loss_is_over_values_names_and_the_end_alone():
    language, corpus = small()
    language.model.eval()
    rows = np.arange(6)
    together, n = batch_loss(language, corpus, rows, np.random.default_rng(0))
    prompts = sum(len(corpus.prompts[corpus.groups[row]]) for row in rows)
    assert n == int(corpus.lengths()[rows].sum()) - prompts
    rng = np.random.default_rng(0)
    apart = 0.0
    for row in rows:
        tokens, prompt = corpus.row(int(row), rng.permutation(2))
        assert tokens[-1] == language.end
        ids = torch.tensor([tokens])
        log_p = torch.log_softmax(language.logits(ids, torch.ones_like(ids)), dim=-1)
        apart -= sum(float(log_p[0, i - 1, tokens[i]].detach()) for i in range(prompt, len(tokens)))
    assert float(together.detach()) == pytest.approx(apart, rel=1e-5)


def test_orders_differ_from_row_to_row_and_every_column_is_written_once():
    _, corpus = small()
    rng = np.random.default_rng(0)
    rows = [corpus.row(3, rng.permutation(2))[0] for _ in range(20)]
    assert len({tuple(row) for row in rows}) == 2
    assert {tuple(sorted(row)) for row in rows} == {tuple(sorted(rows[0]))}


def test_rows_are_held_out_group_by_group():
    groups = np.repeat([0, 1], [900, 100])
    corpus = Corpus([[1], [2]], [], [], groups, 0)
    rows, held_out = training.split(corpus, 0.1, np.random.default_rng(0))
    assert sorted([*rows, *held_out]) == list(range(1000))
    assert np.bincount(groups[held_out]).tolist() == [90, 10]
    assert not len(training.split(corpus, 0, np.random.default_rng(0))[1])


def test_it_stops_when_nothing_gets_better_and_keeps_the_best():
    language, corpus = small()
    recipe = Recipe(epochs=60, batch_size=8, learning_rate=0.03, validation_share=0.3, patience=2, max_seconds=None)
    trainer = LanguageTrainer(language, corpus, recipe, np.random.SeedSequence(0))
    with torch.random.fork_rng(devices=[]):
        outcome = training.train(trainer)
    assert outcome.stopped == "no better"
    assert outcome.epoch == outcome.best_epoch + 2 < 60
    assert trainer.validate() == pytest.approx(outcome.best_loss, rel=1e-5)
    assert outcome.best_loss == min(held_out for _, held_out in outcome.losses)


def test_time_is_bounded_and_progress_is_told():
    told = []
    generator = CausalLMGenerator(**TINY, epochs=10_000, patience=10_000, max_seconds=1.0, progress=told.append)
    generator.fit(example_table(), rng=np.random.default_rng(0))
    assert generator._outcome.stopped == "max_seconds"
    assert [p.done for p in told] == list(range(1, len(told) + 1))
    assert told[-1].seconds_left <= 1.0
    assert re.fullmatch(r"loss \d+\.\d{4}, held out \d+\.\d{4}, [\d,]+ rows/s", told[-1].detail)


def test_progress_goes_to_standard_error(capsys):
    CausalLMGenerator(**TINY, epochs=1, verbose=1).fit(example_table(), rng=np.random.default_rng(0))
    out, err = capsys.readouterr()
    assert not out
    assert "epoch 1 of 1: loss " in err
    assert "rows/s" in err


def test_a_loss_that_is_not_finite_is_an_error():
    generator = CausalLMGenerator(**TINY, epochs=5, learning_rate=1e30)
    with pytest.raises(GeneratorError, match="not finite") as error:
        generator.fit(example_table(), rng=np.random.default_rng(0))
    assert "step" in error.value.where
    assert "1e+30" in error.value.got
    assert error.value.hint == "--option learning_rate=1e+29"


class CutShort(Exception):
    pass


def test_training_goes_on_where_it_was_cut_short(tmp_path):
    table = example_table()

    def fitted(folder, progress=None, seed=0):
        generator = CausalLMGenerator(**TINY, epochs=4, checkpoint_dir=folder, progress=progress)
        return generator.fit(table, rng=np.random.default_rng(seed))

    def cut(progress):
        if progress.done == 3:
            raise CutShort

    whole = fitted(tmp_path / "whole")
    with pytest.raises(CutShort):
        fitted(tmp_path / "cut", cut)
    assert json.loads((tmp_path / "cut" / "training.json").read_text())["outcome"]["epoch"] == 2
    told = []
    resumed = fitted(tmp_path / "cut", told.append)
    assert [p.done for p in told] == [3, 4]
    for (name, ours), theirs in zip(
        resumed._language.model.state_dict().items(), whole._language.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, msg=name)
    assert not fitted(tmp_path / "cut", told.append)._outcome.losses[4:]
    assert len(told) == 2  # it was complete
    with pytest.raises(FileProblem, match="another table") as error:
        fitted(tmp_path / "cut", seed=1)
    assert "remove" in error.value.hint
    (tmp_path / "cut" / "training.json").write_text("{")
    with pytest.raises(FileProblem, match="cannot be read"):
        fitted(tmp_path / "cut")


def test_torchs_global_streams_are_untouched():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    generator = CausalLMGenerator(**TINY, epochs=1).fit(example_table(), rng=np.random.default_rng(0))
    generator.propose(("rare",), 3, rng=np.random.default_rng(0))
    assert torch.equal(before, torch.get_rng_state())


def test_what_has_no_probability_is_never_drawn():
    logits = torch.full((2000, 5), -torch.inf)
    logits[:, 1], logits[:, 3] = 0.0, 1.0
    drawn = draw(logits, 1.0, torch.Generator().manual_seed(0))
    assert set(drawn) == {1, 3}
    assert np.mean(np.array(drawn) == 3) == pytest.approx(1 / (1 + math.exp(-1)), abs=0.04)


@pytest.mark.parametrize(
    "option",
    [
        {"model": 3},
        {"lora": 0},
        {"epochs": 0},
        {"batch_size": 1.5},
        {"learning_rate": -1},
        {"patience": True},
        {"validation_share": 0.9},
        {"max_seconds": 0},
        {"constrain": "no"},
        {"temperature": 0},
        {"width": 33},
        {"layers": 0},
        {"rows_at_once": 0},
        {"progress": 1},
        {"device": None},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(option):
    generator = CausalLMGenerator(**{**TINY, **option})
    with pytest.raises(OptionError, match="out of range") as error:
        generator.fit(example_table(), rng=np.random.default_rng(0))
    assert error.value.where in option


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match="no such device"):
        models.choose_device("nothing")
    assert models.choose_device("auto").type in ("cpu", "cuda", "mps", "xpu")


@pytest.fixture
def no_hub(monkeypatch):
    """Point the hub at a port of this machine on which nobody answers."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(models, "getproxies", dict)


@pytest.mark.usefixtures("no_hub")
def test_a_model_that_cannot_be_had_is_a_plain_error(tmp_path):
    generator = CausalLMGenerator(model="nobody/has-this-model")
    with pytest.raises(GeneratorError, match="cannot be loaded") as error:
        generator.fit(example_table(), rng=np.random.default_rng(0))
    assert error.value.__suppress_context__
    assert "http://127.0.0.1:9 cannot be reached" in error.value.got
    assert "model=scratch" in error.value.hint
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(GeneratorError, match="cannot be loaded") as error:
        models.load(str(tmp_path))
    assert "save_pretrained" in error.value.hint


@pytest.mark.parametrize(
    ("licence", "words"),
    [("mit", "commercial use allowed"), ("cc-by-nc-4.0", "no commercial use"), (None, "not known")],
)
def test_licence_size_and_origin_are_said_before_a_model_is_fetched(monkeypatch, licence, words):
    import huggingface_hub

    files = [("model.safetensors", 2_000_000), ("tokenizer.json", 500_000), ("pytorch_model.bin", 9_000_000)]
    siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in files]
    info = SimpleNamespace(card_data=SimpleNamespace(license=licence), siblings=siblings)
    asked = []

    def pretrained(source, *, local_only):
        asked.append(local_only)
        raise OSError("not here")

    monkeypatch.setattr(huggingface_hub, "model_info", lambda source, files_metadata: info)
    monkeypatch.setattr(models, "_knock", lambda: None)
    monkeypatch.setattr(models, "_pretrained", pretrained)
    with pytest.raises(GeneratorError, match=rf"who/what: .*{words}.*who/what, 2\.5 MB") as error:
        models.load("who/what")
    assert "--option fetch=true" in error.value.hint
    assert asked == [True], "nothing is fetched"
    with pytest.raises(GeneratorError, match="cannot be loaded"):
        models.load("who/what", fetch=True)
    assert asked == [True, True, False]


def test_code_that_comes_with_a_model_is_not_run(tmp_path):
    ran = tmp_path / "ran"
    (tmp_path / "code.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass M: pass\n")
    config = {"model_type": "own", "auto_map": {"AutoConfig": "code.M", "AutoModelForCausalLM": "code.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(GeneratorError):
        models.load(str(tmp_path))
    assert not ran.exists()
    assert "trust_remote_code" not in CausalLMGenerator.__init__.__code__.co_varnames


def test_adapters_go_to_the_linear_layers_of_any_architecture():
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    shapes = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokenizer = SimpleNamespace(eos_token_id=1, pad_token_id=None)
    for built in (
        LlamaForCausalLM(LlamaConfig(**shapes, intermediate_size=64)),
        GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2)),
    ):
        names, _ = models.linear_layers(built)
        assert names
        assert not any("lm_head" in name for name in names)
        language = models.adapt(models.Language(built, tokenizer, "full"), "auto")
        assert language.form == "adapter"
        assert all("lora" in name for name in language.trained())
        assert language.pad == language.end == 1
        ids = torch.tensor([[3, 4, 5]])
        assert language.logits(ids, torch.ones_like(ids)).shape == (1, 3, 64)


def test_a_row_that_the_model_cannot_take_is_an_error():
    table = example_table()
    rows, groups = RowText(table), Groups(table)
    language, _ = small()
    with pytest.raises(GeneratorError, match="more tokens than the model takes") as error:
        tokenized(language, rows, groups, rows.cells(table))
    assert error.value.expected == "at most 40"


def test_a_tokenizer_that_loses_something_is_an_error():
    from tokenizers import normalizers

    table = example_table()
    rows, groups = RowText(table), Groups(table)
    language, _ = small()
    language.tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(GeneratorError, match="does not give back") as error:
        tokenized(language, rows, groups, [[" Upper"] * len(table)] * len(rows.columns))
    assert "Upper" in error.value.expected


def test_another_architecture_goes_all_the_way(tmp_path):
    table = example_table()
    rows = RowText(table)
    values = [value for column in rows.cells(table) for value in column]
    with torch.random.fork_rng(devices=[]):
        made = models.make(rows.names(), ["y is"], values, longest=8, layers=1, width=32)
    tokenizer = made.tokenizer
    tokenizer.pad_token = None  # as pretrained models often have none
    llama(tokenizer).save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    generator = CausalLMGenerator(model=str(tmp_path / "llama"), lora=8, epochs=2)
    generator.fit(table, rng=np.random.default_rng(0))
    assert generator._language.form == "adapter"
    frame = generator.propose(("rare",), 12, rng=np.random.default_rng(0))
    checked = Checker(table, Groups(table), generator.traits, "accept").check(("rare",), frame, 12)
    assert checked.n_accepted == 12
