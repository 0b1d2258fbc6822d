"""Baselines: explainers `(model, x, target) -> Attribution` that look inside a model, and methods as explainers."""

from typing import Any

from wavelens import spec
from wavelens.baselines.cam import GradCAM, GradCAMPlusPlus, LayerCAM
from wavelens.baselines.explainer import FromMethod
from wavelens.baselines.lrp import LRP
from wavelens.baselines.srd import SRD

EXPLAINERS = (FromMethod, GradCAM, GradCAMPlusPlus, LayerCAM, LRP, SRD)

__all__ = ["EXPLAINERS", "LRP", "SRD", "FromMethod", "GradCAM", "GradCAMPlusPlus", "LayerCAM", "parse"]


def parse(text: str) -> Any:
    """The explainer, domain or method that `text` describes, `parse(repr(v)) == v`; `ValueError` otherwise.

    >>> wl.parse("DWT('haar', levels=2)")
    DWT(wavelet='haar', levels=2, mode='periodization')
    >>> wl.parse("SmoothGrad(samples=9)").samples
    9
    """
    return spec.parse(text, EXPLAINERS)
