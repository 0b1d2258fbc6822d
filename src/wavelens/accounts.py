"""Accounts of a score by scale in words: the largest contributions, and where two accounts disagree.

One account comes from a path method, whose signed sums add up to f(x) − f(x₀). The other has the Shapley values of the
scales, which have the same total and say what a scale adds when scales come and go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.core import Coefficients, one_item
from wavelens.counts import with_minus
from wavelens.methods.octaves import OctaveLayout, joined_by_octave
from wavelens.methods.shapley import ShapleyValues
from wavelens.precision import rounding

NAMED_SCALES = 2  # scales that a sentence names
MIN_COMPARED_PART = 0.1  # of the largest number of both accounts: scales below it in both are not compared
DISAGREE = "Signed sums and Shapley values disagree"
WHICH = "The signed sums follow one path; what a scale adds when it comes or goes is its Shapley value."
MAX_DIFFERENCE = 0.5  # of the larger of two numbers: beyond it the accounts disagree, and so if their signs differ
HALF = "by more than half on"
ERRORS_APART = 2.0  # standard errors of a sampled value within which nothing is said to differ
Account = TypeVar("Account", bound=Coefficients)


class Disagreement(NamedTuple):
    """A scale on which two accounts disagree: `path`, a signed sum, and `shapley`."""

    name: str
    path: float
    shapley: float

    @property
    def in_sign(self) -> bool:
        """Whether one supports the target and the other opposes it."""
        return self.path * self.shapley < 0


class AccountSentences(NamedTuple):
    """Sentences that sum up an explanation by scale; each is empty where it does not apply.

    `largest` names the largest contributions, `by_shapley` those of the Shapley values, `compared` says where signed
    sums and Shapley values disagree, `pairs` which scales depend on each other, `sampled` how exact the values are.
    """

    largest: str = ""
    by_shapley: str = ""
    compared: str = ""
    pairs: str = ""
    sampled: str = ""

    @property
    def advice(self) -> str:
        """Which account answers which question, where the two disagree."""
        return WHICH if self.compared.startswith(DISAGREE) else ""


def grouped_alike(a: Account, shapley: ShapleyValues | None) -> Account:
    """The attribution by the groups of the Shapley values: its scales, or its scales joined by octave.

    `ValueError` for values of other groups.
    """
    if shapley is None or shapley.names == tuple(a.layout.scales()):
        return a
    joined = joined_by_octave(a.layout)
    if joined is None or shapley.names != tuple(joined.scales()):
        raise ValueError(
            f"Shapley values must be one for each scale, {', '.join(a.layout.scales())}, or for each octave; got "
            f"{', '.join(shapley.names)}."
        )
    return replace(a, layout=joined)


def adds_up(a: Coefficients) -> bool:
    """Whether signed sums are an account of the score: those of path methods and of Shapley values are."""
    return getattr(a, "gap", None) is not None and not a.data.is_complex()


def has_signs(a: Coefficients) -> bool:
    """Whether signs are evidence for or against: of accounts, and of gradients times the input."""
    method = getattr(a, "method", "")
    times_input = method.startswith("InputTimesGradient") or "times_input=True" in method
    return not a.data.is_complex() and (adds_up(a) or times_input)


def signed_sums(a: Coefficients, item: int = 0) -> dict[str, float]:
    """The signed sum of each scale of an item, coarsest first; NaN where nothing has signs."""
    profile = maps.profile(one_item(a, item))
    return dict(zip(profile.names, profile.signed[0].tolist(), strict=True))


def rounding_of(account: Coefficients | ShapleyValues) -> float:
    """The size up to which contributions to the score of one item may be rounding alone; 0 where no score is known.

    >>> from wavelens.accounts import rounding_of
    >>> rounding_of(wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.IntegratedGradients())) < 1e-3
    True
    """
    score, start = (getattr(account, name, None) for name in ("score", "baseline_score"))
    if score is None or start is None:
        return 0.0
    size = float(score.abs().sum() + start.abs().sum())
    return rounding(score) * size if math.isfinite(size) else 0.0


def beyond(values: Mapping[str, float], floor: float) -> dict[str, float]:
    """The values, 0 for those that are at most `floor` in size.

    >>> from wavelens.accounts import beyond
    >>> beyond({"a3": 2.0, "d3": -1e-7}, 1e-6)
    {'a3': 2.0, 'd3': 0.0}
    """
    return {name: 0.0 if abs(value) <= floor else value for name, value in values.items()}


def without_rounding(shapley: ShapleyValues) -> ShapleyValues:
    """The values as they are drawn: 0 where the rounding of the score explains them."""
    floor, names = rounding_of(shapley), ("values", "alone", "last", "interaction", "standard_error")
    known = {name: value for name in names if (value := getattr(shapley, name)) is not None}
    shown: dict[str, Any] = {name: cleared(value, floor) for name, value in known.items()}
    return shapley._replace(**shown)


def cleared(values: Tensor, floor: float) -> Tensor:
    """The values, 0 for those that are at most `floor` in size."""
    return values.masked_fill(values.abs() <= floor, 0.0)


def largest(sums: Mapping[str, float], count: int = NAMED_SCALES) -> list[tuple[str, float]]:
    """The scales that contribute most, by the size of their signed sums; none that is 0.

    >>> from wavelens.accounts import largest
    >>> largest({"a3": 0.2, "d3": -2.5, "d2": 3.0, "d1": 0.0})
    [('d2', 3.0), ('d3', -2.5)]
    """
    ordered = sorted(sums.items(), key=lambda pair: -abs(pair[1]))
    return [(name, value) for name, value in ordered[:count] if value and math.isfinite(value)]


def disagreements(
    path: Mapping[str, float], shapley: Mapping[str, float], errors: Mapping[str, float] | None = None
) -> list[Disagreement]:
    """The scales on which two accounts differ in sign or by more than half of the larger number, the largest first.

    Scales whose numbers are below a tenth of the largest in both accounts are left out, and differences of at most two
    standard errors of a sampled value.

    >>> from wavelens.accounts import disagreements
    >>> found = disagreements({"d3": 3.0, "d2": 2.0, "d1": 0.01}, {"d3": 2.5, "d2": -0.4, "d1": -0.02})
    >>> [(one.name, one.in_sign) for one in found]
    [('d2', True)]
    """
    top = max((abs(value) for value in (*path.values(), *shapley.values())), default=0.0)
    apart = []
    for name, value in path.items():
        one = Disagreement(name, value, shapley[name])
        size, difference = max(abs(one.path), abs(one.shapley)), abs(one.path - one.shapley)
        noise = ERRORS_APART * (errors or {}).get(name, 0.0)
        if size >= MIN_COMPARED_PART * top and difference > max(MAX_DIFFERENCE * size, noise):
            apart.append(one)
    return sorted(apart, key=lambda one: -abs(one.path - one.shapley))


def sentences(a: Coefficients, shapley: ShapleyValues | None, titles: Mapping[str, str]) -> AccountSentences:
    """The sentences about one item `(1, channel, size)` by scale; `titles` are the scales' names as a reader sees them.

    Contributions small enough to be rounding of the scores count as zero.
    """
    sums = beyond(signed_sums(a), rounding_of(a))
    if len(sums) < 2:
        return AccountSentences()
    if shapley is None:
        return AccountSentences(_largest(a, sums, titles))
    values = beyond(shapley_of(shapley), rounding_of(shapley))
    return AccountSentences(
        _largest(a, sums, titles),
        _by_shapley(a, sums, values, titles),
        compared(sums, values, errors_of(shapley)) if adds_up(a) and not _is_shapley(a) else "",
        _pairs(shapley),
        _sampled(shapley, "octaves" if isinstance(a.layout, OctaveLayout) else "scales"),
    )


def shapley_of(shapley: ShapleyValues) -> dict[str, float]:
    """The Shapley value of each scale of one item."""
    return dict(zip(shapley.names, shapley.values[0].tolist(), strict=True))


def errors_of(shapley: ShapleyValues) -> dict[str, float] | None:
    """The standard error of each sampled value of one item; None for exact values."""
    if shapley.standard_error is None:
        return None
    return dict(zip(shapley.names, shapley.standard_error[0].tolist(), strict=True))


def _largest(a: Coefficients, sums: Mapping[str, float], titles: Mapping[str, str]) -> str:
    if adds_up(a):
        named = _named(largest(sums), titles)
        many = "The largest contributions are" if len(named) > 1 else "The largest contribution is"
        return f"{many} {listed(named)}." if named else "No scale contributes."
    profile = maps.profile(a)
    shares = largest(dict(zip(profile.names, profile.share[0].tolist(), strict=True)))
    named = [f"{titles[name]} ({100 * share:.3g} % of |γ|)" for name, share in shares]
    return f"The score responds most to {listed(named)}." if named else "The score responds to no scale."


def _by_shapley(
    a: Coefficients, sums: Mapping[str, float], values: Mapping[str, float], titles: Mapping[str, str]
) -> str:
    if _is_shapley(a):
        return "These are Shapley values: what a scale adds when scales come and go."
    named = _named(largest(values), titles)
    if not named:
        return "By Shapley value no scale contributes."
    if not adds_up(a):
        many = "The largest Shapley values are" if len(named) > 1 else "The largest Shapley value is"
        return f"{many} {listed(named)}."
    if named == _named(largest(sums), titles):
        return f"The Shapley {'values of these scales are' if len(named) > 1 else 'value of this scale is'} the same."
    return f"By Shapley value {'they are' if len(named) > 1 else 'it is'} {listed(named)}."


def _named(pairs: Sequence[tuple[str, float]], titles: Mapping[str, str]) -> list[str]:
    return [f"{titles[name]} ({short_signed(value)})" for name, value in pairs]


def compared(path: Mapping[str, float], shapley: Mapping[str, float], errors: Mapping[str, float] | None = None) -> str:
    """Whether two accounts by scale agree, and where they do not, in a sentence; see `disagreements`."""
    if not any((*path.values(), *shapley.values())):
        return ""
    apart = disagreements(path, shapley, errors)
    if not apart and disagreements(path, shapley):
        return (
            "Whether signed sums and Shapley values agree is uncertain: where they differ in sign or by more than "
            "half, the difference is at most two standard errors."
        )
    if not apart:
        return "Signed sums and Shapley values agree: no large scale differs in sign or by more than half."
    signs, sizes = [one for one in apart if one.in_sign], [one for one in apart if not one.in_sign]
    told = [f"{how} {listed(list(map(_both, ones)))}" for how, ones in (("in sign on", signs), (HALF, sizes)) if ones]
    return f"{DISAGREE} {listed(told)}."


def _is_shapley(a: Coefficients) -> bool:
    return isinstance(a, Attribution) and a.method.startswith("ScaleShapley(")


def _both(one: Disagreement) -> str:
    return f"{one.name} ({short_signed(one.path)} and {short_signed(one.shapley)})"


def _pairs(shapley: ShapleyValues) -> str:
    """The pair of scales with the strongest synergy, and that with the strongest redundancy."""
    if shapley.interaction is None:
        return ""
    n, table = len(shapley.names), shapley.interaction[0].tolist()
    pairs = [(table[i][j], shapley.names[i], shapley.names[j]) for i in range(n) for j in range(i)]
    least = max(MIN_COMPARED_PART * max(map(abs, shapley_of(shapley).values())), rounding_of(shapley))
    high, low = max(pairs), min(pairs)
    told = []
    if high[0] > least:
        told.append(f"the strongest synergy is that of {high[2]} and {high[1]} ({short_signed(high[0])})")
    if low[0] < -least:
        told.append(f"the strongest redundancy is that of {low[2]} and {low[1]} ({short_signed(low[0])})")
    return f"Of all pairs of scales, {listed(told)}." if told else "No two scales depend on each other much."


def _sampled(shapley: ShapleyValues, noun: str) -> str:
    passes, n = int(shapley.passes[0]), len(shapley.names)
    errors = errors_of(shapley)
    if errors is None:
        return f"The Shapley values are exact, by {passes:,} forward passes."
    widest = max(errors.values())
    spread = f"standard errors up to {widest:.2g}" if widest > rounding_of(shapley) else "no spread but rounding"
    return (
        f"The Shapley values of {n} {noun} are sampled by {passes:,} forward passes, with {spread}; pairs are "
        "computed only where the Shapley values are exact."
    )


def listed(texts: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def short_signed(value: float) -> str:
    """Three digits with a sign, and a minus as wide as a plus; no exponents below a million."""
    text = f"{value:+.0f}" if 1000 <= abs(value) < 1e6 else f"{value:+.3g}"
    return with_minus(text) if value else "0"


def aligned(values: Sequence[float], beside: Sequence[float] = ()) -> list[str]:
    """Signed numbers, all with the decimals that show two or three digits of the largest, `beside` included.

    Only what is 0 is shown as '0'; smaller numbers than the decimals can show keep their sign.

    >>> aligned([12.34, -0.5, 0.002, 0.0])
    ['+12.3', '−0.5', '+0.0', '0']
    """
    top = max((abs(value) for value in (*values, *beside) if math.isfinite(value)), default=0.0) or 1.0
    magnitude = math.floor(math.log10(top))
    form = f"+.{max(1 - magnitude, int(magnitude < 2))}f" if -3 <= magnitude <= 5 else "+.0e"
    texts = [with_minus(format(value, form)) for value in values]
    return ["0" if value == 0 else text for value, text in zip(values, texts, strict=True)]
