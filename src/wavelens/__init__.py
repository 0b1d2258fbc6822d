"""wavelens explains the decisions of neural networks in the wavelet domain.

`attribute(model, x, target, domain=…, method=…)` is the one call; see `core` for the nouns.
"""

import importlib

from wavelens import baselines, checks, display, frontends, maps, masks, metrics, models, reports, runs, targets
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
    GraphWavelets,
    Identity,
    Joint,
    Packets,
    Shifted,
    Stationary,
    TreeHaar,
    best_basis,
)
from wavelens.methods import (
    Captum,
    ExpectedGradients,
    InputTimesGradient,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
    SquareGrad,
    VarGrad,
    Zennit,
)
from wavelens.reports import report
from wavelens.version import __version__

__all__ = [
    "DWT",
    "STFT",
    "Attribution",
    "Attributions",
    "Band",
    "Bandwidth",
    "Captum",
    "Coefficients",
    "ConstantQ",
    "Cosine",
    "Domain",
    "DualTree",
    "ExpectedGradients",
    "Extent",
    "Fourier",
    "GraphWavelets",
    "Identity",
    "InputTimesGradient",
    "IntegratedGradients",
    "Joint",
    "Layout",
    "Packets",
    "Saliency",
    "Scale",
    "Shifted",
    "SmoothGrad",
    "SquareGrad",
    "Stationary",
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
    "frontends",
    "maps",
    "masks",
    "metrics",
    "models",
    "parse",
    "plots",
    "report",
    "reports",
    "runs",
    "targets",
]


display.install()


def __getattr__(name: str) -> object:
    """`wavelens.plots`, imported when it is first used: drawing takes matplotlib, explaining does not."""
    if name == "plots":
        return importlib.import_module("wavelens.plots")
    raise AttributeError(f"module 'wavelens' has no attribute {name!r}")
