"""What explanations cost: seconds, peak memory and passes over sizes of photos, clips and volumes; slopes in log–log.

    python benchmarks/paper/cost.py                # 10 samples or steps, once
    FULL=1 python benchmarks/paper/cost.py         # 25, three times

WAM-IG and WAM-SG beside SmoothGrad, integrated gradients and Grad-CAM: EfficientNet-lite0 on photos, YAMNet on clips,
a 3-D residual network on volumes, one item. Each is measured in a process of its own, the least of `repeats` times;
memory is the largest resident set beyond what the process held before. Needs no data: cost does not depend on what
networks have learnt.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
from record import rows
from torch import Tensor, nn

import wavelens as wl
from wavelens.baselines import FromMethod, GradCAM
from wavelens.models.networks.yamnet import RATE, YAMNet

SMALL = {"repeats": 1, "effort": 10, "photos": "64 128 256 512", "clips": "1 3 10 30", "volumes": "28 48 64 96"}
FULL = {"repeats": 3, "effort": 25}
KINDS = {"photos": "EfficientNet-lite0", "clips": "YAMNet", "volumes": "residual"}
METHODS = ("WAM-IG", "WAM-SG", "Integrated Gradients", "SmoothGrad", "GradCAM")
UNITS = {"photos": "{}²", "clips": "{} s", "volumes": "{}³"}


def network(kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == "photos":
        import timm

        return timm.create_model("tf_efficientnet_lite0").eval()
    return YAMNet().eval() if kind == "clips" else wl.models.ResNet3D().eval()


def signal(kind: str, size: int) -> Tensor:
    shape = {"photos": (1, 3, size, size), "clips": (1, 1, size * RATE), "volumes": (1, 1, size, size, size)}[kind]
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def explainer(method: str, kind: str, effort: int) -> Any:
    if method == "GradCAM":
        return GradCAM()
    gradients = wl.IntegratedGradients(steps=effort) if "I" in method else wl.SmoothGrad(samples=effort)
    wavelets = wl.DWT("haar", levels={"photos": 3, "clips": 8, "volumes": 2}[kind])
    return FromMethod(gradients, wavelets if method.startswith("WAM") else wl.Identity())


def held() -> float:
    """The largest resident set so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def measure(kind: str, method: str, size: int, effort: int, repeats: int) -> rows.Row:
    """In this process: the first call is not timed, its memory is."""
    net, x, explain = network(kind), signal(kind, size), explainer(method, kind, effort)
    before = held()
    try:
        found = explain(net, x, 0)
    except ValueError as error:
        return {"left_out": str(error)}
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        explain(net, x, 0)
        took.append(time.perf_counter() - start)
    passes = None if found.spent is None else int(found.spent[0])
    return {"time": round(min(took), 4), "megabytes": round(held() - before, 1), "passes": passes, "samples": x.numel()}


def apart(**key: Any) -> rows.Row:
    """The same in a process of its own."""
    threads = f"torch.set_num_threads({torch.get_num_threads()})"
    call = f"import json, cost, torch; {threads}; print(json.dumps(cost.measure(**{key!r})))"
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    found: rows.Row = json.loads(done.stdout.splitlines()[-1])
    return found


def slope(samples: list[int], seconds: list[float]) -> float | None:
    """Of log seconds over log samples, by least squares; `None` for fewer than two sizes."""
    if len(set(samples)) < 2:
        return None
    return round(float(np.polyfit(np.log(samples), np.log(seconds), 1)[0]), 3)


def summary(found: list[rows.Row], kind: str, sizes: list[int]) -> dict[str, Any]:
    methods = {}
    for method in METHODS:
        mine = [row for row in found if (row["key"]["kind"], row["key"]["method"]) == (kind, method)]
        if any("left_out" in row for row in mine):
            continue
        times = [row["time"] for row in mine]
        methods[method] = {
            "passes": mine[0]["passes"],
            "seconds": times,
            "megabytes": [row["megabytes"] for row in mine],
            "slope": slope([row["samples"] for row in mine], times),
        }
    gone = {row["key"]["method"]: row["left_out"] for row in found if row["key"]["kind"] == kind and "left_out" in row}
    names = [UNITS[kind].format(size) for size in sizes]
    return {"network": KINDS[kind], "sizes": names, "methods": methods, "left_out": gone}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {"effort": given.effort, "repeats": given.repeats, "threads": torch.get_num_threads()}
    sizes = {kind: [int(size) for size in getattr(given, kind).split()] for kind in KINDS}
    keys = [{"kind": k, "method": m, "size": s} for k, several in sizes.items() for s in several for m in METHODS]
    texts = {f"{m}, {k}": repr(explainer(m, k, given.effort)) for k in KINDS for m in METHODS}
    found = rows.each(
        rows.place("cost"),
        settings | {"networks": KINDS, "explainers": texts},
        keys,
        lambda **key: apart(**key, effort=given.effort, repeats=given.repeats),
    )
    kinds = {kind: summary(found, kind, several) for kind, several in sizes.items() if several}
    seconds = round(sum(row["seconds"] for row in found))
    record.write("cost", {"settings": settings, "seconds": seconds, "kinds": kinds}, given.results)


if __name__ == "__main__":
    main()
