"""Minimal images on real photos (WAM's figures 11 and 12, appendix D.1), beside other masks at equal score.

    python benchmarks/paper/minimal.py                  # 12 photos, 40 steps: about ten minutes on one thread
    python benchmarks/paper/minimal.py --photos 50 --every 7     # the figures on record; resumes
    python benchmarks/paper/minimal.py --photos 50 --first 2 --every 1 --alphas 1000 --steps 500    # what 40 steps miss
    python benchmarks/paper/minimal.py --full           # 50 photos, ten alphas, 500 steps, as published: for a GPU

For each photo and network, of the class that the network names first: the Pareto front of `masks.minimal`; and for each
`--every`-th photo the front of a class that the network puts in the middle of its ranking, as a control, masks after
CartoonX (Kolek et al., 2022: the squared change of the probability, noise in place of what is dropped) and after their
wavelet masks (2023: the probability, noise, and a spatial term), and the plain cut of the coefficients that matter most
(WAM-IG signed and by magnitude, the energy |z|, at random). All masks are scored alike: dropped
coefficients are zero. Each photo's figures are appended to results/minimal-photos.jsonl, where a run finds what is
done; results/minimal-STEPS.json has means with 95 % intervals (bootstrap over photos).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import timm
import torch
from record import RESULTS, at, interval, parser, rounded, write
from torch import Tensor, nn

import wavelens as wl
from wavelens import masks

NETS = ("tf_efficientnet_lite0", "vit_tiny_patch16_224")
DOMAIN = wl.DWT("haar", levels=5)
ALPHAS = (0.0, 100.0, 1000.0, 10000.0)
FULL = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
OTHERS = (0.1, 1.0)  # alphas of scores that are probabilities
SPATIAL = 0.3
FRACTIONS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
Row = dict[str, Any]


def photos(count: int) -> list[Path]:
    """So many photos, spread evenly over the categories."""
    found = sorted(at("images/caltech101_460").glob("*.jpg"))
    return [found[int((k + 0.5) * len(found) / count)] for k in range(count)]


def scored(net: nn.Module, signals: Tensor, target: int) -> Row:
    with torch.no_grad():
        logits = net(signals)
    return {"after": logits[:, target].tolist(), "p": logits.softmax(1)[:, target].tolist()}


def front(net: nn.Module, x: Tensor, target: int, options: argparse.Namespace) -> Row:
    found = masks.minimal(net, x, target, domain=DOMAIN, alpha=options.alphas, **effort(options)).front()
    return described(net, found, found.rebuilt[:, 0], target)


def effort(options: argparse.Namespace) -> dict[str, Any]:
    return {"steps": options.steps, "tolerance": 0.01, "batch_size": options.batch_size}


def described(net: nn.Module, found: masks.Minimal, signals: Tensor, target: int) -> Row:
    shares = {"sparsity": found.sparsity[:, 0].tolist(), "kept": found.kept[:, 0].tolist()}
    return {"alpha": found.alpha, **shares, "spent": found.spent[:, 0].tolist(), **scored(net, signals, target)}


def cartoonx(net: nn.Module, x: Tensor, target: int, options: argparse.Namespace) -> Row:
    with torch.no_grad():
        before = net(x).softmax(1)[0, target]
    return noisy(net, x, target, options, lambda out: -((out.softmax(1)[:, target] - before) ** 2), 0.0)


def wavelet_masks(net: nn.Module, x: Tensor, target: int, options: argparse.Namespace) -> Row:
    return noisy(net, x, target, options, lambda out: out.softmax(1)[:, target], SPATIAL)


def noisy(
    net: nn.Module,
    x: Tensor,
    target: int,
    options: argparse.Namespace,
    score: Callable[[Tensor], Tensor],
    spatial: float,
) -> Row:
    settings = {"baseline": masks.Noise(), "spatial": spatial, **effort(options)}
    found = masks.minimal(net, x, score, domain=DOMAIN, alpha=OTHERS, **settings)
    return described(net, found, found.mask.apply(x)[:, 0], target)


def unshown(net: nn.Module, x: Tensor, target: int, options: argparse.Namespace) -> Row:
    """The front of the class in the middle of the network's ranking, which the photo does not show."""
    with torch.no_grad():
        logits = net(x)[0]
    other = int(logits.argsort()[len(logits) // 2])
    return {
        "before": float(logits[other]),
        "p_before": float(logits.softmax(0)[other]),
        **front(net, x, other, options),
    }


def ranked(net: nn.Module, x: Tensor, target: int, options: argparse.Namespace) -> Row:
    a = wl.attribute(net, x, target, domain=DOMAIN, method=wl.IntegratedGradients(), batch_size=options.batch_size)
    z = DOMAIN.analysis(x)
    order = torch.rand(z.data.shape, generator=torch.Generator().manual_seed(0)).to(x)
    orders: dict[str, tuple[wl.Coefficients, Callable[[Tensor], Tensor]]] = {
        "WAM-IG, signed": (a, lambda data: data),
        "WAM-IG, magnitude": (a, torch.abs),
        "energy": (z, torch.abs),
        "random": (z.map(lambda _: order), torch.abs),
    }
    row: Row = {"sparsity": [1 - fraction for fraction in FRACTIONS]}
    for name, (c, reduce) in orders.items():
        cut = torch.cat([masks.top(c, fraction, reduce=reduce).apply(x) for fraction in FRACTIONS])
        row[name] = scored(net, cut, target)
    return row


KINDS: dict[str, Callable[[nn.Module, Tensor, int, argparse.Namespace], Row]] = {
    "front": front,
    "unshown class": unshown,
    "CartoonX": cartoonx,
    "wavelet masks": wavelet_masks,
    "ranked": ranked,
}
ALL = ("front",)  # of every photo; the others of some


def jobs(options: argparse.Namespace) -> Iterator[tuple[str, Path, str]]:
    """What is to be done: the front of all photos, then photo by photo what it is compared with."""
    for chosen, step in ((ALL, 1), ([kind for kind in KINDS if kind not in ALL], options.every)):
        for path in photos(options.photos)[: options.first : step]:
            for kind in chosen:
                for net in options.net:
                    yield kind, path, net


def work(options: argparse.Namespace, record: Path) -> None:
    known = {identity(row) for row in rows(record)}
    loaded = {name: wl.models.load(f"timm:{name}", weights=at(f"weights/{name}.safetensors")) for name in NETS}
    for kind, path, name in jobs(options):
        settings = {"net": name, "photo": path.name, "kind": kind}
        settings |= {} if kind == "ranked" else {"steps": options.steps, "alphas": list(options.alphas)}
        if identity(settings) in known:
            continue
        model = loaded[name]
        net = model.module.to(options.device)
        x = model.preprocess(wl.frontends.read_image(path)).to(options.device)
        with torch.no_grad():
            logits = net(x)[0]
        target = int(logits.argmax())
        first = {"target": target, "before": float(logits[target]), "p_before": float(logits.softmax(0)[target])}
        row = {**settings, **first, **KINDS[kind](net, x, target, options)}
        with record.open("a") as file:
            file.write(json.dumps(rounded(row)) + "\n")
        print(kind, path.name, name, flush=True)


def identity(row: Row) -> tuple[Any, ...]:
    return (*(row[key] for key in ("net", "photo", "kind")), row.get("steps"), tuple(row.get("alphas", ())))


def rows(record: Path) -> list[Row]:
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


def mean(values: list[float]) -> Row:
    """The mean with its 95 % interval."""
    return dict(zip(("mean", "from", "to"), interval(values, digits=8), strict=True))


def at_equal_score(row: Row, found: Row) -> float:
    """The largest share of zeros whose score is that of the untouched photo or better; none but the photo: 0."""
    pairs = zip(found["after"], found.get("sparsity", row["sparsity"]), strict=True)
    return max((share for after, share in pairs if after >= row["before"]), default=0.0)


def at_equal_class(row: Row, found: Row) -> float:
    """The same with the probability."""
    pairs = zip(found["p"], found.get("sparsity", row["sparsity"]), strict=True)
    return max((share for p, share in pairs if p >= row["p_before"]), default=0.0)


def summary(found: list[Row]) -> list[Row]:
    result = []
    for name in dict.fromkeys(row["net"] for row in found):
        kinds = {kind: [row for row in found if row["net"] == name and row["kind"] == kind] for kind in KINDS}
        result.append({"net": name, **{kind: table(kind, some) for kind, some in kinds.items() if some}})
    return result


def table(kind: str, found: list[Row]) -> Any:
    if kind == "ranked":
        return {order: compared(found, order) for order in found[0] if isinstance(found[0][order], dict)}
    return {"points": [point(found, k) for k in range(len(found[0]["alpha"]))], **compared(found, None)}


def compared(found: list[Row], order: str | None) -> Row:
    equal = [at_equal_score(row, row[order] if order else row) for row in found]
    likely = [at_equal_class(row, row[order] if order else row) for row in found]
    return {
        "photos": len(found),
        "zeros at an unchanged or better logit": mean(equal),
        "zeros at an unchanged or better probability": mean(likely),
        "photos with 90 % zeros so (logit)": mean([float(share >= 0.9) for share in equal]),
        "photos with 90 % zeros so (probability)": mean([float(share >= 0.9) for share in likely]),
    }


def point(found: list[Row], k: int) -> Row:
    columns = ("sparsity", "kept", "after", "p", "spent")
    means = {column: mean([float(row[column][k]) for row in found]) for column in columns}
    kept = mean([float(row["after"][k] >= row["before"]) for row in found])
    untouched = {"before": mean([row["before"] for row in found]), "p_before": mean([row["p_before"] for row in found])}
    return {"alpha": found[0]["alpha"][k], **means, **untouched, "unchanged or better": kept}


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--photos", type=int, default=12)
    known.add_argument("--first", type=int, help="of these photos only so many")
    known.add_argument("--every", type=int, default=4, help="the comparisons take each so many-th photo")
    known.add_argument("--steps", type=int, default=40)
    known.add_argument("--alphas", type=float, nargs="+", default=ALPHAS)
    known.add_argument("--full", action="store_true", help="50 photos, ten alphas, 500 steps")
    known.add_argument("--net", choices=NETS, nargs="+", default=NETS)
    known.add_argument("--batch-size", type=int)
    known.add_argument("--summary", action="store_true", help="only sum up what is on record of these photos")
    known.add_argument("--device", default="cpu")
    options = known.parse_args()
    if options.full:
        options.photos, options.steps, options.alphas = 50, 500, FULL
    RESULTS.mkdir(exist_ok=True)
    record = RESULTS / "minimal-photos.jsonl"
    if not options.summary:
        work(options, record)
    wanted = {
        identity(
            {"net": n, "photo": p.name, "kind": k}
            | ({} if k == "ranked" else {"steps": options.steps, "alphas": options.alphas})
        )
        for k, p, n in jobs(options)
    }
    found = list({identity(row): row for row in rows(record) if identity(row) in wanted}.values())  # each once
    settings = {
        "domain": repr(DOMAIN),
        "steps": options.steps,
        "alphas": list(options.alphas),
        "photos": options.photos,
    }
    write(f"minimal-{options.steps}", {"timm": timm.__version__, **settings, "nets": rounded(summary(found))})


if __name__ == "__main__":
    main()
