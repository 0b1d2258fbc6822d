"""Whether a network goes by the pattern and by nothing else, before explanations of it are judged."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wavelens.engine.frozen import frozen_model
from wavelens.planted.tasks import PlantedSignals, PlantedTask

SIGNALS, SEED = 400, 1
REQUIRED = 0.95  # share of the signals
CHANCE_DEVIATIONS = 4.0  # of the share right by chance
MOVED, EXCHANGED, OTHER = 10_001, 10_002, 10_003  # added to the seed


class Verification(NamedTuple):
    """How a network answers planted signals, as shares of them.

    `accuracy`; `moved`, right with the pattern at another place; `exchanged`, right with the next class's pattern in
    its place; `removed`, right without any pattern, the mean over classes, whose `chance` is one in their number;
    `distractor` and `background`, the same answer with the distractor elsewhere or gone, and with other noise.
    """

    accuracy: float
    moved: float
    exchanged: float
    removed: float
    chance: float
    distractor: float
    background: float


def verification(model: nn.Module, task: PlantedTask, *, signals: int = SIGNALS, seed: int = SEED) -> Verification:
    """Measure what moves a network's answer: the pattern, or something else.

    >>> task = wl.planted.TASKS["pitch"]
    >>> blind = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(512, 2))
    >>> wl.planted.verification(blind, task, signals=40).chance
    0.5
    """
    made = task.signals(signals, seed)
    labels, following = made.labels, (made.labels + 1) % len(task.classes)
    other = task.patterns(following, seed + EXCHANGED, made.background)
    empty = torch.zeros_like(made.pattern)
    new = task.backgrounds(signals, seed + OTHER)
    answers = _classes(model, made.x)
    bare = _classes(model, replace(made, pattern=empty).x)
    removed = torch.stack([_share(bare[labels == k] == k) for k in labels.unique()]).mean()
    changed = (
        replace(made, distractor=empty),
        replace(made, distractor=task.distractors(made.background, seed + OTHER)),
    )
    steady = torch.stack([_classes(model, one.x) == answers for one in changed])
    moved = replace(made, pattern=task.patterns(labels, seed + MOVED, made.background))
    replanted = PlantedSignals(labels, new, task.patterns(labels, seed, new), task.distractors(new, seed))
    return Verification(
        accuracy=float(_share(answers == labels)),
        moved=float(_share(_classes(model, moved.x) == labels)),
        exchanged=float(_share(_classes(model, replace(made, pattern=other).x) == following)),
        removed=float(removed),
        chance=1 / len(task.classes),
        distractor=float(_share(steady)),
        background=float(_share(_classes(model, replanted.x) == answers)),
    )


def verify(model: nn.Module, task: PlantedTask, *, signals: int = SIGNALS, seed: int = SEED) -> Verification:
    """The verification of a network that passes; `ValueError` for one that does not, with everything it failed.

    At least 95 % right, and as many with the pattern moved and exchanged; right by chance without a pattern, within
    four standard deviations; at least 95 % of the answers the same whatever distractor and noise are.

    >>> task = wl.planted.TASKS["pitch"]
    >>> blind = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(512, 2))
    >>> try: wl.planted.verify(blind, task, signals=40)
    ... except ValueError as error: print(str(error).partition(":")[0])
    the network does not go by the planted pattern
    """
    made = verification(model, task, signals=signals, seed=seed)
    required = ("accuracy", "moved", "exchanged", "distractor", "background")
    amiss = [f"{name} {getattr(made, name):.3f}, not {REQUIRED}" for name in required if getattr(made, name) < REQUIRED]
    reach = CHANCE_DEVIATIONS * (made.chance * (1 - made.chance) / signals) ** 0.5
    if abs(made.removed - made.chance) > reach:
        amiss.append(f"removed {made.removed:.3f}, not {made.chance:.2f} ± {reach:.3f}")
    if amiss:
        raise ValueError(
            f"the network does not go by the planted pattern: {'; '.join(amiss)} (task {task.name!r}). Train it "
            "longer or on stronger patterns; explanations of it have no known truth."
        )
    return made


def _classes(model: nn.Module, x: Tensor, rows: int = 200) -> Tensor:
    """The classes that the network answers, `(batch,)`."""
    with frozen_model(model, x), torch.no_grad():
        model.eval()
        return torch.cat([model(piece).argmax(1).cpu() for piece in x.split(rows)])


def _share(hits: Tensor) -> Tensor:
    return hits.double().mean()
