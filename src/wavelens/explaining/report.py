"""An explanation as an entry of a report, the command that makes it again, and where the report is written."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavelens.core import Domain
from wavelens.domains import Joint
from wavelens.explaining.further_methods import is_explainer
from wavelens.explaining.question import class_text
from wavelens.explaining.records import shown_path, words_of
from wavelens.explaining.summary import box_text, start_of, top_classes
from wavelens.models import LoadedModel
from wavelens.own import text_of
from wavelens.reports import GENERATOR, PHOTO_VIEW, Chance, Detected, Entry
from wavelens.reports.markup import is_printable
from wavelens.untrusted import check_file

if TYPE_CHECKING:  # an explanation makes its entry here
    from wavelens.explaining.answer import Explanation

REPORT_NAME = "report"


def entry_of(explanation: Explanation) -> Entry:
    """What a report shows of an explanation."""
    request, one = explanation.request, explanation.input
    loaded, kind, method = request.loaded, request.kind, request.method
    return Entry(
        explanation.attribution,
        one.x,
        name=kind.called(one.path),
        label=explanation.target.label,
        whole_labels=bool(loaded.options.prompts),
        classes=_chances(explanation),
        kind=kind.view,
        grid=one.grid,
        channels=kind.channels(one),
        marks=one.marks,
        objects=[
            Detected(row["name"], row["probability"], box_text(row["box"]), row["explained"])
            for row in explanation.detections
        ],
        outlines=one.outlines,
        region=one.region,
        positions=one.positions,
        start=start_of(method, kind) if explanation.sides is None else f"{start_of(method, kind)} without words",
        note=explanation.caution,
        shapley=explanation.shapley,
        no_shapley=explanation.no_shapley,
        further_shapley=explanation.interventions[1:],
        command=command_of(explanation),
        further=explanation.attributions[1:],
        further_methods=explanation.further_methods,
        words=explanation.words,
        sides=explanation.sides,
        parts=[
            Entry(part.attribution, part.x, name=part.name, kind=PHOTO_VIEW, grid=part.grid, channels=part.channels)
            for part in explanation.signals
        ],
        facts={
            "file": shown_path(one.path),
            "model": shown_path(loaded.name),
            **{name.replace("_", " "): shown_path(str(value)) for name, value in loaded.options.given.items()},
            "preparation": repr(loaded.preprocess),
            **({"note": explanation.note} if explanation.note else {}),
        },
    )


def _chances(explanation: Explanation) -> list[Chance]:
    """The top classes, then those of the target that are not among them."""
    loaded, logits = explanation.request.loaded, explanation.input.logits
    chances = [Chance(**row) for row in top_classes(loaded, logits, max(explanation.request.top, 1))]
    missing = set(explanation.target.classes) - {one.index for one in chances}
    every = top_classes(loaded, logits, len(loaded.labels)) if missing else []
    return chances + [Chance(**row) for row in every if row["index"] in missing]


def command_of(explanation: Explanation) -> str:
    """What makes the explanation again, with every choice written out: a command, or a call for what Python alone has.

    That is a model without a name, or a target without a class.
    """
    request, target = explanation.request, explanation.target
    if not (request.by_name and target.options):
        return _call(explanation)
    words = ["wavelens", "explain", shown_path(explanation.input.path), "--model", shown_path(request.loaded.name)]
    words += words_of(request.loaded.options)
    if (spacing := _spacing(request.loaded.preprocess)) is not None:
        words += ["--spacing", ",".join(f"{step:.12g}" for step in spacing[0]), "--unit", spacing[1]]
    if (rate := _rate(request.loaded.preprocess)) is not None:
        words += ["--rate", f"{rate:.12g}"]
    words += [
        *target.options,
        *(word for domain in _chosen_domains(explanation) for word in ("--domain", text_of(domain))),
        *(word for method in (request.method, *request.further_methods) for word in ("--method", text_of(method))),
        *["--exact-passes"] * request.exact_passes,
        *_interventions_option(request.interventions),
        *["--words"] * request.words,
        "--report",
    ]
    return " ".join(map(_quoted, words))


def _chosen_domains(explanation: Explanation) -> list[Domain]:
    """The domains to be named; an explainer brings its own, and signals with the usual domain of each name none."""
    if is_explainer(explanation.request.method):
        return []
    if explanation.signals:
        return [one.domains[0] for one in explanation.domains if isinstance(one, Joint) and len({*one.domains}) == 1]
    return explanation.domains


def _interventions_option(chosen: bool | None) -> list[str]:
    return [] if chosen is None else ["--interventions" if chosen else "--no-interventions"]


def _call(explanation: Explanation) -> str:
    """`wl.explain` with every choice written out; `model` and a target of Python's are the caller's own."""
    request, target = explanation.request, explanation.target
    named = [_class_in_python(request.loaded, index) for index in target.classes]
    named = named or [repr(target.options[1]) if target.options else target.label]
    choices = dict(zip(("target", "against"), named, strict=False))
    choices |= {name: _choice(value) for name, value in request.loaded.options.given.items() if name != "prompts"}
    if (spacing := _spacing(request.loaded.preprocess)) is not None:
        choices |= {"spacing": repr(spacing[0]), "unit": repr(spacing[1])}
    if (rate := _rate(request.loaded.preprocess)) is not None:
        choices |= {"rate": f"{rate!r}"}
    values = {"domain": _chosen_domains(explanation), "method": [request.method, *request.further_methods]}
    for name, several in values.items():
        texts = [_name(value) for value in several]
        choices |= {name: texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"} if texts else {}
    choices |= {"exact_passes": "True"} if request.exact_passes else {}
    choices |= {} if request.interventions is None else {"interventions": str(request.interventions)}
    choices |= {"words": "True"} if request.words else {}
    model = repr(shown_path(request.loaded.name)) if request.by_name else "model"
    words = [repr(shown_path(explanation.input.path)), model, *(f"{name}={value}" for name, value in choices.items())]
    return f"wl.explain({', '.join(words)})"


def _choice(value: Any) -> str:
    return repr(shown_path(value) if isinstance(value, str) else value)


def _class_in_python(loaded: LoadedModel, index: int) -> str:
    text = class_text(loaded, index)
    return text if text.isdecimal() else repr(text)


def _name(value: Any) -> str:
    """A value as Python's, of the library or of the caller's own."""
    if ":" in text_of(value).partition("(")[0]:
        return repr(value)
    return f"wl.baselines.{value!r}" if is_explainer(value) else f"wl.{value!r}"


def _spacing(preparation: Any) -> tuple[tuple[float, ...], str] | None:
    """How far pixels or voxels lie apart, and in which unit, where that was given."""
    place = getattr(preparation, "picture", preparation)  # of a video's frames
    spacing = getattr(place, "spacing", None)
    return None if spacing is None else (spacing, getattr(place, "unit", "mm"))


def _rate(preparation: Any) -> float | None:
    """The rate of a series that does not say it, where that was given."""
    rate: float | None = getattr(preparation, "given_rate", None)
    return rate


def _quoted(word: str) -> str:
    """For a shell: double quotes around texts in single ones, and invisible characters as bytes."""
    if not all(map(is_printable, word)):
        return f"$'{''.join(map(_escaped, word))}'"
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def _escaped(c: str) -> str:
    """A character inside $'…'."""
    if is_printable(c):
        return f"\\{c}" if c in "'\\" else c
    return "".join(f"\\x{byte:02x}" for byte in c.encode("utf-8", "surrogateescape"))


def report_path(out: Path) -> Path:
    """Where the report goes: report.html, or report-2.html … where that file is not a report."""
    names = [f"{REPORT_NAME}.html", *(f"{REPORT_NAME}-{n}.html" for n in range(2, 10_000))]
    return next(path for name in names if not (path := out / name).exists() or _is_ours(path))


def _is_ours(path: Path) -> bool:
    try:
        check_file(path, "report")
        return f'<meta name="generator" content="{GENERATOR.split()[0]} ' in path.read_text("utf-8", "replace")[:400]
    except (OSError, ValueError):
        return False
