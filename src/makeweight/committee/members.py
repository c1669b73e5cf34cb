"""The members of a committee: named classifiers, and anything a user brings."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.ensemble import RandomForestClassifier

from makeweight.committee.boosted import BoostedTrees
from makeweight.committee.closed_form import ClosedForm
from makeweight.committee.networks import GeneratorLabels, LabelNetwork, check_label_weights, label_weights
from makeweight.errors import MissingDependency, OptionError, nearest
from makeweight.generators.base import Generator
from makeweight.measure.learners import FrameClassifier, weight_keyword
from makeweight.table import Schema

__all__ = ["Member", "auto_members"]

#: What "auto" takes, where it is installed. Forests with five rows a leaf, extremely randomised trees and other boosted
#: trees add less than .001 of AUROC to these on real tables that are not reported (benchmarks/committee_members.py).
AUTO = ("closed-form", "lr", "rf", "hgb", "hgb-shallow", "network")
#: Rows of a table up to which "auto" has the network. On larger ones it adds .000 ± .001 of AUROC, and takes two
#: fifths of the time of all others.
NETWORK_ROWS = 2_000
#: Share of the prior weight that a member for few rows has, and all of them together have at most.
FEW_SHARE, MOST_FEW = 0.3, 0.6


@dataclass(frozen=True)
class Member:
    """One classifier of a committee."""

    name: str
    make: Callable[[Schema], Any]  # from the schema of the features to an unfitted classifier
    reads_table: bool = True  # whether it gets a frame whose kinds are known, or the rows as they were given
    few: bool = False  # whether it shares between classes what few rows cannot estimate
    reads_context: bool = False  # whether rows are all it learns: new ones are asked of all of them, not fold by fold
    needs: str | None = None  # the package that it needs
    check: Callable[[], None] | None = None  # refuses a member that cannot be fitted here, before anything is
    takes_weights: bool = True


def _on_matrix(build: Callable[[], Any]) -> Callable[[Schema], Any]:
    return lambda schema: FrameClassifier(build(), schema)


def _xgboost() -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(max_depth=3, learning_rate=0.1, n_estimators=100, n_jobs=1)


def _lightgbm() -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(num_leaves=8, n_jobs=1, verbose=-1)


def _catboost() -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(iterations=200, thread_count=1, verbose=False, allow_writing_files=False)


def _in_context(schema: Schema) -> Any:
    from makeweight.generators.transformer.generator import InContextTransformer

    # One column order a fit: a committee averages over its folds, each with an order of its own.
    return GeneratorLabels(schema, InContextTransformer(orders=1))


#: Members by name.
NAMED: Mapping[str, Member] = {
    member.name: member
    for member in (
        Member("closed-form", ClosedForm, few=True),
        Member("lr", lambda schema: FrameClassifier("lr", schema)),
        Member("rf", _on_matrix(lambda: RandomForestClassifier(100, n_jobs=1))),
        Member("rf5", _on_matrix(lambda: RandomForestClassifier(100, min_samples_leaf=5, n_jobs=1))),
        Member("hgb", BoostedTrees),
        Member("hgb-shallow", lambda schema: FrameClassifier("hgb-shallow", schema)),
        Member("xgb", _on_matrix(_xgboost), needs="xgboost"),
        Member("lightgbm", _on_matrix(_lightgbm), needs="lightgbm"),
        Member("catboost", _on_matrix(_catboost), needs="catboost"),
        Member("in-context", _in_context, few=True),
        Member(
            "network", LabelNetwork, few=True, reads_context=True, check=lambda: check_label_weights(label_weights())
        ),
    )
}


def auto_members(n_rows: int) -> tuple[str, ...]:
    """Return the names of the members that "auto" has here for a table of so many rows.

    >>> auto_members(7_200)
    ('closed-form', 'lr', 'rf', 'hgb', 'hgb-shallow')
    """
    quick = (name for name in AUTO if name != "network" or n_rows <= NETWORK_ROWS)
    return tuple(name for name in quick if _is_installed(NAMED[name]))


def _is_installed(member: Member) -> bool:
    return member.needs is None or importlib.util.find_spec(member.needs) is not None


def choose_members(members: str | Sequence[Any], n_rows: int) -> tuple[Member, ...]:
    """Return the members that are asked for, for a table of so many rows.

    >>> [member.name for member in choose_members("auto", 7_200)]
    ['closed-form', 'lr', 'rf', 'hgb', 'hgb-shallow']
    """
    if members != "auto" if isinstance(members, str) else not isinstance(members, Sequence):
        hint = "leave it at 'auto'" if members is None else f"members=[{members!r}]"
        raise OptionError("members is 'auto' or a sequence", got=repr(members), hint=hint)
    chosen = [
        _member(asked, place)
        for place, asked in enumerate(auto_members(n_rows) if isinstance(members, str) else members)
    ]
    names = [member.name for member in chosen]
    if not chosen or len(set(names)) < len(names):
        raise OptionError(
            "a committee has members with different names",
            got=names or "none",
            hint="leave members at 'auto', or give pairs of a name and a classifier",
        )
    return tuple(chosen)


def _member(asked: Any, place: int) -> Member:
    if isinstance(asked, str):
        if asked not in NAMED:
            raise OptionError("unknown member", got=repr(asked), hint=nearest(asked, NAMED))
        member = NAMED[asked]
        if not _is_installed(member):
            raise MissingDependency(f"the member {asked!r} needs {member.needs}", hint=f"pip install {member.needs}")
        if member.check is not None:
            member.check()
        return member
    if isinstance(asked, tuple) and (len(asked) != 2 or not isinstance(asked[0], str)):
        raise OptionError(
            "a member is a name, a classifier, or a pair of a name and a classifier",
            where=f"member {place}",
            got=repr(asked),
            hint='("forest", RandomForestClassifier())',
        )
    name, model = asked if isinstance(asked, tuple) else (f"{type(asked).__name__.lower()}-{place}", asked)
    if isinstance(model, Generator):
        if not hasattr(model, "label"):
            raise OptionError(
                "a generator that is a member can say what a row is",
                where=f"member {place}",
                got=f"{type(model).__name__}, which has no method label",
                hint="take 'in-context', the default generator's network",
            )
        return Member(name, lambda schema: GeneratorLabels(schema, model), few=True)
    if not is_classifier_of_labels(model):
        raise OptionError(
            "a member is a classifier with predict_proba, or a name",
            where=f"member {place}",
            got=type(model).__name__,
            expected=f"one of {', '.join(NAMED)}, or an object",
        )
    takes_weights = weight_keyword(model) is not None
    return Member(name, lambda schema: model, reads_table=False, takes_weights=takes_weights)


def is_classifier_of_labels(model: Any) -> bool:
    """Return whether an object can be cloned, fitted and asked for probabilities.

    >>> is_classifier_of_labels(RandomForestClassifier()), is_classifier_of_labels(RandomForestClassifier)
    (True, False)
    """
    needed = ("get_params", "fit", "predict_proba")
    return not isinstance(model, type) and all(hasattr(model, name) for name in needed)


def prior_weights(members: Sequence[Member]) -> list[float]:
    """Return the members' weights before any row is seen; they sum to one.

    >>> prior_weights(choose_members(["closed-form", "lr", "rf"], 100))
    [0.3, 0.35, 0.35]
    """
    few = sum(member.few for member in members)
    if few in (0, len(members)):
        return [1.0 / len(members)] * len(members)
    share, rest = min(MOST_FEW, few * FEW_SHARE), len(members) - few
    return [share / few if member.few else (1.0 - share) / rest for member in members]
