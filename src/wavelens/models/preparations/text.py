"""How a text becomes a network's input, the embeddings of its tokens; and texts longer than a network takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wavelens.frontends.text import PIECE, Text, WordSpan, words_of
from wavelens.grid import Grid
from wavelens.models.pairs import Word
from wavelens.models.weights import Around

USUAL_TOKENS = 8  # of a text of zeros, with which a model is tried

Encoded = tuple[Sequence[int], Sequence[tuple[int, int]]]  # ids, and each token's characters from … up to …


@dataclass(frozen=True, eq=False)
class Worded:
    """A text by its tokens: `ids`, what `begins` at each (see `TextHaar`), and the `words` with the text around them.

    `before` stands in front of each word and `after` behind the last, so that together they are the text.
    """

    ids: tuple[int, ...]
    begins: tuple[int, ...]
    words: tuple[Word, ...]
    before: tuple[str, ...]
    after: str


@dataclass(frozen=True, eq=False)
class TokenEmbeddings:
    """Turns a `Text` into what a model of embeddings takes: `(1, width, tokens)`, each minus that of a blank token.

    So 0 is a text of as many blank tokens, and the paths of methods begin there. `encode` gives the ids of a text and
    the characters of each token, without special tokens, which are the model's own affair; `embedding` embeds ids
    `(n,)` as `(n, width)`; `blank` is the id that stands for no word, of the mask or the padding token. A text of more
    than `longest` tokens is a `ValueError`, unless it is read in `windows`, for a model in `TextWindows`.

    >>> table = torch.nn.Embedding(3, 2, _weight=torch.tensor([[1.0, 1.0], [2.0, 3.0], [5.0, 8.0]]))
    >>> prepare = wl.models.TokenEmbeddings(lambda text: ([1, 2], [(0, 3), (4, 7)]), table, blank=0)
    >>> prepare(wl.frontends.Text("not bad"))
    tensor([[[1., 4.],
             [2., 7.]]])
    """

    encode: Callable[[str], Encoded]
    embedding: nn.Module
    blank: int
    longest: int | None = None
    windows: bool = False
    kind: ClassVar[str] = "text"

    def __repr__(self) -> str:
        return f"TokenEmbeddings(blank={self.blank}, longest={self.longest}, windows={self.windows})"

    @property
    def shape(self) -> tuple[int, int]:
        """The width of the embedding, and a few tokens."""
        with torch.no_grad():
            width = self._embedded([self.blank]).shape[1]
        return width, min(USUAL_TOKENS, self.longest or USUAL_TOKENS)

    def __call__(self, text: Text) -> Tensor:
        ids = self.worded(text).ids
        if self.longest is not None and len(ids) > self.longest and not self.windows:
            raise ValueError(
                f"this model takes texts of up to {self.longest} tokens; got {len(ids):,}. Read it in windows by "
                "--windows (in Python windows=True), or cut it."
            )
        with torch.no_grad():
            return (self._embedded(ids) - self._embedded([self.blank])).T[None].contiguous()

    def grid(self, text: Text) -> Grid:
        """Tokens that lie one apart."""
        return Grid((1.0,), ("tokens",))

    def worded(self, text: Text) -> Worded:
        """The tokens of a text and the words that they make; `ValueError` for a text of which no token is left."""
        if not isinstance(text, Text):
            raise TypeError(f"a text must be a Text; got {type(text).__name__}. Wrap it in frontends.Text(content).")
        return worded(self.encode, text.content)

    def _embedded(self, ids: Sequence[int]) -> Tensor:
        weights: Any = next(self.embedding.parameters())
        embedded: Tensor = self.embedding(torch.tensor(ids, device=weights.device))
        return embedded


def worded(encode: Callable[[str], Encoded], content: str) -> Worded:
    """The tokens of a text and the words that they make; `ValueError` for a text of which no token is left."""
    ids, ends = encode(content)
    if not len(ids) or not content.strip():
        raise ValueError(f"a text must have at least one word that the tokenizer knows; got {content!r:.60}.")
    spans = words_of(content)
    return _worded(tuple(ids), _words_of_tokens(ends, spans), spans, content)


def _words_of_tokens(ends: Sequence[tuple[int, int]], spans: Sequence[WordSpan]) -> list[int]:
    """The number of each token's word: that of its last character, or of the next word where it is a space."""
    places = torch.tensor([max(stop - 1, start) for start, stop in ends])
    firsts = torch.bucketize(places, torch.tensor([span.stop for span in spans]), right=True)
    return firsts.clamp(max=len(spans) - 1).cummax(0).values.tolist()


def _worded(ids: tuple[int, ...], own: list[int], spans: Sequence[WordSpan], content: str) -> Worded:
    """Words that no token is of are left to what stands around; what begins with them begins with the next."""
    words, before, begins, end = [], [], [], 0
    for token, word in enumerate(own):
        if token and own[token - 1] == word:
            begins.append(PIECE)
            continue
        passed = range(own[token - 1] + 1 if token else 0, word + 1)
        begins.append(max(spans[k].begins for k in passed))
        stop = next((k for k in range(token, len(own)) if own[k] != word), len(own))
        words.append(Word(content[spans[word].start : spans[word].stop], token, stop))
        before.append(content[end : spans[word].start])
        end = spans[word].stop
    return Worded(ids, tuple(begins), tuple(words), tuple(before), content[end:])


class FromEmbeddings(Around):
    """A transformers classifier of token embeddings: `(batch, width, tokens)`, less that of a blank token, to logits.

    Special tokens are added here, `start` in front and `end` behind, by their ids: they are no part of the signal.
    """

    blank: Tensor
    start: Tensor
    end: Tensor

    def __init__(
        self, module: nn.Module, blank: int, start: Sequence[int], end: Sequence[int], file_names: Any = None
    ) -> None:
        super().__init__(module, file_names)
        for name, ids in (("blank", [blank]), ("start", start), ("end", end)):
            self.register_buffer(name, torch.tensor(list(ids), dtype=torch.long), persistent=False)

    def forward(self, x: Tensor) -> Any:
        inner: Any = self.module
        embed = inner.get_input_embeddings()
        edges = [embed(ids).expand(len(x), -1, -1) for ids in (self.start, self.end)]
        tokens = torch.cat([edges[0], x.mT + embed(self.blank), edges[1]], 1)
        attended = torch.ones(tokens.shape[:2], dtype=torch.long, device=x.device)
        return inner(inputs_embeds=tokens, attention_mask=attended).logits


class TextWindows(Around):
    """A text classifier for texts of any length: beyond `longest` tokens it reads them in windows of equal length.

    The logits of a longer text are the mean over its ⌈tokens / longest⌉ windows, whose lengths differ by one token at
    most. An account of the whole is the mean of the windows' accounts. Only one window's activations are held at a
    time: each is computed again for its gradient.

    >>> mean = torch.nn.Sequential(torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten())
    >>> reader = wl.models.TextWindows(mean, longest=4)
    >>> reader(torch.arange(6.0)[None, None]), [part.shape[-1] for part in reader.split(torch.zeros(1, 1, 9))]
    (tensor([[2.5000]]), [3, 3, 3])
    """

    def __init__(self, module: nn.Module, longest: int) -> None:
        super().__init__(module)
        self.longest = longest

    def forward(self, x: Tensor) -> Any:
        windows = self.split(x)
        if len(windows) == 1:
            return self.module(x)
        parts = [checkpoint(self.module, w, use_reentrant=False, preserve_rng_state=False) for w in windows]
        return torch.stack(parts).mean(0)

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """The windows of a text `(batch, width, tokens)`."""
        return x.tensor_split(max(1, -(-x.shape[-1] // self.longest)), -1)
