"""The transforms against ptwt, and against a plain copy of the same memory.

    python benchmarks/speed/transforms.py [--device cuda] [--repeats 15] [--axes]

Analysis, synthesis, and synthesis with its backward pass, on sound, images and volumes, with haar, db4 and sym8. Both
libraries use the mode `reflect`, so they compute the same coefficients; our default, periodization, stands beside
it. The ratio is ptwt ÷ ours, for the faster of ptwt's two forms (dense and separable), measured in one run. `--axes`
tries the ways to transform one axis on axes of many lengths instead, from which `domains/filterbank.py` has its limits.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version

import ptwt
import pywt
import torch
from record import geometric_mean, interleaved, least, parser, ratio, write
from torch import Tensor

from wavelens import DWT, Coefficients
from wavelens.domains import filterbank

CASES = {"sound": ((4, 1, 220500), 5), "image": ((16, 3, 224, 224), 3), "volume": ((4, 1, 64, 64, 64), 3)}
FORMS = {
    "sound": {"dense": (ptwt.wavedec, ptwt.waverec)},
    "image": {"dense": (ptwt.wavedec2, ptwt.waverec2), "separable": (ptwt.fswavedec2, ptwt.fswaverec2)},
    "volume": {"dense": (ptwt.wavedec3, ptwt.waverec3), "separable": (ptwt.fswavedec3, ptwt.fswaverec3)},
}
WAVELETS = ("haar", "db4", "sym8")
TASKS = ("analysis", "synthesis", "synthesis+backward")
WAYS = ("dense", "blocks", "windows")


def leaves(nested: object) -> list[Tensor]:
    if isinstance(nested, Tensor):
        return [nested]
    parts = nested.values() if isinstance(nested, dict) else nested
    return [leaf for part in parts for leaf in leaves(part)]


def ours(domain: DWT, x: Tensor, task: str):
    if task == "analysis":
        return lambda: domain.analysis(x)
    c = domain.analysis(x)
    if task == "synthesis":
        return lambda: domain.synthesis(c)
    c = Coefficients(c.data.clone().requires_grad_(), c.layout)
    return lambda: torch.autograd.grad(domain.synthesis(c), c.data, x)


def theirs(form, wavelet: str, levels: int, x: Tensor, task: str):
    analysis, synthesis = form
    wavelet = pywt.Wavelet(wavelet)
    if task == "analysis":
        return lambda: analysis(x, wavelet, level=levels, mode="reflect")
    c = analysis(x, wavelet, level=levels, mode="reflect")
    if task == "synthesis":
        return lambda: synthesis(c, wavelet)
    parts = [part.requires_grad_() for part in leaves(c)]

    def both():
        y = synthesis(c, wavelet)
        return torch.autograd.grad(y, parts, torch.ones_like(y))

    return both


def measure(case: str, wavelet: str, task: str, device: str, repeats: int) -> dict[str, object]:
    shape, levels = CASES[case]
    x = torch.randn(shape, device=device)
    run = {
        "ours": ours(DWT(wavelet, levels, "reflect"), x, task),
        "periodization": ours(DWT(wavelet, levels), x, task),
        "copy": x.clone,
    }
    run |= {name: theirs(form, wavelet, levels, x, task) for name, form in FORMS[case].items()}
    seconds = interleaved(run, device, repeats)
    ratios = {name: ratio(seconds, name, "ours") for name in FORMS[case]}
    return {
        "case": case,
        "wavelet": wavelet,
        "task": task,
        "milliseconds": least(seconds, unit=1e-3, digits=3),
        "ptwt ÷ ours": round(min(ratios.values()), 2),
        "dense ptwt ÷ ours": round(ratios["dense"], 2),
        "faster form ÷ periodization": round(min(ratio(seconds, name, "periodization") for name in FORMS[case]), 2),
        "ours ÷ copy": round(ratio(seconds, "ours", "copy"), 1),
    }


def one_way(way: str, wavelet: str, n: int, device: str):
    """One level of `2**20 / n` rows along their axis of `n` samples by one way, whatever the limits."""
    kept = filterbank.SHORT_AXIS, filterbank.MIDDLE_AXIS
    filterbank.SHORT_AXIS, filterbank.MIDDLE_AXIS = {"dense": (n, n), "blocks": (0, n), "windows": (0, 0)}[way]
    operator = filterbank.axis.__wrapped__(wavelet, "reflect", n, "dec", "cpu")  # the cache knows no ways
    filterbank.SHORT_AXIS, filterbank.MIDDLE_AXIS = kept
    x = torch.randn(2**20 // n, n, 1, device=device)
    return lambda: filterbank.down(x, operator)


def axes(device: str, repeats: int) -> None:
    """Prints what each way takes for axes of many lengths, and the fastest; nothing is written."""
    short, middle = filterbank.SHORT_AXIS, filterbank.MIDDLE_AXIS
    for wavelet in WAVELETS[1:]:
        for n in (32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096):
            seconds = interleaved({way: one_way(way, wavelet, n, device) for way in WAYS}, device, repeats)
            best = {way: min(values) * 1e3 for way, values in seconds.items()}
            chosen = "dense" if n <= short else "blocks" if n <= middle else "windows"
            told = "  ".join(f"{way} {ms:6.2f} ms" for way, ms in best.items())
            print(f"{wavelet:5} {n:5} samples  {told}  fastest {min(best, key=best.get):7} chosen {chosen}", flush=True)


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--device", default="cpu")
    known.add_argument("--repeats", type=int, default=15)
    known.add_argument("--axes", action="store_true", help="the ways to transform one axis, by its length")
    options = known.parse_args()
    if options.axes:
        axes(options.device, options.repeats)
        return
    warnings.simplefilter("ignore")
    torch.backends.cudnn.allow_tf32 = False  # float32 on both sides
    rows = []
    measure("sound", "haar", "analysis", options.device, 2)  # the first numbers of a process are not its best
    for case in CASES:
        for wavelet in WAVELETS:
            for task in TASKS:
                row = measure(case, wavelet, task, options.device, options.repeats)
                rows.append(row)
                ms = row["milliseconds"]
                print(
                    f"{case:7} {wavelet:5} {task:19} ours {ms['ours']:8.2f} ms  ptwt ÷ ours {row['ptwt ÷ ours']:6.2f}"
                    f"  dense ÷ ours {row['dense ptwt ÷ ours']:7.2f}"
                    f"  ÷ periodization {row['faster form ÷ periodization']:6.2f}"
                    f"  ours ÷ copy {row['ours ÷ copy']:6.1f}",
                    flush=True,
                )
    ratios = [row["ptwt ÷ ours"] for row in rows]
    summary = {
        "geometric mean of ptwt ÷ ours": round(geometric_mean(ratios), 2),
        "smallest ptwt ÷ ours": min(ratios),
        "dense ptwt ÷ ours, volume db4 synthesis": next(
            row["dense ptwt ÷ ours"]
            for row in rows
            if (row["case"], row["wavelet"], row["task"]) == ("volume", "db4", "synthesis")
        ),
        "ptwt": version("ptwt"),
    }
    print(summary)
    write("transforms", options.device, {"summary": summary, "rows": rows})


if __name__ == "__main__":
    main()
