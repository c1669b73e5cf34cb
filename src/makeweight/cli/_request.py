"""What `makeweight balance` is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from makeweight.cli import _options
from makeweight.generators import DEFAULT_GENERATOR

if TYPE_CHECKING:
    from makeweight.generators.fill import Generation, Limits
    from makeweight.plan import Amount, Target
    from makeweight.table.io import TableFile


@dataclass(frozen=True)
class BalanceRequest:
    """What was asked for on the command line; see ``makeweight balance --help``."""

    data: str
    target: str
    group_by: tuple[str, ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    no_header: bool = False
    generator: str = DEFAULT_GENERATOR
    options: dict[str, str] = field(default_factory=dict)
    strategy: str = "auto"
    augment: int = 0
    alpha: float | None = None
    synthetic_weight: float | None = None
    soft_labels: bool = False
    draw_labels: bool = False
    probabilities: bool = False
    output: str = "-"
    synthetic_only: bool = False
    provenance: bool = False
    constraints: tuple[str, ...] = ()
    seed: int | None = None
    copies: Literal["auto", "reject", "accept"] = "auto"
    on_shortfall: Literal["raise", "warn"] = "raise"
    max_seconds: float | None = None
    max_cost: float | None = None
    yes: bool = False
    replay: str | None = None
    jobs: int = 1
    engine: str | None = None
    resume: bool = False
    dry_run: bool = False
    as_json: bool = False
    force: bool = False

    @property
    def adds_weights(self) -> bool:
        """Whether the rows get a column of weights."""
        soft = self.soft_labels and not self.draw_labels
        return soft or self.alpha is not None or self.synthetic_weight is not None

    @property
    def adds_columns(self) -> bool:
        """Whether the rows get columns of makeweight's own."""
        return self.provenance or self.probabilities or self.adds_weights

    @property
    def columns(self) -> Target:
        """The target, and what is stated of the columns."""
        from makeweight.plan import Target

        return Target(self.target, self.group_by, self.kinds)

    @property
    def amount(self) -> Amount:
        """How many rows are wanted."""
        from makeweight.plan import Amount

        strategy = _options.read_strategy(self.strategy)
        return Amount(strategy, self.augment, self.alpha, self.synthetic_weight)

    @property
    def limits(self) -> Limits:
        """What limits hold."""
        from makeweight.generators.fill import Limits

        return Limits(self.copies, self.on_shortfall, self.max_seconds, self.max_cost)


@dataclass(frozen=True)
class BalanceOutcome:
    """What came of a request."""

    request: BalanceRequest
    file: TableFile
    generation: Generation
    seconds: float

    @property
    def n_written(self) -> int:
        """Rows in the output."""
        from makeweight.committee import SoftGeneration

        n_real, generation = len(self.file.frame), self.generation
        if isinstance(generation, SoftGeneration):
            synthetic = int(generation.is_synthetic.sum())
            return synthetic if self.request.synthetic_only else len(generation.is_synthetic)
        return len(generation) + (0 if self.request.synthetic_only else n_real)
