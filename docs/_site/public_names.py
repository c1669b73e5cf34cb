"""The public names, by the module they are imported from: what the reference shows and the next version keeps.

python docs/_site/public_names.py > docs/public-names.txt     # once a version is released
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

#: Modules whose ``__all__`` is promised, by heading; a trailing ".*" stands for every module below.
PUBLIC = {
    "Samplers and classifiers": [
        "makeweight",
        "makeweight.sampler",
        "makeweight.resampled",
        "makeweight.synthesizer",
        "makeweight.classifier",
        "makeweight.committee",
    ],
    "Measuring": ["makeweight.evaluation", "makeweight.quality", "makeweight.page"],
    "Tables and plans": [
        "makeweight.table",
        "makeweight.plan",
        "makeweight.rules",
        "makeweight.partitioned",
        "makeweight.progress",
        "makeweight.engine",
        "makeweight.errors",
    ],
    "Generators": [
        "makeweight.generators.transformer.generator",
        "makeweight.generators.smoothed_bootstrap",
        "makeweight.generators.transport",
        "makeweight.generators.resampler",
        "makeweight.generators.auto",
        "makeweight.generators.causal_lm",
        "makeweight.generators.chat",
        "makeweight.generators.adapters.any_object",
    ],
    "Writing a generator": [
        "makeweight.generators.base",
        "makeweight.generators.contract",
        "makeweight.generators.registry",
        "makeweight.generators.frame.options",
        "makeweight.generators.fill",
        "makeweight.generators.generation",
        "makeweight.generators.ledger",
        "makeweight.generators.limits",
    ],
    "Theory": ["makeweight.theory"],
    "Theory of the papers": ["makeweight.theory.published.*"],
    "Published experiments": ["makeweight.experiments"],
}


def modules(patterns: list[str]) -> Iterator[ModuleType]:
    """Yield the modules that a list of patterns stands for."""
    for pattern in patterns:
        module = importlib.import_module(pattern.removesuffix(".*"))
        if not pattern.endswith(".*"):
            yield module
            continue
        for below in pkgutil.iter_modules(module.__path__, module.__name__ + "."):
            yield importlib.import_module(below.name)


def parameters(value: object) -> list[str]:
    """Return the names of the parameters of a function or a constructor."""
    if not callable(value):
        return []
    try:
        return list(inspect.signature(value).parameters)
    except ValueError:
        return []


def public_names() -> dict[str, list[str]]:
    """Return the parameters of every public name."""
    names: dict[str, list[str]] = {}
    for patterns in PUBLIC.values():
        for module in modules(patterns):
            for name in module.__all__:
                names[f"{module.__name__}.{name}"] = parameters(getattr(module, name))
    return names


if __name__ == "__main__":
    import makeweight

    print(f"# makeweight {makeweight.__version__}: public names, each with its parameters.")
    for name, arguments in sorted(public_names().items()):
        print(f"{name}({', '.join(arguments)})" if arguments else name)
