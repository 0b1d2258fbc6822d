"""A law over architectures: gradients are those of finite differences, alone and in a batch, in every precision.

Weights are random and norms calibrated on noise. Plain torch at one row is no reference: see `wavelens.engine.norms`.
"""

import pytest
import torch
from torch import nn

from wavelens.engine.gradients import Gradients

pytestmark = pytest.mark.slow

TIMM = """
levit_128s xcit_nano_12_p16_224 efficientvit_b0 efficientvit_m0 efficientformerv2_s0 mobilevit_xxs mobilevitv2_050
lambda_resnet26t botnet26t_256 iformer_t visformer_tiny coatnet_pico_rw_224 maxvit_pico_rw_256 swiftformer_xs shvit_s1
inception_next_atto resnet10t regnety_002 mobilenetv3_small_050 mobilenetv4_conv_small_035 efficientnet_b0 ghostnet_050
hardcorenas_a mnasnet_small repghostnet_050 starnet_s050 hgnetv2_b0 ese_vovnet19b_slim_dw dla46_c gcresnext26ts
test_byobnet
""".split()
MONAI = {  # class, arguments, shape of an item
    "DenseNet": ({"spatial_dims": 2, "in_channels": 1, "out_channels": 3, "block_config": (2, 2)}, (1, 32, 32)),
    "EfficientNetBN": ({"model_name": "efficientnet-b0", "pretrained": False, "in_channels": 1}, (1, 32, 32)),
    "UNet": (
        {"spatial_dims": 2, "in_channels": 1, "out_channels": 3, "channels": (4, 8, 16), "strides": (2, 2)},
        (1, 16, 16),
    ),
    "BasicUNet": ({"spatial_dims": 2, "in_channels": 1, "features": (4, 4, 8, 8, 8, 4)}, (1, 32, 32)),
    "AttentionUnet": (
        {"spatial_dims": 2, "in_channels": 1, "out_channels": 3, "channels": (4, 8), "strides": (2,)},
        (1, 16, 16),
    ),
    "HighResNet": ({"spatial_dims": 2, "in_channels": 1, "out_channels": 3}, (1, 16, 16)),
    "UNETR": (
        {"in_channels": 1, "out_channels": 3, "img_size": 16, "feature_size": 4, "hidden_size": 12, "mlp_dim": 16}
        | {"num_heads": 2, "spatial_dims": 2},
        (1, 16, 16),
    ),
    "ResNet": (
        {"block": "basic", "layers": (1, 1, 1, 1), "block_inplanes": (4, 4, 8, 8), "n_input_channels": 1}
        | {"num_classes": 3},
        (1, 16, 16, 16),
    ),
}
STEP = 1e-8  # of the input's deviation: rectifiers bend within 1e-5 of it, and rounding is far below in float64
WIDER = {"efficientvit_b0": 1e-5}  # parts of these networks run in float32 whatever they are given
# What a gradient may be off by, relative to its length; one that is taken for that of other places is off by 1.4. In
# float64 nothing but rounding is left; in the others rectifiers near 0 change sides, and in bfloat16 so many that deep
# networks are compared with themselves alone.
BENDS, ROUNDED = 0.02, {torch.float64: 1e-9, torch.float32: 0.1}
HALF_ALONE = 0.6


def made(library, name):
    """A network with random weights, and the shape of an item."""
    torch.manual_seed(0)
    if library == "timm":
        import timm

        try:
            return timm.create_model(name, num_classes=3, img_size=64), (3, 64, 64)
        except TypeError:  # it takes any size
            return timm.create_model(name, num_classes=3), (3, 64, 64)
    from monai.networks import nets

    arguments, shape = MONAI[name]
    return getattr(nets, name)(**arguments), shape


def calibrated(net: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """In evaluation mode, with statistics and offsets as training leaves them."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.momentum = None  # the mean over all batches
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        net.train()(torch.randn(16, *shape))
    return net.eval().requires_grad_(False)


def score(output):
    output = output[0] if isinstance(output, (list, tuple)) else output
    return output.flatten(2).mean(2)[:, 1] if output.ndim > 2 else output[:, 1]


def gradients(net: nn.Module, x: torch.Tensor, batch_size: int) -> torch.Tensor:
    with Gradients(net, x, score, batch_size=batch_size) as ask:
        return ask.at_input()[0][0].double()


def slopes(net: nn.Module, x: torch.Tensor, directions: torch.Tensor, step: float) -> torch.Tensor:
    """Central differences of each item's score along directions `(directions, *item)`: `(items, directions)`."""
    steps = step * torch.cat([directions, -directions])
    with torch.no_grad():
        up, down = torch.stack([score(net(one + steps)) for one in x]).chunk(2, dim=1)
    return (up - down) / (2 * step)


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize(
    ("library", "name"),
    [pytest.param("timm", name, marks=pytest.mark.needs("timm")) for name in TIMM]
    + [pytest.param("monai", name, marks=pytest.mark.needs("monai")) for name in MONAI],
)
def test_gradients_are_those_of_finite_differences(library, name):
    net, shape = made(library, name)
    net = calibrated(net, shape)
    x, directions = torch.randn(2, *shape), torch.randn(3, *shape, dtype=torch.float64)
    exact = gradients(net.double(), x.double(), 2)
    rises = slopes(net, x.double(), directions, WIDER.get(name, STEP))
    assert apart(exact.flatten(1) @ directions.flatten(1).T, rises) < BENDS
    for dtype, most in ROUNDED.items():  # from the widest, which loses nothing
        for size in (1, 2):
            assert apart(gradients(net.to(dtype), x.to(dtype), size), exact) < most, (dtype, size)
    alone, beside = (gradients(net.bfloat16(), x.bfloat16(), size) for size in (1, 2))
    assert apart(alone, beside) < HALF_ALONE
