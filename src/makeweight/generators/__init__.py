"""Generators: the protocol, the one accept/reject loop, the registry, and a room per generator."""

#: The generator where none is named.
DEFAULT_GENERATOR = "transformer"
