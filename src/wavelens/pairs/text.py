"""A text as a signal: token embeddings along an axis of tokens, and where its words lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from wavelens.domains.text import NO_WORD
from wavelens.frontends.text import PIECE, WORD, words_of
from wavelens.models.pairs import Pair, Word


class TextSignal(NamedTuple):
    """Texts as signals: `embeddings` `(batch, width, tokens)`, of which `mask` `(batch, tokens)` says which are there.

    `start` is where a path begins: each token of a word is the pair's neutral one, and what belongs to no word, such as
    the tokens that begin and end a text, stays. `words` has those of each of the `texts`.
    """

    embeddings: Tensor
    mask: Tensor
    start: Tensor
    words: tuple[tuple[Word, ...], ...]
    texts: tuple[str, ...]

    def members(self, item: int = 0) -> Tensor:
        """Which tokens each word of a text has, `(words, tokens)` zeros and ones."""
        return _members(self.words[item], self.mask.shape[1]).to(self.embeddings)

    def begins(self, item: int = 0) -> tuple[int, ...]:
        """What begins at each token of a text, as `TextHaar` has it: special tokens and padding are no word's."""
        words = self.words[item]
        first, last = (words[0].start, words[-1].stop) if words else (0, 0)
        row = [PIECE if first <= token < last else NO_WORD for token in range(self.mask.shape[1])]
        for word, part in zip(words, _parts_begun(self.texts[item], words), strict=True):
            row[word.start] = part
        return tuple(row)


def text_signal(pair: Pair, texts: Sequence[str]) -> TextSignal:
    """Texts as the pair's text tower takes them, and the start of their paths."""
    tokens = pair.tokenize(texts)
    embeddings = pair.embed_tokens(tokens.ids).detach()
    length = tokens.mask.shape[1]
    inside = torch.stack([_members(words, length).sum(0) for words in tokens.words]).to(embeddings.device) > 0
    neutral = pair.neutral.detach().to(embeddings)[:, None]
    start = torch.where(inside[:, None], neutral, embeddings)
    return TextSignal(embeddings, tokens.mask, start, tuple(tokens.words), tuple(texts))


def _parts_begun(text: str, words: Sequence[Word]) -> list[int]:
    """What begins with each word of a text: of the spans up to where it stands, the largest that no word before had."""
    plain, spans = text.lower(), list(words_of(text))
    begun, place = [], 0
    for word in words:
        at = plain.find(word.text.lower(), place)
        place = place if at < 0 else at + len(word.text)  # a tokenizer may have cleaned the text
        passed = [span.begins for span in spans if 0 <= span.start <= at]
        spans = spans[len(passed) :]
        begun.append(max(passed, default=WORD))
    return begun


def _members(words: Sequence[Word], tokens: int) -> Tensor:
    places = torch.arange(tokens, device="cpu")
    rows = [(word.start <= places) & (places < word.stop) for word in words]
    return torch.stack(rows).long() if rows else torch.zeros(0, tokens, dtype=torch.long, device="cpu")
