"""Text towers that take token embeddings: words as ranges of tokens, and embeddings in place of ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.models.pairs import Word

_GIVEN: ContextVar[Tensor | None] = ContextVar("embeddings in place of the rows of a GivenEmbedding", default=None)
SPACED = re.compile(r"\S+")


class GivenEmbedding(nn.Embedding):
    """A token embedding that gives other values than its rows inside `given`, whatever the ids.

    A tower of another library can then be run on embeddings although it takes ids alone.
    """

    def forward(self, ids: Tensor) -> Tensor:
        values = _GIVEN.get()
        return super().forward(ids) if values is None else values.clone()  # towers add positions in place


@contextmanager
def given(values: Tensor) -> Iterator[None]:
    """Every `GivenEmbedding` gives `values` `(n, length, width)`, in this thread alone."""
    token = _GIVEN.set(values)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def givable(tower: nn.Module, embedding: nn.Module) -> GivenEmbedding:
    """Put a `GivenEmbedding` with the same rows, under the same name, where `tower` has `embedding`."""
    if type(embedding) is not nn.Embedding:
        raise ValueError(
            f"a text tower looks its tokens up in an nn.Embedding; got {type(embedding).__name__}. Write a Pair of "
            "your own for it."
        )
    rows, width = embedding.weight.shape
    made = GivenEmbedding(rows, width, padding_idx=embedding.padding_idx, _weight=embedding.weight)
    made.weight = embedding.weight
    for module in tower.modules():
        for name, child in module.named_children():
            if child is embedding:
                setattr(module, name, made)
    return made


def skeleton(mask: Tensor, *, pad: int, end: int) -> Tensor:
    """Ids `(n, length)` for a tower whose embeddings are given: what it reads off ids is where a text ends.

    The last token under the mask is `end`, those before it are one id that is neither `end` nor `pad`, the rest `pad`.
    """
    other = next(k for k in range(3) if k not in (pad, end))
    last = torch.arange(mask.shape[1], device=mask.device) == mask.sum(1, keepdim=True) - 1
    ids = torch.full(mask.shape, other, dtype=torch.long, device=mask.device)
    return ids.masked_fill(~mask, pad).masked_fill(last, end)


def special_id(tokenizer: Any, *names: str) -> int:
    """The id of the first of these special tokens that a tokenizer of transformers has."""
    ids = (getattr(tokenizer, f"{name}_token_id", None) for name in names)
    return next(int(k) for k in ids if k is not None)


def words_of(tokenizer: Any, text: str) -> tuple[Word, ...]:
    """The words of a text, which spaces separate, by a tokenizer of transformers, fast or slow."""
    if tokenizer.is_fast:
        return words_at(text, tokenizer(text, return_offsets_mapping=True)["offset_mapping"])
    whole, plain = (tokenizer(text, add_special_tokens=special)["input_ids"] for special in (True, False))
    before = next(k for k in range(len(whole)) if whole[k : k + len(plain)] == plain)
    return words_counted(text, tokenizer.tokenize, before)


def words_at(text: str, spans: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
    """The words of a text, which spaces separate, from the span of characters of each token.

    A token belongs to the word of its first character that is no space; one with an empty span is special.
    """
    words = []
    for match in SPACED.finditer(text):
        own = [k for k, span in enumerate(spans) if match.start() <= _first(text, span) < match.end()]
        if own:
            words.append(Word(match[0], own[0], own[-1] + 1))
    return tuple(words)


def moved(words: Sequence[Word], by: int) -> tuple[Word, ...]:
    """The words `by` tokens later, as behind padding."""
    return tuple(Word(word.text, word.start + by, word.stop + by) for word in words)


def _first(text: str, span: tuple[int, int]) -> int:
    """The first character of a span that is no space, or -1."""
    return next((k for k in range(*span) if not text[k].isspace()), -1)


def words_counted(text: str, tokens: Callable[[str], Sequence[Any]], before: int) -> tuple[Word, ...]:
    """The words of a text by a tokenizer that tells no spans, from how many tokens its first words have.

    `tokens` are those of a text without special ones, of which `before` stand in front.
    """
    chunks = text.split()
    ends = [0, *(len(tokens(" ".join(chunks[: k + 1]))) for k in range(len(chunks)))]
    pairs = zip(chunks, pairwise(ends), strict=True)
    return tuple(Word(chunk, before + start, before + stop) for chunk, (start, stop) in pairs if stop > start)
