"""Explanations of one signal, all judged alike: in its own samples and in wavelets, beside the two controls."""

from __future__ import annotations

import copy
import hashlib
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from record import interval
from torch import Tensor, nn
from verdicts import DIFFERENCES

import wavelens as wl
from wavelens.core import Coefficients, Domain
from wavelens.runs.statistics.intervals import flips
from wavelens.targets import Target

CONTROLS = ("energy order", "random order")
SHUFFLED = {"fill": "shuffled", "samples": 1, "fractions": "log", "steps": 6}  # one start for all orders of an item
MEASURED = {"shuffled": SHUFFLED}  # what a row's settings say beside the steps
TOLERANCE = 0.02  # of paths: the part of the rise that their sums may miss
FLIPS = 20_000  # draws of signs for a p-value: as few as let one survive Holm's correction for a hundred tests
Scores = dict[str, dict[str, dict[str, float]]]  # of a domain, of an order, by measure


class Remembered(nn.Module):
    """A model that is asked about a signal once: the rows that several metrics or orders share cost one pass.

    What is remembered is the output of the very same bytes. Without gradients, so it is for judging alone.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.known: dict[bytes, Tensor] = {}
        self.asked = 0

    def forward(self, x: Tensor) -> Tensor:
        keys = [hashlib.sha256(row.detach().contiguous().numpy()).digest() for row in x]
        new = [k for k, key in enumerate(keys) if key not in self.known]
        if new:
            self.asked += len(new)
            self.known.update(zip([keys[k] for k in new], self.model(x[new]).detach(), strict=True))
        return torch.stack([self.known[key] for key in keys])


@cache
def quick(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The same function of signals `(batch, *shape)`, without gradients: batch norms are folded into convolutions.

    Equal to rounding, which is looked at: an `AssertionError` where it is not, as of a model that minds its batch.
    """
    order = {3: torch.channels_last, 4: torch.channels_last_3d}[len(shape)]
    frozen, x = copy.deepcopy(model).to(memory_format=order).eval(), torch.rand(3, *shape)
    with torch.no_grad(), warnings.catch_warnings():
        for kind in (torch.jit.TracerWarning, DeprecationWarning):
            warnings.simplefilter("ignore", kind)
        found: nn.Module = torch.jit.freeze(torch.jit.trace(frozen, x[:1], check_trace=False))
        torch.testing.assert_close(found(x), model(x), rtol=1e-4, atol=1e-4)
    return found


@dataclass(frozen=True)
class Measures:
    """What is measured of an order: curves with so many steps, μ-fidelity with so many subsets (0: not at all).

    Curves from the baseline over uniform fractions, as published, and, as `shuffled`, insertion less deletion from the
    signal with its coefficients shuffled within their bands, over log-spaced fractions.
    """

    steps: int
    subsets: int = 0
    baseline: float = 0.0
    more: Callable[..., dict[str, Tensor]] | None = None

    def __call__(
        self, model: nn.Module, x: Tensor, target: Target, asked: Target, a: Coefficients, domain: Domain, seed: int
    ) -> dict[str, float]:
        """`target` is what curves follow, `asked` what was explained; `seed` draws subsets and the shuffled start."""
        curves = wl.metrics.curves(model, x, target, a, steps=self.steps, domain=domain, baseline=self.baseline)
        found = {"insertion": curves.insertion_area, "deletion": curves.deletion_area}
        found["faithfulness"] = curves.faithfulness
        found["shuffled"] = wl.metrics.faithfulness(model, x, target, a, domain=domain, seed=seed, **SHUFFLED)
        if self.subsets:
            options = {"subsets": self.subsets, "domain": domain, "baseline": self.baseline, "seed": seed}
            found["mu_fidelity"] = wl.metrics.mu_fidelity(model, x, asked, a, **options)
        if self.more is not None:
            found |= self.more(model, x, asked, a, domain)
        return {name: round(float(value), 6) for name, value in found.items()}


def explained(
    model: nn.Module, x: Tensor, target: Target, explainers: dict[Any, Any], domains: Sequence[Domain] = ()
) -> tuple[dict[str, Coefficients], dict[str, float], dict[str, str]]:
    """Attributions by name, seconds by name, and what could not be had with the reason.

    An explainer under a tuple of names is a method that is read in the first so many `domains`, in one pass.
    """
    found: dict[str, Coefficients] = {}
    seconds: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for names, explainer in explainers.items():
        start = time.perf_counter()
        several = names if isinstance(names, tuple) else (names,)
        try:
            if isinstance(names, tuple):
                made = wl.attribute(model, x, target, domain=list(domains)[: len(names)], method=explainer)
            else:
                made = [explainer(model, x, target)]
        except ValueError as error:  # a rule that this network has no place for
            left_out |= dict.fromkeys(several, str(error))
            continue
        found |= dict(zip(several, made, strict=True))
        seconds |= dict.fromkeys(several, round(time.perf_counter() - start, 3))
    return found, seconds, left_out


def gaps(found: dict[str, Coefficients]) -> dict[str, float]:
    """Of the paths among some attributions, how much of the score's rise their sums miss, as a part of it."""
    return {
        name: round(float(missed(a)), 5)
        for name, a in found.items()
        if isinstance(a, wl.Attribution) and a.gap is not None and a.baseline_score is not None
    }


def missed(a: wl.Attribution) -> Tensor:
    """The part of the score's rise that the sums of a path miss, `(batch,)`."""
    return (a.gap / (a.score - a.baseline_score)).abs()


def controls(x: Tensor, domain: Domain, baseline: float = 0.0, seed: int = 0) -> dict[str, Coefficients]:
    energy = wl.metrics.energy_order(x, domain, baseline=baseline).map(torch.abs)
    return {"energy order": energy, "random order": wl.metrics.random_order(x, domain, seed=seed)}


def seed(item: str) -> int:
    """A seed for each item: what chance does to one is not what it does to all, and a mean over items is rid of it."""
    return int.from_bytes(hashlib.blake2b(item.encode(), digest_size=4).digest(), "little")


def judged(
    model: nn.Module,
    x: Tensor,
    target: Target,
    found: dict[str, Coefficients],
    domains: dict[str, Domain],
    measures: Measures,
    *,
    item: str,
    asked: Target = None,
    orders: dict[str, Sequence[str]] | None = None,
) -> Scores:
    """The scores of every order in every domain, controls included; `orders` names those of a domain that has fewer.

    `item` names the signal, for its seed.
    """
    remembered, drawn = Remembered(model).eval(), seed(item)
    asked = target if asked is None else asked
    scores: Scores = {}
    for title, domain in domains.items():
        those = _those(found, (orders or {}).get(title)) | controls(x, domain, measures.baseline, drawn)
        scores[title] = {name: measures(remembered, x, target, asked, a, domain, drawn) for name, a in those.items()}
    return scores


def _those(found: dict[str, Coefficients], names: Sequence[str] | None) -> dict[str, Coefficients]:
    return found if names is None else {name: found[name] for name in names if name in found}


def texts(named: dict[Any, Any]) -> dict[str, str]:
    """Domains or explainers as a record has them: what each name stands for."""
    return {
        " | ".join(names) if isinstance(names, tuple) else names: getattr(value, "__name__", repr(value))
        for names, value in named.items()
    }


def cells(
    rows: Sequence[dict[str, Any]], item: str, middles: dict[str, Callable[..., Any]] | None = None
) -> list[dict[str, Any]]:
    """Means of each order in each domain with intervals over items, and the paired distance to the energy order.

    `item` is the part of a row's key that tells items apart; rows of one item count as their mean.
    """
    found = []
    for title in _union(row["scores"] for row in rows):
        for name in _union(row["scores"].get(title, {}) for row in rows):
            mine = [row for row in rows if name in row["scores"].get(title, {})]
            items = [row["key"][item] for row in mine]
            scores = [row["scores"][title][name] for row in mine]
            energy = [row["scores"][title]["energy order"] for row in mine]
            cell: dict[str, Any] = {"order": name, "domain": title, "items": len(set(items))}
            for measure in scores[0]:
                values = by_item(items, [s[measure] for s in scores])
                cell[measure] = interval(values, (middles or {}).get(measure, np.mean))
            for difference, measure in DIFFERENCES.items():
                if measure not in scores[0]:
                    continue
                ahead = [s[measure] - e[measure] for s, e in zip(scores, energy, strict=True)]
                cell |= paired(difference, by_item(items, ahead))
            if missed := [row["gaps"][name] for row in mine if name in row.get("gaps", {})]:
                cell["gap"] = interval(missed, np.median)
            times = [row["explaining"][name] for row in mine if name in row["explaining"]]
            if times:
                cell["seconds"] = round(sum(times) / len(times), 3)
            found.append(cell)
    return found


def paired(name: str, differences: Sequence[float]) -> dict[str, Any]:
    """A mean difference with its interval, and the p-value of its being 0, not adjusted for other tests."""
    return {name: interval(differences), f"{name}, p": float(f"{flips(np.array(differences), FLIPS, 0):.3g}")}


def _union(several: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in several for name in names))


def left_out(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What could not be had of some rows: of how many, and the reasons."""
    return {
        name: {"items": len(why), "of": len(rows), "reasons": _union([why])}
        for name in _union(row["left_out"] for row in rows)
        if (why := [row["left_out"][name] for row in rows if name in row["left_out"]])
    }


def by_item(items: Sequence[str], values: Sequence[float]) -> list[float]:
    """One value an item, the mean of its rows."""
    several: dict[str, list[float]] = {}
    for item, value in zip(items, values, strict=True):
        several.setdefault(item, []).append(value)
    return [float(np.mean(one)) for one in several.values()]
