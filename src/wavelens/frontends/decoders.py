"""Sound files decoded from their first sample to their last: by libsndfile, or by FFmpeg where libsndfile cannot.

A lossy decoder carries state from one block to the next and loses it by a seek, so nothing here seeks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from wavelens.frontends.channel_order import Order, order_of
from wavelens.frontends.lengths import frames_of_mp3, is_ogg_chain, lacks_ogg_end, states_mp3_length
from wavelens.frontends.sound_formats import DEMUXERS, HEAD_BYTES, foreign_format, own_format
from wavelens.frontends.sound_headers import ends_inside_a_sample, is_misread, is_unclosed, stated_end, states_frames
from wavelens.optional import optional
from wavelens.untrusted import check_file

EXTRA = "audio"
BLOCK_VALUES = 2**18  # values that are decoded at a time
MAX_VALUES = 2**31  # samples × channels of a sound that is decoded as a whole: 8 GiB in memory
MAX_RATE = 1_000_000  # Hz: resampling from or to a higher one takes gigabytes for its filter
UNKNOWN_SAMPLES = 2**62  # what libsndfile makes of a FLAC header without a length
UNSUPPORTED = ("PatchWelcomeError", "DecoderNotFoundError", "ExperimentalError", "BuggyFeatureError")  # PyAV's errors
TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}  # FFmpeg's names and numpy's
UNCHECKED_CODECS = ("pcm_", "adpcm_ms", "adpcm_ima_wav")  # FFmpeg decodes anything as these
MEASURED = ("WAV", "Wave64", "CAF", "AIFF", "AU")  # formats whose size their own header tells, where it is known
UNMARKED_CODECS = ("adpcm_adx",)  # whose last packets FFmpeg marks as incomplete, whatever they hold
STEPS = {np.dtype("uint8"): 2**7, np.dtype("int16"): 2**15, np.dtype("int32"): 2**31, np.dtype("int64"): 2**63}


@dataclass(frozen=True, eq=False)
class Decoder:
    """A sound being decoded: its rate in Hz, its channels, and its samples where they are known beforehand.

    `read(count)` gives the next samples, `(count, channel)` in float32 where full scale is 1, with the channels in
    WAVE's order; fewer at the end alone.
    """

    rate: int
    channels: int
    samples: int | None
    read: Callable[[int], NDArray[np.float32]]

    def count(self, path: Path) -> int:
        """How many samples there are; decodes all of them where nothing tells."""
        if self.samples is not None:
            return self.samples
        total, block = 0, max(1, BLOCK_VALUES // self.channels)
        while size := len(self.read(block)):
            total += size
            check_size(path, total, self.channels)
        return total


def check_size(path: Path, samples: int, channels: int) -> None:
    """`ValueError` for a sound that is too large to be decoded as a whole."""
    if samples * channels > MAX_VALUES:
        raise ValueError(
            f"a sound that is read as a whole has at most {MAX_VALUES} values, samples × channels; {path} has "
            f"{samples} × {channels} or more. Read it in pieces with windows, or cut it."
        )


@contextmanager
def opened(path: Path) -> Iterator[Decoder]:
    """A decoder of the sound at `path`, at its first sample; errors as `read_audio`."""
    head = _first_bytes(path)
    _check_end(path, head)
    file = None if is_misread(path) or is_unclosed(path) else _by_content(path)
    if file is None:
        with _by_ffmpeg(path, own_format(head), foreign_format(head)) as decoder:
            yield decoder
        return
    with file:
        _check_notes(file, path)
        _check_rate(file.samplerate, path)
        decoder = _by_libsndfile(file, path, head)
        if file.format != "MP3" or decoder.samples is not None:
            yield decoder
            return
    with _without_length(path, head) as decoder:
        yield decoder


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A file that soundfile takes for a stream: for a file that can seek it seeks after every read."""

    def seekable(self) -> bool:
        return False


def _by_content(path: Path) -> _Sequential | None:
    try:
        return _Sequential(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a suffix that means raw samples
        return None


def _first_bytes(path: Path) -> bytes:
    check_file(path, "sound")
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _by_libsndfile(file: soundfile.SoundFile, path: Path, head: bytes) -> Decoder:
    if file.frames < 1:
        raise ValueError(f"a sound has samples; {path} has a header and none. Get a fresh copy.")
    unknown = file.frames > UNKNOWN_SAMPLES or (file.format == "MP3" and not states_mp3_length(path))
    unknown = unknown or (file.format != "MP3" and file.subtype.startswith("MPEG"))  # guessed in a wav
    order = order_of(file.format, file.subtype, file.channels, head)
    read = partial(_read, file, path, order)
    return Decoder(file.samplerate, file.channels, None if unknown else file.frames, read)


@contextmanager
def _without_length(path: Path, head: bytes) -> Iterator[Decoder]:
    """A decoder of an mp3 that does not state its length; libsndfile ends where the first frame's bit rate puts it."""
    with _Sequential(path) as file:
        decoder, estimate = _by_libsndfile(file, path, head), file.frames
        try:
            samples = decoder.count(path)
        except ValueError:  # what follows the last frame, it may be
            samples = estimate
    if samples < estimate:
        with _Sequential(path) as file:
            yield replace(_by_libsndfile(file, path, head), samples=samples)
    else:  # more may follow
        with path.open("rb") as file:
            frames = _Part(file, *frames_of_mp3(file))
            with _by_ffmpeg(path, None, "an mp3 without its length", ["mp3"], frames) as decoder:
                yield decoder


class _Part:
    """The bytes of a file from `start` to `end`, as a file."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self.file, self.start, self.end = file, start, end
        file.seek(start)

    def read(self, size: int) -> bytes:
        return self.file.read(max(0, min(size, self.end - self.file.tell())))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek((self.start, self.file.tell(), self.end)[whence] + offset) - self.start

    def tell(self) -> int:
        return self.file.tell() - self.start


def _read(file: soundfile.SoundFile, path: Path, order: Order | None, count: int) -> NDArray[np.float32]:
    try:
        samples: NDArray[np.float32] = file.read(count, dtype="float32", always_2d=True)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on broken bytes
        raise damaged(path, error) from error
    return samples if order is None else samples[:, order]


def damaged(path: Path, error: object) -> ValueError:
    return ValueError(f"{path} could not be decoded: {error}. The file is damaged; get a fresh copy.")


def _check_rate(rate: int, path: Path) -> None:
    if not 0 < rate <= MAX_RATE:
        raise ValueError(
            f"a sound has up to {MAX_RATE} samples per second; {path} has {rate}. The header is damaged, or names a "
            "rate in other units: correct it."
        )


def _check_end(path: Path, head: bytes) -> None:
    """That the file goes as far as its header says, and an ogg to a last page; decoders stop early without a word."""
    end, size = stated_end(path), path.stat().st_size
    if end is not None and end > size:
        raise ValueError(
            f"a sound must be whole; {path} ends early, at byte {size}, and by its header its samples end at byte "
            f"{end}. The file is damaged; get a fresh copy."
        )
    if not head.startswith(b"OggS"):
        return
    if is_ogg_chain(path):
        raise ValueError(
            f"{path} is a chain of several streams, of which only the first would be read. Split or convert it."
        )
    if lacks_ogg_end(path):
        raise ValueError(
            f"a sound must be whole; {path} ends early: no page is marked as the last one of its stream. The file is "
            "damaged; get a fresh copy, or, if it is a recording that was stopped, `ffmpeg -i FILE -c copy NEW.ogg` "
            "marks its end."
        )


def _check_notes(file: soundfile.SoundFile, path: Path) -> None:
    """That libsndfile notes nowhere that the file was cut short, and that it ends with a sample."""
    columns = re.findall(r"Cols : (\d+)", file.extra_info) if file.format == "MAT5" else []
    cut = re.search(r"seems to be (a )?truncated", file.extra_info, re.IGNORECASE)
    if cut or (columns and int(columns[-1]) > file.frames):
        reason = f"its header states more than the {file.frames} samples per channel that there are"
    elif ends_inside_a_sample(path, file.format, file.subtype, file.channels):
        reason = f"it has {file.frames} samples per channel and a part of the next"
    else:
        return
    raise ValueError(f"a sound must be whole; {path} ends early: {reason}. The file is damaged; get a fresh copy.")


@contextmanager
def _by_ffmpeg(
    path: Path,
    own: str | None,
    foreign: str | None,
    demuxers: Sequence[str] = DEMUXERS,
    part: _Part | None = None,
) -> Iterator[Decoder]:
    """A decoder of what libsndfile refuses: a file of its `own` format, of a `foreign` one, or of an unknown one.

    Of the file only `part`, where that is given.
    """
    av = _pyav(path, own, foreign)
    try:  # only these formats: a playlist would have FFmpeg open other files
        allowed = {"format_whitelist": ",".join(demuxers), "protocol_whitelist": "file"}
        container = av.open(part or str(path.absolute()), options=allowed, metadata_errors="ignore")
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on broken bytes
        raise _undecodable(path, error) if own or foreign else _unknown(path) from error
    with container:
        stream = _stream(path, container, own)
        blocks = _blocks(container, stream, path, marked=own not in MEASURED)
        first, rate = next(blocks, (np.empty((0, 0), np.float32), 0))
        if not len(first):
            raise ValueError(f"a sound has samples; {path} has a header and none. Get a fresh copy.")
        _check_rate(rate, path)
        yield Decoder(rate, first.shape[1], None, _Joined(path, first, rate, blocks).read)


def _pyav(path: Path, own: str | None, foreign: str | None) -> Any:
    """PyAV; where it is missing, `ImportError` with the format that needs it, or `ValueError` if that is unknown."""
    try:
        return optional("av", EXTRA)
    except ImportError as error:
        if own is not None:
            raise ImportError(
                f"{path} is {own} with a codec that libsndfile lacks, or its header is damaged. {error}"
            ) from error
        if foreign is None:
            raise _unknown(path) from error
        raise ImportError(f"{path} is {foreign}, which FFmpeg decodes. {error}") from error


def _unknown(path: Path) -> ValueError:
    return ValueError(
        f"a sound must be a file that libsndfile or FFmpeg decodes (wav, flac, ogg, mp3, m4a …); got {path}, whose "
        "content neither recognises. If it is a sound, convert it to wav."
    )


def _stream(path: Path, container: Any, own: str | None) -> Any:
    """The first track of sound, which FFmpeg decodes, and libsndfile would not."""
    if not container.streams.audio:
        raise ValueError(f"a sound has samples; {path} has no track of sound. Name another file.")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise ValueError(f"the sound of {path} has a codec that FFmpeg does not know. Convert it to wav.")
    codec = stream.codec_context.name
    if own and codec.startswith(UNCHECKED_CODECS) and not states_frames(path):
        raise damaged(path, f"libsndfile cannot read its {own} header")
    return stream


def _blocks(container: Any, stream: Any, path: Path, *, marked: bool) -> Iterator[tuple[NDArray[np.float32], int]]:
    """What FFmpeg decodes, block by block: samples `(count, channel)`, and their rate.

    It marks packets as incomplete at the end of a file; where `marked`, that is a sign of a file that was cut short.
    """
    marked = marked and stream.codec_context.name not in UNMARKED_CODECS
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt and marked:
                raise ValueError("it has a packet that is incomplete")
            for frame in packet.decode():
                yield _scaled(frame), frame.sample_rate
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on broken bytes
        raise _undecodable(path, error) from error


def _undecodable(path: Path, error: Exception) -> ValueError:
    """What FFmpeg says of its errors, without the path and the number; few of them mean damage."""
    reason = str(getattr(error, "strerror", None) or error)
    if isinstance(error, OSError) or type(error).__name__ in UNSUPPORTED:
        return ValueError(f"{path} could not be decoded: {reason}. Convert it to wav.")
    return damaged(path, reason)


def _scaled(frame: Any) -> NDArray[np.float32]:
    """`(samples, channel)`, where full scale is 1."""
    values = _values(frame)
    centre = 2**7 if values.dtype == np.uint8 else 0
    scaled = (values - np.float64(centre)) / STEPS[values.dtype] if values.dtype in STEPS else values
    return np.asarray(scaled, dtype=np.float32)


def _values(frame: Any) -> NDArray[Any]:
    """`(samples, channel)` as FFmpeg has them; by PyAV itself, eight channels and more would end the process.

    It takes what stands in memory behind the last channel for another one.
    """
    from av.audio.plane import AudioPlane

    channels, kind = frame.layout.nb_channels, TYPES[frame.format.packed.name]
    plane: Any = AudioPlane
    if not frame.format.is_planar:
        return np.frombuffer(plane(frame, 0), kind, frame.samples * channels).reshape(-1, channels)
    return np.stack([np.frombuffer(plane(frame, k), kind, frame.samples) for k in range(channels)], 1)


class _Joined:
    """Blocks of any length, read by count; what is left of a block comes next."""

    def __init__(
        self,
        path: Path,
        first: NDArray[np.float32],
        rate: int,
        blocks: Iterator[tuple[NDArray[np.float32], int]],
    ) -> None:
        self.path, self.rest, self.rate, self.blocks = path, first, rate, blocks

    def read(self, count: int) -> NDArray[np.float32]:
        parts, size = [self.rest], len(self.rest)
        while size < count and (block := next(self.blocks, None)) is not None:
            self._check(*block)
            parts.append(block[0])
            size += len(block[0])
        joined = np.concatenate(parts)
        self.rest = joined[count:].copy()
        return joined[:count]

    def _check(self, block: NDArray[np.float32], rate: int) -> None:
        channels = self.rest.shape[1]
        if (rate, block.shape[1]) != (self.rate, channels):
            raise ValueError(
                f"a sound has one rate and one number of channels; {self.path} goes from {self.rate} Hz × {channels} "
                f"to {rate} Hz × {block.shape[1]}. Cut it where that changes."
            )
