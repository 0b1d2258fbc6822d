"""The tables of docs/planted.md on real photos, sounds and scans, from the record of real.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.tables import table

Record = dict[str, Any]
KINDS = {"photo": "photos", "sound": "sounds", "scan": "scans"}
DOMAINS = {"DWT haar": "real, in Haar", "DWT db4": "real, in db4", "Identity": "real, in samples"}
MEASURED = ("accuracy", "moved", "exchanged", "removed", "distractor", "background")


def tables(record: Record) -> dict[str, str]:
    """By the name of its mark in the page."""
    made = {name: orders(record, key) for key, name in DOMAINS.items()}
    return {"real networks": networks(record), "real differences": differences(record)} | made


def networks(record: Record) -> str:
    """What moves each network's answer, on signals whose items it was neither trained nor chosen on."""
    lines = [
        [name, one["task"], str(one["judging signals"]), *(f"{one['judging'][key]:.3f}" for key in MEASURED)]
        for name, one in record["networks"].items()
    ]
    return table(["network", "task", "signals", *MEASURED], lines)


def orders(record: Record, domain: str) -> str:
    """Precision of every order by kind of signal, with intervals over items; the largest mean of kinds first."""
    cells = {kind: record["results"][kind][domain]["orders"] for kind in KINDS if kind in record["results"]}
    names = dict.fromkeys(name for orders in cells.values() for name in orders)
    ranked = sorted(names, key=lambda name: -mean([c[name]["precision"][0] for c in cells.values() if name in c]))
    head = ["order", *(f"{KINDS[kind]} (n {record['items by kind'][kind]})" for kind in cells)]
    return table(
        head, [[name, *(shown(c[name]["precision"]) if name in c else "" for c in cells.values())] for name in ranked]
    )


def differences(record: Record) -> str:
    """How far the order chosen on noise is ahead of others, paired by item, by kind of signal and domain."""
    names = list(next(iter(next(iter(record["results"].values())).values()))["differences"])
    lines = [
        [KINDS[kind], domain, *(shown(cell["differences"][name]) for name in names)]
        for kind, domains in record["results"].items()
        for domain, cell in domains.items()
    ]
    return table(["signals", "domain", *names], lines)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def shown(value: Sequence[float]) -> str:
    middle, low, high = (f"{round(v, 2) + 0.0:.2f}" for v in value)  # no -0.00
    return f"{middle} [{low}, {high}]"
