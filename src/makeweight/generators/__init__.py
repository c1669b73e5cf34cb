"""Generators: the protocol, the one accept/reject loop, the registry, and a room per generator."""

#: The generator where none is named.
DEFAULT_GENERATOR = "transformer"
#: The one that takes next to no time: named where another takes long, and for rows that a teacher labels where none is
#: named, since who writes those hardly matters.
QUICK_GENERATOR = "smoothed-bootstrap"
