"""Models whose answer about an item depends on its batch, or on chance, in evaluation mode: recognised, and said."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wavelens.engine.answers import Alone, Answer, Way, apart, largest, scale_of, smallest

PACKAGE = __name__.partition(".")[0]
REFUSALS = (RuntimeError, ValueError, TypeError, AssertionError, IndexError)  # of a batch of one
LOOK = "Look for sums, maxima or normalisations over the first dimension; wavelens.check tells whether they are gone."
CHANCE = (
    "Look for dropout called as a function, for noise or crops in forward(), and in a function for a module that is in "
    "training mode: call its eval()."
)
ROWS_PER_LOOK = 8  # so that a row's score alone costs no more than a twentieth of the passes' time

PARTICULAR = (
    "the model goes by the layout of memory or by the type of tensors, and runs in its own way from here on; what was "
    "computed before this was found may be off. Pass exact_passes=True to run it so from the start."
)


def batch_statistics(model: Any) -> str | None:
    """A sentence on the first batch norm without running statistics, or None: there is none."""
    parts = model.named_modules() if isinstance(model, nn.Module) else ()
    for name, part in parts:
        if isinstance(part, _BatchNorm) and part.running_mean is None and part.running_var is None:
            return (
                f"{type(part).__name__} {name!r} has no running statistics and normalises by its batch, so rows go "
                "through the model one at a time: an item's result does not depend on others. Set "
                "track_running_stats=True and calibrate the model to explain it in batches."
            )
    return None


class BatchCheck:
    """Compares answers among others with those alone, where passes begin; warns where they differ by `most`.

    The row of least extent is compared with its gradient, the row of largest extent without: the first is what others
    would change most, the second tells where the batch as a whole decides. It is compared in the model's own format of
    memory, and again (`look_again`) when passes begin to be other ones.
    """

    def __init__(self, most: float) -> None:
        self.most, self.due, self.gradient_due, self.look_due = most, True, True, True
        self.warned = False  # whether a warning was given
        self.since = 0  # rows of passes, from where a look became due
        self.unchecked = False  # whether passes went by before it was taken
        self.equal = False  # whether equal rows have been compared, which tell less: other rows still are
        self.measured: tuple[int, Tensor, Answer] | None = None  # an item, a point of it, and its answer alone
        self.state: Tensor | None = None

    def begin(self, device: torch.device) -> None:
        """From here on, random numbers that torch draws on the device are the model's."""
        self.state = random_state(device)

    def look_again(self) -> None:
        """From here on passes are other ones: the next is compared with a row alone once more, if nothing was found."""
        self.look_due = not self.warned
        self.since = 0

    def values_agree(
        self, points: Tensor, items: Tensor, values: Tensor, alone: Alone, undo: Callable[[], bool]
    ) -> bool:
        """Whether the values `(targets, rows)` of a pass are those of its rows alone, as far as two rows tell.

        A row that was alone is asked for again only if random numbers were drawn. Where fast passes are the cause,
        `undo` ends them, and the pass is to be asked for again. Chance cannot be mended: then the values are taken for
        what they are, after a warning.
        """
        self.since += len(points)
        if len(points) == 1 and self._nothing_drawn(points.device):
            return not self._looks() or self._agrees_with_own(values.detach(), 0, alone, undo)
        if not (self.due or self.look_due):
            return True
        values, equal = values.detach(), len(points) > 1 and torch.equal(points[1:], points[:-1])
        if equal and self.equal:
            return True
        if self.due:
            self.due, self.equal, row = equal, equal, smallest(points)
            try:
                answer = self._answer(points, items, row, alone)
            except REFUSALS:
                if len(points) > 1:
                    self.look_due = False
                    return True  # the model takes no single row
                raise
            if not self._agrees(values, row, answer):
                return self._cause_found(values, row, alone, undo)
        return equal or not self._looks() or self._agrees_with_own(values, largest(points), alone, undo)

    def _looks(self) -> bool:
        """Whether a row of this pass is compared with the model's own answer, which is worth it for several rows."""
        looks = self.look_due and self.since >= ROWS_PER_LOOK
        self.unchecked |= self.look_due and not looks
        self.look_due &= not looks
        return looks

    def _agrees_with_own(self, values: Tensor, row: int, alone: Alone, undo: Callable[[], bool]) -> bool:
        """Whether the values of a row are those that it has alone in the model's own format of memory."""
        try:
            answer = alone(row, Way.OWN)
        except REFUSALS:
            return True
        if not self._agrees(values, row, answer):
            return self._cause_found(values, row, alone, undo, Way.OWN)
        self.unchecked = False
        return True

    def _agrees(self, values: Tensor, row: int, answer: Answer) -> bool:
        """Whether the values of a row in a pass are its answer alone."""
        self.most = max(self.most, math.sqrt(answer.step))
        return apart(values[:, row], answer.values, scale_of(values, answer)) <= self.most

    def _cause_found(
        self, values: Tensor, row: int, alone: Alone, undo: Callable[[], bool], way: Way = Way.FORMAT
    ) -> bool:
        """What `values_agree` says where a row's values differ from its answer alone: the cause is found, and said."""
        first, second = alone(row, way), alone(row, way)
        scale = scale_of(values, second)
        chance, difference = apart(first.values, second.values, scale), apart(values[:, row], second.values, scale)
        if max(chance, difference) <= self.most:  # kernels are others where gradients are recorded
            return True
        if chance > self.most:
            self._end()
            warn(_random("answer", max(chance, difference)))
            return True
        if apart(alone(row, Way.FAST).values, alone(row, Way.OWN).values, scale) > self.most and undo():
            self.due = self.gradient_due = self.look_due = True
            self.measured = None
            if self.unchecked:
                warn(PARTICULAR)
            return False
        self._end()
        if values.shape[1] == 1:
            return True
        warn(_mixed("answer", difference, values.shape[1]))
        return False

    def _end(self) -> None:
        """No more is compared: what there is to say will have been said."""
        self.due = self.gradient_due = self.look_due = False
        self.warned = True

    def state_is_kept(self, again: Callable[[Tensor, int], Answer]) -> None:
        """Warns where the row that was asked for alone at the beginning has another answer now, from state."""
        if self.measured is None or self.warned:
            return
        item, point, before = self.measured
        try:
            answers = [again(point, item) for _ in range(2)]  # the second has what the first left behind
        except REFUSALS:
            return
        scale = scale_of(before.values, before)
        difference = max(apart(answer.values, before.values, scale) for answer in answers)
        if difference > self.most:
            warn(
                "the model keeps state from one call to the next: asked again about one input, its answer differed by "
                f"{difference:.2g} of its size, so results change with batch_size and from call to call. Reset the "
                "state where forward() begins."
            )

    def gradients_agree(
        self,
        points: Tensor,
        items: Tensor,
        gradients: Tensor,
        alone: Alone,
        among_copies: Callable[[int], Tensor],
    ) -> bool:
        """Whether the gradients `(rows, …)` of a pass are those of its rows alone, as far as one row of one pass tells.

        A model may have equal values and other gradients. Rounding, which decides at a kink or a tie, depends on the
        number of rows: where the gradient alone differs, that of the row's own value `among_copies` of it, as many as
        the pass had rows, tells whether the other rows are the cause.
        """
        if not self.gradient_due or len(points) == 1 or torch.equal(points[1:], points[:-1]):
            return True
        self.gradient_due, row = False, smallest(points)
        try:
            answer = self._answer(points, items, row, alone, with_gradient=True)
        except REFUSALS:  # the model takes no single row
            return True
        if answer.gradient is None or apart(gradients[row], answer.gradient, 0.0) <= self.most:
            return True
        difference = apart(gradients[row], among_copies(row), 0.0)
        if difference <= self.most:
            return True
        again, once_more = alone(row).gradient, alone(row).gradient
        if again is not None and once_more is not None and (chance := apart(again, once_more, 0.0)) > self.most:
            self._end()
            warn(_random("gradient", max(chance, difference)))
            return True
        self._end()
        warn(_mixed("gradient", difference, len(points)))
        return False

    def _answer(self, points: Tensor, items: Tensor, row: int, alone: Alone, with_gradient: bool = False) -> Answer:
        """That of a row alone, which may be known."""
        point, item = points[row], int(items[row])
        if self.measured is not None and item == self.measured[0] and torch.equal(point, self.measured[1]):
            known = self.measured[2]
            if not with_gradient or known.gradient is not None:
                return known
        answer = alone(row)
        self.measured = item, point.detach().clone(), answer
        return answer

    def _nothing_drawn(self, device: torch.device) -> bool:
        return self.state is None or torch.equal(self.state, random_state(device))


def _random(what: str, difference: float) -> str:
    return (
        f"the model is random in evaluation mode: asked twice about one input, its {what} differed by {difference:.2g} "
        f"of its size, so results change with batch_size and from call to call. {CHANCE}"
    )


def _mixed(what: str, difference: float, rows: int) -> str:
    return (
        f"the model's {what} about an item depends on its batch: alone it differed by {difference:.2g} of its size "
        f"from that among {rows} rows, so rows go through the model one at a time. {LOOK}"
    )


def warn(text: str) -> None:
    """A warning at the line outside of this package that called it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, UserWarning, stacklevel=level)


def random_state(device: torch.device) -> Tensor:
    """Where torch's random numbers of a device stand."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
