"""Masks by band, and a signal taken apart by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from wavelens.core import Band, Coefficients
from wavelens.masks.mask import Mask


def band(c: Coefficients, *bands: Band) -> Mask:
    """Keeps `bands` of the layout of `c`, for every item and channel: `(1, 1, size)`.

    >>> c = wl.DWT("haar", levels=2).analysis(x)
    >>> mask = wl.masks.band(c, c.layout.bands[0])
    >>> int(mask.data.sum())
    4
    """
    _check(bands, c.layout.bands, "bands are among")
    data = c.data.real.new_zeros(1, 1, c.layout.size)
    for one in bands:
        data[..., c.layout.slices[one]] = 1
    return Mask(data, c.layout)


def scale(c: Coefficients, *names: str) -> Mask:
    """Keeps scales by name, as in `Layout.scales`: 'd1' for the finest details, 'a3' for the approximation.

    >>> c = wl.DWT("haar", levels=2).analysis(x)
    >>> mask = wl.masks.scale(c, "d1")
    >>> int(mask.data.sum())
    48
    """
    groups = c.layout.scales()
    _check(names, groups, "scales are among")
    return band(c, *(one for name in names for one in groups[name]))


def orientation(c: Coefficients, *keys: str) -> Mask:
    """Keeps orientations at every level by key, one letter per axis: 'da' for an image's horizontal details.

    >>> c = wl.DWT("haar", levels=2).analysis(x)
    >>> mask = wl.masks.orientation(c, "dd")
    >>> int(mask.data.sum())
    20
    """
    _check(keys, dict.fromkeys(one.key for one in c.layout.bands), "orientations are among")
    return band(c, *(one for one in c.layout.bands if one.key in keys))


def parts(c: Coefficients) -> dict[str, Mask]:
    """A mask for each band, by its text ('aa3', 'da3', …): what they leave of a signal adds up to it.

    >>> c = wl.DWT("haar", levels=2).analysis(x)
    >>> {name: int(mask.data.sum()) for name, mask in wl.masks.parts(c).items()}
    {'aa2': 4, 'ad2': 4, 'da2': 4, 'dd2': 4, 'ad1': 16, 'da1': 16, 'dd1': 16}
    """
    return {str(one): band(c, one) for one in c.layout.bands}


def stems(x: Tensor, mask: Mask) -> dict[str, Tensor]:
    """What the mask keeps of each scale, by name ('a3', 'd3', …), and the 'residue' that it drops: they add up to `x`.

    Each is a signal shaped as `mask.apply(x)`, `(batch, channel, *axes)`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> stems = wl.masks.stems(x, wl.masks.top(a, 0.5))
    >>> list(stems)
    ['a2', 'd2', 'd1', 'residue']
    """
    return dict(each_stem(x, mask.of(x)))


def each_stem(x: Tensor, kept: Coefficients) -> Iterator[tuple[str, Tensor]]:
    """The `stems` for `kept = mask.of(x)`, one after another: those of a long sound need not all be in memory."""
    residue = x
    for name, bands in kept.layout.scales().items():
        stem = kept.only(*bands).synthesis()
        residue = residue - stem
        yield name, stem
        del stem  # it makes room for the next one
    yield "residue", residue


def _check(names: Iterable[object], known: Iterable[object], what: str) -> None:
    unknown = [one for one in names if one not in known]
    if unknown:
        raise ValueError(f"{what} {', '.join(map(str, known))}; got {', '.join(map(str, unknown))}.")
