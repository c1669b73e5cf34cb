"""What is said of every generator, and which ones are built in."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from makeweight.errors import MissingDependency
from makeweight.generators.base import Generator
from makeweight.generators.frame.options import OptionRow, options_of

#: What setting a generator to work takes: next to nothing, seconds in which a network that was trained
#: beforehand reads the table, the training of a model, or a paid service.
CostClass = Literal["instant", "pretrained", "trains", "remote"]


@dataclass(frozen=True)
class GeneratorInfo:
    """What a user should know before choosing a generator.

    Parameters
    ----------
    name : str
    summary, needs, good_for : str
        One line each.
    home : str
        ``module:class``.
    preset : mapping
        Constructor arguments that the name stands for.
    extra : str or None
        The optional extra of this package that installs what it needs.
    origin : str
        The package it comes from.
    problem : str or None
        Why it cannot be used here; None where it can.
    cost_class : {"instant", "pretrained", "trains", "remote"}
        Whether it is ready at once, has a pretrained network read the table for some seconds, trains a model
        on the table, or asks a service that may cost money.
    licence : str or None
        Of another package, or of pretrained weights, where it asks for more than to be named.
    """

    name: str
    summary: str
    needs: str
    good_for: str
    home: str
    preset: Mapping[str, Any] = field(default_factory=dict)
    extra: str | None = None
    origin: str = "makeweight"
    problem: str | None = None
    cost_class: CostClass = "instant"
    licence: str | None = None

    @property
    def usable(self) -> bool:
        """Whether it can be used here."""
        return self.problem is None

    def options(self) -> tuple[OptionRow, ...]:
        """Return what can be set with ``--option NAME=VALUE``.

        Raises
        ------
        MissingDependency
            When a package that it needs is not installed.
        """
        return tuple(row for row in options_of(self.load()) if row.name not in self.preset)

    def load(self) -> type[Generator]:
        """Import the class.

        Raises
        ------
        MissingDependency
            When a package that it needs is not installed.
        """
        module, _, name = self.home.partition(":")
        try:
            return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
        except ImportError as error:
            fix = f'pip install "makeweight[{self.extra}]"' if self.extra else f"install {error.name}"
            hint = f"{fix}, or choose another generator"
            raise MissingDependency(
                f"generator {self.name!r} needs a package that is not installed", got=str(error), hint=hint
            ) from error


# A table here, and not attributes of the classes: listing generators must import neither torch nor a client.
_RESAMPLER = "makeweight.generators.resampler:Resampler"
_SDV = "makeweight.generators.adapters.sdv:SDVGenerator"
_BUSL = "SDV: Business Source License 1.1, which limits use in production"
BUILT_IN = (
    GeneratorInfo(
        "transformer",
        "rows by a small transformer that was pretrained on synthetic tables and reads yours as context",
        "no download, no training; one row per group",
        "tables up to some ten thousand rows; few rare rows, columns whose relations all groups share",
        "makeweight.generators.transformer.generator:InContextTransformer",
        cost_class="pretrained",
    ),
    GeneratorInfo(
        "smoothed-bootstrap",
        "real rows moved by noise with the covariance of the whole table",
        "one row per group",
        "large tables, a quick answer; the reference that others have to beat",
        "makeweight.generators.smoothed_bootstrap:SmoothedBootstrap",
    ),
    GeneratorInfo(
        "transport",
        "rows of the largest group, moved to the mean and covariance of the group",
        "one row per group",
        "heavy tails and clusters that all groups share; the cheap rival of a learned generator",
        "makeweight.generators.transport:TransportGenerator",
    ),
    GeneratorInfo(
        "random",
        "exact copies of real rows",
        "one row per group",
        "a baseline; the same as weighting rows",
        _RESAMPLER,
        {"method": "random"},
    ),
    GeneratorInfo(
        "smote",
        "points between a row and one of its nearest neighbours",
        "two rows per group",
        "numeric tables; a baseline",
        _RESAMPLER,
        {"method": "smote"},
    ),
    GeneratorInfo(
        "smotenc",
        "SMOTE with the neighbours' most frequent categories",
        "two rows per group, one numeric column",
        "mixed tables; a baseline",
        _RESAMPLER,
        {"method": "smotenc"},
    ),
    GeneratorInfo(
        "borderline-smote",
        "SMOTE from rows whose neighbours are mostly of other groups",
        "two rows per group",
        "numeric tables with overlapping groups",
        _RESAMPLER,
        {"method": "borderline-smote"},
    ),
    GeneratorInfo(
        "adasyn",
        "SMOTE with more rows where other groups are near",
        "two rows per group",
        "numeric tables with overlapping groups",
        _RESAMPLER,
        {"method": "adasyn"},
    ),
    GeneratorInfo(
        "auto",
        "rows by the transformer or the smoothed bootstrap, whichever finds held-out real rows likelier",
        "seconds to compare",
        "when you do not know which; the generation's notes say which was taken and why",
        "makeweight.generators.auto:AutoGenerator",
        cost_class="pretrained",
    ),
    GeneratorInfo(
        "causal-lm",
        "a causal language model, fine-tuned on rows written as sentences",
        "a download, or model=scratch; minutes to train",
        "free text, meaningful names and categories, groups without rows",
        "makeweight.generators.causal_lm:CausalLMGenerator",
        extra="hf",
        cost_class="trains",
    ),
    GeneratorInfo(
        "chat",
        "rows by a prompted chat model, with fresh real rows as examples in every request",
        "an endpoint that speaks the chat-completions protocol, and a model's name",
        "few rows, columns whose names and values mean something, free text",
        "makeweight.generators.chat:ChatGenerator",
        extra="chat",
        cost_class="remote",
    ),
    GeneratorInfo(
        "gaussian-copula",
        "SDV's Gaussian copula, told the group",
        "seconds to train",
        "numeric tables without clusters; a baseline",
        _SDV,
        {"method": "gaussian-copula"},
        extra="sdv",
        cost_class="trains",
        licence=_BUSL,
    ),
    GeneratorInfo(
        "ctgan",
        "SDV's CTGAN; rows of other groups are rejected and counted",
        "minutes to train",
        "a baseline of large tables",
        _SDV,
        {"method": "ctgan"},
        extra="sdv",
        cost_class="trains",
        licence=_BUSL,
    ),
    GeneratorInfo(
        "tvae",
        "SDV's TVAE; rows of other groups are rejected and counted",
        "minutes to train",
        "a baseline of large tables",
        _SDV,
        {"method": "tvae"},
        extra="sdv",
        cost_class="trains",
        licence=_BUSL,
    ),
    GeneratorInfo(
        "mostlyai",
        "MOSTLY AI's TabularARGN, told the group by seed data",
        "minutes to train",
        "large tables with many categories",
        "makeweight.generators.adapters.mostlyai:MostlyAIGenerator",
        extra="mostlyai",
        cost_class="trains",
    ),
    GeneratorInfo(
        "arf",
        "an adversarial random forest of arfpy, told the group by its leaves",
        "seconds to train, five rows a leaf",
        "mixed tables of some thousand rows",
        "makeweight.generators.adapters.arf:ARFGenerator",
        extra="arf",
        cost_class="trains",
    ),
    GeneratorInfo(
        "tabicl",
        "TabICL, pretrained: every column given the group and the columns before it",
        "weights at hand, or a download that it asks for; a GPU helps",
        "small tables, when time does not count",
        "makeweight.generators.adapters.tabicl:TabICLGenerator",
        extra="tabicl",
        cost_class="pretrained",
    ),
    GeneratorInfo(
        "tabpfn",
        "TabPFN v2, pretrained: every column given the group and the columns before it",
        "weights at hand, or a download that it asks for; a GPU helps",
        "small tables, when time does not count",
        "makeweight.generators.adapters.tabpfn:TabPFNGenerator",
        extra="tabpfn",
        cost_class="pretrained",
        licence="weights of TabPFN: v2 asks for attribution (Prior Labs License), later ones forbid commercial use",
    ),
)
