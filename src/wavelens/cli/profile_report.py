"""What `wavelens profile` prints and writes: a table, a plot, and records for people and programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from wavelens.cli.terminal import Terminal, plain
from wavelens.core import Layout
from wavelens.explaining.records import model_summary
from wavelens.grid import Grid
from wavelens.models import LoadedModel
from wavelens.runs import Average
from wavelens.runs.evaluation import Evaluation
from wavelens.runs.samples import Sample
from wavelens.runs.statistics.profile_tables import HEAD, Extents, caption, comma_separated, lines, markdown
from wavelens.runs.store.shards import write_whole


@dataclass(frozen=True, eq=False)
class Member:
    """One of the models: what it is called in tables, what is run, over which files, and what its scales span."""

    name: str
    loaded: LoadedModel
    task: Evaluation
    dataset: list[Sample]
    layout: Layout


@dataclass(frozen=True)
class Place:
    """Where the samples of a model's inputs lie; `differs` where they lie elsewhere in some files."""

    grid: Grid
    differs: bool


def report(
    found: Average, members: Sequence[Member], places: Mapping[str, Place], settings: Mapping[str, Any], out: Path
) -> None:
    """Prints the table and writes it, the plot and the record."""
    from wavelens import plots  # matplotlib: only once there is something to draw

    extents = {m.name: places[m.name].grid.labels(m.layout) for m in members}
    console = Terminal()
    console.print(_table(found, extents))
    console.print(Text(caption(found)), soft_wrap=True)
    if any(place.differs for place in places.values()):
        console.print(Text("Files differ in the spacing of their samples: extents are those of the middle one."))
    record = json.dumps(_record(found, members, places, settings), indent=2, ensure_ascii=False) + "\n"
    texts = {"md": markdown(found, extents), "csv": comma_separated(found, extents), "json": record}
    paths = {suffix: out / f"profile.{suffix}" for suffix in (*texts, "png")}
    for suffix, text in texts.items():
        write_whole(paths[suffix], text.encode())
    explainer: Any = members[0].task.explainer
    title = f"{type(explainer.method).__name__} in {explainer.domain}, {found.items} files"
    plots.save(plots.mean_profiles(found, extents, title=title), paths["png"])
    for path in paths.values():
        console.print(Text(f"wrote {plain(str(path))}"), soft_wrap=True)


def _table(found: Average, extents: Extents) -> Table:
    shown = Table(*HEAD)
    before = ""
    for scale, model, *numbers in lines(found, extents):
        if before not in ("", scale):
            shown.add_section()
        shown.add_row("" if scale == before else scale, Text(plain(model)), *map(Text, numbers))
        before = scale
    return shown


def _record(
    found: Average, members: Sequence[Member], places: Mapping[str, Place], settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **settings,
        "items": found.items,
        "left_out": found.left_out,
        **{name: repr(getattr(members[0].task.explainer, name)) for name in ("method", "domain")},
        "models": [_model_record(found, member, places[member.name]) for member in members],
    }


def _model_record(found: Average, member: Member, place: Place) -> dict[str, Any]:
    grid = place.grid
    rows = [found.row(member.name, scale) for scale in found.scales]
    return {
        "name": member.name,
        **model_summary(member.loaded),
        "units": grid.units,
        "spacing": grid.spacing,
        "spacing_differs": place.differs,
        "profile": [
            {**scale, **{name: asdict(getattr(row, name)) for name in ("share", "difference", "signed")}}
            for scale, row in zip(grid.rows(member.layout), rows, strict=True)
        ],
        "mean_level": asdict(found.level(member.name).level),
        "mean_level_difference": asdict(found.level(member.name).difference),
    }
