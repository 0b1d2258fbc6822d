"""HTML that is escaped by construction: whatever is not `Html` is only a text."""

from __future__ import annotations

import html
import json
import unicodedata
from typing import Any


class Html(str):
    """A piece of HTML, made by `tag` alone; any other text is escaped where it is put into one."""

    __slots__ = ()


VOID = ("br", "img", "meta")


def tag(name: str, *inside: str | None, **attributes: str | bool | None) -> Html:
    """An element. `class_` is the attribute class, `data_at` is data-at; None and False leave one out."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    texts = [
        f" {k}" if v is True else f' {k}="{text(v)}"' for k, v in given.items() if v is not None and v is not False
    ]
    opened = f"<{name}{''.join(texts)}>"
    return Html(opened if name in VOID else f"{opened}{joined(*inside)}</{name}>")


def joined(*pieces: str | None) -> Html:
    """Pieces one after another; None is nothing."""
    return Html("".join(text(piece) for piece in pieces if piece is not None))


def text(piece: str) -> Html:
    """`piece` as HTML that shows it, what cannot be printed replaced; `Html` as it is."""
    return piece if isinstance(piece, Html) else Html(html.escape(printable(piece)))


def printable(piece: str) -> str:
    """Without controls, marks that turn the direction of writing, and halves of characters."""
    return "".join(c if is_printable(c) else "\N{REPLACEMENT CHARACTER}" for c in piece)


def is_printable(c: str) -> bool:
    """Also spaces of all widths, and what joins letters or keeps them apart."""
    return c.isprintable() or c in "\n\u200c\u200d" or unicodedata.category(c) == "Zs"


def data(name: str, value: Any) -> Html:
    """A block of JSON for a script to read; nothing in it can end the block."""
    encoded = json.dumps(value, allow_nan=False, separators=(",", ":"))  # ASCII
    for sign in "<>&":
        encoded = encoded.replace(sign, f"\\u{ord(sign):04x}")
    return Html(f'<script type="application/json" id="{text(name)}">{encoded}</script>')
