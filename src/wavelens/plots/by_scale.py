"""Where each scale matters, one colour per scale over the input in grey: coarse ones yellow, fine ones blue."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from wavelens.core import Coefficients, one_item
from wavelens.grid import Grid
from wavelens.maps import profile, scale_maps
from wavelens.plots.decomposed import check_pictures, flat, plane, window
from wavelens.plots.figure import Figure
from wavelens.plots.parts import DPI, INK, Array, array, scale_shades

SIDE, CAPTION, HEAD = 2.4, 0.45, 0.5  # inches of a picture's width, of its caption, and of the title
MAX_COLUMNS = 9  # pictures in a row
COVER = 0.75  # how much of the input a colour hides


def by_scale(
    a: Coefficients, x: Tensor, fraction: float = 0.1, *, item: int = 0, title: str = "", grid: Grid | None = None
) -> Figure:
    """The input, where its scales matter most: all in one and each alone, one colour per scale (WAM's figures 2, 4).

    For each scale, the `fraction` of the picture with the scale's largest |γ| is coloured (`maps.scale_maps`), finer
    scales over coarser ones, so colours show where, and the shares of Σ|γ| in the captions how much. `x` is what was
    explained, `(batch, channel, *axes)`: photos with values in [0, 1]; volumes and videos are shown by the plane across
    their first axis that holds most of |γ|. `grid` names the scales in its unit.
    """
    check_pictures([a], x)
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be the part of the picture that is coloured, between 0 and 1; got {fraction}.")
    one = one_item(a, item)
    place = plane(one)
    heat = {name: array(full[0] if place is None else full[0, place]) for name, full in scale_maps(one).items()}
    low, high = window(array(x[item][None]), place)
    signal = (flat(x[item][None], place).mean(-1, keepdims=True) - low) / (high - low)
    grey = np.repeat(signal.clip(0, 1), 3, -1)
    shades = scale_shades(len(heat))
    titles, shares = (grid or Grid.plain(x.ndim - 2)).titles(a.layout), profile(one).share[0].tolist()
    pictures, every = [], grey
    for (name, where), shade, share in zip(heat.items(), shades, shares, strict=True):
        places = _strongest(where, fraction)
        alone = _coloured(grey, places, shade)
        every = np.where(places[..., None], alone, every)
        pictures.append((f"{titles[name]}\n{share:.0%} of Σ|γ|", alone))
    return _drawn([("input", grey), ("all scales", every), *pictures], title)


def _strongest(where: Array, fraction: float) -> Array:
    """The places with the largest values, as many as `fraction` says, but none where there is nothing."""
    strongest: Array = (where >= np.quantile(where, 1 - fraction)) & (where > 0)
    return strongest


def _coloured(picture: Array, places: Array, shade: Array) -> Array:
    mixed: Array = np.where(places[..., None], (1 - COVER) * picture + COVER * shade, picture)
    return mixed


def _drawn(pictures: list[tuple[str, Array]], title: str) -> Figure:
    height = SIDE * pictures[0][1].shape[0] / pictures[0][1].shape[1]
    rows = -(-len(pictures) // MAX_COLUMNS)
    columns = -(-len(pictures) // rows)
    size = (SIDE * columns, rows * (height + CAPTION) + HEAD)
    figure = Figure(size, dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle(title, color=INK, fontsize=13)
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in places:
        ax.set_axis_off()
    for ax, (caption, picture) in zip(places, pictures, strict=False):
        ax.imshow(picture, interpolation="nearest")
        ax.set_title(caption, fontsize=10, color=INK)
    return figure
