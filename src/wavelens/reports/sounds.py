"""What a listener is given of an explained sound."""

from __future__ import annotations

from torch import Tensor

from wavelens import masks
from wavelens.attribution import Attribution

PAUSE = 0.2  # seconds within which the sound that mattered is faded in and out


def sounds(a: Attribution, x: Tensor, rate: float) -> dict[str, Tensor]:
    """The 'clip', what was 'heard' of it, that by scales, and the 'residue': each `(1, channel, samples)`.

    All but 'clip' and 'heard' add up to 'clip'; without the 'residue' they add up to 'heard'. A gradient alone is
    taken times the signal first, see `masks.evidence`.
    """
    adds_up = a.gap is not None or a.method.startswith("InputTimesGradient")
    mask = masks.soft(a if adds_up else masks.evidence(a, x), min(PAUSE * rate, x.shape[-1]))
    stems = masks.stems(x, mask)
    return {"clip": x, "heard": x - stems["residue"], **stems}
