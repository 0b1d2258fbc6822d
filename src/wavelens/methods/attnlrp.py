"""Relevance propagation through transformers as a gradient, by LXT, lifted into any domain.

In the efficient form of AttnLRP the relevance of an input is the input times a gradient whose backward rules are
changed: at normalisations, activations, products and attention. So it is lifted as any gradient is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from wavelens.engine.gradients import Gradients
from wavelens.methods.adapters import Modified, check_module
from wavelens.methods.gradient import Saliency
from wavelens.methods.lift import Lift, Method, Outcome
from wavelens.optional import first_cause

NEEDED = "pip install 'lxt>=2.1,<3' 'transformers>=4.48,<5'"
REPLACED = "transformers.models.bert.modeling_bert"  # LXT brings other classes for it, which ready models are not of


@dataclass(frozen=True)
class Lxt(Modified):
    """A method under the backward rules of AttnLRP (Achtibat et al., 2024), for transformers that LXT knows.

    By default the coefficients times the gradient under these rules, which is the relevance of each coefficient in one
    backward pass; `method` says otherwise, so `Lxt(SmoothGrad(times_input=True))` averages over noise. The model is
    torchvision's VisionTransformer (AttnLRP outside attention, CP-LRP inside: no gradient through the softmax), or one
    of transformers' GPT-2, Llama, Qwen 2 and 3 or Gemma 3 on embeddings. Needs LXT and transformers 4, which LXT 2.1 is
    made for: `pip install 'lxt>=2.1,<3' 'transformers>=4.48,<5'`.

    Layer-wise relevance propagation is under a patent, and LXT's license grants no right to it. Outside research, ask
    its owners before use.

    >>> wl.parse("Lxt()").method
    Saliency(times_input=True)
    """

    method: Method = field(default_factory=lambda: Saliency(times_input=True))

    def __post_init__(self) -> None:
        self.check_method()

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        check_module(ask.model, self)
        with _patched(_patches(ask.model, self)):
            return self.method(ask, lifts, baseline)


def _patches(model: Any, method: Lxt) -> dict[Any, dict[Any, Any]]:
    """Python modules with what LXT changes in them, of those that the model's parts are from; `ValueError` for none."""
    known: dict[Any, dict[Any, Any]] = _lxt("lxt.efficient.models").DEFAULT_MAP
    sources = {type(part).__module__ for part in model.modules()}
    patches = {module: patch for module, patch in known.items() if module.__name__ in sources}
    if any(module.__name__ == REPLACED for module in patches):
        raise ValueError(
            f"{method} changes the layers of a ready model; for BERT, LXT has other classes instead. Take another one."
        )
    if not patches:
        names = ", ".join(module.__name__.rpartition(".")[2] for module in known if module.__name__ != REPLACED)
        raise ValueError(
            f"{method} knows transformers of {names}; got {type(model).__name__}. Take LRP of the baselines for "
            "convolutional networks."
        )
    return patches


def _lxt(name: str) -> Any:
    """A module of LXT; `ImportError` that says what to install: no extra, since others go with transformers 5 too."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # it imports the parts of transformers that it changes
        cause = first_cause(error)
        raise ImportError(
            f"LXT is needed here and cannot be imported ({type(cause).__name__}: {cause}): {NEEDED}"
        ) from None


@contextmanager
def _patched(patches: dict[Any, dict[Any, Any]]) -> Iterator[None]:
    """LXT changes classes and modules for good, for every model; here they come back as they were."""
    monkey_patch = _lxt("lxt.efficient").monkey_patch
    targets = {target for patch in patches.values() for target in patch}
    before = {target: dict(vars(target)) for target in targets}
    try:
        for module, patch in patches.items():
            monkey_patch(module, patch)
        yield
    finally:
        for target, attributes in before.items():
            _restore(target, attributes)


def _restore(target: type[nn.Module] | Any, attributes: dict[str, Any]) -> None:
    for name in set(vars(target)) - set(attributes):
        delattr(target, name)
    for name, value in attributes.items():
        if vars(target)[name] is not value:
            setattr(target, name, value)
