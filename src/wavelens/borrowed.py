"""A caller's model while it is asked: frozen, its convolutions in a fast memory format, and given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn


@contextmanager
def as_found(model: Any, x: Tensor) -> Iterator[None]:
    """Freezes parameters, then gives back `requires_grad`, buffers, training mode, random state and gradient mode."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    parameters = [(p, p.requires_grad) for m in modules for p in m._parameters.values() if p is not None]
    slots = [(m, name, b) for m in modules for name, b in m._buffers.items()]
    buffers = [(b, b.clone(), b._version) for _, _, b in slots if b is not None and not b.is_inference()]
    modes = [(m, m.training) for m in modules]
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.autocast(x.device.type, enabled=False):
        try:
            for p, _ in parameters:
                p.requires_grad_(False)
            yield
        finally:
            for p, needed in parameters:
                p.requires_grad_(needed)
            for m, mode in modes:
                m.training = mode
            for m, name, b in slots:
                m._buffers[name] = b
            with torch.no_grad():  # an inference tensor cannot have changed here
                for b, before, version in buffers:
                    if b._version != version:
                        b.copy_(before)


class ChannelsLast:
    """Channels-last convolutions where they were measured to be faster: in float32 on a CPU.

    Calling it puts points in the format. Planar convolutions follow their input; volumetric ones follow their weights,
    which are copied for the time and given back. `undo` ends it, for a model that cannot run so.
    """

    def __init__(self, model: Any, x: Tensor) -> None:
        layers = model.modules() if isinstance(model, nn.Module) else ()
        self.convolutions = [m for m in layers if isinstance(m, nn.Conv2d | nn.Conv3d)]
        fast = x.device.type == "cpu" and x.dtype == torch.float32 and bool(self.convolutions)
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        self.format = formats.get(x.ndim, torch.contiguous_format) if fast else torch.contiguous_format
        self.weights: list[tuple[Tensor, Tensor]] = []

    def __enter__(self) -> Self:
        if self.format is torch.channels_last_3d:
            kernels = {id(m.weight): m.weight for m in self.convolutions if isinstance(m, nn.Conv3d)}
            self.weights = [(w, w.data) for w in kernels.values() if isinstance(w, nn.Parameter)]
            for weight, data in self.weights:
                weight.data = data.contiguous(memory_format=self.format)
        return self

    def __call__(self, points: Tensor) -> Tensor:
        return points.contiguous(memory_format=self.format)

    def undo(self) -> bool:
        """Back to the usual format; whether there was anything to undo."""
        active = self.format is not torch.contiguous_format
        self.format = torch.contiguous_format
        for weight, data in self.weights:
            weight.data = data
        self.weights = []
        return active

    def __exit__(self, *error: Any) -> None:
        self.undo()
