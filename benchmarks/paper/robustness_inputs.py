"""What pictures go through in `robustness.py`: noise, blur, JPEG, contrast, and a search for the worst change.

All take and give pictures `(batch, channel, height, width)` in [0, 1]. Noise comes from a seed alone, so every network
sees the same.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

SEVERITIES: dict[str, tuple[float, ...]] = {
    "noise": (0.05, 0.1, 0.2),  # standard deviation
    "blur": (0.7, 1.4, 2.8),  # standard deviation in pixels
    "jpeg": (50, 20, 8),  # quality
    "contrast": (0.6, 0.35, 0.15),  # what is left of it
}
EPSILONS = (1 / 255, 2 / 255, 4 / 255)


def noise(x: Tensor, sigma: float, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return (x + sigma * torch.randn(x.shape, generator=source)).clamp(0, 1)


def blur(x: Tensor, sigma: float, seed: int = 0) -> Tensor:
    """A Gaussian, as wide as four of its deviations, edges reflected."""
    reach = min(math.ceil(4 * sigma), min(x.shape[-2:]) - 1)
    places = torch.arange(-reach, reach + 1, dtype=x.dtype)
    kernel = torch.exp(-(places**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    padded = nn.functional.pad(x, (reach,) * 4, mode="reflect")
    along = nn.functional.conv2d(padded, kernel[:, :, None], groups=x.shape[1])
    return nn.functional.conv2d(along, kernel[..., None], groups=x.shape[1]).clamp(0, 1)


def jpeg(x: Tensor, quality: float, seed: int = 0) -> Tensor:
    """Written as JPEG and read again; one channel is grey."""
    return torch.stack([_through_jpeg(picture, int(quality)) for picture in x])


def _through_jpeg(picture: Tensor, quality: int) -> Tensor:
    pixels = (picture.movedim(0, -1) * 255).round().byte().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "JPEG", quality=quality)
    read = np.asarray(Image.open(file), dtype=np.float32) / 255
    return torch.from_numpy(np.atleast_3d(read)).movedim(-1, 0)


def contrast(x: Tensor, left: float, seed: int = 0) -> Tensor:
    """Towards the mean of each picture, channels together."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + left * (x - mean)


CORRUPTIONS: dict[str, Callable[[Tensor, float, int], Tensor]] = {
    "noise": noise,
    "blur": blur,
    "jpeg": jpeg,
    "contrast": contrast,
}


def pgd(net: nn.Module, x: Tensor, labels: Tensor, epsilon: float, steps: int = 10, seed: int = 0) -> Tensor:
    """The change of at most `epsilon` a pixel that gradient ascent on the loss finds (Madry et al., 2018).

    It starts at random within `epsilon` and takes `steps` of 2.5 `epsilon` / `steps`.
    """
    source = torch.Generator().manual_seed(seed)
    change = (2 * torch.rand(x.shape, generator=source) - 1) * epsilon
    for _ in range(steps):
        attacked = (x + change).clamp(0, 1).requires_grad_()
        (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(net(attacked), labels), attacked)
        change = (change + 2.5 * epsilon / steps * gradient.sign()).clamp(-epsilon, epsilon)
    return (x + change).clamp(0, 1).detach()
