"""`wavelens.check` on real photos, sounds and volumes, and on the same networks broken: what its thresholds rest on.

    python benchmarks/paper/checks.py                   # 2 photos, 2 sounds and 4 volumes a network; resumes
    FULL=1 python benchmarks/paper/checks.py            # 12, 6 and 12: the figures on record

For each network and input the verdicts on the class that the network names first, explained by integrated gradients
with a tolerance of 2 %; for photos also whether bfloat16 would do. Of the first input of each network also what the
check in question says once the network is broken on purpose. results/checks.json has for each check how often it gave
which verdict, and the least, the median and the largest of its figures. Needs the folder WAVELENS_DATA.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import at_hand
import numpy as np
import record
import sound
import torch
from record import rows
from torch import Tensor, nn

import wavelens as wl
from wavelens.metrics.randomization import randomized

SMALL = {"photos": 2, "sounds": 2, "volumes": 4}
FULL = {"photos": 12, "sounds": 6, "volumes": 12}
DOMAINS = {
    "photo": wl.DWT("haar", levels=5),
    "sound": wl.DWT("db4", levels=8),
    "volume": wl.DWT("haar", levels=2),
}
VOLUMES = ("adrenal", "vessel")
ITSELF, RESET = "itself", "all layers reset"
Row = dict[str, Any]


class Spoiled(nn.Module):
    """A network with something done to its input, and to its output."""

    def __init__(self, net: nn.Module, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.net(self.before(x)))


def same(x: Tensor) -> Tensor:
    return x


BROKEN: dict[str, tuple[str, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    # name: the check that should fail, what is done to the input, and to the output
    "dropout on": ("deterministic", partial(nn.functional.dropout, p=0.1, training=True), same),
    "divided by the batch's maximum": ("batch_independent", lambda x: x / x.abs().amax(), same),
    "a hundredth of the batch's mean off": ("batch_independent", lambda x: x - 0.01 * x.mean(0), same),
    "a tenth of the input detached": ("differentiable", lambda x: 0.9 * x + 0.1 * x.detach(), same),
    "rounded to 8 bits": ("differentiable", lambda x: (255 * x).round() / 255, same),
    "the softmax of 20 times the logits": ("unsaturated", same, lambda out: (20 * out).softmax(1)),
}
EDGES = "explained by an edge detector"


def edges(model: nn.Module, x: Tensor, target: Tensor, *, domain: wl.Domain) -> wl.Coefficients:
    """What looks like a map and never asks the model (Adebayo et al., 2018)."""
    return domain.analysis((x - wl.masks.Blur(1.0)(x)).abs())


@cache
def loaded(kind: str, name: str) -> nn.Module:
    if kind == "photo":
        return at_hand.image_network(name)
    form, file = ("resnet3d", f"{name}_resnet3d") if kind == "volume" else (name, sound.NETS[name])
    return wl.models.load(form, weights=at_hand.at(f"weights/{file}.safetensors")).module


def signal(kind: str, name: str, chosen: str) -> Tensor:
    if kind == "photo":
        return at_hand.photo(chosen)
    if kind == "volume":
        return at_hand.medmnist(name)[0][int(chosen)][None]
    model = wl.models.load(name, weights=at_hand.at(f"weights/{sound.NETS[name]}.safetensors"))
    return model.preprocess(wl.frontends.read_audio(at_hand.at(f"audio/esc50_fold4/{chosen}")))


def keys(options: Any) -> Iterator[Row]:
    """Every network with every input, input by input; with the first as it is broken, the first of a kind reset too."""
    for kind, names, inputs in (
        ("photo", at_hand.IMAGE_NETWORKS, lambda name: at_hand.photo_names(options.photos)),
        ("volume", VOLUMES, lambda name: at_hand.drawn(range(len(at_hand.medmnist(name)[0])), options.volumes)),
        ("sound", sound.NETS, lambda name: at_hand.clip_names(options.sounds)),
    ):
        for number, those in enumerate(zip(*map(inputs, names), strict=True)):
            for name, chosen in zip(names, those, strict=True):
                row = {"kind": kind, "network": name, "input": str(chosen)}
                yield row | {"state": ITSELF}
                for broken in (*BROKEN, EDGES) if number == 0 else ():
                    yield row | {"state": broken}
                if number == 0 and name == next(iter(names)):
                    yield row | {"state": RESET}


def judged(kind: str, network: str, input: str, state: str) -> Row:
    """The verdicts that are asked for, by their check."""
    net, x, domain = loaded(kind, network), signal(kind, network, input), DOMAINS[kind]
    with torch.no_grad():
        target = net(x).argmax(1)
    if state == ITSELF:
        found = list(wl.check(net, x, target, domain=domain).verdicts)
        row: Row = {"verdicts": {v.check: told(v) for v in found}}
        if kind == "photo":
            row["bfloat16"] = told(wl.checks.precise(net, x, target, autocast=torch.bfloat16))
        return row
    if state == RESET:
        found = list(wl.check(randomized(net, seed=1).eval(), x, target, domain=domain).verdicts)
        return {"verdicts": {v.check: told(v) for v in found}}
    if state == EDGES:
        explainer = partial(edges, domain=domain)
        verdict = wl.checks.model_dependent(net, x, target, explainer(net, x, target), explainer=explainer)
    else:
        check, before, after = BROKEN[state]
        verdict = getattr(wl.checks, check)(Spoiled(net, before, after).eval(), x, target)
    return {"verdicts": {verdict.check: told(verdict)}}


def told(verdict: wl.checks.Verdict) -> Row:
    figures = {name: float(f"{n:.3g}") if math.isfinite(n) else None for name, n in verdict.figures.items()}
    return {"status": verdict.status, **figures}


def spread(verdicts: list[Row]) -> Row:
    """How often each verdict was given, and the least, the median and the largest of each figure."""
    statuses = [verdict["status"] for verdict in verdicts]
    names = dict.fromkeys(name for verdict in verdicts for name in verdict if name != "status")
    found: Row = {status: statuses.count(status) for status in sorted(set(statuses))}
    for name in names:
        values = [verdict[name] for verdict in verdicts if verdict.get(name) is not None]
        found[name] = [float(f"{v:.3g}") for v in np.quantile(values, [0, 0.5, 1])] if values else None
    return found


def main() -> None:
    options = record.options(__doc__, SMALL, FULL)
    settings = {"checks": list(wl.checks.CHECKS), "domains": {kind: repr(domain) for kind, domain in DOMAINS.items()}}
    found = rows.each(rows.place("checks"), settings, keys(options), judged)
    healthy = [row for row in found if row["key"]["state"] == ITSELF]
    broken = {state: [row for row in found if row["key"]["state"] == state] for state in (*BROKEN, EDGES, RESET)}
    checks = {
        kind: {name: spread([row["verdicts"][name] for row in some]) for name in wl.checks.CHECKS}
        | {"precise in bfloat16": spread([row["bfloat16"] for row in some if "bfloat16" in row])}
        for kind in DOMAINS
        if (some := [row for row in healthy if row["key"]["kind"] == kind])
    }
    spoiled = {
        state: {name: spread([row["verdicts"][name] for row in some]) for name in some[0]["verdicts"]}
        for state, some in broken.items()
    }
    for title, table in (("healthy", checks), ("broken", spoiled)):
        for group, lines in table.items():
            for name, figures in lines.items():
                print(title, group, name, figures)
    counts = {kind: sum(row["key"]["kind"] == kind for row in healthy) for kind in DOMAINS}
    print("wrote", record.write("checks", {"pairs": counts, "healthy": checks, "broken": spoiled}, options.results))


if __name__ == "__main__":
    main()
