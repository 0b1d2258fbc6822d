"""One file explained: its `Explanation`, and the files that hold it."""

from __future__ import annotations

import json
import math
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavelens.attribution import Attribution, attribute
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.engine.progress import Progress
from wavelens.explaining.files import DECOMPOSED, WRITTEN, beside, stems
from wavelens.explaining.kinds import Input
from wavelens.explaining.question import ExplainedTarget
from wavelens.explaining.reading import read_input
from wavelens.explaining.records import words_of
from wavelens.explaining.report import entry_of
from wavelens.explaining.request import Request
from wavelens.explaining.summary import caution, profile_rows, target_summary, top_classes
from wavelens.models import LoadedModel
from wavelens.own import text_of
from wavelens.reports import Entry
from wavelens.untrusted import plain

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Explanation:
    """One file explained: all that `wavelens explain` prints and writes of it.

    `input` is the file as the model was given it, `target` what is explained of it, `attribution` why. `others` are
    the attributions in the domains of `decompose`, from the same gradients; `note` says how the file was read, where a
    format is read in several ways. `request` holds the model, its kind of signal and the method.

    >>> import torch, wavelens as wl
    >>> wl.frontends.write_audio("tone.wav", torch.sin(torch.arange(4000) / 5)[None, None], rate=8000)
    >>> model = torch.nn.Sequential(torch.nn.AvgPool1d(4000), torch.nn.Flatten(), torch.nn.Linear(1, 2)).eval()
    >>> explanation = wl.explain("tone.wav", model, target=1)
    >>> explanation.target.heading, explanation.input.grid.units, explanation.attribution.domain.levels
    ('1 class 1', ('Hz',), 7)
    >>> wl.report(explanation.entry(), "tone.html").name
    'tone.html'
    """

    request: Request
    input: Input
    target: ExplainedTarget
    attribution: Attribution
    others: tuple[Attribution, ...] = ()
    note: str = ""

    def __repr__(self) -> str:
        model, name = self.request.loaded.name, self.input.path.name
        return f"<Explanation of {name}: {self.target.heading}, by {model} in {self.attribution.domain}>"

    @property
    def answer(self) -> list[dict[str, Any]]:
        """The model's top classes, most probable first: index, label, probability, logit; none of no classifier."""
        return top_classes(self.request.loaded, self.input.logits, self.request.top)

    @property
    def profile(self) -> list[dict[str, Any]]:
        """A row for each scale, coarsest first: what it spans in the input's units, its signed sum and its share."""
        return profile_rows(self.attribution, self.input.grid)

    @property
    def caution(self) -> str:
        """A line for signed sums that miss the score difference by more than the method's tolerance; else empty."""
        return caution(self.attribution, self.request.method)

    @property
    def title(self) -> str:
        """What figures are headed by: the file's name and the explained class."""
        name = plain(self.input.path.name)
        title = f"{name[:40]}{'…' * (len(name) > 40)}: {self.target.label.split(', ')[0]}"
        return title.replace("$", r"\$")

    @property
    def summary(self) -> dict[str, Any]:
        """What NAME.json holds."""
        request, one, a = self.request, self.input, self.attribution
        scalars = {"score": a.score, "baseline_score": a.baseline_score, "gap": a.gap, "spent": a.spent}
        return {
            **target_summary(request.loaded, request.kind, one.path, self.target),
            **({"note": self.note} if self.note else {}),
            "top": self.answer,
            "domain": text_of(a.domain),
            "method": a.method,
            **{name: None if value is None else value.reshape(-1)[0].item() for name, value in scalars.items()},
            "units": one.grid.units,
            "profile": self.profile,
            "provenance": a.provenance,
        }

    def panel(self) -> Figure:
        """The figure of this kind of signal, as NAME.png holds it."""
        return self.request.kind.panel(self.attribution, self.input, self.title)

    def entry(self) -> Entry:
        """The explanation for a report: `wl.report([one.entry() for one in explanations], "report.html")`."""
        return entry_of(self)

    def save(self, folder: str | PathLike[str]) -> list[Path]:
        """Write to a folder what `wavelens explain` writes, and return the paths.

        These are NAME.png (the panel), NAME.safetensors (the attribution), NAME.json (the summary) and what else
        belongs to the kind. The folder is made; a NAME that another input or a stranger's file has becomes NAME-2.
        """
        out, also = Path(folder), DECOMPOSED if self.others else ()
        out.mkdir(parents=True, exist_ok=True)
        (stem,) = stems([self.input.path], out, self.request.kind, also=also)
        return list(self.write(out / stem))

    def write(self, base: Path) -> Iterator[Path]:
        """Write the files, called `base` and their endings: each path once it is there."""
        from wavelens import plots  # matplotlib: only once there is something to draw

        panel, attribution, summary = (beside(base, suffix) for suffix in WRITTEN)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # characters that the font lacks are drawn as boxes
            plots.save(self.panel(), panel)
        self.attribution.save(attribution)
        summary.write_text(json.dumps(self.summary, indent=2) + "\n", encoding="utf-8")
        yield from (panel, attribution, summary)
        yield from self.request.kind.extras(self.attribution, self.input, self.target.label, base)
        yield from self._write_decomposed(base)

    def _write_decomposed(self, base: Path) -> list[Path]:
        """The input scale by scale in the domains of `decompose`, and where each scale of the first matters."""
        if not self.others:
            return []
        from wavelens import plots  # matplotlib: only once there is something to draw

        paths = [beside(base, ending) for ending in DECOMPOSED]
        named: dict[str, Any] = {"title": self.title, "grid": self.input.grid}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plots.save(plots.decomposed(self.others, self.input.x, **named), paths[0])
            plots.save(plots.by_scale(self.others[0], self.input.x, **named), paths[1])
        return paths


def explained(request: Request, path: Path, progress: Progress = False) -> Explanation:
    """Read and explain an input."""
    loaded, kind = request.loaded, request.kind
    one = read_input(loaded, kind, path, request.device)
    target = request.question(loaded, one.x, one.logits)
    usual = request.domain if request.chosen else _within(request.domain, one.x.shape[2:])
    first, *others = attribute(
        loaded.module,
        one.x,
        target.target,
        domain=[usual, *request.decompose],
        method=request.method,
        batch_size=request.batch_size,
        exact_passes=request.exact_passes,
        progress=progress,
    )
    named = replace(first, provenance=first.provenance | _model_provenance(loaded))
    return Explanation(request, one, target, named, tuple(others), kind.note(path))


def _model_provenance(loaded: LoadedModel) -> dict[str, str]:
    options = shlex.join(words_of(loaded.options))
    return {"model": loaded.name} | ({"model options": options} if options else {})


def _within(domain: Domain, axes: Sequence[int]) -> Domain:
    """A default domain with no more levels than the axes of an input allow."""
    if not isinstance(domain, DWT) or not isinstance(domain.levels, int):
        return domain
    return replace(domain, levels=min(domain.levels, int(math.log2(min(axes)))))
