"""One file explained: its `Explanation`, and the files that hold it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from wavelens import maps
from wavelens.accounts import AccountSentences, grouped_alike, sentences
from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.explaining.by_domain import bases, domain_record, endings, marginal_of, marginal_rows
from wavelens.explaining.files import ATTRIBUTION, DECOMPOSED, MARGINAL, OVERLAY, SUMMARY, beside, stems
from wavelens.explaining.further_methods import BY_METHOD, method_bases, methods_summary
from wavelens.explaining.interventions import Interventions
from wavelens.explaining.kinds import Input, SignalPart
from wavelens.explaining.question import ExplainedTarget
from wavelens.explaining.report import entry_of
from wavelens.explaining.request import Request
from wavelens.explaining.summary import (
    caution,
    channel_rows,
    detection_rows,
    interventions_summary,
    octave_rows,
    profile_rows,
    signal_rows,
    target_summary,
    top_classes,
)
from wavelens.methods.shapley import ShapleyValues
from wavelens.own import text_of
from wavelens.pairs import BothSides
from wavelens.pairs.telling import record
from wavelens.reports import Entry
from wavelens.untrusted import plain
from wavelens.words import WordAccount

MAX_DRAWN_AXES = 3

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Explanation:
    """One file explained: all that `wavelens explain` prints and writes of it.

    `input` is the file as the model was given it, `target` what is explained of it, `attributions` why, in each of the
    domains, from the same gradients; `attribution` is the first. `decomposed` are those in the domains of `decompose`;
    `note` says how the file was read, where a format is read in several ways. `request` holds the model, its kind of
    signal and the method.

    `interventions` are the Shapley values of the scales of each attribution, what a scale adds when scales come and go,
    those of octaves where scales are too many, or the reason why there are none; `shapley` and `no_shapley` are those
    of the first. `further_methods` are what further methods and explainers find, each in the first domain or in a
    domain of its own, such as the samples.
    `words` is the account of a text word by word.
    `sides` has both sides of a pair, where words are accounted for too; the attributions then are the signal's.

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
    attributions: tuple[Attribution, ...]
    decomposed: tuple[Attribution, ...] = ()
    note: str = ""
    interventions: tuple[Interventions, ...] = ()
    further_methods: tuple[Attribution, ...] = ()
    words: WordAccount | None = None
    sides: BothSides | None = None

    def __repr__(self) -> str:
        model, name = self.request.loaded.name, self.request.kind.called(self.input.path)
        domains = " and ".join(str(a.domain) for a in self.attributions)
        return f"<Explanation of {name}: {self.target.heading}, by {model} in {domains}>"

    @property
    def attribution(self) -> Attribution:
        """The attribution in the first domain."""
        return self.attributions[0]

    @property
    def shapley(self) -> ShapleyValues | None:
        """The Shapley values of the scales in the first domain."""
        return self.shapley_in(0)

    def shapley_in(self, domain: int) -> ShapleyValues | None:
        """The Shapley values of the scales in one of the domains."""
        return self._all_interventions[domain].shapley

    @property
    def no_shapley(self) -> str:
        """Why there are no Shapley values that were asked for; else empty."""
        return self._all_interventions[0].reason

    @property
    def _all_interventions(self) -> tuple[Interventions, ...]:
        """One for each attribution."""
        return self.interventions or (Interventions(),) * len(self.attributions)

    @property
    def answer(self) -> list[dict[str, Any]]:
        """The model's top classes, most probable first: index, label, probability, logit; none of no classifier."""
        return top_classes(self.request.loaded, self.input.logits, self.request.top)

    @property
    def detections(self) -> list[dict[str, Any]]:
        """What a detector finds, most probable first: name, class, probability, and box in the photo's own pixels.

        `explained` says which is explained; of other models there are none.
        """
        return detection_rows(self.input, self.target.objects)

    @property
    def profile(self) -> list[dict[str, Any]]:
        """A row for each scale, coarsest first: what it spans in the input's units, its signed sum and its share.

        With Shapley values it has the scale's own too, what the scale adds `alone` and what the input loses without it
        as the `last`, and of a sampled value the standard error.
        """
        return profile_rows(self.attribution, self.input.grid, self.shapley)

    @property
    def by_octave(self) -> list[dict[str, Any]]:
        """A row for each octave as `profile` has them, where scales are too many for Shapley values; else none."""
        return octave_rows(self.attribution, self.input.grid, self.shapley)

    def sentences(self, domain: int = 0) -> AccountSentences:
        """What the profile in a domain says: the largest contributions, and where the two accounts disagree."""
        values = self._all_interventions[domain]
        a = grouped_alike(self.attributions[domain], values.shapley)
        told = sentences(a, values.shapley, self.input.grid.titles(a.layout))
        return told._replace(sampled=told.sampled or values.reason)

    @cached_property
    def marginal(self) -> maps.Marginal | None:
        """What several domains say together: means and spreads; None for one, and where they share no scales."""
        return self._marginal[0]

    @cached_property
    def _marginal(self) -> tuple[maps.Marginal | None, str]:
        return marginal_of(self.attributions)

    @property
    def no_marginal(self) -> str:
        """Why several domains have no marginal account; else empty."""
        return self._marginal[1]

    @property
    def by_channel(self) -> list[dict[str, Any]]:
        """The profile by channel, where the kind tells channels apart and there are several: all rows add up to it."""
        if self.signals:
            return [row for one in self.signals for row in signal_rows(one)]
        return channel_rows(self.attribution, self.request.kind.channels(self.input))

    @cached_property
    def signals(self) -> Sequence[SignalPart]:
        """The signals of an input of several, each with its side of the account; none of one signal."""
        return self.request.kind.signals(self.attribution, self.input)

    @property
    def caution(self) -> str:
        """A line for signed sums that miss the score difference by more than the method's tolerance; else empty."""
        return caution(self.attribution, self.request.method)

    @property
    def label(self) -> str:
        """What is explained in short: a class by the first of its names, a prompt whole."""
        label = self.target.label
        return self.request.loaded.short(label) if len(self.target.classes) < 2 else label

    @property
    def title(self) -> str:
        """What figures are headed by: the file's name and the explained class."""
        name = plain(self.request.kind.called(self.input.path))
        title = f"{name[:40]}{'…' * (len(name) > 40)}: {self.label}"
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
            **({"detections": self.detections} if self.target.objects else {}),
            "domain": text_of(a.domain),
            "method": a.method,
            **{name: None if value is None else value.reshape(-1)[0].item() for name, value in scalars.items()},
            "units": one.grid.units,
            "profile": self.profile,
            **({"by_octave": self.by_octave} if self.by_octave else {}),
            **interventions_summary(self.shapley, self.no_shapley),
            **({} if self.sides is None else {"sides": record(self.sides)}),
            "sentences": [text for text in self.sentences() if text],
            **self._further_summary(),
            **methods_summary(self.further_methods, one.grid),
            **self._word_summary(),
            **({"by_channel": self.by_channel} if self.by_channel else {}),
            "provenance": a.provenance,
        }

    def _word_summary(self) -> dict[str, Any]:
        """What each word of a text adds."""
        if self.words is None:
            return {}
        return {"words": self.words.rows, **({"no_word_values": self.words.reason} if self.words.reason else {})}

    def _further_summary(self) -> dict[str, Any]:
        """What the further domains say, and all of them together."""
        if len(self.attributions) < 2:
            return {}
        rows = zip(self.attributions, bases(self.domains), self._all_interventions, strict=True)
        records = [domain_record(a, self.input.grid, base, values) for a, base, values in rows]
        account = self.marginal
        together = {"missing": self.no_marginal} if account is None else marginal_rows(account, self.input.grid)
        return {"further_domains": records[1:], "marginal": together}

    @property
    def domains(self) -> list[Domain]:
        """The domains of the attributions."""
        return [a.domain for a in self.attributions]

    def panel(self, domain: int = 0) -> Figure:
        """The figure of this kind of signal in one of the domains, with both accounts: the first is NAME.png."""
        from wavelens import plots  # matplotlib: only once there is something to draw

        a, values = self.attributions[domain], self._all_interventions[domain]
        figure = (
            self.request.kind.panel(a, self.input, self.title)
            if self.words is None
            else plots.words(a, self.words, title=self.title)
        )
        if not self.signals:  # each of which has maps of its own in the panel
            if domain == 0:
                plots.add_methods(figure, (a, *self.further_methods), self._picture, grid=self.input.grid)
            plots.add_evidence(figure, a, self._picture, grid=self.input.grid)
        figure = plots.add_accounts(figure, a, values.shapley, grid=self.input.grid, reason=values.reason)
        if self.sides is None or domain:
            return figure
        return plots.add_sides(figure, self.sides, self._picture, grid=self.input.grid)

    @cached_property
    def _picture(self) -> Tensor:
        """What stands for the input behind maps."""
        return self.request.kind.picture(self.input)

    def entry(self) -> Entry:
        """The explanation for a report: `wl.report([one.entry() for one in explanations], "report.html")`."""
        return entry_of(self)

    def save(self, folder: str | PathLike[str]) -> list[Path]:
        """Write to a folder what `wavelens explain` writes, and return the paths.

        These are NAME.png (the panel), NAME.safetensors (the attribution), NAME.json (the summary) and what else
        belongs to the kind; of further domains NAME-DWT.png …, and NAME-marginal.png of all together. The folder is
        made; a NAME that another input or a stranger's file has becomes NAME-2.
        """
        methods = [a.method for a in self.further_methods]
        out, also = Path(folder), endings(self.domains, bool(self.decomposed), methods, self.request.figures)
        if out.exists() and not out.is_dir():
            raise NotADirectoryError(f"an explanation is saved in a folder; {out} is a file. Name another.")
        out.mkdir(parents=True, exist_ok=True)
        (stem,) = stems([self.input.path], out, self.request.kind, also=also)
        return list(self.write(out / stem))

    def write(self, base: Path) -> Iterator[Path]:
        """Write the files, called `base` and their endings: each path once it is there."""
        for k, own in enumerate(bases(self.domains)):
            yield from self._write_domain(k, beside(base, own))
            if k == 0:
                summary = beside(base, SUMMARY)
                summary.write_text(json.dumps(self.summary, indent=2) + "\n", encoding="utf-8")
                yield summary
            a = self.attributions[k]
            yield from self.request.kind.extras(a, self.input, self.target.label, beside(base, own))
        for a, own in zip(self.further_methods, method_bases([a.method for a in self.further_methods]), strict=True):
            a.save(path := beside(base, f"{own}{BY_METHOD}"))
            yield path
        yield from self._write_pictures(base)

    def _write_domain(self, k: int, base: Path) -> Iterator[Path]:
        """The panel and the attribution of one domain; of a pair that of both sides, for `Attributions.load`."""
        figures = self.request.figures
        yield from figures.write(self.panel(k), base)
        kept = self.attributions[k] if self.sides is None else self.sides.account.attributions[k]
        kept.save(attribution := beside(base, ATTRIBUTION))
        yield attribution
        if (overlay := self.request.kind.overlay(self.attributions[k], self.input, self.title)) is not None:
            yield from figures.write(overlay, beside(base, OVERLAY))

    def _write_pictures(self, base: Path) -> Iterator[Path]:
        """All domains together; the input scale by scale in those of `decompose`, and where scales matter."""
        from wavelens import plots  # matplotlib: only once there is something to draw

        x, figures = self._picture, self.request.figures
        named: dict[str, Any] = {"title": self.title, "grid": self.input.grid}
        if self.marginal is not None and x.ndim - 2 <= MAX_DRAWN_AXES and not self.signals:
            yield from figures.write(plots.marginal(self.attributions, x, **named), beside(base, MARGINAL))
        if self.decomposed:
            rebuilt, where = (beside(base, ending) for ending in DECOMPOSED)
            yield from figures.write(plots.decomposed(self.decomposed, x, **named), rebuilt)
            yield from figures.write(plots.by_scale(self.decomposed[0], x, **named), where)
