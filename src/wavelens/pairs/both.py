"""All that is said of a signal and its text together: the account, which word counts with which scale, and maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.engine.progress import Progress
from wavelens.methods.lift import Method
from wavelens.models.pairs import Pair, TwoTowers
from wavelens.pairs.account import DEFAULT_METHOD, SIGNAL, PairAccount, baseline_number, pair_accounts
from wavelens.pairs.by_scale import MAX_SCALES, WordsByScale, words_by_scale
from wavelens.pairs.maps import word_maps


@dataclass(frozen=True, eq=False)
class BothSides:
    """A signal and its text explained together.

    `account` has what each coefficient and each word add on one path; `by_scale` the Shapley values of scales and words
    and how they interact, `maps` `(words, 1, channel, size)` where each word is answered. One that is not available is
    None, and `reasons` say why.
    """

    account: PairAccount
    by_scale: WordsByScale | None = None
    maps: Attribution | None = None
    reasons: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the text in their order, then those of the text against it."""
        return self.account.words

    @property
    def signals(self) -> tuple[Attribution, ...]:
        """The signal's side of the account in each domain; scores and gap are those of both sides together."""
        return tuple(replace(a[SIGNAL], gap=a.joint.gap) for a in self.account.attributions)

    @property
    def signal(self) -> Attribution:
        """The signal's side in the first domain."""
        return self.signals[0]


def both_sides(
    pair: Pair,
    x: Tensor,
    text: str,
    *,
    against: str | None = None,
    domain: Domain | Sequence[Domain],
    method: Method = DEFAULT_METHOD,
    interventions: bool = True,
    batch_size: int | None = None,
    exact_passes: bool = False,
    progress: Progress = False,
) -> BothSides:
    """Explain one signal `(1, channel, *axes)` and a text: by coefficient and word, by scale and word, and by map.

    With `against`, another text, it is the difference of their scores. With several domains the account is read in each
    from the same gradients, the rest is of the first. Options are those of `attribute`; without `interventions` scales
    and words are not taken away.
    """
    (account,) = pair_accounts(
        pair,
        x,
        [text],
        against=None if against is None else [against],
        domain=domain,
        method=method,
        batch_size=batch_size,
        exact_passes=exact_passes,
        progress=progress,
    )
    first = domain if isinstance(domain, Domain) else domain[0]
    start, reasons = baseline_number(method), []
    by_scale = maps = None
    scales = len(account.attributions[0][SIGNAL].layout.scales())
    if interventions and scales > MAX_SCALES:
        reasons.append(f"Words by scale take up to {MAX_SCALES} scales; here there are {scales}, so they are left out.")
    elif interventions:
        by_scale = words_by_scale(pair, x, text, against=against, domain=first, baseline=start)
    if isinstance(pair, TwoTowers):
        options: dict[str, Any] = {"baseline": start, "batch_size": batch_size, "progress": progress}
        maps = word_maps(pair, x, text, against=against, domain=first, **options)
    else:
        reasons.append("Maps by word need pairs with a tower for each side; in this one the sides meet earlier.")
    return BothSides(account, by_scale, maps, tuple(reasons))
