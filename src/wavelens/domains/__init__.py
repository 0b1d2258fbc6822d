"""Domains: one linear transform a file."""

from wavelens.domains.constantq import ConstantQ
from wavelens.domains.cosine import Cosine
from wavelens.domains.dwt import DWT, from_pywt, to_pywt
from wavelens.domains.fourier import Fourier
from wavelens.domains.identity import Identity
from wavelens.domains.joint import Joint
from wavelens.domains.stft import STFT

__all__ = ["DWT", "STFT", "ConstantQ", "Cosine", "Fourier", "Identity", "Joint", "from_pywt", "to_pywt"]
