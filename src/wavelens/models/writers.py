"""Models that write a text about a signal: how probable a given text is, token by token and word by word."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelens.models.pairs import Word
from wavelens.models.preparations.text import Encoded, worded

MOST_TOKENS = 64  # that a model writes by itself


class Writer(nn.Module, ABC):
    """A model that writes a text about a signal `(batch, channel, *axes)`, token after token.

    `next_logits(x, ids)` `(batch, tokens + 1, vocabulary)` are the logits of each token of `ids` and of the one behind
    them, each given the signal and the tokens before it. `encode` makes tokens of a text as it would be written,
    `decode` a text of tokens; `end` is the id behind the last, `longest` how many tokens a text has at most. As a model
    it gives the logits of the first token.
    """

    end: int | None = None
    longest: int = 10**6

    @abstractmethod
    def next_logits(self, x: Tensor, ids: Sequence[int]) -> Tensor:
        """The logits of each token and of the next, `(batch, tokens + 1, vocabulary)`."""

    @abstractmethod
    def encode(self, text: str) -> Encoded:
        """The ids of a text and the characters of each."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""

    def forward(self, x: Tensor) -> Tensor:
        return self.next_logits(x, ())[:, 0]

    def log_probabilities(self, x: Tensor, ids: Sequence[int]) -> Tensor:
        """The logarithm of the probability of each token, given those before it: `(batch, tokens)`."""
        tokens = torch.tensor(list(ids), device=x.device).expand(len(x), -1)
        spread = self.next_logits(x, ids)[:, :-1].log_softmax(-1)
        return spread.gather(-1, tokens[..., None])[..., 0]

    @torch.no_grad()
    def write(self, x: Tensor) -> str:
        """What the model writes about one signal `(1, channel, *axes)`: the most probable token, again and again."""
        ids: list[int] = []
        while len(ids) < min(MOST_TOKENS, self.longest):
            best = int(self.next_logits(x, ids)[0, -1].argmax())
            if best == self.end:
                break
            ids.append(best)
        return self.decode(ids)


class Answered(nn.Module):
    """A writer that is asked for one text: log-probabilities `(batch, 1 + words)` of the whole and of each word.

    A word's log-probability is that of its tokens given all before it, so the words' values add up to the whole text's.
    `ValueError` for a text without a word, and for one longer than the writer's.
    """

    def __init__(self, writer: Writer, text: str) -> None:
        super().__init__()
        encoded = worded(writer.encode, text)
        if len(encoded.ids) > writer.longest:
            raise ValueError(f"this model writes up to {writer.longest} tokens; {text!r:.60} has {len(encoded.ids)}.")
        self.writer, self.ids, self.words = writer, encoded.ids, encoded.words
        self.training = writer.training

    @property
    def labels(self) -> tuple[str, ...]:
        """The whole and its words."""
        return (" ".join(word.text for word in self.words), *(word.text for word in self.words))

    def place(self, word: Word) -> int:
        """The output that a word has."""
        return 1 + self.words.index(word)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.writer.log_probabilities(x, self.ids)
        parts = [tokens[:, word.start : word.stop].sum(1) for word in self.words]
        return torch.stack([tokens.sum(1), *parts], 1)
