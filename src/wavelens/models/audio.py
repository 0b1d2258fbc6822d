"""Sound classifiers: how a clip becomes their input, clips longer than they were made for, those of transformers.

Preparation is split in two. Rate, channels and least length are set before the differentiated function; the
spectrogram that a network looks at is computed inside the module, so that an attribution refers to the waveform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wavelens.frontends.audio import AudioFile, Clip, resample, windows
from wavelens.frontends.decoders import check_size
from wavelens.frontends.mel import KaldiMel, LogMel
from wavelens.grid import Grid
from wavelens.models.loaded import Parts
from wavelens.models.weights import Around
from wavelens.optional import optional

PIECE = 10.0  # seconds of a file that are read and resampled at a time


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
        if min(self.rate, self.channels, self.least) < 1:
            raise ValueError(f"rate, channels and least are whole numbers from 1; got {self!r}.")

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
                f"a sound is a Clip, which knows its rate; got {type(clip).__name__}. Wrap it in Clip(data, rate)."
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
        for piece in windows(file, PIECE, rate=self.rate, mix=self._mixed):
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
        heard = [*whole, nn.functional.pad(last, (0, length - last.shape[-1]))]
        parts = [checkpoint(self.module, w, use_reentrant=False, preserve_rng_state=False) for w in heard]
        return torch.stack(parts).mean(0)


def class_names(file: str) -> tuple[str, ...]:
    """The lines of a file of `wavelens/data`, without its comments."""
    lines = (files("wavelens") / "data" / file).read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def without_weights(name: str, what: str) -> ValueError:
    return ValueError(f"{name} comes without weights: give a checkpoint of {what} as weights (--weights FILE).")


class Mono(nn.Module):
    """The only channel of a waveform, `(batch, 1, samples)` to `(batch, samples)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


class Standardized(nn.Module):
    """Each item with zero mean and unit variance, as wav2vec 2.0 takes it (Baevski et al., 2020): finite on silence."""

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-7).sqrt()


class SpectrogramInput(nn.Module):
    """What an audio spectrogram transformer takes of a waveform (Gong et al., 2021): `(batch, frames, n_mels)`.

    Kaldi's log-mel spectrogram, cut or followed by zeros to `frames`, less `mean` and divided by twice `std`.
    """

    def __init__(self, rate: int, n_mels: int, frames: int, mean: float, std: float) -> None:
        super().__init__()
        self.mel, self.frames, self.mean, self.std = KaldiMel(rate, n_mels=n_mels), frames, mean, std

    def forward(self, x: Tensor) -> Tensor:
        bands = self.mel(x)[:, 0, : self.frames]
        bands = nn.functional.pad(bands, (0, 0, 0, self.frames - bands.shape[1]))
        return (bands - self.mean) / (2 * self.std)


class WhisperInput(nn.Module):
    """What Whisper takes of a waveform (Radford et al., 2022): `(batch, n_mels, frames)` of `samples` in all.

    Cut or followed by silence to `samples`; decibels no more than 80 below the loudest, shifted and scaled.
    """

    def __init__(self, rate: int, n_mels: int, n_fft: int, hop_length: int, samples: int) -> None:
        super().__init__()
        options: dict[str, Any] = {"n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
        self.mel = LogMel(rate, **options, fmax=min(8000.0, rate / 2), pad_mode="reflect", top_db=80.0)
        self.samples = samples

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.pad(x[..., : self.samples], (0, max(0, self.samples - x.shape[-1])))
        decibels: Tensor = self.mel(x)[:, 0, :, :-1]
        return (decibels / 10 + 4) / 4


class Heard(Around):
    """A transformers classifier behind its feature extraction: waveforms `(batch, 1, samples)` to logits."""

    def __init__(self, extraction: nn.Module, module: nn.Module, file_names: Mapping[str, str] | None = None) -> None:
        super().__init__(module, file_names)
        self.extraction = extraction

    def forward(self, x: Tensor) -> Any:
        return self.module(self.extraction(x)).logits


def is_sound(config: Any) -> bool:
    """Whether transformers has a sound classifier for this configuration."""
    auto = optional("transformers.models.auto.modeling_auto", "hf")
    return bool(config.model_type in auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES)


def heard(
    name: str, module: Any, extractor: Any, labels: tuple[str, ...], link: str, file_names: Mapping[str, str]
) -> Parts:
    """A sound classifier of transformers with its feature extraction inside."""
    extraction, least, longest = _extraction(name, module.config, extractor)
    sampling = Sampling(int(extractor.sampling_rate), least=least)
    return Parts(Windowed(Heard(extraction, module, file_names), longest), sampling, labels, link)


def _extraction(name: str, config: Any, extractor: Any) -> tuple[nn.Module, int, int]:
    """The extraction as a module, and the shortest and longest clip in samples that it takes whole."""
    rate = int(extractor.sampling_rate)
    kind = type(extractor).__name__
    if kind == "ASTFeatureExtractor":
        mean, std = (extractor.mean, extractor.std) if extractor.do_normalize else (0.0, 0.5)
        extraction = SpectrogramInput(rate, extractor.num_mel_bins, extractor.max_length, mean, std)
        frame, hop = extraction.mel.frame, extraction.mel.hop
        return extraction, frame, frame + hop * extractor.max_length - 1
    if kind == "WhisperFeatureExtractor":
        sizes = (extractor.feature_size, extractor.n_fft, extractor.hop_length, extractor.n_samples)
        return WhisperInput(rate, *sizes), 1, extractor.n_samples
    if kind == "Wav2Vec2FeatureExtractor" and hasattr(config, "conv_kernel"):
        scaling = Standardized() if extractor.do_normalize else nn.Identity()
        return nn.Sequential(Mono(), scaling), _reach(config), 10 * rate
    raise ValueError(
        f"hf: takes sound classifiers with the feature extraction of AST, Whisper or wav2vec 2.0; got {name!r} with "
        f"{kind}. Wrap the model in a function of your own that returns a LoadedModel."
    )


def _reach(config: Any) -> int:
    """Samples that the convolutions of a waveform model need for one frame."""
    reach = 1
    for kernel, stride in reversed(list(zip(config.conv_kernel, config.conv_stride, strict=True))):
        reach = (reach - 1) * stride + kernel
    return reach
