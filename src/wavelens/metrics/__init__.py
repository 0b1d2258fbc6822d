"""Metrics: how good an explanation is, by property; functions `(model, x, target, attribution, *, …) -> (batch,)`."""

from wavelens.metrics.complexity import complexity, sparseness
from wavelens.metrics.controls import energy_order, random_order
from wavelens.metrics.correlation import pearson, spearman
from wavelens.metrics.curves import Curves, curves, deletion, faithfulness, insertion
from wavelens.metrics.dependence import complexity_rise, residual_correlation, smooth_cascading
from wavelens.metrics.fidelity import ff, fid_in, mu_fidelity
from wavelens.metrics.imputation import road
from wavelens.metrics.infidelity import infidelity
from wavelens.metrics.localisation import boxes, pointing_game, relevance_mass, relevance_rank
from wavelens.metrics.metric import Case, Column, Metric, less_is_better, more_is_better
from wavelens.metrics.perturbation import probability, translate
from wavelens.metrics.randomization import Randomization, cascading, independent, randomization
from wavelens.metrics.segments import irof
from wavelens.metrics.stability import Explainer, max_sensitivity
from wavelens.metrics.transfer import transfer

__all__ = [
    "Case",
    "Column",
    "Curves",
    "Explainer",
    "Metric",
    "Randomization",
    "boxes",
    "cascading",
    "complexity",
    "complexity_rise",
    "curves",
    "deletion",
    "energy_order",
    "faithfulness",
    "ff",
    "fid_in",
    "independent",
    "infidelity",
    "insertion",
    "irof",
    "less_is_better",
    "max_sensitivity",
    "more_is_better",
    "mu_fidelity",
    "pearson",
    "pointing_game",
    "probability",
    "random_order",
    "randomization",
    "relevance_mass",
    "relevance_rank",
    "residual_correlation",
    "road",
    "smooth_cascading",
    "sparseness",
    "spearman",
    "transfer",
    "translate",
]
