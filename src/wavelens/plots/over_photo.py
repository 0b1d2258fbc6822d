"""A map over the whole of a photo, where the model was given a part of it or a smaller version."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, one_item
from wavelens.plots.figure import Figure
from wavelens.plots.parts import (
    DPI,
    GAP,
    HEADER,
    INK,
    MARGIN,
    TITLE,
    WIDTH,
    Array,
    Frame,
    add_axes,
    array,
    common_scale,
    draw_bar,
    draw_picture,
    glow,
    origin_of,
    title_of,
    write_header,
)

MAX_HEIGHT = 9.0  # inches of a picture
BAR = 1.3  # inches for the colour bar and its numbers


def over_photo(
    a: Coefficients,
    photo: Tensor,
    box: tuple[float, float, float, float],
    item: int = 0,
    title: str = "",
    shared_scale: float | None = None,
) -> Figure:
    """The photo as it was taken, and the map over it; a frame shows what the model was given.

    `photo` `(1, 1 or 3, height, width)` has values in [0, 1] and any size. `box` says where the explained picture lies
    in it: left, upper, right and lower as parts of the photo's width and height. `shared_scale` as for `panel`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> photo = torch.rand(1, 3, 30, 60)
    >>> len(wl.plots.over_photo(a, photo, (0.25, 0.0, 0.75, 1.0)).axes)
    3
    """
    if a.data.ndim != 3 or len(a.layout.signal_shape) != 2:
        raise ValueError(
            "a map over a photo must be of one target over two axes: coefficients (batch, channel, size) of a "
            f"picture; got {tuple(a.data.shape)} for axes {a.layout.signal_shape}."
        )
    left, upper, right, lower = box
    if photo.ndim != 4 or not (0 <= left < right <= 1 and 0 <= upper < lower <= 1):
        raise ValueError(
            "photo must be (1, channel, height, width), and box left, upper, right, lower as parts of it from 0 to 1; "
            f"got {tuple(photo.shape)} and {box}."
        )
    one, shown = one_item(a, item), array(photo[0])
    norm = PowerNorm(0.5, 0, common_scale(one) if shared_scale is None else shared_scale, clip=True)
    height, width = shown.shape[-2:]
    side = min((WIDTH - 2 * MARGIN - GAP - BAR) / 2, MAX_HEIGHT * width / height)
    tall = side * height / width
    figure = Figure((WIDTH, HEADER + TITLE + tall + GAP), dpi=DPI, facecolor="white")
    write_header(figure, title or title_of(a), origin_of(a))
    places = [Frame(MARGIN + k * (side + GAP), HEADER + TITLE, side, tall) for k in range(2)]
    whole, mapped = (add_axes(figure, place, name) for place, name in zip(places, ("photo", "all scales"), strict=True))
    draw_picture(whole, shown)
    pixels = left * width, upper * height, right * width, lower * height
    strength = _within(np.asarray(norm(array(maps.spatial_map(one)[0]))), (height, width), pixels)
    mapped.imshow(glow(shown, strength))
    if box != (0, 0, 1, 1):
        for ax, colour in ((whole, INK), (mapped, "white")):
            corner = pixels[0] - 0.5, pixels[1] - 0.5
            frame = Rectangle(corner, pixels[2] - pixels[0], pixels[3] - pixels[1], fill=False, linewidth=1.2)
            frame.set(edgecolor=colour, linestyle="--")
            ax.add_patch(frame)
        whole.set_title("photo; dashed: what the model was given", size=15, loc="left", color=INK)
    bar_height = min(tall, 4.0)
    draw_bar(figure, Frame(places[1].left + side + 0.12, places[1].top, 0.2, bar_height), norm, "px")
    return figure


def _within(strength: Array, size: tuple[int, int], box: tuple[float, ...]) -> Array:
    """A map at the place in a picture of this (height, width) that it is of, 0 around it; between pixels linear."""
    rows, columns = (np.arange(n) + 0.5 for n in size)
    across = 2 * (columns - box[0]) / (box[2] - box[0]) - 1
    down = 2 * (rows - box[1]) / (box[3] - box[1]) - 1
    points = np.stack(np.meshgrid(across, down), -1)
    values = torch.nn.functional.grid_sample(
        torch.from_numpy(np.ascontiguousarray(strength, dtype=np.float64))[None, None],
        torch.from_numpy(points)[None],
        padding_mode="border",
        align_corners=False,
    )[0, 0].numpy()
    inside = (np.abs(points) <= 1).all(-1)
    placed: Array = np.where(inside, values, 0.0)
    return placed
