"""Explaining and judging one file after the other: the task of `wavelens evaluate`."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wavelens import maps, models
from wavelens.attribution import Attribution
from wavelens.baselines.controls import RandomOrder
from wavelens.core import Coefficients
from wavelens.detected import chosen_object
from wavelens.metrics.metric import Case, Column, Metric, columns_of, seed_of
from wavelens.models import CheckpointWarning, LoadedModel, Objects, Options
from wavelens.runs.samples import Sample
from wavelens.runs.store.differing import METHOD, OPTIONS
from wavelens.runs.store.manifest import IF_GIVEN
from wavelens.targets import (
    Against,
    Contrast,
    ObjectText,
    Target,
    detection,
    object_text,
    predicted_region,
    region_masks,
    scores,
    settled,
)
from wavelens.targets.predicted import largest_region

BATCH_SIZE = 16
FACTS = (
    "target",
    "top",
    "score",
    "probability",
    "share",
    "signed",
    "gap",
    "against",
)  # of every file, beside its metrics


class FileTarget(NamedTuple):
    """What is explained of a file: the class and the target, the model's top class, the target's numbers."""

    label: int
    target: Target
    top: int
    score: Tensor
    probability: Tensor
    against: int | None


@dataclass(frozen=True)
class Evaluation:
    """Reads a file, explains its class and measures the explanation.

    `weights` is a digest of what the model holds, `batch_size` the rows of a forward pass: the last bits of a result
    depend on both, so they belong to the record. `read` makes a signal of a file, as the model's preparation takes it.
    `options` load the model in a worker; of them the record has those that change how a file becomes the model's input.
    `place` says which device it is, which is no part of what is computed. With `against`, a class or "next" for the
    runner-up of each file, the difference of two logits is explained and measured. `target` says what is explained of
    every file, where one target was given for all.
    """

    OPTION_NAMES: ClassVar[Mapping[str, str]] = {
        "model": "--model",
        "weights": "digest of the weights",
        "explainer": METHOD,
        "measures": "--metric",
        "batch_size": "--batch-size",
        "device": "--device",
        "options": OPTIONS,
        "against": "--against",
        "target": "--target",
        "shard_size": "--shard-size",
        "threads": "--threads",
        "items": "number of files",
    }

    model: str
    weights: str
    explainer: Callable[..., Coefficients]  # (model, x, target, *, batch_size)
    measures: tuple[Metric, ...]
    read: Callable[[Path], Any] = field(repr=False)
    batch_size: int = BATCH_SIZE
    device: str = "cpu"
    options: Options = field(default_factory=Options)
    place: str = field(default="cpu", repr=False)
    against: int | str | None = field(default=None, metadata=IF_GIVEN)
    target: str = field(default="", metadata=IF_GIVEN)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the numbers of the metrics are."""
        return columns_of(self.measures, FACTS)

    def load(self) -> Callable[[Sample], Mapping[str, Tensor | float]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)  # told where the run was started
            loaded = models.load(self.model, **self.options.given)
        digest = weights_digest(loaded.module)
        if digest != self.weights:
            raise ValueError(
                f"{self.model} has other weights here ({digest[:12]}…) than where the run began "
                f"({self.weights[:12]}…): it starts at random, or its checkpoint is another file here. Name one "
                "checkpoint that every worker can read (--weights)."
            )
        loaded.module.to(self.place)
        return lambda sample: self.results(loaded, sample)

    def results(self, loaded: LoadedModel, sample: Sample) -> dict[str, Tensor | float]:
        """What is measured of one file, without a batch dimension."""
        signal = self.read(sample.path)
        x = loaded.preprocess(signal).to(self.place)
        with torch.no_grad():
            output = loaded.module(x.clone())  # a model may write to its input
        chosen = self._file_target(loaded, sample, output)
        label, target = chosen.label, chosen.target
        explainer = self.explainer
        if isinstance(explainer, RandomOrder):
            explainer = replace(explainer, seed=seed_of(explainer.seed, sample.name))
        attribution = explainer(loaded.module, x, target, batch_size=self.batch_size)
        is_plain = loaded.link == "softmax" or chosen.against is not None or loaded.answer is not None
        numbers_of = loaded.probabilities if loaded.link != "score" else torch.Tensor.float  # a score is no probability
        followed = None if is_plain else lambda output: numbers_of(output)[:, label]
        region = _region(loaded, sample, signal, label)
        case = Case(loaded.module, x, target, attribution, explainer, self.batch_size, followed, sample.name, region)
        numbers: dict[str, Tensor | float] = {
            "target": torch.tensor(label),
            "top": torch.tensor(chosen.top),
            "score": chosen.score,
            "probability": chosen.probability,
            "share": maps.profile(attribution).share[0],
            "signed": maps.profile(attribution).signed[0],
        }
        if chosen.against is not None:
            numbers["against"] = torch.tensor(chosen.against)
        if isinstance(attribution, Attribution) and attribution.gap is not None:
            numbers["gap"] = attribution.gap[0]
        for metric in self.measures:
            numbers |= {name: value[0] for name, value in metric.measured(case).items()}
        return numbers

    def _file_target(self, loaded: LoadedModel, sample: Sample, output: Any) -> FileTarget:
        """What is explained of a file: a class, an object that is detected of it, or its region."""
        if isinstance(loaded.answer, Objects):
            return _object(loaded, sample, output, self.target)
        if loaded.answer is not None:
            return _predicted(loaded, sample, output)
        logits = output.float()
        top = int(logits[0].argmax())
        label = top if sample.target is None else sample.target
        against = None if self.against is None else settled(Against(self.against, label), logits).against[0]
        return FileTarget(
            label,
            label if against is None else Contrast(label, against),
            top,
            logits[0, label] - (0 if against is None else logits[0, against]),
            loaded.probabilities(logits)[0, label],
            against,
        )


def _object(loaded: LoadedModel, sample: Sample, output: Any, text: str) -> FileTarget:
    """The most probable object, that of the file's class or the one that a text such as 'car#2' names.

    Its score is that of the target, probability × IoU.
    """
    object_named = object_text(text) if text else ObjectText("" if sample.target is None else str(sample.target))
    chosen, objects = chosen_object(loaded, output, object_named)
    probability = torch.tensor(chosen.probability)
    return FileTarget(
        chosen.index, detection(chosen.index, chosen.box), objects[0].index, probability, probability, None
    )


def _predicted(loaded: LoadedModel, sample: Sample, output: Any) -> FileTarget:
    """The largest region, or that of the file's class; its probability is the mean of the class's over the region."""
    is_independent = loaded.link == "sigmoid"
    top = largest_region(output, loaded.labels, independent=is_independent)
    label = top if sample.target is None else sample.target
    options: dict[str, Any] = {"independent": is_independent, "names": loaded.labels}
    target, chances = (predicted_region(output, label, probability=p, **options) for p in (False, True))
    items = torch.zeros(1, dtype=torch.long)
    score, total = (scores(one, output, items)[0][0] for one in (target, chances))
    masks = region_masks(target)
    assert masks is not None
    return FileTarget(label, target, top, score, total / masks.sum(), None)


def _region(loaded: LoadedModel, sample: Sample, signal: Any, target: int) -> Tensor | None:
    """Where the objects of the class are in the model's input, `(1, height, width)`; None where none is left there."""
    if sample.objects is None:
        return None
    preparation: Any = loaded.preprocess
    region: Tensor = preparation.region(sample.objects.region(tuple(signal.shape[-2:]), target))
    return region if region.any() else None


def weights_digest(module: nn.Module) -> str:
    """A digest of every parameter and buffer: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted([*module.named_parameters(), *module.named_buffers()], key=itemgetter(0)):
        plain = value.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
