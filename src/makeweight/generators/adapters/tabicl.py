"""Rows by TabICL, one column after the other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from makeweight.generators.adapters.adapter import need
from makeweight.generators.adapters.chain import LEVELS, ROLES, ChainGenerator
from makeweight.generators.gate import Weights

need("tabicl", "torch")

__all__ = ["TabICLGenerator"]

REPOSITORY = "jingang/TabICL"
FILES = dict(zip(ROLES, ("tabicl-classifier-v2-20260212.ckpt", "tabicl-regressor-v2-20260212.ckpt"), strict=True))
LICENCE = "BSD-3-Clause"


class TabICLGenerator(ChainGenerator):
    """TabICL v2, which reads the table as context (``pip install "makeweight[tabicl]"``).

    Label and grouping attributes are given; every other column is drawn from what the pretrained classifier or
    regressor says of it, given those before it.

    Parameters
    ----------
    weights : path, optional
        A folder with one file ``*classifier*.ckpt`` and one ``*regressor*.ckpt``; by default those in the cache
        of the Hugging Face hub, and where there are none, they have to be fetched.
    fetch : bool
        Whether that is allowed; else the generator asks, or refuses where there is nobody to ask.
    max_rows : int
        Rows read as context, as many of every group as there are up to an even share.
    estimators : int
        Views of the table whose answers are averaged.
    device : str
        "cpu", "cuda" ...

    References
    ----------
    Qu, Holzmüller, Varoquaux, Le Morvan, "TabICL: A Tabular Foundation Model for In-Context Learning on Large
    Data", ICML 2025.
    """

    def _source(self, role: str, file: str | None) -> tuple[str, str, Weights]:
        own = file is not None and file not in FILES.values()
        licence, commercial = ("unknown: a file of yours", None) if own else (LICENCE, True)
        origin = os.fspath(self.weights or "") if own else f"https://huggingface.co/{REPOSITORY}"
        name = file or FILES[role]
        return REPOSITORY, FILES[role], Weights(f"TabICL, {name}", licence, commercial, origin)

    def _load(self, paths: dict[str, Path]) -> None:
        self._networks: dict[str, Any] = {}
        for role, path in paths.items():
            estimator = self._estimator(role, path)
            estimator._resolve_device()
            estimator._load_model()
            self._networks[role] = estimator.model_.to(estimator.device_)

    def _estimator(self, role: str, path: Path | None = None) -> Any:
        from tabicl import TabICLClassifier, TabICLRegressor

        kind = TabICLClassifier if role == ROLES[0] else TabICLRegressor
        estimator = kind(
            n_estimators=self.estimators,
            model_path=path,
            allow_auto_download=False,
            device=self.device,
            random_state=self._seed,
            n_jobs=None,
        )
        if path is None:  # loaded already, once for all columns
            estimator.model_ = self._networks[role]
            estimator._load_model = lambda: None
        return estimator

    def _probabilities(self, read: np.ndarray, classes: np.ndarray, asked: np.ndarray) -> np.ndarray:
        return np.asarray(self._estimator(ROLES[0]).fit(read, classes).predict_proba(asked), dtype=np.float64)

    def _quantiles(self, read: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
        regressor = self._estimator(ROLES[1]).fit(read, values)
        quantiles = regressor.predict(asked, output_type="quantiles", alphas=LEVELS.tolist())
        return np.asarray(quantiles, dtype=np.float64)
