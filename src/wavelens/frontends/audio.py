"""Sounds as signals: files to `Clip`s and back, windows of long files, resampling that a gradient passes through."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from wavelens.frontends.mel import check_waveform
from wavelens.grid import Grid

SUFFIXES = (".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
SUBTYPES = {".wav": "FLOAT", ".flac": "PCM_24"}  # others: what the format is known for
ENDLESS = 2**31 - 2**16  # bytes of samples that a header speaks of where its writer did not know how many would come
REACH = 10  # zero crossings of the resampling filter at each side
LOUDEST = 16.0  # 24 dB over full scale: no decoder overshoots so far
BLOCK = 2**18  # samples that a file is read and written by, so that a sound is in memory once


@dataclass(frozen=True, eq=False)
class Clip:
    """A sound: `data` `(1, channel, samples)`, where full scale is 1, and its `rate` in Hz."""

    data: Tensor
    rate: int

    def __post_init__(self) -> None:
        check_waveform(self.data)
        if len(self.data) != 1 or not (isinstance(self.rate, int) and self.rate > 0):
            raise ValueError(
                f"a clip is one sound (1, channel, samples) with a whole rate above 0; got {tuple(self.data.shape)} at "
                f"rate={self.rate!r}."
            )

    @property
    def channels(self) -> int:
        return self.data.shape[1]

    @property
    def samples(self) -> int:
        return self.data.shape[2]

    @property
    def grid(self) -> Grid:
        return Grid.sound(self.rate)

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


@dataclass(frozen=True, eq=False)
class AudioFile:
    """A sound on a disk, which `windows(file.path, …)` reads: its `rate` in Hz, its channels and its samples."""

    path: Path
    rate: int
    channels: int
    samples: int

    @property
    def data(self) -> Tensor:
        """All of it, `(1, channel, samples)`, read anew each time."""
        return read_audio(self.path).data

    @property
    def grid(self) -> Grid:
        return Grid.sound(self.rate)

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def open_audio(path: str | PathLike[str]) -> AudioFile:
    """The sound at `path`, of which nothing is decoded yet; errors of its header as `read_audio`."""
    with _opened(path) as file:
        return AudioFile(Path(path), file.samplerate, file.channels, file.frames)


def read_audio(path: str | PathLike[str]) -> Clip:
    """The sound at `path` (wav, flac, ogg, mp3 and what else libsndfile decodes), whole, at its own rate, in float32.

    Full scale is 1: integers are divided by their range; what float files and lossy decoders give beyond ±1 stays.
    Channels stay as they are. A path without a file is a `FileNotFoundError`; a folder, and anything that is no intact
    sound with at least one finite sample, a `ValueError`.
    """
    with _opened(path) as file:
        return Clip(_samples(file, path, file.frames), file.samplerate)


def windows(path: str | PathLike[str], seconds: float, *, rate: int | None = None) -> Iterator[Clip]:
    """The sound at `path` in consecutive windows of `seconds`, the last one shorter; resampled to `rate` where given.

    They are read one after another, so memory does not grow with the file. Joined they are `read_audio(path)`,
    resampled: each window is resampled with what lies around it. Errors as `read_audio`.
    """
    with _opened(path) as file:
        rate = file.samplerate if rate is None else rate
        up, down = _ratio(file.samplerate, rate)
        total, length = -(-file.frames * up // down), round(seconds * rate)
        if length < 1:
            raise ValueError(f"a window holds a sample or more; got seconds={seconds} at {rate} Hz.")
        piece, first = torch.empty(1, file.channels, 0), 0  # what is read and still needed, and where that begins
        for start in range(0, total, length):
            stop, before = min(start + length, total), first
            first = max(start // up * down - _margin(up, down), 0) // down * down  # where the phases begin anew
            last = min(-(-stop * down // up) + _margin(up, down), file.frames)
            fresh = _samples(file, path, last - before - piece.shape[-1])
            piece = torch.cat([piece, fresh], -1)[..., first - before :]
            offset = start - first // down * up
            yield Clip(resample(piece, file.samplerate, rate)[..., offset : offset + stop - start], rate)


def write_audio(path: str | PathLike[str], clip: Clip | Tensor, rate: int | None = None) -> None:
    """Writes a `Clip`, or a tensor `(1, channel, samples)` with its `rate`, in the format that `path`'s suffix names.

    A wav holds 32-bit floats, so it is read back bit by bit; flac has 24 bits, the others are lossy. Where a format
    ends at full scale, a louder clip is a `ValueError`: nothing is cut off silently.
    """
    if isinstance(clip, Tensor) and rate is None:
        raise ValueError("a tensor is written with its rate in Hz; got none. Give rate, or a Clip.")
    clip = clip if isinstance(clip, Clip) else Clip(clip, int(rate or 0))
    suffix, data = Path(path).suffix.lower(), clip.data.detach()[0]
    if suffix not in SUFFIXES:
        raise ValueError(f"a sound is written as {', '.join(SUFFIXES)}; got {Path(path).name!r}.")
    peak = float(loudest(data).float())  # infinite beyond float32
    if not math.isfinite(peak):
        raise ValueError("a clip is finite; got NaN or infinity, and nothing was written.")
    if suffix != ".wav" and peak > 1:
        raise ValueError(f"{suffix} ends at full scale, 1; got a peak of {peak:.3g}. Write a .wav, or divide by it.")
    kind = "OGG" if suffix in (".oga", ".opus") else suffix[1:].upper().replace("AIF", "AIFF").replace("FFF", "FF")
    subtype = "OPUS" if suffix == ".opus" else SUBTYPES.get(suffix)
    try:
        with soundfile.SoundFile(path, "w", clip.rate, clip.channels, subtype, format=kind) as file:
            for block in data.split(BLOCK, -1):
                file.write(block.T.float().cpu().numpy())
    except (soundfile.LibsndfileError, ValueError) as error:  # rates that a codec has not
        raise ValueError(f"{path} could not be written: {error}") from error


@contextmanager
def _opened(path: str | PathLike[str]) -> Iterator[soundfile.SoundFile]:
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"a sound is a file; got the folder {path}. Name a sound in it.")
    if not path.exists():
        raise FileNotFoundError(f"no such sound: {path}. Check the spelling of the path.")
    if path.stat().st_size == 0:
        raise ValueError(f"a sound has bytes; got the empty file {path}. Get a fresh copy.")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a suffix that means raw samples
        raise ValueError(
            f"a sound is a file that libsndfile can decode (wav, flac, ogg, mp3 …); got {path}, which is not one or "
            "has a damaged header."
        ) from error
    try:
        with file:
            _check_whole(file, path)
            if file.frames < 1:
                raise ValueError(f"a sound has samples; {path} has a header and none. Get a fresh copy.")
            yield file
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} could not be decoded: {error}. The file is damaged; get a fresh copy.") from error


def _check_whole(file: soundfile.SoundFile, path: Path) -> None:
    """A wav or an aiff that was cut short: the decoder takes what is there, and says so in its notes alone."""
    found = re.search(r"(?:data|SSND) *: (\d+) \(should be ([1-9]\d*)\)", file.extra_info)
    if found and int(found[2]) < int(found[1]) < ENDLESS:
        raise ValueError(
            f"{path} ends early: its header speaks of {found[1]} bytes of samples, and there are {found[2]}. The file "
            "is damaged; get a fresh copy."
        )


def _samples(file: soundfile.SoundFile, path: str | PathLike[str], count: int) -> Tensor:
    """The next `count` samples of the file, `(1, channel, count)`."""
    data = torch.empty(1, file.channels, count)
    for start in range(0, count, BLOCK):
        block = file.read(min(BLOCK, count - start), dtype="float32", always_2d=True)
        if len(block) < min(BLOCK, count - start):
            raise ValueError(
                f"{path} could not be decoded: it ends at least {count - start - len(block)} samples early. The file "
                "is damaged; get a fresh copy."
            )
        peak = float(loudest(torch.from_numpy(block)))
        if not math.isfinite(peak):
            raise ValueError(
                f"a sound's samples are finite; {path} has NaN or infinity. Replace them, by 0 say, and write it again."
            )
        if peak > LOUDEST:
            raise ValueError(
                f"full scale of a sound is 1; {path} reaches {peak:g}. Divide by its range and write it again."
            )
        data[0, :, start : start + len(block)] = torch.from_numpy(block).T
    return data


def loudest(x: Tensor) -> Tensor:
    """The largest size, NaN where there is one; no copy of a long sound is made."""
    low, high = x.aminmax()
    return torch.maximum(-low, high)


class Resample(nn.Module):
    """`resample` as a module: before a model it lets the gradient reach samples at another rate."""

    def __init__(self, rate: int, to: int) -> None:
        super().__init__()
        _ratio(rate, to)
        self.rate, self.to_rate = rate, to

    def forward(self, x: Tensor) -> Tensor:
        return resample(x, self.rate, self.to_rate)

    def extra_repr(self) -> str:
        return f"{self.rate}, {self.to_rate}"


def resample(x: Tensor, rate: int, to: int) -> Tensor:
    """A waveform `(batch, channel, samples)` at `rate` Hz, brought to `to` Hz: ⌈samples · to / rate⌉ samples.

    Linear in `x`: polyphase filtering by a sinc under a Kaiser window (β = 5, ten zero crossings a side), silence
    beyond the ends; the numbers of `scipy.signal.resample_poly`.
    """
    check_waveform(x)
    up, down = _ratio(rate, to)
    if up == down:
        return x
    working = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    with torch.autocast(x.device.type, enabled=False):
        return _polyphase(working, up, down).to(x.dtype)


def _polyphase(x: Tensor, up: int, down: int) -> Tensor:
    """Sample `m = up q + p` of the result is `Σ_k h[m down − k up] x[k]`: for each phase a filter that moves by `down`.

    Phases whose filters start within one filter's length of another share a convolution with a channel for each.
    """
    n = x.shape[-1]
    count = -(-n * up // down)
    blocks = -(-count // up)
    filters = [(start, weight.to(x)) for start, weight in _filters(up, down)]
    before = -filters[0][0]
    after = max((blocks - 1) * down + start + weight.shape[-1] for start, weight in filters) - n
    padded = nn.functional.pad(x.flatten(0, 1)[:, None], (before, max(after, 0)))
    parts = [
        nn.functional.conv1d(padded[..., before + start :], weight[:, None], stride=down)[..., :blocks]
        for start, weight in filters
    ]
    joined: Tensor = torch.cat(parts, 1).transpose(1, 2).flatten(1)[:, :count].unflatten(0, x.shape[:2])
    return joined


@lru_cache(maxsize=32)
def _filters(up: int, down: int) -> list[tuple[int, Tensor]]:
    """For runs of phases: where their filters start, in samples before the block's first, and `(phases, width)`."""
    widest = max(up, down)
    half = REACH * widest
    positions = np.arange(-half, half + 1)
    h = np.sinc(positions / widest) * np.kaiser(2 * half + 1, 5.0)
    h *= up / h.sum()
    first = -((half - np.arange(up) * down) // up)  # ⌈(p down − half) / up⌉, the earliest sample that phase p hears
    taps = 2 * half // up + 1
    found, p = [], 0
    while p < up:
        run = np.arange(p, int(np.searchsorted(first, first[p] + taps)))
        k = first[p] + np.arange(first[run[-1]] - first[p] + taps)
        lag = run[:, None] * down - k * up
        weight = np.where(np.abs(lag) <= half, h[np.clip(lag, -half, half) + half], 0)
        found.append((int(first[p]), torch.from_numpy(weight)))
        p = int(run[-1]) + 1
    return found


def _margin(up: int, down: int) -> int:
    """Samples at each side of a piece that a result's sample may hear, and the block that it begins in."""
    return REACH * max(up, down) // up + 1 + down


def _ratio(rate: int, to: int) -> tuple[int, int]:
    if not (isinstance(rate, int) and isinstance(to, int) and rate > 0 and to > 0):
        raise ValueError(f"rates are whole numbers of Hz above 0; got {rate!r} and {to!r}.")
    shared = math.gcd(rate, to)
    return to // shared, rate // shared
