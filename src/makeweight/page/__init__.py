"""Results as one HTML file: no script, nothing loaded from anywhere; for light, dark, phone and paper."""

from makeweight.page.render import render

__all__ = ["render"]
