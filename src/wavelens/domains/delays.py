"""Where coefficients of cascaded filters lie: in the middle of the energy of what each adds to a signal."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pywt

MAX_EXACT = 12  # levels; of deeper cascades the first filter moves next to nothing


@lru_cache(maxsize=8192)
def delay(wavelet: str, path: str) -> float:
    """How many samples after the middle of its cascade of filters the energy of a coefficient lies.

    `path` has a letter per level, the finest first: 'aad' for the details of level 3, 'daa' for a packet. Daubechies'
    filters are far from symmetric: for db4's approximation of level 4 it is −33, two of its steps.

    >>> round(delay("haar", "aaaa"), 9), round(delay("db4", "aaaa"), 1), round(delay("db4", "aaad"), 1)
    (0.0, -33.2, 2.5)
    """
    if not path:
        return 0.0
    if len(path) > MAX_EXACT:
        return 2 * delay(wavelet, path[1:]) + delay(wavelet, path[:1])
    bank = pywt.Wavelet(wavelet)
    length = (2 ** len(path) - 1) * (bank.rec_len - 1) + 1
    size = 1 << (length - 1).bit_length()
    bins, spectrum = np.arange(size // 2 + 1), np.ones(size // 2 + 1, complex)
    for level, letter in enumerate(path):
        response = np.fft.fft(bank.rec_lo if letter == "a" else bank.rec_hi, size)
        spectrum *= response[(bins << level) % size]
    energy = np.square(np.fft.irfft(spectrum, size)[:length])
    return float(np.arange(length) @ energy / energy.sum() - (length - 1) / 2)
