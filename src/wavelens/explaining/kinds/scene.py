"""Scenes: bands of several resolutions over one piece of ground, which are several signals of one input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wavelens.attribution import Attribution, Attributions
from wavelens.core import Domain
from wavelens.domains import Joint
from wavelens.explaining.kinds.input import Input, SignalPart
from wavelens.explaining.kinds.kind import Kind
from wavelens.explaining.kinds.raster import octaves, written_maps
from wavelens.frontends.raster import open_scene, raster_files, scenes_inside
from wavelens.models import Preparation, Resolutions
from wavelens.reports import SCENE_VIEW

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


def resolutions_of(preparation: Preparation) -> Resolutions:
    """The preparation of a network that takes scenes; `TypeError` for one of another kind."""
    if not isinstance(preparation, Resolutions):
        raise TypeError(f"scenes must be prepared by Resolutions; got {type(preparation).__name__}. Give it that.")
    return preparation


def _joint(domain: Domain | None, preparation: Preparation) -> Domain:
    """The same domain for each resolution, or octaves of its own; a `Joint` as it is."""
    takes = resolutions_of(preparation)
    if isinstance(domain, Joint):
        if dict(zip(domain.names, domain.shapes, strict=True)) != takes.shapes:
            raise ValueError(f"the network takes {takes.shapes}; got {domain}. Leave the domain out.")
        return domain
    every = tuple(domain or octaves(shape[1:]) for shape in takes.shapes.values())
    joint = Joint(takes.names, every, tuple(takes.shapes.values()))
    for name, own in zip(takes.names, every, strict=True):
        try:
            own.layout(takes.shapes[name][1:])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return joint


def _signals(a: Attribution, shown: Input) -> tuple[SignalPart, ...]:
    """Each resolution with its own side of the account; scores and the gap are those of all together."""
    takes, several = resolutions_of(shown.preparation), Attributions(a)
    sides = {name: replace(one, gap=a.gap, score=None, baseline_score=None) for name, one in several.items()}
    values, headers = takes.unpacked(shown.x), takes.headers(shown.signal)
    return tuple(
        SignalPart(
            name, sides[name], values[name], takes.parts[name].grid(shown.signal.parts[name]), headers[name].bands
        )
        for name in takes.names
    )


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    parts = _signals(a, shown)
    return plots.resolutions(
        a,
        {one.name: one.x for one in parts},
        title=title,
        grids={one.name: one.grid for one in parts},
        channels={one.name: one.channels for one in parts},
    )


def _extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterator[Path]:
    """Maps over the scene as GeoTIFF, of each resolution on its own pixels."""
    headers = resolutions_of(shown.preparation).headers(shown.signal)
    for one in _signals(a, shown):
        own = base.with_name(f"{base.name}-{one.name}")
        yield from written_maps(one.attribution, one.grid, headers[one.name], one.channels, own)


def _usual(axes: tuple[int, ...]) -> Domain:
    raise TypeError("a scene's signals have a domain each; see `joint`.")


SCENE = Kind(
    "scene",
    (),
    open_scene,
    units=("m",),
    domain=_usual,
    sigma=0.1,
    start="a scene of zeros",
    panel=_panel,
    view=SCENE_VIEW,
    gather=scenes_inside,
    files=raster_files,
    joint=_joint,
    signals=_signals,
    extras=_extras,
    outputs={".tif": "maps over the scene"},
    models="package.module:function",
)
