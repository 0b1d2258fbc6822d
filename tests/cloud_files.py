"""Clouds that tests make, and a model of one's own that tells rough ones from smooth ones."""

import numpy as np
import torch

from wavelens.frontends import Cloud

MODEL = '''
import torch
from torch import nn


class Roughness(nn.Module):
    """Two logits, smooth and rough: how far points lie from the middle of their six nearest."""

    def forward(self, x):
        points = x.mT
        near = torch.cdist(points, points).topk(7, largest=False).indices[:, :, 1:]
        rows = torch.arange(len(x))[:, None, None]
        off = (points - points[rows, near].mean(2)).square().sum(2).mean(1)
        return torch.stack([1 - 20 * off, 20 * off], 1)


def net():
    return Roughness()


def grown():
    import wavelens as wl

    takes = wl.models.Points((3, 60), centre="mean", scale="radius")
    return wl.models.LoadedModel(Roughness().eval(), ("smooth", "rough"), takes, "forms:grown")
'''


def bumpy(points=80, seed=0, unit="m", scale=3.0, dtype=torch.float32) -> Cloud:
    """Points on a sphere with bumps, in metres."""
    source = torch.Generator().manual_seed(seed)
    rays = torch.randn(1, 3, points, generator=source, dtype=torch.float64)
    rays = rays / rays.norm(dim=1, keepdim=True)
    bumps = 1 + 0.2 * (9 * rays[:, :1]).sin() * (7 * rays[:, 1:2] + 1).sin()
    return Cloud((scale * rays * bumps).to(dtype), unit)


def turned(seed=0) -> torch.Tensor:
    """A rotation of space."""
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    q = q * r.diagonal().sign()
    return q * torch.linalg.det(q).sign()


def as_rows(cloud: Cloud) -> np.ndarray:
    """The points in the file's coordinates, `(points, 3)`, in an order of their own."""
    rows = cloud.data[0].T.double().numpy() + np.array(cloud.origin)
    return rows[np.lexsort(rows.round(4).T)]
