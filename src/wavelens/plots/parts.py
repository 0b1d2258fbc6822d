"""What figures are made of: places and colours, axes and headers, pictures under a glow, waves, the colour bar.

One colour scale serves a whole figure: |γ| for each sample, under a square root that keeps faint parts visible. No
band and no map is normalised by itself, so what is brighter matters more, in the mosaic and between the scales.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure as AnyFigure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from torch import Tensor

from wavelens import maps
from wavelens.core import Coefficients, Layout
from wavelens.plots.figure import Figure
from wavelens.untrusted import plain
from wavelens.wording import in_words, target_in_words

Array = NDArray[Any]

MAGNITUDE = colormaps["inferno"]  # as all colours here: told apart with any colour vision, and in grey
POSITIVE, NEGATIVE, SHARE, INK, FAINT = "#d55e00", "#0072b2", "#5b5b5b", "#222222", "#9a9a9a"
PERCENTILE = 99.0  # of the values that are not 0: a few outliers do not make the rest dark
DPI = 100
WIDTH, MARGIN, GAP, TITLE, HEADER = 16.0, 0.3, 0.3, 0.45, 0.85  # inches
CHARACTER = 0.0085  # inches of width of a character for each point of its size


class Frame(NamedTuple):
    """Where axes lie in a figure, in inches from its upper left corner."""

    left: float
    top: float
    width: float
    height: float


def title_of(a: Coefficients) -> str:
    target = getattr(a, "target", "")
    return f"target {target_in_words(target)}" if target else "explanation"


def origin_of(a: Coefficients) -> str:
    """The method and the domain, in words."""
    named = [in_words(value) for value in (getattr(a, "method", ""), a.layout.domain) if value]
    return plain(" · ".join([f"{named[0][:1].upper()}{named[0][1:]}", *named[1:]]))


def write_striped(figure: Figure, layout: Layout, bottom: float) -> None:
    """Why maps are striped, where they are, `bottom` inches below the figure's upper edge."""
    if reason := maps.striped(layout):
        height = figure.get_size_inches()[1]
        figure.text(MARGIN / WIDTH, 1 - bottom / height, reason, size=12, va="center", color=SHARE)


def literal(text: str) -> str:
    """A name of any origin for Matplotlib: no formula, and in legends too, which leave out what begins with `_`."""
    shown = plain(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def scale_shades(count: int) -> Array:
    """A colour for each of so many scales, `(count, 3)`: the coarsest yellow, the finest blue."""
    shades: Array = colormaps["plasma"](np.linspace(0.92, 0.05, count))[:, :3]
    return shades


def write_header(figure: Figure, title: str, origin: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - 0.4 / height, title, size=18, weight="bold", va="center", color=INK)
    fitting = (width - 2 * MARGIN) / (CHARACTER * max(1, len(origin)))
    figure.text(MARGIN / width, 1 - 0.75 / height, origin, size=min(12, fitting), va="center", color=SHARE)


def write_over(ax: Axes, text: str, corner: tuple[float, float], offset: tuple[float, float], **more: Any) -> None:
    """White letters with a dark edge, which are read over any picture; `offset` from the corner in points."""
    edge = [withStroke(linewidth=2, foreground=INK)]
    ax.annotate(text, corner, offset, textcoords="offset points", color="white", path_effects=edge, **more)


def fitting(title: str, inches: float) -> float:
    """The size in points at which a title is no wider than that: a letter is 0.6 of its size."""
    return min(15, 120 * inches / max(len(title), 1))


def all_fitting(titles: Iterable[str], inches: float) -> float:
    """The size at which the longest of several titles fits, so that all are of one size."""
    return min((fitting(title, inches) for title in titles), default=15)


def add_axes(figure: AnyFigure, box: Frame, title: str, size: float = 15) -> Axes:
    width, height = figure.get_size_inches()
    bottom = height - box.top - box.height
    ax = figure.add_axes((box.left / width, bottom / height, box.width / width, box.height / height))
    ax.set_title(title, size=size, loc="left", color=INK)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color(FAINT)
    return ax


def array(values: Tensor) -> Array:
    return values.detach().cpu().double().numpy()


def common_scale(a: Coefficients) -> float:
    """A `shared_scale` for every item of `a`: the 99th percentile of |γ| for each sample, where it is not 0.

    Where more than half of the sum lies above that, as for a tone in an `STFT`, it is the value above which half lies.
    """
    return scale_end(array(maps.spatial_map(a)))


def scale_end(heat: Array) -> float:
    """Where the colours of these values end: at the percentile, or higher where half of their sum lies above it."""
    visible = heat[heat > 0]
    if not visible.size:
        return 1.0
    end = float(np.percentile(visible, PERCENTILE))
    above = np.sort(visible[visible > end])[::-1]
    held, half = above.cumsum(dtype=np.float64), visible.sum(dtype=np.float64) / 2
    return float(above[held.searchsorted(half)]) if above.size and held[-1] > half else end


def scale_parts(layout: Layout, x: Tensor) -> dict[str, Array]:
    """What each scale holds of one item `(1, channel, *axes)`, to be shown in [0, 1]: `(channel, *axes)` by name.

    Approximations are as they are, details around middle grey, all with the contrast that shows the strongest.
    """
    held = {name: array(part[0]) for name, part in maps.contributions(layout.domain.analysis(x)).items()}
    details = {name: part for name, part in held.items() if layout.scales()[name].is_detail}
    strong = max((float(np.percentile(np.abs(part), 99.5)) for part in details.values()), default=0.0)
    return {name: 0.5 + 0.5 * part / (strong or 1) if name in details else part for name, part in held.items()}


def draw_picture(ax: Axes, x: Array) -> None:
    shown = np.moveaxis(x, 0, -1) if len(x) == 3 else x.mean(0)
    ax.imshow(shown.clip(0, 1), cmap="gray", vmin=0, vmax=1)


def draw_glow(ax: Axes, x: Array, heat: Array, norm: PowerNorm) -> None:
    ax.imshow(glow(x, np.asarray(norm(heat))))


def glow(x: Array, strength: Array) -> Array:
    """A map in [0, 1] over the darkened grey picture, the more opaque the larger it is: `(*axes, 3)`."""
    grey = 0.6 * x.mean(0).clip(0, 1)[..., None]
    glowing: Array = grey * (1 - strength[..., None]) + MAGNITUDE(strength)[..., :3] * strength[..., None]
    return glowing


def fill_wave(ax: Axes, x: Array, colour: str) -> None:
    """From the least to the greatest value, over channels and over samples that share a column of the figure."""
    starts = column_starts(x.shape[1])
    low, high = np.minimum.reduceat(x.min(0), starts), np.maximum.reduceat(x.max(0), starts)
    ax.fill_between(starts, low, high, color=colour, linewidth=0.9)
    ax.set_xlim(0, max(x.shape[1] - 1, 1))


def column_starts(n: int) -> Array:
    """Where at most 2000 columns start among `n` samples."""
    return np.unique(np.linspace(0, n, min(n, 2000), endpoint=False).astype(int))


def _sharing_exponent(ticks: Iterable[float]) -> tuple[list[str], str]:
    """Numbers of two digits, and the power of ten that they are multiples of where some would need an exponent."""
    values = [float(tick) for tick in ticks]
    texts = [f"{value:.2g}" for value in values]
    if not any("e" in text for text in texts):
        return texts, ""
    exponent = math.floor(math.log10(max(map(abs, values))))
    power = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return [f"{value / 10.0**exponent:.2g}" for value in values], f"× 10{power}"


def draw_bar(
    figure: Figure, box: Frame, norm: PowerNorm, unit: str, what: str = "|γ|", is_narrow: bool = False
) -> None:
    """The colours and what they stand for: above them, or along them where `is_narrow`.

    Where numbers would have exponents, they share one, below the colours.
    """
    cax = add_axes(figure, box, "")
    bar = figure.colorbar(ScalarMappable(norm, MAGNITUDE), cax=cax, extend="max", extendfrac=0.03)
    bar.set_ticks(norm.inverse(np.array([0, 0.5, 1])))
    texts, power = _sharing_exponent(bar.get_ticks())
    bar.ax.set_yticklabels(texts)
    text = f"{what} per {unit} (√)"
    if is_narrow:
        bar.set_label(f"{text} {power}".rstrip(), size=11, color=INK)
    else:
        cax.set_xlabel(power, size=10, loc="left", color=INK, labelpad=9)
        cax.set_title(text, size=12, loc="left", color=INK, pad=9)
    bar.ax.tick_params(labelsize=11)
