"""Values of electrodes over the scalp: directions on a sphere, a flat picture of the head, and what lies between.

Positions are (x, y, z) towards the right, the front and the top of the head, as MNE has them. The flat picture is
azimuthal and equidistant: the top of the head in the middle, its equator at radius 1, the nose upwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

POWER = 4  # of the distance, in the weights of electrodes
NEAREST = 1e-4  # radians, below which a place is the electrode's own
MIN_ELECTRODES = 4  # which lie on one sphere
SAME_DIRECTION = 1e-6


def directions(positions: Sequence[Sequence[float]]) -> Array | None:
    """Unit vectors from the centre of the sphere that fits the positions best, `(electrodes, 3)`.

    None for fewer than four electrodes, and for those that lie on no sphere, as in a plane.

    >>> from wavelens import scalp
    >>> scalp.directions([(0, 0, 0.1), (0.1, 0, 0), (0, 0.1, 0), (-0.1, 0, 0), (0, -0.1, 0)]).round(3)[0].tolist()
    [0.0, 0.0, 1.0]
    """
    places = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    if len(places) < MIN_ELECTRODES or np.linalg.matrix_rank(places - places.mean(0), tol=1e-6) < 3:
        return None
    equations = np.concatenate([2 * places, np.ones((len(places), 1))], 1)  # |p|² = 2 c·p + (r² − |c|²)
    centre = np.linalg.lstsq(equations, (places**2).sum(1), rcond=None)[0][:3]
    rays = places - centre
    lengths: Array = np.linalg.norm(rays, axis=1, keepdims=True)
    return rays / lengths if lengths.min() > 0 else None


def located(positions: Sequence[Sequence[float]]) -> list[int]:
    """The channels whose electrodes have a position, by number, where these lie around a head; else none.

    >>> from wavelens import scalp
    >>> nowhere = (float("nan"),) * 3
    >>> cap = [(0, 0, 0.1), (0.1, 0, 0), nowhere, (0, 0.1, 0), (-0.1, 0, 0), (0, -0.1, 0)]
    >>> scalp.located(cap)
    [0, 1, 3, 4, 5]
    """
    known = [k for k, place in enumerate(positions) if all(map(math.isfinite, place))]
    return [] if directions([positions[k] for k in known]) is None else known


def flattened(rays: Array) -> Array:
    """Where directions lie in the flat picture, `(electrodes, 2)`: rightwards and upwards.

    >>> from wavelens import scalp
    >>> scalp.flattened(scalp.np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])).round(3).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    radius = np.arccos(rays[:, 2].clip(-1, 1)) / (np.pi / 2)
    angle = np.arctan2(rays[:, 1], rays[:, 0])
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def picture(rays: Array, values: Array, size: int, reach: float) -> Array:
    """Values `(…, electrodes)` between the electrodes, `(…, size, size)` over [−reach, reach]², the nose in row 0.

    Electrodes at one place are summed. NaN outside `reach`.
    """
    distinct, own = _distinct(rays)
    sums = values @ own.T
    line = np.linspace(-reach, reach, size)
    right, up = np.meshgrid(line, line[::-1])
    radius, angle = np.hypot(right, up), np.arctan2(up, right)
    tilt = radius * np.pi / 2
    grid = np.stack([np.sin(tilt) * np.cos(angle), np.sin(tilt) * np.sin(angle), np.cos(tilt)], -1)
    values_between = between(distinct, sums, grid.reshape(-1, 3)).reshape(*values.shape[:-1], size, size)
    return np.where(radius <= reach, values_between, np.nan)


def between(rays: Array, values: Array, at: Array) -> Array:
    """Values `(…, electrodes)` at distinct directions, read in directions `at`: `(…, places)`.

    Means with weights d⁻⁴ of the great-circle distance d (Shepard, 1968): the electrodes' own values at the electrodes,
    and nowhere a value beyond theirs. Splines, which suit potentials, swing around channels that contribute nothing.
    """
    distance = np.arccos((at @ rays.T).clip(-1, 1)).clip(NEAREST)
    weights = distance**-POWER
    read: Array = values @ (weights / weights.sum(1, keepdims=True)).T
    return read


def _distinct(rays: Array) -> tuple[Array, Array]:
    """Directions without repetition, and a matrix (distinct, electrodes) of which electrode looks in each."""
    same = (np.abs(rays[:, None] - rays[None]) < SAME_DIRECTION).all(-1)
    first = same.argmax(1)
    kept = np.unique(first)
    own: Array = (first[None] == kept[:, None]).astype(np.float64)
    return rays[kept], own
