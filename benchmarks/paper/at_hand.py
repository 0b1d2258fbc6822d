"""The data and the networks that the paper's tables are made with, found in the folder that WAVELENS_DATA names.

Photos of Caltech-101 (unseen by the networks), ImageNet classifiers, clips of ESC-50's fold 4 (`sound.py` reads them),
volumes of MedMNIST.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import sound
import torch
from record import at
from safetensors.torch import load_file
from torch import Tensor, nn

import wavelens as wl
from wavelens.models.preparations.image import Geometry, Normalized

DRAW = "the first of numpy.random.default_rng(0).permutation"  # what `drawn` takes
HALF = (0.5, 0.5, 0.5)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
IMAGE_NETWORKS = {  # name: file of its weights
    "EfficientNet-lite0": "tf_efficientnet_lite0",
    "MobileNetV2": "mobilenetv2_100",
    "SqueezeNet 1.1": "squeezenet1_1",
    "ViT-tiny": "vit_tiny_patch16_224",
}


def drawn(things: Sequence[Any], count: int) -> list[Any]:
    """So many of them in a random order that is always the same: fewer are the first of more."""
    return [things[k] for k in np.random.default_rng(0).permutation(len(things))[:count]]


def photo_names(count: int) -> list[str]:
    images = at("images/caltech101_460")
    return [path.name for path in drawn(sorted(images.glob("*.jpg")), count)]


@cache
def photo(name: str) -> Tensor:
    """`(1, 3, 224, 224)` in [0, 1]."""
    path = at(f"images/caltech101_460/{name}")
    return Geometry((256, 256), (224, 224))(wl.frontends.read_image(path))


@cache
def image_network(name: str) -> nn.Module:
    """One of `IMAGE_NETWORKS`, from pixels in [0, 1] to 1000 logits."""
    import timm
    import torchvision

    file = IMAGE_NETWORKS[name]
    net = {
        "mobilenetv2_100": lambda: timm.create_model(file, pad_type="same", bn_eps=1e-3),
        "squeezenet1_1": lambda: torchvision.models.squeezenet1_1(weights=None),
    }.get(file, lambda: timm.create_model(file))()
    stored = load_file(at(f"weights/{file}.safetensors"))
    net.load_state_dict({key: t.float() for key, t in stored.items()})
    return Normalized(net, *(IMAGENET if name.startswith("SqueezeNet") else (HALF, HALF))).eval()


def clip_names(count: int) -> list[str]:
    """Of fold 4 of ESC-50."""
    at("audio/esc50_fold4")
    return drawn(sorted(clip["filename"] for clip in sound.index()), count)


@cache
def medmnist(name: str, split: str = "test") -> tuple[Tensor, Tensor]:
    """Volumes `(number, 1, 28, 28, 28)` in [0, 1] and their labels, of 'adrenal' or 'vessel'."""
    with np.load(at(f"volumes/{name}mnist3d.npz")) as arrays:
        stack, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].ravel()
    return torch.from_numpy(stack).float()[:, None] / 255, torch.from_numpy(labels.astype(np.int64))
