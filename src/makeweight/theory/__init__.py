"""Theory as code: risks, weights, how much to add, scaling law, bias correction, and worlds to check them in.

Numpy and scipy only. The text that goes with it, derivations included, is docs/theory.md.
"""

from makeweight.theory.components import Component, GaussianComponent, SphereComponent
from makeweight.theory.logistic import LogisticFit, balanced_weights, fit_logistic, row_scores
from makeweight.theory.worlds import BinaryWorld, CraftWorld, LogisticWorld, biased_world, mirror_world

__all__ = [
    "BinaryWorld",
    "Component",
    "CraftWorld",
    "GaussianComponent",
    "LogisticFit",
    "LogisticWorld",
    "SphereComponent",
    "balanced_weights",
    "biased_world",
    "fit_logistic",
    "mirror_world",
    "row_scores",
]
