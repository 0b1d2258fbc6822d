"""The engine: values and input gradients of a model, in chunks that fit memory, the model left as it was found.

It knows nothing of methods or domains. A method says which points to ask for, as a function `point(items, k)` giving
point `k` of some items; the engine decides how many rows go through the model at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.core import signal_axes
from wavelens.engine import memory
from wavelens.engine.answers import Answer, Way, smallest, tolerance, typical
from wavelens.engine.batch_dependence import BatchCheck, batch_statistics, warn
from wavelens.engine.compiled import Sizes, filled, is_compiled
from wavelens.engine.fast_passes import FastPasses
from wavelens.engine.frozen import frozen_model
from wavelens.engine.given import beside, check_callable, check_given
from wavelens.engine.progress import Bar, Progress
from wavelens.engine.types_met import Types
from wavelens.models.module_kinds import check_evaluation, check_gradients, check_shapes
from wavelens.models.runnable import runnable
from wavelens.targets import Several, Target, check_target, settled
from wavelens.targets import scores as read
from wavelens.targets.runner_up import is_open
from wavelens.whole_numbers import is_whole

Items = slice | Tensor  # items of the batch: a slice where they are neighbours, else their indices
Point = Callable[[Items, int], Tensor]
Model = Callable[[Tensor], Any]
Pass = Callable[[Tensor, Tensor], tuple[Tensor, ...]]

HALF = (torch.float16, torch.bfloat16)


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
        progress: Progress = False,
        progress_label: str = "passes",
        exact_passes: bool = False,
    ) -> None:
        check_callable(model)
        signal_axes(x)
        check_target(target, len(x))
        check_given(model, len(x))
        _check_ready(model, x, batch_size, autocast)
        self.model, self.target, self.exact_passes = model, target, exact_passes
        self._runs = runnable(model, x)
        self.targets = len(target.targets) if isinstance(target, Several) else 1
        with torch.inference_mode(False):
            self.x = x.detach().clone() if x.is_inference() else x.detach()
            self.spent = torch.zeros(len(x), dtype=torch.long, device="cpu")
        self.parts: tuple[slice, ...] = ()  # where each of several signals lies, for methods that scale noise by each
        self._rows, self._autocast, self._bar = batch_size, autocast, (progress, progress_label)
        self._sizes = Sizes() if is_compiled(model) else None
        self._batch = BatchCheck(tolerance(model, x, autocast))
        self._asked = {False: 0, True: 0}  # passes for values, and for gradients
        self.apart = False  # whether rows go through the model one at a time, since they depend on each other

    def __enter__(self) -> Gradients:
        if (text := batch_statistics(self.model)) is not None:
            if self._rows != 1:
                warn(text)
            self._rows, self.apart = 1, True
        self._loan = frozen_model(self.model, self.x)
        try:
            self._loan.__enter__()
            with ExitStack() as stack:
                self._fast = stack.enter_context(FastPasses(self._runs, self.x, self.exact_passes))
                self._batch.begin(self.x.device)
                self.bar = stack.enter_context(Bar(*self._bar))
                self.target = self._settled()
                self._exit = stack.pop_all()
            return self
        except BaseException:
            self._loan.give_back()
            raise

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None and self._loan.state_has_changed():
                self._batch.state_is_kept(self._again)
            self._exit.__exit__(*error)
        finally:
            self._loan.give_back()

    def _again(self, point: Tensor, item: int) -> Answer:
        return self._alone(point[None], torch.tensor([item], device=point.device), 0, True, False)

    def _settled(self) -> Target:
        """The target, its open classes read off the answer to each item alone, which no batch mate changes."""
        if not is_open(self.target):
            return self.target
        items = torch.arange(len(self.x), device=self.x.device)
        with torch.no_grad(), self._uncompiled(), self._cast(self.x):
            outputs = [self._output(self.x[row].clone(), row, self._fast.unfolded) for row in items.split(1)]
        return settled(self.target, torch.cat(outputs) if isinstance(outputs[0], Tensor) else outputs[0])

    @property
    def dtype(self) -> torch.dtype:
        """What gradients are summed in: float32 for half-precision signals."""
        return torch.float32 if self.x.dtype in HALF else self.x.dtype

    def values(self, x: Tensor, items: Tensor | None = None) -> Tensor:
        """`f` of given signals, `(targets, rows)`; row `r` belongs to item `items[r]`, or to item `r`."""
        items = torch.arange(len(x), device=x.device) if items is None else items
        with torch.no_grad():
            (values,) = self._fitting(self._forward, x, items)
        _check_finite(_all_finite(values))
        return values

    def sum(
        self, point: Point, weights: Sequence[float], items: Tensor | None = None, into: Tensor | None = None
    ) -> Tensor:
        """`sum_k weights[k] g(point k)` for each item, `(targets, items, channel, *axes)`; added to `into` if given."""
        total = self.zeros(len(self.x) if items is None else len(items)) if into is None else into
        finite = torch.ones((), dtype=torch.bool, device=self.x.device)
        for place, k, g, values in self._passes(point, len(weights), items):
            total[:, place].add_(g, alpha=weights[k])
            finite &= _all_finite(values)
        _check_finite(finite & _all_finite(total))  # where a gradient is not finite, the sum is not
        return total

    def zeros(self, items: int) -> Tensor:
        """Room for a sum of gradients."""
        return self.x.new_zeros((self.targets, items, *self.x.shape[1:]), dtype=self.dtype)

    def at_input(self) -> tuple[Tensor, Tensor]:
        """`g(x)` and `f(x)`: `(targets, batch, channel, *axes)` and `(targets, batch)`."""
        pairs = [(g, values) for _, _, g, values in self.each(self._own, 1)]
        return torch.cat([g for g, _ in pairs], 1), torch.cat([values for _, values in pairs], 1)

    def _own(self, items: Items, _: int) -> Tensor:
        return self.x[items].clone()  # a model may write to its input where no gradient is recorded

    def each(
        self, point: Point, count: int, items: Tensor | None = None
    ) -> Iterator[tuple[slice, int, Tensor, Tensor]]:
        """Every gradient once: `(place, k, g, values)` for point `k` of the items at `place` among `items`.

        `g` has shape `(targets, rows, channel, *axes)`, `values` `(targets, rows)`. Whether all were finite is asked at
        the end: a question to the device halts it.
        """
        finite = torch.ones((), dtype=torch.bool, device=self.x.device)
        for place, k, g, values in self._passes(point, count, items):
            finite &= _all_finite(g, values)
            yield place, k, g, values
        _check_finite(finite)

    def _passes(self, point: Point, count: int, items: Tensor | None) -> Iterator[tuple[slice, int, Tensor, Tensor]]:
        """What `each` gives, unchecked."""
        check_gradients(self.model)
        self._rows = self._rows or self._measure(gradient=True)
        index = torch.arange(len(self.x), device="cpu") if items is None else items.cpu()
        self.bar.expect(len(index) * count)
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
                self.bar.advance(several * len(chosen))
            self.spent[index[block]] += count
            start = block.stop

    def rows_at(self, items: Tensor, points: Callable[[slice], Tensor]) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Gradients and values at any rows: `(rows, g, values)`, where `points(rows)` belong to `items[rows]`."""
        check_gradients(self.model)
        self._rows = self._rows or self._measure(gradient=True)
        self.bar.expect(len(items))
        start = 0
        while start < len(items):  # rows may become fewer on the way
            piece = slice(start, min(start + self.rows, len(items)))
            g, values = self._gradient(points(piece), items[piece])
            self.spent.index_add_(0, items[piece].cpu(), torch.ones(len(values[0]), dtype=torch.long, device="cpu"))
            self.bar.advance(len(values[0]))
            _check_finite(_all_finite(g, values))
            yield piece, g, values
            start = piece.stop

    @property
    def rows(self) -> int:
        """Rows of one forward and backward pass."""
        if self._rows is None:
            self._rows = self._measure()
        return self._rows

    def _measure(self, gradient: bool = False) -> int:
        """How many rows fill the memory set aside, from what one row keeps for its backward pass.

        With `gradient` that of the row is taken, to compare with later.
        A model that takes gradients by `torch.func` itself allows no look at what it keeps, and has few rows.
        """
        kept: dict[int, int] = {}

        def note(t: Tensor) -> Tensor:
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t.detach()  # the tensor itself would keep its graph alive for ever

        item, every = smallest(self.x), torch.arange(len(self.x), device=self.x.device)
        try:
            with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
                self._batch.measured = item, self.x[item], self._alone(self.x, every, item, True, gradient)
        except RuntimeError:  # if it is another, it comes again
            kept.clear()
            self._batch.measured = item, self.x[item], self._alone(self.x, every, item, True, gradient)
            return memory.CPU_ROWS
        for p in self.model.parameters() if isinstance(self.model, nn.Module) else ():
            kept.pop(p.untyped_storage().data_ptr(), None)
        return memory.rows_that_fit(self.x[0], sum(kept.values()))

    def _gradient(self, points: Tensor, items: Tensor) -> tuple[Tensor, ...]:
        """Gradients and values, `(targets, rows, …)`."""
        return self._fitting(self._backward, points, items)

    def _fitting(self, ask: Pass, points: Tensor, items: Tensor) -> tuple[Tensor, ...]:
        """`ask(points, items)` in pieces of `rows`; halves the rows for good when memory runs out."""
        size = self._size(ask, len(points))
        if len(points) > size:
            parts, start = [], 0
            while start < len(points):
                piece = slice(start, start + self._size(ask, len(points)))
                parts.append(self._fitting(ask, points[piece], items[piece]))
                start = piece.stop
            return tuple(torch.cat(part, 1) for part in zip(*parts, strict=True))
        try:
            answer = tuple(part[:, : len(points)] for part in ask(*filled(points, items, size)))
        except RuntimeError as error:
            if memory.ran_out(error) and size > 1:
                self._rows = -(-size // 2)
            elif memory.ran_out(error) or not self._fast.undo():
                raise
        else:
            backward = ask == self._backward
            if self._fast.begins_to_fold() or self._has_new_points(len(points), backward):
                self._batch.look_again()
            if self.values_agree(points, items, answer[-1], backward, backward) and (
                not backward or self._gradients_agree(points, items, answer[0][0], size)
            ):
                return answer
        if points.is_cuda:
            torch.cuda.empty_cache()
        return self._fitting(ask, points, items)

    def _has_new_points(self, rows: int, backward: bool) -> bool:
        """Whether the points of a pass are of a kind that was not met: values are of the items themselves first."""
        self._asked[backward] += rows > 1
        return rows > 1 and self._asked[backward] == (1 if backward else 2)

    def _size(self, ask: Pass, rows: int) -> int:
        """Rows of a pass that is one of several for `rows` rows."""
        if self._sizes is not None:
            return self._sizes.fit(ask == self._backward, rows, self.rows)
        return min(rows, self.rows)

    def values_agree(
        self, points: Tensor, items: Tensor, values: Tensor, graph: bool = True, gradient: bool = False
    ) -> bool:
        """Whether values `(targets, rows)` of a pass are those of each row alone; else rows go `apart` from now on.

        `graph` is for passes that record gradients, `gradient` for those whose gradients are compared next.
        """

        def alone(row: int, way: Way = Way.FORMAT) -> Answer:
            return self._alone(points, items, row, graph, gradient and way == Way.FORMAT, way)

        agree = self._batch.values_agree(points, items, values, alone, self._fast.undo)
        if not agree and not self._batch.due:
            self._rows, self.apart = 1, True
        return agree

    def _gradients_agree(self, points: Tensor, items: Tensor, gradients: Tensor, size: int) -> bool:
        """Whether gradients `(rows, …)` of a pass are those of each row alone; else rows go `apart` from now on."""

        def among_copies(row: int) -> Tensor:
            point, item = (t[row : row + 1].expand_as(t).clone() for t in (points.detach(), items))
            copies, item = filled(point, item, size)
            copies.requires_grad_()
            with torch.enable_grad():
                value = self._scores(copies, item, self._fast)[0]
            gradient = self._gradient_of(value[row], copies, row)
            return torch.zeros_like(points[row], dtype=self.dtype) if gradient is None else gradient

        def alone(row: int, way: Way = Way.FORMAT) -> Answer:
            return self._alone(points, items, row, True, True, way)

        agree = self._batch.gradients_agree(points, items, gradients, alone, among_copies)
        if not agree:
            self._rows, self.apart = 1, True
        return agree

    def _alone(
        self, points: Tensor, items: Tensor, row: int, graph: bool, gradient: bool, way: Way = Way.FORMAT
    ) -> Answer:
        """What the model says of one row, with the `gradient` if there is one; a compiled model runs uncompiled."""
        ways: dict[Way, Model] = {Way.FAST: self._fast, Way.FORMAT: self._fast.unfolded, Way.OWN: self._fast.own}
        sizes, types = [], Types()

        def ask(points: Tensor) -> Any:
            with types:
                output = ways[way](points)
            sizes.append(typical(output))
            return output

        with self._uncompiled(), torch.set_grad_enabled(graph):
            point = points[row : row + 1].detach().clone().requires_grad_(graph)
            values = self._scores(point, items[row : row + 1], ask)
            g = self._gradient_of(values[0].sum(), point, 0) if gradient and values[0].requires_grad else None
        return Answer(torch.cat(values).detach().to(self.dtype), sizes[-1], g, types.step)

    def _uncompiled(self) -> AbstractContextManager[None]:
        """For rows alone, for whose size a compiled model need not be compiled anew."""
        return torch.compiler.set_stance("force_eager") if self._sizes is not None else nullcontext()

    def _gradient_of(self, value: Tensor, points: Tensor, row: int) -> Tensor | None:
        with torch.enable_grad(), self.exact():
            (gradient,) = torch.autograd.grad(value, points, allow_unused=True)
        return None if gradient is None else gradient[row].to(self.dtype)

    def _forward(self, points: Tensor, items: Tensor) -> tuple[Tensor]:
        return (torch.stack(self._scores(points, items, self._fast)).to(self.dtype),)

    def _backward(self, points: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            values = self._scores(points, items, self._fast)
        last = len(values) - 1
        with torch.enable_grad(), self.exact():
            grads = [
                torch.autograd.grad(v.sum(), points, retain_graph=i < last, allow_unused=True)[0]
                if v.requires_grad
                else None
                for i, v in enumerate(values)
            ]
        present = [g for g in grads if g is not None]
        if len(present) < len(grads):
            raise ValueError(
                "the explained output depends on the input differentiably; this one does not. Look for detach(), "
                "numpy, argmax, rounding or torch.no_grad() inside the model or the target function."
            )
        stacked = present[0][None] if last == 0 else torch.stack(present)
        return stacked.to(self.dtype), torch.stack(values).detach().to(self.dtype)

    def scores(self, points: Tensor, items: Tensor) -> list[Tensor]:
        """The explained outputs, from a pass in which each layer gives its own output: hooks may look at it."""
        return self._scores(points, items, self._fast.unfolded)

    def output(self, points: Tensor, items: Tensor) -> Any:
        """The model's output, from such a pass."""
        self._fast.beside = beside(self.model, items)
        return self._fast.unfolded(points)

    def exact(self, hidden: bool | None = None) -> AbstractContextManager[None]:
        """For backward passes: right gradients through normalisations; `hidden` where passes forward are inside too."""
        return self._fast.exact(hidden)

    def _scores(self, points: Tensor, items: Tensor, ask: Model) -> list[Tensor]:
        with self._cast(points):
            output = self._output(points, items, ask)
            return [value.to(points.device) for value in read(self.target, output, items)]

    def _cast(self, points: Tensor) -> AbstractContextManager[Any]:
        kind, on = points.device.type, self._autocast is not None
        return torch.autocast(kind, self._autocast, on, cache_enabled=False)  # a cache would live until the end

    def _output(self, points: Tensor, items: Tensor, ask: Model) -> Any:
        self._fast.beside = beside(self.model, items)
        try:
            return ask(points)
        except Exception as error:
            if "leaf Variable" in str(error) and self._fast.spare():
                return self._output(points, items, ask)
            if not memory.ran_out(error) and self._fast.undo():  # it may reshape what it takes for contiguous
                return self._output(points, items, ask)
            if not memory.ran_out(error):
                error.add_note(
                    f"the model was called with a batch of shape {tuple(points.shape)} and {points.dtype} on "
                    f"{points.device}; x is (batch, channel, *axes) = {tuple(self.x.shape)}. If they do not fit "
                    "the model, change the shape, type or device of x; one signal alone is x[None]."
                )
            raise


def _all_finite(*tensors: Tensor) -> Tensor:
    """Whether there is no NaN or infinity, by the extremes: many times as fast as asking each number."""
    return torch.stack([end for tensor in tensors for end in tensor.detach().aminmax()]).isfinite().all()


def _check_finite(finite: Tensor) -> None:
    if not finite:
        raise ValueError(
            "the explained output and its gradient must be finite; got NaN or infinity. Look for a square root, "
            "logarithm or division at zero in the model, and for overflow if it runs in half precision."
        )


def _check_ready(model: Model, x: Tensor, batch_size: int | None, autocast: torch.dtype | None) -> None:
    if not _all_finite(x):
        raise ValueError("x must be finite; got NaN or infinity. Clean or clip the input first.")
    if batch_size is not None and not is_whole(batch_size, 1):
        raise ValueError(f"batch_size must be at least 1, or None to measure it; got {batch_size}.")
    if autocast not in (None, *HALF):
        raise ValueError(f"autocast must be torch.bfloat16, torch.float16 or None; got {autocast}.")
    check_evaluation(model)
    check_shapes(model)
