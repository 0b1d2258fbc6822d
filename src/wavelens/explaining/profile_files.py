"""Of a mean profile, what it is made of: the profile of each file, and what its sums miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter

import torch
from torch import Tensor

from wavelens.accounts import compared
from wavelens.counts import part_of
from wavelens.explaining.mean_profile import Member
from wavelens.explaining.scale_values import ERROR, VALUE
from wavelens.precision import rounding
from wavelens.runs import Average
from wavelens.runs.statistics.cells import comma_separated_lines

READ = (attrgetter("signed"), attrgetter("shapley"))  # the two accounts of a row
TOLERATED = 0.05  # of the score's change: sums that miss more of it are counted
FACTS = ("target", "probability", "score", "gap")


def gaps(values: Mapping[str, Tensor]) -> Tensor | None:
    """What the signed sums of each file miss, as a part of the score's change; None of methods that do not add up."""
    if "gap" not in values:
        return None
    gap = values["gap"].double()
    rise = values["signed"].double().sum(1) + gap
    floor = rounding(values["score"]) * (2 * values["score"].double() - rise).abs()  # of both ends of the path
    return torch.where(gap.abs() <= floor, 0, gap / rise).abs()  # what rounding explains is not missing


def gap_sentence(name: str, missed: Tensor | None) -> str:
    """How well the sums of a model's files add up, in a sentence."""
    if missed is None:
        return f"{name}: the method's sums do not add up to the score, so nothing is known to be missing."
    middle, most = float(missed.median()), float(missed.max())
    many = int((missed > TOLERATED).sum())
    text = f"{name}: the sums miss {middle:.1%} of the score's change in the median file, at most {most:.1%}"
    return (
        f"{text}; {part_of(many, len(missed), 'file', 'misses', 'miss')} more than {TOLERATED:.0%}."
        if many
        else f"{text}."
    )


def account_sentences(average: Average, name: str, values: Mapping[str, Tensor]) -> list[str]:
    """How a model's mean signed sums and mean Shapley values compare, and how the values were found."""
    if VALUE not in values:
        return []
    rows = [average.row(name, scale) for scale in average.scales]
    sums, added = ({row.scale: own.value for row in rows if (own := read(row)) is not None} for read in READ)
    remarks = [f"{name}, means over files: {compared(sums, added)}"] if "gap" in values else []
    if ERROR not in values:
        return [*remarks, f"{name}: the Shapley values of each file are exact."]
    most = float(values[ERROR].max())
    return [*remarks, f"{name}: the Shapley values of each file are sampled, with standard errors up to {most:.2g}."]


def table_of_files(members: Sequence[Member], values: Mapping[str, Mapping[str, Tensor]], common: Sequence[str]) -> str:
    """As CSV, one row per file: of each model the class, its score, what is missed, and each scale's numbers."""
    columns = [column for member in members for column in _columns(member, values[member.name], len(members) > 1)]
    head = ["file", *(name for name, _ in columns)]
    rows = [[name, *(own[k] for _, own in columns)] for k, name in enumerate(common)]
    return comma_separated_lines([head, *rows])


def _columns(member: Member, values: Mapping[str, Tensor], several: bool) -> list[tuple[str, list[str | float]]]:
    """The columns of a model with their names, which begin with the model's where there are several."""
    labels = [member.loaded.labels[index] for index in values["target"].tolist()]
    columns: dict[str, list[str | float]] = {"label": labels}
    columns |= {name: values[name].tolist() for name in FACTS if name in values}
    for name in (one for one in ("signed", VALUE, ERROR, "share") if one in values):
        for k, scale in enumerate(member.layout.scales()):
            columns[f"{name} {scale}"] = values[name][:, k].tolist()
    return [(f"{member.name} {name}" if several else name, own) for name, own in columns.items()]
