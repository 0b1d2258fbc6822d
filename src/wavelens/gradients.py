"""The engine: values and input gradients of a model, in chunks that fit memory, the model left as it was found.

It knows nothing of methods or domains. A method says which points to ask for, as a function `point(items, k)` giving
point `k` of some items; the engine decides how many rows go through the model at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.core import signal_axes
from wavelens.targets import Several, Target, check
from wavelens.targets import scores as read

Items = slice | Tensor  # items of the batch: a slice where they are neighbours, else their indices
Point = Callable[[Items, int], Tensor]
Model = Callable[[Tensor], Any]

HALF = (torch.float16, torch.bfloat16)
CPU_ACTIVATIONS = 2**28  # bytes; beyond this larger chunks do not run faster on a CPU (benchmarks/speed/attribution.py)


class Gradients:
    """Values and input gradients of `target` for the items of `x` and for points made from them.

    `batch_size` bounds the rows of a forward pass; `None` measures what a row needs and fills part of the free memory.
    Use inside `with`: the model is frozen on entry and given back as it was on exit, after an error too.
    """

    def __init__(
        self,
        model: Model,
        x: Tensor,
        target: Target,
        *,
        batch_size: int | None = None,
        autocast: torch.dtype | None = None,
        progress: bool = False,
    ) -> None:
        signal_axes(x)
        check(target, len(x))
        _check_ready(model, x, batch_size, autocast)
        self.model, self.target = model, target
        self.targets = len(target.targets) if isinstance(target, Several) else 1
        self.x = x.detach().clone() if x.is_inference() else x.detach()
        self.spent = torch.zeros(len(x), dtype=torch.long, device="cpu")
        self._rows, self._autocast, self._progress = batch_size, autocast, progress

    def __enter__(self) -> Gradients:
        self._found = _as_found(self.model, self.x)
        self._found.__enter__()
        self._bar = _bar(self._progress)
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()
        self._found.__exit__(*error)

    @property
    def dtype(self) -> torch.dtype:
        """What gradients are summed in: float32 for half-precision signals."""
        return torch.float32 if self.x.dtype in HALF else self.x.dtype

    def values(self, x: Tensor, items: Tensor | None = None) -> Tensor:
        """`f` of given signals, `(targets, rows)`; row `r` belongs to item `items[r]`, or to item `r`."""
        items = torch.arange(len(x), device=x.device) if items is None else items
        parts = []
        with torch.no_grad():
            for start in range(0, len(x), self.rows):
                piece = slice(start, start + self.rows)
                parts.append(torch.stack(self.scores(x[piece], items[piece])).to(self.dtype))
        return torch.cat(parts, 1)

    def sum(self, point: Point, weights: Sequence[float], items: Tensor | None = None) -> Tensor:
        """`sum_k weights[k] g(point k)` for each item: `(targets, items, channel, *axes)`."""
        chosen = range(len(self.x)) if items is None else items.tolist()
        total = self.x.new_zeros((self.targets, len(chosen), *self.x.shape[1:]), dtype=self.dtype)
        for place, k, g, _ in self.each(point, len(weights), items):
            total[:, place].add_(g, alpha=weights[k])
        return _finite(total)

    def at_input(self) -> tuple[Tensor, Tensor]:
        """`g(x)` and `f(x)`: `(targets, batch, channel, *axes)` and `(targets, batch)`."""
        pairs = [(g, values) for _, _, g, values in self.each(lambda items, _: self.x[items], 1)]
        return _finite(torch.cat([g for g, _ in pairs], 1)), torch.cat([values for _, values in pairs], 1)

    def each(
        self, point: Point, count: int, items: Tensor | None = None
    ) -> Iterator[tuple[slice, int, Tensor, Tensor]]:
        """Every gradient once: `(place, k, g, values)` for point `k` of the items at `place` among `items`.

        `g` has shape `(targets, rows, channel, *axes)`, `values` `(targets, rows)`.
        """
        index = torch.arange(len(self.x)) if items is None else items.cpu()
        self._bar.expect(len(index) * count)
        start = 0
        while start < len(index):
            block = slice(start, min(start + self.rows, len(index)))
            chosen = index[block].to(self.x.device)
            where: Items = block if items is None else chosen
            k = 0
            while k < count:
                several = min(max(1, self.rows // len(chosen)), count - k)
                points = [point(where, j) for j in range(k, k + several)]
                pair = self._gradient(torch.cat(points) if several > 1 else points[0], chosen.repeat(several))
                pieces = [part.split(len(chosen), dim=1) for part in pair]
                for j, (g, values) in enumerate(zip(*pieces, strict=True)):
                    yield block, k + j, g, values
                k += several
                self._bar.advance(several * len(chosen))
            self.spent[index[block]] += count
            start = block.stop

    def rows_at(self, items: Tensor, points: Callable[[slice], Tensor]) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Gradients and values at any rows: `(rows, g, values)`, where `points(rows)` belong to `items[rows]`."""
        self._bar.expect(len(items))
        for start in range(0, len(items), self.rows):
            piece = slice(start, min(start + self.rows, len(items)))
            g, values = self._gradient(points(piece), items[piece])
            self.spent.index_add_(0, items[piece].cpu(), torch.ones(len(values[0]), dtype=torch.long, device="cpu"))
            self._bar.advance(len(values[0]))
            yield piece, _finite(g), values

    @property
    def rows(self) -> int:
        """Rows of one forward and backward pass."""
        if self._rows is None:
            self._rows = self._measure()
        return self._rows

    def _measure(self) -> int:
        """How many rows fill the memory set aside, from what one row keeps for its backward pass."""
        kept: dict[int, int] = {}

        def note(t: Tensor) -> Tensor:
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            self.scores(self.x[:1].clone().requires_grad_(), torch.zeros(1, dtype=torch.long, device=self.x.device))
        for p in self.model.parameters() if isinstance(self.model, nn.Module) else ():
            kept.pop(p.untyped_storage().data_ptr(), None)
        row = sum(kept.values()) + 4 * self.x[0].numel() * self.x.element_size()
        return max(1, _budget(self.x.device) // (2 * row))

    def _gradient(self, points: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients and values, `(targets, rows, …)`; halves the rows for good when memory runs out."""
        if len(points) > self.rows:
            parts = zip(points.split(self.rows), items.split(self.rows), strict=True)
            grads, values = zip(*[self._gradient(p, i) for p, i in parts], strict=True)
            return torch.cat(grads, 1), torch.cat(values, 1)
        try:
            return self._backward(points, items)
        except RuntimeError as error:
            if not _out_of_memory(error) or len(points) == 1:
                raise
            self._rows = -(-len(points) // 2)
        if points.is_cuda:
            torch.cuda.empty_cache()
        return self._gradient(points, items)

    def _backward(self, points: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            values = self.scores(points, items)
            if not values[0].requires_grad:
                raise ValueError(
                    "the explained output depends on the input differentiably; this one does not. Look for detach(), "
                    "numpy, argmax, rounding or torch.no_grad() inside the model or the target function."
                )
            last = len(values) - 1
            grads = [
                torch.autograd.grad(v.sum(), points, retain_graph=i < last, materialize_grads=True)[0]
                for i, v in enumerate(values)
            ]
        stacked = grads[0][None] if last == 0 else torch.stack(grads)
        return stacked.to(self.dtype), torch.stack(values).detach().to(self.dtype)

    def scores(self, points: Tensor, items: Tensor) -> list[Tensor]:
        kind = points.device.type
        with torch.autocast(kind, dtype=self._autocast, enabled=self._autocast is not None):
            try:
                output = self.model(points)
            except Exception as error:
                if not _out_of_memory(error):
                    error.add_note(
                        f"the model was called with a batch of shape {tuple(points.shape)} and {points.dtype} on "
                        f"{points.device}; x is (batch, channel, *axes) = {tuple(self.x.shape)}. If they do not fit "
                        "the model, change the shape, type or device of x."
                    )
                raise
            return read(self.target, output, items)


def _finite(gradient: Tensor) -> Tensor:
    if not gradient.isfinite().all():
        raise ValueError(
            "the gradient at the input is finite; got NaN or infinity. Look for a square root, logarithm or division "
            "at zero in the model, and for overflow if it runs in half precision."
        )
    return gradient


def _check_ready(model: Model, x: Tensor, batch_size: int | None, autocast: torch.dtype | None) -> None:
    if not x.isfinite().all():
        raise ValueError("x is finite; got NaN or infinity. Clean or clip the input first.")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is at least 1, or None to measure it; got {batch_size}.")
    if autocast not in (None, *HALF):
        raise ValueError(f"autocast is torch.bfloat16, torch.float16 or None; got {autocast}.")
    if not isinstance(model, nn.Module):
        return
    training = [name or "the model" for name, module in model.named_modules() if module.training]
    if training:
        raise ValueError(
            f"the model is in evaluation mode, so that an item's result does not depend on its batch; got training "
            f"mode in {training[0]}{f' and {len(training) - 1} more' if len(training) > 1 else ''}. "
            "Call model.eval() first."
        )


@contextmanager
def _as_found(model: Model, x: Tensor) -> Iterator[None]:
    """Freezes parameters, then gives back `requires_grad`, buffers, training mode, random state and gradient mode."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    parameters = [(p, p.requires_grad) for m in modules for p in m._parameters.values() if p is not None]
    buffers = [
        (m, name, b, b.clone(), b._version if not b.is_inference() else 0)
        for m in modules
        for name, b in m._buffers.items()
        if b is not None
    ]
    modes = [(m, m.training) for m in modules]
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.inference_mode(False):
        try:
            for p, _ in parameters:
                p.requires_grad_(False)
            yield
        finally:
            for p, needed in parameters:
                p.requires_grad_(needed)
            for m, mode in modes:
                m.training = mode
            with torch.no_grad():
                for m, name, b, before, version in buffers:
                    m._buffers[name] = b
                    if b.is_inference() or b._version != version:
                        b.copy_(before)


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)


def _budget(device: torch.device) -> int:
    """Bytes that the activations of a chunk may take."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (free + reserved) // 2
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" in names:
        return min(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4, CPU_ACTIVATIONS)
    return CPU_ACTIVATIONS


class _bar:
    """A progress bar over gradients, or nothing."""

    def __init__(self, wanted: bool) -> None:
        self._progress: Any = None
        if wanted:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            text = TextColumn("{task.description} {task.completed:.0f}/{task.total:.0f}")
            self._progress = Progress(text, BarColumn(), TimeRemainingColumn(), transient=True)
            self._task = self._progress.add_task("gradients", total=0)
            self._progress.start()

    def expect(self, more: int) -> None:
        if self._progress:
            self._progress.update(self._task, total=self._progress.tasks[0].total + more)

    def advance(self, done: int) -> None:
        if self._progress:
            self._progress.advance(self._task, done)

    def stop(self) -> None:
        if self._progress:
            self._progress.stop()
