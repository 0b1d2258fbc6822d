"""Maps of the scalp: what each channel contributes, at its electrode, and means between electrodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from wavelens import maps, scalp
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.plots.figure import Figure
from wavelens.plots.parts import FAINT, GAP, INK, MARGIN, TITLE, WIDTH, Array, Frame, add_axes, array, fitting, literal
from wavelens.plots.tints import tinted

Positions = Sequence[tuple[float, float, float]]

REACH = 1.15  # of the picture, in radii of the head's equator
SIZE = 120  # pixels of a side
SIDE = 2.6  # inches, at most
MAX_HEADS = 9  # in a row: all scales and the finest ones
MAX_NAMES = 34  # of electrodes that are named
NOSE = np.array([(-0.13, 0.99), (0.0, 1.13), (0.13, 0.99)])


def scalp_boxes(top: float, scales: int, positions: Positions) -> list[Frame]:
    """Where the heads lie, of all scales and of each; none without electrodes that lie around a head."""
    if not scalp.located(positions):
        return []
    count = min(1 + scales if scales > 1 else 1, MAX_HEADS)
    side = min((WIDTH - 2 * MARGIN - GAP * (count - 1)) / count, SIDE)
    return [Frame(MARGIN + k * (side + GAP), top + TITLE, side, side) for k in range(count)]


def draw_scalps(
    figure: Figure, boxes: Sequence[Frame], one: Coefficients, positions: Positions, names: Sequence[str], grid: Grid
) -> None:
    """A head for all scales together and one for each of the finest, in one colour scale."""
    rays, sums, titles, shown = scalp_sums(one, positions)
    labels = {"all scales": "signed sum by electrode", **grid.titles(one.layout)}
    several = scalp.picture(rays, sums, SIZE, REACH)
    end = float(np.abs(sums).max()) or 1.0
    chosen = [0, *range(len(titles) - len(boxes) + 1, len(titles))]
    for box, k in zip(boxes, chosen, strict=True):
        title = labels.get(titles[k], titles[k])
        ax = add_axes(figure, box, title, fitting(title, box.width))
        draw_head(ax, rays, several[k], end, [names[c] for c in shown] if k == 0 and len(shown) <= MAX_NAMES else ())


class ScalpSums(NamedTuple):
    """What channels with an electrode contribute: their directions, sums `(scales, channels)`, which scales and which.

    The first of the scales is all together where there are several.
    """

    rays: Array
    sums: Array
    scales: list[str]
    channels: list[int]


def scalp_sums(one: Coefficients, positions: Positions) -> ScalpSums:
    """The signed sums of one item by scale and channel; of complex gradients the shares of Σ|γ|."""
    shown = scalp.located(positions)
    rays = scalp.directions([positions[k] for k in shown])
    assert rays is not None
    profile = maps.profile(one, by_channel=True)
    by_scale = array((profile.share if one.data.is_complex() else profile.signed)[0]).T[:, shown]
    if len(by_scale) == 1:
        return ScalpSums(rays, by_scale, ["all scales"], shown)
    together = np.concatenate([by_scale.sum(0, keepdims=True), by_scale])
    return ScalpSums(rays, together, ["all scales", *profile.names], shown)


def draw_head(ax: Axes, rays: Array, values: Array, end: float, names: Sequence[str]) -> None:
    """A head from above, the nose upwards, with values between electrodes and the electrodes as dots."""
    shades = tinted(np.nan_to_num(values), end)
    shades[np.isnan(values)] = 1
    ax.imshow(shades, extent=(-REACH, REACH, -REACH, REACH), interpolation="bilinear")
    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor=INK, linewidth=1.1))
    ax.plot(*NOSE.T, color=INK, linewidth=1.1)
    places = scalp.flattened(rays)
    ax.plot(*places.T, ".", color=INK, markersize=3)
    for name, (x, y) in zip(names, places.tolist(), strict=False):
        ax.annotate(literal(name), (x, y), (0, 3), textcoords="offset points", ha="center", size=7, color=INK)
    ax.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
    ax.spines[:].set_visible(False)
    ax.tick_params(colors=FAINT)
