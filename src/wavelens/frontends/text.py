"""Texts: files of words, and what begins where: words, phrases, sentences and paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from wavelens.untrusted import check_file

SUFFIXES = (".txt", ".md")
MAX_BYTES = 4_000_000  # of a file: some six novels, more than is explained at once
PIECE, WORD, PHRASE, SENTENCE, PARAGRAPH = range(5)  # what begins at a token

_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # kana and Chinese characters: no spaces between words
_WORDS = re.compile(rf"[{_ALONE}][^\w\s]*|[^\s{_ALONE}]+")
_CLOSING = "\"'”’»)\\]}*_"
_ENDS_SENTENCE = re.compile(rf"(?:[.!?…]|[。！？])[{_CLOSING}]*$")
_ENDS_PHRASE = re.compile(rf"[,;:，、；：)\]][{_CLOSING}]*$|^[-–—]+$")
_BEGINS_PHRASE = re.compile(r"^[(\[]|^[-–—]+$")
_ABBREVIATION = re.compile(r"^\W*(?:\w|Mr|Mrs|Ms|Dr|Prof|St|vs|etc|No|Fig|cf|e\.g|i\.e|z\.B|d\.h)\.$", re.IGNORECASE)
_BEGINS_ITEM = re.compile(r"(?:[-*+•]|\d+[.)]|>)$")
_HEADING = re.compile(r"#{1,6}$")


@dataclass(frozen=True)
class Text:
    r"""A text as its file has it, without a byte order mark; lines end in `\n`.

    >>> wl.frontends.Text("A film to remember.").content
    'A film to remember.'
    """

    content: str


class WordSpan(NamedTuple):
    """A word of a text: its characters from `start` up to and without `stop`, and what `begins` with it."""

    start: int
    stop: int
    begins: int


def read_text(path: str | PathLike[str]) -> Text:
    """The text in a file of UTF-8, or of UTF-16 with its byte order mark.

    `ValueError` for a file that is no text, has no word or more than 4 MB; `OSError` where there is none.

    >>> from pathlib import Path
    >>> _ = Path("review.txt").write_text("A film to remember.", encoding="utf-8")
    >>> wl.frontends.read_text("review.txt")
    Text(content='A film to remember.')
    """
    file = Path(path)
    check_file(file, "text file")
    if (size := file.stat().st_size) > MAX_BYTES:
        raise ValueError(f"a text file has up to {MAX_BYTES:,} bytes; {file} has {size:,}. Cut it into several.")
    content = _decoded(file, file.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    if not content.strip():
        raise ValueError(f"a text has at least one word; {file} has none.")
    return Text(content)


def _decoded(path: Path, data: bytes) -> str:
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in data and not wide:
        raise ValueError(f"a text file is UTF-8; {path} holds zero bytes, as pictures, sounds and archives do.")
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"a text file is UTF-8; {path} is not, from byte {error.start} (0x{data[error.start]:02x}) on. Save a text "
            "as UTF-8; a picture or a sound is for another model."
        ) from None


def words_of(content: str) -> tuple[WordSpan, ...]:
    """The words of a text, each with what begins there: a word, phrase, sentence or paragraph.

    A word is what stands between spaces, its punctuation included, and each of the Chinese characters and kana. A
    phrase ends at a comma, semicolon, colon, dash or bracket; a sentence at a full stop, question or exclamation mark
    unless a small letter follows or the word is a common abbreviation, and at an item of a list; a paragraph at an
    empty line and a heading of Markdown.

    >>> from wavelens.frontends.text import words_of
    >>> text = "Dull, they said. Not at all."
    >>> [(text[word.start : word.stop], word.begins) for word in words_of(text)][:4]
    [('Dull,', 4), ('they', 2), ('said.', 1), ('Not', 3)]
    """
    spans: list[WordSpan] = []
    before, end = "", 0
    for match in _WORDS.finditer(content):
        gap, word = content[end : match.start()], match.group()
        spans.append(WordSpan(*match.span(), _begins(before, gap, word)))
        before, end = word, match.end()
    return tuple(spans)


def _begins(before: str, gap: str, word: str) -> int:
    """What begins with a word after another word and the space between them."""
    lines = gap.count("\n")
    if not before or lines > 1 or (lines and (_HEADING.match(word))):
        return PARAGRAPH
    if (lines and _BEGINS_ITEM.match(word)) or _ends_sentence(before, word):
        return SENTENCE
    return PHRASE if _ENDS_PHRASE.search(before) or _BEGINS_PHRASE.search(word) else WORD


def _ends_sentence(before: str, word: str) -> bool:
    if not _ENDS_SENTENCE.search(before) or _ABBREVIATION.match(before):
        return False
    letter = next((c for c in word if c.isalnum()), "")
    return not letter.islower()
