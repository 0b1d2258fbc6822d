"""Insertion and deletion together against the bare forward passes, a plain loop over PyWavelets, and Quantus.

    python benchmarks/speed/metrics.py [--device cuda] [--rounds 3] [--net efficientnet] [--dry]

Bare: the same number of forward passes, nothing else, in the same chunks and with the model as it is given. Floor:
the same in the passes that wavelens runs (on a CPU channels last). Loop: a mask at a time, channel by channel
through PyWavelets, one forward pass each. Quantus: PixelFlipping at the same number of steps, against our deletion of
samples. Shuffled: both curves from two shuffled starts, against as many bare passes. Each round times all of them in
turn; a ratio is that of the least times.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pywt
import quantus
import torch
from attribution import build
from record import interleaved, least, ratio, replace, timed_parser
from torch import Tensor, nn

import wavelens as wl
from wavelens.engine.fast_passes import FastPasses

STEPS, LEVELS, STARTS = 64, 3, 2
ITEMS = {"efficientnet": 2, "volumes": 8}
ROWS = {"efficientnet": 4, "volumes": 64}  # what `attribute` takes where it is not told (chunks.py)


def candidates(net: nn.Module, x: Tensor, rows: int) -> dict[str, Callable[[], Any]]:
    domain, pixels = wl.DWT("haar", levels=LEVELS), wl.Identity()
    a = wl.attribute(net, x, 0, domain=domain, method=wl.Saliency(), batch_size=8)
    heat = wl.attribute(net, x, 0, domain=pixels, method=wl.Saliency(), batch_size=8)
    heat = heat.map(lambda data: data.abs().mean(1, keepdim=True))

    def bare(count: int = 2 * STEPS, ask: Callable[[Tensor], Tensor] = net) -> None:
        points = x.repeat(count, *[1] * (x.ndim - 1))
        with torch.no_grad():
            for start in range(0, len(points), rows):
                ask(points[start : start + rows]).softmax(1)

    def floor() -> None:
        with FastPasses(net, x) as fast:
            bare(ask=fast)

    def flipped() -> Any:
        flipping = quantus.PixelFlipping(
            features_in_step=x[0, 0].numel() // STEPS,
            abs=True,
            normalise=False,
            perturb_baseline=0.0,  # type: ignore[arg-type]
            disable_warnings=True,
        )
        maps = heat.data.reshape(len(x), 1, *x.shape[2:]).cpu().numpy()
        device = str(x.device)
        return flipping(net, x.cpu().numpy(), np.zeros(len(x), int), a_batch=maps, softmax=True, device=device)

    runs = {
        "ours": lambda: wl.metrics.curves(net, x, 0, a, steps=STEPS, batch_size=rows),
        "bare": bare,
        "floor": floor,
        "shuffled": lambda: wl.metrics.curves(
            net, x, 0, a, steps=STEPS, fill="shuffled", samples=STARTS, batch_size=rows
        ),
        "bare, all starts": lambda: bare(2 * STEPS * STARTS),
        "loop": lambda: loop(net, x, a),
        "deletion of samples": lambda: wl.metrics.deletion(net, x, 0, heat, steps=STEPS, batch_size=rows),
    }
    return runs | {"quantus": flipped} if x.ndim == 4 else runs  # Quantus takes pictures and sequences


def loop(net: nn.Module, x: Tensor, a: wl.Coefficients) -> list[list[float]]:
    """Both curves, a mask at a time and channel by channel, as one would write them down."""
    curves = []
    order = wl.maps.mosaic(a.map(lambda data: data.abs().mean(1, keepdim=True))).cpu().numpy()
    for item, score in zip(x.cpu().numpy(), order, strict=True):
        packed = [pywt.coeffs_to_array(pywt.wavedecn(c, "haar", "periodization", LEVELS)) for c in item]
        place = (-score[0]).argsort(axis=None, kind="stable")
        for keep in (True, False):
            curve = []
            for k in range(STEPS + 1):
                mask = np.full(score[0].size, not keep)
                mask[place[: k * mask.size // STEPS]] = keep
                channels = [
                    pywt.waverecn(
                        pywt.array_to_coeffs(array * mask.reshape(array.shape), slices, "wavedecn"),
                        "haar",
                        "periodization",
                    )
                    for array, slices in packed
                ]
                with torch.no_grad():
                    point = torch.from_numpy(np.stack(channels)[None].astype(np.float32)).to(x.device)
                    curve.append(net(point).softmax(1)[0, 0].item())
            curves.append(curve)
    return curves


def measure(name: str, device: str, rounds: int) -> dict[str, Any]:
    net, x = build(name, device)
    x = x[: ITEMS[name]]
    runs = candidates(net, x, ROWS[name])
    ours, plain = runs["ours"](), torch.tensor(runs["loop"]())
    found = torch.stack([ours.insertion, ours.deletion], 1).flatten(0, 1).cpu()
    seconds = interleaved(runs, device, rounds)
    return {
        "net": name,
        "items": len(x),
        "seconds": least(seconds),
        "ours ÷ bare": round(ratio(seconds, "ours", "bare"), 3),
        "ours ÷ floor": round(ratio(seconds, "ours", "floor"), 3),
        "shuffled ÷ bare": round(ratio(seconds, "shuffled", "bare, all starts"), 3),
        "loop ÷ ours": round(ratio(seconds, "loop", "ours"), 2),
        "Quantus ÷ ours": round(ratio(seconds, "quantus", "deletion of samples"), 2) if "quantus" in seconds else None,
        "largest difference from the loop": float((found - plain).abs().max()),
    }


def main() -> None:
    parser = timed_parser(__doc__, rounds=3, net=ITEMS)
    parser.add_argument("--dry", action="store_true", help="write no record")
    options = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    for name in options.net:
        row = measure(name, options.device, options.rounds)
        print(json.dumps(row, ensure_ascii=False), flush=True)
        if not options.dry:
            replace("metrics", options.device, [row], ("net",), steps=STEPS, quantus=quantus.__version__)


if __name__ == "__main__":
    main()
