"""Is the synthetic table any good: coded checks with stated limits, and one report of them."""

from makeweight.quality.catalogue import CATALOGUE, DRAWERS, CheckInfo
from makeweight.quality.checks import Check
from makeweight.quality.report import QualityReport
from makeweight.quality.verdict import QualityVerdict

__all__ = ["CATALOGUE", "DRAWERS", "Check", "CheckInfo", "QualityReport", "QualityVerdict"]
