"""Targets that are written as a region, 'region:tumour': a class where the model itself predicts it in the input."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wavelens.explaining.places import Placed
from wavelens.grid import Grid
from wavelens.models import LoadedModel
from wavelens.targets import predicted_mask, region, region_text
from wavelens.targets.predicted import PREFIX, largest_region
from wavelens.targets.regions import logits_of
from wavelens.targets.values import NEXT

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class PredictedRegion:
    """A class, its logits or its `probability`, summed where the model predicts it in the untouched input.

    Less those of the class `against` it, where there is one.
    """

    text: str
    label: str
    probability: bool
    against: str | None = None

    def __call__(self, loaded: LoadedModel, x: Tensor, grid: Grid) -> Placed:
        """The target for the input `x` `(1, channel, *axes)`; `ValueError` where the model predicts no such region."""
        with torch.no_grad():
            output = loaded.module(x)
        count = logits_of(output).shape[1]
        if loaded.labels and len(loaded.labels) != count:
            raise ValueError(
                f"class names must be one per output of the network, {count}; got {len(loaded.labels)}. Name each in "
                "order."
            )
        index, independent = self._class(self.label, loaded), loaded.link == "sigmoid"
        mask = predicted_mask(output, index, independent=independent, names=loaded.labels)
        other = None if self.against is None else self._other(index, count, loaded)
        target = region(index, mask, against=other, probability=self.probability, independent=independent)
        names = [_name(one, loaded) for one in (index, other) if one is not None]
        what = " rather than ".join(f"p({name})" if self.probability else name for name in names)
        number = f"sum of {'probabilities' if self.probability else 'logits'}"
        inside = _over_input(mask[0], x)
        return Placed(target, f"{what} in its region, {_extent(inside, grid)}", (), number, region=inside)

    def _class(self, label: str, loaded: LoadedModel) -> int:
        if loaded.labels:
            return loaded.index(label)
        if not label.isdecimal():
            raise ValueError(
                f"--target {self.text} names the class {label}, and those of {loaded.name} have no names. Give an "
                "index, such as region:1, or names for all with --class-names."
            )
        return int(label)

    def _other(self, index: int, count: int, loaded: LoadedModel) -> int:
        other = self._class(str(self.against), loaded)
        if other == index or other >= count:
            raise ValueError(
                f"--against must be another class than that of {self.text}, from 0 to {count - 1}; got {self.against}."
            )
        return other


@dataclass(frozen=True)
class LargestRegion:
    """The largest region that the model predicts in the untouched input, other than a background."""

    text: str = ""

    def __call__(self, loaded: LoadedModel, x: Tensor, grid: Grid) -> Placed:
        with torch.no_grad():
            logits = logits_of(loaded.module(x))
        index = largest_region(logits, loaded.labels, independent=loaded.link == "sigmoid")
        text = f"{PREFIX}{index}"
        return replace(PredictedRegion(text, str(index), False)(loaded, x, grid), text=text)


def _name(index: int, loaded: LoadedModel) -> str:
    return loaded.labels[index].split(", ")[0] if loaded.labels else f"class {index}"


def region_of(text: str, against: str | int | None = None) -> PredictedRegion:
    """What a text such as 'region:tumour' means; `ValueError` for one without a class."""
    region = region_text(text)
    if against == NEXT:
        raise ValueError(
            f"--against of {text} must be a class by its index or name; got {against!r}, which has no region."
        )
    return PredictedRegion(text.strip(), region.label, region.probability, None if against is None else str(against))


def _over_input(mask: Tensor, x: Tensor) -> Tensor:
    """A region of the output, which may be coarser than the input, over the input: `(*axes)`."""
    inside = torch.nn.functional.interpolate(mask[None, None].float(), tuple(x.shape[2:]), mode="nearest-exact")
    return inside[0, 0] > 0


def _extent(inside: Tensor, grid: Grid) -> str:
    """How large a region is: in places of the input, and in millilitres where they have a size in mm."""
    places, noun = int(inside.sum()), {2: "pixels", 3: "voxels"}.get(inside.ndim, "samples")
    volume = math.prod(grid.spacing) * places / MM3_PER_ML
    return f"{places} {noun}" + (f" ({volume:.3g} ml)" if grid.units == ("mm",) * 3 else "")
