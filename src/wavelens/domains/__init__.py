"""Domains: one linear transform a file."""

from wavelens.domains.constantq import ConstantQ
from wavelens.domains.cosine import Cosine
from wavelens.domains.dualtree import DualTree
from wavelens.domains.dwt import DWT, from_pywt, to_pywt
from wavelens.domains.fourier import Fourier
from wavelens.domains.frequency_bands import FrequencyBands
from wavelens.domains.graph import GraphWavelets
from wavelens.domains.identity import Identity
from wavelens.domains.joint import Joint
from wavelens.domains.packets import Packets, best_basis
from wavelens.domains.shearlets import Shearlets
from wavelens.domains.shifted import Shifted
from wavelens.domains.stationary import Stationary
from wavelens.domains.stft import STFT
from wavelens.domains.text import TextHaar
from wavelens.domains.tree import TreeHaar

__all__ = [
    "DWT",
    "STFT",
    "ConstantQ",
    "Cosine",
    "DualTree",
    "Fourier",
    "FrequencyBands",
    "GraphWavelets",
    "Identity",
    "Joint",
    "Packets",
    "Shearlets",
    "Shifted",
    "Stationary",
    "TextHaar",
    "TreeHaar",
    "best_basis",
    "from_pywt",
    "to_pywt",
]
