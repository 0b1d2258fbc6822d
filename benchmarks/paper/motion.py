"""Does the temporal part of an explanation carry a decision about motion? Clips made here, two small 3-D nets.

    python benchmarks/paper/motion.py [--out wavelens-out]        # two minutes on one core

Each clip shows a disc, ring, bar or cross that moves in one of four directions around a picture without edges, on a
ground of one of four colours, under noise. No single frame tells the direction, any tells the colour. One net is
trained to name the direction, its twin, on the same clips, the colour. A transform of time alone, down to the mean of
all frames, parts each clip into what stays and what changes. Two questions, for both nets: what share of Σ|γ| lies in
what changes, and how many decisions remain right when that is taken from the clip, or when only that and the clip's
mean colour are left.

`model` gives the net of directions to the command, with the weights that a run wrote:

    cd benchmarks/paper && wavelens explain ../../wavelens-out/motion.mkv --model motion:model \
        --weights ../../wavelens-out/motion.safetensors
"""

from __future__ import annotations

import time
from pathlib import Path

import record
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import wavelens as wl
from wavelens.frontends.video import Video, write_video
from wavelens.models import Geometry, LoadedModel, VideoGeometry

DIRECTIONS = {"right": (0, 1), "down": (1, 0), "left": (0, -1), "up": (-1, 0)}  # rows, columns
GROUNDS = {
    "red": (0.35, 0.15, 0.15),
    "green": (0.15, 0.35, 0.15),
    "blue": (0.15, 0.15, 0.35),
    "grey": (0.22, 0.22, 0.22),
}
FRAMES, SIDE, FPS = 16, 24, 12.5
TIME = wl.DWT("haar", levels=(4, 0, 0))  # down to the mean of 16 frames, space left alone
NAMES = {"motion": tuple(DIRECTIONS), "ground": tuple(GROUNDS)}


def clips(
    count: int, seed: int, frames: int = FRAMES, side: int = SIDE, noise: float = 0.1
) -> tuple[Tensor, dict[str, Tensor]]:
    """`(count, 3, frames, side, side)` in [0, 1], and for each clip the number of its direction and of its ground."""
    draw = torch.Generator().manual_seed(seed)
    found = {name: torch.randint(0, 4, (count,), generator=draw) for name in NAMES}
    start = torch.rand(count, 2, 1, generator=draw) * side
    speed = 1 + torch.rand(count, 1, 1, generator=draw)  # pixels a frame
    step = torch.tensor(list(DIRECTIONS.values()), dtype=torch.float32)[found["motion"]]
    centre = start + speed * step[..., None] * torch.arange(frames)  # (count, 2, frames)
    pixels = torch.arange(side, dtype=torch.float32)
    offset = (pixels - centre[..., None] + side / 2) % side - side / 2  # around the edges
    rows, columns = offset[:, 0, :, :, None].abs(), offset[:, 1, :, None, :].abs()
    radius = (rows**2 + columns**2).sqrt()
    size = side / 6
    inside = [
        size - radius,
        size / 2 - (radius - size).abs(),
        torch.minimum(size / 2 - rows, 1.5 * size - columns),
        torch.maximum(
            torch.minimum(size / 3 - rows, 1.5 * size - columns), torch.minimum(size / 3 - columns, 1.5 * size - rows)
        ),
    ]
    mask = torch.stack(inside).sigmoid()[torch.randint(0, 4, (count,), generator=draw), torch.arange(count)]
    ground = torch.tensor(list(GROUNDS.values()))[found["ground"]][..., None, None, None]
    shape = 0.6 + 0.4 * torch.rand(count, 3, 1, 1, 1, generator=draw)
    x = ground + (shape - ground) * mask[:, None]
    return (x + noise * torch.randn(x.shape, generator=draw)).clamp(0, 1), found


class Net(nn.Module):
    """Three 3-D convolutions and a mean over time and space: `(batch, 3, time, height, width)` to four logits."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(3, width, (3, 5, 5), (1, 2, 2), (1, 2, 2)),
            nn.ReLU(),
            nn.Conv3d(width, 2 * width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv3d(2 * width, 2 * width, 3, 1, 1),
            nn.ReLU(),
        )
        self.head = nn.Linear(2 * width, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x - 0.5).mean((2, 3, 4)))


def train(
    task: str, steps: int = 300, batch: int = 32, seed: int = 0, width: int = 12, rate: float = 4e-3, **shape: int
) -> Net:
    """A net for `task`, 'motion' or 'ground': new clips in every step, Adam under one cycle."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Net(width)
    optimizer = torch.optim.Adam(net.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    for number in range(steps):
        x, answers = clips(batch, seed * 100_003 + number, **shape)
        loss = nn.functional.cross_entropy(net(x), answers[task])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
    return net.eval()


@torch.no_grad()
def accuracy(net: nn.Module, x: Tensor, answers: Tensor) -> float:
    return (net(x).argmax(1) == answers).double().mean().item()


def moving(layout: wl.Layout) -> tuple[wl.Band, ...]:
    """What changes: the bands with detail along time."""
    return tuple(band for name, bands in wl.maps.along(layout, 0).items() if name != "a" for band in bands)


def moving_share(net: nn.Module, x: Tensor, answers: Tensor, domain: wl.Domain = TIME) -> Tensor:
    """The share of Σ|γ| in bands with detail along time, for each clip."""
    a = wl.attribute(net, x, answers, domain=domain, method=wl.IntegratedGradients(steps=16, baseline=0.5))
    return a.only(*moving(a.layout)).data.abs().sum((1, 2)) / a.data.abs().sum((1, 2))


def part(x: Tensor, kept: str, domain: wl.Domain = TIME) -> Tensor:
    """The clip without what changes, or without what stays but for the mean colour ('moving' kept)."""
    c = domain.analysis(x)
    change = c.only(*moving(c.layout)).synthesis()
    return x - change if kept == "still" else change + x.mean((2, 3, 4), keepdim=True)


def model() -> LoadedModel:
    """The net of directions, untrained: give the command its weights."""
    geometry = Geometry((SIDE, SIDE), (SIDE, SIDE), squash=True, interpolation="box")
    return LoadedModel(Net(), NAMES["motion"], VideoGeometry(FRAMES, 1, geometry), "motion:model")


def main() -> None:
    known = record.parser(__doc__)
    known.add_argument("--out", type=Path, default=Path("wavelens-out"))
    out = known.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    x, answers = clips(128, seed=1_000_000_007)
    rows = {}
    for task in NAMES:
        began = time.perf_counter()
        net = train(task)
        rows[task] = {
            "seconds of training": round(time.perf_counter() - began, 1),
            "accuracy": accuracy(net, x, answers[task]),
            "accuracy on what stays alone": accuracy(net, part(x, "still"), answers[task]),
            "accuracy on what changes alone": accuracy(net, part(x, "moving"), answers[task]),
            "share of what changes in Σ|γ|": moving_share(net, x, answers[task]).mean().item(),
            "share of what changes in the clips' Σ|z|": (
                (c := TIME.analysis(x - 0.5)).only(*moving(c.layout)).data.abs().sum() / c.data.abs().sum()
            ).item(),
        }
        for name, value in rows[task].items():
            print(f"{task:8}{name:46}{value:8.3f}")
        if task == "motion":
            show(net, x[:1], int(answers[task][0]), out)
    record.write("motion", {"clips": len(x), **rows})


def show(net: nn.Module, x: Tensor, target: int, out: Path) -> None:
    """One clip, its film and its overlay, and the weights, for the command."""
    domain = wl.DWT("haar", levels=(3, 2, 2))
    a = wl.attribute(net, x, target, domain=domain, method=wl.IntegratedGradients(tolerance=0.02, baseline=0.5))
    clip = Video(x, FPS)
    write_video(out / "motion.mkv", clip)
    write_video(out / "motion-overlay.mp4", wl.plots.overlay(a, x), FPS)
    wl.plots.save(wl.plots.film(a, x, title=f"moving {NAMES['motion'][target]}", grid=clip.grid), out / "motion.png")
    save_file(net.state_dict(), out / "motion.safetensors")


if __name__ == "__main__":
    main()
