"""The channels of a volume: each one's slice with its own map over it, and the sums by channel and scale beside."""

from __future__ import annotations

from collections.abc import Sequence

from wavelens import maps
from wavelens.core import Coefficients
from wavelens.plots.figure import Figure
from wavelens.plots.parts import GAP, MARGIN, TITLE, WIDTH, Array, Frame, add_axes, array, fitting, literal
from wavelens.plots.series import draw_cells, strongest_channels
from wavelens.plots.shown_volume import ShownVolume, draw_slice, grey_values

MAX_TILES = 6  # of channels that are drawn: of more, those that matter most
CELLS, NAMES = 5.2, 1.3  # inches of width: the matrix, and the channels' names beside it
MAX_TILE = 3.0  # inches
MIN_HEIGHT = 1.6  # inches


def channel_boxes(top: float, count: int, proportion: float) -> list[Frame]:
    """Where the tiles of so many channels lie, with height over width as given, and last the matrix; none for none."""
    if not count:
        return []
    room = WIDTH - 2 * MARGIN - CELLS - NAMES
    side = min((room - GAP * (count - 1)) / count, MAX_TILE)
    tiles = [Frame(MARGIN + k * (side + GAP), top + TITLE, side, side * proportion) for k in range(count)]
    return [*tiles, Frame(WIDTH - MARGIN - CELLS, top + TITLE + 0.15, CELLS, max(side * proportion, MIN_HEIGHT) - 0.15)]


def draw_channels(
    figure: Figure,
    boxes: Sequence[Frame],
    one: Coefficients,
    x: Array,
    names: Sequence[str],
    volume: ShownVolume,
    place: int,
) -> None:
    """The slice at `place` of the last axis for each channel of `x` `(channel, *axes)`, and the matrix of sums."""
    shown = strongest_channels(one, MAX_TILES)
    heat = array(maps.spatial_map(one, by_channel=True)[0])
    *tiles, cells = boxes
    for box, k in zip(tiles, shown, strict=True):
        tile = volume._replace(grey=grey_values(x[k]), maps={"channel": heat[k]})
        draw_slice(add_axes(figure, box, literal(names[k]), fitting(names[k], box.width)), tile, "channel", 2, place)
    ax = add_axes(figure, cells, "")
    draw_cells(ax, one, shown, volume.grid, names)
