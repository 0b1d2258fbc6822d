"""A model that is ready to be explained: what it takes, what it returns, and how a file's signal becomes its input."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from wavelens.grid import Grid
from wavelens.models.answers import Objects, Regions
from wavelens.models.naming import one_of
from wavelens.models.options import Options

NAMED = 4  # labels that a `repr` shows
MAX_LISTED_CLASSES = 10  # in an error
PROMPT_MARK = "text:"  # before a prompt that is a target
LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: logits.softmax(-1),
    "sigmoid": torch.sigmoid,
    "identity": lambda probabilities: probabilities,
    "score": lambda scores: torch.full_like(scores, torch.nan),
    "exp": torch.exp,
}


class Preparation(Protocol):
    """Makes the module's input `(1, channel, *axes)` of a signal as its front end reads it.

    Only what need not be differentiated is done here, such as resizing, resampling and cropping. `kind` says what
    signals it takes: "photo", "sound", "volume", "video", "text" or the name of a registered kind; `shape` is
    (channel, *axes) of what it makes. `grid` says where the samples of that input lie in the world.
    """

    @property
    def kind(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __call__(self, signal: Any, /) -> Tensor: ...

    def grid(self, signal: Any, /) -> Grid: ...


def called_by(preparation: Preparation, module: nn.Module) -> nn.Module:
    """The module as it takes what a preparation makes: by name, where that is several signals side by side."""
    calling = getattr(preparation, "calling", None)
    return calling(module) if calling else module


@dataclass(frozen=True, eq=False)
class Parts:
    """What a loader makes: the module, how its input is prepared, and its own labels if it has any."""

    module: nn.Module
    preprocess: Preparation
    labels: tuple[str, ...] = ()
    link: str = "softmax"
    answer: Objects | Regions | None = None


@dataclass(frozen=True)
class Variant:
    """Which variant of a named network a loader builds.

    With its `pretrained` weights, or to be filled; with `classes` outputs and for photos of `input_size`, its own where
    they are None. With `trust`, code that comes with it may run; with `windows`, long texts are read piece by piece;
    `question` is what a model that writes is asked.
    `bare` makes the preparation of a function's module that says none; without it that is a photo's. `prepared` says
    that the caller prepares its input.
    """

    pretrained: bool = True
    classes: int | None = None
    input_size: tuple[int, int] | None = None
    trust: bool = False
    bare: Callable[[], Preparation] | None = None
    windows: bool = False
    prepared: bool = False
    question: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class LoadedModel:
    """A classifier, ready to be explained.

    `module` is in evaluation mode and takes `(batch, *preprocess.shape)` to logits `(batch, classes)`; `labels` has a
    name for each class, `preprocess` makes the module's input of a signal, `name` with `options` loads it again. `link`
    says how logits become probabilities: "softmax", "sigmoid" where several classes may hold at once, "identity" where
    the module gives probabilities itself, "exp" where it gives their logarithms, or "score" where there are none: a
    pair that compares texts has one text.

    A detector or a segmenter says so as its `answer`, `models.Objects()` or `models.Regions()`: its targets are then
    detected objects and regions, and its module gives what `targets.detections` or `targets.region` reads.
    """

    module: nn.Module
    labels: tuple[str, ...]
    preprocess: Preparation
    name: str
    link: str = "softmax"
    options: Options = field(default_factory=Options)
    answer: Objects | Regions | None = None

    def __post_init__(self) -> None:
        if self.link not in LINKS:
            raise ValueError(f"link must be one of {', '.join(LINKS)}; got {self.link!r}.")
        object.__setattr__(self, "module", called_by(self.preprocess, self.module))

    def __repr__(self) -> str:
        """Three lines: what it is, what it takes, what it gives."""
        weights = sum(p.numel() for p in self.module.parameters())
        device = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        shape = ", ".join(map(str, self.preprocess.shape))
        some = ", ".join(map(self.short, self.labels[:NAMED]))
        more = ", …" if len(self.labels) > NAMED else ""
        numbers = {"logit": "logits", "probability": "probabilities"}[self.number]
        classes = f"{len(self.labels)} classes" if len(self.labels) != 1 else "one class"
        gives = f"{numbers} of {classes} ({self.link}): {some}{more}" if self.labels else "no classes"
        return (
            f"<LoadedModel {self.name}: {type(self.module).__name__}, {weights:,} parameters on {device}\n"
            f"  takes {self.preprocess.kind} as ({shape}), prepared by {self.preprocess!r}\n"
            f"  gives {gives}>"
        )

    @property
    def number(self) -> str:
        """What one of the module's outputs is."""
        return {"identity": "probability", "exp": "log-probability"}.get(self.link, "logit")

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of logits `(…, classes)`; NaN where there are none."""
        return LINKS[self.link](logits)

    def probability(self, logits: Tensor, index: int) -> float | None:
        """Of one class by logits `(classes,)`; None where there is none."""
        return None if self.link == "score" else float(self.probabilities(logits)[index])

    def index(self, target: str) -> int:
        """The class that `target` means: an index, a name, or words or a part of only one; capitals do not matter.

        'text:…' is the class of that text.
        """
        if target.startswith(PROMPT_MARK) and (prompt := target.removeprefix(PROMPT_MARK).strip()) in self.labels:
            return self.labels.index(prompt)
        if target.strip().removeprefix("-").isdecimal():
            return self._checked(
                int(target), [i for i, name in enumerate(self.labels) if name.strip() == target.strip()]
            )
        text = target.strip().casefold()
        names, exact = [label.casefold() for label in self.labels], self.named(target)
        parts = [i for i, name in enumerate(names) if text and text in name]
        words = [i for i in parts if re.search(rf"\b{re.escape(text)}\b", names[i])]  # 'cat', not 'Rana catesbeiana'
        fitting = exact or words or parts
        if len(fitting) == 1:
            return fitting[0]
        raise ValueError(self._ambiguous(target, fitting) if fitting else self._unknown(target))

    def named(self, name: str) -> list[int]:
        """The classes that have this name, or have it among theirs; capitals do not matter."""
        text = name.strip().casefold()
        every = ((label, *self.names(label)) for label in self.labels)
        return [i for i, own in enumerate(every) if text in map(str.casefold, own)]

    def names(self, label: str) -> list[str]:
        """The names of a class, separated by commas; a prompt is a single name, whatever it contains."""
        return [label] if label in (self.options.prompts or ()) else label.split(", ")

    def short(self, label: str) -> str:
        """The first name of a class; a prompt whole."""
        return self.names(label)[0]

    def _checked(self, index: int, named: list[int]) -> int:
        if named not in ([], [index]):
            raise ValueError(
                f"a number must be the index of a class; got {index}, which is also the name of class {named[0]}. "
                "Give the classes other names, in a LoadedModel of your own."
            )
        if 0 <= index < len(self.labels):
            return index
        raise ValueError(f"a class of {self.name} must be an index from 0 to {len(self.labels) - 1}; got {index}.")

    def _ambiguous(self, target: str, fitting: list[int]) -> str:
        shown = "; ".join(f"{i} ({self.labels[i]})" for i in fitting[:5])
        more = f"; and {len(fitting) - 5} more" if len(fitting) > 5 else ""
        return f"{target!r} fits several classes: {shown}{more}. Give the index or the whole name."

    def _unknown(self, target: str) -> str:
        names = {name.casefold(): name for label in self.labels for name in self.names(label)}
        near = [names[name] for name in difflib.get_close_matches(target.casefold(), names, n=3)]
        if near:
            hint = f"Did you mean {one_of(near)}?"
        elif len(self.labels) <= MAX_LISTED_CLASSES:
            hint = f"Its classes: {'; '.join(f'{i} ({label})' for i, label in enumerate(self.labels))}."
        else:
            hint = f"Give an index from 0 to {len(self.labels) - 1}, or a part of a label."
        return f"{self.name} has no class {target!r}. {hint}"
