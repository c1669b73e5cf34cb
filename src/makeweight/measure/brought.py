"""A classifier of the user's own, by the module or file that holds it and its name there."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from makeweight.errors import OptionError, nearest

__all__ = ["bring_classifier", "is_brought"]

EXAMPLES = "my_module:model, my_module.py:model, or lightgbm:LGBMClassifier"


def is_brought(text: str) -> bool:
    """Return whether a text names a module or file and something in it, rather than one of our own learners.

    >>> is_brought("my_module:model"), is_brought("rf-default")
    (True, False)
    """
    return ":" in text


def bring_classifier(text: str) -> Any:
    """Return the classifier that a text names, unfitted.

    `text`: ``package.module:name``, or ``folder/file.py:name``. The name is that of a classifier, or of a class of
    classifiers, which is made with its defaults. The current folder, or that of the file, is imported from. Returns
    object, with ``fit`` and ``predict_proba``.

    >>> bring_classifier("sklearn.naive_bayes:GaussianNB")
    GaussianNB()
    """
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise OptionError("an estimator is a module and a name", got=repr(text), expected=EXAMPLES)
    module = _file(Path(place)) if place.endswith(".py") else _module(place, Path.cwd())
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            offered = [known for known, held in vars(module).items() if hasattr(held, "predict_proba")]
            raise OptionError(
                "the module has no such classifier", where=place, got=repr(name), hint=nearest(name, offered or [name])
            )
        value = getattr(value, part)
    if isinstance(value, type) and hasattr(value, "predict_proba"):
        value = _instance(value, text)
    missing = [method for method in ("fit", "predict_proba", "get_params") if not hasattr(value, method)]
    if missing:
        lacks = "it lacks " + ", ".join(missing)
        svc = "; an SVC has predict_proba with probability=True" if type(value).__name__.endswith("SVC") else ""
        raise OptionError(
            "this is no classifier with probabilities",
            where=text,
            got=f"{type(value).__name__}, and {lacks}",
            expected="a scikit-learn classifier, unfitted, with fit, predict_proba and get_params",
            hint=f"for example {EXAMPLES}{svc}",
        )
    return value


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise OptionError("no such file of an estimator", where=str(path), hint="name it as my_module.py:model")
    module = _module(path.stem, path.resolve().parent)
    if Path(module.__file__ or "").resolve() != path.resolve():
        raise OptionError(
            "another module has the name of this file",
            where=str(path),
            got=module.__file__,
            hint=f"rename it, for example to my_{path.name}",
        )
    return module


def _module(name: str, folder: Path) -> ModuleType:
    """Import a module; the folder stays on the path, where worker processes look for it, too."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name != error.name and not name.startswith(f"{error.name}."):
            raise OptionError(
                "the module of the estimator needs another one",
                where=name,
                got=str(error),
                hint=f"pip install {error.name}",
            ) from error
        raise OptionError(
            "no such module",
            where=name,
            got=str(error),
            hint=f"looked in the installed packages and in {folder}; a file is named as {name}.py:model",
        ) from error
    except Exception as error:
        raise OptionError(
            "the module of the estimator failed while it was imported",
            where=name,
            got=f"{type(error).__name__}: {error}",
            hint=f"python -c 'import {name}' shows where",
        ) from error


def _instance(kind: type, text: str) -> Any:
    try:
        return kind()
    except TypeError as error:
        raise OptionError(
            "this class cannot be made without arguments",
            where=text,
            got=str(error),
            hint="make one in a file of yours, and name that: my_module.py:model",
        ) from error
