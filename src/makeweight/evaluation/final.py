"""The model that a comparison ends in: the chosen arm refitted to all rows, calibrated, in a file without pickle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import FileProblem, MissingDependency, OptionError, PlanError
from makeweight.evaluation.arms import ArmSource
from makeweight.evaluation.fitted import Fitted
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.training import Settings, Task, inner_folds, predictions_of
from makeweight.table.containers import to_frame
from makeweight.table.files import check_place, replace_file
from makeweight.table.reading import check_has
from makeweight.theory import fit_calibration
from makeweight.theory.calibration import Calibration

__all__ = ["FinalModel", "SavedModel", "check_skops"]

#: Rows with which a saved file is checked, and how far probabilities may differ.
CHECKED, TOLERANCE = 100, 1e-12
#: Types of these are the package's own, those that scikit-learn is made of, and those of Python itself.
KNOWN = ("makeweight.", "sklearn.", "functools.", "builtins.")


@dataclass(frozen=True)
class SavedModel:
    """A file with a model, and what loads it."""

    file: str
    lines: str  # three lines of Python that load it and use it
    #: types in it that neither this package nor scikit-learn defines; they are to be read before they are trusted
    own_types: tuple[str, ...]

    @property
    def note(self) -> str:
        """What to know of the types that are trusted; empty where all are known."""
        if not self.own_types:
            return ""
        modules = sorted({name.partition(".")[0] for name in self.own_types})
        return (
            f"skops does not know {', '.join(self.own_types)}: read that code, keep it in trusted= if you trust it, "
            f"and have {', '.join(modules)} importable where the file is loaded"
        )


@dataclass(eq=False)
class FinalModel:
    """A classifier for rows as they come, with calibrated probabilities at the observed rate and a threshold.

    Parameters
    ----------
    classes_ : ndarray of shape (k,)
        Labels, in the order of the columns of `predict_proba`.
    case : int
        Position of the rarest class.
    threshold : float
        Least probability of that class for which `predict` raises an alarm. It raises as many as doing nothing does
        today, and may be set to another value.
    columns : tuple
        Features.
    fitted : Fitted
    calibration : Calibration
        From out-of-fold probabilities to the observed shares of the classes.
    estimator, arm : str
        What was fitted.
    rows : DataFrame, optional
        Real rows with which a file is checked; they are not written.

    Examples
    --------
    `Comparison.model` makes one:

    >>> from makeweight.evaluation import Design, compare
    >>> frame = pd.DataFrame({"a": np.arange(80) % 17 / 17, "y": ["no", "yes", "no", "no"] * 20})
    >>> frame.loc[frame["y"] == "yes", "a"] += 1
    >>> model = compare(frame, target="y", estimators=["lr"], arms=["random"], design=Design(splits=2)).model()
    >>> model.predict_proba(pd.DataFrame({"a": [0.3, 1.6]})).shape, model.predict(pd.DataFrame({"a": [1.6]})).tolist()
    ((2, 2), ['yes'])
    """

    classes_: np.ndarray
    case: int
    threshold: float
    columns: tuple[Any, ...]
    fitted: Fitted
    calibration: Calibration
    estimator: str
    arm: str
    rows: pd.DataFrame | None = None

    def __repr__(self) -> str:
        case = f"{self.classes_[self.case]!s} from {self.threshold:.3g} on"
        return f"FinalModel({self.estimator!r}, {self.arm!r}, {len(self.columns)} columns, {case})"

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return calibrated probabilities of shape (n, k).

        Parameters
        ----------
        X : pandas or polars DataFrame, or pyarrow Table
            With the columns of the table but the target; further ones are not read.

        Raises
        ------
        SchemaError
            When a column is missing, or has values that cannot be read.
        """
        frame = to_frame(X)
        check_has(frame, self.columns)
        said = self.fitted.probabilities(frame[list(self.columns)].reset_index(drop=True), len(self.classes_))
        return self.calibration.apply(said)

    def predict(self, X: Any) -> np.ndarray:
        """Return the rarest class where its probability reaches the threshold, and else the likeliest other one."""
        stated = self.predict_proba(X)
        others = stated.copy()
        others[:, self.case] = -1.0
        alarm = stated[:, self.case] >= self.threshold
        return np.asarray(self.classes_[np.where(alarm, self.case, others.argmax(axis=1))])

    def save(self, path: str | Path, *, force: bool = False) -> SavedModel:
        """Write the model with skops, which needs no pickle, and load it again to see that it answers the same.

        Parameters
        ----------
        path : str or Path
        force : bool
            Whether a file that is there is replaced.

        Returns
        -------
        SavedModel
            With the lines that load it.

        Raises
        ------
        MissingDependency
            When skops is not installed.
        OptionError
            When the model has parts that skops cannot write.
        FileProblem
            When the file is there, or cannot be written.
        """
        check_skops()
        import skops.io

        check_place(str(path), force=force)
        try:
            data = skops.io.dumps(self)
            types = skops.io.get_untrusted_types(data=data)
            again = skops.io.loads(data, trusted=types)
            same = self.rows is None or np.allclose(
                again.predict_proba(self.rows), self.predict_proba(self.rows), rtol=0.0, atol=TOLERANCE
            )
        except Exception as error:
            raise _unsaved(self, f"{type(error).__name__}: {error}") from error
        if not same:
            raise _unsaved(self, "the loaded model states other probabilities")
        try:
            replace_file(Path(path), lambda stream: stream.write(data))
        except OSError as error:
            raise FileProblem("cannot write the file", where=str(path), got=error.strerror or str(error)) from error
        lines = (
            "from skops.io import load\n"
            f"model = load({str(path)!r}, trusted={types})\n"
            "model.predict_proba(rows), model.predict(rows)  # rows: a frame with the table's columns but the target"
        )
        return SavedModel(str(path), lines, tuple(name for name in types if not name.startswith(KNOWN)))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"rows": None}


def check_skops() -> None:
    """Refuse to go on without skops."""
    try:
        import skops.io  # noqa: F401 - to see whether it is there
    except ImportError as error:
        raise MissingDependency(
            "to save a model needs skops", got=str(error), hint='pip install "makeweight[skops]"'
        ) from error


def _unsaved(model: FinalModel, reason: str) -> OptionError:
    return OptionError(
        "skops cannot write this model",
        where=f"{model.estimator}, {model.arm}",
        got=reason,
        hint="an estimator of yours keeps numbers, arrays and scikit-learn estimators as attributes, and is defined in "
        "a module; https://skops.readthedocs.io/en/stable/persistence.html",
    )


def final_model(
    problem: EvaluationProblem, settings: Settings, source: ArmSource, estimator: str, alarms: float
) -> FinalModel:
    """Return the one arm of a source, refitted to all rows, and calibrated by fits to inner folds.

    `source`: with the arm alone. `estimator`: a name of the settings. `alarms`: share of the rows for which an alarm is
    raised. Raises PlanError when the arm cannot be fitted to all rows.
    """
    (arm,) = source.arms
    alone = replace(settings, estimators={estimator: settings.estimators[estimator]})
    task = Task(problem, alone, source, -1, -1, keeps=True)
    everything, k = np.arange(len(problem)), len(problem.class_names)
    inner = inner_folds(task, everything)
    features = problem.frame.drop(columns=problem.target)
    out_of_fold = np.empty((len(problem), k))
    for fold in np.unique(inner).tolist():
        fitted = _fit(task, everything[inner != fold], (fold,))
        out_of_fold[inner == fold] = fitted.probabilities(features[inner == fold].reset_index(drop=True), k)
    fitted = _fit(task, everything, ())
    calibration = fit_calibration(out_of_fold, problem.labels)
    case = int(np.bincount(problem.labels).argmin())
    return FinalModel(
        pd.factorize(problem.frame[problem.target], sort=True)[1].to_numpy(),
        case,
        _threshold(calibration.apply(out_of_fold)[:, case], alarms),
        tuple(features.columns),
        fitted if fitted.teacher is None else replace(fitted, teacher=fitted.teacher.lean()),
        calibration,
        estimator,
        arm.name,
        features.iloc[:CHECKED],
    )


def _fit(task: Task, train: np.ndarray, inner: tuple[int, ...]) -> Fitted:
    (answer,) = predictions_of(task, train, train[:1], inner)[0].values()
    if isinstance(answer, str) or answer.fitted is None:
        raise PlanError(
            "the chosen arm cannot be fitted to all rows",
            where=task.source.arms[0].name,
            got=answer if isinstance(answer, str) else "nothing was fitted",
        )
    return answer.fitted


def _threshold(stated: np.ndarray, alarms: float) -> float:
    """Return the probability that a share of the rows reaches.

    >>> _threshold(np.array([0.1, 0.2, 0.6, 0.9]), 0.5)
    0.4
    """
    falling = np.append(np.sort(stated)[::-1], 0.0)
    n = min(max(round(alarms * len(stated)), 1), len(stated))
    return float((falling[n - 1] + falling[n]) / 2)
