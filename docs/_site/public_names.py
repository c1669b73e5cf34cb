"""The public names, by the module they are imported from: what the reference shows and the next version keeps.

python docs/_site/public_names.py > docs/public-names.txt     # once a version is released
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

#: By heading, modules whose ``__all__`` is promised. "module: name name" promises these alone: what the module exports
#: besides is for other rooms. A trailing ".*" stands for every module below.
PUBLIC = {
    "Samplers and classifiers": [
        "makeweight",
        "makeweight.classifier: CandidateResult ClassifierDecision",
        "makeweight.committee: ClosedForm blend",
    ],
    "Measuring": ["makeweight.evaluation", "makeweight.quality", "makeweight.page: render"],
    "Tables and plans": [
        "makeweight.table",
        "makeweight.plan: Amount Group GroupPlan Groups Plan Target describe_group",
        "makeweight.progress",
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
        "makeweight.generators.fill: fill",
        "makeweight.generators.generation",
        "makeweight.generators.ledger",
        "makeweight.generators.limits",
    ],
    "Theory": ["makeweight.theory"],
    "Theory of the papers": ["makeweight.theory.published.*"],
    "Published experiments": ["makeweight.experiments"],
}


def exports(patterns: list[str]) -> Iterator[tuple[ModuleType, list[str]]]:
    """Yield the modules that a list of patterns stands for, each with its public names."""
    for pattern in patterns:
        path, _, names = pattern.partition(":")
        module = importlib.import_module(path.removesuffix(".*"))
        if not path.endswith(".*"):
            yield module, names.split() or list(module.__all__)
            continue
        for below in pkgutil.iter_modules(module.__path__, module.__name__ + "."):
            inner = importlib.import_module(below.name)
            yield inner, list(inner.__all__)


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
        for module, exported in exports(patterns):
            for name in exported:
                names[f"{module.__name__}.{name}"] = parameters(getattr(module, name))
    return names


if __name__ == "__main__":
    import makeweight

    print(f"# makeweight {makeweight.__version__}: public names, each with its parameters.")
    for name, arguments in sorted(public_names().items()):
        print(f"{name}({', '.join(arguments)})" if arguments else name)
