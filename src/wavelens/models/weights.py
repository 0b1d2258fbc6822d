"""Checkpoints: what a module is filled with, and the error for what cannot be had."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn


class Around(nn.Module):
    """A module that prepares or reads for another, `module`; a checkpoint's weights are the inner one's."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


def unavailable(name: str, error: Exception) -> Exception:
    """A file or a connection is missing, or else the name is wrong: the error that says so in one line."""
    reason = " ".join(str(error).split())
    if isinstance(error, OSError):
        return OSError(
            f"{name} could not be fetched: {reason} Check the name and the connection, or give a local file."
        )
    return ValueError(f"{name} could not be loaded: {reason}")


def fill(module: nn.Module, path: Path) -> None:
    """Fills `module` (behind its wrappers) from a checkpoint; 16-bit values become what the module computes in."""
    while isinstance(module, Around):
        module = module.module
    state = _state_dict(path)
    outer = next(iter(state), "").partition(".")[0] + "."  # saved inside another: DataParallel's, Lightning's
    if _all_within(outer, state) and not _all_within(outer, module.state_dict()):
        state = {name.removeprefix(outer): value for name, value in state.items()}
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        reason = _difference(module.state_dict(), state) or " ".join(str(error).split())[:160]
        raise ValueError(
            f"weights belong to their architecture; {path} does not fit: {reason}. Take the file for this model."
        ) from error


def _difference(own: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    """What a model lacks in a checkpoint, what it does not know there, and what has another shape; an example each."""
    counted = [name for name in own if not name.endswith("num_batches_tracked")]  # torch does without them
    lacking, unknown = [name for name in counted if name not in state], [name for name in state if name not in own]
    shapes = [(name, tuple(own[name].shape), tuple(getattr(state[name], "shape", ()))) for name in own if name in state]
    other = [f"{name!r} is {found}, the model's {wanted}" for name, wanted, found in shapes if wanted != found]
    parts = [
        f"{len(lacking)} of {len(counted)} tensors are missing, such as {lacking[0]!r}" if lacking else "",
        f"{len(unknown)} are unknown, such as {unknown[0]!r}" if unknown else "",
        f"{len(other)} have another shape, {other[0]}" if other else "",
    ]
    return "; ".join(filter(None, parts))


def _all_within(prefix: str, state: dict[str, Tensor]) -> bool:
    return all(name.startswith(prefix) for name in state)


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, Tensor] = found.get("state_dict", found)
    except Exception as error:  # safetensors, pickle and torch share no base class
        raise ValueError(
            f"weights are a state dict, in safetensors or from torch.save; got {path}, which is neither. Write one "
            "with torch.save(net.state_dict(), path)."
        ) from error
    if not any(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(
            f"weights are a state dict; {path} holds {', '.join(map(repr, state)) or 'nothing'} in place of tensors. "
            "Save the state dict among them alone."
        )
    return state
