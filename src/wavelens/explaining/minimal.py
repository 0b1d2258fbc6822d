"""Minimal inputs of files: what is left of each for every alpha, and the files that show it."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavelens import masks
from wavelens.core import Domain
from wavelens.counts import with_minus
from wavelens.explaining.files import beside
from wavelens.explaining.kinds import Input, Kind
from wavelens.explaining.question import ExplainedTarget, Question
from wavelens.explaining.reading import read_input
from wavelens.explaining.summary import target_summary
from wavelens.models import LoadedModel
from wavelens.own import text_of
from wavelens.untrusted import plain

ALPHA = re.compile(r"[0-9.]+(e[+-][0-9]+)?")  # in a file's name
WRITTEN_TOGETHER = ("-minimal.png", "-minimal.json")  # for each input


@dataclass(frozen=True, eq=False)
class MinimalRequest:
    """What is to be done with every input: `alphas` and the others are those of `masks.minimal`."""

    loaded: LoadedModel
    kind: Kind
    question: Question
    domain: Domain
    alphas: tuple[float, ...]
    steps: int
    baseline: float | masks.Noise | Callable[[Tensor], Tensor]
    batch_size: int | None
    device: torch.device


@dataclass(frozen=True, eq=False)
class MinimalResult:
    """The minimal inputs of one file, one for each alpha.

    `probabilities` are those of the explained class, if it is one: for the untouched input, then for each alpha.
    `leads` says of the same inputs whether that class has the highest logit; it is empty where no class is explained.
    """

    request: MinimalRequest
    input: Input
    target: ExplainedTarget
    front: masks.Minimal
    probabilities: list[float | None]
    leads: list[bool]

    @property
    def score(self) -> str:
        """What the target's number is called in JSON."""
        return "logit" if len(self.target.classes) == 1 else "score"

    def rows(self) -> list[dict[str, Any]]:
        """The untouched input, then each alpha: zeros, score, steps and probability."""
        front = self.front
        assert isinstance(front.alpha, tuple)
        first = {"alpha": 0.0, "zeros": 0.0, self.score: float(front.before[0]), "steps": 0}
        columns = zip(front.alpha, front.sparsity[:, 0], front.after[:, 0], front.spent[:, 0], strict=True)
        rows = [{"alpha": a, "zeros": float(z), self.score: float(s), "steps": int(n)} for a, z, s, n in columns]
        pairs = zip([first, *rows], self.probabilities, strict=True)
        return [{**row, "probability": probability} for row, probability in pairs]

    @property
    def sentence(self) -> str:
        """The fewest coefficients that keep the answer, in words, or that no alpha keeps it.

        The class that has the highest logit of the untouched input is kept where it still has; of any other target the
        score is kept where it is no lower.
        """
        before, *rows = self.rows()
        label, number = self.request.loaded.short(self.target.label), self.target.number
        first = bool(self.leads) and self.leads[0]
        keeps = self.leads[1:] if first else [row[self.score] >= before[self.score] for row in rows]
        own, kind = _number(before[self.score]), self.request.kind.name
        kept = [row for row, keep in zip(rows, keeps, strict=True) if keep]
        if not kept:
            best = max(rows, key=lambda row: float(row[self.score]))
            what = f"keeps {label} as the top class" if first else f"keeps the score of {label}"
            return (
                f"No alpha {what}: the {number} is at most {_number(best[self.score])} with the coefficients that are "
                f"left, and {own} in the {kind}. Give a smaller --alpha or more --steps."
            )
        fewest = max(kept, key=lambda row: float(row["zeros"]))
        if not fewest["zeros"]:
            return f"No coefficient was dropped without losing {label}. Give a larger --alpha or more --steps."
        what = f"keep {label} as the top class" if first else f"keep the score of {label}"
        scores = f"the {number} is {_number(fewest[self.score])} with them alone, and {own} in the {kind}"
        return f"{100 * (1 - fewest['zeros']):.3g}% of the coefficients {what} (alpha {fewest['alpha']:g}): {scores}."

    def scales(self) -> list[dict[str, Any]]:
        """For each scale, coarsest first, what it spans and how much of it is kept for each alpha."""
        mask = self.front.mask
        pairs = zip(self.input.grid.rows(mask.layout), mask.by_scale().values(), strict=True)
        return [{**scale, "kept": kept[:, 0].tolist()} for scale, kept in pairs]

    def summary(self) -> dict[str, Any]:
        """The result for JSON."""
        request = self.request
        return {
            **target_summary(request.loaded, request.kind, self.input.path, self.target),
            "domain": text_of(request.domain),
            "baseline": request.baseline if isinstance(request.baseline, float) else text_of(request.baseline),
            "front": self.rows(),
            "units": self.input.grid.units,
            "scales": self.scales(),
        }


def minimal_input(request: MinimalRequest, path: Path) -> MinimalResult:
    """Read a file and find its minimal inputs."""
    loaded = request.loaded
    one = read_input(loaded, request.kind, path, request.device)
    target = request.question(loaded, one.x, one.logits, one.grid)
    front = masks.minimal(
        loaded.module,
        one.x,
        target.target,
        domain=request.kind.fit(request.domain, one),
        alpha=request.alphas,
        steps=request.steps,
        baseline=request.baseline,
        batch_size=request.batch_size,
    ).front()
    return MinimalResult(request, one, target, front, *_of_class(loaded, one, target, front))


@torch.no_grad()
def _of_class(
    loaded: LoadedModel, one: Input, target: ExplainedTarget, front: masks.Minimal
) -> tuple[list[float | None], list[bool]]:
    """The probabilities of the explained class, and whether its logit is the highest."""
    if one.logits is None:  # of a detector or a segmenter
        return [None] * (1 + len(front.rebuilt)), []
    logits = torch.cat([one.logits[None], *(loaded.module(rebuilt).float() for rebuilt in front.rebuilt)])
    known = target.classes and loaded.link != "score"
    chances = loaded.probabilities(logits)[:, target.classes[0]].tolist() if known else [None] * len(logits)
    alone = len(target.classes) == 1 and logits.shape[1] > 1
    return chances, (logits.argmax(1) == target.classes[0]).tolist() if alone else []


def _number(score: float) -> str:
    return with_minus(f"{score:.2f}")


def write_minimal(result: MinimalResult, base: Path) -> Iterator[Path]:
    """Write the figure, the summary, and what is left for each alpha: each path once its file is there."""
    from wavelens import plots  # matplotlib: only once there is something to draw

    one, label = result.input, result.request.loaded.short(result.target.label)
    figure, summary = beside(base, ".png"), beside(base, ".json")
    title = f"{plain(one.path.name)[:40]}: {label}".replace("$", r"\$")
    plots.save(plots.minimal(result.front, one.x, title=title, grid=one.grid), figure)
    summary.write_text(json.dumps(result.summary(), indent=2) + "\n", encoding="utf-8")
    yield from (figure, summary)
    yield from _write_signals(result, base)


def signal_endings(request: MinimalRequest) -> list[str]:
    """What the names of the files end in that hold what is left for each alpha."""
    writer = request.kind.writer
    return [f"-minimal-{alpha:g}{writer.suffix}" for alpha in request.alphas] if writer else []


def _write_signals(result: MinimalResult, base: Path) -> Iterator[Path]:
    """What is left for each alpha, as files of its own kind, if it has a writer. Those of an earlier run go."""
    writer = result.request.kind.writer
    if writer is None or not writer.fits(result.input):
        return
    for old in base.parent.glob(f"{glob.escape(base.name)}-*{writer.suffix}"):
        if ALPHA.fullmatch(old.name[len(base.name) + 1 : -len(writer.suffix)]):
            old.unlink()
    assert isinstance(result.front.alpha, tuple)
    for alpha, rebuilt in zip(result.front.alpha, result.front.rebuilt, strict=True):
        path = beside(base, f"-{alpha:g}{writer.suffix}")
        writer.write(result.input, rebuilt, path)
        yield path
