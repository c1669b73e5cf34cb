"""Generators: the protocol, the one accept/reject loop, the registry, and a room per generator."""

#: The generator where none is named.
DEFAULT_GENERATOR = "transformer"
#: The one for rows that a teacher labels, where none is named: who writes those hardly matters, and it takes no time.
TAUGHT_GENERATOR = "smoothed-bootstrap"
