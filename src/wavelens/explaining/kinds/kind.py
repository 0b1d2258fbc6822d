"""`Kind`: all that differs between photos, sounds, volumes, videos and what else is explained."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.explaining.kinds.as_read import AsRead
from wavelens.explaining.kinds.input import Input, SignalPart
from wavelens.frontends.joined import joined_files, joined_names, joined_stem
from wavelens.models import Preparation
from wavelens.models.preparations.text import Worded
from wavelens.reports import ReportView
from wavelens.untrusted import no_such_files

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


class FileSize(NamedTuple):
    """What a file unpacks to: its numbers, of 4 bytes each, and its length in seconds."""

    values: int
    seconds: float = 0.0


def every_input(shown: Input) -> bool:
    """Files of this kind claim nothing that is not known."""
    return True


@dataclass(frozen=True)
class Writer:
    """Writes signals of a kind as files that end in `suffix`.

    `write(input, x, path)` writes `x` `(1, channel, *axes)`, which stands in place of `input.x`. `fits(input)` is false
    for inputs whose files would claim more than is known.
    """

    suffix: str
    write: Callable[[Input, Tensor, Path], None]
    fits: Callable[[Input], bool] = every_input


def takes_files(preparation: Preparation) -> bool:
    """Whether a preparation opens files itself, and reads no more of them than it needs."""
    return getattr(preparation, "takes_files", False)


def no_note(path: Path) -> str:
    """Files of this kind are read in one way."""
    return ""


def itself(path: Path) -> Sequence[Path]:
    """An input is one file."""
    return [path]


def no_channels(shown: Input) -> tuple[str, ...]:
    """Channels of this kind are not told apart."""
    return ()


def as_given(shown: Input) -> Tensor:
    """The input itself is the picture behind its maps."""
    return shown.x


def no_overlay(a: Attribution, shown: Input, title: str) -> Figure | None:
    """The panel shows all of the input."""


def same_domain(domain: Domain, shown: Input) -> Domain:
    """Domains of this kind rest on the samples alone."""
    return domain


def no_words(shown: Input) -> Worded | None:
    """Signals of this kind have no words."""
    return None


def no_extras(a: Attribution, shown: Input, label: str, base: Path) -> Iterable[Path]:
    """Nothing beside the panel, the attribution and the summary."""
    return []


def one_signal(a: Attribution, shown: Input) -> tuple[SignalPart, ...]:
    """Inputs of this kind are one signal, which needs no parts."""
    return ()


def every_file(path: Path) -> bool:
    """Each file counts."""
    return True


@dataclass(frozen=True, eq=False)
class Kind:
    """Signals of one kind: which files hold them, how they are read, explained by default, drawn and written.

    Required:

    - `name`, the `kind` of the preparations that take them, and the `suffixes` of their files, in small letters.
    - `read(path)` makes a signal of a file, as the preparations take it; `ValueError` says what is wrong with a file.
    - `units`, one for each axis, for signals without a grid of their own: 's', 'Hz', 'mm', 'px' …; see `Grid`.
    - `domain(axes)` is the default domain for a model's input with these axes `(n, …)`.
    - `sigma`, the noise of `SmoothGrad` that suits them, as a fraction of the signal's range.
    - `start`, a name for an input of zeros: 'silence', 'a black picture'.
    - `panel(attribution, input, title)` draws the figure; `view` is what a report shows.

    Optional:

    - `size(path, shape)` tells what a file unpacks to, by its header alone, for a model whose input has `shape`
      (channel, *axes). The app refuses kinds without it, because anyone may send a file.
    - `open(path)` opens a file for preparations that take files (`takes_files`) and read only what they need.
    - `as_is(signal)` is the preparation that hands a signal to a bare module as it is; without it `AsRead`, which takes
      tensors and whatever has one as `data`.
    - `gather(folder)` lists the inputs in a folder, where they are not the files with the suffixes; `speaks(path)` says
      whether a file counts when the kind of a folder is guessed.
    - `holds(path)` says whether a file is of this kind, where files of several kinds end alike, as arrays do.
    - `joins` says that files written with commas are one input, 't1.nii.gz,flair.nii.gz'.
    - `files(path)` lists the files of one input: what it is read from, whose bytes count.
    - `channels(input)` names the channels of the model's input, where it matters how much of an account each has.
    - `picture(input)` stands for the input behind maps, `(1, 1 or 3, *axes)`, where its channels are no colours.
    - `fit(domain, input)` is a domain for one input, where it rests on more than the samples, as on a text's words.
    - `words(input)` are the words of a text, each with an account of its own.
    - `joint(domain, preparation)`, of inputs of several signals, is the `Joint` domain of all of them, where each has
      this domain or, for None, its usual one; `signals(attribution, input)` are the signals, each with its own side.
    - `note(path)` is a line on how a file was read, where there are several ways.
    - `overlay(attribution, input, title)` draws the map over the whole of a file, where the model was given a part.
    - `extras(attribution, input, label, base)` writes further files, called `base` + something, and gives their paths;
      `outputs` says for each of their suffixes what such a file is.
    - `writer` writes other signals in place of an input, as `wavelens minimal` does.
    - `spacing_unit`, the default unit of `--spacing`.
    - `model`, the name of the default model; `models`, names to choose from, for the error where there is none.

    >>> photo = wl.explaining.kind_called("photo")
    >>> photo.units, photo.domain((224, 224))
    (('px', 'px'), DWT(wavelet='haar', levels=5, mode='periodization'))
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Any]
    units: tuple[str, ...]
    domain: Callable[[tuple[int, ...]], Domain]
    sigma: float
    start: str
    panel: Callable[[Attribution, Input, str], Figure]
    view: ReportView
    size: Callable[[Path, tuple[int, ...]], FileSize] | None = None
    open: Callable[[Path], Any] | None = None
    as_is: Callable[[Any], Preparation] | None = None
    gather: Callable[[Path], list[Path]] | None = None
    speaks: Callable[[Path], bool] = every_file
    holds: Callable[[Path], bool] = every_file
    joins: bool = False
    files: Callable[[Path], Sequence[Path]] = itself
    channels: Callable[[Input], tuple[str, ...]] = no_channels
    picture: Callable[[Input], Tensor] = as_given
    fit: Callable[[Domain, Input], Domain] = same_domain
    words: Callable[[Input], Worded | None] = no_words
    joint: Callable[[Domain | None, Preparation], Domain] | None = None
    signals: Callable[[Attribution, Input], Sequence[SignalPart]] = one_signal
    note: Callable[[Path], str] = no_note
    overlay: Callable[[Attribution, Input, str], Figure | None] = no_overlay
    extras: Callable[[Attribution, Input, str, Path], Iterable[Path]] = no_extras
    outputs: Mapping[str, str] = field(default_factory=dict)
    writer: Writer | None = None
    spacing_unit: str = "m"
    model: str | None = None
    models: str = ""

    def __post_init__(self) -> None:
        if wrong := [suffix for suffix in self.suffixes if not suffix.startswith(".") or suffix != suffix.lower()]:
            raise ValueError(f"a suffix must begin with a dot and be in lower case; got {', '.join(map(repr, wrong))}.")
        if self.view.axes != len(self.units):
            raise ValueError(
                f"units must have one entry for each axis of {self.one}; got {len(self.units)}, and a view of "
                f"{self.view.axes}."
            )

    def __repr__(self) -> str:
        return f"<Kind {self.name}: {', '.join(self.suffixes)}>"

    @property
    def one(self) -> str:
        """The name with its article: 'a photo', 'an ecg'."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    @property
    def several(self) -> str:
        """The name of many: 'photos', 'series'."""
        return self.name if self.name.endswith("s") else f"{self.name}s"

    def reader(self, takes_files: bool) -> Callable[[Path], Any]:
        """What makes of a file the signal that a preparation takes."""
        return self.open if self.open and takes_files else self.read

    def plain_preparation(self, signal: Any) -> Preparation:
        """The preparation that hands a signal to a bare module as it is."""
        return self.as_is(signal) if self.as_is else AsRead.of(signal, self.name, self.units)

    def reads(self, path: Path) -> bool:
        """Whether the name of a file ends as those of this kind do."""
        return path.name.lower().endswith(self.suffixes)

    def suffix_of(self, path: Path) -> str:
        """The longest suffix of this kind that the name ends in, or the last of the name; none of a folder."""
        name, rest = path.name.lower(), "" if path.is_dir() else path.suffix
        return max((s for s in self.suffixes if name.endswith(s)), key=len, default=rest)

    def parts(self, path: Path) -> list[Path]:
        """The files that an input is written as: several, with commas between them, where this kind joins them."""
        return joined_files(path) if self.joins else [path]

    def called(self, path: Path) -> str:
        """What an input is called: the name of its file; of several what they share, and each."""
        parts = self.parts(path)
        if len(parts) == 1:
            return path.name
        names = joined_names(parts)
        stem = joined_stem(parts)
        return ", ".join(names) if stem == "+".join(names) else f"{stem} ({', '.join(names)})"

    def stem(self, path: Path) -> str:
        """The name without the suffix of this kind, which may have two parts; of several files what they share."""
        if len(parts := self.parts(path)) > 1:
            return joined_stem(parts)
        name = path.resolve().name if path.name in ("", "..") else path.name
        return name[: len(name) - len(self.suffix_of(path))] or name

    def inside(self, folder: Path, preparation: Preparation | None = None) -> list[Path]:
        """The inputs in a folder, by name; files that a preparation takes as channels of one input are joined."""
        files = self.gather(folder) if self.gather else sorted(path for path in folder.iterdir() if self.reads(path))
        join = getattr(preparation, "joined", None)
        return join(files) if join else files

    def signal_at(self, path: Path, preparation: Preparation) -> Any:
        """The signal at a path, as a preparation takes it.

        `ValueError` for a folder without inputs, which says where there are some: one that reaches this has none of its
        own, or is an input (`gather`). `FileNotFoundError` for a pattern that no file matches.
        """
        if glob.has_magic(str(path)) and not any(map(os.path.lexists, self.parts(path))):
            raise no_such_files([str(path)])
        if self.gather is None and path.is_dir():
            deeper = next((file for file in path.rglob("*") if self.reads(file)), None)
            pattern = "" if deeper is None else path / "**" / f"*{deeper.suffix}"
            hint = f"For those in its folders give '{pattern}'." if pattern else "Name another."
            raise ValueError(f"the folder {path} has no {self.several} ({', '.join(self.suffixes)}). {hint}")
        return self.reader(takes_files(preparation))(path)
