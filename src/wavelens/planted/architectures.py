"""Small networks of different kinds for planted tasks, over one, two and three axes, and over points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
POOLS = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
MEANS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
WIDTHS = (12, 16, 24)  # channels of the three convolutions
TOKENS, HEADS = 32, 4  # features of a token, and heads of its attention
NEIGHBOURS = 8  # of a point


def _stem(axes: int, channels: int) -> nn.Sequential:
    """Three convolutions with ReLU, of which the first and the last halve the signal."""
    conv, (a, b, c) = CONVOLUTIONS[axes - 1], WIDTHS
    return nn.Sequential(
        conv(channels, a, 5, 2, 2), nn.ReLU(), conv(a, b, 3, 1, 1), nn.ReLU(), conv(b, c, 3, 2, 1), nn.ReLU()
    )


def convolutions_max(axes: tuple[int, ...], channels: int, classes: int) -> nn.Module:
    """Three convolutions and a global maximum."""
    n = len(axes)
    return nn.Sequential(_stem(n, channels), POOLS[n - 1](1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))


def convolutions_mean(axes: tuple[int, ...], channels: int, classes: int) -> nn.Module:
    """Three convolutions and a global mean."""
    n = len(axes)
    return nn.Sequential(_stem(n, channels), MEANS[n - 1](1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))


class Block(nn.Module):
    """Two convolutions with batch norms, added to their input."""

    def __init__(self, axes: int, width: int) -> None:
        super().__init__()
        conv, norm = CONVOLUTIONS[axes - 1], NORMS[axes - 1]
        self.inner = nn.Sequential(
            conv(width, width, 3, 1, 1, bias=False), norm(width), nn.ReLU(), conv(width, width, 3, 1, 1, bias=False)
        )
        self.norm, self.relu = norm(width), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(x + self.norm(self.inner(x)))
        return y


def residual(axes: tuple[int, ...], channels: int, classes: int) -> nn.Module:
    """A small residual network with batch norms, a stride of two twice, and a global mean."""
    n, (a, _, c) = len(axes), WIDTHS
    conv, norm = CONVOLUTIONS[n - 1], NORMS[n - 1]
    return nn.Sequential(
        nn.Sequential(conv(channels, a, 5, 2, 2, bias=False), norm(a), nn.ReLU()),
        nn.Sequential(conv(a, c, 3, 2, 1, bias=False), norm(c), nn.ReLU()),
        Block(n, c),
        Block(n, c),
        MEANS[n - 1](1),
        nn.Flatten(),
        nn.Linear(c, classes),
    )


class Transformer(nn.Module):
    """Overlapping patches as tokens with learnt places, two blocks of attention, and the mean of the tokens."""

    def __init__(self, axes: tuple[int, ...], channels: int, classes: int) -> None:
        super().__init__()
        stride = 8 if len(axes) < 3 else 4
        self.patches = CONVOLUTIONS[len(axes) - 1](channels, TOKENS, 2 * stride, stride, stride // 2)
        places = self.patches(torch.zeros(1, channels, *axes)).flatten(2).shape[-1]
        self.places = nn.Parameter(0.02 * torch.randn(places, TOKENS))
        block = [
            nn.TransformerEncoderLayer(TOKENS, HEADS, 2 * TOKENS, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(2)
        ]
        self.blocks = nn.Sequential(*block)
        self.norm, self.head = nn.LayerNorm(TOKENS), nn.Linear(TOKENS, classes)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.blocks(self.patches(x).flatten(2).mT + self.places)
        logits: Tensor = self.head(self.norm(tokens).mean(1))
        return logits


class Recurrent(nn.Module):
    """Three convolutions, the maximum over all axes but the last, and a GRU that reads along it."""

    def __init__(self, axes: tuple[int, ...], channels: int, classes: int) -> None:
        super().__init__()
        self.stem = _stem(len(axes), channels)
        self.reader = nn.GRU(WIDTHS[-1], TOKENS, batch_first=True)
        self.head = nn.Linear(TOKENS, classes)

    def forward(self, x: Tensor) -> Tensor:
        features = self.stem(x)
        lines = features.flatten(2, -2).amax(2) if features.ndim > 3 else features
        states, _ = self.reader(lines.mT)
        logits: Tensor = self.head(states[:, -1])
        return logits


class Points(nn.Module):
    """Each point's nearest neighbours as differences, a small network on each, and global pooling (after DGCNN)."""

    def __init__(self, pooling: str, channels: int, classes: int) -> None:
        super().__init__()
        self.pooling = pooling
        self.edges = nn.Sequential(nn.Linear(channels, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU())
        self.point = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        points = x.mT
        near = torch.cdist(points[..., :2], points[..., :2]).topk(NEIGHBOURS + 1, largest=False).indices
        rows = torch.arange(len(x), device=x.device)[:, None, None]
        edges = self.edges(points[rows, near] - points[:, :, None])
        features = self.point(torch.cat([edges.mean(2), edges.amax(2)], -1))
        pooled = features.amax(1) if self.pooling == "max" else features.mean(1)
        logits: Tensor = self.head(pooled)
        return logits


def points_max(axes: tuple[int, ...], channels: int, classes: int) -> nn.Module:
    """Neighbourhoods of points and a global maximum."""
    return Points("max", channels, classes)


def points_mean(axes: tuple[int, ...], channels: int, classes: int) -> nn.Module:
    """Neighbourhoods of points and a global mean."""
    return Points("mean", channels, classes)


Architecture = Callable[[tuple[int, ...], int, int], nn.Module]
ON_GRIDS: dict[str, Architecture] = {
    "convolutions, max": convolutions_max,
    "convolutions, mean": convolutions_mean,
    "residual": residual,
    "transformer": Transformer,
    "recurrent": Recurrent,
}
ON_POINTS: dict[str, Architecture] = {"points, max": points_max, "points, mean": points_mean}
ARCHITECTURES = ON_GRIDS | ON_POINTS
"""The networks that are trained on planted tasks, by name: functions of a task."""
