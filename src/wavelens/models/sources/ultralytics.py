"""YOLO detectors of ultralytics, by name or from a file. The package and its weights are AGPL-3.0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wavelens.models.answers import Objects
from wavelens.models.detectors.yolo import Yolo
from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_threshold
from wavelens.models.preparations.fitted import Fitted
from wavelens.models.trust import check_trust
from wavelens.models.weights import unavailable
from wavelens.optional import installed

THRESHOLD, OVERLAP, SIDE = 0.25, 0.7, 640  # those of ultralytics' own predictions


def from_ultralytics(text: str, variant: Variant) -> Parts:
    """A YOLO detector with its letterbox: 'yolo11n', 'folder/best.pt' or 'yolo11n(threshold=0.4)'.

    A .pt file of ultralytics is a program: one from outside the working folder is loaded with trust only. With
    `weights` the network is built from the description of that name and filled.
    """
    name, threshold = read_threshold("ultralytics", text)
    make = installed("ultralytics").YOLO
    path = Path(name)
    if path.suffix == ".pt" and path.is_file():
        check_trust(path, variant.trust)
    try:
        yolo = make(_file(name, variant))
    except Exception as error:  # what a download or a pickle raises
        raise unavailable(f"ultralytics:{name}", error) from error
    if yolo.task != "detect":
        raise ValueError(f"ultralytics: takes a detector; {name} is for the task {yolo.task!r}. Name one for detect.")
    return yolo_parts(yolo.model.float(), threshold)


def yolo_parts(module: Any, threshold: float | None = None) -> Parts:
    """A detection model of ultralytics with its labels and preparation."""
    answer = Objects(THRESHOLD if threshold is None else threshold, OVERLAP)
    labels = tuple(module.names[k] for k in range(len(module.names)))
    return Parts(Yolo(module), Fitted(SIDE, SIDE), labels, answer=answer)


def _file(name: str, variant: Variant) -> str:
    """What ultralytics is asked for: trained weights, or a network that is to be filled."""
    stem = name.removesuffix(".pt").removesuffix(".yaml")
    return f"{stem}.pt" if variant.pretrained else f"{stem}.yaml"
