"""For users of Quantus: `explain`, an `explain_func` that its metrics call; Quantus itself is not imported."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wavelens.attribution import attribute
from wavelens.core import Domain
from wavelens.domains import DWT
from wavelens.engine.gradients import Model
from wavelens.maps import spatial_map
from wavelens.methods import IntegratedGradients
from wavelens.methods.lift import Method


def explain(
    model: Model,
    inputs: Any,
    targets: Any,
    *,
    domain: Domain | None = None,
    method: Method | None = None,
    device: Any = None,
    signed: bool = False,
    **ignored: Any,
) -> NDArray[Any]:
    """Maps `(batch, 1, *axes)` of a wavelet attribution: `explain_func=explain, explain_func_kwargs={"method": …}`.

    Takes and returns arrays, as Quantus does; whatever their type, the model is given its own. Each coefficient's
    `|γ|`, or with `signed` its γ, is spread over its own place and summed over channels. What else Quantus passes on is
    ignored.
    """
    x = torch.as_tensor(np.asarray(inputs), device=device)
    if isinstance(model, nn.Module):
        x = x.to(next((p.dtype for p in model.parameters() if p.is_floating_point()), x.dtype))
    target = torch.as_tensor(np.asarray(targets), device=x.device)
    domain, method = DWT("haar") if domain is None else domain, IntegratedGradients() if method is None else method
    attribution = attribute(model, x, target, domain=domain, method=method)
    maps: NDArray[Any] = spatial_map(attribution, signed=signed)[:, None].cpu().numpy()
    return maps
