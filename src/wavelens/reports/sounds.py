"""What a listener is given of an explained sound."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from wavelens import masks
from wavelens.attribution import Attribution

PAUSE = 0.2  # seconds within which the sound that is kept fades in and out
ALWAYS = ("clip", "heard", "residue")  # sounds that are given even if they are silent
SILENT = 1e-4  # of the clip's peak, 80 dB below it: a scale that is no louder is left out


def is_heard(name: str, peak: float, loudest: float) -> bool:
    """Whether a sound of `sounds` with this peak is given to a listener, of a clip with the `loudest`."""
    return name in ALWAYS or peak > SILENT * loudest


def sounds(a: Attribution, x: Tensor, rate: float) -> Iterator[tuple[str, Tensor]]:
    """The 'clip', what was 'heard' of it, that by scales, and the 'residue': each `(1, channel, samples)`, by name.

    All but 'clip' and 'heard' add up to 'clip'; without the 'residue' they add up to 'heard'. They are made one after
    another, so that those of a long clip need not all be in memory. A gradient alone is taken times the signal first,
    see `masks.evidence`.
    """
    adds_up = a.gap is not None or a.method.startswith("InputTimesGradient")
    kept = masks.soft(a if adds_up else masks.evidence(a, x), min(PAUSE * rate, x.shape[-1])).of(x)
    yield "clip", x
    yield "heard", kept.synthesis()
    yield from masks.each_stem(x, kept)
