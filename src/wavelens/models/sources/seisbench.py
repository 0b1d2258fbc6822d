"""Pickers of seismograms from SeisBench (Woollam et al., 2022), by the names that it has for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wavelens.models.loaded import Parts, Variant
from wavelens.models.naming import read_call, unknown_name
from wavelens.models.preparations.series import Traces
from wavelens.models.weights import Around
from wavelens.optional import installed

SCALINGS = {"std": "standard", "peak": "peak"}


def from_seisbench(text: str, variant: Variant) -> Parts:
    """The network called `text` in `seisbench:text`: 'PhaseNet', 'EQTransformer', or a name with arguments.

    'PhaseNet/original' has the weights that SeisBench calls so and downloads; without them a checkpoint is needed. What
    else is given goes to SeisBench's constructor. Components are taken by the last letter of their names, in the
    network's order. The answer is a number per phase and sample: a logit, or a probability where the network gives one.
    """
    name, given = read_call("seisbench", text)
    name, _, weights = name.partition("/")
    models = installed("seisbench.models")
    made: Any = getattr(models, name, None)
    if not _is_model(made, models):
        known = [n for n in dir(models) if isinstance(getattr(models, n), type) and n[0].isupper()]
        raise unknown_name("SeisBench", name, known)
    if variant.pretrained and not weights:
        raise ValueError(
            f"seisbench:{name} comes without weights: name those that it downloads, such as seisbench:{name}/original, "
            "or give a checkpoint with weights (--weights)."
        )
    try:
        module: Any = made.from_pretrained(weights) if weights else made(**given)
        taken = Traces(
            (module.in_channels, module.in_samples),
            float(module.sampling_rate),
            tuple(module.component_order),
            SCALINGS.get(getattr(module, "norm", None) or "std", "standard"),
        )
    except (TypeError, ValueError, AttributeError, OSError) as error:
        raise ValueError(f"seisbench:{text} could not be built: {' '.join(str(error).split())}") from error
    return Parts(Phases(module), taken, tuple(module.labels or ()))


def _is_model(made: Any, models: Any) -> bool:
    return isinstance(made, type) and issubclass(made, models.WaveformModel)


class Phases(Around):
    """A network whose answer is a tensor `(batch, phases, samples)`, whatever it returns."""

    def forward(self, x: Tensor) -> Tensor:
        output = self.module(x)
        return torch.stack(output, 1) if isinstance(output, tuple) else output
