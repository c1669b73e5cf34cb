"""Generators: the protocol, the one accept/reject loop, the registry, and a room per generator."""
