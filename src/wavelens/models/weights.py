"""Filling a module from a checkpoint: which of its state dicts fits, and what differs where none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from wavelens.counts import by_count, part_of
from wavelens.models.checkpoints import Checkpoint, read_checkpoint

WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # parts of names, anywhere


class Around(nn.Module):
    """A module that prepares or reads for another, `module`; a checkpoint's weights are the inner one's.

    It begins in the mode, training or evaluation, of the inner one.

    `file_names` are names of its tensors in the files of its library, where they have others there.
    """

    def __init__(self, module: nn.Module, file_names: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.module = module
        self.training = module.training
        self.file_names = file_names or {}


class CheckpointWarning(UserWarning):
    """Tensors of a checkpoint were left out."""


@dataclass(frozen=True, eq=False)
class State:
    """The state dict of a checkpoint that is meant for a module, under the module's own names.

    `left_out` are the tensors beside it, by their names in the file.
    """

    path: Path
    tensors: dict[str, Tensor]
    left_out: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A part of a checkpoint: the names under `prefix` in the state dict at `key`, of which `hits` are a module's."""

    key: str
    prefix: str
    hits: int

    @property
    def name(self) -> str:
        return ".".join(filter(None, (self.key, self.prefix)))


@dataclass(frozen=True)
class _Difference:
    """The names that a module has and a state dict lacks, those that it lacks, and the shapes in both that differ."""

    lacking: tuple[str, ...]
    unknown: tuple[str, ...]
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]  # name, shape in the file, in the module
    count: int

    @classmethod
    def between(cls, module: nn.Module, state: State) -> _Difference:
        own, tensors = module.state_dict(), state.tensors
        counted = _counted(own)
        both = [(name, tuple(tensors[name].shape), tuple(own[name].shape)) for name in own if name in tensors]
        return cls(
            tuple(name for name in counted if name not in tensors),
            tuple(name for name in tensors if name not in own),
            tuple(one for one in both if one[1] != one[2]),
            len(counted),
        )

    def __bool__(self) -> bool:
        return bool(self.lacking or self.unknown or self.reshaped)

    def __str__(self) -> str:
        """With an example each."""
        parts = []
        if self.lacking:
            parts.append(
                f"{part_of(len(self.lacking), self.count, 'tensor', 'is', 'are')} missing, such as {self.lacking[0]!r}"
            )
        if self.unknown:
            parts.append(
                f"{len(self.unknown)} {by_count(len(self.unknown), 'is', 'are')} unknown, such as {self.unknown[0]!r}"
            )
        for name, file, own in self.reshaped[:1]:
            differ = part_of(len(self.reshaped), self.count, "tensor", "differs", "differ")
            parts.append(f"{differ}: {name!r} is {file} in the file and {own} in the model")
        return "; ".join(parts)


def unavailable(name: str, error: Exception) -> Exception:
    """A file or a connection is missing, or else the name is wrong: the error that says so in one line."""
    reason = " ".join(str(error).split())
    if _is_cut_off(error):
        return OSError(
            f"{name} could not be fetched: the Hugging Face Hub does not answer, and this machine has no copy. Check "
            "the connection, or give a local file."
        )
    if isinstance(error, OSError):
        return OSError(
            f"{name} could not be fetched: {reason} Check the name and the connection, or give a local file."
        )
    return ValueError(f"{name} could not be loaded: {reason}")


def _is_cut_off(error: BaseException | None) -> bool:
    """Whether a hub's client found no connection, by its error or by one that it was raised from."""
    while error is not None:
        if type(error).__name__ in ("LocalEntryNotFoundError", "OfflineModeIsEnabled"):
            return True
        error = error.__cause__ or error.__context__
    return False


def innermost(module: nn.Module) -> nn.Module:
    """The module behind its wrappers."""
    while isinstance(module, Around):
        module = module.module
    return module


def _own_names(module: nn.Module) -> dict[str, str]:
    """The names that a module's tensors may have in a file, to those that they have."""
    others: dict[str, str] = {}
    while isinstance(module, Around):
        others |= module.file_names
        module = module.module
    return others | _names(module.state_dict())


def state_for(module: nn.Module, checkpoint: Checkpoint) -> State:
    """The state dict of a checkpoint whose names are the module's, whatever it lies in and whatever precedes them.

    Names may have prefixes (`model.`), and those of wrappers (`module.`, `_orig_mod.`) anywhere. Tensors that are no
    part of such a network, as `loss.weight`, are left out. `ValueError` where several state dicts fit.
    """
    own = _own_names(module)
    best = _best(own, checkpoint)
    state, start = checkpoint.states[best.key], f"{best.prefix}." if best.prefix else ""
    names = _names(state)
    inside = {short.removeprefix(start): name for short, name in names.items() if short.startswith(start)}
    beside = _beside(own, {short: state[name] for short, name in inside.items()})
    fitting = {short: name for short, name in inside.items() if short not in beside}
    used = set(fitting.values())
    left_out = {name: value for name, value in state.items() if name not in used}
    return State(checkpoint.path, {own.get(short, short): state[name] for short, name in fitting.items()}, left_out)


def fill(module: nn.Module, state: State) -> None:
    """Fills a module behind its wrappers; 16-bit values become what it computes in. `ValueError` for what differs."""
    module = innermost(module)
    _check_numbers(module, state)
    try:
        module.load_state_dict(state.tensors)
    except (RuntimeError, TypeError) as error:
        difference = _Difference.between(module, state)
        difference = replace(difference, unknown=(*difference.unknown, *state.left_out))
        reason = str(difference) or " ".join(str(error).split())[:160]
        remedy = _remedy(difference, class_count(module, state))
        raise ValueError(f"{state.path} does not fit the model: {reason}. {remedy}") from error


def _check_numbers(module: nn.Module, state: State) -> None:
    """`ValueError` for parameters that are stored as integers, booleans or complex numbers, which torch converts."""
    for name, own in module.named_parameters():
        stored = state.tensors.get(name)
        if stored is not None and own.is_floating_point() and not stored.is_floating_point():
            raise ValueError(
                f"{state.path} does not fit the model: {name!r} is {stored.dtype} in the file and {own.dtype} in the "
                "model. Save the weights before they are quantised or converted."
            )


def _remedy(difference: _Difference, classes: int | None) -> str:
    if difference.lacking or difference.unknown:
        return (
            "Name the model that the weights were trained for (--model), or build it in a function, "
            "package.module:function."
        )
    if classes is not None:
        return f"Build the model for {by_count(classes, 'one class', f'{classes} classes')}."
    return "Build the model as it was trained: with its number of classes, and its input_size."


def fill_from(module: nn.Module, weights: str | Path) -> None:
    """Fills a module from a checkpoint file."""
    fill(module, state_for(module, read_checkpoint(weights)))


def match(module: nn.Module, state: State) -> tuple[bool, int]:
    """How well a module takes a state dict, the greater the better: whether it fits, then how little is left out."""
    return not _Difference.between(innermost(module), state), -len(state.left_out)


def class_count(module: nn.Module, state: State) -> int | None:
    """How many classes a state dict may be for, where it differs from the module by this alone; else None.

    So it is where tensors differ in nothing but the length of their first axis, from one number to one other; and for a
    module without a head where those that are left out, perhaps a head, have one first length.
    """
    difference = _Difference.between(innermost(module), state)
    if difference.lacking or difference.unknown:
        return None
    if not difference.reshaped:
        return _first_length(tuple(value.shape) for value in state.left_out.values())
    _, file, own = zip(*difference.reshaped, strict=True)
    by_first_alone = all(one[1:] == other[1:] for one, other in zip(file, own, strict=True))
    return _first_length(file) if by_first_alone and _first_length(own) else None


def _first_length(shapes: Iterable[tuple[int, ...]]) -> int | None:
    """The length of the first axis, if it is the same in all shapes."""
    lengths = {shape[:1] for shape in shapes}
    return next(iter(lengths))[0] if len(lengths) == 1 and () not in lengths else None


def _names(state: dict[str, Tensor]) -> dict[str, str]:
    """The names of a state dict without parts that are wrappers, where all stay different, to those that it has."""
    short = {".".join(part for part in name.split(".") if part not in WRAPPERS): name for name in state}
    return short if len(short) == len(state) else {name: name for name in state}


def _best(own: dict[str, str], checkpoint: Checkpoint) -> _Candidate:
    """The part of a checkpoint that has most of the names; `ValueError` where several have, and differ."""
    chosen = checkpoint.chosen
    every = [one for key, state in checkpoint.states.items() for one in _candidates(own, key, state)]
    some = [one for one in every if chosen is None or f"{one.name}.".startswith(f"{chosen}.")]
    most = max((one.hits for one in some), default=0)
    best = [one for one in some if one.hits == most]
    if not best:
        raise ValueError(f"{checkpoint.path} has no state dict called {chosen!r}. It has {_listed(checkpoint.states)}.")
    plain = {one.key for one in best if not one.prefix}
    best = [one for one in best if not one.prefix or one.key not in plain]
    distinct = [one for k, one in enumerate(best) if not any(_equal(checkpoint, one, other) for other in best[:k])]
    if len(distinct) > 1 and 2 * most > len(set(own.values())):
        names = [one.name for one in distinct]
        raise ValueError(
            f"{checkpoint.path} has {len(names)} state dicts that fit the model, {_listed(names)}. Choose one: "
            f"{checkpoint.path}::{names[-1]}"
        )
    return distinct[0]


def _counted(names: Iterable[str]) -> list[str]:
    """Without the counters of batches, which torch does without."""
    return [name for name in names if not name.endswith("num_batches_tracked")]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _candidates(own: dict[str, str], key: str, state: dict[str, Tensor]) -> list[_Candidate]:
    """Every prefix of a state dict's names that some of the module's come after; at least none."""
    hits = Counter({"": 0})
    for name in _counted(_names(state)):
        parts = name.split(".")
        hits.update(".".join(parts[:k]) for k in range(len(parts)) if ".".join(parts[k:]) in own)
    return [_Candidate(key, prefix, count) for prefix, count in hits.items()]


def _equal(checkpoint: Checkpoint, one: _Candidate, other: _Candidate) -> bool:
    first, second = checkpoint.states[one.key], checkpoint.states[other.key]
    same_names = one.prefix == other.prefix and first.keys() == second.keys()
    return same_names and all(torch.equal(value, second[name]) for name, value in first.items())


def _beside(own: Iterable[str], state: dict[str, Tensor]) -> list[str]:
    """Names that no such network has: those of other parts (`loss.weight`), and tables and counters.

    What differs from the network's parts by a number alone (`layer5` after `layer4`) is a layer of another network.
    """
    parts = {_part(name) for name in own}
    return [
        name
        for name, value in state.items()
        if name not in own and (_part(name) not in parts or not value.is_floating_point())
    ]


def _part(name: str) -> str:
    """The outermost part of a network that a name is of, without its number."""
    return name.partition(".")[0].rstrip("0123456789")


def check_trained(name: str, classes: int | None, trained: int) -> None:
    """`ValueError` for a number of classes that a network's own weights are not for: its last layer would be random."""
    if classes not in (None, trained):
        raise ValueError(
            f"{name} has no weights for {classes} classes, its own are for {trained}. Give a checkpoint of yours with "
            "weights (--weights FILE)."
        )


def without_weights(name: str, what: str) -> ValueError:
    """The error for a network that is asked for without a checkpoint."""
    return ValueError(f"{name} comes without weights: give a checkpoint of {what} as weights (--weights FILE).")
