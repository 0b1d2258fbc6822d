"""Does the share of fine scales tell how robust a network is? The claim of WAM's section 4.2, put to the test.

    python benchmarks/paper/robustness.py                    # trains what is missing, measures, writes the record
    python benchmarks/paper/robustness.py --task aerial      # one task; about a quarter of the time

For two tasks (see `robustness_nets.py`) eight ways of training with two seeds each give 16 networks. Of each are
measured, on the same test pictures, as many of each class: its mean scale profile (WAM-IG, Haar, 5 levels, the class
that it names), its accuracy on clean pictures, under noise, blur, JPEG and contrast at three severities each, and under
PGD at three strengths. The record has Spearman's correlation of what the profile says with each accuracy over the
networks, with 95 % intervals: recipes are drawn with replacement, with both of their networks, and so are the pictures.
Two controls that need no wavelet stand beside it: accuracy on clean pictures, and the size of the gradient.

Networks and what was measured of them lie in the cache folder ($XDG_CACHE_HOME/wavelens, else ~/.cache/wavelens); a
run that is ended goes on there. Needs the folder WAVELENS_DATA for the task `aerial` alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from record import RESULTS, parser, save, versions
from robustness_inputs import CORRUPTIONS, EPSILONS, SEVERITIES, pgd
from robustness_nets import RECIPES, TASKS, Net, Task, trained
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import wavelens as wl
from wavelens.metrics.correlation import spearman

DOMAIN = wl.DWT("haar", levels=5)
METHOD = wl.IntegratedGradients(steps=16)
STEPS = {"aerial": 160, "textures": 260}  # of training
SEEDS = (0, 1)
DRAWS = 2000
OUTCOMES = ("noise", "blur", "jpeg", "contrast", "all four", "PGD")
Array = NDArray[np.float64]
Row = dict[str, Any]


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wavelens" / "robustness"


def files(name: str, recipe: str, seed: int) -> tuple[Path, Path]:
    """Where a network and what was measured of it are kept."""
    base = f"{name}-{recipe.replace('/', '-').replace(' ', '-')}-{seed}-{STEPS[name]}"
    return cache() / f"{base}.safetensors", cache() / f"{base}-measured.safetensors"


def measured(net: nn.Module, task: Task) -> dict[str, Tensor]:
    """Of each test picture: the profile, the size of the gradient, and whether each answer is right."""
    x, labels = task.test, task.labels

    def right(pictures: Tensor) -> Tensor:
        with torch.no_grad():
            return net(pictures).argmax(1) == labels

    with torch.no_grad():
        named = net(x).argmax(1).tolist()
    a = wl.attribute(net, x, named, domain=DOMAIN, method=METHOD)
    slope = wl.attribute(net, x, named, domain=wl.Identity(), method=wl.Saliency())
    found = {"share": wl.maps.profile(a).share, "gradient": slope.data.abs().sum((1, 2)), "clean": right(x)}
    for name, levels in SEVERITIES.items():
        found[name] = torch.stack([right(CORRUPTIONS[name](x, level, 0)) for level in levels], 1)
    found["PGD"] = torch.stack([right(pgd(net, x, labels, epsilon)) for epsilon in EPSILONS], 1)
    return {name: value.contiguous() for name, value in found.items()}


def known(task: Task, name: str, recipe: str, seed: int) -> dict[str, Tensor]:
    """What is measured of a network, from the cache where it is there; else it is trained first."""
    weights, record = files(name, recipe, seed)
    if not record.exists():
        start = time.perf_counter()
        net: Net = trained(task, recipe, seed, STEPS[name], weights)
        between = time.perf_counter()
        found = measured(net, task)
        beside = record.with_suffix(".part")
        save_file(found, beside)
        beside.replace(record)
        clean = found["clean"].double().mean()
        spent = f"trained in {between - start:.0f} s, measured in {time.perf_counter() - between:.0f} s"
        print(f"{name}, {recipe}, seed {seed}: {spent}, clean {clean:.1%}", flush=True)
    return load_file(record)


def predictors(share: Array, gradient: Array, clean: Array) -> dict[str, Array]:
    """`(networks, items, …)` to one number a network: what is thought to tell robustness, more meaning less of it."""
    finest = share.mean(1)
    level = finest @ np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])  # a5, d5 … d1
    return {
        "share of d1": finest[:, -1],
        "share of d1 and d2": finest[:, -2:].sum(1),
        "mean level, less is finer": -level,
        "control: gradient": np.log(gradient.mean(1)),
        "control: clean error": 1 - clean.mean(1),
    }


def outcomes(found: dict[str, Array]) -> dict[str, Array]:
    """Accuracy of each network, mean over severities, and over the four corruptions."""
    own = {name: found[name].mean((1, 2)) for name in (*SEVERITIES, "PGD")}
    return own | {"all four": np.mean([own[name] for name in SEVERITIES], axis=0)}


def correlations(found: dict[str, Array]) -> dict[str, dict[str, float]]:
    """Spearman's, of every predictor with every outcome; 'kept' outcomes are divided by the clean accuracy."""
    clean = found["clean"].mean(1)
    told = predictors(found["share"], found["gradient"], found["clean"])
    reached = outcomes(found)
    reached |= {f"{name}, kept": reached[name] / clean for name in OUTCOMES}
    table = {p: {o: _spearman(a, b) for o, b in reached.items()} for p, a in told.items()}
    return {p: row | {"clean": _spearman(told[p], clean)} for p, row in table.items()}


def _spearman(a: Array, b: Array) -> float:
    return float(spearman(torch.from_numpy(a.copy()), torch.from_numpy(b.copy())))


def intervals(found: dict[str, Array], recipes: list[str]) -> dict[str, dict[str, Row]]:
    """Correlations with 95 % intervals: recipes and items drawn with replacement, a recipe with all its networks."""
    value = correlations(found)
    random = np.random.default_rng(0)
    names = list(dict.fromkeys(recipes))
    networks = {name: [k for k, own in enumerate(recipes) if own == name] for name in names}
    draws = []
    for _ in range(DRAWS):
        chosen = [k for name in random.choice(names, len(names)) for k in networks[name]]
        items = random.integers(found["clean"].shape[1], size=found["clean"].shape[1])
        draws.append(correlations({key: table[chosen][:, items] for key, table in found.items()}))
    return {p: {o: _row(rho, [draw[p][o] for draw in draws]) for o, rho in row.items()} for p, row in value.items()}


def _row(rho: float, draws: list[float]) -> Row:
    if not np.isfinite(rho):  # one of the two is the same for all networks
        return {"rho": None, "from": None, "to": None}
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return {"rho": round(rho, 3), "from": round(float(low), 3), "to": round(float(high), 3)}


def networks(found: dict[str, Array], names: list[tuple[str, int]]) -> list[Row]:
    told = predictors(found["share"], found["gradient"], found["clean"])
    reached = {"clean": found["clean"].mean(1)} | outcomes(found)
    return [
        {"recipe": recipe, "seed": seed}
        | {"share": [round(float(v), 4) for v in found["share"][k].mean(0)]}
        | {key: round(float(value[k]), 4) for key, value in (told | reached).items()}
        for k, (recipe, seed) in enumerate(names)
    ]


def balanced(labels: Tensor) -> Tensor:
    """As many pictures of each class as the rarest has: a network that always says the same is at chance."""
    counts = labels.bincount()
    places = [(labels == label).nonzero()[: counts.min(), 0] for label in range(len(counts))]
    return torch.cat(places).sort().values


def table(name: str, seeds: Sequence[int]) -> Row:
    task = TASKS[name]()
    names = [(recipe, seed) for seed in seeds for recipe in RECIPES]
    each = [known(task, name, recipe, seed) for recipe, seed in names]
    items = balanced(task.labels)
    found = {key: torch.stack([own[key][items] for own in each]).double().numpy() for key in each[0]}
    return {
        "pictures": len(items),
        "chance": round(1 / task.classes, 3),
        "steps": STEPS[name],
        "networks": networks(found, names),
        "spearman": intervals(found, [recipe for recipe, _ in names]),
    }


def main() -> None:
    known = parser(__doc__)
    known.add_argument("--task", choices=tuple(STEPS), nargs="+", default=tuple(STEPS))
    known.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options = known.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "robustness.json"
    tasks = json.loads(path.read_text())["tasks"] if path.exists() else {}
    for name in options.task:
        seeds = " ".join(map(str, options.seeds))
        tasks[name] = {
            "command": f"python benchmarks/paper/robustness.py --task {name} --seeds {seeds}",
            **versions(),
            "domain": repr(DOMAIN),
            "method": repr(METHOD),
            "severities": SEVERITIES,
            "epsilons": [f"{round(255 * epsilon)}/255" for epsilon in EPSILONS],
            "intervals": f"95 %, {DRAWS} draws of recipes and pictures",
            **table(name, options.seeds),
        }
        save(path, {"tasks": tasks})
        for outcome in OUTCOMES:
            told = tasks[name]["spearman"]["share of d1 and d2"][outcome]
            print(f"{name}, {outcome}: rho {told['rho']} [{told['from']}, {told['to']}]", flush=True)


if __name__ == "__main__":
    sys.exit(main())
