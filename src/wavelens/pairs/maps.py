"""Where in a signal each word of a text is answered: the second-order account of both sides.

The score of two towers is `s ⟨g(x), h(t)⟩ + c`. What it has of both sides at once is the mixed difference
`f(x, t) − f(x₀, t) − f(x, t₀) + f(x₀, t₀) = s ⟨g(x) − g(x₀), h(t) − h(t₀)⟩`, and each factor is its integrated Jacobian
times the displacement. So a word `w` has the direction `v_w = ∫ J_h(t(α)) (t − t₀)_w dα`, and a coefficient and a word
share `γ_w = W(x − x₀) ⊙ P ∫ J_g(x(α))ᵀ v_w dα`: one product with a Jacobian per word, pulled back through the domain.
For patches this is the second-order account of Möller et al. (2025, exCLIP).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from wavelens import maps
from wavelens.attribution import Attribution, attribute
from wavelens.core import Coefficients, Domain
from wavelens.engine.progress import Progress
from wavelens.methods import IntegratedGradients
from wavelens.methods.paths import nodes
from wavelens.models.pairs import Pair, TwoTowers
from wavelens.pairs.text import TextSignal, text_signal
from wavelens.targets import Several

ROWS = 64  # of the text tower at a time
STEPS = 16


class SignalTower(nn.Module):
    """The tower of signals as a model of one signal, `(batch, width)`."""

    def __init__(self, pair: TwoTowers) -> None:
        super().__init__()
        self.pair = pair
        self.training = pair.training

    def forward(self, x: Tensor) -> Tensor:
        return self.pair.embed_signal(x)


@dataclass(frozen=True, eq=False, repr=False)
class Along:
    """The embedding of a signal along the direction that a word moves the text's in, times the pair's scale."""

    word: str
    direction: Tensor

    def __call__(self, embedding: Tensor) -> Tensor:
        return embedding @ self.direction.to(embedding)

    def __repr__(self) -> str:
        return f"word {self.word!r}"


def word_maps(
    pair: Pair,
    x: Tensor,
    text: str,
    *,
    against: str | None = None,
    domain: Domain,
    steps: int = STEPS,
    baseline: Tensor | float | None = None,
    batch_size: int | None = None,
    progress: Progress = False,
) -> Attribution:
    """What each coefficient of one signal `(1, channel, *axes)` and each word share, `(words, 1, channel, size)`.

    It sums to the mixed difference `f(x, t) − f(x₀, t) − f(x, t₀) + f(x₀, t₀)`, up to the quadrature of `steps` nodes
    on either side. The words of a text `against` it follow, with what they share in the difference. `ValueError` for a
    pair whose sides meet before the end, and for a text without words.
    """
    if not isinstance(pair, TwoTowers):
        raise ValueError(
            f"maps by word need a pair with a tower for each side, a TwoTowers; got {type(pair).__name__}, whose "
            "sides meet before their embeddings. Take pair_accounts."
        )
    moves: list[Along] = []
    for one, sign in ((text, 1.0), (against, -1.0)):
        if one is None:
            continue
        signal = text_signal(pair, [one])
        if not signal.words[0]:
            raise ValueError(f"a map belongs to a word; the text {one!r:.60} has none.")
        pairs = zip(signal.words[0], word_directions(pair, signal, steps), strict=True)
        moves += [Along(word.text, sign * direction) for word, direction in pairs]
    return attribute(
        SignalTower(pair),
        x,
        Several(*moves),
        domain=domain,
        method=IntegratedGradients(steps=steps),
        baseline=baseline,
        batch_size=batch_size,
        progress=progress,
    )


def heats_of(found: Attribution) -> Tensor:
    """Where all words are answered, then each, with signs, from what `word_maps` gives: `(1 + words, *axes)`."""
    layout = found.layout.at(torch.zeros(len(found.data), dtype=torch.long, device=found.data.device))
    heats = maps.spatial_map(Coefficients(found.data[:, 0], layout), signed=True)
    return torch.cat([heats.sum(0, keepdim=True), heats])


def word_directions(pair: TwoTowers, text: TextSignal, steps: int = STEPS) -> Tensor:
    """How each word moves the embedding of the first text, times the pair's scale: `(words, width)`.

    Their sum is the embedding less that of a text without words, up to the quadrature.
    """
    places, weights = nodes("gauss-legendre", steps)
    step = (text.embeddings - text.start)[:1]
    tangents = text.members()[:, None] * step  # (words, width, tokens)
    total: Tensor | None = None
    for place, weight in zip(places, weights, strict=True):
        point = torch.lerp(text.start[:1], text.embeddings[:1], place)
        moved = torch.cat([_moved(pair, point, text.mask[:1], some) for some in tangents.split(ROWS)])
        total = weight * moved if total is None else total + weight * moved
    assert total is not None
    return total


def _moved(pair: TwoTowers, point: Tensor, mask: Tensor, tangents: Tensor) -> Tensor:
    """The Jacobian of the text tower at a point times each of several tangents, times the scale of the pair."""
    rows = len(tangents)
    tower = partial(pair.embed_text, mask=mask.expand(rows, -1))
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused kernels know no forward derivative
        moved: Tensor = torch.func.jvp(tower, (point.expand(rows, -1, -1).clone(),), (tangents.contiguous(),))[1]
    return pair.scale * moved
