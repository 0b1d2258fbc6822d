"""LUDB: does the attribution of a P, a QRS or a T lie on that wave? A pointing game with truth in time.

    python benchmarks/series/ludb.py            # 50 patients that the network was not trained on, one lead of each
    FULL=1 python benchmarks/series/ludb.py     # three leads of each

The U-Net marks each sample of a lead as none, P, QRS or T. Cardiologists marked every wave of the records. Leads, and
one wave of each kind, are drawn by a fixed seed among those whose middle sample the network names rightly. Targets:

    sample   the logit of the kind at the middle sample of one wave; truth is that wave
    record   the mean of the kind's logit over all annotated samples; truth is every wave of the kind

The second says nothing of where: a map that lies on the waves has it from the network. Controls are the energy order
of the same domain, a random order (the part of the time that the truth has), and for `sample` the target's own place,
which hits always: what a hit is worth there is said by the mass. Integrated gradients and SmoothGrad are read in
wavelets and in samples (pixel-wise) from the same gradients. What the network goes by is asked as well: how far the
logit at the wave's middle falls when that wave is erased (a straight line from end to end), when the nearest QRS is,
and when as long a stretch without a wave is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import recordings
import torch
from recordings import Array, rows
from torch import Tensor

import wavelens as wl

SMALL = {"leads": 1, "patients": 50, "seed": 0, "steps": 16}
FULL = {"leads": 3}
KINDS = {"P": 1, "QRS": 2, "T": 3}
RATE = 250.0
DOMAINS = {"wavelets": wl.DWT("db4", levels=6), "samples": wl.Identity()}
ERASED = ("itself", "nearest QRS", "no wave")
READINGS = ("magnitude", "signed")


def prepared(patient: int, lead: int) -> Tensor:
    """A lead as the network takes it."""
    volts = torch.from_numpy(recordings.ludb()["microvolt"][patient, lead].astype(np.float32) / 1000)[None, None]
    return recordings.Traces((1, 2500), RATE, scaling="median-peak")(wl.frontends.Series(volts, RATE))


def spans(wave: Array, kind: int, annotated: Array) -> list[tuple[int, int]]:
    """From where to where each wave of a kind reaches, inside what is annotated."""
    inside = np.zeros(len(wave) + 2, bool)
    inside[1:-1] = wave == kind
    edges = np.diff(inside.astype(int)).nonzero()[0].reshape(-1, 2)
    return [(int(a), int(b)) for a, b in edges if a >= annotated[0] and b <= annotated[1] + 1]


def methods(steps: int) -> dict[str, Any]:
    return {"IG": wl.IntegratedGradients(steps=steps), "SmoothGrad": wl.SmoothGrad(samples=steps, sigma=0.1)}


def draws(given: Any) -> list[rows.Row]:
    source = np.random.default_rng(given.seed)
    patients = recordings.test_patients()[: given.patients]
    return [
        {"patient": patient, "lead": int(lead)}
        for patient in patients
        for lead in sorted(source.choice(12, given.leads, replace=False))
    ]


def row(patient: int, lead: int, *, steps: int, seed: int) -> rows.Row:
    net, data = network(), recordings.ludb()
    x, wave, annotated = prepared(patient, lead), data["wave"][patient, lead], data["annotated"][patient, lead]
    source = np.random.default_rng([seed, patient, lead])
    first, last = int(annotated[0]), int(annotated[1]) + 1
    asked: dict[str, tuple[Any, Array, float]] = {}
    for name, kind, (start, stop) in asked_waves(net, x, wave, annotated, source):
        one, all_waves = np.zeros(len(wave), bool), wave == kind
        one[start:stop] = True
        middle = (start + stop) // 2
        asked[f"{name}, sample"] = (wl.targets.window(kind, middle), one, float(middle))
        asked[f"{name}, record"] = (wl.targets.window(kind, first, last), all_waves, float("nan"))
    return {"targets": explained(net, x, asked, steps) if asked else {}}


def asked_waves(
    net: Any, x: Tensor, wave: Array, annotated: Array, source: np.random.Generator
) -> list[tuple[str, int, tuple[int, int]]]:
    """A drawn wave of each kind, of those whose middle the network names rightly."""
    with torch.no_grad():
        named = net(x)[0].argmax(0).numpy()
    drawn = []
    for name, kind in KINDS.items():
        right = [span for span in spans(wave, kind, annotated) if named[sum(span) // 2] == kind]
        if right:
            drawn.append((name, kind, right[source.integers(len(right))]))
    return drawn


def erased(patient: int, lead: int, *, seed: int) -> rows.Row:
    """How far the logit of each kind's asked sample falls when a wave is erased."""
    net, data = network(), recordings.ludb()
    x, wave, annotated = prepared(patient, lead), data["wave"][patient, lead], data["annotated"][patient, lead]
    source = np.random.default_rng([seed, patient, lead])
    falls: dict[str, Any] = {}
    for name, kind, (start, stop) in asked_waves(net, x, wave, annotated, source):
        middle = (start + stop) // 2
        others = [span for span in spans(wave, KINDS["QRS"], annotated) if span != (start, stop)]
        nearest = min(others, key=lambda span: abs(sum(span) / 2 - middle), default=None)
        places = {
            "itself": (start, stop),
            "nearest QRS": nearest,
            "no wave": quiet(wave, stop - start, middle, annotated),
        }
        with torch.no_grad():
            logit = {where: float(net(flattened(x, span))[0, kind, middle]) for where, span in places.items() if span}
            whole = float(net(x)[0, kind, middle])
        falls[name] = {where: round(whole - value, 5) for where, value in logit.items()}
    return {"falls": falls}


def flattened(x: Tensor, span: tuple[int, int]) -> Tensor:
    """The lead with a straight line in place of a span."""
    start, stop = max(span[0] - 1, 0), min(span[1], x.shape[-1] - 1)
    line = x.clone()
    line[..., start : stop + 1] = torch.linspace(float(x[..., start]), float(x[..., stop]), stop - start + 1)
    return line


def quiet(wave: Array, length: int, near: int, annotated: Array) -> tuple[int, int] | None:
    """The stretch without a wave that is nearest to a sample and as long."""
    free = [
        start
        for start in range(int(annotated[0]), int(annotated[1]) + 1 - length)
        if not wave[start : start + length].any()
    ]
    start = min(free, key=lambda start: abs(start + length / 2 - near), default=None)
    return None if start is None else (start, start + length)


def explained(net: Any, x: Tensor, asked: dict[str, tuple[Any, Array, float]], steps: int) -> rows.Row:
    several = wl.targets.Several(*(target for target, _, _ in asked.values()))
    cells: dict[str, Any] = {
        name: {"random": float(truth.mean()), "hits": {}, "mass": {}} for name, (_, truth, _) in asked.items()
    }
    for method, made in methods(steps).items():
        read = wl.attribute(net, x, several, domain=list(DOMAINS.values()), method=made)
        for domain, a in zip(DOMAINS, read, strict=True):
            for k, (name, (_, truth, _)) in enumerate(asked.items()):
                c = wl.Coefficients(a.data[k], a.layout)
                for reading in READINGS:
                    judge(cells[name], f"{method}, {domain}, {reading}", recordings.over_time(c, reading), truth)
                if method == "IG" and domain == "wavelets":
                    cells[name]["bands"] = recordings.bands(c, RATE)
                    cells[name]["gap"] = abs(float(a.gap[k, 0])) / max(
                        abs(float(a.score[k, 0] - a.baseline_score[k, 0])), 1e-9
                    )
    for domain, made in DOMAINS.items():
        z = made.analysis(x)
        energy = recordings.over_time(wl.Coefficients(z.data.square(), z.layout), "magnitude")
        for name, (_, truth, _) in asked.items():
            judge(cells[name], f"energy, {domain}", energy, truth)
    return cells


def judge(cell: dict[str, Any], label: str, order: Array, truth: Array) -> None:
    cell["hits"][label] = recordings.hit(order, truth)
    cell["mass"][label] = round(recordings.mass(order, truth), 5)


def network() -> Any:
    return recordings.filled(recordings.WaveUNet(), "more/ecg/ludb_wave_unet.safetensors")


def summary(made: list[rows.Row]) -> dict[str, Any]:
    """Means over patients with intervals: an item is a patient, the mean of its leads."""
    table: dict[str, Any] = {}
    for name in (f"{kind}, {target}" for target in ("sample", "record") for kind in KINDS):
        cells = [(one["key"]["patient"], one["targets"][name]) for one in made if name in one["targets"]]
        if not cells:
            continue
        orders = cells[0][1]["hits"]
        table[name] = {
            "leads": len(cells),
            "patients": len({patient for patient, _ in cells}),
            "random": mean(cells, lambda cell: cell["random"]),
            "hits": {label: mean(cells, lambda cell, label=label: cell["hits"][label]) for label in orders},
            "mass": {label: mean(cells, lambda cell, label=label: cell["mass"][label]) for label in orders},
            "hits, wavelets less samples": mean(cells, lambda cell: difference(cell["hits"], "IG", "magnitude")),
            "mass, wavelets less samples": mean(cells, lambda cell: difference(cell["mass"], "IG", "magnitude")),
            "bands": {
                band: mean(cells, lambda cell, band=band: share(cell["bands"], band)) for band in cells[0][1]["bands"]
            },
            "gap": mean(cells, lambda cell: cell["gap"]),
        }
    return table


def falls(made: list[rows.Row]) -> dict[str, Any]:
    """Mean falls of the logit over patients, and how often the fall for the wave itself is the largest."""
    table: dict[str, Any] = {}
    for name in KINDS:
        cells = [(one["key"]["patient"], one["falls"][name]) for one in made if name in one["falls"]]
        cells = [(patient, cell) for patient, cell in cells if all(place in cell for place in ERASED)]
        table[name] = {"leads": len(cells)}
        for key in ERASED:
            table[name][key] = mean(cells, lambda cell, key=key: cell[key])
        table[name]["itself is the largest"] = mean(
            cells, lambda cell: float(cell["itself"] == max(cell[place] for place in ERASED))
        )
    return table


def difference(scores: dict[str, float], method: str, reading: str) -> float:
    return scores[f"{method}, wavelets, {reading}"] - scores[f"{method}, samples, {reading}"]


def share(sums: dict[str, float], band: str) -> float:
    """A band's part of the score's rise."""
    return sums[band] / sum(sums.values())


def mean(cells: list[tuple[int, Any]], value: Any) -> list[float | None]:
    by_patient: dict[int, list[float]] = {}
    for patient, cell in cells:
        by_patient.setdefault(patient, []).append(value(cell))
    return recordings.interval([float(np.mean(values)) for values in by_patient.values()])


def main(argv: list[str] | None = None) -> None:
    given = recordings.sized(__doc__, SMALL, FULL, recordings.RESULTS, argv)
    settings = {"steps": given.steps, "seed": given.seed, "domains": {k: repr(v) for k, v in DOMAINS.items()}}
    settings |= {"methods": {name: repr(made) for name, made in methods(given.steps).items()}}
    made = rows.each(
        rows.place("ludb"), settings, draws(given), lambda **key: row(**key, steps=given.steps, seed=given.seed)
    )
    fallen = rows.each(
        rows.place("ludb_erased"), {"seed": given.seed}, draws(given), lambda **key: erased(**key, seed=given.seed)
    )
    record = {"settings": settings, "rows": len(made), "targets": summary(made), "falls": falls(fallen)}
    print(recordings.records.write(given.results / "ludb.json", record))


if __name__ == "__main__":
    main()
