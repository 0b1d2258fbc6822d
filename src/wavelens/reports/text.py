"""The texts of an entry as HTML: the sentence on top, the model's answer, and the record."""

from __future__ import annotations

import re
from typing import Any

from wavelens.accounts import rounding_of
from wavelens.attribution import Attribution
from wavelens.grid import Grid
from wavelens.own import text_of
from wavelens.reports.entry import Chance, Detected, Entry
from wavelens.reports.markup import Html, joined, tag
from wavelens.reports.numerals import number, percent, scalar, signed, unbroken
from wavelens.reports.scales import share_errors, told_by
from wavelens.reports.tables import bar, headings
from wavelens.wording import target_in_words

PASSES = {"fastest": "in the fastest equivalent form of the model", "exact": "of the model exactly as it is"}


def sentence(entry: Entry) -> Html:
    """The largest contributions, then the model's answer, what was explained and what it adds up to."""
    opening = None if entry.further else _largest(entry)  # of several domains each block says it
    return tag("p", opening, *_answered(entry), *_account(entry), class_="sentence")


def domain_heading(entry: Entry, is_part: bool = False) -> Html:
    """Which domain the numbers and pictures below are of, and of which part, and the largest contributions in it."""
    opening = _largest(entry)
    domain = text_of(entry.attribution.layout.domain)
    return tag(
        "header",
        tag("h3", f"{entry.name} · {domain}" if is_part else domain, class_="domain"),
        tag("p", opening, class_="sentence") if opening else None,
        class_="lead",
    )


def _largest(entry: Entry) -> Html | None:
    """The largest contributions by both accounts; nothing where there is one scale."""
    told = told_by(entry)
    first = " ".join(text for text in (told.largest, told.by_shapley) if text)
    return joined(tag("span", first, class_="first"), " ") if first else None


def account(a: Attribution, item: int = 0) -> str:
    """What the signed sums of an item add up to, and what they miss, in a line."""
    if a.data.is_complex():
        return f"Its gradients are complex; their moduli add up to {number(float(a.data[item].abs().sum()))}."
    total = f"Its signed sums add up to {signed(float(a.data[item].sum()))}"
    if a.gap is None or a.score is None or a.baseline_score is None:
        return f"{total}."
    rise, gap = float(a.score[item] - a.baseline_score[item]), float(a.gap[item])
    if abs(gap) <= rounding_of(a.item(item)):
        return f"{total}; the score {_way(rise)}, which is the same up to rounding."
    return f"{total}; the score {_way(rise)}, and the gap between them is {signed(gap)}."


def _way(rise: float) -> str:
    return f"{'rises' if rise >= 0 else 'falls'} by {number(abs(rise))}"


def _explained(entry: Entry, one: Chance) -> bool:
    """Whether a class is the explained one; classes may share their name, not their index."""
    return one.label == entry.label if entry.index is None else one.index == entry.index


def _answered(entry: Entry) -> list[Html]:
    """The model's answer, where it is known and is not what was explained."""
    if not entry.classes or _explained(entry, entry.classes[0]):
        return []
    best = entry.classes[0]
    return [joined("The model's answer is ", tag("b", entry.short(best.label)), f"{_in_brackets(best)}. ")]


def _in_brackets(one: Chance) -> str:
    return "" if one.probability is None else f" ({percent(one.probability)})"


def _account(entry: Entry) -> list[Html]:
    """What the score is and, for a path method, how its rise adds up."""
    a, label = entry.attribution, tag("b", shown_label(entry))
    score, start, gap = (scalar(getattr(a, name, None)) for name in ("score", "baseline_score", "gap"))
    chance = next((_in_brackets(one) for one in entry.classes if _explained(entry, one)), "")
    if score is None:
        return [joined("What supports and what opposes ", label, chance, ".")]
    if start is None or gap is None:
        return [joined("The score of ", label, chance, f" is {number(score)}. This is what it is sensitive to.")]
    rise, floor = score - start, rounding_of(a)
    opening = joined("The score of ", label, chance, f" is {number(score)}")
    if abs(rise) <= floor and abs(gap) <= floor:
        return [joined(opening, f", the same as for {entry.start}: the scales add up to zero.")]
    part = f" ({percent(abs(gap / rise))})" if abs(rise) > floor else ""
    how = "scale by scale" if entry.sides is None else "scale by scale and word by word"
    missed = f"to within {abs(gap):.3g}{part}" if abs(gap) > floor else "up to rounding"
    return [joined(opening, f". Over {entry.start} it {_way(rise)}, "), joined(f"accounted for {how} {missed}.")]


def note(entry: Entry) -> Html | None:
    """A line of caution, if there is one."""
    return tag("p", entry.note, class_="note", role="note") if entry.note else None


def answer(entry: Entry) -> Html | None:
    """The model's classes with their probabilities as bars; the explained one is marked."""
    if not entry.classes:
        return None
    rows = [_chance(one, entry.short(one.label), _explained(entry, one)) for one in entry.classes]
    return tag(
        "section",
        tag("h3", "The model's answer"),
        tag("table", tag("thead", headings("class", "probability", "logit")), tag("tbody", *rows), class_="answer"),
        class_="card",
    )


def objects(entry: Entry) -> Html | None:
    """What a detector finds, with probabilities as bars; the explained one is marked."""
    if not entry.objects:
        return None
    rows = [_object(one) for one in entry.objects]
    return tag(
        "section",
        tag("h3", "What the model detects"),
        tag(
            "table",
            tag("thead", headings("object", "probability", "box in pixels")),
            tag("tbody", *rows),
            class_="answer",
        ),
        class_="card",
    )


def _object(one: Detected) -> Html:
    mark = tag("span", "explained", class_="mark") if one.explained else None
    return tag(
        "tr",
        tag("th", one.name, mark and " ", mark, scope="row"),
        tag("td", bar(one.probability, 1.0), tag("span", percent(one.probability)), class_="measure"),
        tag("td", one.box, class_="number"),
        class_="explained" if one.explained else None,
    )


def _chance(one: Chance, name: str, explained: bool) -> Html:
    mark = tag("span", "explained", class_="mark") if explained else None
    chance = one.probability
    shown = ["—"] if chance is None else [bar(chance, 1.0), tag("span", percent(chance))]
    return tag(
        "tr",
        tag("th", name, mark and " ", mark, scope="row", title=one.label),
        tag("td", *shown, class_="measure"),
        tag("td", number(one.logit), class_="number"),
        class_="explained" if explained else None,
    )


def record(entry: Entry) -> Html:
    """How the explanation came about, and the command that makes it again."""
    lines = {**entry.facts, **_parameters(entry)}
    pairs = [piece for name, value in lines.items() for piece in (tag("dt", name), tag("dd", value))]
    return tag(
        "section",
        tag("h3", "How it was made"),
        tag("dl", *pairs),
        tag("h3", "Make it again", class_="again"),
        tag("pre", tag("code", entry.command or _call(entry)), tabindex="0", class_="command"),
        class_="card record",
    )


def _parameters(entry: Entry) -> dict[str, str]:
    a = entry.attribution
    errors, spent, made = share_errors(a), getattr(a, "spent", None), dict(getattr(a, "provenance", {}))
    model = {} if "model" in entry.facts else {"model": made.get("model", "")}
    made.pop("model", None)
    place = {name: made.pop(name) for name in ("device", "dtype") if name in made}
    passes = made.pop("passes", "")
    parameters = {
        **model,
        "method": getattr(a, "method", ""),
        "domain": ", ".join(text_of(c.layout.domain) for c in (a, *entry.further)),
        "target": f"{getattr(a, 'target', '')} {entry.label}".strip(),
        "passes": PASSES.get(passes, passes),
        "gradients": "" if spent is None else _gradients(int(spent.max()), str(getattr(a, "method", ""))),
        "standard error": f"at most {percent(max(errors))} of a scale's share" if errors else "",
        "completeness gap": _gap(a),
        "input": "; ".join(map(_shape, entry.parts or [entry])) + ", channels first",
        "rate" if "Hz" in entry.place.units else "spacing": _spacing(entry),
        "device": ", ".join(place.values()),
        "versions": ", ".join(f"{name} {value}" for name, value in made.items()),
    }
    return {name: value for name, value in parameters.items() if value}


def _gradients(spent: int, method: str) -> str:
    """How many were taken; with a tolerance it is no number of steps that the method names."""
    by_need, most = re.search(r"\btolerance=(?!None\b)", method), re.search(r"\bmax_\w+=(\d+)", method)
    limit = f" (at most {most[1]})" if most else ""
    return f"{spent}, as many as the tolerance needs{limit}" if by_need else str(spent)


def _shape(entry: Entry) -> str:
    return " × ".join(map(str, entry.x.shape[1:]))


def _gap(a: Any) -> str:
    gap, score, start = (scalar(getattr(a, name, None)) for name in ("gap", "score", "baseline_score"))
    if gap is None or score is None or start is None:
        return ""
    is_rise = abs(score - start) > rounding_of(a)
    part = f", {percent(abs(gap / (score - start)))} of f(x) − f(x₀)" if is_rise else ""
    return f"{signed(gap)}{part}"


def _spacing(entry: Entry) -> str:
    """How far samples lie apart, where that is more than one from another."""
    if entry.place == Grid.plain(len(entry.place.units)) or entry.place.units == ("tokens",):
        return ""
    pairs = zip(entry.place.spacing, entry.place.units, strict=True)
    texts = [f"{1 / step:.6g} Hz" if unit == "Hz" else f"{step:.4g} {unit}" for step, unit in pairs]
    return unbroken(texts[0] if len(set(texts)) == 1 else " × ".join(texts))


def _call(entry: Entry) -> str:
    a = entry.attribution
    method = getattr(a, "method", "") or "…"
    domain, method = _python(text_of(a.layout.domain)), _python(method)
    return f"wl.attribute(model, x, target={getattr(a, 'target', '…')}, domain={domain}, method={method})"


def _python(text: str) -> str:
    """The text of a value as one writes it after `import wavelens as wl`, or after the import of one's own module."""
    module, colon, name = text.partition(":")
    return f"{module}.{name}" if colon and module.replace(".", "").isidentifier() else f"wl.{text}"


def title(entry: Entry) -> str:
    """What a window is called: the entry's name and the explained class with its probability, where it has any."""
    name, label = entry.name, shown_label(entry)
    chance = next((_in_brackets(one) for one in entry.classes if _explained(entry, one)), None)
    return (name or label) if chance is None else f"{name}{': ' * bool(name)}{label}{chance}"


def shown_label(entry: Entry) -> str:
    """The explained class, or the target where it has no name."""
    return entry.short(entry.label) or f"target {target_in_words(getattr(entry.attribution, 'target', ''))}".strip()
