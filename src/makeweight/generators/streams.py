"""The stream of random numbers of every round: of seed, group, purpose and round alone."""

from __future__ import annotations

import hashlib

import numpy as np

from makeweight.plan import Group, Purpose

__all__ = ["account_of"]

PURPOSES: tuple[Purpose, ...] = ("balance", "augment")


def stream(seed: np.random.SeedSequence, group: Group, purpose: Purpose, round_: int) -> np.random.SeedSequence:
    """Return the seed of one round: of nothing but the seed, the group, the purpose and the round."""
    text = repr([None if value is None else str(value) for value in group])
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, digest, PURPOSES.index(purpose), round_))


def account_of(rng: np.random.Generator) -> tuple[object, int] | None:
    """Tell the rounds of one account apart: a key of seed, group and purpose, and the round.

    >>> seed = np.random.SeedSequence(7)
    >>> rounds = [np.random.default_rng(stream(seed, ("a",), "balance", k)) for k in (0, 1)]
    >>> (first, zero), (second, one) = [account_of(rng) for rng in rounds]
    >>> first == second, zero, one
    (True, 0, 1)
    """
    seed = rng.bit_generator.seed_seq
    if not isinstance(seed, np.random.SeedSequence) or len(seed.spawn_key) < 3:
        return None
    return (seed.entropy, *seed.spawn_key[:-1]), int(seed.spawn_key[-1])
