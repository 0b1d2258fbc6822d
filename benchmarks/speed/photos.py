"""A photo of 48 megapixels prepared for a network, against Pillow's own decode and resize of the same file.

    python benchmarks/speed/photos.py [--rounds 5]

Ours: `Geometry()(open_image(file))`, 256 pixels and a crop of 224, bicubic, as floats. Pillow: the same size and filter
in bytes, with `draft` and `reducing_gap=2.0` as its thumbnails have them. Tensor: `Geometry()(read_image(file))`, the
whole photo as floats first. Each round times all in turn, by the processor's clock; a ratio is that of the least times.
Peak memory is that of one run above what is held before it, read in a process of its own (Linux). Differences are those
of the pixels, in 1/255, and of the logits of EfficientNet-lite0 in parts of their range, between ours and the tensor's.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import torch
from PIL import Image
from record import against, least, parser, peak, peaks_apart, ratio, turns, write

import wavelens as wl
from wavelens.frontends import open_image, read_image

HEIGHT, WIDTH, GRAIN = 6000, 8000, 6.0  # of the photo; standard deviation of its noise at each of three scales
FILES: dict[str, dict[str, Any]] = {
    "baseline.jpg": {"quality": 90},
    "progressive.jpg": {"quality": 90, "progressive": True},
}
GEOMETRY = wl.models.Geometry()


def draw() -> Image.Image:
    """A cat enlarged, with noise at scales of 1, 4 and 16 pixels so that it has details."""
    cat = Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png").convert("RGB")
    pixels = np.asarray(cat.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.float32)
    rng = np.random.default_rng(0)
    for scale in (1, 4, 16):
        noise = rng.normal(0, GRAIN, (HEIGHT // scale, WIDTH // scale, 3)).astype(np.float32)
        pixels = pixels + noise.repeat(scale, 0).repeat(scale, 1)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def candidates(path: Path) -> dict[str, Callable[[], Any]]:
    size = GEOMETRY._full(HEIGHT, WIDTH)[::-1]

    def pillow() -> Image.Image:
        with Image.open(path) as image:
            image.draft(None, (2 * size[0], 2 * size[1]))
            return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)

    return {
        "ours": lambda: GEOMETRY(open_image(path)),
        "pillow": pillow,
        "tensor": lambda: GEOMETRY(read_image(path)),
    }


def differences(path: Path) -> dict[str, float]:
    runs = candidates(path)
    ours, exact = runs["ours"](), runs["tensor"]()
    module = wl.models.load().module
    with torch.no_grad():
        logits = module(torch.cat([ours, exact]))
    pixels, moved = 255 * (ours - exact).abs(), (logits[0] - logits[1]).abs().max()
    return {
        "largest difference": round(float(pixels.max()), 2),
        "mean difference": round(float(pixels.mean()), 3),
        "of logits": round(float(moved / (logits[1].max() - logits[1].min())), 4),
    }


def measure(path: Path, rounds: int) -> dict[str, Any]:
    runs = candidates(path)
    memory = peaks_apart(__file__, ["--peak", str(path)], runs)
    for run in runs.values():
        run()
    seconds = turns(runs, "cpu", rounds, clock=time.process_time)  # all run on one thread
    return {
        "file": path.name,
        "seconds": least(seconds),
        "ours ÷ Pillow": round(ratio(seconds, "ours", "pillow"), 3),
        "tensor ÷ ours": round(ratio(seconds, "tensor", "ours"), 2),
        **against(memory, "pillow"),
        **differences(path),
    }


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--rounds", type=int, default=5)
    known.add_argument("--peak", nargs=2, metavar=("FILE", "CANDIDATE"), help="print one candidate's peak memory")
    options = known.parse_args()
    if options.peak:
        print(peak(candidates(Path(options.peak[0]))[options.peak[1]], "cpu"))
        return
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        photo = draw()
        for name, settings in FILES.items():
            photo.save(Path(folder) / name, **settings)
            rows.append(measure(Path(folder) / name, options.rounds))
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    write("photos", "cpu", {"height": HEIGHT, "width": WIDTH, "rows": rows})


if __name__ == "__main__":
    main()
