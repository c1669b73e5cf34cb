"""Small networks of the real classes with random weights: they stand in for weights that cannot be had."""

import importlib

import pytest


def random_tabicl(folder):
    """Write checkpoints of TabICL's own class with small random weights."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("tabicl")
    network = importlib.import_module("tabicl._model.tabicl").TabICL
    size = dict.fromkeys(("col_num_blocks", "row_num_blocks", "icl_num_blocks"), 1)
    heads = dict.fromkeys(("col_nhead", "row_nhead", "icl_nhead", "row_num_cls"), 2)
    for role, outputs in (("classifier", {"max_classes": 10}), ("regressor", {"max_classes": 0, "num_quantiles": 99})):
        config = {"embed_dim": 8, "col_num_inds": 4, **size, **heads, **outputs}
        torch.manual_seed(0)
        state = network(**config).state_dict()
        torch.save({"config": config, "state_dict": state}, folder / f"random-{role}.ckpt")


def random_tabpfn(folder):
    """Write checkpoints of TabPFN v2's own class with small random weights."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("tabpfn")
    v2 = importlib.import_module("tabpfn.architectures.tabpfn_v2")
    bars = importlib.import_module("tabpfn.architectures.shared.bar_distribution")
    outputs = {"classifier": {"max_num_classes": 10, "num_buckets": 0}}
    outputs["regressor"] = {"max_num_classes": 0, "num_buckets": 50}
    for role, heads in outputs.items():
        config = {"emsize": 12, "nlayers": 1, "nhead": 2, **heads}
        torch.manual_seed(0)
        state = v2.get_architecture(v2.parse_config(config)[0]).state_dict()
        if role == "regressor":
            borders = torch.linspace(-3, 3, 51)
            criterion = bars.FullSupportBarDistribution(borders, ignore_nan_targets=True).state_dict()
            state |= {f"criterion.{name}": value for name, value in criterion.items()}
        checkpoint = {"state_dict": state, "config": config, "architecture_name": "tabpfn_v2"}
        torch.save(checkpoint, folder / f"tabpfn-v2-{role}-random.ckpt")


def random_gpt2(folder):
    """Write a GPT-2 with small random weights, and a tokenizer of single bytes."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    level = tokenizers.pre_tokenizers.ByteLevel
    end = "<|endoftext|>"
    vocabulary = {text: code for code, text in enumerate([*sorted(level.alphabet()), end])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = level(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    named = dict.fromkeys(("eos_token", "bos_token", "unk_token"), end)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    torch.manual_seed(0)
    ends = dict.fromkeys(("bos_token_id", "eos_token_id"), len(vocabulary) - 1)
    size = {"vocab_size": len(vocabulary), "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 256}
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**size, **ends)).save_pretrained(folder)
