"""Pairs: models that score a signal and a text together, as their explanations see them.

The text is a signal too: its samples are tokens and its channels the dimensions of the token embedding, before
positions are added. A pair therefore takes embeddings, not token ids, where a gradient or a coalition of words needs
to enter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wavelens.models.loaded import Preparation

PAIR_LINKS = ("softmax", "sigmoid")


class NeedsText(ValueError):
    """A pair was given no text."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} scores a signal and a text together; give it a text: --target 'text:a dog on a sofa', or "
            "--labels FILE with one name per line."
        )


@dataclass(frozen=True)
class Word:
    """A word of a text, which covers the tokens from `start` up to and without `stop`.

    >>> wl.models.Word("sofa", 4, 5).text
    'sofa'
    """

    text: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokenized texts: `ids` and `mask` `(n, length)`, and the `words` of each text, in their order.

    `mask` is true where the text tower attends; which may include padding, for towers that were trained to read it.
    Special tokens belong to no word.

    >>> ids = torch.tensor([[0, 7, 9, 1]])
    >>> words = (wl.models.Word("a", 1, 2), wl.models.Word("sofa", 2, 3))
    >>> wl.models.Tokens(ids, torch.ones_like(ids, dtype=torch.bool), (words,)).words[0][1].text
    'sofa'
    """

    ids: Tensor
    mask: Tensor
    words: tuple[tuple[Word, ...], ...]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.mask.shape != self.ids.shape or len(self.words) != len(self.ids):
            raise ValueError(
                "tokens must be ids (n, length), a mask of that shape and words per text; got "
                f"{tuple(self.ids.shape)}, {tuple(self.mask.shape)} and {len(self.words)}."
            )
        length = self.ids.shape[1]
        for word in (word for text in self.words for word in text):
            if not 0 <= word.start < word.stop <= length:
                raise ValueError(f"a word must cover tokens from 0 to {length}; got {word}.")


class Pair(nn.Module, ABC):
    """A model that scores a signal and a text: `score(x, embeddings, mask)`, higher where they belong together.

    `preprocess` makes `x` of a signal, as in a `LoadedModel`. `context` is the longest text in tokens, special ones
    included. `link` says how the scores of several texts become probabilities: "softmax" for pairs that are trained to
    tell texts apart, "sigmoid" for those that judge each alone.

    A subclass says how a text becomes tokens (`encode`), tokens embeddings (`embed_tokens`), which embedding stands for
    no word (`neutral`), and how a score comes about: `read` has what depends on the signal alone, computed once for
    many texts, and `match` the rest. Pairs with a tower for each side are `TwoTowers`.
    """

    def __init__(self, preprocess: Preparation, *, context: int, link: str = "softmax") -> None:
        super().__init__()
        if link not in PAIR_LINKS:
            raise ValueError(f"the link of a pair must be one of {', '.join(PAIR_LINKS)}; got {link!r}.")
        if context < 1:
            raise ValueError(f"context must be the longest text in tokens, from 1; got {context}.")
        self.preprocess, self.context, self.link = preprocess, context, link

    @property
    @abstractmethod
    def neutral(self) -> Tensor:
        """The embedding `(width,)` that stands for no word: of the mask or the padding token; a text's baseline."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Tokens:
        """The tokens of texts as the model takes them, special ones included and not cut to `context`."""

    @abstractmethod
    def embed_tokens(self, ids: Tensor) -> Tensor:
        """The token embeddings before positions: `(n, length)` to `(n, width, length)`."""

    @abstractmethod
    def read(self, x: Tensor) -> Tensor:
        """What `match` needs of signals `(n, channel, *axes)`; its first axis is theirs."""

    @abstractmethod
    def match(self, reading: Tensor, embeddings: Tensor, mask: Tensor) -> Tensor:
        """The scores `(n,)` of signals that were read and of texts `(n, width, length)`; either may have one row."""

    def score(self, x: Tensor, embeddings: Tensor, mask: Tensor) -> Tensor:
        """The scores `(n,)` of signals and texts, row by row; either may have one row for all."""
        return self.match(self.read(x), embeddings, mask)

    def forward(self, x: Tensor, embeddings: Tensor, mask: Tensor) -> Tensor:
        return self.score(x, embeddings, mask)

    def scores(self, reading: Tensor, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Each signal against each text: `(n, texts)`."""
        return self.prepared_scores(reading, *self.prepare(embeddings, mask))

    def prepare(self, embeddings: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """What `prepared_scores` needs of texts; the first axis of each tensor is theirs."""
        return embeddings, mask

    def prepared_scores(self, reading: Tensor, *texts: Tensor) -> Tensor:
        """Each signal against each text that was prepared: `(n, texts)`."""
        rows = zip(*(part.split(1) for part in texts), strict=True)
        return torch.stack([self.match(reading, embeddings, mask) for embeddings, mask in rows], 1)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """The tokens of texts; `ValueError` for a text without words and for one longer than `context`."""
        if isinstance(texts, str):
            raise TypeError(f"texts must be a sequence of them; got the text {texts!r}. Pass [text].")
        for text in texts:
            if not text.strip():
                raise ValueError(f"a prompt must have at least one word; got {text!r}.")
        if not texts:
            raise ValueError("give one text or more; got none.")
        tokens = self.encode(texts)
        for text, mask in zip(texts, tokens.mask, strict=True):
            self.check_length(text, int(mask.sum()))
        return tokens

    def check_length(self, text: str, length: int) -> None:
        """`ValueError` for a text of more tokens than the pair takes."""
        if length > self.context:
            shown = text if len(text) <= 40 else f"{text[:40]}…"
            raise ValueError(
                f"a prompt has up to {self.context} tokens, special ones included; {shown!r} has {length}. Shorten it."
            )


class TwoTowers(Pair):
    """A pair with a tower for each side: score = `scale` · cosine of the two embeddings + `bias`.

    A subclass gives `embed_signal` and `embed_text`, both of unit length.
    """

    scale: Tensor
    bias: Tensor

    def __init__(
        self, preprocess: Preparation, *, context: int, link: str = "softmax", scale: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__(preprocess, context=context, link=link)
        self.register_buffer("scale", torch.tensor(float(scale)), persistent=False)
        self.register_buffer("bias", torch.tensor(float(bias)), persistent=False)

    @abstractmethod
    def embed_signal(self, x: Tensor) -> Tensor:
        """Signals `(n, channel, *axes)` to embeddings `(n, dim)` of unit length."""

    @abstractmethod
    def embed_text(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Token embeddings `(n, width, length)` and their mask `(n, length)`: embeddings `(n, dim)` of unit length."""

    def read(self, x: Tensor) -> Tensor:
        return self.embed_signal(x)

    def match(self, reading: Tensor, embeddings: Tensor, mask: Tensor) -> Tensor:
        return self.scale * (reading * self.embed_text(embeddings, mask)).sum(-1) + self.bias

    def prepare(self, embeddings: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return (self.embed_text(embeddings, mask),)

    def prepared_scores(self, reading: Tensor, *texts: Tensor) -> Tensor:
        (embeddings,) = texts
        return self.scale * reading @ embeddings.T + self.bias
