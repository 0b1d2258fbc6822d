"""Planted truth on spheres: does the account of a trained network name the width of the bumps that it looks for?

    python benchmarks/points/bumps.py                 # resumed where it stopped; a network is trained in a minute
    python benchmarks/points/bumps.py --items 20      # spheres explained for each width

Spheres of 2 m, meshes of 642 vertices. A patch is a wave across the surface under a bell of 0.7 m, whose half wave, the
width of a bump, is 0.45, 0.64 or 0.9 m, at a place and in a direction drawn at random. Every sphere has a distractor, a
patch of one of the two other widths, 1.5 times as high; in class 1 it has a patch of the task's own width as well. So
the distractor tells nothing and has more energy. A network is trained for each width: filters of heights by
differences to neighbouring vertices, and the maximum and the mean over vertices.

Of unseen spheres of class 1 the difference of the two logits is explained, from the sphere without bumps, in
`GraphWavelets(levels=6, edges="mesh")`, whose scales have lengths. Counted is how often the scale that a method names,
the one with the largest sum, spans the width, and how often the vertex with the largest γ lies within 1 m of the
patch's middle. Controls: the squares of the coefficients of the bumps (energy), a draw (random), and `pattern`, the
scale of most energy of the patch by itself, which says how well the domain tells these widths apart. `removed` is how
often the network still finds its patch where that was left out.
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import numpy as np
import objects
import torch
from objects import interval, rows
from torch import Tensor, nn

import wavelens as wl

SMALL = {"items": 100, "seed": 0, "iterations": 200}
WIDTHS = (0.45, 0.64, 0.9)  # metres
RADIUS, BELL, HEIGHT, LOUDER, NOISE = 2.0, 0.7, 0.06, 1.5, 0.004  # metres, and times as high
SUBDIVISIONS, LEVELS, BATCH, NEAR = 3, 6, 32, 1.0
DOMAIN = wl.GraphWavelets(levels=LEVELS, edges="mesh")
START = wl.Sphere()
TARGET = wl.targets.Contrast(1, 0)
METHODS = {
    "IG": lambda steps: wl.IntegratedGradients(steps=steps, baseline=START),
    "SmoothGrad": lambda steps: wl.SmoothGrad(samples=16, sigma=0.002),
    "saliency": lambda steps: wl.Saliency(),
}


@cache
def sphere() -> tuple[Tensor, Tensor]:
    """An icosphere: directions `(3, vertices)` and faces `(faces, 3)`."""
    golden = (1 + 5**0.5) / 2
    corners = [(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    points = [tuple(np.roll(corner, turn)) for turn in range(3) for corner in corners]
    distances = np.linalg.norm(np.array(points)[:, None] - np.array(points)[None], axis=2)
    near = np.abs(distances - 2) < 1e-6
    faces = [
        (i, j, k) for i in range(12) for j in range(i) for k in range(j) if near[i, j] and near[j, k] and near[i, k]
    ]
    for _ in range(SUBDIVISIONS):
        middles: dict[tuple[int, int], int] = {}
        halved = []
        for a, b, c in faces:
            ends = []
            for i, j in ((a, b), (b, c), (c, a)):
                if (pair := (min(i, j), max(i, j))) not in middles:
                    middles[pair] = len(points)
                    points.append(tuple((np.array(points[i]) + np.array(points[j])) / 2))
                ends.append(middles[pair])
            ab, bc, ca = ends
            halved += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        faces = halved
        points = [tuple(np.array(point) / np.linalg.norm(point)) for point in points]
    return torch.tensor(np.array(points, dtype=np.float32)).T, torch.tensor(faces)


@cache
def neighbours() -> Tensor:
    """The neighbours of each vertex, `(vertices, 6)`; of those with five one is there twice."""
    directions, faces = sphere()
    several: list[set[int]] = [set() for _ in range(directions.shape[1])]
    for face in faces.tolist():
        for i in face:
            several[i] |= set(face) - {i}
    return torch.tensor([(sorted(one) * 2)[:6] for one in several])


class Looking(nn.Module):
    """Two logits of spheres `(batch, 3, vertices)`: filters of heights by differences to neighbours, then two pools."""

    def __init__(self, filters: int = 5, width: int = 16, hops: int = 2) -> None:
        super().__init__()
        self.filters, self.hops = filters, hops
        self.first, self.norm_first = nn.Conv1d(filters, width, 1), nn.BatchNorm1d(width)
        self.second, self.norm_second = nn.Conv1d((hops + 1) * width, width, 1), nn.BatchNorm1d(width)
        self.head = nn.Linear(2 * width, 2)

    def forward(self, x: Tensor) -> Tensor:
        several = [10 * (x.norm(dim=1, keepdim=True) - RADIUS)]
        for _ in range(1, self.filters):
            several.append(several[-1] - nearby(several[-1]))
        around = [nn.functional.gelu(self.norm_first(self.first(torch.cat(several, 1))))]
        for _ in range(self.hops):
            around.append(nearby(around[-1]))
        features = nn.functional.gelu(self.norm_second(self.second(torch.cat(around, 1))))
        logits: Tensor = self.head(torch.cat([features.amax(2), features.mean(2)], 1))
        return logits


def nearby(values: Tensor) -> Tensor:
    """The mean over the neighbours of each vertex, `(batch, channel, vertices)`."""
    mean: Tensor = values[..., neighbours()].mean(-1)
    return mean


def drawn(task: int, count: int, seed: int, present: Tensor) -> dict[str, Tensor]:
    """Spheres `(count, 3, vertices)`, the same `without` the task's patch, the `patch` alone, and its middle."""
    source = torch.Generator().manual_seed(seed)
    directions, _ = sphere()
    others = [k for k in range(len(WIDTHS)) if k != task]
    widths = torch.tensor(WIDTHS)[torch.tensor(others)[torch.randint(2, (count,), generator=source)]]
    own, middles = waves(torch.full((count,), WIDTHS[task]), source)
    distractor, _ = waves(widths, source)
    noise = NOISE * torch.randn(count, directions.shape[1], generator=source)
    rest = RADIUS + LOUDER * distractor + noise
    return {
        "x": directions * (rest + present[:, None] * own)[:, None],
        "without": directions * rest[:, None],
        "patch": directions * (RADIUS + own)[:, None],
        "middles": middles,
    }


def waves(widths: Tensor, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Waves with these half waves under bells, `(count, vertices)` in metres, and their middles' directions."""
    directions, _ = sphere()
    middles = nn.functional.normalize(torch.randn(len(widths), 3, generator=source), dim=1)
    turned = nn.functional.normalize(torch.randn(len(widths), 3, generator=source), dim=1)
    along = nn.functional.normalize(torch.linalg.cross(middles, turned), dim=1)
    phases = 2 * math.pi * torch.rand(len(widths), 1, generator=source)
    places = RADIUS * directions
    distance = RADIUS * (middles @ directions).clamp(-1, 1).acos()
    wave = (math.pi * (along @ places) / widths[:, None] + phases).cos()
    return HEIGHT * wave * (-0.5 * (distance / BELL) ** 2).exp(), middles


@cache
def trained(task: int, seed: int, iterations: int) -> Looking:
    """The network of a task, by batches that are drawn anew each time."""
    torch.manual_seed(seed)
    net = Looking()
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=iterations)
    present = torch.arange(BATCH) % 2
    for step in range(iterations):
        x = drawn(task, BATCH, 1_000_003 * (seed + 1) + step, present)["x"]
        loss = nn.functional.cross_entropy(net(x), present)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def row(task: int, *, items: int, steps: int, seed: int, iterations: int) -> rows.Row:
    """All numbers of a task, one per sphere."""
    net = trained(task, seed, iterations)
    present = torch.arange(200) % 2
    test = drawn(task, 200, 7_000_000 + seed, present)
    with torch.no_grad():
        right = (net(test["x"]).argmax(1) == present).double()
        removed = net(test["without"][present == 1]).argmax(1).double()
        own = drawn(task, items, 9_000_000 + seed, torch.ones(items))
    bound = DOMAIN.of_mesh(RADIUS * sphere()[0][None], sphere()[1])
    made = named(net, own, bound, task, steps, seed)
    return {"right": right.tolist(), "removed": removed.tolist(), **made}


def named(net: nn.Module, own: dict[str, Tensor], bound: Any, task: int, steps: int, seed: int) -> rows.Row:
    """Of each method and control whether its scale spans the width, and whether its largest vertex lies near."""
    x, names = own["x"], bound.layout((own["x"].shape[2],)).scales()
    extents = {name: scale.extent[0] for name, scale in names.items()}
    spans = torch.tensor([extents[name].low <= WIDTHS[task] < extents[name].high for name in names])
    assert int(spans.sum()) == 1
    scales, places, gaps = {}, {}, []
    for name, make in METHODS.items():
        a = wl.attribute(net, x, TARGET, domain=bound, method=make(steps))
        profile, has_signs = wl.maps.profile(a), name == "IG"
        scales[name], places[name] = (
            profile.signed if has_signs else profile.share,
            wl.maps.spatial_map(a, signed=has_signs),
        )
        if has_signs:
            scales["IG, |γ|"], rise = profile.share, (a.score - a.baseline_score).abs()
            gaps = (a.gap.abs() / rise.clamp_min(1e-9)).tolist()
    values = wl.shapley(net, x, TARGET, domain=bound, baseline=START(x))
    scales["Shapley values"] = values.values
    bumps = bound.analysis(x - START(x))
    scales["energy"] = _energy(bumps)
    places["energy"] = wl.maps.spatial_map(bumps.map(torch.square))
    scales["pattern"] = _energy(bound.analysis(own["patch"] - START(own["patch"])))
    source = torch.Generator().manual_seed(seed)
    scales["random"] = torch.rand(len(x), len(names), generator=source)
    places["random"] = torch.rand(len(x), x.shape[2], generator=source)
    middles, (directions, _) = own["middles"], sphere()
    near = RADIUS * (middles @ directions).clamp(-1, 1).acos() < NEAR
    return {
        "scales": {name: spans[sums.argmax(1)].double().tolist() for name, sums in scales.items()},
        "places": {name: near.gather(1, heat.argmax(1, keepdim=True))[:, 0].double().tolist()
                   for name, heat in places.items()},
        "gap": gaps,
        "span": next(one[:2] for one, is_right in zip(extents.values(), spans, strict=True) if is_right),
    }  # fmt: skip


def _energy(c: wl.Coefficients) -> Tensor:
    return wl.maps.profile(c.map(torch.square)).signed


def joined(made: list[rows.Row]) -> dict[str, Any]:
    """The record: each task, and all of them together."""
    record: dict[str, Any] = {"tasks": {}}
    for one in made:
        record["tasks"][f"{WIDTHS[one['key']['task']]:g} m"] = {
            "scale that spans it, m": [round(end, 3) for end in one["span"]],
            "accuracy": interval(one["right"]),
            "patch found where it was removed": interval(one["removed"]),
            "gap, part of the rise": interval(one["gap"]),
            "scale": {name: interval(values) for name, values in one["scales"].items()},
            "place": {name: interval(values) for name, values in one["places"].items()},
        }
    for part in ("scales", "places"):
        names = made[0][part]
        record[f"all, {part}"] = {name: interval([v for one in made for v in one[part][name]]) for name in names}
    return record | {"items": sum(len(one["scales"]["IG"]) for one in made)}


def main(argv: list[str] | None = None) -> None:
    given = objects.sized(__doc__, SMALL, {}, objects.RESULTS, argv)
    settings = {"items": given.items, "seed": given.seed, "iterations": given.iterations, "steps": 16,
                "domain": repr(DOMAIN), "widths": WIDTHS}  # fmt: skip
    compute = partial(row, items=given.items, steps=16, seed=given.seed, iterations=given.iterations)
    made = rows.each(rows.place("bumps"), settings, [{"task": k} for k in range(len(WIDTHS))], compute)
    print(objects.records.write(given.results / "bumps.json", {"settings": settings, **joined(made)}))


if __name__ == "__main__":
    main()
