"""A causal language model, fine-tuned on the rows of a table written as text."""

import importlib.util

for _package in ("torch", "transformers", "tokenizers", "peft", "accelerate", "safetensors", "llguidance"):
    if importlib.util.find_spec(_package) is None:
        raise ModuleNotFoundError(f"No module named {_package!r}", name=_package)

from makeweight.generators.causal_lm.generator import CausalLMGenerator  # noqa: E402 - packages come first

__all__ = ["CausalLMGenerator"]
