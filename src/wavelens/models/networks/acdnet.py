"""Micro-ACDNet (Mohaimenuzzaman, Bergmeir, West and Meyer, 2023): the 50 sounds of ESC-50 from the raw waveform."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from wavelens.models.labels import shipped_labels
from wavelens.models.loaded import Parts, Variant
from wavelens.models.preparations.audio import Sampling, Windowed
from wavelens.models.weights import Around, without_weights

RATE = 20000
CROP = 30225  # samples that the network takes
CROPS = 10
CHANNELS = (7, 20, 10, 14, 22, 31, 35, 41, 51, 67, 69, 48)
POOLED = {2: (2, 2), 4: (2, 2), 6: (2, 2), 8: (2, 2), 10: (1, 2)}  # after which of the convolutions


class MicroACDNet(nn.Module):
    """Crops of a waveform at 20 kHz, `(rows, 1, 30225)` in [-1, 1], to logits `(rows, classes)`.

    Two convolutions along time make a picture of 20 bands and 151 steps, in which eight more look for sounds.
    """

    def __init__(self, classes: int = 50) -> None:
        super().__init__()
        first, second, *rest = CHANNELS
        self.sfeb = nn.Sequential(
            *_block(1, first, (1, 9), (1, 2)), *_block(first, second, (1, 5), (1, 2)), nn.MaxPool2d((1, 50))
        )
        layers: list[nn.Module] = []
        for k, (before, after) in enumerate(zip((1, *rest[:-2]), rest[:-1], strict=True), 2):
            layers += _block(before, after, (3, 3), (1, 1), (1, 1))
            layers += [nn.MaxPool2d(POOLED[k])] if k in POOLED else []
        layers += [nn.Dropout(0.2), *_block(rest[-2], rest[-1], (1, 1), (1, 1)), nn.AvgPool2d((1, 4)), nn.Flatten()]
        self.tfeb = nn.Sequential(*layers, nn.Linear(rest[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.tfeb(self.sfeb(x[:, :, None]).transpose(1, 2))
        return logits


def _block(
    before: int, after: int, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int] = (0, 0)
) -> list[nn.Module]:
    return [nn.Conv2d(before, after, kernel, stride, padding, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


class Crops(Around):
    """The mean of a classifier over equally spaced crops, as published: waveforms `(batch, 1, samples)` to logits.

    Half a crop of silence at both ends, ten crops, the mean of their softmax; its logarithm is what is returned, so
    that the softmax of the logits is that mean.
    """

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, (CROP // 2, CROP // 2))
        step = (x.shape[-1] - CROP) // (CROPS - 1)
        crops = torch.stack([x[..., step * k : step * k + CROP] for k in range(CROPS)], 1)
        logits = self.module(crops.flatten(0, 1)).unflatten(0, (len(x), CROPS))
        mean: Tensor = logits.log_softmax(-1).logsumexp(1) - math.log(CROPS)
        return mean


def micro_acdnet(variant: Variant) -> Parts:
    """The network over ten crops of a clip; clips longer than five seconds are heard in windows."""
    if variant.pretrained:
        raise without_weights("micro-acdnet", "Micro-ACDNet's layers sfeb.0 … tfeb.38")
    return Parts(
        Windowed(Crops(MicroACDNet(variant.classes or 50)), 5 * RATE), Sampling(RATE), shipped_labels("esc50.txt")
    )
