"""The page: sections of entries, what its script needs of them, and the one file that holds it all."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from wavelens import accounts
from wavelens.reports import scales
from wavelens.reports import text as texts
from wavelens.reports.entry import Entry
from wavelens.reports.marginal import marginal_card
from wavelens.reports.markup import Html, data, joined, printable, tag, text
from wavelens.reports.methods import methods_card
from wavelens.reports.packing import colours
from wavelens.reports.sides import packed_sides, sides_card
from wavelens.reports.views.view import View, asset
from wavelens.untrusted import check_file, json_object
from wavelens.version import __version__

GENERATOR = f"wavelens {__version__}"
"""The program and its version, as reports name them."""
# What views build upon, in the order in which they run.
SHARED_SCRIPTS = ("base", "overlay", "mosaic", "rose", "panes", "sums", "sides")
ROOM = 1_000_000  # numbers of an entry: some 3 MB
WHOLE = 6_000_000  # numbers of a page: with more entries each has fewer


class Section(NamedTuple):
    """An entry as the page has it; `script` shows its payloads, one for each domain.

    `title` is that of a page which has no other entry.
    """

    name: str
    answer: str
    html: Html
    payloads: tuple[dict[str, Any], ...]
    thumb: str
    script: str = ""
    title: str = ""

    @property
    def payload(self) -> dict[str, Any]:
        """That of the first domain."""
        return self.payloads[0]


def report(explained: Entry | Iterable[Entry], path: str | PathLike[str], *, title: str = "") -> Path:
    """Writes one HTML file that shows what was explained, and returns its path.

    The file is complete: it opens from a disk, loads nothing and sends nothing. Several entries get an index with
    thumbnails; the more there are, the fewer points their maps have, so that the file stays readable.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.report(wl.reports.Entry(a, x, name="picture"), "report.html").name
    'report.html'
    """
    entries = [explained] if isinstance(explained, Entry) else list(explained)
    for one in entries:
        if not isinstance(one, Entry):
            raise TypeError(
                f"a report shows entries, reports.Entry(attribution, x, …); got {type(one).__name__}. "
                "reports.entries(attribution, x) makes them of a batch."
            )
    return write_page([section(one, len(entries)) for one in entries], path, title=title)


def write_page(sections: Sequence[Section], path: str | PathLike[str], *, title: str = "") -> Path:
    """Writes the page of these sections, and returns its path."""
    content, file = page(sections, title=title), Path(path)
    file.write_text(content, encoding="utf-8")
    return file


def section(entry: Entry, count: int = 1) -> Section:
    """What a page says of an entry, one of `count`; after that the entry is no longer needed."""
    several = entry.each()
    kinds = [one.view for one in several]
    room = min(ROOM, WHOLE // max(count, 1)) // len(several)
    views = [kind.show(one, room) if kind else View({}, "") for one, kind in zip(several, kinds, strict=True)]
    payloads: list[dict[str, Any]] = [
        {"view": kind.name, "wide": kind.wide, "evidence": accounts.has_signs(one.attribution), **view.payload}
        if kind
        else {"view": ""}
        for one, kind, view in zip(several, kinds, views, strict=True)
    ]
    if entry.sides is not None:
        payloads[0]["sides"] = packed_sides(entry, room // 8)
    heading = entry.name or texts.shown_label(entry)
    numbers = [joined(*(_answers(entry) if one is several[0] else []), scales.profile(one)) for one in several]
    changes = [scales.interventions(one) for one in several]
    titles = [_title(entry, one) if len(several) > 1 else None for one in several]
    body = joined(
        tag("header", tag("h2", tag("bdi", heading)), texts.sentence(entry), texts.note(entry), class_="lead"),
        sides_card(entry.sides) if entry.sides is not None else None,
        *(_block(*parts) for parts in zip(titles, views, numbers, changes, strict=True)),
        marginal_card(entry) if entry.further else None,
        methods_card(entry) if entry.further_methods else None,
        texts.record(entry),
    )
    script = "\n".join(dict.fromkeys(kind.script for kind in kinds if kind))
    thumb = next((view.thumb for view in views if view.thumb), "")
    return Section(heading, texts.shown_label(entry), body, tuple(payloads), thumb, script, texts.title(entry))


def _title(entry: Entry, block: Entry) -> Html | None:
    """Of a block the domain, or which part of the input it shows; of the account of all parts nothing."""
    is_part = block in entry.parts
    return texts.domain_heading(block, is_part) if is_part or entry.further or not entry.parts else None


def _answers(entry: Entry) -> list[Html | None]:
    """What the model says of the input: classes, or objects."""
    return [texts.answer(entry), texts.objects(entry)]


def _block(title: Html | None, view: View, numbers: Html, changes: Html | None) -> Html:
    """What is shown of one domain."""
    first = tag("img", src=view.thumb, alt="", class_="still") if view.thumb else None
    return tag(
        "div",
        title,
        tag("div", tag("noscript", first), class_="views"),
        tag("div", numbers, class_="numbers"),
        changes,
        tag("div", class_="more"),
        class_="block",
    )


def write_section(one: Section, key: str) -> str:
    """A section as a text of its own, from which `read_section` makes it again; `key` says what it was made of."""
    return json.dumps({"key": key, **one._asdict()}, allow_nan=False)


def read_section(path: Path, key: str) -> Section | None:
    """The section at a path; None where there is none, or one that was made of something else."""
    try:
        check_file(path, "section")
        held = json_object(path.read_text(encoding="utf-8"))
        if held.pop("key") != key:
            return None
        return Section(**held | {"html": Html(held["html"]), "payloads": tuple(held["payloads"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def page(sections: Sequence[Section], *, title: str = "") -> str:
    """The whole file as a text."""
    if not sections:
        raise ValueError("a report must show at least one entry; got none.")
    several = len(sections) > 1
    heading = title or (f"{len(sections)} explanations" if several else "explanation")
    articles = [
        tag("article", one.html, id=f"entry-{k}", data_number=str(k), hidden=k > 0, aria_label=one.name)
        for k, one in enumerate(sections)
    ]
    payloads = [
        data("-".join(["data", str(k), *([str(j)] if j else [])]), payload)
        for k, one in enumerate(sections)
        for j, payload in enumerate(one.payloads)
    ]
    script = _script(sections)
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()
    return Template(asset("page.html")).substitute(
        policy=text(
            "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        ),
        generator=text(GENERATOR),
        title=text(printable(heading if title or several else sections[0].title or sections[0].name)),
        style=asset("report.css"),
        heading=tag("h1", heading),
        index=_index(sections) if several else "",
        articles=joined(*articles),
        data=joined(data("colours", colours()), *payloads),
        script=script,
        version=text(__version__),
    )


def _script(sections: Sequence[Section]) -> str:
    """What all views share, the script of each view of these sections in a block of its own, and what runs them."""
    views = [f"{{\n{one}\n}}" for one in dict.fromkeys(one.script for one in sections) if one]
    return "\n".join([*(asset(f"{name}.js") for name in SHARED_SCRIPTS), *views, asset("page.js")])


def _index(sections: Sequence[Section]) -> Html:
    """A card for each entry: its picture, its name and what was explained."""
    cards = [
        tag(
            "li",
            tag(
                "a",
                tag("img", src=one.thumb, alt="") if one.thumb else tag("span", class_="blank"),
                tag("span", tag("bdi", one.name), tag("small", one.answer)),
                href=f"#entry-{k}",
                data_number=str(k),
            ),
        )
        for k, one in enumerate(sections)
    ]
    return tag("nav", tag("ol", *cards), class_="index", aria_label="Explained inputs")
