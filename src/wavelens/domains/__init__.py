"""Domains: one linear transform a file."""

from wavelens.domains.dwt import DWT, from_pywt, to_pywt
from wavelens.domains.fourier import Fourier
from wavelens.domains.identity import Identity
from wavelens.domains.joint import Joint

__all__ = ["DWT", "Fourier", "Identity", "Joint", "from_pywt", "to_pywt"]
