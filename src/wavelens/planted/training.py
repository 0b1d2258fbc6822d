"""Networks for planted tasks: trained from fixed seeds, verified, and kept in a folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from wavelens.field_types import check_fields
from wavelens.planted.architectures import ARCHITECTURES, ON_GRIDS, ON_POINTS
from wavelens.planted.tasks import PlantedTask
from wavelens.planted.verification import Verification, verify
from wavelens.whole_numbers import check_seed, is_whole

FIRST_SEED = 10**9  # of training signals; smaller seeds are for verification and for judging
SEEDS_PER_NETWORK = 10**6
LONGER = {"convolutions, mean": 1600}  # steps of architectures that dilute a small pattern
WINDOW, LOW_LOSS, MIN_STEPS = 25, 0.01, 100  # steps: training ends when the mean loss of a window is low


@dataclass(frozen=True)
class Training:
    """How networks are trained: Adam in one cycle, on new signals in each step, from a seed.

    Training ends before its `steps` when the mean loss of 25 of them is below 0.01.
    """

    steps: int = 800
    batch: int = 64
    rate: float = 3e-3

    def __post_init__(self) -> None:
        check_fields(self)
        if not (is_whole(self.steps, 1) and is_whole(self.batch, 1)) or not 0 < self.rate < 1:
            raise ValueError(
                f"steps and batch must be whole numbers from 1, and rate must lie between 0 and 1; got {self}."
            )

    @classmethod
    def of(cls, architecture: str) -> Training:
        """The training of an architecture where none is given: longer where a mean dilutes a small pattern."""
        return cls(LONGER.get(architecture, cls.steps))


@dataclass(frozen=True, eq=False)
class PlantedNetwork:
    """A network that was verified to go by the pattern of a task and by nothing else."""

    task: PlantedTask
    architecture: str
    seed: int
    module: nn.Module
    verification: Verification

    @classmethod
    def of(cls, module: nn.Module, task: PlantedTask, name: str = "own", **options: int) -> PlantedNetwork:
        """A network of your own, verified here: `ValueError` where it fails. Options are those of `verify`."""
        return cls(task, name, 0, module, verify(module, task, **options))


def train(task: PlantedTask, architecture: str, *, seed: int = 0, training: Training | None = None) -> nn.Module:
    """A network of the architecture trained on the task, in evaluation mode; it is not verified.

    Weights and signals come from the seed; the global random state stays as it was.

    >>> from dataclasses import replace
    >>> task = replace(wl.planted.TASKS["pitch"], axes=(64,))
    >>> brief = wl.planted.Training(steps=2, batch=4)
    >>> model = wl.planted.train(task, "convolutions, max", training=brief)
    >>> model(task.signals(3).x).shape
    torch.Size([3, 2])
    """
    training = training or Training.of(architecture)
    check_seed(seed)
    model = _new(task, architecture, seed).train()
    optimizer = torch.optim.Adam(model.parameters(), training.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.rate, total_steps=training.steps)
    losses: list[float] = []
    with torch.enable_grad():
        for step in range(training.steps):
            signals = task.signals(training.batch, FIRST_SEED + SEEDS_PER_NETWORK * seed + step)
            loss = functional.cross_entropy(model(signals.x), signals.labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if step >= MIN_STEPS and sum(losses[-WINDOW:]) < WINDOW * LOW_LOSS:
                break
    return model.eval()


def network(
    task: PlantedTask,
    architecture: str,
    *,
    seed: int = 0,
    training: Training | None = None,
    folder: str | Path | None = None,
) -> PlantedNetwork:
    """A trained network that passed `verify`, from the folder where it lies there; `ValueError` for one that fails.

    `folder` is by default `$XDG_CACHE_HOME/wavelens/planted`, else `~/.cache/wavelens/planted`. A file holds weights
    for one task, architecture, training and seed; a network from a file is verified again.

    >>> from dataclasses import replace
    >>> task = replace(wl.planted.TASKS["pitch"], axes=(64,))
    >>> try: wl.planted.network(task, "recurrent", training=wl.planted.Training(steps=1), folder="cache")
    ... except ValueError as error: print(str(error).partition(":")[0])
    the network does not go by the planted pattern
    """
    training = training or Training.of(architecture)
    path = Path(folder or _cache()) / f"{_digest(task, architecture, training, seed)}.safetensors"
    model = _new(task, architecture, seed).eval()
    if path.exists():
        with safe_open(path, framework="pt") as stored:
            model.load_state_dict({name: stored.get_tensor(name).clone() for name in stored.keys()})  # noqa: SIM118
    else:
        model = train(task, architecture, seed=seed, training=training)
        _save(model, path, task, architecture, training, seed)
    return PlantedNetwork(task, architecture, seed, model, verify(model, task))


def networks(
    tasks: Iterable[PlantedTask],
    architectures: Sequence[str] | None = None,
    *,
    seeds: Iterable[int] = (0,),
    folder: str | Path | None = None,
) -> list[PlantedNetwork]:
    """A verified network for each task, architecture that fits its signals, and seed; those that fail are left out.

    `ValueError` where none is left.

    >>> from dataclasses import replace
    >>> task = replace(wl.planted.TASKS["pitch"], axes=(64,))
    >>> wl.planted.fitting(task, ["recurrent", "points, max"])
    ['recurrent']
    """
    made, failures = [], []
    for task in tasks:
        for architecture in fitting(task, architectures):
            for seed in seeds:
                try:
                    made.append(network(task, architecture, seed=seed, folder=folder))
                except ValueError as error:
                    failures.append(str(error))
    if not made:
        raise ValueError(f"no network of {len(failures)} passed its verification. {' '.join(failures[:1])}".strip())
    return made


def fitting(task: PlantedTask, architectures: Sequence[str] | None = None) -> list[str]:
    """The architectures, of all or of those named, that take the signals of a task.

    >>> wl.planted.fitting(wl.planted.TASKS["pitch"])
    ['convolutions, max', 'convolutions, mean', 'residual', 'transformer', 'recurrent']
    """
    own = ON_POINTS if task.cloud else ON_GRIDS
    if unknown := [name for name in architectures or () if name not in ARCHITECTURES]:
        raise ValueError(f"architectures are {', '.join(ARCHITECTURES)}; got {unknown[0]!r}.")
    return [name for name in own if architectures is None or name in architectures]


def _new(task: PlantedTask, architecture: str, seed: int) -> nn.Module:
    """The network with its first weights, which the seed gives."""
    if architecture not in fitting(task):
        raise ValueError(f"architectures for {task.name!r} are {', '.join(fitting(task))}; got {architecture!r}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[architecture](task.axes, task.channels, len(task.classes))


def _digest(task: PlantedTask, architecture: str, training: Training, seed: int) -> str:
    text = json.dumps([repr(task), architecture, asdict(training), seed])
    name = f"{task.name} {architecture} {seed}".replace(",", "").replace(" ", "-")
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wavelens" / "planted"


def _save(model: nn.Module, path: Path, task: PlantedTask, architecture: str, training: Training, seed: int) -> None:
    """Written beside and renamed, so that a run that is killed leaves no half of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {name: value.contiguous() for name, value in model.state_dict().items()}
    beside = path.with_suffix(f".{os.getpid()}")
    save_file(tensors, beside, {"task": repr(task), "architecture": architecture, "training": repr(training)})
    beside.replace(path)
