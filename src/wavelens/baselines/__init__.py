"""Baselines: explainers `(model, x, target) -> Attribution` that look inside a model, and methods as explainers."""

from collections.abc import Iterable
from typing import Any

from wavelens import spec
from wavelens.baselines.cam import GradCAM, GradCAMPlusPlus, LayerCAM
from wavelens.baselines.controls import CONTROLS
from wavelens.baselines.explainer import FromMethod
from wavelens.baselines.lrp import LRP
from wavelens.baselines.srd import SRD
from wavelens.own import is_own_explainer

EXPLAINERS = (FromMethod, GradCAM, GradCAMPlusPlus, LayerCAM, LRP, SRD)
"""The explainers that `parse` and the command know by name."""
EXPLAINING = (*spec.METHODS, *EXPLAINERS, *CONTROLS)  # what --method names

__all__ = ["EXPLAINERS", "LRP", "SRD", "FromMethod", "GradCAM", "GradCAMPlusPlus", "LayerCAM", "parse"]


def parse(text: str, also: Iterable[type] = ()) -> Any:
    """The explainer, domain or method that `text` describes, `parse(repr(v)) == v`; `ValueError` otherwise.

    Nothing is executed. Classes of your own are known where they are passed in `also`, by their names or as
    `module:Name`.

    >>> wl.parse("DWT('haar', levels=2)")
    DWT(wavelet='haar', levels=2, mode='periodization')
    >>> wl.parse("SmoothGrad(samples=9)").samples
    9
    """
    return spec.parse(text, (*EXPLAINERS, *also))


def parse_explainer(text: str) -> Any:
    """The method, explainer or control that `text` describes; `ValueError` for anything else.

    The module of a user's own one, `own:Mine()`, is imported: its code runs.
    """
    value = spec.parse_own(text, (*EXPLAINERS, *CONTROLS), what="method", choices=EXPLAINING)
    if not (isinstance(value, (*EXPLAINERS, *CONTROLS)) or spec.is_method(value) or is_own_explainer(value)):
        raise ValueError(
            f"a method must be one such as SmoothGrad(samples=25), GradCAM or EnergyOrder; got {text}. One of your "
            "own is called as method(ask, lifts, baseline), or as explainer(model, x, target, *, batch_size=None)."
        )
    return value
