"""Regions that a segmenter predicts itself, and their texts: 'region:2', 'region:tumour', 'region:p(tumour)'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavelens.targets.regions import logits_of, region
from wavelens.targets.values import ByItem

PREFIX = "region:"
REGION_FORM = "a region is written region:CLASS, such as region:2, region:tumour, or region:p(tumour) for probabilities"


@dataclass(frozen=True)
class RegionText:
    """What a region's text says: a class by its index or name, and whether its probabilities are summed.

    >>> wl.targets.RegionText("tumour") == wl.targets.region_text("region:tumour")
    True
    """

    label: str
    probability: bool = False


class NowherePredicted(ValueError):
    """A class is asked for where the network predicts others alone."""


def is_region(text: object) -> bool:
    """Whether a target is written as a region.

    >>> wl.targets.is_region("region:tumour"), wl.targets.is_region("tumour")
    (True, False)
    """
    return isinstance(text, str) and text.strip().startswith(PREFIX)


def region_text(text: str) -> RegionText:
    """What 'region:2' or 'region:p(tumour)' says; `ValueError` for a text without a class.

    >>> wl.targets.region_text("region:p(tumour)")
    RegionText(label='tumour', probability=True)
    """
    label = text.strip().removeprefix(PREFIX).strip() if is_region(text) else ""
    probability = label.startswith("p(") and label.endswith(")")
    label = label[2:-1].strip() if probability else label
    if not label:
        raise ValueError(f"{REGION_FORM}; got {text!r}.")
    return RegionText(label, probability)


def predicted_region(
    output: Any,
    label: int,
    *,
    against: int | None = None,
    probability: bool = False,
    independent: bool = False,
    names: Sequence[str] = (),
) -> ByItem:
    """The target `region` of the places where an output predicts a class, held fixed: see `predicted_mask`.

    >>> logits = torch.zeros(1, 3, 4, 4)
    >>> logits[0, 2, :2] = 5
    >>> target = wl.targets.predicted_region(logits, 2)
    >>> wl.targets.scores(target, logits, torch.tensor([0]))
    [tensor([40.])]
    """
    mask = predicted_mask(output, label, independent=independent, names=names)
    return region(label, mask, against=against, probability=probability, independent=independent)


def predicted_mask(output: Any, label: int, *, independent: bool = False, names: Sequence[str] = ()) -> Tensor:
    """Where an output predicts a class, `logits.argmax(1) == label`, `(batch, *axes)` of the output.

    `output` is what the model gives for the untouched input, as for `region`. With `independent` classes, as of
    sigmoids, and with a lone one it is where the class's own logit is above 0. `names` of the classes go into the
    error: `ValueError` for a class that the output does not have, or predicts nowhere.

    >>> logits = torch.zeros(1, 3, 4, 4)
    >>> logits[0, 2, :2] = 5
    >>> int(wl.targets.predicted_mask(logits, 2).sum())
    8
    """
    logits = logits_of(output).detach()
    if logits.ndim < 3:
        raise ValueError(
            f"a region must be of a segmenter, which gives logits (batch, classes, *axes); got {tuple(logits.shape)}. "
            "Name the class alone."
        )
    if not 0 <= label < logits.shape[1]:
        raise ValueError(
            f"a region must be of a class from 0 to {logits.shape[1] - 1}, the network's outputs; got {label}."
        )
    masks = _predictions(logits, independent)
    if not masks[:, label].any():
        raise NowherePredicted(
            f"the network predicts {_called(label, names)} nowhere in this input; it predicts "
            f"{_shares(masks, names)}. Ask for a class that it predicts, or take another input."
        )
    return masks[:, label]


def largest_region(output: Any, names: Sequence[str] = (), *, independent: bool = False) -> int:
    """The class that an output predicts at most places of one input, other than one whose name is background.

    Of `independent` classes each is predicted where its own logit is above 0, as in `predicted_mask`.

    >>> from wavelens.targets.predicted import largest_region
    >>> logits = torch.zeros(1, 3, 4, 4)
    >>> logits[0, 2, :1], logits[0, 0, 1:] = 5, 5
    >>> largest_region(logits), largest_region(logits, ["background", "car", "road"])
    (0, 2)
    """
    logits = logits_of(output).detach()
    counts = _predictions(logits, independent).movedim(1, 0).flatten(1).sum(1).tolist()
    known = [name.strip("_").casefold() for name in names]
    others = [k for k, count in enumerate(counts) if count and (k >= len(known) or known[k] != "background")]
    return max(others or range(len(counts)), key=lambda k: counts[k])


def _predictions(logits: Tensor, independent: bool) -> Tensor:
    """Where each class is predicted, `(batch, classes, *axes)`."""
    if independent or logits.shape[1] == 1:
        return logits > 0
    classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, *[1] * (logits.ndim - 2))
    return logits.argmax(1, keepdim=True) == classes


def _called(label: int, names: Sequence[str]) -> str:
    return f"{names[label]} ({label})" if label < len(names) else f"class {label}"


def _shares(masks: Tensor, names: Sequence[str], most: int = 5) -> str:
    """The classes that are predicted somewhere, the most frequent first, with their shares of all places."""
    shares = masks.movedim(1, 0).flatten(1).double().mean(1)
    there = [k for k in shares.argsort(descending=True, stable=True).tolist() if shares[k] > 0]
    more = f" and {len(there) - most} more" if len(there) > most else ""
    listed = ", ".join(f"{_called(k, names)} in {100 * float(shares[k]):.3g} %" for k in there[:most])
    return f"{listed}{more}" if listed else "none of its classes anywhere"
