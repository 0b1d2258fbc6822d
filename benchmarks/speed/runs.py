"""What a run over a data set costs: seconds and bytes an item, part by part, and what the machinery adds.

    python benchmarks/speed/runs.py [--device cuda] [--photos 32] [--empty 20000]

One photo (scikit-image's cat, as a JPEG) is copied; EfficientNet-lite0 is explained by IntegratedGradients(steps=25) in
DWT('haar', levels=5) and judged by Curves(steps=64), in one worker with one thread. Parts are timed by themselves,
photo by photo, and their median is given, on a CPU in seconds of that thread. The machinery is timed with a task that
does nothing, in shards of 16.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import skimage
import torch
from PIL import Image
from record import parser, synchronise, write
from torch import Tensor

import wavelens as wl
from wavelens import metrics, models, runs
from wavelens.frontends.image import SUFFIXES, read_image
from wavelens.metrics.measures import Curves
from wavelens.runs.evaluation import Evaluation, weights_digest
from wavelens.runs.samples import samples
from wavelens.runs.store.shards import write_shard
from wavelens.runs.task import alike

WALL = "cpu, by the wall"  # where the disk is waited for
EXPLAINER = wl.baselines.FromMethod(wl.IntegratedGradients(steps=25), wl.DWT("haar", levels=5))


@dataclass(frozen=True)
class Nothing:
    """The least that a task can be: what is left is the cost of running it."""

    def load(self) -> Callable[[Any], Mapping[str, float]]:
        return lambda item: {"x": 0.0}


def clock(device: str) -> float:
    """Seconds of this process's one thread on a CPU, whatever else the machine does; on a GPU those of the wall."""
    return time.process_time() if device == "cpu" else time.perf_counter()


def seconds(function: Callable[[], Any], device: str) -> tuple[float, Any]:
    synchronise(device)
    start = clock(device)
    found = function()
    synchronise(device)
    return clock(device) - start, found


def read(loaded: models.LoadedModel, path: Path, device: str) -> Tensor:
    return loaded.preprocess(read_image(path)).to(device)


def parts(folder: Path, device: str, batch_size: int) -> dict[str, float]:
    """Median seconds of each part of one photo."""
    load, loaded = seconds(models.load, device)
    module = loaded.module.to(device)
    rows: dict[str, list[float]] = {"read and prepare": [], "explain": [], "curves": []}
    with alike(1):
        for path in sorted(folder.iterdir()):
            reading, x = seconds(partial(read, loaded, path, device), device)
            explaining, a = seconds(partial(EXPLAINER, module, x, 282, batch_size=batch_size), device)
            judging, _ = seconds(partial(metrics.curves, module, x, 282, a, batch_size=batch_size), device)
            for row, spent in zip(rows.values(), (reading, explaining, judging), strict=True):
                row.append(spent)
    return {"load the model": load} | {name: statistics.median(values) for name, values in rows.items()}


def whole(folder: Path, out: Path, device: str, batch_size: int) -> dict[str, float]:
    """Seconds an item of a whole run in this process, the median over shards of one, and bytes in one shard of all."""
    digest = weights_digest(models.load().module)
    task = Evaluation(
        "efficientnet-lite0", digest, EXPLAINER, (Curves(),), read_image, batch_size, device, place=device
    )
    dataset = samples(folder, lambda inside: sorted(p for p in inside.iterdir() if p.suffix in SUFFIXES))
    stamps: list[float] = []
    found = runs.run(task, dataset, out, shard_size=1, watch=lambda progress: stamps.append(clock(device)))
    results = found.read()
    write_shard(out / "all.safetensors", found.digest, dict(enumerate(results.names)), results.values, [])
    return {
        "seconds an item": statistics.median(b - a for a, b in pairwise(stamps[1:])),  # the first has the loading in it
        "bytes an item": (out / "all.safetensors").stat().st_size / len(dataset),
        "failures": len(results.failures),
    }


def machinery(count: int, out: Path) -> dict[str, float]:
    """What running, resuming and reading cost apart from the task, an item or a shard of 16."""
    run, _ = seconds(lambda: runs.run(Nothing(), range(count), out), WALL)
    resume, found = seconds(lambda: runs.run(Nothing(), range(count), out), WALL)
    read, _ = seconds(found.read, WALL)
    shards = found.manifest.shards
    return {
        "run, milliseconds a shard": 1e3 * run / shards,
        "resume, milliseconds a shard": 1e3 * resume / shards,
        "read, milliseconds a shard": 1e3 * read / shards,
    }


def listing(count: int, folder: Path) -> dict[str, float]:
    """What the list of files costs an item, in one process."""
    folder.mkdir()
    for i in range(count):
        (folder / f"photo-{i:08d}.jpg").touch()
    spent, _ = seconds(lambda: samples(folder, lambda inside: sorted(inside.iterdir())), WALL)
    tracemalloc.start()
    found = samples(folder, lambda inside: sorted(inside.iterdir()))
    held, _ = tracemalloc.get_traced_memory()
    return {"listing, microseconds an item": 1e6 * spent / count, "listing, bytes of memory an item": held / len(found)}


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--device", default="cpu")
    known.add_argument("--photos", type=int, default=16)
    known.add_argument("--empty", type=int, default=16000)
    known.add_argument("--batch-size", type=int, default=16)
    options = known.parse_args()
    torch.set_num_threads(1)
    cat = Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png").convert("RGB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for i in range(options.photos):
            cat.save(folder / f"photos/{i:04d}.jpg", quality=90)
        row = {
            "photos": options.photos,
            "batch size": options.batch_size,
            "seconds": parts(folder / "photos", options.device, options.batch_size),
            "run": whole(folder / "photos", folder / "run", options.device, options.batch_size),
            "machinery": machinery(options.empty, folder / "empty") | listing(options.empty, folder / "list"),
        }
    row = json.loads(json.dumps(row), parse_float=lambda text: float(f"{float(text):.4g}"))
    print(json.dumps(row, indent=1))
    write("runs", options.device, {"rows": [row]})


if __name__ == "__main__":
    main()
