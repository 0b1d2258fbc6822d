"""What a model answers with where it is no classifier: objects with boxes, or a class at each place."""

from __future__ import annotations

from dataclasses import dataclass

from wavelens.field_types import check_fields


@dataclass(frozen=True)
class Objects:
    """A detector's answer, in a form that `targets.detections` reads.

    Objects with a probability of `threshold` or more count as detected; where two of a class have an IoU above
    `overlap`, the less probable one does not. With `overlap=None` all count, as for models that were trained to
    name each object once.

    >>> wl.models.Objects(threshold=0.3)
    Objects(threshold=0.3, overlap=0.5)
    """

    threshold: float = 0.5
    overlap: float | None = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in (("threshold", self.threshold), ("overlap", self.overlap)):
            if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
                raise ValueError(f"{name} must be from 0 to 1; got {value!r}.")


@dataclass(frozen=True)
class Regions:
    """A segmenter's answer: logits `(batch, classes, *axes)`, in a form that `targets.region` reads.

    >>> net, photos = torch.nn.Conv2d(3, 2, 1), wl.models.Fitted()
    >>> wl.models.LoadedModel(net, ("sky", "road"), photos, "net", answer=wl.models.Regions()).answer
    Regions()
    """
