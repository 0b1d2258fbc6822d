"""A model of several signals as a model of one: signals by name, packed side by side and handed over by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.core import signal_axes
from wavelens.domains.joint import Joint


class Unpacked(nn.Module):
    """A model `model(image=…, text=…)` that takes the signals packed by a `Joint`, `(rows, 1, samples)`."""

    def __init__(self, model: Callable[..., Any], joint: Joint) -> None:
        super().__init__()
        self.model, self.joint = model, joint
        self.training = bool(getattr(model, "training", False))

    def forward(self, x: Tensor, *given: Tensor) -> Any:
        return self.model(*given, **self.joint.unpack(x))


def check_signals(signals: Mapping[str, Tensor]) -> None:
    """`ValueError` unless these are signals `(batch, channel, *axes)` of one batch, type and device."""
    if not signals:
        raise ValueError("x must hold at least one signal by name; got none.")
    for name, x in signals.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"a signal's name must be what the model calls it, such as 'image'; got {name!r}.")
        try:
            signal_axes(x)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
    kinds = {(len(x), x.dtype, x.device) for x in signals.values()}
    if len(kinds) > 1:
        shown = "; ".join(f"{name}: {len(x)} of {x.dtype} on {x.device}" for name, x in signals.items())
        raise ValueError(f"signals must be of one batch, type and device; got {shown}.")


def packed(model: Callable[..., Any], signals: Mapping[str, Tensor], domains: object) -> tuple[Unpacked, Tensor, Joint]:
    """The model, the signals and their domains as one of each; `ValueError` for what `check_signals` refuses.

    `domains` is a mapping too, with a domain for each signal; another is a `ValueError`.
    """
    check_signals(signals)
    if not isinstance(domains, Mapping):
        raise ValueError(f"several signals must have a domain each, by name; got {domains!r}.")
    joint = Joint.of(signals, domains)
    return Unpacked(model, joint), joint.pack(signals), joint


def packed_baseline(
    joint: Joint, signals: Mapping[str, Tensor], baseline: Any, usual: float | str, references: bool = False
) -> Tensor:
    """Each signal's baseline packed, a number or a tensor that broadcasts to it; `usual` where none is given.

    With `references` a set of them, `(number, channel, *axes)` of each signal, and a number is one that all sets share.
    """
    baseline = {} if baseline is None else baseline
    given = baseline if isinstance(baseline, Mapping) else dict.fromkeys(signals, baseline)
    if unknown := [str(name) for name in given if name not in signals]:
        raise ValueError(f"baseline must have one entry per signal, {', '.join(signals)}; got {', '.join(unknown)}.")
    if isinstance(usual, str) and (missing := [name for name in signals if name not in given]):
        raise ValueError(
            f"the method's own baseline is {usual!r}, for all signals or none; got none for {', '.join(missing)}. Give "
            "one for each."
        )
    if no := [str(value) for value in given.values() if not isinstance(value, Tensor | int | float)]:
        raise ValueError(f"baselines of several signals must be numbers or tensors; got {', '.join(no)}.")
    starts = {
        name: torch.as_tensor(given.get(name, usual), dtype=x.dtype, device=x.device) for name, x in signals.items()
    }
    count = max((len(start) for start in starts.values() if start.ndim), default=1) if references else None
    return joint.pack({name: _placed(name, starts[name], x, count) for name, x in signals.items()})


def _placed(name: str, start: Tensor, x: Tensor, count: int | None) -> Tensor:
    shape = tuple(x.shape) if count is None else (count, *x.shape[1:])
    try:
        return start.expand(shape)
    except RuntimeError:
        raise ValueError(
            f"the baseline of {name} must be a number or broadcast to {shape}; got a tensor of shape "
            f"{tuple(start.shape)}."
        ) from None
