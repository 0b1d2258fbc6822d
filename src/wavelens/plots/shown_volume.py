"""One volume as figures show it: its greys, its maps, and a slice with letters, an outline and a name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from torch import Tensor

from wavelens import anatomy, maps
from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.plots.parts import MAGNITUDE, Array, array, common_scale, draw_glow, write_over

WINDOW = (0.5, 99.5)  # percentiles of the input's values that are black and white
OUTLINE = "#7fe0ff"  # of a region, over greys and all colours of the maps


class ShownVolume(NamedTuple):
    """One item: grey values in [0, 1], maps by scale, where they lie, where colours end, and a region to outline."""

    grey: Array
    maps: dict[str, Array]
    grid: Grid
    norm: PowerNorm
    end: float
    region: Array | None = None


def explained(
    a: Coefficients,
    x: Tensor,
    item: int,
    grid: Grid | None,
    shared_scale: float | None,
    region: Tensor | None = None,
) -> ShownVolume:
    axes = a.layout.signal_shape
    if len(axes) != 3 or a.data.ndim != 3:
        raise ValueError(
            f"a volume must have three axes and coefficients (batch, channel, size); got axes {axes} and coefficients "
            f"{tuple(a.data.shape)}. wavelens.plots.panel draws signals of other kinds."
        )
    if tuple(x.shape[2:]) != axes or len(x) != len(a.data):
        raise ValueError(
            f"x must be the explained volume ({len(a.data)}, channel, {', '.join(map(str, axes))}); got "
            f"{tuple(x.shape)}. Pass the x that was attributed, at the resolution that the model saw."
        )
    one = one_item(a, item)
    scales = {name: array(heat[0]) for name, heat in maps.scale_maps(one).items()}
    every = {"all scales": array(maps.spatial_map(one)[0])}
    end = common_scale(one) if shared_scale is None else shared_scale
    shown = every | (scales if len(scales) > 1 else {})
    if region is not None and tuple(region.shape) != axes:
        raise ValueError(
            f"region must be true inside, {axes} of the volume; got {tuple(region.shape)}. Resize it to x."
        )
    inside = None if region is None else array(region)
    norm = PowerNorm(0.5, 0, end, clip=True)
    return ShownVolume(grey_of(array(x[item])), shown, grid or Grid.plain(3), norm, end, inside)


def grey_of(channels: Array) -> Array:
    """The mean of the channels, each from black to white by its own values, `(*axes)` in [0, 1]."""
    means: Array = np.mean([grey_values(one) for one in channels], 0)
    return means


def grey_values(values: Array) -> Array:
    low, high = np.percentile(values, WINDOW)
    if high <= low:  # nearly all of it is background
        low, high = values.min(), values.max()
    grey: Array = ((values - low) / (high - low or 1)).clip(0, 1)
    return grey


def fullest(heat: Array) -> tuple[int, ...]:
    """For each axis, the plane across it that holds the most."""
    return tuple(int(heat.sum(tuple(set(range(3)) - {axis})).argmax()) for axis in range(3))


def across(axis: int) -> tuple[int, int]:
    """The axes that a slice across `axis` shows: rightwards and upwards."""
    right, up = (k for k in range(3) if k != axis)
    return right, up


def draw_slice(ax: Axes, volume: ShownVolume, name: str, axis: int, place: int) -> None:
    """The input, or it under the map called `name`, in the plane across an axis; a region is outlined."""
    right, up = across(axis)
    grey = volume.grey.take(place, axis).T
    if name == "input":
        ax.imshow(grey, cmap="gray", vmin=0, vmax=1)
    else:
        draw_glow(ax, grey[None], volume.maps[name].take(place, axis).T, volume.norm)
    if volume.region is not None and 0 < (inside := volume.region.take(place, axis).T).sum() < inside.size:
        ax.contour(inside, levels=[0.5], colors=[OUTLINE], linewidths=1.1)
    ax.set(xlim=(-0.5, grey.shape[1] - 0.5), ylim=(-0.5, grey.shape[0] - 0.5))
    ax.set_aspect(volume.grid.spacing[up] / volume.grid.spacing[right], anchor="NW")


def place_label(volume: ShownVolume, axis: int, where: tuple[int, ...], between: str) -> str:
    """Which plane this is: 'axis 3: 12 of 24', and in a patient 'axial, S 5.0 mm'."""
    counted = f"axis {axis + 1}: {where[axis] + 1} of {volume.grey.shape[axis]}"
    named = anatomy.plane_text(volume.grid, axis, where)
    return f"{named}{between}{counted}" if named else counted


def write_letters(ax: Axes, volume: ShownVolume, axis: int) -> None:
    """Where right, left, front, back, head and feet are, at the middle of each edge."""
    ends = anatomy.letters(volume.grid)
    if not ends:
        return
    right, up = across(axis)
    edges = {(0, 0.5): ends[right][0], (1, 0.5): ends[right][1], (0.5, 0): ends[up][0], (0.5, 1): ends[up][1]}
    for (x, y), letter in edges.items():
        offset = (7 * (1 - 2 * x) * (x != 0.5), 7 * (1 - 2 * y) * (y != 0.5))
        write_over(ax, letter, (x, y), offset, xycoords="axes fraction", ha="center", va="center", size=11)


def mark_planes(ax: Axes, axis: int, where: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Where the other two slices cut this one, at its rim."""
    right, up = across(axis)
    for start, end in ((0.0, 0.06), (0.94, 1.0)):
        ax.axvline(where[right], start, end, color=MAGNITUDE(0.75), linewidth=1.2)
        ax.axhline(where[up], start, end, color=MAGNITUDE(0.75), linewidth=1.2)
