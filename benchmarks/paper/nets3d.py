"""Two small networks for AdrenalMNIST3D and VesselMNIST3D beside the residual one, so that table 7 has three kinds.

    python benchmarks/paper/nets3d.py [--epochs 40] [--seed 0]

`inverted` is built of inverted residuals with depthwise convolutions, as EfficientNet is; `former` of two convolutions
and attention between the places of what they give. Both are trained on the official training split with flips and
shifts, both classes counting alike. What is kept is the mean of the weights over the last quarter of the epochs
(Izmailov and others, 2018), since the best epoch on a validation split of 98 volumes is a lucky one, and the threshold
that is right most often on that split. Weights lie as safetensors in the cache folder ($XDG_CACHE_HOME/wavelens, else
~/.cache/wavelens). Rounding of another processor makes other weights of the same recipe, so those of the tables on
record lie in results/weights. What is in either folder is not trained again. AUC and accuracy on the official test
split go to results/nets3d.json.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import at_hand
import mnist3d
import record
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

import wavelens as wl

NAMES = ("adrenal", "vessel")
SMALL = {"epochs": 40, "seed": 0}
RECIPE = 3  # to be raised when networks or their training change, so that they are trained again
SHIFT = 2  # voxels at most


class Inverted(nn.Module):
    """Widen by a 1³ convolution, look with a depthwise 3³ one, narrow again, with a way around (Sandler and others)."""

    def __init__(self, before: int, after: int, stride: int, wider: int = 3) -> None:
        super().__init__()
        inner = before * wider
        self.layers = nn.Sequential(
            *(nn.Conv3d(before, inner, 1, bias=False), nn.BatchNorm3d(inner), nn.ReLU()),
            *(nn.Conv3d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm3d(inner), nn.ReLU()),
            *(nn.Conv3d(inner, after, 1, bias=False), nn.BatchNorm3d(after)),
        )
        self.around = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x)
        return x + found if self.around else found


def inverted(classes: int = 2) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv3d(1, 12, 3, 2, 1, bias=False), nn.BatchNorm3d(12), nn.ReLU()),
        *(Inverted(12, 24, 2), Inverted(24, 24, 1), Inverted(24, 48, 2), Inverted(48, 48, 1)),
        *(nn.Conv3d(48, 128, 1, bias=False), nn.BatchNorm3d(128), nn.ReLU()),
        *(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(128, classes)),
    )


class Attention(nn.Module):
    """Each place asks all others, then thinks on its own (Vaswani et al., 2017); places are kept as a volume."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asking, self.mixing = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.thinking = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        parts = self.asking(self.before(tokens)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(*parts)
        tokens = tokens + self.mixing(seen.transpose(1, 2).flatten(2))
        tokens = tokens + self.thinking(self.between(tokens))
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


class Placed(nn.Module):
    """Adds what is learnt of each place."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(0.02 * torch.randn(1, width, side, side, side))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.offset


def former(classes: int = 2, width: int = 48) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv3d(1, width // 2, 3, 2, 1, bias=False), nn.BatchNorm3d(width // 2), nn.ReLU()),
        *(nn.Conv3d(width // 2, width, 3, 2, 1, bias=False), nn.BatchNorm3d(width), Placed(width, 7)),
        *(Attention(width) for _ in range(2)),
        *(nn.Conv3d(width, width, 1), nn.BatchNorm3d(width), nn.ReLU()),
        *(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(width, classes)),
    )


KINDS = {"inverted": inverted, "former": former}


def path(kind: str, name: str, epochs: int = SMALL["epochs"], seed: int = SMALL["seed"]) -> Path:
    file = f"{kind}3d-{name}-recipe{RECIPE}-epochs{epochs}-seed{seed}.safetensors"
    beside = record.RESULTS / "weights" / file
    return beside if beside.is_file() else mnist3d.cache() / file


@cache
def network(kind: str, name: str, epochs: int = SMALL["epochs"], seed: int = SMALL["seed"]) -> nn.Module:
    """A trained network of 'residual', 'inverted' or 'former' for 'adrenal' or 'vessel'; volumes in [0, 1]."""
    if kind == "residual":
        file = at_hand.at(f"weights/{name}_resnet3d.safetensors")
        return wl.models.load("resnet3d", weights=file).module
    file = path(kind, name, epochs, seed)
    if not file.is_file():
        raise FileNotFoundError(f"no such weights: {file}. Train them: python benchmarks/paper/nets3d.py")
    net = KINDS[kind]()
    net.load_state_dict(load_file(file))
    return net.eval()


def moved(x: Tensor) -> Tensor:
    """Volumes flipped and shifted at random along each axis, all of a batch alike."""
    axes, shifts = torch.rand(3) < 0.5, torch.randint(-SHIFT, SHIFT + 1, (3,)).tolist()
    return x.flip([2 + k for k in range(3) if axes[k]]).roll(shifts, (2, 3, 4))  # borders are all but empty


def train(net: nn.Sequential, x: Tensor, labels: Tensor, epochs: int, val: tuple[Tensor, Tensor]) -> nn.Module:
    """The network with the mean of its weights over the last quarter of the epochs."""
    kept: list[dict[str, Tensor]] = []
    share = labels.bincount() / len(labels)
    steps = epochs * -(-len(x) // 32)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    net.train()
    for epoch in range(epochs):
        for batch in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(net(moved(x[batch])), labels[batch], weight=0.5 / share)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch >= epochs * 3 // 4:
            kept.append({name: t.clone() for name, t in net.state_dict().items()})
    net.load_state_dict({name: torch.stack([one[name] for one in kept]).double().mean(0) for name in kept[0]})
    net.eval()
    with torch.no_grad():
        net[-1].bias[1] -= threshold(net, *val)
    return net


@torch.no_grad()
def threshold(net: nn.Module, x: Tensor, labels: Tensor) -> float:
    """How far the second class's logit has to be above the first's for most answers to be right."""
    margins = torch.cat([net(part) for part in x.split(64)]).diff(dim=1)[:, 0]
    ranked, order = margins.sort()
    ones = torch.cat([labels.new_zeros(1), labels[order].cumsum(0)])  # ones among the k smallest margins
    right = torch.arange(len(x) + 1) - 2 * ones + ones[-1]
    places = torch.cat([ranked[:1] - 1, (ranked[1:] + ranked[:-1]) / 2, ranked[-1:] + 1])
    return float(places[right.argmax()])


@torch.no_grad()
def reached(net: nn.Module, x: Tensor, labels: Tensor) -> dict[str, float]:
    found = torch.cat([net(part) for part in x.split(64)]).softmax(1)
    accuracy = (found.argmax(1) == labels).double().mean().item()
    return {"AUC": round(float(roc_auc_score(labels, found[:, 1])), 4), "accuracy": round(accuracy, 4)}


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, {}, argv)
    networks = {}
    for name in NAMES:
        test = at_hand.medmnist(name)
        majority = round(test[1].bincount().max().item() / len(test[1]), 4)
        for kind in ("residual", *KINDS):
            start = time.perf_counter()
            file = path(kind, name, given.epochs, given.seed)
            if kind in KINDS and not file.is_file():
                torch.manual_seed(given.seed)
                val = at_hand.medmnist(name, "val")
                net = train(KINDS[kind](), *at_hand.medmnist(name, "train"), given.epochs, val)
                file.parent.mkdir(parents=True, exist_ok=True)
                save_file({key: value.contiguous() for key, value in net.state_dict().items()}, file)
            net = network(kind, name, given.epochs, given.seed)
            row = reached(net, *test) | {"majority": majority, "parameters": sum(p.numel() for p in net.parameters())}
            networks[f"{kind}, {name}"] = row | {"seconds": round(time.perf_counter() - start, 1)}
            print(name, kind, networks[f"{kind}, {name}"], flush=True)
    record.write(
        "nets3d", {"settings": {"epochs": given.epochs, "seed": given.seed}, "networks": networks}, given.results
    )


if __name__ == "__main__":
    main()
