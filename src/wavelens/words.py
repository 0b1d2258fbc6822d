"""What each word of a text adds to a score: sums over the tokens of each, beside its Shapley value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavelens import accounts
from wavelens.attribution import Attribution
from wavelens.core import Coefficients
from wavelens.methods.partitions import Partition
from wavelens.methods.shapley import ShapleyValues
from wavelens.models.pairs import Word
from wavelens.placing import scale_maps, spatial_map

NAMED_WORDS = 3  # that a sentence names


@dataclass(frozen=True, eq=False)
class WordAccount:
    """The account of a text word by word: `attribution` `(1, channel, tokens)` is read in its tokens, in `Identity`.

    `before` stands in front of each of the `words` and `after` behind the last, so that together they are the text.
    `shapley` are the Shapley values of the words, by `wl.shapley` with `partition_of(words)` in `Identity`, or None for
    the `reason` given.

    >>> import torch, wavelens as wl
    >>> from wavelens.models.pairs import Word
    >>> from wavelens.words import WordAccount
    >>> x = torch.tensor([[[1.0, 2.0, 4.0]]])
    >>> a = wl.attribute(lambda x: x.sum((1, 2)), x, None, domain=wl.Identity(), method=wl.IntegratedGradients())
    >>> account = WordAccount((Word("not", 0, 1), Word("unkind", 1, 3)), ("", " "), "", a)
    >>> account.values, account.sentence
    ([1.0, 6.0], 'The words with the largest contributions are “unkind” (+6) and “not” (+1).')
    """

    words: tuple[Word, ...]
    before: tuple[str, ...]
    after: str
    attribution: Attribution
    shapley: ShapleyValues | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        count, shape = len(self.words), self.attribution.layout.signal_shape
        if len(self.before) != count or len(shape) != 1 or any(word.stop > shape[0] for word in self.words):
            raise ValueError(
                f"an account by word must have the text before each word, and words within its tokens; got {count} "
                f"words, {len(self.before)} texts and axes {shape}."
            )
        if self.shapley is not None and len(self.shapley.names) != count:
            raise ValueError(f"shapley must have a value for each of {count} words; got {len(self.shapley.names)}.")

    @property
    def has_signs(self) -> bool:
        """Whether values support the target or oppose it; else they are sizes."""
        return accounts.has_signs(self.attribution)

    @property
    def values(self) -> list[float]:
        """The signed sum of each word's tokens; for gradients alone, whose signs mean nothing, the sum of |γ|."""
        return self.by_word(spatial_map(self.attribution, signed=self.has_signs)[0])

    def by_scale(self, c: Coefficients) -> dict[str, list[float]]:
        """What each scale of another reading of the same attribution has over the tokens of each word."""
        maps = scale_maps(c, signed=self.has_signs and not c.data.is_complex())
        return {name: self.by_word(heat[0]) for name, heat in maps.items()}

    def by_word(self, tokens: Tensor) -> list[float]:
        """Sums of values `(tokens,)` over each word."""
        return [float(tokens[word.start : word.stop].double().sum()) for word in self.words]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """For JSON, a row per word: its tokens, its signed sum and its Shapley value with what it adds alone and last.

        Where signs mean nothing there is `size`, the sum of |γ|, in place of `signed`.
        """
        name = "signed" if self.has_signs else "size"
        rows: list[dict[str, Any]] = [
            {"word": word.text, "tokens": [word.start, word.stop], name: value}
            for word, value in zip(self.words, self.values, strict=True)
        ]
        if self.shapley is None:
            return rows
        columns = {"shapley": self.shapley.values, "alone": self.shapley.alone, "last": self.shapley.last}
        columns |= {} if self.shapley.standard_error is None else {"shapley_error": self.shapley.standard_error}
        named = {name: column[0].tolist() for name, column in columns.items()}
        return [{**row, **{name: column[k] for name, column in named.items()}} for k, row in enumerate(rows)]

    @property
    def order(self) -> list[int]:
        """The words by the size of their values, the largest first."""
        sizes = [abs(value) for value in self.values]
        return sorted(range(len(sizes)), key=lambda k: -sizes[k])

    @property
    def sentence(self) -> str:
        """The words with the largest contributions, in words; empty where none adds anything."""
        named = self._named(self.values)
        if not named:
            return ""
        several = len(named) > 1
        if accounts.adds_up(self.attribution):
            many = f"The word{'s' * several} with the largest contribution{'s are' if several else ' is'}"
        else:
            many = "The words that matter most are" if several else "The word that matters most is"
        return f"{many} {accounts.listed(named)}."

    @property
    def by_shapley(self) -> str:
        """The words with the largest Shapley values, in words; empty where there are none."""
        named = [] if self.shapley is None else self._named(self.shapley.values[0].tolist())
        return (
            f"By Shapley value {'they are' if len(named) > 1 else 'it is'} {accounts.listed(named)}." if named else ""
        )

    def _named(self, values: Sequence[float]) -> list[str]:
        most = sorted(range(len(values)), key=lambda k: -abs(values[k]))[:NAMED_WORDS]
        floor = accounts.rounding_of(self.attribution) if accounts.adds_up(self.attribution) else 0.0
        return [f"“{self.words[k].text}” ({accounts.short_signed(values[k])})" for k in most if abs(values[k]) > floor]


def partition_of(words: Sequence[Word], tokens: int) -> Partition:
    """The tokens of a text by word, for `wl.shapley` in `Identity`; a token of no word goes with the word before it.

    >>> from wavelens.models.pairs import Word
    >>> partition_of([Word("not", 0, 1), Word("unkind", 1, 3)], 3).labels
    tensor([[0, 1, 1]])
    """
    labels = torch.zeros(tokens, dtype=torch.long, device="cpu")
    for k, word in enumerate(words):
        labels[word.start :] = k
    return Partition(tuple(word.text for word in words), labels[None])
