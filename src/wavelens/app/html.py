"""What the page says as HTML: the model's answer, how far a request is, and a result with its files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wavelens.app.request_queue import Step
from wavelens.app.served import Result
from wavelens.reports.markup import Html, joined, tag
from wavelens.reports.numerals import unbroken

ALLOWED = "allow-scripts allow-downloads"  # a report can do nothing in the app's name
OUTPUTS = {
    "-overlay.png": "the map over the whole photo",
    "-report.html": "the report: opens anywhere, without a server",
    ".png": "the panel",
    ".safetensors": "the attribution, for wavelens.Attribution.load",
    ".json": "the summary",
}


def answer(name: str, classes: Sequence[dict[str, Any]], picture: str = "") -> Html:
    """What the model is given of an upload, and its first classes, in a line."""
    first = [chance(row) for row in classes[:3]]
    return joined(
        tag("img", src=picture, alt="What the model is given", class_="wl-preview") if picture else None,
        tag("p", "In ", tag("bdi", name), f" the model sees: {', '.join(first)}."),
    )


def chance(row: dict[str, Any], between: str = " ") -> str:
    """A class and its probability, or its score where it has none."""
    value = f"{row['logit']:.3g}" if row["probability"] is None else f"{row['probability']:.1%}"
    return f"{row['label'].split(', ')[0]}{between}{value}"


def waiting(step: Step) -> Html:
    """A line with a progress bar; while waiting, the number of requests ahead."""
    if step.ahead:
        return tag("p", f"In line: {step.ahead} before you.", class_="wl-wait", role="status")
    if step.drawing:
        return tag("p", "Drawing …", class_="wl-wait", role="status")
    if not step.done:
        return tag("p", "Starting …", class_="wl-wait", role="status")
    most = max(step.most, step.done)
    bar = tag("progress", value=str(step.done), max=str(most))
    return tag("p", bar, f" {step.done} of at most {most} passes", class_="wl-wait", role="status")


def result(shown: Result) -> Html:
    """The report, and the files."""
    page = next(iter(shown.files))
    return tag(
        "article",
        tag("p", shown.caution, class_="wl-said", role="alert") if shown.caution else None,
        tag("iframe", src=_url(shown, page), title=f"The explanation of {shown.name}", sandbox=ALLOWED),
        tag("h3", "To keep"),
        tag("ul", *(_file(shown, name, path) for name, path in shown.files.items()), class_="wl-files"),
    )


def _url(shown: Result, name: str) -> str:
    return f"results/{shown.token}/{quote(name)}"


def _file(shown: Result, name: str, path: Path) -> Html:
    what = next((text for suffix, text in {**OUTPUTS, **shown.outputs}.items() if name.endswith(suffix)), "")
    link = tag("a", name, href=_url(shown, name), download=path.name)
    return tag("li", link, f" {_size(path.stat().st_size)}" if path.is_file() else None, tag("small", f" {what}"))


def _size(count: int) -> str:
    return unbroken(f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{math.ceil(count / 1e3)} kB")


def alert(text: str) -> Html:
    """What went wrong, or that it was stopped."""
    return tag("p", text, class_="wl-said", role="alert")
