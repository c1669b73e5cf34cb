"""A network as torch trains it: its parameters as a module, its formulas as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from makeweight.generators.transformer.arrays import Array
from makeweight.generators.transformer.network import Inputs, Layer, Network

__all__ = ["TrainableParameters"]


class TrainableParameters(nn.Module):
    """Parameters, copied, under their names, for optimisers.

    >>> own = TrainableParameters({"up.weight": np.ones((2, 3)), "gain": np.ones(())})
    >>> [(name, value.numel()) for name, value in own.named_parameters()]
    [('gain', 1), ('up.weight', 6)]
    """

    def __init__(self, parameters: Mapping[str, Array], device: torch.device | str = "cpu") -> None:
        super().__init__()
        for name, value in parameters.items():
            *path, leaf = name.split(".")
            module: nn.Module = self
            for part in path:
                if part not in dict(module.named_children()):
                    module.add_module(part, nn.Module())
                module = module.get_submodule(part)
            copy = torch.as_tensor(value, device=device).detach().clone()
            module.register_parameter(leaf, nn.Parameter(copy))

    def rounded(self) -> dict[str, np.ndarray]:
        """Return copies on numpy arrays, rounded to float16 as they are saved."""
        return {name: value.detach().half().float().cpu().numpy() for name, value in self.named_parameters()}


class TrainableNetwork(TrainableParameters):
    """The network that writes rows; call it as the network.

    `compile`: compile the layers (worth it on an accelerator).

    >>> from makeweight.generators.transformer.config import ModelConfig
    >>> from makeweight.generators.transformer.network import untrained
    >>> start = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> sum(p.numel() for p in TrainableNetwork(start).parameters()) > 1000
    True
    """

    def __init__(self, network: Network, device: torch.device | str = "cpu", compile: bool = False) -> None:
        super().__init__(network.parameters, device)
        self.config = network.config
        self.mix: Callable[[Layer, Tensor, Tensor, int], tuple[Tensor, Tensor]] = Layer.mix
        if compile:
            self.mix = torch.compile(Layer.mix, dynamic=True)

    def network(self) -> Network:
        """Return the network of these parameters, which follows them."""
        return Network(self.config, dict(self.named_parameters()))

    def snapshot(self) -> Network:
        """Return a copy on numpy arrays."""
        return Network(self.config, self.rounded())

    def forward(self, inputs: Inputs, rows: int) -> tuple[Tensor, Tensor]:
        """Run all layers: normalised context content (B N D E) and query (B M D E)."""
        return self.network()(inputs, rows, self.mix)
