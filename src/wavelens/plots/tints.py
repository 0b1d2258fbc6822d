"""Colours of values with a sign on white: orange for what supports the target, blue for what opposes it."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from wavelens.plots.parts import NEGATIVE, POSITIVE, Array


def tinted(values: Array, end: float) -> Array:
    """White where nothing is attributed, orange for positive and blue for negative values, `(*shape, 3)`."""
    strength = np.sqrt(np.clip(np.abs(values) / end, 0, 1))[..., None]
    colour = np.where((values > 0)[..., None], np.array(to_rgb(POSITIVE)), np.array(to_rgb(NEGATIVE)))
    shades: Array = 1 - 0.85 * strength * (1 - colour)
    return shades
