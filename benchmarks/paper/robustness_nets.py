"""The small networks of `robustness.py`: two tasks from real pictures, a residual network, eight ways to train it.

`textures`: from which of twelve pictures of scikit-image and scikit-learn a crop of 64 × 64 grey pixels comes; training
crops lie in the left of each picture, test crops in its right, and brightness varies in training. `aerial`: whether an
aerial crop holds a photovoltaic panel, 200 of the 300 crops of WAVELENS_DATA (pv/pv_fresno300) for training, 100 for
the test, 64 × 64 pixels.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import sklearn.datasets
import torch
from PIL import Image
from record import at
from robustness_inputs import blur, pgd
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

SIZE = 64
PICTURES = ("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "grass.png",
            "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "china.jpg")  # fmt: skip
TEST_CROPS = 18  # of each picture
TRAINED = 200  # of the aerial crops
BATCH = 48
WIDTHS = (16, 24, 48, 64)


@dataclass(frozen=True, eq=False)
class Task:
    """`train(source, count)` draws a batch; `test` and `labels` are the pictures that are kept apart."""

    channels: int
    classes: int
    train: Callable[[torch.Generator, int], tuple[Tensor, Tensor]]
    test: Tensor
    labels: Tensor


def textures() -> Task:
    halves = [_halves(name) for name in PICTURES]
    source = torch.Generator().manual_seed(0)
    test = [_crop(right, source) for _, right in halves for _ in range(TEST_CROPS)]

    def train(source: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(len(PICTURES), (count,), generator=source)
        crops = torch.stack([_crop(halves[int(label)][0], source) for label in labels])
        gain = 0.7 + 0.6 * torch.rand((count, 1, 1, 1), generator=source)
        shift = 0.2 * (torch.rand((count, 1, 1, 1), generator=source) - 0.5)
        return _flipped((crops * gain + shift).clamp(0, 1), source), labels

    return Task(1, len(PICTURES), train, torch.stack(test), torch.arange(len(PICTURES)).repeat_interleave(TEST_CROPS))


def _halves(name: str) -> tuple[Tensor, Tensor]:
    """The left 62 % and the right 38 % of a picture in grey."""
    folder = Path(skimage.__file__).parent / "data"
    if not (folder / name).is_file():
        folder = Path(sklearn.datasets.__file__).parent / "images"
    pixels = np.asarray(Image.open(folder / name).convert("L"), dtype=np.float32) / 255
    edge = int(0.62 * pixels.shape[1])
    return torch.from_numpy(pixels[:, :edge]), torch.from_numpy(pixels[:, edge:])


def _crop(picture: Tensor, source: torch.Generator) -> Tensor:
    top, left = (int(torch.randint(n - SIZE + 1, (), generator=source)) for n in picture.shape)
    return picture[None, top : top + SIZE, left : left + SIZE]


def _flipped(x: Tensor, source: torch.Generator) -> Tensor:
    for axis in (-2, -1):
        turned = torch.rand((len(x), 1, 1, 1), generator=source) < 0.5
        x = torch.where(turned, x.flip(axis), x)
    return x


def aerial() -> Task:
    folder = at("pv/pv_fresno300")
    with (folder / "labels.csv").open(newline="") as file:
        rows = [(row["filename"], int(row["label"])) for row in csv.DictReader(file)]
    x = torch.stack([_shrunk(folder / name) for name, _ in rows])
    labels = torch.tensor([label for _, label in rows])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    kept, apart = order[:TRAINED], order[TRAINED:]

    def train(source: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        chosen = kept[torch.randint(TRAINED, (count,), generator=source)]
        shift = torch.randint(-6, 7, (2,), generator=source).tolist()
        return _flipped(x[chosen].roll(shift, (-2, -1)), source), labels[chosen]

    return Task(3, 2, train, x[apart], labels[apart])


def _shrunk(path: Path) -> Tensor:
    picture = Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).movedim(-1, 0).contiguous()


TASKS: dict[str, Callable[[], Task]] = {"textures": textures, "aerial": aerial}


class Net(nn.Module):
    """A residual network of four stages for pictures in [0, 1]; normalisation is inside."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(_convolution(channels, WIDTHS[0], 5, 2), nn.ReLU())
        self.stages = nn.Sequential(*[Stage(before, after) for before, after in itertools.pairwise(WIDTHS)])
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.stem((x - 0.5) / 0.25)).mean((-2, -1)))
        return logits


class Stage(nn.Module):
    """Two 3 × 3 convolutions, the first with stride 2, and a way around them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        first, second = _convolution(before, after, 3, 2), _convolution(after, after, 3, 1)
        self.inner = nn.Sequential(first, nn.ReLU(), second)
        self.skip = _convolution(before, after, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.inner(x) + self.skip(x))


def _convolution(before: int, after: int, width: int, stride: int) -> nn.Sequential:
    kernel = nn.Conv2d(before, after, width, stride, padding=width // 2, bias=False)
    return nn.Sequential(kernel, nn.BatchNorm2d(after))


Change = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


def _plain(net: nn.Module, x: Tensor, labels: Tensor, source: torch.Generator) -> Tensor:
    return x


def _noisy(most: float) -> Change:
    def change(net: nn.Module, x: Tensor, labels: Tensor, source: torch.Generator) -> Tensor:
        sigma = most * torch.rand((len(x), 1, 1, 1), generator=source)
        return (x + sigma * torch.randn(x.shape, generator=source)).clamp(0, 1)

    return change


def _blurred(most: float) -> Change:
    """Half of the batch, all alike."""

    def change(net: nn.Module, x: Tensor, labels: Tensor, source: torch.Generator) -> Tensor:
        sigma = 0.3 + (most - 0.3) * float(torch.rand((), generator=source))
        return torch.cat([x[: len(x) // 2], blur(x[len(x) // 2 :], sigma)])

    return change


def _sharpened(net: nn.Module, x: Tensor, labels: Tensor, source: torch.Generator) -> Tensor:
    """Fine scales up to three times as strong."""
    more = 2 * torch.rand((len(x), 1, 1, 1), generator=source)
    return (x + more * (x - blur(x, 1.5))).clamp(0, 1)


def _attacked(epsilon: float) -> Change:
    """Half of the batch: networks that see nothing else end at one answer for all."""

    def change(net: nn.Module, x: Tensor, labels: Tensor, source: torch.Generator) -> Tensor:
        half, seed = len(x) // 2, int(torch.randint(2**31, (), generator=source))
        return torch.cat([x[:half], pgd(net, x[half:], labels[half:], epsilon, steps=3, seed=seed)])

    return change


RECIPES: dict[str, Change] = {
    "standard": _plain,
    "sharpened": _sharpened,
    "noise 0.1": _noisy(0.1),
    "noise 0.3": _noisy(0.3),
    "blur 1.5": _blurred(1.5),
    "blur 3": _blurred(3.0),
    "PGD 1/255": _attacked(1 / 255),
    "PGD 2/255": _attacked(2 / 255),
}


def trained(task: Task, recipe: str, seed: int, steps: int, path: Path) -> Net:
    """The network of a recipe, from `path` where it was trained before."""
    torch.manual_seed(seed)
    net = Net(task.channels, task.classes)
    if path.exists():
        net.load_state_dict(load_file(path))
        return net.eval()
    source = torch.Generator().manual_seed(1000 + seed)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=steps)
    for _ in range(steps):
        _step(net.train(), optimiser, *_batch(net, task, RECIPES[recipe], source))
        schedule.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    save_file(net.state_dict(), beside)
    beside.replace(path)
    return net.eval()


def _batch(net: nn.Module, task: Task, change: Change, source: torch.Generator) -> tuple[Tensor, Tensor]:
    x, labels = task.train(source, BATCH)
    return change(net, x, labels, source), labels


def _step(net: nn.Module, optimiser: Any, x: Tensor, labels: Tensor) -> None:
    loss = nn.functional.cross_entropy(net(x), labels, label_smoothing=0.05)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
