"""PhaseNet (Zhu and Beroza, 2019): noise, P or S at each sample of a seismogram of three components."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from wavelens.models.loaded import Parts, Variant
from wavelens.models.preparations.series import Traces
from wavelens.models.weights import without_weights

RATE, SAMPLES = 100.0, 3000  # Hz, and the half minute that it was trained on
COMPONENTS = ("E", "N", "Z")
PHASES = ("noise", "P", "S")
WIDTHS = (8, 16, 32, 64, 128)
KERNEL, STRIDE = 7, 4
EPSILON = 1e-3  # of batch norms, TensorFlow's


class PhaseNet(nn.Module):
    """Components `(batch, 3, samples)` at 100 Hz, each with mean 0 and deviation 1, to logits `(batch, 3, samples)`.

    A U-Net: each scale is a convolution and one with stride 4, up again by transposed convolutions beside the skips.
    """

    def __init__(self, classes: int = len(PHASES)) -> None:
        super().__init__()
        pairs = list(pairwise(WIDTHS))
        self.inp, self.inp_bn = nn.Conv1d(len(COMPONENTS), WIDTHS[0], KERNEL, padding=KERNEL // 2), _norm(WIDTHS[0])
        self.down = nn.ModuleList(_same(before, after) for before, after in [(WIDTHS[0], WIDTHS[0]), *pairs])
        self.pool = nn.ModuleList(nn.Conv1d(n, n, KERNEL, STRIDE, bias=False) for n in WIDTHS[:-1])
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(after, before, KERNEL, STRIDE, bias=False) for before, after in pairs
        )
        self.fuse = nn.ModuleList(_same(2 * n, n) for n in WIDTHS[:-1])
        self.down_bn = nn.ModuleList(map(_norm, WIDTHS))
        self.pool_bn, self.up_bn, self.fuse_bn = (nn.ModuleList(map(_norm, WIDTHS[:-1])) for _ in range(3))
        self.out = nn.Conv1d(WIDTHS[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        x = self.inp_bn(self.inp(x)).relu()
        for k in range(len(WIDTHS)):
            x = self.down_bn[k](self.down[k](x)).relu()
            if k < len(self.pool):
                skips.append(x)
                x = self.pool_bn[k](self.pool[k](_padded(x))).relu()
        for k in reversed(range(len(self.up))):
            x = self.up_bn[k](self.up[k](x)[..., 1:-2]).relu()
            skip = skips[k]
            start = (x.shape[-1] - skip.shape[-1]) // 2
            x = self.fuse_bn[k](self.fuse[k](torch.cat([skip, x[..., start : start + skip.shape[-1]]], 1))).relu()
        logits: Tensor = self.out(x)
        return logits


def _norm(channels: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(channels, EPSILON)


def _same(before: int, after: int) -> nn.Conv1d:
    return nn.Conv1d(before, after, KERNEL, padding=KERNEL // 2, bias=False)


def _padded(x: Tensor) -> Tensor:
    """Zeros at both ends for a stride of 4, as TensorFlow's 'same' has them: the longer side is the end."""
    n = x.shape[-1]
    missing = max((-(-n // STRIDE) - 1) * STRIDE + KERNEL - n, 0)
    return pad(x, (missing // 2, missing - missing // 2))


def phasenet(variant: Variant) -> Parts:
    """The network on the first half minute of a seismogram at 100 Hz; its answer is a class for each sample."""
    if variant.pretrained:
        raise without_weights("phasenet", "PhaseNet's layers inp, down.0 … out")
    taken = Traces((len(COMPONENTS), SAMPLES), RATE, COMPONENTS, "standard")
    return Parts(PhaseNet(variant.classes or len(PHASES)), taken, PHASES)
