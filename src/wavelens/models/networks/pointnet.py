"""PointNet without transforms of its input or features (Qi, Su, Mo and Guibas, 2017): a cloud's class."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from wavelens.models.loaded import Parts, Variant
from wavelens.models.preparations.cloud import Points
from wavelens.models.weights import without_weights

WIDTHS = (3, 64, 64, 128, 256)
HIDDEN, CLASSES, POINTS = 128, 5, 1024


class PointNet(nn.Module):
    """Points `(batch, 3, points)`, any number and in any sequence, to logits `(batch, classes)`.

    Each point goes through four layers by itself; the maximum over all points goes through two more.

    >>> net = wl.models.PointNet(classes=4).eval()
    >>> net(torch.rand(2, 3, 100)).shape
    torch.Size([2, 4])
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.l = nn.ModuleList(nn.Conv1d(before, after, 1) for before, after in pairwise(WIDTHS))
        self.b = nn.ModuleList(map(nn.BatchNorm1d, WIDTHS[1:]))
        self.f1, self.fb, self.f2 = nn.Linear(WIDTHS[-1], HIDDEN), nn.BatchNorm1d(HIDDEN), nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.l, self.b, strict=True):
            x = norm(layer(x)).relu()
        logits: Tensor = self.f2(self.fb(self.f1(x.amax(2))).relu())
        return logits


def pointnet(variant: Variant) -> Parts:
    """The network on 1,024 points of a cloud, from the middle of its box and divided by its radius."""
    if variant.pretrained:
        raise without_weights("pointnet", "PointNet's layers l.0 … l.3, f1 and f2")
    return Parts(PointNet(variant.classes or CLASSES), Points((3, POINTS), centre="box", scale="radius"))
