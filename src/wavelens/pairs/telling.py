"""What an account of words says, in sentences and as records."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from wavelens.accounts import beyond, largest, listed, rounding_of, short_signed
from wavelens.attribution import Attribution
from wavelens.pairs.both import BothSides
from wavelens.pairs.by_scale import WordsByScale

MIN_TOLD_PART = 0.1  # of the largest value of a word: interactions below it are not told


def sentences(both: BothSides) -> list[str]:
    """The largest words by both accounts, which word counts with which scale, and what there is not."""
    account, by_scale, floor = both.account, both.by_scale, rounding_of(both.signal)
    texts = [_largest("The word{s} with the largest contribution{s} {are}", account.titles, account.values, floor)]
    if by_scale is not None:
        texts.append(_largest("By Shapley value {they} {are}", account.titles, by_scale.word_values, floor))
        texts.append(_together(by_scale, account.titles, floor))
        texts.append(_exactness(by_scale))
    if both.maps is not None:
        texts.append(_shared(both.maps))
    return [text for text in (*texts, *both.reasons) if text]


def record(both: BothSides) -> dict[str, Any]:
    """For JSON: the text, a row for each word, and the text scale by scale.

    Rows of the words of a text against it say so, and scales have a number for each text.
    """
    account, by_scale = both.account, both.by_scale
    rows: list[dict[str, Any]] = [
        {"word": word, "signed": value, **({"against": True} if k else {})}
        for k, one in enumerate(account.texts)
        for word, value in zip(one.words, one.values.tolist(), strict=True)
    ]
    summary: dict[str, Any] = {"text": account.text, **({"against": account.against} if account.against else {})}
    summary |= {"rows": rows, "text_scales": account.parts}
    if by_scale is not None:
        for k, row in enumerate(rows):
            row |= {"shapley": float(by_scale.word_values[k]), "interaction": by_scale.interaction[:, k].tolist()}
        summary |= {
            "scales": list(by_scale.scales),
            "scales_shapley": by_scale.scale_values.tolist(),
            "exact": by_scale.standard_error is None,
            "readings": by_scale.passes[0],
            "texts": by_scale.passes[1],
        }
    if both.maps is not None:
        assert both.maps.gap is not None
        sums, missed = both.maps.data.flatten(1).sum(1).tolist(), both.maps.gap.flatten().tolist()
        for row, value, gap in zip(rows, sums, missed, strict=True):
            row |= {"with_signal": value, "with_signal_gap": gap}
    return summary | {"reasons": list(both.reasons)}


def _largest(opening: str, words: tuple[str, ...], values: Tensor, floor: float) -> str:
    numbered = {f"{k} {word}": value for k, (word, value) in enumerate(zip(words, values.tolist(), strict=True))}
    named = [f"{name.split(' ', 1)[1]} ({short_signed(value)})" for name, value in largest(beyond(numbered, floor), 3)]
    several = {"s": "s", "are": "are", "they": "they"} if len(named) > 1 else {"s": "", "are": "is", "they": "it"}
    return f"{opening.format(**several)} {listed(named)}." if named else ""


def _together(by_scale: WordsByScale, words: tuple[str, ...], floor: float) -> str:
    """The word and the scale that count together most, and those that stand in for each other most."""
    table = by_scale.interaction
    pairs = [
        (float(table[i, j]), word, scale) for j, word in enumerate(words) for i, scale in enumerate(by_scale.scales)
    ]
    least = max(MIN_TOLD_PART * float(by_scale.word_values.abs().max()), floor)
    high, low, parts = max(pairs), min(pairs), []
    if high[0] > least:
        parts.append(f"{high[1]} and {high[2]} count together most ({short_signed(high[0])})")
    if low[0] < -least:
        parts.append(f"{low[1]} and {low[2]} stand in for each other most ({short_signed(low[0])})")
    return f"Of all words and scales, {listed(parts)}." if parts else "No word depends on one scale much."


def _shared(maps: Attribution) -> str:
    """What needs both sides, and what the maps miss of it."""
    assert maps.score is not None
    assert maps.baseline_score is not None
    assert maps.gap is not None
    shared, missed = float((maps.score - maps.baseline_score).sum()), float(maps.gap.sum())
    rest = "account for all" if abs(missed) <= rounding_of(maps) else f"miss {short_signed(missed)}"
    return f"What signal and words share is {short_signed(shared)}; the maps by word {rest} of it."


def _exactness(by_scale: WordsByScale) -> str:
    readings, texts = by_scale.passes
    passes = f"{readings:,} readings of the signal and {texts:,} texts"
    if by_scale.standard_error is None:
        return f"The Shapley values are exact, by {passes}."
    return (
        f"The Shapley values are sampled over orders of the words, by {passes}; interactions have standard errors up "
        f"to {short_signed(float(by_scale.standard_error.max())).lstrip('+')}."
    )
