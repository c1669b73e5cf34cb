"""`Synthesizer`: fit a generator to a table, sample rows under conditions, and ask what it knows."""

from makeweight.synthesizer.synthesizer import Synthesizer

__all__ = ["Synthesizer"]
