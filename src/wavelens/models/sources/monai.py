"""Classifiers and segmenters of volumes from MONAI, by its names for them, with a checkpoint of one's own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_call, unknown_name
from wavelens.models.preparations.volume import Voxels
from wavelens.models.weights import Around
from wavelens.optional import optional

RESNETS = tuple(f"resnet{depth}" for depth in (10, 18, 34, 50, 101, 152, 200))
DENSENETS = tuple(f"DenseNet{depth}" for depth in (121, 169, 201, 264))
SENETS = ("SENet154", "SEResNet50", "SEResNet101", "SEResNet152", "SEResNext50", "SEResNext101")
EFFICIENTNETS = tuple(f"efficientnet-b{size}" for size in range(9))
SEGMENTERS = ("UNet", "SegResNet", "UNETR", "SwinUNETR")
UNET: dict[str, Any] = {  # what MONAI's tutorials of three axes take, where its constructor has no default
    "channels": (16, 32, 64, 128, 256),
    "strides": (2, 2, 2, 2),
    "num_res_units": 2,
}
PREPARATION_ARGUMENTS = ("intensity", "orientation", "fit", "resample")  # not the network's
NAMES = (*RESNETS, *DENSENETS, *SENETS, *EFFICIENTNETS, "ViT", "Swin", *SEGMENTERS)


def from_monai(text: str, variant: Variant) -> Parts:
    """The network called `text` in `monai:text`: a name such as 'resnet18', or a name with arguments.

    'DenseNet121(classes=3, shape=(64, 64, 64), intensity=(-1000, 400))': `channels` (1) and `classes` (2) of the
    network, `shape` (96, 96, 96), `intensity`, `orientation`, `fit` and `resample` of its input as `Voxels` has them,
    `modalities`, the names of its channels, ('t1', 'flair'); what else is given goes to MONAI's constructor, of whose
    arguments `in_channels` and `out_channels` may stand for the first two. Names: resnet10 to resnet200, DenseNet121 to
    DenseNet264, SENet154, SEResNet50 and its kin, efficientnet-b0 to -b8, ViT (patches of 16³) and Swin, the encoder of
    SwinUNETR under a linear layer. One class means one logit of a yes.

    UNet, SegResNet, UNETR and SwinUNETR are segmenters, with logits for each voxel. UNet is that of MONAI's tutorials,
    unless its own `channels` (widths), `strides` and `num_res_units` are given. With `independent=True` the classes do
    not exclude each other, as the three nested ones of BraTS.
    """
    name, given = _read(text)
    if variant.pretrained:
        raise ValueError(f"monai:{name} comes without weights; give a checkpoint with weights (--weights).")
    names = tuple(given.pop("modalities", ()))
    count = _channels(name, given, len(names) or 1)
    classes = given.pop("out_channels", given.pop("classes", variant.classes or 2))
    axes, independent = given.pop("shape", (96, 96, 96)), given.pop("independent", False)
    try:
        prepared = {key: given.pop(key) for key in PREPARATION_ARGUMENTS if key in given}
        voxels = Voxels((count, *axes), channels=names, **prepared)
        module = _build(name, count, classes, axes, given)
    except (TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"monai:{text} could not be built: {reason}") from error
    return Parts(module, voxels, link="sigmoid" if classes == 1 or independent else "softmax")


def _channels(name: str, given: dict[str, Any], usual: int) -> int:
    """The number of the input's channels; a UNet's `channels` may be the widths of its layers, which are its own."""
    widths = name == "UNet" and not isinstance(given.get("channels", 1), int)
    count = usual if widths else given.pop("channels", usual)
    number: int = given.pop("in_channels", count)
    return number


def _read(text: str) -> tuple[str, dict[str, Any]]:
    """The name as MONAI spells it, and the arguments."""
    name, arguments = read_call("monai", text)
    known = {candidate.casefold(): candidate for candidate in NAMES}
    if name.casefold() not in known:
        raise unknown_name("MONAI", name, NAMES)
    return known[name.casefold()], arguments


def _build(name: str, channels: int, classes: int, axes: tuple[int, ...], more: dict[str, Any]) -> nn.Module:
    networks = optional("monai.networks.nets", "medical")
    if name == "Swin":
        return Swin(channels, classes, **more)
    if name == "ViT":
        return First(
            networks.ViT(channels, axes, **{"patch_size": 16, "classification": True, "num_classes": classes} | more)
        )
    if name in SEGMENTERS:
        own: dict[str, dict[str, Any]] = {
            "UNet": {"spatial_dims": 3} | UNET,
            "SegResNet": {"spatial_dims": 3},
            "UNETR": {"img_size": axes},
        }
        segmenter: nn.Module = getattr(networks, name)(
            **{"in_channels": channels, "out_channels": classes} | own.get(name, {}) | more
        )
        return segmenter
    if name in EFFICIENTNETS:
        more, name = {"model_name": name, "pretrained": False, **more}, "EfficientNetBN"
    inputs = "n_input_channels" if name in RESNETS else "in_channels"
    outputs = "out_channels" if name in DENSENETS else "num_classes"
    module: nn.Module = getattr(networks, name)(**{"spatial_dims": 3, inputs: channels, outputs: classes} | more)
    return module


class First(Around):
    """A network that returns several things, of which the first is the logits."""

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.module(x)[0]
        return logits


class Swin(nn.Module):
    """The encoder of SwinUNETR (Hatamizadeh et al., 2022) as a classifier: the mean of its last stage, and a layer.

    `encoder` has MONAI's names of weights (its SwinTransformer, in SwinUNETR called swinViT), `head` is linear. Axes
    are multiples of 32 voxels.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        embed_dim: int = 48,
        depths: tuple[int, ...] = (2, 2, 2, 2),
        num_heads: tuple[int, ...] = (3, 6, 12, 24),
        window_size: int = 7,
        **more: Any,
    ) -> None:
        super().__init__()
        transformer = optional("monai.networks.nets.swin_unetr", "medical").SwinTransformer
        self.encoder = transformer(
            in_chans=channels,
            embed_dim=embed_dim,
            window_size=(window_size,) * 3,
            patch_size=(2, 2, 2),
            depths=depths,
            num_heads=num_heads,
            **more,
        )
        self.head = nn.Linear(embed_dim * 2 ** len(depths), classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x)[-1].mean((2, 3, 4)))
        return logits
