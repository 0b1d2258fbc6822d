"""Haar wavelets on a text: what its paragraphs, sentences, phrases, words and pieces of words tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from wavelens.bound import Bound, ItemDomain
from wavelens.core import Band, Layout, Scale, signal_axes
from wavelens.domains.linear import linear
from wavelens.domains.octaves import single
from wavelens.domains.tree import node_details, node_samples, over_nodes
from wavelens.whole_numbers import is_whole

PARTS = ("pieces", "words", "phrases", "sentences", "paragraphs")  # what begins at a token: 0 … 4
WHOLE, SPECIAL = "document", "special"
NO_WORD = -1  # what begins at a special token


class Nodes(NamedTuple):
    """First token, middle and end of each node, the whole in front; and how many tell apart which parts."""

    ends: Tensor
    counts: tuple[tuple[int, int], ...]  # (part, nodes), coarsest first


@dataclass(frozen=True)
class TextHaar(ItemDomain):
    """Orthonormal Haar wavelets on the tokens of a text, `(batch, channel, tokens)`, along its own hierarchy.

    A text is its paragraphs, these their sentences, phrases, words and pieces of words. Scales are called by what they
    tell apart: 'sentences' has the differences of the sentences of each paragraph, 'words' those of the words of each
    phrase; 'document' is the mean of all tokens. A part of more than two is halved, its halves again, so any text is a
    tree of few levels. It is `TreeHaar` of that tree, with its nodes ordered by what they tell apart.

    What begins at each token is bound to the items, which share it: `TextHaar().of((4, 1, 0, 2, 1))` is a text with two
    phrases of which the first has a word of two pieces: 0 is a further piece of a word, 1 a word, 2 a phrase, 3 a
    sentence, 4 a paragraph. Special tokens in front of and behind the words are -1; they keep coefficients of their
    own, in the scale 'special'. `wavelens explain` binds it to the words of each file. Without, each token is a word,
    and all are one phrase.

    >>> tokens = x.reshape(1, 4, 16)[..., :5]
    >>> c = wl.TextHaar().of((4, 1, 0, 2, 1)).analysis(tokens)
    >>> list(c.layout.scales()), bool((c.synthesis() - tokens).abs().max() < 1e-9)
    (['document', 'phrases', 'words', 'pieces'], True)
    """

    def of(self, begins: Sequence[int]) -> Bound:
        """The domain for a text in which this begins at each token; `ValueError` for what is no such text."""
        if not all(is_whole(one, NO_WORD, len(PARTS) - 1) for one in begins):
            raise ValueError(f"what begins at a token must be a number from -1 to 4; got {list(begins)!r:.80}.")
        return self.rebound({"begins": torch.tensor([list(begins)], device="cpu")})

    def of_text(self, begins: Sequence[int]) -> Bound:
        return self.of(begins)

    def rebound(self, tensors: dict[str, Tensor]) -> Bound:
        begins = tensors.get("begins")
        if begins is None or begins.ndim != 2 or begins.dtype != torch.long or not begins.numel():
            raise ValueError("a text says what begins at each token, integers (items, tokens).")
        if int(begins.min()) < NO_WORD or int(begins.max()) >= len(PARTS) or not begins.eq(begins[0]).all():
            raise ValueError("what begins at each token is a number from -1 to 4, the same for all items.")
        first, last = _inside(row := tuple(begins[0].tolist()))
        if first == last or NO_WORD in row[first:last]:
            raise ValueError(
                "special tokens, -1, must stand in front of and behind a text of one token or more; got "
                f"{list(row)!r:.80}."
            )
        return Bound(self, {"begins": begins})

    def bound_axes(self, geometry: dict[str, Tensor]) -> tuple[int, ...]:
        return tuple(geometry["begins"].shape[1:])

    def geometry(self, x: Tensor) -> dict[str, Tensor]:
        (tokens,) = self.layout(signal_axes(x)).signal_shape
        return {"begins": torch.ones(len(x), tokens, dtype=torch.long, device=x.device)}

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        if len(signal_shape) != 1:
            raise ValueError(
                f"TextHaar takes signals with one axis, the tokens; got axes {signal_shape}. Flatten them."
            )
        return self._layout((1,) * signal_shape[0])

    def layout_of(self, signal_shape: tuple[int, ...], geometry: dict[str, Tensor]) -> Layout:
        return self._layout(_begins(geometry))

    def _layout(self, begins: tuple[int, ...]) -> Layout:
        first, last = _inside(begins)
        counts = _nodes(begins[first:last]).counts
        details = [Band(part + 1, "d", (count,), PARTS[part]) for part, count in counts]
        whole = Band(details[0].level if details else 1, "a", (1,), WHOLE)
        special = len(begins) - (last - first)
        rest = [Band(0, "", (special,), SPECIAL)] if special else []
        return Layout(self, (len(begins),), (whole, *details, *rest))

    def scales(self, layout: Layout) -> list[Scale]:
        """By what they tell apart; lengths in tokens differ within a scale, so there are none."""
        return [Scale(band.part, (band,), rank, is_detail=band.is_detail) for rank, band in enumerate(layout.bands)]

    def analyse(self, x: Tensor, geometry: dict[str, Tensor]) -> Tensor:
        begins = _begins(geometry)
        return linear(x, lambda t: _down(t, begins), lambda c: _up(c, begins))

    def synthesise(self, data: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        begins = _begins(geometry)
        return linear(data, lambda c: _up(c, begins), lambda t: _down(t, begins))

    def pull(self, g: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        return self.analyse(g, geometry)

    def spread_of(self, values: Tensor, band: Band, layout: Layout, geometry: dict[str, Tensor]) -> Tensor:
        """Evenly over the tokens of each node, with total weight 1."""
        begins = _begins(geometry)
        first, last = _inside(begins)
        if band.part == SPECIAL:
            return _around(values.new_zeros((*values.shape[:-1], last - first)), values, first)
        nodes = _nodes(begins[first:last]).ends[:, layout.slices[band]]
        rest = values.new_zeros((*values.shape[:-1], len(begins) - (last - first)))
        return _around(over_nodes(values, nodes, last - first), rest, first)


def _inside(begins: tuple[int, ...]) -> tuple[int, int]:
    """The first token of the text, and the one behind its last; special tokens stand outside."""
    places = [k for k, one in enumerate(begins) if one != NO_WORD]
    return (places[0], places[-1] + 1) if places else (0, 0)


def _around(inner: Tensor, special: Tensor, first: int) -> Tensor:
    """Values of the text's tokens with those of special tokens around them, of which `first` stand in front."""
    return torch.cat([special[..., :first], inner, special[..., first:]], -1) if special.shape[-1] else inner


def _down(x: Tensor, begins: tuple[int, ...]) -> Tensor:
    first, last = _inside(begins)
    details = node_details(single(x[..., first:last]), _nodes(begins[first:last]).ends).to(x.dtype)
    return torch.cat([details, x[..., :first], x[..., last:]], -1)


def _up(data: Tensor, begins: tuple[int, ...]) -> Tensor:
    first, last = _inside(begins)
    inner, special = data[..., : last - first], data[..., last - first :]
    return _around(node_samples(single(inner), _nodes(begins[first:last]).ends).to(data.dtype), special, first)


def _begins(geometry: dict[str, Tensor]) -> tuple[int, ...]:
    return tuple(geometry["begins"][0].tolist())


@lru_cache(maxsize=64)
def _nodes(begins: tuple[int, ...]) -> Nodes:
    """The nodes of a text, by what they tell apart and from left to right."""
    levels: list[list[tuple[int, int, int]]] = [[] for _ in PARTS]
    top = len(PARTS) - 1
    waiting = [(0, len(begins), top, _starts(begins, 0, len(begins), top))]
    while waiting:
        first, last, part, starts = waiting.pop()
        if len(starts) == 1 and part:
            waiting.append((first, last, part - 1, _starts(begins, first, last, part - 1)))
        elif len(starts) > 1:
            middle = starts[half := (len(starts) + 1) // 2]
            levels[part].append((first, middle, last))
            waiting += [(first, middle, part, starts[:half]), (middle, last, part, starts[half:])]
    several = [(part, sorted(levels[part])) for part in reversed(range(len(PARTS))) if levels[part]]
    rows = [(0, len(begins), len(begins)), *(node for _, nodes in several for node in nodes)]
    with torch.inference_mode(False):
        return Nodes(torch.tensor(rows, device="cpu").T, tuple((part, len(nodes)) for part, nodes in several))


def _starts(begins: tuple[int, ...], first: int, last: int, part: int) -> list[int]:
    """Where parts begin between two tokens, of which the first always does."""
    return [first, *(token for token in range(first + 1, last) if begins[token] >= part)]
