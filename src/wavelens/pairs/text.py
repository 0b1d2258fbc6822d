"""A text as a signal: token embeddings along an axis of tokens, and where its words lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from wavelens.models.pairs import Pair, Word


class TextSignal(NamedTuple):
    """Texts as signals: `embeddings` `(batch, width, tokens)`, of which `mask` `(batch, tokens)` says which are there.

    `start` is where a path begins: each token of a word is the pair's neutral one, and what belongs to no word, such as
    the tokens that begin and end a text, stays. `words` has those of each text.
    """

    embeddings: Tensor
    mask: Tensor
    start: Tensor
    words: tuple[tuple[Word, ...], ...]

    def members(self, item: int = 0) -> Tensor:
        """Which tokens each word of a text has, `(words, tokens)` zeros and ones."""
        return _members(self.words[item], self.mask.shape[1]).to(self.embeddings)


def text_signal(pair: Pair, texts: Sequence[str]) -> TextSignal:
    """Texts as the pair's text tower takes them, and the start of their paths."""
    tokens = pair.tokenize(texts)
    embeddings = pair.embed_tokens(tokens.ids).detach()
    length = tokens.mask.shape[1]
    inside = torch.stack([_members(words, length).sum(0) for words in tokens.words]).to(embeddings.device) > 0
    neutral = pair.neutral.detach().to(embeddings)[:, None]
    return TextSignal(embeddings, tokens.mask, torch.where(inside[:, None], neutral, embeddings), tuple(tokens.words))


def _members(words: Sequence[Word], tokens: int) -> Tensor:
    places = torch.arange(tokens, device="cpu")
    rows = [(word.start <= places) & (places < word.stop) for word in words]
    return torch.stack(rows).long() if rows else torch.zeros(0, tokens, dtype=torch.long, device="cpu")
