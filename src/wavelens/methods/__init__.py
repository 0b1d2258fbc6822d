"""Methods: which gradients to ask a model for."""

from wavelens.methods.adapters import Captum, Zennit
from wavelens.methods.attnlrp import Lxt
from wavelens.methods.averages import SmoothGrad, SquareGrad, VarGrad
from wavelens.methods.blurred import BlurredPath
from wavelens.methods.coarse_to_fine import CoarseToFine
from wavelens.methods.decisions import DecisionGradients, ImportantDirections
from wavelens.methods.gradient import InputTimesGradient, Saliency
from wavelens.methods.hierarchical import HierarchicalShapley
from wavelens.methods.hsic import HSIC
from wavelens.methods.kernelshap import KernelSHAP
from wavelens.methods.lift import Lift, Method, Outcome
from wavelens.methods.owen import Owen
from wavelens.methods.partitions import Partition
from wavelens.methods.paths import ExpectedGradients, IntegratedGradients
from wavelens.methods.rise import RISE
from wavelens.methods.shapley import ScaleShapley, ShapleyValues
from wavelens.methods.sobol import Sobol

__all__ = [
    "HSIC",
    "RISE",
    "BlurredPath",
    "Captum",
    "CoarseToFine",
    "DecisionGradients",
    "ExpectedGradients",
    "HierarchicalShapley",
    "ImportantDirections",
    "InputTimesGradient",
    "IntegratedGradients",
    "KernelSHAP",
    "Lift",
    "Lxt",
    "Method",
    "Outcome",
    "Owen",
    "Partition",
    "Saliency",
    "ScaleShapley",
    "ShapleyValues",
    "SmoothGrad",
    "Sobol",
    "SquareGrad",
    "VarGrad",
    "Zennit",
]
