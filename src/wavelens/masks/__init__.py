"""Masks: which coefficients to keep, by rank, by band or softly; `mask.apply(x)` is the signal that they leave."""

from wavelens.masks.bands import band, each_stem, orientation, parts, scale, stems
from wavelens.masks.decomposed import Decomposed, decompose
from wavelens.masks.fills import Blur, Noise
from wavelens.masks.mask import Mask
from wavelens.masks.minimal import Minimal, minimal
from wavelens.masks.pursuit import Pursuit, pursuit
from wavelens.masks.ranking import magnitude, order, signed, threshold, top
from wavelens.masks.soft import evidence, soft

__all__ = [
    "Blur",
    "Decomposed",
    "Mask",
    "Minimal",
    "Noise",
    "Pursuit",
    "band",
    "decompose",
    "each_stem",
    "evidence",
    "magnitude",
    "minimal",
    "order",
    "orientation",
    "parts",
    "pursuit",
    "scale",
    "signed",
    "soft",
    "stems",
    "threshold",
    "top",
]
