"""Pretrained networks cut after a block, and a small head that is trained to tell planted patterns apart.

The pretrained part stays as it is, so its features of the training items are computed once. The head is two
convolutions, between which nothing is pooled, and the largest or the mean answer of all places.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(1, str(Path(__file__).parents[1] / "paper"))
import at_hand
from record import at

import wavelens as wl

HIDDEN = 32


class Tuned(nn.Module):
    """Pretrained features `(batch, features, *places)` and a head: signals `(batch, channel, *axes)` to two logits."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


class Head(nn.Module):
    """Standardised features, one hidden layer at each place, and the largest or the mean of each logit over places.

    With a `reach` the hidden layer is a convolution of so many places along each axis, at every other place.
    """

    def __init__(self, features: int, axes: int, pooling: str, reach: int = 1, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.register_buffer("middle", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
        self.first = convolution(features, hidden, reach, 1 if reach == 1 else 2, reach // 2)
        self.second, self.pooling = convolution(hidden, 2, 1), pooling

    def forward(self, features: Tensor) -> Tensor:
        places = [1] * (features.ndim - 2)
        standard = (features - self.middle.view(-1, *places)) / self.spread.view(-1, *places)
        logits = self.second(torch.relu(self.first(standard))).flatten(2)
        return logits.amax(2) if self.pooling == "largest" else logits.mean(2)


class Heard(nn.Module):
    """YAMNet's features of a waveform after some layers, patches of a clip along time.

    Each channel at each frequency is a feature of its own: a head that all frequencies share could tell no pitch.
    """

    def __init__(self, net: nn.Module, layers: int) -> None:
        super().__init__()
        self.net, self.layers = net, layers

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.net.conv1(self.net.patches(x)))
        for k in range(2, self.layers + 2):
            y = torch.relu(getattr(self.net, f"pw{k}")(torch.relu(getattr(self.net, f"dw{k}")(y))))
        return y.unflatten(0, (len(x), -1)).permute(0, 2, 4, 1, 3).flatten(3).flatten(1, 2)


class Scanned(nn.Module):
    """The features of a small residual network of volumes after some stages."""

    def __init__(self, net: nn.Module, stages: int) -> None:
        super().__init__()
        self.net, self.stages = net, stages

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.net.bn1(self.net.conv1(x)))
        for stage in range(1, self.stages + 1):
            y = self.net.get_submodule(f"layer{stage}")(y)
        return y


def efficientnet(blocks: int) -> nn.Module:
    whole = at_hand.image_network("EfficientNet-lite0")
    net = whole.module
    return with_normalisation(whole, nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:blocks]))


def squeezenet(layers: int) -> nn.Module:
    whole = at_hand.image_network("SqueezeNet 1.1")
    return with_normalisation(whole, whole.module.features[:layers])


def with_normalisation(whole: nn.Module, part: nn.Module) -> nn.Module:
    """A part of a network after the normalisation of pixels that the whole has."""
    from wavelens.models.preparations.image import Normalized

    return Normalized(part, tuple(whole.mean.flatten().tolist()), tuple(whole.std.flatten().tolist()))


def yamnet(layers: int) -> nn.Module:
    loaded = wl.models.load("yamnet", weights=at("weights/yamnet_audioset.safetensors"))
    return Heard(loaded.module.module, layers)


def resnet3d(stages: int) -> nn.Module:
    return Scanned(wl.models.load("resnet3d", weights=at("weights/vessel_resnet3d.safetensors")).module, stages)


@dataclass(frozen=True)
class Recipe:
    """A network: the task that it is tuned to, its pretrained part, and how the head pools."""

    task: str
    features: Callable[[int], nn.Module]
    depth: int
    pooling: str = "largest"
    reach: int = 1


RECIPES = {
    "EfficientNet-lite0, 4 stages": Recipe("orientation in photos", efficientnet, 4),
    "SqueezeNet, 8 layers": Recipe("orientation in photos", squeezenet, 8),
    "YAMNet, 4 layers": Recipe("pitch in sounds", yamnet, 4),
    "ResNet3D, 1 stage": Recipe("orientation in scans", resnet3d, 1, reach=3),
}
