"""A signal and a text in one account: what each coefficient and each word add to the score of the pair.

For two texts, one against the other, the score is the difference of their scores, and the account covers the signal and
the words of both on one path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wavelens import maps
from wavelens.attribution import Attributions, attribute
from wavelens.core import Domain
from wavelens.domains import Identity, Joint, TextHaar
from wavelens.domains.text import PARTS, SPECIAL, WHOLE
from wavelens.engine.progress import Progress
from wavelens.methods import IntegratedGradients
from wavelens.methods.lift import Method
from wavelens.models.pairs import Pair
from wavelens.own import text_of
from wavelens.pairs.text import TextSignal, text_signal
from wavelens.signals import packed, packed_baseline

SIGNAL, TEXT, AGAINST = "signal", "text", "against"
PART_NAMES = (WHOLE, *reversed(PARTS))
DEFAULT_METHOD = IntegratedGradients(tolerance=0.02)


class Scored(nn.Module):
    """The score of a pair, as `attribute` asks a model of signals: `model(mask, signal=…, text=…)`.

    With a second mask and `against=…` it is the difference of two texts' scores.
    """

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair
        self.training = pair.training

    def forward(self, *masks: Tensor, signal: Tensor, **texts: Tensor) -> Tensor:
        is_one = not torch.is_grad_enabled() and bool((signal == signal[:1]).all())  # all paths may begin at one signal
        reading = self.pair.read(signal[:1] if is_one else signal)
        pairs = zip((TEXT, AGAINST), masks, strict=False)
        first, *second = (self.pair.match(reading, texts[name], mask) for name, mask in pairs)
        return first - second[0] if second else first


@dataclass(frozen=True, eq=False)
class TextAccount:
    """What the words of one text add, `values` `(words,)`, and what each scale of the text adds over each of them.

    `by_part` has the scales of `TextHaar` by name, 'document', 'sentences', 'phrases', 'words' and 'pieces' where there
    are such, `(words,)` each: a coefficient lies evenly over the words that it is of, so that a scale's sum is exact.
    """

    text: str
    words: tuple[str, ...]
    values: Tensor
    by_part: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class PairAccount:
    """What the score of one signal and one text owes to its coefficients and its words, on one path of both.

    `attributions` are the same gradients read in each of the domains of the signal, `attributions[0]["signal"]` and
    `attributions[0]["text"]`; `values` `(words,)` is what each of the `words` adds. Signal and words together make up
    the rise: `Σ signal γ + Σ values + gap = score − baseline_score`.

    `texts` are the text and, where it is set against another text, the other one, whose words follow in `words` and
    `values` with what they add to the difference. `in_parts` has the texts read in `TextHaar`; None for a batch of
    texts that are built differently.
    """

    texts: tuple[TextAccount, ...]
    attributions: tuple[Attributions, ...]
    in_parts: Attributions | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return self.texts[0].text

    @property
    def against(self) -> str:
        """The text that it is set against; else empty."""
        return self.texts[1].text if len(self.texts) > 1 else ""

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the text, then those of the text against it."""
        return tuple(word for one in self.texts for word in one.words)

    @property
    def titles(self) -> tuple[str, ...]:
        """The words for a reader, in the order of `words`: 'dog', and 'cat (against)' of a text against it."""
        return tuple(f"{word}{' (against)' * k}" for k, one in enumerate(self.texts) for word in one.words)

    @property
    def values(self) -> Tensor:
        """What each of the words adds, `(words,)`."""
        return torch.cat([one.values for one in self.texts])

    @property
    def parts(self) -> dict[str, list[float]]:
        """The scales of the texts by name, coarsest first, with the signed sum of each text; 0 where it has no such."""
        names = [name for name in PART_NAMES if any(name in one.by_part for one in self.texts)]
        return {
            name: [float(one.by_part[name].sum()) if name in one.by_part else 0.0 for one in self.texts]
            for name in names
        }

    @property
    def score(self) -> float:
        """The score of signal and text, or how much it is above that of the text against it."""
        return self._scalar("score")

    @property
    def baseline_score(self) -> float:
        """The score where the path begins: of the signal's baseline and texts without words."""
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
    against: Sequence[str] | None = None,
    domain: Domain | Sequence[Domain],
    method: Method = DEFAULT_METHOD,
    baseline: Tensor | float | None = None,
    batch_size: int | None = None,
    exact_passes: bool = False,
    progress: Progress = False,
) -> list[PairAccount]:
    """The account of each signal of `x` `(batch, channel, *axes)` and its text, by coefficients and by words.

    One path moves both: the signal from its `baseline`, by default the method's, the words from the pair's neutral
    embedding. A word is the sum of its tokens. With `against`, a text for each item too, the difference of two scores
    is accounted for, on one path of the signal and both texts. `method` is a path method with a number for a baseline,
    such as `IntegratedGradients`; other options are those of `attribute`. `ValueError` unless there is a text for each
    item.
    """
    sides = {TEXT: texts} | ({} if against is None else {AGAINST: against})
    for name, given in sides.items():
        if isinstance(given, str) or len(given) != len(x):
            got = "one text" if isinstance(given, str) else f"{len(given)}"
            raise ValueError(
                f"{'texts' if name == TEXT else name} must have one entry for each of {len(x)} items; got {got}. Put "
                "them in a list."
            )
    usual = baseline_number(method)
    read = {name: text_signal(pair, given) for name, given in sides.items()}
    signals = {SIGNAL: x} | {name: text.embeddings.to(x) for name, text in read.items()}
    plain = dict.fromkeys(read, Identity())
    joints = [Joint.of(signals, {SIGNAL: one, **plain}) for one in ([domain] if isinstance(domain, Domain) else domain)]
    if (trees := _trees(read)) is not None:
        joints.append(Joint.of(signals, {SIGNAL: Identity(), **trees}))
    model, both, joint = packed(Scored(pair), signals, dict(zip(joints[0].names, joints[0].domains, strict=True)))
    starts = {SIGNAL: usual if baseline is None else baseline} | {name: text.start for name, text in read.items()}
    several = attribute(
        model,
        both,
        score,
        domain=joints,
        method=method,
        baseline=packed_baseline(joint, signals, starts, usual),
        given=[text.mask for text in read.values()],
        batch_size=batch_size,
        exact_passes=exact_passes,
        progress=progress,
    )
    every = [Attributions(one) for one in several]
    in_parts = None if trees is None else every.pop()
    return [_of_item(every, in_parts, read, k) for k in range(len(x))]


def score(output: Tensor) -> Tensor:
    """The target: what a pair returns."""
    return output


def _trees(texts: Mapping[str, TextSignal]) -> dict[str, Domain] | None:
    """`TextHaar` of each side's texts; None where those of a batch are built differently, or have no words."""
    begins = {name: {text.begins(k) for k in range(len(text.texts))} for name, text in texts.items()}
    if any(len(several) > 1 for several in begins.values()) or not all(w for t in texts.values() for w in t.words):
        return None
    return {name: TextHaar().of(next(iter(several))) for name, several in begins.items()}


def _of_item(
    several: Sequence[Attributions], in_parts: Attributions | None, texts: Mapping[str, TextSignal], item: int
) -> PairAccount:
    own = tuple(one.item(item) for one in several)
    parts = None if in_parts is None else in_parts.item(item)
    made = []
    for name, text in texts.items():
        tokens = own[0][name].data[0].sum(0)
        members = text.members(item).to(tokens)
        heats = {} if parts is None else maps.scale_maps(parts[name], signed=True)
        by_part = {scale: members @ heat[0].to(tokens) for scale, heat in heats.items() if scale != SPECIAL}
        words = tuple(word.text for word in text.words[item])
        made.append(TextAccount(text.texts[item], words, members @ tokens, by_part))
    return PairAccount(tuple(made), own, parts)


def baseline_number(method: Any) -> float:
    """The number at which a method's path begins; `ValueError` for methods without a path from one."""
    number = getattr(method, "baseline", None)
    if isinstance(number, bool) or not isinstance(number, int | float) or getattr(method, "takes_references", False):
        raise ValueError(
            f"words are accounted for along a path from one baseline; got {text_of(method)}. Take "
            "IntegratedGradients(tolerance=0.02)."
        )
    return number
