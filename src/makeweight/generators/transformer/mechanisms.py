"""Where the prior's numbers come from: random graphs, Gaussians per class, clusters.

Each function draws a batch of latent tables at once: B tables, N rows, P nodes (later some of them become
columns). Nodes are roughly standardised. All randomness comes from the generator that is passed in.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Random"]

ACTIVATIONS = 9
LEVELS = 24  # most categories of a discrete node


class Random:
    """Draws on one device from one generator; shorthand for the prior.

    >>> Random(torch.Generator().manual_seed(0)).uniform(2, 3).shape
    torch.Size([2, 3])
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator, self.device = generator, generator.device

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers."""
        return torch.randn(*shape, device=self.device, generator=self.generator)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Draw uniform numbers in [low, high)."""
        return low + (high - low) * torch.rand(*shape, device=self.device, generator=self.generator)

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Draw whole numbers from low to high, both included."""
        return torch.randint(low, high + 1, shape, device=self.device, generator=self.generator)

    def chance(self, probability: float | Tensor, *shape: int) -> Tensor:
        """Draw True with the given probability."""
        return self.uniform(*shape) < probability

    def gumbel(self, *shape: int) -> Tensor:
        """Draw standard Gumbel numbers."""
        return -(-self.uniform(*shape).clamp(1e-9, 1 - 1e-7).log()).log()

    def log_whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Draw whole numbers log-uniformly from low to high, both included."""
        edges = torch.tensor([float(low), high + 1.0]).log().tolist()
        return self.uniform(*shape, low=edges[0], high=edges[1]).exp().floor().long().clamp(low, high)


def standardise(x: Tensor) -> Tensor:
    """Give every node mean 0 and deviation 1 over the rows: (B N P)."""
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True).clamp_min(1e-3)


def noise(random: Random, batch: int, rows: int, nodes: int) -> Tensor:
    """Unit noise, one law per node: normal, Laplace, uniform, Student-like, two bumps."""
    kind = random.uniform(batch, 1, nodes)
    normal = random.normal(batch, rows, nodes)
    u = random.uniform(batch, rows, nodes)
    laplace = -(u - 0.5).sign() * (1 - 2 * (u - 0.5).abs()).clamp_min(1e-6).log() / 1.414
    heavy = normal * (0.4 + 0.6 * random.uniform(batch, rows, nodes).clamp_min(0.02) ** -0.5) / 1.4
    bumps = (normal * 0.45 + (u > random.uniform(batch, 1, nodes, low=0.2, high=0.8)) * 2 - 1) / 1.1
    out = torch.where(kind < 0.62, normal, laplace)
    out = torch.where(kind > 0.74, (u - 0.5) * 3.46, out)
    out = torch.where(kind > 0.84, heavy, out)
    return torch.where(kind > 0.93, bumps, out)


def activate(kind: Tensor, x: Tensor) -> Tensor:
    """Apply one of nine functions per node: kind (B 1 P), x (B N P)."""
    functions = (
        x,
        x.tanh(),
        x.relu(),
        (2 * x).sin(),
        x.abs(),
        (x * x).clamp_max(9),
        (x > 0) + 0.1 * x,
        torch.where(x > 0, x, 0.2 * x),
        x.clamp(-3, 2.5).exp() / 3,
    )
    out = torch.zeros_like(x)
    for number, value in enumerate(functions):
        out = torch.where(kind == number, value, out)
    return out


def thresholds(random: Random, batch: int, nodes: int, levels: Tensor, most: int) -> Tensor:
    """Cut points in (0, 1) for ``levels`` (B P) categories of unequal size: (B P most−1), 2 beyond."""
    evenness = random.uniform(batch, nodes, 1, low=0.2, high=1.5)
    weight = (evenness * random.normal(batch, nodes, most)).exp()
    position = torch.arange(most, device=random.device)
    weight = torch.where(position < levels[..., None], weight, 0)
    cut = weight.cumsum(-1) / weight.sum(-1, keepdim=True)
    return torch.where(position[:-1] < levels[..., None] - 1, cut[..., :-1], 2.0).contiguous()


def cut(x: Tensor, points: Tensor) -> Tensor:
    """Codes of standardised nodes (B N P) cut at normal quantiles (B P K−1): (B N P)."""
    rank = torch.special.ndtr(x).transpose(1, 2).contiguous()
    return torch.searchsorted(points, rank).transpose(1, 2)


def _leaves(random: Random, score: Tensor) -> Tensor:
    """Oblivious trees of depth three over three linear scores (3 B N P): a random value per leaf."""
    batch, nodes = score.shape[1], score.shape[3]
    bits = score > 0.8 * random.normal(3, batch, 1, nodes)
    leaf = bits[0] + 2 * bits[1].long() + 4 * bits[2]
    table = random.normal(batch, 8, nodes)
    return table.gather(1, leaf)


def graph_nodes(random: Random, batch: int, rows: int, nodes: int) -> tuple[Tensor, Tensor]:
    """Structural causal models on random graphs.

    Nodes come in topological blocks. Each is a random function of earlier nodes (linear, one of nine
    activations, a product, a tree) plus noise whose scale may depend on them; some nodes are categories with
    a random effect per level, so that later nodes depend on the category.

    Returns `values`: Tensor, shape (B, N, P). `codes` (Tensor of int, shape (B, N, P)): −1 where the node is not a
    category.

    >>> values, codes = graph_nodes(Random(torch.Generator().manual_seed(0)), 2, 50, 6)
    >>> values.shape, codes.shape
    (torch.Size([2, 50, 6]), torch.Size([2, 50, 6]))
    """
    block = max(1, nodes // 6)
    parents = random.uniform(batch, 1, 1, low=1.0, high=3.5)  # per node, on average
    scale = (random.normal(batch, 1, 1) * 0.8 - 1.5).exp()  # noise of the table
    common = random.whole(0, ACTIVATIONS - 1, batch, 1, 1)
    mixed, discrete = random.uniform(batch, 1, 1), random.uniform(batch, 1, 1) ** 2 * 0.6
    values = random.normal(batch, rows, 0)
    codes: list[Tensor] = []
    for start in range(0, nodes, block):
        size = min(block, nodes - start)
        shape = (batch, 1, size)
        unit = noise(random, batch, rows, size)
        if start == 0:
            new = unit
        else:
            edges = random.chance(parents / start, batch, start, size).float()
            edges[:, -1] = torch.maximum(edges[:, -1], (edges.sum(1) == 0).float() * random.chance(0.9, batch, size))
            # four independent linear scores of the same parents
            weight = random.normal(4, batch, start, size) * edges
            weight = weight / weight.pow(2).sum(2, keepdim=True).sqrt().clamp_min(1e-6)
            score = values @ weight  # 4 B N P
            strength = random.uniform(*shape, low=0.7, high=3.0)
            kind = torch.where(random.chance(mixed, *shape), random.whole(0, ACTIVATIONS - 1, *shape), common)
            mean = activate(kind, strength * score[0] + 0.5 * random.normal(*shape))
            form = random.uniform(*shape)
            product = score[1] * score[2]
            mean = torch.where(form < 0.3, product + (form < 0.18) * mean, mean)
            mean = torch.where(form > 0.82, _leaves(random, score[:3]), mean)
            mean = standardise(mean)
            exact = random.chance(0.12, *shape)
            spread = torch.where(exact, 0.02, scale * random.uniform(*shape, low=0.3, high=1.7))
            uneven = random.chance(0.35, *shape) * random.uniform(*shape, low=0.2, high=0.9)
            total = (1 + spread**2).sqrt()
            new = (mean + spread * (uneven * score[3].clamp(-2, 2)).exp() * unit) / total
        levels = random.log_whole(2, LEVELS, batch, size)
        code = cut(standardise(new), thresholds(random, batch, size, levels, LEVELS))
        effect = torch.gather(random.normal(batch, LEVELS, size), 1, code)
        is_code = random.chance(discrete, *shape).expand_as(code)
        new = torch.where(is_code, standardise(effect), new)
        codes.append(torch.where(is_code, code, -1))
        values = torch.cat([values, new.clamp(-20, 20)], -1)
    return values, torch.cat(codes, -1)


def gaussian_classes(random: Random, batch: int, rows: int, nodes: int, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Gaussians per class that share structure: a common covariance, some shifted means, some scales.

    Returns `values`: Tensor, shape (B, N, P). `labels` (Tensor of int, shape (B, N)): below ``groups`` (B).
    """
    most = int(groups.max().item())
    labels = (random.uniform(batch, rows) * groups[:, None]).long()
    mix = random.normal(batch, nodes, nodes) * (1.2 * random.normal(batch, 1, nodes)).exp()
    mix = mix / mix.pow(2).sum(-1, keepdim=True).sqrt()
    touched = random.chance(random.uniform(batch, 1, 1), batch, 1, nodes)
    strength = random.uniform(batch, 1, 1, low=0.2, high=3.0) / nodes**0.5
    shift = random.normal(batch, most, nodes) * touched * strength * 1.5
    uneven = random.chance(0.5, batch, 1, 1) * random.normal(batch, most, nodes) * 0.35
    own = uneven.exp().gather(1, labels[..., None].expand(-1, -1, nodes))
    means = shift.gather(1, labels[..., None].expand(-1, -1, nodes))
    return random.normal(batch, rows, nodes) @ mix.transpose(1, 2) * own + means, labels


def clusters(random: Random, batch: int, rows: int, nodes: int, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Mixtures of two to ten clusters; every cluster has its own mix of labels.

    Returns `values`: Tensor, shape (B, N, P). `labels`: Tensor of int, shape (B, N).
    """
    most = int(groups.max().item())
    count = random.log_whole(2, 10, batch, 1)
    member = (random.uniform(batch, rows) * count).long()
    index = member[..., None].expand(-1, -1, nodes)
    centre = random.normal(batch, 10, nodes) * random.uniform(batch, 1, 1, low=0.5, high=2.0)
    width = (random.normal(batch, 10, nodes) * 0.4).exp() * random.uniform(batch, 1, 1, low=0.3, high=1.0)
    turn = random.normal(batch, nodes, nodes) / nodes**0.5
    spin = random.chance(0.5, batch, 1, 1) * 1.0
    inner = random.normal(batch, rows, nodes) * width.gather(1, index)
    values = centre.gather(1, index) + (1 - spin) * inner + spin * (inner @ turn)
    taste = random.normal(batch, 10, most) * random.uniform(batch, 1, 1, low=0.5, high=4.0)
    taste = taste.masked_fill(torch.arange(most, device=random.device) >= groups[:, None, None], -torch.inf)
    chance = taste.gather(1, member[..., None].expand(-1, -1, most))
    return standardise(values), (chance + random.gumbel(batch, rows, most)).argmax(-1)
