"""Minimal images of a network that relies more on shape, beside its twin (what WAM's appendix D.1 leaves open).

    python benchmarks/paper/minimal_shape.py        # 60 crops with a panel and 60 without, on which both are right

The pair is that of pv.py: one ResNet-18 with standard and one with adversarial training, which makes networks rely more
on shape (Chen et al., 2020). Whether it did is measured first, on all crops: right answers where squares of a crop
change places, so that texture stays and shape goes, and where fine scales are zero, so that texture goes and shape
stays. Then `masks.minimal` for the class "panel": zeros, logits, in grey too, what is kept of each scale, and the same
search on crops without a panel. Differences between the networks are paired by crop. results/minimal-shape.json.
"""

from __future__ import annotations

from typing import Any

import pv
import record
import torch
from torch import Tensor, nn

import wavelens as wl

DOMAIN = wl.DWT("haar", levels=5)
ALPHAS = (1.0, 10.0, 100.0)
SQUARES = (2, 4, 8)  # along each side, whose places are changed
DROPPED = (1, 2, 3)  # finest scales that are zero
SMALL = {"crops": 60, "steps": 60}
PANEL = 1


def without_shape(x: Tensor, squares: int) -> Tensor:
    """The squares of each picture in places drawn at random; texture is what stays."""
    side = x.shape[-1] // squares
    parts = x.unfold(2, side, side).unfold(3, side, side).flatten(2, 3)  # (batch, channel, squares², side, side)
    source = torch.Generator().manual_seed(0)
    moved = torch.stack([one[:, torch.randperm(squares**2, generator=source)] for one in parts])
    return moved.unflatten(2, (squares, squares)).transpose(3, 4).reshape(x.shape)


def without_texture(x: Tensor, scales: int) -> Tensor:
    """The pictures with so many of their finest scales zero."""
    z = DOMAIN.analysis(x)
    return wl.masks.scale(z, *list(z.layout.scales())[:-scales]).apply(x)


@torch.no_grad()
def named(net: nn.Module, x: Tensor) -> Tensor:
    """The class that the network gives each picture."""
    return torch.cat([net(part).argmax(1) for part in x.split(50)])


def right(net: nn.Module, x: Tensor, labels: Tensor) -> list[float]:
    """The share of right answers among the crops without a panel and among those with one."""
    hits = named(net, x) == labels
    return [round(float(hits[labels == label].double().mean()), 4) for label in (0, PANEL)]


def relied(net: nn.Module, x: Tensor, labels: Tensor) -> dict[str, list[float]]:
    inputs = {"whole": x}
    inputs |= {f"{n} × {n} squares moved": without_shape(x, n) for n in SQUARES}
    inputs |= {f"{n} finest scales zero": without_texture(x, n) for n in DROPPED}
    return {name: right(net, y, labels) for name, y in inputs.items()}


def found(net: nn.Module, x: Tensor, steps: int) -> dict[str, Tensor]:
    """What the front has of each price and crop, `(alphas, crops)`; `kept` by scale."""
    with torch.no_grad():
        front = wl.masks.minimal(net, x, PANEL, domain=DOMAIN, alpha=ALPHAS, steps=steps, tolerance=0.01).front()
        grey = [
            torch.stack([net(y.mean(1, keepdim=True).expand_as(y))[:, PANEL] for y in several])
            for several in (x[None], front.rebuilt)
        ]
    shares = {f"kept of {name}": share for name, share in front.mask.by_scale().items()}
    rises = {"rise": front.after - front.before, "rise, in grey": grey[1] - grey[0]}
    return {"zeros": front.sparsity, "logit": front.after, **rises, **shares}


def table(cells: dict[str, Tensor]) -> list[dict[str, Any]]:
    """By price: the mean of each with its interval over crops."""
    return [
        {"alpha": alpha} | {name: record.interval(values[k].tolist()) for name, values in cells.items()}
        for k, alpha in enumerate(ALPHAS)
    ]


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, {}, argv)
    (x, labels), nets = pv.crops(), {name: pv.network(name).module for name in pv.NETWORKS}
    answers = torch.stack([named(net, x) for net in nets.values()])
    shown = {
        label: (labels.eq(number) & answers.eq(number).all(0)).nonzero()[:, 0][: given.crops]
        for number, label in enumerate(pv.LABELS)
    }
    whole: dict[str, Any] = {
        "crops": {label: len(rows) for label, rows in shown.items()},
        "settings": {"steps": given.steps, "domain": repr(DOMAIN)},
        "right, without and with a panel": {name: relied(net, x, labels) for name, net in nets.items()},
    }
    for label, rows in shown.items():
        cells = {name: found(net, x[rows], given.steps) for name, net in nets.items()}
        first, second = cells.values()
        whole[label] = {name: table(cell) for name, cell in cells.items()}
        whole[label]["adversarial less standard"] = table({name: second[name] - first[name] for name in first})
    record.write("minimal-shape", whole, given.results)


if __name__ == "__main__":
    main()
