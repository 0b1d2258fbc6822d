"""Tunes pretrained networks to planted patterns in real signals, and verifies that they go by the pattern.

    python benchmarks/planted/real_training.py                     # all of real_networks.RECIPES; resumes
    python benchmarks/planted/real_training.py --networks "YAMNet, 4 layers" --signals 400

The pretrained part stays as it is: its features of the training items are computed once and kept in
wavelens-out/planted, and a head is trained on them, whose epoch is chosen on the choosing items. `verification` of
wavelens.planted then says what moves its answer on items that are for choosing, and on those that are for judging:
results/real-networks.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

sys.path.insert(1, str(Path(__file__).parents[1]))
from harness import records
from harness.arguments import parser
from real_networks import RECIPES, Head, Tuned
from real_signals import TASKS, RealTask

from wavelens.planted import verification

RESULTS = Path(__file__).parent / "results"
CHUNK = 16
EPOCHS, BATCH, RATE, DECAY = 30, 64, 3e-3, 1e-3
SEEDS = {"training": 10**9, "choosing": 10**6}  # of the first chunk


def folder() -> Path:
    made = Path(os.environ.get("WAVELENS_OUT", "wavelens-out")) / "planted"
    made.mkdir(parents=True, exist_ok=True)
    return made


def file_of(name: str, what: str) -> Path:
    return folder() / f"{''.join(c if c.isalnum() else '-' for c in name)}-{what}.safetensors"


def features_of(name: str, use: str, count: int) -> tuple[Tensor, Tensor]:
    """Features in half precision and labels of so many planted signals, computed once."""
    recipe, path = RECIPES[name], file_of(name, f"{use}-{count}")
    if not path.exists():
        body, task = recipe.features(recipe.depth).eval(), task_of(name, use)
        pieces, labels, start = [], [], time.perf_counter()
        for seed in range(-(-count // CHUNK)):
            signals = task.signals(CHUNK, SEEDS[use] + seed)
            with torch.no_grad():
                pieces.append(body(signals.x).half())
            labels.append(signals.labels)
        stored = {"features": torch.cat(pieces)[:count], "labels": torch.cat(labels)[:count]}
        save_file(stored, path)
        print(f"{name}: features of {count} in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    stored = load_file(path)
    return stored["features"], stored["labels"]


def new_head(name: str, features: Tensor) -> Head:
    return Head(features.shape[1], features.ndim - 2, RECIPES[name].pooling, RECIPES[name].reach)


def trained(name: str, count: int, check: int) -> Head:
    """The head, trained on features of `count` planted signals; the epoch is the one best on the choosing items."""
    path = file_of(name, f"head-{count}")
    x, labels = features_of(name, "training", count)
    head = new_head(name, x)
    if path.exists():
        head.load_state_dict(load_file(path))
        return head.eval()
    torch.manual_seed(0)
    head = new_head(name, x)
    head.middle.copy_(x[::4].float().transpose(0, 1).flatten(1).mean(1))
    head.spread.copy_(x[::4].float().transpose(0, 1).flatten(1).std(1).clamp_min(1e-6))
    others = features_of(name, "choosing", check)
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    steps = EPOCHS * (count // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    best, kept = -1.0, {}
    for epoch in range(EPOCHS):
        order = torch.randperm(count)
        for k in range(count // BATCH):
            rows = order[k * BATCH : (k + 1) * BATCH]
            loss = nn.functional.cross_entropy(head(x[rows].float()), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            margin = -float(nn.functional.cross_entropy(head(others[0].float()), others[1]))
        if margin > best or not kept:
            best, kept = margin, {key: value.clone() for key, value in head.state_dict().items()}
        if epoch % 5 == 4:
            print(f"{name}: epoch {epoch + 1}, loss {loss.item():.3f}, choosing {-margin:.3f}", file=sys.stderr)
    head.load_state_dict(kept)
    save_file(kept, path)
    return head.eval()


@cache
def network(name: str, count: int, check: int) -> nn.Module:
    """The whole network: signals `(batch, channel, *axes)` to two logits."""
    recipe = RECIPES[name]
    return Tuned(recipe.features(recipe.depth), trained(name, count, check)).eval()


def task_of(name: str, use: str) -> RealTask:
    """The task of a network, in the items of a use."""
    return replace(TASKS[RECIPES[name].task], use=use)


def verified(name: str, net: nn.Module, use: str, count: int) -> dict[str, float]:
    """What moves the network's answer on items of a use, shares of the signals."""
    measured = verification(net, task_of(name, use), signals=count)
    return {key: round(value, 4) for key, value in measured._asdict().items()}


def arguments(doc: str | None, argv: list[str] | None = None, **counts: int) -> argparse.Namespace:
    """`--networks`, `--results`, and a number for each of `counts`."""
    made = parser(doc)
    made.add_argument("--networks", nargs="*", choices=list(RECIPES), default=list(RECIPES))
    for name, count in counts.items():
        made.add_argument(f"--{name}", type=int, default=count)
    made.add_argument("--results", type=Path, default=RESULTS)
    return made.parse_args(argv)


def main() -> None:
    torch.set_num_threads(1)
    options = arguments(__doc__, signals=960, choosing=96, judging=82)
    measured: dict[str, Any] = records.read(options.results / "real-networks.json").get("networks", {})
    for name in options.networks:
        net = network(name, options.signals, options.choosing)
        measured[name] = {
            "task": RECIPES[name].task,
            "training signals": options.signals,
            "choosing signals": options.choosing,
            "judging signals": options.judging,
            "choosing": verified(name, net, "choosing", options.choosing),
            "judging": verified(name, net, "judging", options.judging),
        }
        print(name, json.dumps(measured[name]))
        records.write(options.results / "real-networks.json", {"networks": measured})


if __name__ == "__main__":
    main()
