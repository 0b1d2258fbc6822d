"""Series in NumPy's .npy and .npz files, whose headers are read without unpickling anything."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from wavelens.frontends.scans.arrays import ARRAYS, array_keys, stored_array, stored_texts
from wavelens.frontends.scans.stored import Stored
from wavelens.frontends.series.series import Series, check_length, series_of

RATES = ("rate", "fs", "sfreq", "sampling_rate")  # what .npz files call their rate in Hz
NAMES = ("channels", "names", "leads")  # and their channels
MAX_NAME_BYTES = 2**16


def read_array(path: Path) -> Series:
    """The series in an array `(samples,)` or `(channel, samples)`; an .npz file may hold `rate` and `channels` too.

    An .npy file, and an .npz file with one array alone, says no rate.
    """
    stored = _stored(path)
    axes = stored.shape
    if len(axes) not in (1, 2):
        hint = " It looks like several: save each alone." if len(axes) == 3 else ""
        raise ValueError(f"an array must be a series (samples,) or (channel, samples); got {axes} in {path}.{hint}")
    check_length(path, axes[-1], axes[0] if len(axes) == 2 else 1)
    values = torch.from_numpy(stored.read()).reshape(-1, axes[-1])
    return series_of(path, values, _rate(path), _names(path, len(values)))


def is_series_array(path: Path) -> bool:
    """Whether a file is an array whose header says one or two axes, as a series has and a volume does not."""
    try:
        return path.name.lower().endswith(ARRAYS) and path.is_file() and len(_stored(path).shape) in (1, 2)
    except (ValueError, OSError):
        return False


def array_cost(path: Path) -> tuple[int, float]:
    """Numbers of 4 bytes that reading takes, and seconds, where the rate is known."""
    stored = _stored(path)
    rate = _rate(path)
    return math.ceil(stored.memory_bytes / 4), stored.shape[-1] / rate if rate and stored.shape else 0.0


def _stored(path: Path) -> Stored:
    return stored_array(path, _key(path), "values")


def _key(path: Path) -> str | None:
    """Of several arrays that which is no rate and no list of names."""
    keys = array_keys(path)
    signals = [key for key in keys if key not in (*RATES, *NAMES)]
    if keys and len(signals) != 1:
        raise ValueError(
            f"a series is one array, beside {RATES[0]} and {NAMES[0]}; {path} has {', '.join(keys)}. Save it alone."
        )
    return signals[0] if signals else None


def _rate(path: Path) -> float | None:
    key = next((key for key in array_keys(path) if key in RATES), None)
    if key is None:
        return None
    stored = stored_array(path, key, "values")
    if math.prod(stored.shape) != 1:
        raise ValueError(f"{key} of {path} must be one number, the rate in Hz; got an array of {stored.shape}.")
    rate = float(stored.read().reshape(-1)[0])
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"{key} of {path} must be the rate in Hz, above 0; got {rate:g}.")
    return rate


def _names(path: Path, count: int) -> tuple[str, ...]:
    key = next((key for key in array_keys(path) if key in NAMES), None)
    if key is None:
        return ()
    names = stored_texts(path, key, MAX_NAME_BYTES)
    if len(names) != count:
        raise ValueError(f"{key} of {path} must have one name per channel; got {len(names)} for {count} channels.")
    return names
