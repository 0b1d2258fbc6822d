"""Methods: which gradients to ask a model for."""

from wavelens.methods.adapters import Captum, Zennit
from wavelens.methods.averages import SmoothGrad, SquareGrad, VarGrad
from wavelens.methods.gradient import InputTimesGradient, Saliency
from wavelens.methods.lift import Lift, Method, Outcome
from wavelens.methods.paths import ExpectedGradients, IntegratedGradients

__all__ = [
    "Captum",
    "ExpectedGradients",
    "InputTimesGradient",
    "IntegratedGradients",
    "Lift",
    "Method",
    "Outcome",
    "Saliency",
    "SmoothGrad",
    "SquareGrad",
    "VarGrad",
    "Zennit",
]
