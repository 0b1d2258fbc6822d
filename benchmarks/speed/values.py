"""KernelSHAP and RISE against others' own, and Shapley values of scales against bare passes, on a photo.

    python benchmarks/speed/values.py [--rounds 3] [--case kernelshap] [--dry]

EfficientNet-lite0 and 224 × 224 pixels, in Identity() as the others work. KernelSHAP: 25 squares, 100 coalitions;
theirs is Captum's KernelShap, given our coalitions and as many rows per pass as ours takes. RISE: 100 masks of 7 × 7
cells; Captum has none, so theirs is the published loop (masked photos in batches of as many rows, scores times masks,
summed), to which our masks are given, while ours makes them. Shapley: the exact values of six scales of Haar wavelets
and their interactions, against 64 forward passes of the photo and nothing else; the difference is that from a loop over
coalitions. Processor times of one thread, the least of the rounds, in which both take turns; `ratios` has each round's.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import attribution
import torch
from record import replace, rounded, timed_parser, turns
from torch import Tensor, nn

import wavelens as wl
from wavelens.methods.coalitions import kernel_coalitions
from wavelens.methods.smooth_masks import SmoothMasks

ROWS, MASKS, SQUARES, CELLS = 4, 100, 5, 7
HAAR = wl.DWT("haar", levels=5)  # six scales
Run = Callable[[], Tensor]


def kernelshap(net: nn.Module, x: Tensor) -> tuple[Run, Run, Run]:
    """Ours and Captum's, which both give the squares' values over their pixels, ours in proportion to |x|²."""
    from captum.attr import KernelShap

    number = torch.arange(x.shape[-1]) * SQUARES // x.shape[-1]
    squares = (number[:, None] * SQUARES + number).expand_as(x).contiguous()
    coalitions = kernel_coalitions(MASKS, SQUARES**2, 0)

    class AtOurs(KernelShap):
        def kernel_shap_perturb_generator(self, original: Any, **options: Any) -> Any:
            yield torch.ones(1, SQUARES**2, dtype=torch.long)
            yield torch.zeros(1, SQUARES**2, dtype=torch.long)
            yield from coalitions[:, None]

    theirs = AtOurs(net)
    theirs.perturb_func = theirs.kernel_shap_perturb_generator
    method = wl.KernelSHAP(samples=MASKS, groups="blocks", blocks=SQUARES)

    def ours() -> Tensor:
        a = wl.attribute(net, x, 0, domain=wl.Identity(), method=method, batch_size=ROWS)
        return torch.zeros(SQUARES**2).index_add_(0, squares.flatten(), a.data.flatten())

    def captums() -> Tensor:
        options = {"n_samples": MASKS + 2, "perturbations_per_eval": ROWS, "show_progress": False}
        spread = theirs.attribute(x, target=0, feature_mask=squares, **options)
        return torch.stack([spread[squares == k][0] for k in range(SQUARES**2)])

    return ours, captums, captums


def rise(net: nn.Module, x: Tensor) -> tuple[Run, Run, Run]:
    """Ours, and the loop as first published."""
    layout = wl.Identity().layout(tuple(x.shape[2:]))
    masks = SmoothMasks(layout, CELLS, 0.5, "places", 0, x)(torch.arange(MASKS)).view(-1, 1, *x.shape[2:])
    method = wl.RISE(samples=MASKS, grid=CELLS, masks="places", centred=False)

    def ours() -> Tensor:
        a = wl.attribute(net, x, 0, domain=wl.Identity(), method=method, batch_size=ROWS)
        return a.data[0, 0].view(x.shape[2:])

    @torch.no_grad()
    def loop() -> Tensor:
        scores = torch.cat([net(x * part)[:, 0] for part in masks.split(ROWS)])
        return (scores @ masks.flatten(1)).view(x.shape[2:]) / (MASKS * 0.5)

    return ours, loop, loop


def shapley(net: nn.Module, x: Tensor) -> tuple[Run, Run, Run]:
    """Ours, as many bare passes, and the values by a loop over coalitions."""
    z = HAAR.analysis(x)
    names = list(z.layout.scales())
    count = len(names)

    def ours() -> Tensor:
        return wl.shapley(net, x, 0, domain=HAAR, batch_size=ROWS).values[0]

    @torch.no_grad()
    def bare() -> Tensor:
        return torch.cat([net(x.expand(ROWS, *x.shape[1:])) for _ in range(2**count // ROWS)])

    @torch.no_grad()
    def loop() -> Tensor:
        inside = [[names[i] for i in range(count) if k >> i & 1] for k in range(2**count)]
        scores = [float(net(wl.masks.scale(z, *some).apply(x) if some else x * 0)[0, 0]) for some in inside]
        values = torch.zeros(count)
        for k in range(2**count):
            size = len(inside[k])
            for i in (i for i in range(count) if not k >> i & 1):
                weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                values[i] += weight * (scores[k | 1 << i] - scores[k])
        return values

    return ours, bare, loop


CASES = {"kernelshap": kernelshap, "rise": rise, "shapley": shapley}
THEIRS = {"kernelshap": "captum", "rise": "published loop", "shapley": "64 plain forward passes"}


def measure(case: str, rounds: int) -> dict[str, Any]:
    net, x = attribution.build("efficientnet", "cpu")
    ours, theirs, known = CASES[case](net, x[:1])
    expected = known()
    apart = float((ours() - expected).abs().max() / expected.abs().max())
    seconds = turns({"ours": ours, "theirs": theirs}, "cpu", rounds, time.process_time)
    least = {name: min(several) for name, several in seconds.items()}
    return {
        "case": case,
        "theirs": THEIRS[case],
        "ours ÷ theirs": round(least["ours"] / least["theirs"], 3),
        "ratios": [round(a / b, 3) for a, b in zip(seconds["ours"], seconds["theirs"], strict=True)],
        "largest difference": float(f"{apart:.1e}"),
        "seconds": rounded(least),
    }


def main() -> None:
    parser = timed_parser(__doc__, rounds=3, case=CASES)
    parser.add_argument("--dry", action="store_true", help="write no record")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for case in options.case:
        row = measure(case, options.rounds)
        print(json.dumps(row, ensure_ascii=False), flush=True)
        if not options.dry:
            replace("values", options.device, [row], ("case",), masks=MASKS, rows_per_pass=ROWS)


if __name__ == "__main__":
    main()
