"""Sound classifiers of transformers, with the feature extraction that each was trained with as a module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from wavelens.frontends.mel import KaldiMel, LogMel
from wavelens.models.loaded import Parts
from wavelens.models.preparations.audio import Sampling, Windowed
from wavelens.models.weights import Around
from wavelens.optional import optional


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


class Extracted(Around):
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


def sound_parts(
    name: str, module: Any, extractor: Any, labels: tuple[str, ...], link: str, file_names: Mapping[str, str]
) -> Parts:
    """A sound classifier of transformers with its feature extraction inside."""
    extraction, least, longest = _extraction(name, module.config, extractor)
    sampling = Sampling(int(extractor.sampling_rate), least=least)
    return Parts(Windowed(Extracted(extraction, module, file_names), longest), sampling, labels, link)


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
