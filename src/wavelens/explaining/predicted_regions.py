"""Targets that are written as a region, 'region:tumour': a class where the model itself predicts it in the input."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wavelens.explaining.places import Placed
from wavelens.grid import Grid
from wavelens.models import LoadedModel
from wavelens.targets import predicted_region, region_masks, region_text
from wavelens.targets.predicted import PREFIX, largest_region
from wavelens.targets.regions import logits_of

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class PredictedRegion:
    """A class, its logits or its `probability`, summed where the model predicts it in the untouched input."""

    text: str
    label: str
    probability: bool

    def __call__(self, loaded: LoadedModel, x: Tensor, grid: Grid) -> Placed:
        """The target for the input `x` `(1, channel, *axes)`; `ValueError` where the model predicts no such region."""
        with torch.no_grad():
            output = loaded.module(x)
        count = logits_of(output).shape[1]
        if loaded.labels and len(loaded.labels) != count:
            raise ValueError(
                f"class names name each of the network's {count} outputs; got {len(loaded.labels)}. Give one per "
                "output."
            )
        index = self._class(loaded)
        target = predicted_region(
            output,
            index,
            probability=self.probability,
            independent=loaded.link == "sigmoid",
            names=loaded.labels,
        )
        masks = region_masks(target)
        assert masks is not None
        name = loaded.labels[index].split(", ")[0] if loaded.labels else f"class {index}"
        what = f"p({name})" if self.probability else name
        number = "sum of probabilities" if self.probability else "sum of logits"
        return Placed(target, f"{what} in its region, {_extent(masks, x, grid)}", (), number)

    def _class(self, loaded: LoadedModel) -> int:
        if loaded.labels:
            return loaded.index(self.label)
        if not self.label.isdecimal():
            raise ValueError(
                f"--target {self.text} names a class, and those of {loaded.name} have no names. Give its index, such "
                "as region:1, or names for all with --class-names."
            )
        return int(self.label)


@dataclass(frozen=True)
class LargestRegion:
    """The largest region that the model predicts in the untouched input, other than a background."""

    text: str = ""

    def __call__(self, loaded: LoadedModel, x: Tensor, grid: Grid) -> Placed:
        with torch.no_grad():
            logits = logits_of(loaded.module(x))
        index = largest_region(logits, loaded.labels)
        text = f"{PREFIX}{index}"
        return replace(PredictedRegion(text, str(index), False)(loaded, x, grid), text=text)


def region_of(text: str) -> PredictedRegion:
    """What a text such as 'region:tumour' means; `ValueError` for one without a class."""
    said = region_text(text)
    return PredictedRegion(text.strip(), said.label, said.probability)


def _extent(mask: Tensor, x: Tensor, grid: Grid) -> str:
    """How large a region is: in places of the input, and in millilitres where they have a size in mm."""
    places = int(mask.sum()) * math.prod(x.shape[2:]) / mask[0].numel()
    noun = {2: "pixels", 3: "voxels"}.get(x.ndim - 2, "samples")
    volume = math.prod(grid.spacing) * places / MM3_PER_ML
    return f"{places:.0f} {noun}" + (f" ({volume:.3g} ml)" if grid.units == ("mm",) * 3 else "")
