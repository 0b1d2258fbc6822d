"""wavelens explains the decisions of neural networks in the wavelet domain.

`attribute(model, x, target, domain=…, method=…)` is the one call; see `core` for the nouns. The examples of this
package share a classifier of two classes and a picture:

>>> import torch
>>> import wavelens as wl
>>> linear = torch.nn.Linear(64, 2, bias=False, dtype=torch.float64)
>>> _ = linear.weight.data.copy_(torch.arange(128.0).reshape(2, 64).sin() / 16)
>>> model = torch.nn.Sequential(torch.nn.Flatten(), linear, torch.nn.Tanh()).eval()
>>> x = torch.arange(64.0, dtype=torch.float64).reshape(1, 1, 8, 8).cos()
"""

import importlib

from wavelens import (
    baselines,
    checks,
    display,
    explaining,
    extending,
    frontends,
    maps,
    masks,
    metrics,
    models,
    planted,
    reports,
    runs,
    targets,
)
from wavelens.attribution import Attribution, Attributions, attribute
from wavelens.bandwidth import Bandwidth, bandwidths
from wavelens.baselines import parse
from wavelens.checks import check
from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale
from wavelens.domains import (
    DWT,
    STFT,
    ConstantQ,
    Cosine,
    DualTree,
    Fourier,
    FrequencyBands,
    GraphWavelets,
    Identity,
    Joint,
    Packets,
    Shearlets,
    Shifted,
    Stationary,
    TreeHaar,
    best_basis,
)
from wavelens.explaining import Explanation, Kind, TiledExplanation, explain, explain_tiles, register_kind
from wavelens.interventions import shapley
from wavelens.methods import (
    HSIC,
    RISE,
    BlurredPath,
    Captum,
    CoarseToFine,
    DecisionGradients,
    ExpectedGradients,
    HierarchicalShapley,
    ImportantDirections,
    InputTimesGradient,
    IntegratedGradients,
    KernelSHAP,
    Lxt,
    Owen,
    Saliency,
    ScaleShapley,
    SmoothGrad,
    Sobol,
    SquareGrad,
    VarGrad,
    Zennit,
)
from wavelens.reports import report
from wavelens.shapes import Centroid, Smoothed, Sphere
from wavelens.tightness import frame_of
from wavelens.version import __version__

__all__ = [
    "DWT",
    "HSIC",
    "RISE",
    "STFT",
    "Attribution",
    "Attributions",
    "Band",
    "Bandwidth",
    "BlurredPath",
    "Captum",
    "Centroid",
    "CoarseToFine",
    "Coefficients",
    "ConstantQ",
    "Cosine",
    "DecisionGradients",
    "Domain",
    "DualTree",
    "ExpectedGradients",
    "Explanation",
    "Extent",
    "Fourier",
    "FrequencyBands",
    "GraphWavelets",
    "HierarchicalShapley",
    "Identity",
    "ImportantDirections",
    "InputTimesGradient",
    "IntegratedGradients",
    "Joint",
    "KernelSHAP",
    "Kind",
    "Layout",
    "Lxt",
    "Owen",
    "Packets",
    "Saliency",
    "Scale",
    "ScaleShapley",
    "Shearlets",
    "Shifted",
    "SmoothGrad",
    "Smoothed",
    "Sobol",
    "Sphere",
    "SquareGrad",
    "Stationary",
    "TiledExplanation",
    "TreeHaar",
    "VarGrad",
    "Zennit",
    "__version__",
    "attribute",
    "bandwidths",
    "baselines",
    "best_basis",
    "check",
    "checks",
    "explain",
    "explain_tiles",
    "explaining",
    "extending",
    "frame_of",
    "frontends",
    "maps",
    "masks",
    "metrics",
    "models",
    "parse",
    "planted",
    "plots",
    "register_kind",
    "report",
    "reports",
    "runs",
    "shapley",
    "targets",
]


display.install()


def __getattr__(name: str) -> object:
    """`wavelens.plots`, imported when it is first used: drawing takes matplotlib, explaining does not."""
    if name == "plots":
        return importlib.import_module("wavelens.plots")
    raise AttributeError(f"module 'wavelens' has no attribute {name!r}")
