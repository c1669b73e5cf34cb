"""What the options of the generator may be, said once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from makeweight.errors import OptionError
from makeweight.generators.causal_lm.recipe import TrainingProgress

__all__ = ["check_options", "tell"]


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options out of their range.

    Parameters
    ----------
    options : mapping of name to value

    Raises
    ------
    OptionError
    """
    whole, positive = "a whole number, 1 or more", "a number above 0"
    checks = (
        ("model", isinstance(options["model"], str) and bool(options["model"]), "a name or a folder"),
        (
            "lora",
            options["lora"] == "auto" or isinstance(options["lora"], bool) or _whole(options["lora"]),
            '"auto", True, False, or the rank',
        ),
        ("epochs", options["epochs"] == "auto" or _whole(options["epochs"]), f'"auto", or {whole}'),
        ("batch_size", _whole(options["batch_size"]), whole),
        (
            "learning_rate",
            options["learning_rate"] == "auto" or _real(options["learning_rate"], 0, np.inf),
            f'"auto", or {positive}',
        ),
        (
            "validation_share",
            options["validation_share"] == 0 or _real(options["validation_share"], 0, 0.5),
            "a number in [0, 0.5]",
        ),
        ("patience", _whole(options["patience"]), whole),
        ("max_seconds", options["max_seconds"] is None or _real(options["max_seconds"], 0, np.inf), positive),
        ("constrain", isinstance(options["constrain"], bool), "True or False"),
        ("temperature", _real(options["temperature"], 0, np.inf), positive),
        ("device", isinstance(options["device"], str), '"auto", "cpu", "cuda" ...'),
        ("layers", _whole(options["layers"]), whole),
        ("width", _whole(options["width"]) and options["width"] % 32 == 0, "a multiple of 32"),
        ("rows_at_once", _whole(options["rows_at_once"]), whole),
        ("progress", options["progress"] is None or callable(options["progress"]), "a function, or None"),
    )
    for name, is_right, expected in checks:
        if not is_right:
            raise OptionError("option out of range", where=name, got=repr(options[name]), expected=expected)


def tell(progress: TrainingProgress) -> None:
    """Write a line on how far training is to standard error."""
    held_out = "" if np.isnan(progress.validation_loss) else f", held out {progress.validation_loss:.4f}"
    sys.stderr.write(
        f"epoch {progress.epoch} of {progress.epochs}: loss {progress.loss:.4f}{held_out}, "
        f"{progress.rows_per_second:,.0f} rows/s, at most {progress.seconds_left:.0f} s left\n"
    )


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _real(value: Any, low: float, high: float) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and low < float(value) <= high
