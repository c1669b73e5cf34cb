"""What the options of the generator take."""

from __future__ import annotations

import os

from makeweight.generators.frame.options import Option

__all__ = ["OPTIONS"]

OPTIONS = (
    Option("model", str, test=bool, takes="a name or a folder"),
    Option("lora", (bool, int), 1, words=("auto",)),
    Option("epochs", int, 1, words=("auto",)),
    Option("batch_size", int, 1),
    Option("learning_rate", float, 0, above=True, words=("auto",)),
    Option("patience", int, 1),
    Option("validation_share", float, 0, 0.5),
    Option("max_seconds", float, 0, above=True, words=(None,)),
    Option("constrain", bool),
    Option("temperature", float, 0, above=True),
    Option("device", str, takes='"auto", "cpu", "cuda" ...', saved=False),
    Option("layers", int, 1),
    Option("width", int, 32, test=lambda value: value % 32 == 0, takes="a multiple of 32"),
    Option("rows_at_once", int, 1),
    Option("checkpoint_dir", (str, os.PathLike), words=(None,), takes="a folder", saved=False),
    Option("progress", object, test=lambda value: value is None or callable(value), takes="a function", saved=False),
    Option("verbose", int, 0, saved=False),
)
