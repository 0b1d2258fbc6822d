"""For users of torchmetrics and Lightning: the mean of a metric of explanations over all that was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.engine.frozen import frozen_model
from wavelens.engine.gradients import Model
from wavelens.models.module_kinds import set_evaluation
from wavelens.optional import optional
from wavelens.targets import Target

Base: Any = optional("torchmetrics", "torchmetrics").Metric


class Explained(Base):  # type: ignore[misc]
    """`metric(model, x, target, explainer(model, x, target))`, the mean over all items that have a value.

    `explainer` is what explains, such as `FromMethod(SmoothGrad(), DWT("haar"))`; `metric` one of `wavelens.metrics`,
    with its options bound by `functools.partial`. Items whose metric is not finite are left out. The model is
    temporarily put into evaluation mode, so it may be the module that is being trained. Sums are kept in float64 and
    added over processes.
    """

    full_state_update = False
    is_differentiable = False

    def __init__(self, metric: Callable[..., Tensor], explainer: Callable[..., Coefficients], **options: Any) -> None:
        super().__init__(**options)
        self.metric, self.explainer = metric, explainer
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, model: Model, x: Tensor, target: Target) -> None:
        """Explains and judges a batch."""
        with frozen_model(model, x):
            set_evaluation(model)
            scores = self.metric(model, x, target, self.explainer(model, x, target)).detach()
        scores = scores[scores.isfinite()].double()
        self.total += scores.sum()
        self.count += len(scores)

    def compute(self) -> Tensor:
        """The mean; NaN where no item had a value."""
        mean: Tensor = self.total / self.count
        return mean
