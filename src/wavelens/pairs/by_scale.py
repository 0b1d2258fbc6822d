"""Which word is answered by which scale: Shapley values and interactions of scales and words.

The players are the scales of a signal and the words of a text, `v(S, T) = f(x₀ + Σ_{i ∈ S} x_i, t₀ + Σ_{j ∈ T} t_j)`.
The signal is read once for each coalition of scales and the text once for each of words, and the table `V[S, T]` is
what they score against each other: 6 scales and 4 words take 64 readings and 16 texts, not 1,024 of both.

The values of a table are exact. With `n` players, and coalitions grouped by size,

    φ_i  = Σ_{s,t} w₁(s + t) Σ_{|S|=s, |T|=t} (V[S ∪ i, T] − V[S, T]),             w₁(k) = k! (n − k − 1)! / n!
    I_ij = Σ_{s,t} w₂(s + t) Σ_{|S|=s, |T|=t} Δ_i Δ_j V[S, T],                     w₂(k) = k! (n − k − 2)! / (n − 1)!

(Shapley, 1953; Grabisch and Roubens, 1999). Where a text has too many words for all of their coalitions, words enter in
random orders and in their reverses (Castro et al., 2009; Mitchell et al., 2022), over which φ and I are averaged: for
one order the sums over S stay exact, `T` is a prefix of it, and each prefix stands for all coalitions of its size.

For a text against another, the game is the difference of two such games. Words of one text add nothing in the other's
game, so the values of the whole are those of the one minus those of the other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, signal_axes
from wavelens.engine.frozen import frozen_model
from wavelens.methods.averages import generator
from wavelens.methods.coalitions import all_coalitions
from wavelens.methods.paths import starting_points
from wavelens.models.module_kinds import check_evaluation
from wavelens.models.pairs import Pair, TwoTowers
from wavelens.pairs.text import TextSignal, text_signal

MAX_SCALES = 10  # 1,024 readings of the signal
MAX_TEXTS = 1024  # of a pair with two towers: coalitions of ten words
MAX_MATCHES = 1024  # of other pairs: coalitions of scales and words
MIN_PAIRS = 4  # of orders and their reverses, before there are standard errors
ROWS = 16  # of a tower at a time


class WordsByScale(NamedTuple):
    """What scales and words add to the score of one signal and one text, and which word counts with which scale.

    `scale_values` `(scales,)` and `word_values` `(words,)` are Shapley values: together they sum to score −
    baseline_score. `interaction` `(scales, words)` is above 0 where a word and a scale count together, below 0 where
    one stands in for the other. `standard_error`, shaped like it, is that of sampled words, None where all is exact;
    `passes` counts readings of the signal and texts. The words of a text set against another come last.
    """

    scales: tuple[str, ...]
    words: tuple[str, ...]
    scale_values: Tensor
    word_values: Tensor
    interaction: Tensor
    standard_error: Tensor | None
    score: float
    baseline_score: float
    passes: tuple[int, int]


class Side(NamedTuple):
    """Coalitions of the players of one side, weighted by what each stands for.

    `whole` `(rows, n + 1)` has 1 in the column of a coalition's size; `gains` `(rows, n, n)` has for each player, in
    the column of the size without it, 1 where it is in and −1 where it is not.
    """

    whole: Tensor
    gains: Tensor


def words_by_scale(
    pair: Pair,
    x: Tensor,
    text: str,
    *,
    against: str | None = None,
    domain: Domain,
    baseline: Tensor | float = 0.0,
    batch_size: int = ROWS,
    seed: int = 0,
) -> WordsByScale:
    """The Shapley values of scales and words of one signal `(1, channel, *axes)` and its text, and their interactions.

    Values alone, no gradient. Exact where the text has up to 10 words, or for a pair without two towers where 1,024
    scores of coalitions suffice; else words are sampled. With `against` they are of the difference of two texts'
    scores. `ValueError` for a domain of more than 10 scales.
    """
    signal_axes(x)
    check_evaluation(pair)
    if len(x) != 1:
        raise ValueError(f"words by scale take one signal (1, channel, *axes); got {tuple(x.shape)}.")
    texts, start = [text] if against is None else [text, against], starting_points(x, baseline)
    with frozen_model(pair, x), torch.no_grad():
        names, readings = _readings(pair, x, start, domain, batch_size)
        first, *second = [_of_text(pair, names, readings, text_signal(pair, [one]), batch_size, seed) for one in texts]
    return _difference(first, *second) if second else first


def _of_text(
    pair: Pair, names: tuple[str, ...], readings: Tensor, tokens: TextSignal, batch_size: int, seed: int
) -> WordsByScale:
    """The values of scales and words of one text."""
    several = _coalitions(len(tokens.words[0]), _most_texts(pair, len(readings)), seed)
    rows, where = torch.cat(several).unique(dim=0, return_inverse=True)  # each text is embedded once
    table = _table(pair, readings, tokens, rows, batch_size)
    scales, tables = side(all_coalitions(len(names))), [table[:, own] for own in where.split([*map(len, several)])]
    sampled = len(several) > 1
    sides = [_order_side(members) if sampled else side(members) for members in several]
    values = [_values(own, scales, words) for own, words in zip(tables, sides, strict=True)]
    by_scale, by_word, pairs = (torch.stack(parts) for parts in zip(*values, strict=True))
    return WordsByScale(
        names,
        tuple(word.text for word in tokens.words[0]),
        by_scale.mean(0),
        by_word.mean(0),
        pairs.mean(0),
        _error_of_pairs(pairs) if sampled else None,
        float(tables[0][-1, -1]),
        float(tables[0][0, 0]),
        (len(readings), len(rows)),
    )


def _difference(first: WordsByScale, second: WordsByScale) -> WordsByScale:
    """The values of the difference of two games with the same scales."""
    errors = [one.standard_error for one in (first, second)]
    spread = None
    if any(error is not None for error in errors):
        pairs = zip(errors, (first, second), strict=True)
        spread = torch.cat([torch.zeros_like(of.interaction) if one is None else one for one, of in pairs], 1)
    return WordsByScale(
        first.scales,
        first.words + second.words,
        first.scale_values - second.scale_values,
        torch.cat([first.word_values, 0.0 - second.word_values]),
        torch.cat([first.interaction, 0.0 - second.interaction], 1),
        spread,
        first.score - second.score,
        first.baseline_score - second.baseline_score,
        (first.passes[0], first.passes[1] + second.passes[1]),
    )


def _readings(pair: Pair, x: Tensor, start: Tensor, domain: Domain, rows: int) -> tuple[tuple[str, ...], Tensor]:
    """The names of the scales, and the signal read with each coalition of them, in the order of their bits."""
    bound = domain.bind(x)
    c = bound.analysis(x - start)
    scales = c.layout.scales()
    if len(scales) > MAX_SCALES:
        raise ValueError(
            f"words by scale take a domain of up to {MAX_SCALES} scales; {domain} has {len(scales)}. Take fewer levels."
        )
    parts = torch.cat([Coefficients(c.data, c.layout).only(*scale).synthesis() for scale in scales.values()])
    masks = all_coalitions(len(scales)).to(parts)
    points = (start + torch.tensordot(some, parts, 1) for some in masks.split(rows))
    return tuple(scales), torch.cat([pair.read(some.to(x)) for some in points])


def _most_texts(pair: Pair, readings: int) -> int:
    return MAX_TEXTS if isinstance(pair, TwoTowers) else max(1, MAX_MATCHES // readings)


def _coalitions(words: int, most: int, seed: int) -> list[Tensor]:
    """All coalitions of the words as one block, or the prefixes of random orders and of their reverses, in turn."""
    if 2**words <= most or words == 1:
        return [all_coalitions(words)]
    blocks = []
    for k in range(max(MIN_PAIRS, (most - 2) // (2 * (words - 1)))):
        order = torch.randperm(words, generator=generator(seed, k, torch.device("cpu")), device="cpu")
        blocks += [_prefixes(order), _prefixes(order.flip(0))]
    return blocks


def _prefixes(order: Tensor) -> Tensor:
    """`(n + 1, n)`: nobody, the first of an order, the first two, …, all."""
    return (order.argsort() < torch.arange(len(order) + 1, device="cpu")[:, None]).long()


def _table(pair: Pair, readings: Tensor, text: TextSignal, members: Tensor, rows: int) -> Tensor:
    """`V[S, T]` in float64: each reading against the text with each of several coalitions of its words."""
    step = text.embeddings - text.start
    inside = members.to(step) @ text.members()  # (coalitions, tokens)
    columns = []
    for some in inside.split(rows):
        texts = text.start + some[:, None] * step
        columns.append(pair.scores(readings, texts, text.mask.expand(len(texts), -1)))
    return torch.cat(columns, 1).double().cpu()


def side(members: Tensor) -> Side:
    """All coalitions of `n` players `(2ⁿ, n)`, each standing for itself."""
    n = members.shape[1]
    size, sign = members.sum(1), 2.0 * members.double() - 1
    without = size[:, None] - members
    sizes = torch.arange(n + 1, device="cpu")
    whole = (size[:, None] == sizes).double()
    return Side(whole, sign[:, :, None] * (without[:, :, None] == sizes[:n]).double())


def _order_side(prefixes: Tensor) -> Side:
    """The prefixes of one order of `n` players `(n + 1, n)`, each standing for all coalitions of its size."""
    n = prefixes.shape[1]
    every = torch.tensor([math.comb(n, t) for t in range(n + 1)], dtype=torch.float64, device="cpu")
    others = torch.tensor([n * math.comb(n - 1, t) for t in range(n)], dtype=torch.float64, device="cpu")
    gains = torch.zeros(n + 1, n, n, dtype=torch.float64, device="cpu")
    for t, player in enumerate(prefixes.diff(dim=0).argmax(1).tolist()):
        gains[t, player, t], gains[t + 1, player, t] = -others[t], others[t]
    return Side(torch.diag(every), gains)


def _values(table: Tensor, scales: Side, words: Side) -> tuple[Tensor, Tensor, Tensor]:
    """Shapley values of scales `(scales,)` and words `(words,)`, and the interaction of each pair."""
    m, n = scales.gains.shape[1], words.gains.shape[1]
    one, two = _weights(m + n, 1), _weights(m + n, 2)
    by_scale = torch.einsum("sia,st,tb,ab->i", scales.gains, table, words.whole, _sums(one, m, n + 1))
    by_word = torch.einsum("sa,st,tjb,ab->j", scales.whole, table, words.gains, _sums(one, m + 1, n))
    pairs = torch.einsum("sia,st,tjb,ab->ij", scales.gains, table, words.gains, _sums(two, m, n))
    return by_scale, by_word, pairs


def _weights(players: int, apart: int) -> Tensor:
    """`k! (n − k − apart)! / (n − apart + 1)!` by the number `k` of those who are there beside `apart` players."""
    top = math.factorial(players - apart + 1)
    weights = [math.factorial(k) * math.factorial(players - k - apart) / top for k in range(players - apart + 1)]
    return torch.tensor(weights, dtype=torch.float64, device="cpu")


def _sums(weights: Tensor, rows: int, columns: int) -> Tensor:
    """The weight of sizes `s` and `t` of the two sides, by their sum."""
    size = torch.arange(rows, device="cpu")[:, None] + torch.arange(columns, device="cpu")
    return weights[size]


def _error_of_pairs(values: Tensor) -> Tensor:
    """The standard error of a mean over orders and their reverses, `(2 pairs, …)`, which are drawn in pairs."""
    means = values.unflatten(0, (-1, 2)).mean(1)
    error: Tensor = means.std(0) / math.sqrt(len(means))
    return error
