"""Point clouds and meshes by their vertices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wavelens import maps
from wavelens.accounts import has_signs
from wavelens.attribution import Attribution
from wavelens.core import Band, Domain
from wavelens.counts import part_of
from wavelens.domains import TreeHaar
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import FileSize, Kind, Writer
from wavelens.frontends.clouds import SUFFIXES, Cloud, cloud_cost, clouds_inside, is_cloud, read_cloud, write_cloud
from wavelens.frontends.clouds.ply import is_written_here
from wavelens.models.preparations.cloud import as_cloud
from wavelens.reports import CLOUD_VIEW

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure

COORDINATES = ("x", "y", "z")
MAX_SHAPES = 10  # that are written of a cloud
ONE_PLACE = 1e-5  # of a cloud's size: what is no larger is rounding
ATTRIBUTION = "attribution"  # what the property of a PLY file is called that holds γ per point


def _domain(axes: tuple[int, ...]) -> Domain:
    """A tree of each cloud's own points: any number of them, in time and memory in proportion."""
    return TreeHaar()


def _fit(domain: Domain, shown: Input) -> Domain:
    """A domain on the edges of a mesh, where it takes these: those of the file's own triangles."""
    if not domain.takes_mesh:
        return domain
    cloud, points = shown.signal, shown.x.shape[2]
    if cloud.faces is None:
        raise ValueError(
            f"{domain} takes the edges of a mesh; {shown.path.name} has no faces. Leave edges out: points are joined "
            "to their nearest."
        )
    chosen = getattr(shown.preparation, "keeps_points", None)
    if chosen is None or not chosen(cloud):
        raise ValueError(
            f"{domain} takes the edges of a mesh, so all its vertices; the network is given {points} of "
            f"{cloud.points}. Let it take all, Points((3, {cloud.points}), fit='whole'), or leave edges out."
        )
    return domain.of_mesh(shown.x, cloud.faces)


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.cloud(a, shown.x, title=title, grid=shown.grid)


def _channels(shown: Input) -> tuple[str, ...]:
    """The coordinates; none where a preparation of one's own made other channels."""
    return COORDINATES if shown.x.shape[1] == len(COORDINATES) else ()


def _note(path: Path) -> str:
    """How its unit came about, and how many points lie where another does: they are counted twice."""
    cloud = read_cloud(path)
    notes = [cloud.note] if cloud.note else []
    if cloud.repeated:
        several = part_of(cloud.repeated, cloud.points, "point", "lies", "lie")
        notes.append(f"{several} where another one does; each is counted")
    return "; ".join(notes)


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    return FileSize(cloud_cost(path))


def _write(shown: Input, x: Tensor, path: Path) -> None:
    write_cloud(path, _restored(shown, x))


def _has_place(shown: Input) -> bool:
    """Whether the preparation says where its points lay in the file."""
    return hasattr(shown.preparation, "original")


def _restored(shown: Input, x: Tensor) -> Cloud:
    """A cloud in place of the input, in the coordinates of its file."""
    preparation: Any = shown.preparation
    cloud: Cloud = preparation.original(x, shown.signal)
    return cloud


def _extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterator[Path]:
    """The cloud with γ per point and its colours; and in a folder its shape from its coarsest scales on, as PLY."""
    if not _has_place(shown):
        return
    path = _free(base.with_name(f"{base.name}.ply"))
    write_cloud(path, _restored(shown, shown.x), _coloured(a))
    yield path
    folder = base.with_name(f"{base.name}-shapes")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ply"):
        if is_written_here(old):  # of an earlier run: shapes of another domain
            old.unlink()
    for name, x in shapes(a.domain, shown.x):
        path = _free(folder / f"{name}.ply")
        write_cloud(path, _restored(shown, x))
        yield path


def _free(path: Path) -> Path:
    """A path where no file lies but one of an earlier run; `ValueError` for a stranger's."""
    if path.exists() and not is_written_here(path):
        raise ValueError(f"{path} would be overwritten and is not of an earlier run. Move it, or choose another --out.")
    return path


def _coloured(a: Attribution) -> dict[str, Tensor]:
    """γ per point, |γ| where signs mean nothing, and the colours of the panel's maps."""
    from wavelens.plots.cloud import colours_of  # matplotlib: only once there is something to draw

    heat = maps.spatial_map(a, signed=has_signs(a))[0].float().cpu()
    red, green, blue = torch.from_numpy(colours_of(a)).unbind(1)
    return {"red": red, "green": green, "blue": blue, ATTRIBUTION: heat}


def shapes(domain: Domain, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What is left of a cloud from its coarsest scales, then with finer ones too, `(1, 3, points)` each.

    All scales, which are the cloud, are left out, and what is but one place, as the mean that a tree begins with. Of
    many scales some are taken, evenly.
    """
    c = domain.bind(x).analysis(x)
    scales = list(c.layout.scales().items())
    kept: list[Band] = []
    chosen = {round(k * (len(scales) - 2) / (MAX_SHAPES - 1)) for k in range(MAX_SHAPES)}
    for rank, (name, bands) in enumerate(scales[:-1]):
        kept += bands
        if len(scales) > MAX_SHAPES and rank not in chosen:
            continue
        left = c.only(*kept).synthesis()
        if left.std(2).max() > ONE_PLACE * x.std(2).max():
            yield f"{rank:02d}-to-{name}", left


CLOUD = Kind(
    "cloud",
    SUFFIXES,
    read_cloud,
    units=("units",),
    domain=_domain,
    sigma=0.02,
    start="all points at the origin",
    panel=_panel,
    view=CLOUD_VIEW,
    size=_size,
    as_is=as_cloud,
    gather=clouds_inside,
    speaks=is_cloud,
    holds=is_cloud,
    channels=_channels,
    fit=_fit,
    note=_note,
    extras=_extras,
    outputs={".ply": "a cloud, to turn in a viewer"},
    writer=Writer(".ply", _write, _has_place),
    models="pointnet",
)
