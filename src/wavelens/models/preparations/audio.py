"""How a clip becomes a network's input, and clips that are longer than a network takes.

Preparation is split in two. Rate, channels and least length are set before the differentiated function; the
spectrogram that a network looks at is computed inside the module, so that an attribution refers to the waveform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wavelens.field_types import check_fields
from wavelens.frontends.audio import AudioFile, Clip, resample, windows
from wavelens.frontends.decoders import check_size
from wavelens.grid import Grid
from wavelens.models.weights import Around

PIECE_SECONDS = 10.0  # seconds of a file that are read and resampled at a time


@dataclass(frozen=True)
class Sampling:
    """Brings a `Clip`, or an `AudioFile`, to what a model takes: `(1, channels, samples)` at `rate` Hz.

    Clips at another rate are resampled. A model for one channel is given the mean of a clip's channels; a model for
    several is given a single channel in each, and any other number is a `ValueError`. Clips shorter than `least`
    samples are followed by silence; nothing is cut off. Of a file no more is in memory than what it becomes.
    """

    rate: int
    channels: int = 1
    least: int = 1
    kind: ClassVar[str] = "sound"

    def __post_init__(self) -> None:
        check_fields(self)
        if min(self.rate, self.channels, self.least) < 1:
            raise ValueError(f"rate, channels and least must be whole numbers from 1; got {self!r}.")

    @property
    def shape(self) -> tuple[int, int]:
        """A second of it, or the least."""
        return (self.channels, max(self.least, self.rate))

    def grid(self, clip: Clip | AudioFile) -> Grid:
        """Seconds between the samples of the prepared clip, and its scales in Hz."""
        return Grid.sound(self.rate)

    def __call__(self, clip: Clip | AudioFile) -> Tensor:
        if not isinstance(clip, Clip | AudioFile):
            raise TypeError(
                f"a sound must be a Clip, which knows its rate; got {type(clip).__name__}. Wrap it in Clip(data, rate)."
            )
        if isinstance(clip, AudioFile):
            return self._streamed(clip)
        x = resample(self._mixed(clip.data), clip.rate, self.rate)
        return nn.functional.pad(x, (0, max(0, self.least - x.shape[-1])))

    def _streamed(self, file: AudioFile) -> Tensor:
        """As of its `Clip`, piece by piece; mixed before it is resampled, so that channels cost no memory."""
        samples = -(-file.samples * self.rate // file.rate)
        check_size(file.path, file.samples, file.channels)
        check_size(file.path, samples, self.channels)
        x = torch.zeros(1, self.channels, max(self.least, samples))
        start = 0
        for piece in windows(file, PIECE_SECONDS, rate=self.rate, mix=self._mixed):
            x[..., start : start + piece.samples] = piece.data
            start += piece.samples
        return x

    def _mixed(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        if channels == self.channels:
            return x
        if self.channels == 1:
            return x.mean(1, keepdim=True)
        if channels == 1:
            return x.expand(1, self.channels, -1)
        raise ValueError(f"this model takes {self.channels} channels; got a clip with {channels}. Mix them first.")


class Windowed(Around):
    """A sound classifier for clips of any length: beyond `longest` samples it hears them in windows of equal length.

    The logits of a longer clip are the mean over its ⌈samples / longest⌉ windows, so each takes part by its share of
    the time and an account of the whole is the mean of the windows' accounts. Only one window's activations are held at
    a time: each is computed again for its gradient.
    """

    def __init__(self, module: nn.Module, longest: int) -> None:
        super().__init__(module)
        self.longest = longest

    def forward(self, x: Tensor) -> Any:
        count = -(-x.shape[-1] // self.longest)
        if count <= 1:
            return self.module(x)
        length = -(-x.shape[-1] // count)
        *whole, last = x.split(length, -1)
        windows = [*whole, nn.functional.pad(last, (0, length - last.shape[-1]))]
        parts = [checkpoint(self.module, w, use_reentrant=False, preserve_rng_state=False) for w in windows]
        return torch.stack(parts).mean(0)
