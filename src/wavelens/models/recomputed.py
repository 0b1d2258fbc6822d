"""Layers whose activations are computed again for the gradient, so that one layer's are held at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_layers(module: nn.Module) -> int:
    """Have each layer of the module's lists compute its activations again for the gradient; how many there are.

    A list counts whose members are of one class and have parameters (Chen et al., 2016). Weights and their names stay
    as they are; without a gradient nothing is computed twice.
    """
    count = 0
    for layers in module.modules():
        if not isinstance(layers, nn.ModuleList) or len({type(layer) for layer in layers}) != 1:
            continue
        for layer in layers:
            if any(True for _ in layer.parameters()):
                layer.forward = partial(_again, layer.forward)
                count += 1
    return count


def _again(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)
