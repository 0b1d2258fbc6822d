"""Filling a module from a checkpoint: which of its state dicts fits, and what differs where none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from wavelens.models.checkpoints import Checkpoint, read_checkpoint

WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # parts of names, anywhere


class Around(nn.Module):
    """A module that prepares or reads for another, `module`; a checkpoint's weights are the inner one's."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


class CheckpointWarning(UserWarning):
    """Tensors of a checkpoint were left out."""


@dataclass(frozen=True, eq=False)
class State:
    """The state dict of a checkpoint that is meant for a module, under the module's own names.

    `left_out` are the names, in the file, of tensors beside it.
    """

    path: Path
    tensors: dict[str, Tensor]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A part of a checkpoint: the names under `prefix` in the state dict at `key`, of which `hits` are a module's."""

    key: str
    prefix: str
    hits: int

    @property
    def name(self) -> str:
        return ".".join(filter(None, (self.key, self.prefix)))


def unavailable(name: str, error: Exception) -> Exception:
    """A file or a connection is missing, or else the name is wrong: the error that says so in one line."""
    reason = " ".join(str(error).split())
    if isinstance(error, OSError):
        return OSError(
            f"{name} could not be fetched: {reason} Check the name and the connection, or give a local file."
        )
    return ValueError(f"{name} could not be loaded: {reason}")


def innermost(module: nn.Module) -> nn.Module:
    """The module behind its wrappers."""
    while isinstance(module, Around):
        module = module.module
    return module


def state_for(module: nn.Module, checkpoint: Checkpoint) -> State:
    """The state dict of a checkpoint whose names are the module's, whatever it lies in and whatever precedes them.

    Names may have prefixes (`model.`), and those of wrappers (`module.`, `_orig_mod.`) anywhere. Tensors that are no
    part of such a network, as `loss.weight`, are left out. `ValueError` where several state dicts fit.
    """
    own = _names(innermost(module).state_dict())
    best = _best(own, checkpoint)
    tensors = {_canonical(name): value for name, value in checkpoint.states[best.key].items()}
    start = f"{best.prefix}." if best.prefix else ""
    inside = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
    beside = _beside(own, inside)
    left_out = [name for name in tensors if not name.startswith(start)] + [start + name for name in beside]
    named = {own.get(name, name): value for name, value in inside.items() if name not in beside}
    return State(checkpoint.path, named, tuple(left_out))


def fill(module: nn.Module, state: State) -> None:
    """Fills a module behind its wrappers; 16-bit values become what it computes in. `ValueError` for what differs."""
    module = innermost(module)
    try:
        module.load_state_dict(state.tensors)
    except (RuntimeError, TypeError) as error:
        reason = _difference(module.state_dict(), state.tensors) or " ".join(str(error).split())[:160]
        classes = class_count(module, state)
        build = "" if classes is None else f", or build the model for {classes} classes"
        raise ValueError(
            f"{state.path} does not fit the model: {reason}. Take weights of the same architecture{build}."
        ) from error


def fill_from(module: nn.Module, weights: str | Path) -> None:
    """Fills a module from a checkpoint file."""
    fill(module, state_for(module, read_checkpoint(weights)))


def fits(module: nn.Module, state: State) -> bool:
    """Whether a module and a state dict have the same names and shapes."""
    return not _difference(innermost(module).state_dict(), state.tensors)


def class_count(module: nn.Module, state: State) -> int | None:
    """How many classes a state dict is for, where it differs from the module by this alone; else None.

    So it is where all tensors of other shapes differ in their first axis, and have the same two lengths there.
    """
    own = innermost(module).state_dict()
    shapes = [(own[name].shape, value.shape) for name, value in state.tensors.items() if name in own]
    different = [(ours, theirs) for ours, theirs in shapes if ours != theirs]
    if not all(ours and theirs and ours[1:] == theirs[1:] for ours, theirs in different):
        return None
    lengths = {(ours[0], theirs[0]) for ours, theirs in different}
    return next(iter(lengths))[1] if len(lengths) == 1 else None


def _canonical(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _names(state: Iterable[str]) -> dict[str, str]:
    """A module's names without those of wrappers, and as they are."""
    names = list(state)
    short = {_canonical(name): name for name in names}
    return short if len(short) == len(names) else {name: name for name in names}


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
    if len(distinct) > 1 and 2 * most > len(own):
        names = [one.name for one in distinct]
        raise ValueError(
            f"{checkpoint.path} has {len(names)} state dicts that fit the model, {_listed(names)}. Choose one: "
            f"{checkpoint.path}::{names[-1]}"
        )
    return distinct[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _candidates(own: dict[str, str], key: str, state: dict[str, Tensor]) -> list[_Candidate]:
    """Every prefix of a state dict's names that some of the module's come after; at least none."""
    hits = Counter({"": 0})
    for name in state:
        parts = _canonical(name).split(".")
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


def _difference(own: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    """What a model lacks in a checkpoint, what it does not know there, and what has another shape; an example each."""
    counted = [name for name in own if not name.endswith("num_batches_tracked")]  # torch does without them
    lacking, unknown = [name for name in counted if name not in state], [name for name in state if name not in own]
    shapes = [(name, tuple(state[name].shape), tuple(own[name].shape)) for name in own if name in state]
    other = [
        f"{name!r} is {file} in the file and {model} in the model" for name, file, model in shapes if file != model
    ]
    parts = [
        f"{len(lacking)} of {len(counted)} tensors are missing, such as {lacking[0]!r}" if lacking else "",
        f"{len(unknown)} are unknown, such as {unknown[0]!r}" if unknown else "",
        f"{len(other)} of {len(counted)} have another shape, such as {other[0]}" if other else "",
    ]
    return "; ".join(filter(None, parts))
