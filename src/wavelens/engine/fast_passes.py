"""Faster and smaller passes of a frozen model, with the values and gradients that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from wavelens.engine.batchnorm_folding import LAST, Folds, Pass
from wavelens.engine.compiled import is_compiled
from wavelens.engine.norms import Kernels, Norms, is_opaque

KERNELS = 2**24  # bytes of volumetric kernels that are copied channels-last: a network of larger ones gains nothing


class FastPasses:
    """Runs a model with the fastest equivalent memory format and folded batch norms; only on a CPU does that differ.

    Normalisations have gradients that are right in any layout of memory, and frozen ones keep nothing for the backward
    pass. In float32, convolutions run channels-last: planar ones follow their input, volumetric ones their weights,
    which are copied for the time and given back where they are small; and a batch normalisation that alone reads a
    convolution becomes part of it where the kernel is small beside what it gives. `undo` ends what is for float32
    alone, for a model that cannot run so; `exact` does without it from the start. Tensors `beside` are handed to the
    model after the points.
    """

    def __init__(self, model: Callable[..., Any], x: Tensor, exact: bool = False) -> None:
        layers = list(model.modules()) if isinstance(model, nn.Module) else []
        convolutions = [m for m in layers if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d)]
        measured = x.device.type == "cpu" and x.dtype == torch.float32 and not exact
        self.model, self.beside = model, tuple[Tensor, ...]()
        weights = (m._parameters.get("weight") for m in convolutions)
        kernels = {id(k): k for k in weights if isinstance(k, nn.Parameter)}.values()
        self.volumetric = [k for k in kernels if k.ndim == 5]
        small = sum(k.nbytes for k in self.volumetric) <= KERNELS
        last = measured and small and any(not isinstance(m, nn.Conv1d) for m in convolutions)
        self.format = LAST.get(x.ndim, torch.contiguous_format) if last else torch.contiguous_format
        self.given: list[tuple[Tensor, Tensor]] = []
        self.spared = False
        self.mended, self.compiled = x.device.type == "cpu", is_compiled(model)
        self.hidden = is_opaque(model) and not self.compiled
        self.folding = measured and not self.compiled and any(isinstance(m, _BatchNorm) for m in layers)
        self.known = self.compiled or any(isinstance(m, _NormBase) for m in layers)  # that there are normalisations
        own = (t for m in layers for t in (*m._parameters.values(), *m._buffers.values()))
        self.folds = Folds(kernels, own, self.format is not torch.contiguous_format)
        self.folded: bool | None = False  # whether a pass has; None once that was told

    def __enter__(self) -> Self:
        if self.format is torch.channels_last_3d:
            others = [k for k in self.volumetric if not k.is_contiguous(memory_format=self.format)]
            self.given = [(k, k.data) for k in others]  # of another thread's call that overlaps it takes care
            for kernel, data in self.given:
                kernel.data = data.contiguous(memory_format=self.format)
        return self

    def __call__(self, points: Tensor) -> Any:
        """What the model says of points."""
        return self._passed(points, self.folds)

    def unfolded(self, points: Tensor) -> Any:
        """The same from a pass in which each layer gives its own output."""
        return self._passed(points, Folds())

    def own(self, points: Tensor) -> Any:
        """The same in the model's own format of memory."""
        last, self.format = self.format, torch.contiguous_format
        copies = [(kernel, kernel.data) for kernel, _ in self.given]
        try:
            for kernel, data in self.given:
                kernel.data = data
            return self.unfolded(points)
        finally:
            for kernel, data in copies:
                kernel.data = data
            self.format = last

    def begins_to_fold(self) -> bool:
        """Whether a pass has used a fold, for the first time."""
        if not self.folded:
            return False
        self.folded = None
        return True

    def _passed(self, points: Tensor, folds: Folds) -> Any:
        if self.folding:
            return self._folded(points, folds)
        with self.exact(self.hidden):
            return self.model(self._ready(points), *self.beside)

    @contextmanager
    def exact(self, hidden: bool | None = None) -> Iterator[None]:
        """Backward passes inside `with` have the right gradients through normalisations.

        So have forward passes in which the model takes gradients, with `hidden`, whether to reckon with normalisations
        that Python does not see: None where that has shown in the pass forward.
        """
        if not self.mended:
            yield
            return
        hidden = self.hidden or self.compiled if hidden is None else hidden
        norms, kernels = Norms(), Kernels()  # type: ignore[no-untyped-call]
        with nullcontext() if self.compiled else norms, kernels if hidden else nullcontext():
            yield
        self.hidden |= norms.repeated
        self.mended = self.known = self.known or norms.met or kernels.met  # one pass shows whether there are any

    def _folded(self, points: Tensor, folds: Folds) -> Any:
        watched = Pass(folds)
        try:
            with watched, Kernels() if self.hidden else nullcontext():  # type: ignore[no-untyped-call]
                output = self.model(self._ready(points), *self.beside)
            self.hidden |= watched.repeated
            if watched.holds():
                self.folded = self.folded if self.folded is None else bool(watched.stand_ins)
                return output
        except Exception:
            if not watched.wrong and not watched.stand_ins:  # one may have met what its model allows a tensor alone
                raise
        self.folds = Folds()
        return self.unfolded(points)

    def _ready(self, points: Tensor) -> Tensor:
        """In the format, and the caller's no more where the model may write to them."""
        ready = points.contiguous(memory_format=self.format)
        return ready.clone() if ready is points and (self.spared or not points.requires_grad) else ready

    def spare(self) -> bool:
        """Copies of points from here on, for a model that works on its input in place; whether that is new."""
        new, self.spared = not self.spared, True
        return new

    def undo(self) -> bool:
        """Back to the model's own passes; whether there was anything to undo."""
        active = self.folding or self.format is not torch.contiguous_format
        self.folding, self.format, self.folds = False, torch.contiguous_format, Folds()
        for kernel, data in self.given:
            kernel.data = data
        self.given = []
        return active

    def __exit__(self, *error: Any) -> None:
        self.undo()
