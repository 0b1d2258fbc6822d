"""Whether the thresholds of `wavelens.check` hold on models and inputs that they were not set on.

    python benchmarks/paper/checks_judged.py            # 1 photo (2 networks), 1 sound, 3 volumes, 3 others; resumes
    python benchmarks/paper/checks_judged.py --set choosing     # the pairs that finds_planted was set on, and no more
    python benchmarks/paper/checks_judged.py --state finds_planted     # that alone; the rest of the record stays

checks.py asks all checks about the pairs that the thresholds were set on. Here they are judged on others: inputs that
checks.py does not take, for its eight networks and for five more, of sounds, of time series and of X-rays, that no
threshold was set on. Each of the five is also broken on purpose. `finds_planted` is asked beside its own map about maps
that never ask the model: of an edge detector, of a copy with all layers reset, of the energy order, a random one.
results/checks-judged.json has for each check how often it gave which verdict and the range of its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import at_hand
import checks
import numpy as np
import record
import torch
from checks import BROKEN, DOMAINS, EDGES, ITSELF, Row, Spoiled, edges, spread, told
from record import at, records, rows
from safetensors.torch import load_file
from torch import Tensor, nn

import wavelens as wl
from wavelens.metrics.randomization import randomized

SKIPPED = {"photo": 12, "sound": 6, "volume": 12}  # inputs that checks.py may take
SET_ON = {"photo": 2, "sound": 1, "volume": 4}  # inputs per network that finds_planted was set on
SMALL = {"photos": 1, "networks": 2, "sounds": 1, "volumes": 3, "others": 3, "set": "both", "state": ""}
FULL = {"photos": 4, "networks": 4, "sounds": 4, "volumes": 12, "others": 12}
METHOD = wl.IntegratedGradients(steps=16)  # of the maps that finds_planted is asked about
PLANTED = "finds_planted"
UNASKED = ("a copy with all layers reset", EDGES, "the energy order", "a random order")
OTHERS = {  # network: kind of its own, domain
    "FSDD digits": wl.DWT("db4", levels=6),
    "FCN GunPoint": wl.DWT("haar", levels=4),
    "FCN ArrowHead": wl.DWT("haar", levels=4),
    "FCN BasicMotions": wl.DWT("haar", levels=4),
    "pneumonia": wl.DWT("haar", levels=2),
}
CLASSES = {"FSDD digits": 10, "FCN GunPoint": 2, "FCN ArrowHead": 3, "FCN BasicMotions": 4, "pneumonia": 2}


class Standardised(nn.Module):
    """Series less the mean of each channel, divided by its deviation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean[:, None]) / self.std[:, None]


class Layers(nn.Module):
    """Convolutions with batch norms, pooled after some, and the mean over places: the small networks of `more/`."""

    def __init__(self, convolutions: list[nn.Module], pools: list[int], classes: int, channels: int = 0) -> None:
        super().__init__()
        self.c, widths = nn.ModuleList(convolutions), [c.out_channels for c in convolutions]
        flat = isinstance(convolutions[0], nn.Conv2d)
        self.b = nn.ModuleList([(nn.BatchNorm2d if flat else nn.BatchNorm1d)(width) for width in widths])
        self.pools, self.f = pools, nn.Linear(widths[-1], classes)
        self.pool = nn.functional.max_pool2d if flat else nn.functional.max_pool1d
        self.input: nn.Module = nn.Identity()
        if channels:
            self.input = Standardised(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.input(x)
        for convolution, norm, pool in zip(self.c, self.b, self.pools, strict=True):
            x = torch.relu(norm(convolution(x)))
            x = self.pool(x, pool) if pool > 1 else x
        logits: Tensor = self.f(x.flatten(2).mean(2))
        return logits


@cache
def other_network(name: str) -> nn.Module:
    """One of `OTHERS`, in evaluation mode."""
    if name == "FSDD digits":
        convolutions: list[nn.Module] = [
            nn.Conv1d(1, 24, 40, 8, 20),
            nn.Conv1d(24, 32, 5, padding=2),
            nn.Conv1d(32, 48, 3, padding=1),
            nn.Conv1d(48, 64, 3, padding=1),
        ]
        file, net = "speech/fsdd_m5", Layers(convolutions, [4, 4, 4, 2], 10)
    elif name == "pneumonia":
        convolutions = [nn.Conv2d(a, b, 3, padding=1) for a, b in ((1, 16), (16, 32), (32, 64))]
        file, net = "medical/pneumonia_cnn", Layers(convolutions, [2, 2, 1], 2)
    else:
        channels = 6 if name == "FCN BasicMotions" else 1
        convolutions = [nn.Conv1d(a, b, k, padding=k // 2) for a, b, k in ((channels, 32, 9), (32, 64, 5), (64, 32, 3))]
        file, net = f"series/{name.lower().replace(' ', '_')}", Layers(convolutions, [1] * 3, CLASSES[name], channels)
    net.load_state_dict(load_file(at(f"more/{file}.safetensors")), strict=False)  # counts of batches are not in it
    return net.eval()


@cache
def other_signals(name: str) -> Tensor:
    """The test signals of a network of `OTHERS`, drawn in a fixed order: 40 at most."""
    if name == "FSDD digits":
        files = at_hand.drawn(sorted(at("more/speech/fsdd_test").glob("*.flac")), 40)
        return torch.cat([spoken(wl.frontends.read_audio(file).data.float()) for file in files])
    if name == "pneumonia":
        with np.load(at("more/medical/pneumoniamnist_test.npz")) as arrays:
            images = arrays["images"]
        return torch.from_numpy(np.stack(at_hand.drawn(images, 40))).float()[:, None] / 255
    with np.load(at("more/series/ucr.npz"), allow_pickle=False) as arrays:
        return torch.from_numpy(np.stack(at_hand.drawn(arrays[f"{name[4:]}.test.x"], 40))).float()


def spoken(x: Tensor) -> Tensor:
    """A clip in the middle of 8,000 samples, with a peak of 1."""
    x = x.reshape(1, 1, -1)[..., :8000]
    missing = 8000 - x.shape[-1]
    return nn.functional.pad(x / x.abs().amax(), (missing // 2, missing - missing // 2))


def keys(options: Any) -> Iterator[Row]:
    """Pairs of a set, those that are cheap first: all checks on the judging set, and finds_planted on both."""
    if options.set != "judging":
        yield from pairs("choosing", len(at_hand.IMAGE_NETWORKS), SET_ON, 0)
    if options.set != "choosing":
        counts = {"photo": options.photos, "sound": options.sounds, "volume": options.volumes}
        yield from pairs("judging", options.networks, counts, options.others)


def pairs(use: str, image_networks: int, counts: dict[str, int], others: int) -> Iterator[Row]:
    for name in OTHERS:
        for number in range(others):
            yield from states(use, "other", name, str(number), number == 0)
    photo_networks = tuple(at_hand.IMAGE_NETWORKS)[:image_networks]
    networks = {"volume": checks.VOLUMES, "sound": tuple(checks.sound.NETS), "photo": photo_networks}
    for kind, names in networks.items():
        skipped = SKIPPED[kind] if use == "judging" else 0
        for name in names:
            for chosen in inputs(kind, name, skipped + counts[kind])[skipped:]:
                yield from states(use, kind, name, str(chosen), False)


def states(use: str, kind: str, network: str, chosen: str, broken: bool) -> Iterator[Row]:
    row = {"use": use, "kind": kind, "network": network, "input": chosen}
    if use == "judging":
        yield row | {"state": ITSELF}
        for state in (*BROKEN, EDGES) if broken else ():
            yield row | {"state": state}
    yield row | {"state": PLANTED}


def inputs(kind: str, name: str, count: int) -> list[Any]:
    if kind == "photo":
        return at_hand.photo_names(count)
    if kind == "sound":
        return at_hand.clip_names(count)
    return at_hand.drawn(range(len(at_hand.medmnist(name)[0])), count)


def judged(use: str, kind: str, network: str, input: str, state: str) -> Row:
    """The verdicts that are asked for, by their check, or for `PLANTED` by the map."""
    if kind != "other" and state != PLANTED:
        return checks.judged(kind, network, input, state)
    if kind == "other":
        net, x, domain = other_network(network), other_signals(network)[int(input)][None], OTHERS[network]
    else:
        net, x, domain = checks.loaded(kind, network), checks.signal(kind, network, input), DOMAINS[kind]
    with torch.no_grad():
        target = net(x).argmax(1)
    if state == ITSELF:
        return {"verdicts": {v.check: told(v) for v in wl.check(net, x, target, domain=domain).verdicts}}
    if state == PLANTED:
        return {"verdicts": {name: told(verdict) for name, verdict in planted(net, x, target, domain).items()}}
    if state == EDGES:
        explainer = partial(edges, domain=domain)
        verdict = wl.checks.model_dependent(net, x, target, explainer(net, x, target), explainer=explainer)
    else:
        check, before, after = BROKEN[state]
        verdict = getattr(wl.checks, check)(Spoiled(net, before, after).eval(), x, target)
    return {"verdicts": {verdict.check: told(verdict)}}


def planted(net: nn.Module, x: Tensor, target: Tensor, domain: wl.Domain) -> dict[str, wl.checks.Verdict]:
    """What finds_planted says of the map of the model, and of maps that never ask it."""
    explain = partial(wl.attribute, domain=domain, method=METHOD)
    twin = randomized(net, seed=1).eval()
    maps: dict[str, Callable[..., wl.Coefficients]] = {
        ITSELF: explain,
        UNASKED[0]: lambda model, x, target: explain(twin, x, target),
        UNASKED[1]: partial(edges, domain=domain),
        UNASKED[2]: lambda model, x, target: wl.metrics.energy_order(x, domain),
        UNASKED[3]: lambda model, x, target: wl.metrics.random_order(x, domain),
    }
    verdicts = {}
    for name, made in maps.items():
        verdicts[name] = wl.checks.finds_planted(net, x, target, explainer=made)
        if verdicts[name].status == "not applicable":
            return {other: replace(verdicts[name]) for other in maps}
    return verdicts


def summary(made: list[Row]) -> Row:
    """By set: for each check, and for each map that finds_planted was asked about, verdicts and ranges of figures."""
    tables: Row = {}
    for use in ("choosing", "judging"):
        own = [row for row in made if row["key"]["use"] == use]
        table: Row = {}
        for state in dict.fromkeys(row["key"]["state"] for row in own):
            some = [row for row in own if row["key"]["state"] == state]
            table[state] = {"pairs": len(some)} | {
                name: spread([row["verdicts"][name] for row in some if name in row["verdicts"]])
                for name in dict.fromkeys(name for row in some for name in row["verdicts"])
            }
        tables[use] = table
    return tables


def main() -> None:
    options = record.options(__doc__, SMALL, FULL)
    settings = {
        "checks": list(wl.checks.CHECKS),
        "method": repr(METHOD),
        "domains": {name: repr(domain) for name, domain in {**DOMAINS, **OTHERS}.items()},
    }
    asked = [row for row in keys(options) if options.state in ("", row["state"])]
    table = summary(rows.each(rows.place("checks-judged"), settings, asked, judged))
    there = records.read(options.results / "checks-judged.json").get("sets", {}) if options.state else {}
    table = {use: there.get(use, {}) | states for use, states in table.items()}
    for use, states in table.items():
        for state, figures in states.items():
            for name, values in figures.items():
                print(use, state, name, values)
    print("wrote", record.write("checks-judged", {"sets": table}, options.results))


if __name__ == "__main__":
    main()
