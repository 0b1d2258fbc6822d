"""Does the map of a detected object lie in its box? An FCOS trained on drawn shapes, whose places are known.

python benchmarks/detectors/shapes.py                  # some ten minutes on one core: trains, then measures
python benchmarks/detectors/shapes.py --pictures 300   # more detections; what was trained is in --weights

Pictures of 64 × 64 have two or three shapes (square, disc, triangle; the class is the form alone, colours are drawn
at random) on 1/f noise, and a striped patch that is no object and has more energy than any. For each object that is
detected rightly (IoU of 0.5 or more with the drawn one of its class), probability × IoU with its box is explained.
Pointing: whether the highest place of the map lies in the drawn box; mass: the share of the map in it. Both are set
against the box's share of the picture, and against maps that know no object: the energy of the picture in the same
coordinates, random numbers, and a point in the middle. Insertion and deletion follow probability × IoU as coefficients
come in or go, the largest first, for the most probable object of each of `--curves` further pictures.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import records
from harness.arguments import sized
from harness.intervals import interval
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator

import wavelens as wl
from wavelens.boxes import iou
from wavelens.metrics import energy_order, random_order

RESULTS = Path(__file__).parent / "results"
SMALL = {"steps": 800, "pictures": 80, "curves": 24, "seed": 0, "weights": "shapes.pth"}
FULL = {"steps": 3000, "pictures": 400, "curves": 120, "seed": 0, "weights": "shapes-full.pth"}
BATCH, SIDE, CLASSES, THRESHOLD = 8, 64, ("square", "disc", "triangle"), 0.3
WAVELETS, PIXELS = wl.DWT("haar", levels=4), wl.Identity()
DOMAINS = {"wavelets": WAVELETS, "pixels": PIXELS}
METHODS = {
    "IG": wl.IntegratedGradients(steps=32),
    "SmoothGrad": wl.SmoothGrad(samples=16, sigma=0.1),
    "gradient": wl.Saliency(),
}
FOLLOWED = ("IG", "SmoothGrad")  # along insertion and deletion
Shape = tuple[int, tuple[int, int, int, int]]  # class; left, top, right, bottom


class Pyramid(nn.Module):
    """Maps at an eighth and a sixteenth of the picture."""

    out_channels = 64

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 64)
        layers = [
            layer
            for one, other in itertools.pairwise(widths)
            for layer in (nn.Conv2d(one, other, 3, 2, 1), nn.GroupNorm(8, other), nn.ReLU())
        ]
        self.fine = nn.Sequential(*layers, nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU())
        self.coarse = nn.Sequential(nn.Conv2d(64, 64, 3, 2, 1), nn.ReLU())

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        fine = self.fine(x)
        return {"0": fine, "1": self.coarse(fine)}


def network() -> FCOS:
    """Untrained, for pictures of one size."""
    anchors = AnchorGenerator(((8,), (16,)), ((1.0,), (1.0,)))
    return FCOS(Pyramid(), len(CLASSES), anchor_generator=anchors, min_size=SIDE, max_size=SIDE, score_thresh=THRESHOLD)


def picture(random: np.random.Generator) -> tuple[Tensor, list[Shape]]:
    """`(3, 64, 64)` in [0, 1], and the shapes on it."""
    canvas = np.repeat(_noise(random)[None], 3, 0)
    taken = np.zeros((SIDE, SIDE), bool)
    _patch(random, canvas, taken)
    shapes = []
    for _ in range(int(random.integers(2, 4))):
        drawn = _shape(random, canvas, taken)
        shapes += [drawn] if drawn else []
    return torch.from_numpy(canvas.clip(0, 1)).float(), shapes


def _noise(random: np.random.Generator) -> np.ndarray:
    """1/f noise around a middle grey."""
    steps = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    steps[0, 0] = 1
    wave = np.fft.ifft2(np.fft.fft2(random.standard_normal((SIDE, SIDE))) / steps).real
    return 0.5 + 0.08 * wave / wave.std()


def _place(random: np.random.Generator, taken: np.ndarray, side: int) -> tuple[int, int] | None:
    """A free place for a square with this side, a pixel from what is there."""
    for _ in range(40):
        top, left = random.integers(1, SIDE - side - 1, 2)
        if not taken[top - 1 : top + side + 1, left - 1 : left + side + 1].any():
            taken[top : top + side, left : left + side] = True
            return int(top), int(left)
    return None


def _patch(random: np.random.Generator, canvas: np.ndarray, taken: np.ndarray) -> None:
    """A striped patch, which is no object."""
    if (place := _place(random, taken, 14)) is not None:
        top, left = place
        canvas[:, top : top + 14, left : left + 14] = np.indices((14, 14)).sum(0) // 2 % 2


def _shape(random: np.random.Generator, canvas: np.ndarray, taken: np.ndarray) -> Shape | None:
    side, kind = int(random.integers(11, 20)), int(random.integers(len(CLASSES)))
    if (place := _place(random, taken, side)) is None:
        return None
    top, left = place
    y, x = np.indices((side, side)) - (side - 1) / 2
    inside = (np.ones((side, side), bool), np.hypot(x, y) <= side / 2, np.abs(x) <= (y + side / 2) / 2)[kind]
    canvas[:, top : top + side, left : left + side][:, inside] = random.uniform(0.1, 0.95, 3)[:, None]
    return kind, (left, top, left + side, top + side)


def trained(steps: int, seed: int) -> FCOS:
    torch.manual_seed(seed)
    random, net = np.random.default_rng(seed), network().train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(steps):
        items = [picture(random) for _ in range(BATCH)]
        truth = [
            {
                "boxes": torch.tensor([box for _, box in shapes]).float().view(-1, 4),
                "labels": torch.tensor([kind for kind, _ in shapes], dtype=torch.long),
            }
            for _, shapes in items
        ]
        loss = sum(net([one for one, _ in items], truth).values())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
    return net.eval()


def rows_first(box: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
    left, top, right, bottom = box
    return (top, bottom), (left, right)


def matched(loaded: wl.models.LoadedModel, x: Tensor, shapes: Sequence[Shape]) -> Iterator[tuple[Any, Any]]:
    """Each detection with the drawn box of its class that it covers, or None."""
    with torch.no_grad():
        objects = wl.targets.detections(loaded.module(x), **vars(loaded.answer))[0]
    for one in objects:
        own = [rows_first(box) for kind, box in shapes if kind == one.label]
        shares = [float(iou(torch.tensor(one.box), torch.tensor(box).float())) for box in own]
        yield one, own[int(np.argmax(shares))] if shares and max(shares) >= 0.5 else None


def mask_of(box: Any) -> Tensor:
    (top, bottom), (left, right) = box
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[int(top) : int(bottom), int(left) : int(right)] = True
    return mask


def scored(heat: Tensor, mask: Tensor) -> tuple[float, float]:
    """Whether the highest place lies in the mask, and the share of the map in it."""
    hit = bool(mask.flatten()[int(heat.flatten().argmax())])
    return float(hit), float(heat[mask].sum() / heat.sum())


def attributions(loaded: wl.models.LoadedModel, x: Tensor, target: Any, names: Sequence[str]) -> dict[str, Any]:
    """By each of the methods in each domain, from the same gradients."""
    made = {}
    for name in names:
        several = wl.attribute(loaded.module, x, target, domain=list(DOMAINS.values()), method=METHODS[name])
        made |= {f"{name}, {domain}": a for domain, a in zip(DOMAINS, several, strict=True)}
    return made


def maps_of(loaded: wl.models.LoadedModel, x: Tensor, target: Any, number: int) -> dict[str, Tensor]:
    """The map of each method and of the controls, `(64, 64)`."""
    several = attributions(loaded, x, target, list(METHODS))
    several |= {"energy, wavelets": energy_order(x, WAVELETS), "energy, pixels": energy_order(x, PIXELS)}
    several["random"] = random_order(x, PIXELS, seed=number)
    return {name: wl.maps.spatial_map(a)[0] for name, a in several.items()}


def pointing(loaded: wl.models.LoadedModel, pictures: int, random: np.random.Generator) -> dict[str, Any]:
    """Hits and mass of each order, and how well the detector detects."""
    hits: dict[str, list[float]] = {}
    mass: dict[str, list[float]] = {}
    share, middle, detected, right, drawn = [], [], 0, 0, 0
    for number in range(pictures):
        x, shapes = picture(random)
        drawn += len(shapes)
        for one, box in matched(loaded, x[None], shapes):
            detected += 1
            if box is None:
                continue
            right += 1
            mask = mask_of(box)
            share.append(float(mask.float().mean()))
            middle.append(float(mask[SIDE // 2, SIDE // 2]))
            target = wl.targets.detection(one.label, one.box)
            for name, heat in maps_of(loaded, x[None], target, number).items():
                hit, part = scored(heat, mask)
                hits.setdefault(name, []).append(hit)
                mass.setdefault(name, []).append(part)
    return {
        "pictures": pictures,
        "drawn": drawn,
        "detected": detected,
        "right": right,
        "box's share": interval(share),
        "pointing": {**{name: interval(values) for name, values in hits.items()}, "the middle": interval(middle)},
        "mass": {name: interval(values) for name, values in mass.items()},
    }


def curves(loaded: wl.models.LoadedModel, pictures: int, random: np.random.Generator) -> dict[str, Any]:
    """Insertion and deletion of probability × IoU, of the most probable object of each picture."""
    areas: dict[str, dict[str, list[float]]] = {}
    count = 0
    for number in range(pictures):
        x, shapes = picture(random)
        x = x[None]
        first = next((one for one, box in matched(loaded, x, shapes) if box is not None), None)
        if first is None:
            continue
        count += 1
        target = wl.targets.detection(first.label, first.box)
        orders = attributions(loaded, x, target, FOLLOWED)
        orders |= {"energy, wavelets": energy_order(x, WAVELETS), "energy, pixels": energy_order(x, PIXELS)}
        orders |= {"random, wavelets": random_order(x, WAVELETS, seed=number)}
        orders |= {"random, pixels": random_order(x, PIXELS, seed=number)}
        for name, order in orders.items():
            both = wl.metrics.curves(loaded.module, x, target, order, steps=32)
            own = areas.setdefault(name, {"insertion": [], "deletion": []})
            own["insertion"].append(float(both.insertion_area))
            own["deletion"].append(float(both.deletion_area))
    return {"n": count, "areas": {name: {k: interval(v) for k, v in own.items()} for name, own in areas.items()}}


def main(argv: Sequence[str] | None = None) -> None:
    given = sized(__doc__, SMALL, FULL, RESULTS, argv)
    net = network().eval()
    if not Path(given.weights).exists():
        torch.save(trained(given.steps, given.seed).state_dict(), given.weights)
    net.load_state_dict(torch.load(given.weights, weights_only=True))
    geometry = wl.models.Geometry((SIDE, SIDE), (SIDE, SIDE), squash=True)
    loaded = wl.models.detector(net, CLASSES, geometry, name="shapes")
    random = np.random.default_rng(given.seed + 1000)
    record = {"seed": given.seed, "steps": given.steps, **pointing(loaded, given.pictures, random)}
    if given.curves:
        record["curves"] = curves(loaded, given.curves, random)
    print(records.write(given.results / "shapes.json", records.rounded(record)))


if __name__ == "__main__":
    main()
