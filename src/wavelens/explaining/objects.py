"""Targets that are written as an object of a detector, 'car' or 'car#2'."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wavelens.detected import chosen_object
from wavelens.explaining.places import Placed
from wavelens.grid import Grid
from wavelens.models import LoadedModel
from wavelens.targets import ObjectText, detection


@dataclass(frozen=True)
class DetectedObject:
    """The object that a text names, among those that the model detects in the untouched input."""

    text: str
    said: ObjectText

    def __call__(self, loaded: LoadedModel, x: Tensor, grid: Grid) -> Placed:
        """The target for the input `x` `(1, channel, *axes)`; `ValueError` where no such object is detected."""
        with torch.no_grad():
            chosen, objects = chosen_object(loaded, loaded.module(x), self.said)
        marked = tuple(replace(one, explained=one is chosen) for one in objects)
        target = detection(chosen.index, chosen.box)
        return Placed(target, chosen.name, (), "probability × IoU", chosen.name, marked)
