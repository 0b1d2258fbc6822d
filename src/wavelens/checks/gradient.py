"""Whether the gradient at the input is the score's derivative, has not vanished, and survives the precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.checks.asking import evaluating, in_float64, one_by_one, score_and_gradient, span, step_within
from wavelens.checks.verdict import FAIL, NOT_APPLICABLE, PASS, WARN, Verdict
from wavelens.engine.given import beside
from wavelens.engine.gradients import Gradients, Model
from wavelens.methods.averages import generator
from wavelens.methods.paths import nodes, starting_points, straight
from wavelens.metrics.perturbation import every_pair
from wavelens.precision import rounding
from wavelens.targets import Target

# Thresholds rest on what sound and broken networks did: benchmarks/paper/checks.py.

# Of `differentiable`. Sound networks left up to 1.1 % open near the input and 4.2 % on the way, where they bend; with a
# tenth of the input detached 10 % near it, with a rounded input all of it on the way.
DIRECTIONS = 4
JITTER = 2e-3  # half a step of 8 bits, in which equal samples are no longer ties: a maximum over ties has no derivative
STEP_OF_RANGE = 1e-7  # ReLUs bend within 1e-5 of the item's range; in float64 this is far above rounding
BASELINE_FRACTION = 0.1  # of the way to the baseline: tens of steps of 8 bits
QUADRATURE = (8, 16)  # nodes on that way; where the two differ, the score is too rough to tell
MISSED, MISSED_FAR, ROUGH = 0.04, 0.1, 0.02

# Of `unsaturated`. Logits of real networks had 0.03 to 0.84, probabilities of 0.97 0.05, of 0.999 a thousandth.
PLACES = 8
VANISHED, FAINT = 1e-4, 1e-2

# Of `precise`. In float32 real gradients were off by 1e-7 to 6e-3 of their length, in bfloat16 by 0.02 to 0.85.
INEXACT, WRONG = 0.02, 0.2

DETACHED = "Look for detach(), .data, numpy, argmax, rounding or torch.no_grad() between the input and the score."
LEAVE = "Explain with IntegratedGradients, which leaves the input; Saliency says nothing here."
LOGIT = "The score is a probability: explain the logit before it."
DEAD = "Look for dead units (a ReLU of what is never positive), or try another baseline."


def differentiable(
    model: Model, x: Tensor, target: Target, *, baseline: Tensor | float = 0.0, batch_size: int | None = None
) -> Verdict:
    """Whether the gradient at the input is the derivative of the score, all of it.

    Near the input, in float64 where the model can be copied so: along random directions v, every sample up or down by
    the same step, `f(x + v) - f(x - v)` is compared with `2 <g, v>`. For such directions the length of the difference
    over that of the rise estimates the share of the gradient that automatic differentiation misses: what is detached.
    Farther: the score's rise over the last tenth of the way from the baseline is compared with the integral of the
    slope, the fundamental theorem of calculus: it is missed by what is rounded, whose gradient is 0.
    """
    with evaluating(model, x):
        row, item = next(one_by_one(x))
        if score_and_gradient(model, row, target, item)[1] is None:
            return Verdict("differentiable", FAIL, "no gradient of the score reaches the input.", DETACHED)
        x = x.detach()
        twin = in_float64(model, x, target)
        asked = (model, x) if isinstance(twin, str) else twin
        step = step_within(*asked, target)
        ways = [] if isinstance(twin, str) else [_near(*twin, target, step, batch_size)]
        ways.append(_far(*asked, target, baseline, step, batch_size))
    return _accounted(ways)


def _accounted(ways: list[_Way]) -> Verdict:
    """The verdict from the worst item of the worst way, of those that are smooth enough to tell."""
    name, figures = "differentiable", {way.where: float(way.missed.max()) for way in ways}
    sure = [way for way in ways if float(way.unsure.min()) <= ROUGH]
    if not sure:
        finding = "the score is too still or too rough around the input to tell."
        return Verdict(name, NOT_APPLICABLE, finding, "See unsaturated and complete.", figures)
    part, way = max(
        ((float(w.missed[w.unsure <= ROUGH].max()), w) for w in sure), key=lambda pair: pair[0] / pair[1].most
    )
    decided, count = torch.stack([way.unsure <= ROUGH for way in sure]).any(0), len(sure[0].unsure)
    told_of = "" if decided.all() else f" ({int(decided.sum())} of {count} inputs could be told)"
    finding = f"the gradient misses {part:.1%} of how the score rises {way.where}{told_of}"
    if part <= way.most:
        return Verdict(name, PASS, f"{finding}.", figures=figures)
    return Verdict(name, FAIL, f"{finding}.", DETACHED, figures)


@dataclass(frozen=True, eq=False)
class _Way:
    """How the score of each item rises along directions, `(batch, directions)`, and what its slopes add up to.

    `doubt` is what the quadrature and rounding may do to the difference of the two, `(batch,)`; `most` is what sound
    models may miss.
    """

    where: str
    most: float
    rise: Tensor
    slope: Tensor
    doubt: Tensor

    @property
    def size(self) -> Tensor:
        return torch.maximum(self.rise.norm(dim=1), self.slope.norm(dim=1))

    @property
    def missed(self) -> Tensor:
        """The part of the rise that the slopes do not account for, `(batch,)`; 0 where the score does not move."""
        apart = (self.rise - self.slope).norm(dim=1)
        return torch.where(self.size > self.doubt, apart / self.size, 0)

    @property
    def unsure(self) -> Tensor:
        """What of it may be due to quadrature and rounding, `(batch,)`."""
        return torch.where(self.size > 0, self.doubt / self.size, torch.inf)


def _near(model: Model, x: Tensor, target: Target, step: float, batch_size: int | None) -> _Way:
    items, which = every_pair(len(x), DIRECTIONS, x.device)
    draw = torch.rand(x.shape[1:], generator=generator(1, 0, x.device), device=x.device, dtype=torch.float32)
    x = x + JITTER * span(x) * (draw - 0.5).to(x.dtype)
    steps = torch.stack([_signs(x, k) for k in range(DIRECTIONS)])[which] * (STEP_OF_RANGE * span(x))[items]
    with Gradients(model, x, target, batch_size=batch_size) as ask:
        g = ask.at_input()[0][0]
        ends = [ask.values(x[items] + side * steps, items)[0].view(len(x), -1) for side in (1, -1, 0.5, -0.5)]
    slope = 2 * (g[items] * steps).flatten(1).sum(1).view(len(x), -1)
    rise, half = ends[0] - ends[1], ends[2] - ends[3]
    doubt = rounding(x, step) * ends[0].abs().amax(1) + (rise - 2 * half).norm(dim=1)  # float32 within shows here
    return _Way("near the input", MISSED, rise, slope, doubt)


def _far(
    model: Model, x: Tensor, target: Target, baseline: Tensor | float, step: float, batch_size: int | None
) -> _Way:
    start = torch.lerp(x, starting_points(x, baseline), BASELINE_FRACTION)
    integrals = []
    with Gradients(model, x, target, batch_size=batch_size) as ask:
        ends = [ask.values(points)[0] for points in (x, start)]
        for count in QUADRATURE:
            places, weights = nodes("gauss-legendre", count)
            g = ask.sum(straight(x, start, places), weights)[0]
            integrals.append((g * (x - start)).flatten(1).sum(1))
    # What is half precision inside is too rough to tell.
    doubt = (integrals[0] - integrals[1]).abs() + rounding(x, step) * ends[0].abs()
    return _Way("on the way from the baseline", MISSED_FAR, (ends[0] - ends[1])[:, None], integrals[1][:, None], doubt)


def _signs(x: Tensor, k: int) -> Tensor:
    """Direction `k`, the same for every item: 1 or -1 for each sample."""
    draw = torch.randint(2, x.shape[1:], generator=generator(0, k, x.device), device=x.device)
    return (2 * draw - 1).to(x.dtype)


def unsaturated(
    model: Model, x: Tensor, target: Target, *, baseline: Tensor | float = 0.0, batch_size: int | None = None
) -> Verdict:
    """Whether the gradient at the input has vanished: its length there over the largest on the way from the baseline.

    A saturated score, such as a probability near 1, moves little whatever is changed, so its gradient says little of
    what it comes from. The remedy depends on whether the score is a probability and whether it moves elsewhere.
    """
    x = x.detach()
    with evaluating(model, x):
        start = starting_points(x, baseline)
        places = [*nodes("gauss-legendre", PLACES - 1)[0], 1.0]
        with Gradients(model, x, target, batch_size=batch_size) as ask:
            lengths = x.new_zeros(len(places), len(x), dtype=torch.float64)
            for block, k, g, _ in ask.each(straight(x, start, places), len(places)):
                lengths[k, block] = g[0].double().flatten(1).norm(dim=1)
            score = ask.values(x)[0]
    largest = lengths.amax(0)
    ratio = torch.where(largest > 0, lengths[-1] / largest.clamp_min(1e-300), 0)
    worst = int(ratio.argmin())
    dead = int((largest == 0).sum())
    figures = {
        "ratio": float(ratio[worst]),
        "length": float(lengths[-1, worst]),
        "largest": float(largest[worst]),
        "dead": dead / len(x),
    }
    if dead:
        part = "" if dead == len(x) else f" for {dead} of {len(x)} inputs"
        finding = f"the gradient is 0 at the input and all the way from the baseline{part}."
        return Verdict("unsaturated", FAIL, finding, DEAD, figures)
    finding = (
        f"the gradient at the input is {float(ratio[worst]):.2g} as long as the longest on the way from the baseline"
    )
    if ratio[worst] >= FAINT:
        return Verdict("unsaturated", PASS, f"{finding}.", figures=figures)
    with evaluating(model, x):
        remedy = LOGIT if _is_probability(model, x, worst, score[worst]) else LEAVE
    return Verdict("unsaturated", WARN if ratio[worst] >= VANISHED else FAIL, f"{finding}.", remedy, figures)


def _is_probability(model: Model, x: Tensor, item: int, score: Tensor) -> bool:
    """Whether a score looks like a probability: near an end of [0, 1], or from 0 to 1 as all outputs of its model."""
    if not 0 <= score <= 1:
        return False
    with torch.no_grad():
        output = model(x[item : item + 1], *beside(model, torch.tensor([item])))
    bounded = isinstance(output, Tensor) and bool(((output >= 0) & (output <= 1)).all())
    return bounded or not 0.01 < score < 0.99


def precise(model: Model, x: Tensor, target: Target, *, autocast: torch.dtype | None = None) -> Verdict:
    """Whether score and gradient in the signal's precision, or under `autocast`, are those of float64.

    The figure is `‖g - g₆₄‖ / ‖g₆₄‖`, the worst of the items.
    """
    name = "precise"
    chosen = str(autocast or x.dtype).removeprefix("torch.")
    with evaluating(model, x):
        twin = in_float64(model, x, target)
        answers = [score_and_gradient(model, row, target, item, autocast=autocast) for row, item in one_by_one(x)]
        if not all(bool(part.isfinite().all()) for answer in answers for part in answer if part is not None):
            return Verdict(name, FAIL, f"in {chosen} the score or its gradient is NaN or infinite.", _wider(chosen))
        if isinstance(twin, str):
            return Verdict(name, NOT_APPLICABLE, twin)
        if chosen == "float64":
            return Verdict(name, PASS, "score and gradient are computed in float64.")
        exact = [score_and_gradient(twin[0], row, target, item) for row, item in one_by_one(twin[1])]
        still = all(_is_still(row, *answer) for (row, _), answer in zip(one_by_one(x), exact, strict=True))
    if still:
        finding = (
            f"the gradient is too short to move the score beyond rounding in {str(x.dtype).removeprefix('torch.')}."
        )
        return Verdict(name, NOT_APPLICABLE, finding, "See unsaturated.")
    pairs = list(zip(answers, exact, strict=True))
    scores = max(abs(float(a[0]) - float(b[0])) / max(abs(float(b[0])), 1e-300) for a, b in pairs)
    gradients = max(_relative(a[1], b[1]) for a, b in pairs)
    figures = {"score": scores, "gradient": gradients}
    finding = f"in {chosen} the gradient differs by {gradients:.1e} of its length from that in float64"
    if gradients <= INEXACT:
        return Verdict(name, PASS, f"{finding}, the score by {scores:.1e}.", figures=figures)
    status = WARN if gradients <= WRONG else FAIL
    return Verdict(name, status, f"{finding}, the score by {scores:.1e}.", _wider(chosen), figures)


def _is_still(row: Tensor, score: Tensor, g: Tensor | None) -> bool:
    """Whether moving the input by its own length does not move the score beyond rounding."""
    moved = 0.0 if g is None else float(g.norm() * row.double().norm())
    return moved <= rounding(row) * abs(float(score[0]))


def _wider(chosen: str) -> str:
    if chosen == "float32":
        return "Explain in float64: model.double() and x.double()."
    return "Explain in float32: without autocast, or with model.float() and x.float()."


def _relative(g: Tensor | None, exact: Tensor | None) -> float:
    """The length of the difference over that of the exact gradient; 0 where both are none or zero."""
    if g is None or exact is None:
        return 0.0
    apart, length = float((g.double() - exact).norm()), float(exact.norm())
    return apart / length if length > 0 else float(apart > 0)
