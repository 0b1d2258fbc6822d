"""For users of transformers' pipelines: explains the picture that an image classification pipeline was given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wavelens.attribution import Attribution, attribute
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.methods import IntegratedGradients
from wavelens.methods.lift import Method
from wavelens.models.sources.hf import Logits
from wavelens.targets import Target


def explain(
    pipe: Any,
    picture: Any,
    target: int | str | None = None,
    *,
    domain: Domain | None = None,
    method: Method | None = None,
) -> tuple[Tensor, Attribution]:
    """The tensor that a pipeline makes of a picture, `(1, 3, height, width)`, and its attribution to a class.

    `pipe` is `transformers.pipeline("image-classification", …)`, `picture` anything that it takes: a file's name, an
    address, a Pillow picture. `target` is an index or one of the labels that the pipeline answers with, by default the
    most probable one. The attribution refers to what the pipeline's processor made of the picture, normalised.
    """
    if getattr(pipe, "task", None) != "image-classification":
        raise ValueError(
            f"pipe must be an image-classification pipeline of transformers; got {getattr(pipe, 'task', pipe)!r}."
        )
    x = pipe.preprocess(picture)["pixel_values"].to(pipe.device, pipe.model.dtype)
    labels = {label: index for index, label in pipe.model.config.id2label.items()}
    if isinstance(target, str) and target not in labels:
        raise ValueError(f"target must be an index or a label of the pipeline's model; got {target!r}.")

    logits = Logits(pipe.model)
    logits.training = pipe.model.training
    chosen: Target = labels.get(target, target)
    if chosen is None:
        with torch.no_grad():
            chosen = int(logits(x).argmax())
    domain, method = DWT("haar") if domain is None else domain, IntegratedGradients() if method is None else method
    return x, attribute(logits, x, chosen, domain=domain, method=method)
