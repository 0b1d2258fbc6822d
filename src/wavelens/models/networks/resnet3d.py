"""A small residual network for volumes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelens.models.loaded import Parts, Variant
from wavelens.models.preparations.volume import Voxels


class ResNet3D(nn.Module):
    """A small residual network for volumes (He et al., 2016): `(batch, channels, *axes)` to logits `(batch, classes)`.

    A 3³ convolution of stride 2 and four stages of one basic block each; the mean over places goes to a linear layer.
    """

    def __init__(self, classes: int = 2, channels: int = 1, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, widths[0], 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(widths[0])
        pairs = zip((widths[0], *widths), widths, strict=False)
        for stage, (before, after) in enumerate(pairs, 1):
            self.add_module(f"layer{stage}", nn.Sequential(Block(before, after, stride=1 if stage == 1 else 2)))
        self.stages = len(widths)
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        for stage in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        logits: Tensor = self.fc(x.mean((2, 3, 4)))
        return logits


class Block(nn.Module):
    """Two 3³ convolutions and a way around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(after)
        self.conv2 = nn.Conv3d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(after)
        skip = nn.Sequential(nn.Conv3d(before, after, 1, stride, bias=False), nn.BatchNorm3d(after))
        self.downsample = nn.Identity() if stride == 1 and before == after else skip

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(inner + self.downsample(x))


def resnet3d(variant: Variant) -> Parts:
    """The network, of two classes, for volumes of 28³ voxels in bytes, as MedMNIST has them (Yang et al., 2023)."""
    if variant.pretrained:
        raise ValueError("resnet3d comes without weights of its own; give a checkpoint with weights (--weights).")
    return Parts(ResNet3D(variant.classes or 2), Voxels((1, 28, 28, 28), intensity=(0, 255)))
