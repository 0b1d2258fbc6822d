"""Mean scale profiles of models over a folder: what each model is run on, and the files that hold the result."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from wavelens.baselines import FromMethod
from wavelens.core import Domain, Layout
from wavelens.counts import count_of
from wavelens.explaining.kinds import Kind
from wavelens.explaining.reading import reader_for
from wavelens.explaining.records import model_summary
from wavelens.explaining.request import fitted
from wavelens.explaining.scale_values import VALUE, ScaleValues, check_interventions
from wavelens.grid import Grid
from wavelens.maps import Profile
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel
from wavelens.own import text_of
from wavelens.runs import Average, Run
from wavelens.runs.evaluation import Evaluation, weights_digest
from wavelens.runs.samples import Sample
from wavelens.runs.statistics.intervals import Estimate
from wavelens.runs.statistics.profile_tables import Extents, comma_separated, markdown
from wavelens.runs.store.reading import Results
from wavelens.runs.store.shards import write_whole
from wavelens.wording import in_words

MAX_PLACED_FILES = 50  # of which the spacing is read


@dataclass(frozen=True, eq=False)
class Member:
    """One of the models: its name in tables, what is run over which files, and what its scales span."""

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


def member_of(
    name: str,
    loaded: LoadedModel,
    kind: Kind,
    dataset: list[Sample],
    chosen: Domain | None,
    method: Method,
    batch_size: int,
    device: torch.device,
    interventions: bool = False,
) -> Member:
    """A model with what is run; `ValueError` where the domain does not fit its inputs, or the `interventions`."""
    domain = fitted(chosen, kind, loaded)
    layout = domain.layout(tuple(loaded.preprocess.shape[1:]))
    if interventions:
        check_interventions(layout, method)
    task = Evaluation(
        loaded.name,
        weights_digest(loaded.module),
        FromMethod(method, domain),
        (ScaleValues(),) if interventions else (),
        reader_for(loaded),
        batch_size,
        device.type,
        options=loaded.options,
        place=str(device),
    )
    return Member(name, loaded, task, dataset, layout)


def by_file(results: Results, common: Sequence[str]) -> dict[str, torch.Tensor]:
    """The results of the files that all models have, in their order."""
    where = {name: place for place, name in enumerate(results.names)}
    rows = [where[name] for name in common]
    return {name: value[rows] for name, value in results.values.items()}


def check_alike(members: Sequence[Member]) -> None:
    """`ValueError` for models whose scales differ, before anything is computed."""
    scales = {member.name: " ".join(member.layout.scales()) for member in members}
    if len(set(scales.values())) > 1:
        named = "; ".join(f"{name}: {own}" for name, own in scales.items())
        raise ValueError(f"models are compared scale by scale; got {named}. Choose one --domain for all.")


def profile_of(member: Member, run: Run, common: Sequence[str]) -> Profile:
    """The profiles of the files that all models have, in their order."""
    values = by_file(run.read(), common)
    share, signed = values["share"], values["signed"]
    return Profile(tuple(member.layout.scales()), signed, share, (), signed[:, :0], share[:, :0])


def added_of(member: Member, run: Run, common: Sequence[str]) -> Profile | None:
    """The Shapley values of the scales of the files that all models have, as signed sums; None where there are none."""
    values = by_file(run.read(), common).get(VALUE)
    if values is None:
        return None
    return Profile(tuple(member.layout.scales()), values, values.abs(), (), values[:, :0], values[:, :0])


def place_of(member: Member, data: Path, common: Sequence[str]) -> Place:
    """Where the samples of the model's inputs lie; for files that differ the middle of them."""
    count = min(len(common), MAX_PLACED_FILES)
    some = [common[int((k + 0.5) * len(common) / count)] for k in range(count)]
    preparation, read = member.loaded.preprocess, reader_for(member.loaded)
    grids = [preparation.grid(read(data / name)) for name in some]
    if len(units := {grid.units for grid in grids}) > 1:
        named = ", ".join(sorted("/".join(dict.fromkeys(own)) for own in units))
        raise ValueError(f"files of one profile must be measured in one unit; got {named}. Profile them apart.")
    steps = torch.tensor([grid.spacing for grid in grids], dtype=torch.float64)
    middle = steps.median(0).values
    differ = bool((steps / middle - 1).abs().max() > 1e-6)
    return Place(replace(grids[0], spacing=tuple(middle.tolist())), differ)


def write_profiles(
    average: Average, members: Sequence[Member], places: Mapping[str, Place], settings: Mapping[str, Any], out: Path
) -> list[Path]:
    """Write the table, the record and the plot; their paths."""
    from wavelens import plots  # matplotlib: only once there is something to draw

    extents = extents_of(members, places)
    record = json.dumps(_record(average, members, places, settings), indent=2, ensure_ascii=False) + "\n"
    texts = {"md": markdown(average, extents), "csv": comma_separated(average, extents), "json": record}
    paths = {suffix: out / f"profile.{suffix}" for suffix in (*texts, "png")}
    for suffix, text in texts.items():
        write_whole(paths[suffix], text.encode())
    explainer: Any = members[0].task.explainer
    title = f"{in_words(explainer.method)} · {in_words(explainer.domain)} · {count_of(average.items, 'file')}"
    plots.save(plots.mean_profiles(average, extents, title=title), paths["png"])
    return list(paths.values())


def extents_of(members: Sequence[Member], places: Mapping[str, Place]) -> Extents:
    """What each scale of each model spans, in words."""
    return {member.name: places[member.name].grid.labels(member.layout) for member in members}


def _record(
    average: Average, members: Sequence[Member], places: Mapping[str, Place], settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **settings,
        "items": average.items,
        "left_out": average.left_out,
        **{name: text_of(getattr(members[0].task.explainer, name)) for name in ("method", "domain")},
        "models": [_model_record(average, member, places[member.name]) for member in members],
    }


def _model_record(average: Average, member: Member, place: Place) -> dict[str, Any]:
    grid = place.grid
    rows = [average.row(member.name, scale) for scale in average.scales]
    columns = ("share", "difference", "signed", *["shapley"] * average.has_shapley)
    return {
        "name": member.name,
        **model_summary(member.loaded),
        "units": grid.units,
        "spacing": grid.spacing,
        "spacing_differs": place.differs,
        "profile": [
            {**scale, **{name: _estimate(getattr(row, name)) for name in columns}}
            for scale, row in zip(grid.rows(member.layout), rows, strict=True)
        ],
        "mean_level": _estimate(average.level(member.name).level),
        "mean_level_difference": _estimate(average.level(member.name).difference),
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    """For JSON, which knows no NaN: None for the ends of an interval that few items do not have."""
    return {name: value if math.isfinite(value) else None for name, value in asdict(estimate).items()}
