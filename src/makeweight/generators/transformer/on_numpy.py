"""What formulas need of numpy beyond its own names: blocks that stay in the cache, and few temporaries."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy import (
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
    sin,
    sort,
    sqrt,
    stack,
    tanh,
    where,
)
from numpy.linalg import cholesky, inv
from scipy.linalg import lapack
from scipy.special import ndtr, ndtri

__all__ = [
    "amax",
    "amin",
    "arange",
    "argsort",
    "array",
    "attend",
    "cholesky",
    "concatenate",
    "cos",
    "double",
    "exp",
    "gelu",
    "inv",
    "inverse_factor",
    "isfinite",
    "isnan",
    "layer_norm",
    "linear",
    "log",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "maximum",
    "minimum",
    "ndtr",
    "ndtri",
    "normal",
    "repeat",
    "rms_norm",
    "searchsorted",
    "sigmoid",
    "sin",
    "single",
    "softmax",
    "sort",
    "sqrt",
    "stack",
    "sum_at",
    "take",
    "tanh",
    "to_numpy",
    "where",
    "whole",
    "zeros",
]

EPSILON = float(np.finfo(np.float32).eps)
#: Added to the variance of a token.
VARIANCE = 1e-5
#: Exponents of attention within these limits neither overflow nor vanish: no maximum has to be looked for.
SAFE = 50.0
#: Logits of attention worked on at once: half a mebibyte.
ATTENDED = 131_072
#: So few queries are multiplied one by one: a product of a matrix and a vector reads keys at the speed of the memory.
FEW = 2
#: Matrices of more than twice so many rows are inverted by halves.
HALF = 24
#: erf(z) ≈ tanh(z · polynomial in z²); GELU is then within 6e-6 of the exact one.
ERF = (1.1283581735237849, 0.10293289698821487, -0.0004967779020981523, -0.0004151579866514651, 3.224659758060847e-05)
GELU = tuple(coefficient / math.sqrt(2) / 2**power for power, coefficient in enumerate(ERF))
Numbers: TypeAlias = Any


def array(values: Numbers, like: Numbers) -> Numbers:
    """Return values where other arrays of their kind are."""
    return values


def to_numpy(x: Numbers) -> Numbers:
    """Return a numpy array."""
    return x


def double(x: Numbers) -> Numbers:
    """Return float64."""
    return x.astype(np.float64)


def single(x: Numbers) -> Numbers:
    """Return float32."""
    return x.astype(np.float32, copy=False)


def whole(x: Numbers) -> Numbers:
    """Return int64."""
    return x.astype(np.int64)


def zeros(shape: tuple[int, ...], like: Numbers) -> Numbers:
    """Return zeros of the type of another array."""
    return np.zeros(shape, like.dtype)


def arange(n: int, like: Numbers) -> Numbers:
    """Return whole numbers from 0."""
    return np.arange(n)


def normal(rng: np.random.Generator, shape: tuple[int, ...], like: Numbers) -> Numbers:
    """Return standard normal numbers in float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def argsort(x: Numbers) -> Numbers:
    """Return what puts the last axis in ascending order; equals stay in theirs."""
    return np.argsort(x, axis=-1, kind="stable")


def repeat(x: Numbers, times: int) -> Numbers:
    """Return every number of the last axis so many times: (… N) -> (… N·times)."""
    return np.repeat(x, times, axis=-1)


def take(x: Numbers, index: Numbers, axis: int) -> Numbers:
    """Return the numbers at an index along an axis; other axes are broadcast."""
    return np.take_along_axis(x, index, axis)


def sum_at(index: Numbers, amount: Numbers, size: int) -> Numbers:
    """Return sums of amounts (… N) per index (… N) along the last axis: (… size)."""
    lead = index.shape[:-1]
    count = math.prod(lead)
    place = index.reshape(count, index.shape[-1]) + size * np.arange(count)[:, None]
    amount = np.broadcast_to(amount, index.shape)
    sums = np.bincount(place.ravel(), amount.ravel(), minlength=count * size)
    return sums.astype(amount.dtype).reshape(*lead, size)


def searchsorted(values: Numbers, wanted: Numbers, side: str) -> Numbers:
    """Return where to put wanted numbers (… M) among sorted ones (… N)."""
    lead = wanted.shape[:-1]
    out = np.empty(wanted.shape, np.int64)
    for at in np.ndindex(lead):
        out[at] = values[at].searchsorted(wanted[at], side=side)
    return out


def softmax(x: Numbers, axis: int = -1) -> Numbers:
    """Return probabilities over an axis."""
    out = x - x.max(axis, keepdims=True)
    np.exp(out, out=out)
    out /= out.sum(axis, keepdims=True)
    return out


def log_softmax(x: Numbers) -> Numbers:
    """Return log-probabilities over the last axis."""
    out = x - x.max(-1, keepdims=True)
    out -= np.log(np.exp(out).sum(-1, keepdims=True))
    return out


def logsumexp(x: Numbers) -> Numbers:
    """Return the logarithm of the sum of exponentials over the last axis; −inf of nothing."""
    top = x.max(-1, keepdims=True)
    top[~np.isfinite(top)] = 0
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - top).sum(-1)) + top[..., 0]


def sigmoid(x: Numbers) -> Numbers:
    """Return 1 / (1 + exp(−x))."""
    out: Numbers = 0.5 * np.tanh(0.5 * x) + 0.5
    return out


def log_sigmoid(x: Numbers) -> Numbers:
    """Return the logarithm of the sigmoid."""
    out: Numbers = np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))
    return out


def gelu(x: Numbers) -> Numbers:
    """Return x · Φ(x)."""
    square = x * x
    out = square * np.float32(GELU[-1])
    for coefficient in GELU[-2:0:-1]:
        out += np.float32(coefficient)
        out *= square
    out += np.float32(GELU[0])
    out *= x
    np.tanh(out, out=out)
    out += 1
    out *= x
    out *= np.float32(0.5)
    return out


def linear(x: Numbers, weight: Numbers, bias: Numbers | None = None) -> Numbers:
    """Return x (… E) times a weight (K E), plus a bias: one product of two matrices."""
    out = x.reshape(-1, x.shape[-1]) @ weight.T
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight))


def rms_norm(x: Numbers, weight: Numbers) -> Numbers:
    """Return x (… E) over its root mean square, times a weight."""
    squares = np.einsum("...e,...e->...", x, x)[..., None]
    squares /= x.shape[-1]
    squares += EPSILON
    out = x / np.sqrt(squares, out=squares)
    out *= weight
    return out


def layer_norm(x: Numbers, weight: Numbers, bias: Numbers) -> Numbers:
    """Return x (… E) drawn to mean 0 and variance 1, times a weight, plus a bias."""
    out = x - x.mean(-1, keepdims=True)
    variance = np.einsum("...e,...e->...", out, out)[..., None]
    variance /= x.shape[-1]
    variance += VARIANCE
    out /= np.sqrt(variance, out=variance)
    out *= weight
    out += bias
    return out


def attend(
    q: Numbers, keys: Numbers, values: Numbers, *, causal: bool = False, hidden: Numbers | None = None
) -> Numbers:
    """Return attention over sequences: q (… T F), keys and values (… J F), and what is added to the logits (T J)."""
    q = q * np.float32(1 / math.sqrt(q.shape[-1]))
    times, seen = q.shape[-2], keys.shape[-2]
    if causal:
        hidden = np.triu(np.full((times, seen), -np.inf, q.dtype), 1)
    out = np.empty((*q.shape[:-1], values.shape[-1]), q.dtype)
    together = max(1, ATTENDED // max(1, times * seen))  # sequences whose logits stay in the cache
    one = np.ones((seen, 1), q.dtype)
    heads = q.shape[-3]
    step = max(1, together // heads), min(heads, together)
    for at in np.ndindex(q.shape[:-4]):
        for start in range(0, q.shape[-4], step[0]):
            for head in range(0, heads, step[1]):
                here = (*at, slice(start, start + step[0]), slice(head, head + step[1]))
                out[here] = _attend(q[here], keys[here], values[here], hidden, one)
    return out


def _attend(q: Numbers, keys: Numbers, values: Numbers, hidden: Numbers | None, one: Numbers) -> Numbers:
    if q.shape[-2] <= FEW:
        logits = (keys[..., None, :, :] @ q[..., None])[..., 0]
    else:
        logits = q @ keys.swapaxes(-1, -2)
    safe = logits.max(initial=-np.inf) < SAFE and logits.min(initial=np.inf) > -SAFE
    if hidden is not None:
        logits += hidden
    if not safe:
        logits -= logits.max(-1, keepdims=True)
    np.exp(logits, out=logits)
    out = logits @ values
    out /= logits @ one
    return out


def inverse_factor(x: Numbers) -> Numbers:
    """Return the inverse of the Cholesky factor of positive definite matrices (… N N), in their place.

    Large ones go by halves, since products of matrices are quicker than LAPACK's own steps.
    """
    half = x.shape[-1] // 2
    if half > HALF:
        first, last = x[..., :half, :half], x[..., half:, half:]
        first = inverse_factor(first)
        below = x[..., half:, :half] @ first.swapaxes(-1, -2)
        last -= below @ below.swapaxes(-1, -2)
        np.negative(inverse_factor(last) @ (below @ first), out=x[..., half:, :half])
        x[..., :half, half:] = 0
        return x
    double = x.dtype == np.float64
    factor, invert = (lapack.dpotrf, lapack.dtrtri) if double else (lapack.spotrf, lapack.strtri)
    for at in np.ndindex(x.shape[:-2]):
        # a lower factor in rows is an upper one in columns, as LAPACK has them
        upper, failed = factor(x[at].T, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError("the matrix is not positive definite")
        x[at] = invert(upper, overwrite_c=1)[0].T
    return x
