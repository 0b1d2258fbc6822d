"""How time and memory grow with the points of a cloud, from 10⁴ to 10⁶: read, bind, transform, explain.

    python benchmarks/points/growth.py                    # all of it, each run in a process of its own
    python benchmarks/points/growth.py --runs graph       # others stay as they are on record

A cloud of points on a bumpy sphere. `read` is a PLY file; `tree` and `graph` are binding, analysis and synthesis in
`TreeHaar` and in `GraphWavelets(order=30)`, whose neighbours SciPy's tree finds beyond 32,768 points; `explain` is
`IntegratedGradients(steps=8)` of a PointNet of widths 16, 32 in `TreeHaar`. Seconds of one run, and its peak of memory
above what Python, its packages and the cloud itself hold.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from harness import records
from harness.arguments import parser
from harness.machine import load
from harness.memory import _status

import wavelens as wl
from wavelens.frontends import Cloud, read_cloud, write_cloud

RESULTS = Path(__file__).parent / "results"
SIZES = (10_000, 100_000, 1_000_000)
RUNS = ("read", "tree", "graph", "explain")
MAX_BYTES = 8e9


class Small(torch.nn.Module):
    """A PointNet of widths 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Conv1d(3, 16, 1), torch.nn.ReLU(), torch.nn.Conv1d(16, 32, 1))
        self.head = torch.nn.Linear(32, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.layers(x).relu().amax(2))
        return logits


def sphere(points: int) -> torch.Tensor:
    """Points on a sphere of 10 m with bumps of 0.2 m, `(1, 3, points)`."""
    directions = torch.randn(1, 3, points, generator=torch.Generator().manual_seed(0))
    directions = directions / directions.norm(dim=1, keepdim=True)
    return directions * (10 + 0.2 * (20 * directions[:, :1]).sin() * (20 * directions[:, 1:2]).sin())


def once(run: str, points: int) -> dict[str, float]:
    """Seconds and peak bytes of one run in this process."""
    torch.manual_seed(0)
    x, net = sphere(points), Small().eval()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cloud.ply"
        write_cloud(path, Cloud(x, "m"))
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before, start = _status("VmRSS:"), time.perf_counter()
        if run == "read":
            assert read_cloud(path).points == points
        elif run == "explain":
            a = wl.attribute(net, x, 1, domain=wl.TreeHaar(), method=wl.IntegratedGradients(steps=8))
            assert a.gap is not None
        else:
            domain: wl.Domain = wl.TreeHaar() if run == "tree" else wl.GraphWavelets(order=30)
            back = domain.analysis(x).synthesis()
            assert (back - x).norm() < (1e-4 if run == "tree" else 0.1) * x.norm()
        return {"seconds": time.perf_counter() - start, "bytes": _status("VmHWM:") - before}


def apart(run: str, points: int) -> dict[str, Any]:
    """The same in a process of its own, which begins as a copy of this one: what it takes goes when it ends."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        made = pool.apply(once, (run, points))
    return {"seconds": round(made["seconds"], 3), "peak memory, MB": round(made["bytes"] / 1e6, 1)}


def growth(rows: list[dict[str, Any]], key: str) -> float:
    """The power of the number of points that a figure grows with, the mean over neighbouring sizes."""
    known = [row for row in rows if row[key] > 0]
    powers = [math.log(b[key] / a[key]) / math.log(b["points"] / a["points"]) for a, b in pairwise(known)]
    return round(sum(powers) / len(powers), 2) if powers else math.nan


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--points", type=int, nargs="*", default=list(SIZES))
    options.add_argument("--runs", choices=RUNS, nargs="*", default=list(RUNS))
    given = options.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[dict[str, Any]]] = {run: [] for run in given.runs}
    for run in given.runs:
        for points in given.points:
            rows[run].append({"points": points, **apart(run, points)})
            print(run, rows[run][-1])
    path = RESULTS / "growth.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": {}}
    loads = {run: earlier.get("load") for run in earlier["rows"]} | earlier.get("loads", {})
    loads |= dict.fromkeys(rows, load())
    rows = {run: own for run in RUNS if (own := rows.get(run, earlier["rows"].get(run)))}
    powers = {run: {key: growth(own, key) for key in ("seconds", "peak memory, MB")} for run, own in rows.items()}
    largest = max(row["peak memory, MB"] for own in rows.values() for row in own)
    record = {
        "loads": {run: loads[run] for run in rows},
        "within 8 GB": bool(largest * 1e6 < MAX_BYTES),
        "growth, power of points": powers,
        "rows": rows,
    }
    print(records.write(path, record))


if __name__ == "__main__":
    main()
