"""What was fitted: an estimator, the matrix it reads, and the committee that has a say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.committee import Committee, blend
from makeweight.measure.calibration import Calibrator
from makeweight.measure.matrix import Matrix
from makeweight.measure.probabilities import probabilities


@dataclass(frozen=True, eq=False)
class Fitted:
    """One fit, as it answers for any rows."""

    model: Any = None  # a classifier fitted to numbers of classes
    matrix: Matrix | None = None  # what `model` reads; none where it chooses its columns by itself
    teacher: Committee | None = None  # alone, or blended with `model`
    calibrator: Calibrator | None = None  # of the model itself

    def probabilities(self, frame: pd.DataFrame, n_classes: int) -> np.ndarray:
        """Return probabilities of shape (n, k) of rows with the columns that were learned."""
        classes, said = np.arange(n_classes), []
        if self.model is not None:
            said.append(
                probabilities(self.model, frame if self.matrix is None else self.matrix.transform(frame), classes)
            )
        if self.teacher is not None:
            said.append(probabilities(self.teacher, frame, classes))
        both = said[0] if len(said) == 1 else blend(said[0], said[1])
        return both if self.calibrator is None else self.calibrator.apply(both)
