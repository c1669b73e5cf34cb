"""Parameters of a network before its training."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Initial"]


class Initial:
    """Collects arrays by name, in the order in which they are named; a name that comes again replaces its array.

    `rng`: draws them.

    >>> start = Initial(np.random.default_rng(0))
    >>> start.linear("up", 3, 2)
    >>> [(name, value.shape) for name, value in start.single().items()]
    [('up.weight', (2, 3)), ('up.bias', (2,))]
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.arrays: dict[str, np.ndarray] = {}

    def single(self) -> dict[str, np.ndarray]:
        """Return all of them in float32."""
        return {name: value.astype(np.float32) for name, value in self.arrays.items()}

    def constant(self, name: str, value: np.ndarray) -> None:
        """Set an array."""
        self.arrays[name] = value

    def normal(self, name: str, shape: tuple[int, ...], deviation: float) -> None:
        """Draw an array from a normal law around zero."""
        self.arrays[name] = self.rng.normal(0, deviation, shape)

    def norm(self, name: str, width: int) -> None:
        """Begin a normalisation of tokens with no change."""
        self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"] = np.ones(width), np.zeros(width)

    def linear(self, name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        """Draw a linear map, evenly within the inverse root of its inputs."""
        bound = 1 / math.sqrt(inputs)
        self.arrays[f"{name}.weight"] = self.rng.uniform(-bound, bound, (outputs, inputs))
        if bias:
            self.arrays[f"{name}.bias"] = self.rng.uniform(-bound, bound, outputs)

    def small(self, name: str, inputs: int, width: int) -> None:
        """Draw two linear maps."""
        self.linear(f"{name}.0", inputs, width)
        self.linear(f"{name}.2", width, width)

    def silent(self, name: str, inputs: int, outputs: int) -> None:
        """Begin a linear map that says nothing."""
        self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"] = np.zeros((outputs, inputs)), np.zeros(outputs)
