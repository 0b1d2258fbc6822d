"""Which differences of a table hold: Holm's correction over the table, and equality within a margin set beforehand.

A table's tests are all of its paired differences, in every network and domain. Records made from now on have a p-value
beside each difference, `"…, p"`, of signs that are flipped at random. Older ones have percentile intervals alone, and
are tested by those (`harness.intervals.p_value`).
"""

from __future__ import annotations

from typing import Any

from record import is_interval, p_value, with_expanded

from wavelens.runs.statistics.intervals import holm

LEAST = 20  # items; nothing is decided by fewer
MARGIN = 0.01  # set before any run of more than `LEAST` items: distances within it count as none
SIGNIFICANT = 0.05
OVER_ENERGY, SHUFFLED = "over energy", "over energy, shuffled"
STARTS = {OVER_ENERGY: "faithfulness", SHUFFLED: "shuffled"}  # the difference to the energy order: of what
MU_OVER_ENERGY = "over energy, μ-fidelity"
DIFFERENCES = STARTS | {MU_OVER_ENERGY: "mu_fidelity"}
TESTED = (*DIFFERENCES, "insertion, less haar's", "deletion, less haar's", "mean level, less the first")
ITEMS = ("items", "photos", "volumes", "clips", "crops")
EQUAL = 2
WORDS = {
    1: "ahead of the energy order",
    0: "not told apart from the energy order",
    -1: "behind the energy order",
    EQUAL: f"equal to the energy order within ±{MARGIN}",
}
Record = dict[str, Any]


def settled(record: Record) -> Record:
    """A record as the page shows it: p-values adjusted for the table, and intervals of one kind."""
    items = next((record[name] for name in ITEMS if isinstance(record.get(name), int)), None)
    for network in record.get("networks", {}).values() if isinstance(record.get("networks"), dict) else ():
        if "named" in network:
            network.setdefault("items", sum(network["named"].values()))
    tests = [(cell, name) for cell in _cells(record) for name in TESTED if _differs(cell, name)]
    p_values = [cell.get(f"{name}, p", _by_interval(cell, name, items)) for cell, name in tests]
    for (cell, name), p in zip(tests, holm(p_values), strict=True):
        cell[f"{name}, p"] = p
    shown: Record = with_expanded(record, items)
    return shown


def _by_interval(cell: Record, name: str, items: int | None) -> float:
    return p_value(cell[name], cell.get("items", items))


def _cells(record: Any) -> list[Record]:
    """Every dictionary in a record."""
    values = record.values() if isinstance(record, dict) else record if isinstance(record, list) else ()
    inner = [cell for value in values for cell in _cells(value)]
    return [record, *inner] if isinstance(record, dict) else inner


def _differs(cell: Record, name: str) -> bool:
    """Whether there is a difference to test: of an order from itself there is none."""
    return is_interval(cell.get(name)) and any(cell[name])


def decided(cell: Record, name: str = OVER_ENERGY, items: int | None = None) -> int:
    """1 or -1 where a difference is above or below 0 after Holm's correction, else 0; of few items always 0."""
    count = cell.get("items", items)
    if count < LEAST or cell.get(f"{name}, p", 1.0) > SIGNIFICANT:
        return 0
    return 1 if cell[name][0] > 0 else -1


def equal(cell: Record, name: str = OVER_ENERGY) -> bool:
    """Whether the whole 95 % interval of a difference lies within the margin, of enough items."""
    _, low, high = cell[name]
    return cell["items"] >= LEAST and low is not None and max(-low, high) <= MARGIN


def standing(cell: Record, name: str = OVER_ENERGY) -> int:
    """A key of `WORDS`: what is equal within the margin is neither ahead nor behind, however small its p-value."""
    return EQUAL if equal(cell, name) else decided(cell, name)
