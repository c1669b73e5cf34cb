"""How a network learns: the schedule of the rate, the optimisers, and the running mean of its weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from makeweight.errors import MissingDependency
from makeweight.generators.transformer.config import TrainConfig
from makeweight.generators.transformer.labels.config import LabelTrainConfig

__all__ = ["native_dtype"]


def native_dtype() -> torch.dtype:
    """The lowest precision that this processor computes in: emulated bfloat16 takes twenty times as long as float32."""
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


class FullMuon(torch.optim.Muon):
    """Muon whose Newton-Schulz iteration runs in the precision of the weights, not in bfloat16."""

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        """Update the weights; a closure is not called."""
        for group in self.param_groups:
            a, b, c = group["ns_coefficients"]
            for weight in group["params"]:
                buffer = self.state[weight].setdefault("momentum_buffer", torch.zeros_like(weight))
                buffer.lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(buffer, group["momentum"])
                high = len(weight) > weight.shape[1]
                x = update.T if high else update
                x = x / x.norm().clamp(min=group["eps"])
                for _ in range(group["ns_steps"]):
                    gram = x @ x.T
                    x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
                rate = group["lr"] * max(1, len(weight) / weight.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(x.T if high else x, alpha=-rate)


def learning_rate(step: int, fraction: float, config: TrainConfig) -> float:
    """Share of the full learning rate: warm-up by steps, constant, linear fall at the end of the budget.

    `step`: steps done so far. `fraction`: share of the time budget used.

    >>> [round(learning_rate(10_000, f, TrainConfig(decay=0.5)), 2) for f in (0.0, 0.5, 0.75, 1.0)]
    [1.0, 1.0, 0.5, 0.0]
    """
    rise = min(1.0, (step + 1) / config.warmup)
    fall = min(1.0, max(0.0, (1 - fraction) / config.decay))
    return rise * fall


def build_optimisers(model: nn.Module, config: TrainConfig | LabelTrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for everything else."""
    if not hasattr(torch.optim, "Muon"):
        raise MissingDependency(
            "pretraining needs torch.optim.Muon", got=f"torch {torch.__version__}", expected="torch 2.9 or later"
        )
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in model.named_parameters():
        inside = "layers." in name and name.endswith(".weight") and parameter.ndim == 2
        (matrices if inside else rest).append(parameter)
    muon = torch.optim.Muon if torch.cuda.is_available() or native_dtype() is torch.bfloat16 else FullMuon
    return [
        muon(matrices, lr=config.matrix_rate, weight_decay=config.weight_decay, adjust_lr_fn="original"),
        torch.optim.AdamW(rest, lr=config.vector_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay),
    ]


def running_mean(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the update of an exponential mean whose memory grows with it, so that it forgets the start.

    >>> [round(float(running_mean(0.99)(torch.zeros(()), torch.ones(()), n)), 3) for n in (1, 10, 10_000)]
    [0.818, 0.45, 0.01]
    """

    def update(mean: Tensor, current: Tensor, done: Tensor | int) -> Tensor:
        share = min(decay, (1 + int(done)) / (10 + int(done)))
        return share * mean + (1 - share) * current

    return update
