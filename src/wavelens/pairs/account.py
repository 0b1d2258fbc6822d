"""A signal and a text in one account: what each coefficient and each word add to the score of the pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from wavelens.attribution import Attributions, attribute
from wavelens.core import Domain
from wavelens.domains import Identity, Joint
from wavelens.engine.progress import Progress
from wavelens.methods import IntegratedGradients
from wavelens.methods.lift import Method
from wavelens.models.pairs import Pair
from wavelens.own import text_of
from wavelens.pairs.text import TextSignal, text_signal
from wavelens.signals import packed, packed_baseline

SIGNAL, TEXT = "signal", "text"
DEFAULT_METHOD = IntegratedGradients(tolerance=0.02)


class Scored(nn.Module):
    """The score of a pair, as `attribute` asks a model of two signals: `model(mask, signal=…, text=…)`."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair
        self.training = pair.training

    def forward(self, mask: Tensor, *, signal: Tensor, text: Tensor) -> Tensor:
        return self.pair.score(signal, text, mask)


@dataclass(frozen=True, eq=False)
class PairAccount:
    """What the score of one signal and one text owes to its coefficients and its words, on one path of both.

    `attributions` are the same gradients read in each of the domains of the signal, `attributions[0]["signal"]` and
    `attributions[0]["text"]`; `values` `(words,)` is what each of the `words` adds. Signal and words together make up
    the rise: `Σ signal γ + Σ values + gap = score − baseline_score`. `text` is the whole text.
    """

    text: str
    words: tuple[str, ...]
    values: Tensor
    attributions: tuple[Attributions, ...]

    @property
    def score(self) -> float:
        """The score of signal and text."""
        return self._scalar("score")

    @property
    def baseline_score(self) -> float:
        """The score where the path begins: of the signal's baseline and a text without words."""
        return self._scalar("baseline_score")

    @property
    def gap(self) -> float:
        """What the account misses of the rise."""
        return self._scalar("gap")

    def _scalar(self, name: str) -> float:
        value: Tensor = getattr(self.attributions[0].joint, name)
        return float(value)


def pair_accounts(
    pair: Pair,
    x: Tensor,
    texts: Sequence[str],
    *,
    domain: Domain | Sequence[Domain],
    method: Method = DEFAULT_METHOD,
    baseline: Tensor | float | None = None,
    batch_size: int | None = None,
    exact_passes: bool = False,
    progress: Progress = False,
) -> list[PairAccount]:
    """The account of each signal of `x` `(batch, channel, *axes)` and its text, by coefficients and by words.

    One path moves both: the signal from its `baseline`, by default the method's, the words from the pair's neutral
    embedding. A word is the sum of its tokens. `method` is a path method with a number for a baseline, such as
    `IntegratedGradients`; other options are those of `attribute`. `ValueError` unless there is a text for each item.
    """
    if isinstance(texts, str) or len(texts) != len(x):
        got = "one text" if isinstance(texts, str) else f"{len(texts)}"
        raise ValueError(f"texts has one for each of {len(x)} items; got {got}. Put them in a list.")
    text, usual = text_signal(pair, texts), baseline_number(method)
    signals = {SIGNAL: x, TEXT: text.embeddings.to(x)}
    domains = [domain] if isinstance(domain, Domain) else list(domain)
    joints = [Joint.of(signals, {SIGNAL: one, TEXT: Identity()}) for one in domains]
    model, both, joint = packed(Scored(pair), signals, dict(zip(joints[0].names, joints[0].domains, strict=True)))
    start = packed_baseline(joint, signals, {SIGNAL: usual if baseline is None else baseline, TEXT: text.start}, usual)
    several = attribute(
        model,
        both,
        score,
        domain=joints,
        method=method,
        baseline=start,
        given=[text.mask],
        batch_size=batch_size,
        exact_passes=exact_passes,
        progress=progress,
    )
    every = [Attributions(one) for one in several]
    return [_of_item([a.item(k) for a in every], text, k, one) for k, one in enumerate(texts)]


def score(output: Tensor) -> Tensor:
    """The target: what a pair returns."""
    return output


def _of_item(several: Sequence[Attributions], text: TextSignal, item: int, whole: str) -> PairAccount:
    tokens = several[0][TEXT].data[0].sum(0)
    values = text.members(item).to(tokens) @ tokens
    return PairAccount(whole, tuple(word.text for word in text.words[item]), values, tuple(several))


def baseline_number(method: Any) -> float:
    """The number at which a method's path begins; `ValueError` for methods without a path from one."""
    number = getattr(method, "baseline", None)
    if isinstance(number, bool) or not isinstance(number, int | float) or getattr(method, "takes_references", False):
        raise ValueError(
            f"words are accounted for along a path from one baseline; got {text_of(method)}. Take "
            "IntegratedGradients(tolerance=0.02)."
        )
    return number
