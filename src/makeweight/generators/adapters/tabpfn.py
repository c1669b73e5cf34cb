"""Rows by TabPFN v2, one column after the other."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from makeweight.generators.adapters.adapter import need
from makeweight.generators.adapters.chain import LEVELS, ROLES, ChainGenerator
from makeweight.generators.gate import Weights

need("tabpfn", "torch")

__all__ = ["TabPFNGenerator"]

SOURCES = {
    "classifier": ("Prior-Labs/TabPFN-v2-clf", "tabpfn-v2-classifier-finetuned-zk73skhh.ckpt"),
    "regressor": ("Prior-Labs/TabPFN-v2-reg", "tabpfn-v2-regressor.ckpt"),
}
#: Of version 2, as the package states it; all later ones have licences that forbid commercial use.
LICENCE = "Prior Labs License (Apache 2.0 with attribution)"
LATER = re.compile(r"tabpfn-(v2\.5|v2\.6|v3\.5|v3|v[4-9])[^/]*")


class TabPFNGenerator(ChainGenerator):
    """TabPFN v2, which reads the table as context (``pip install "makeweight[tabpfn]"``).

    Label and grouping attributes are given; every other column is drawn from what the pretrained classifier or
    regressor says of it, given those before it. A column of more than ten categories is written in two steps.

    Parameters
    ----------
    weights : path, optional
        A folder with one file ``*classifier*.ckpt`` and one ``*regressor*.ckpt``; by default those of version 2
        in the cache of the Hugging Face hub, and where there are none, they have to be fetched.
    fetch : bool
        Whether that is allowed; else the generator asks, or refuses where there is nobody to ask.
    max_rows : int
        Rows read as context, as many of every group as there are up to an even share.
    estimators : int
        Views of the table whose answers are averaged.
    device : str
        "cpu", "cuda" ...

    Notes
    -----
    Version 2 asks for attribution. Files of later versions in `weights` work, and are named in the ledger as what
    they are: their licences forbid commercial use.

    References
    ----------
    Hollmann, Müller, Purucker et al., "Accurate predictions on small data with a tabular foundation model",
    Nature 637, 2025.
    """

    most_classes = 10

    def _source(self, role: str, file: str | None) -> tuple[str, str, Weights]:
        repository, standard = SOURCES[role]
        name = f"TabPFN, {file or standard}"
        origin = f"https://huggingface.co/{repository}"
        later = LATER.match(file or "")
        if later:
            weights = Weights(name, f"TabPFN {later[1]} licence", False, "https://huggingface.co/Prior-Labs")
        elif file is None or file.startswith(f"tabpfn-v2-{role}"):
            weights = Weights(name, LICENCE, True, origin)
        else:
            weights = Weights(name, "unknown: a file of yours", None, os.fspath(self.weights or ""))
        return repository, standard, weights

    def _load(self, paths: dict[str, Path]) -> None:
        """Leave it to the package, which keeps what it loaded."""

    def _estimator(self, role: str) -> Any:
        from tabpfn import TabPFNClassifier, TabPFNRegressor

        kind = TabPFNClassifier if role == ROLES[0] else TabPFNRegressor
        return kind(
            n_estimators=self.estimators,
            model_path=self._paths[role],
            device=self.device,
            categorical_features_indices=self._coded,
            ignore_pretraining_limits=True,
            random_state=self._seed,
        )

    def _probabilities(self, read: np.ndarray, classes: np.ndarray, asked: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(self._estimator(ROLES[0]).fit(read, classes).predict_proba(asked), dtype=np.float64)

    def _quantiles(self, read: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regressor = self._estimator(ROLES[1]).fit(read, values)
            quantiles = regressor.predict(asked, output_type="quantiles", quantiles=LEVELS.tolist())
        return np.stack([np.asarray(entry, dtype=np.float64) for entry in quantiles], axis=1)
