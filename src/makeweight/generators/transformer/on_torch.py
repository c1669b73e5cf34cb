"""What formulas need of torch beyond its own names."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import (
    Tensor,
    amax,
    amin,
    concatenate,
    cos,
    exp,
    isfinite,
    isnan,
    log,
    maximum,
    minimum,
    sigmoid,
    sin,
    sqrt,
    stack,
    tanh,
    where,
)
from torch.linalg import cholesky, inv
from torch.nn.functional import gelu, linear
from torch.nn.functional import logsigmoid as log_sigmoid
from torch.special import ndtr, ndtri

from makeweight.generators.transformer.on_numpy import VARIANCE, __all__

PART = 32_768  # sequences per attention call: CUDA grids end at 65,535


def array(values: Any, like: Tensor | torch.device | str) -> Tensor:
    """Return values as a tensor where other tensors are, or on a device."""
    return torch.as_tensor(values, device=like.device if isinstance(like, Tensor) else like)


def to_numpy(x: Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a numpy array."""
    return x.detach().cpu().numpy()


def double(x: Tensor) -> Tensor:
    """Return float64."""
    return x.double()


def single(x: Tensor) -> Tensor:
    """Return float32."""
    return x.float()


def whole(x: Tensor) -> Tensor:
    """Return int64."""
    return x.long()


def zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return zeros of the type of another tensor."""
    return like.new_zeros(shape)


def arange(n: int, like: Tensor) -> Tensor:
    """Return whole numbers from 0."""
    return torch.arange(n, device=like.device)


def normal(rng: torch.Generator | np.random.Generator, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return standard normal numbers in float32."""
    if isinstance(rng, np.random.Generator):
        return array(rng.standard_normal(shape, dtype=np.float32), like)
    return torch.randn(shape, device=like.device, generator=rng)


def sort(x: Tensor) -> Tensor:
    """Return numbers in ascending order along the last axis."""
    return x.sort(-1).values


def argsort(x: Tensor) -> Tensor:
    """Return what puts the last axis in ascending order; equals stay in theirs."""
    return x.argsort(stable=True)


def repeat(x: Tensor, times: int) -> Tensor:
    """Return every number of the last axis so many times: (… N) -> (… N·times)."""
    return x[..., None].expand(*x.shape, times).flatten(-2)


def take(x: Tensor, index: Tensor, axis: int) -> Tensor:
    """Return the numbers at an index along an axis; other axes are broadcast."""
    return torch.take_along_dim(x, index, axis)


def sum_at(index: Tensor, amount: Tensor, size: int) -> Tensor:
    """Return sums of amounts (… N) per index (… N) along the last axis: (… size)."""
    return amount.new_zeros(*index.shape[:-1], size).scatter_add(-1, index, amount.expand(index.shape))


def searchsorted(values: Tensor, wanted: Tensor, side: str) -> Tensor:
    """Return where to put wanted numbers (… M) among sorted ones (… N)."""
    return torch.searchsorted(values.contiguous(), wanted.contiguous(), side=side)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Return probabilities over an axis."""
    return x.softmax(axis)


def log_softmax(x: Tensor) -> Tensor:
    """Return log-probabilities over the last axis."""
    return x.log_softmax(-1)


def logsumexp(x: Tensor) -> Tensor:
    """Return the logarithm of the sum of exponentials over the last axis."""
    return x.logsumexp(-1)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """Return x (… E) over its root mean square, times a weight."""
    return F.rms_norm(x, weight.shape, weight)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x (… E) drawn to mean 0 and variance 1, times a weight, plus a bias."""
    return F.layer_norm(x, weight.shape, weight, bias, VARIANCE)


def attend(q: Tensor, keys: Tensor, values: Tensor, *, causal: bool = False, hidden: Tensor | None = None) -> Tensor:
    """Return attention over sequences: q (… T F), keys and values (… J F), and what is added to the logits (T J)."""
    first, second, third = (x.flatten(0, 1) for x in (q, keys, values))
    mixed = [
        F.scaled_dot_product_attention(first[at], second[at], third[at], attn_mask=hidden, is_causal=causal)
        for at in (slice(start, start + PART) for start in range(0, len(first), PART))
    ]
    return (mixed[0] if len(mixed) == 1 else torch.cat(mixed)).reshape(q.shape)


def inverse_factor(x: Tensor) -> Tensor:
    """Return the inverse of the Cholesky factor of positive definite matrices (… N N)."""
    unit = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device).expand(x.shape)
    inverse: Tensor = torch.linalg.solve_triangular(cholesky(x), unit, upper=False)
    return inverse
