"""The parts of a signal that a network takes, in its order: channels of a series, bands of a raster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

MAX_NAMES_SHOWN = 12


def places_by_name(
    names: Sequence[str],
    present: Sequence[str],
    place: Callable[[str, Sequence[str]], int | None],
    *,
    parts: str,
    signal: str,
    advice: str,
) -> list[int]:
    """Where the parts of these names are, as `place` says; `ValueError` if it knows no place of some."""
    places = [place(name, present) for name in names]
    if missing := [name for name, one in zip(names, places, strict=True) if one is None]:
        raise ValueError(
            f"the network takes the {parts} {listed(names)}; the {signal} lacks {listed(missing)} and has "
            f"{listed(present)}. {advice}"
        )
    return [one for one in places if one is not None]


def places_by_count(
    count: int, available: int, names: Sequence[str], *, parts: str, signal: str, advice: str
) -> list[int]:
    """All parts as they are; `ValueError` unless there are as many as the network takes."""
    if available != count:
        raise ValueError(f"the network takes {count} {parts}; the {signal} has {available}: {listed(names)}. {advice}")
    return list(range(count))


def listed(names: Iterable[str]) -> str:
    """The first names in words, and how many more there are."""
    shown = list(names)
    more = len(shown) - MAX_NAMES_SHOWN
    return ", ".join(shown[:MAX_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
