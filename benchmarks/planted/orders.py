"""The orders of coefficients that are held against planted truth: methods, readings, contrasts, controls, baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

import wavelens as wl
from wavelens.core import Coefficients, Domain, real_product
from wavelens.methods.partitions import partition
from wavelens.planted import PlantedNetwork, PlantedTask

EFFORT = 16  # samples or steps
REFERENCES_SEED = 3  # of the signals that ExpectedGradients starts from
METHODS: dict[str, Any] = {
    "saliency": wl.Saliency(),
    "SmoothGrad": wl.SmoothGrad(samples=EFFORT),
    "SmoothGrad, little noise": wl.SmoothGrad(samples=EFFORT, sigma=0.1),
    "VarGrad": wl.VarGrad(samples=EFFORT),
    "SquareGrad": wl.SquareGrad(samples=EFFORT),
    "IG": wl.IntegratedGradients(steps=EFFORT),
    "expected gradients": wl.ExpectedGradients(samples=EFFORT),
    "Shapley by scale": wl.ScaleShapley(),
}
ACCOUNTS: dict[str, Any] = {  # measured after the others, in rows of their own, in Haar domains alone
    "SmoothGrad, band noise": wl.SmoothGrad(samples=EFFORT, sigma=1.0, noise="band"),
    "coarse to fine": wl.CoarseToFine(steps=24),
    "both ways": wl.CoarseToFine(order="both", steps=24),
    "Owen": wl.Owen(),
}
VALUES = 512  # forward passes of a method without gradients
CELLS, MOST_CELLS = 64, 72  # about so many that it tells apart, and never more: a fit needs several passes for each
FURTHER: dict[str, Any] = {  # further.py
    "IG, shuffled start": wl.IntegratedGradients(steps=EFFORT // 2, baseline="shuffled", shuffles=4),
    "IDG": wl.DecisionGradients(steps=EFFORT),
    "IDGI": wl.ImportantDirections(steps=EFFORT),
    "blurred path": wl.BlurredPath(sigma=8.0, steps=EFFORT),
    "RISE": wl.RISE(samples=VALUES),
    "Sobol": wl.Sobol(samples=8),
    "HSIC": wl.HSIC(samples=VALUES),
    "KernelSHAP": wl.KernelSHAP(samples=VALUES),
    "hierarchical Shapley": wl.HierarchicalShapley(max_groups=24, pairs=4),
}
EVERY_METHOD = METHODS | ACCOUNTS | FURTHER
GRADIENTS = ("saliency", "SmoothGrad", "SmoothGrad, little noise", "SmoothGrad, band noise")  # also read times z
UNSIGNED = ("VarGrad", "SquareGrad", "Sobol", "HSIC")
EVERYWHERE = ("saliency", "SmoothGrad", "IG")  # one pullback each; the others are of the domains named `WHOLE` alone
WHOLE = ("DWT haar", "TreeHaar", "Identity")
MAX_COALITIONS_SCALES = 6  # of a domain that Shapley values are exact and cheap in
BASELINES: dict[str, Any] = {
    "Grad-CAM": wl.baselines.GradCAM(),
    "Grad-CAM++": wl.baselines.GradCAMPlusPlus(),
    "Layer-CAM": wl.baselines.LayerCAM(),
    "LRP": wl.baselines.LRP(),
    "SRD": wl.baselines.SRD(),
}
CONTROLS = ("energy", "random")


@dataclass(frozen=True)
class Order:
    """One way to rank coefficients: of a method, times z or not, by magnitude or sign, of a class or a contrast."""

    method: str
    times_z: bool = False
    reading: str = "magnitude"
    contrast: bool = False

    def __str__(self) -> str:
        parts = [self.method + (" × z" if self.times_z else "")]
        parts += ["signed"] if self.reading == "signed" else []
        return ", ".join([*parts, *(["contrast"] if self.contrast else [])])


def read(name: str, plain: Coefficients, z: Coefficients, contrast: bool) -> Iterator[tuple[Order, Coefficients]]:
    """The orders that one attribution gives; `z` are the signal's coefficients. Contrasts are read with their signs."""
    order = Order(name, contrast=contrast)
    if not contrast:
        yield order, plain
    if name in GRADIENTS:
        product = Coefficients(real_product(z.data, plain.data), plain.layout)
        yield replace(order, times_z=True, reading="signed"), product
        if not contrast:
            yield replace(order, times_z=True), product
    elif name not in UNSIGNED and name in EVERY_METHOD:
        yield replace(order, reading="signed"), plain


def methods_of(name: str, domain: Domain, shape: tuple[int, ...], methods: dict[str, Any]) -> list[str]:
    """Those of the methods that are measured in a domain: Shapley values where there are few scales."""
    if name not in WHOLE:
        return [method for method in methods if method in (*EVERYWHERE, *FURTHER)]
    few = 1 < len(domain.layout(shape).scales()) <= MAX_COALITIONS_SCALES
    return [method for method in methods if few or method not in ("Shapley by scale", *ACCOUNTS)]


def further(task: PlantedTask, domain: Domain) -> dict[str, Any]:
    """`FURTHER` in a domain: about as many cells whatever the axes, and no blur along points."""
    x = task.signals(1).x
    layout = domain.bind(x).layout(tuple(x.shape[2:]))
    blocks = round(CELLS ** (1 / len(task.axes)))
    while len(partition(layout, x.shape[1], "cells", blocks).names) > MOST_CELLS:
        blocks -= 1
    cut = {name: replace(FURTHER[name], blocks=blocks) for name in ("Sobol", "HSIC", "KernelSHAP")}
    return {name: cut.get(name, method) for name, method in FURTHER.items() if name != "blurred path" or not task.cloud}


def attributions(
    network: PlantedNetwork,
    x: Tensor,
    labels: Sequence[int],
    others: Sequence[int],
    domains: dict[str, Domain],
    methods: dict[str, Any],
) -> Iterator[tuple[str, str, bool, Coefficients]]:
    """`(domain, method, contrast, attribution)`: one pass of a method serves its domains and both targets."""
    target = wl.targets.Several(list(labels), wl.targets.Contrast(tuple(labels), tuple(others)))
    shape = tuple(x.shape[2:])
    references = network.task.signals(EFFORT, REFERENCES_SEED).x
    for name, method in methods.items():
        fitting = {key: domain for key, domain in domains.items() if name in methods_of(key, domain, shape, methods)}
        if not fitting:
            continue
        baseline = references if getattr(method, "takes_references", False) else None
        several = wl.attribute(
            network.module, x, target, domain=list(fitting.values()), method=method, baseline=baseline
        )
        for key, a in zip(fitting, several, strict=True):
            for number, contrast in enumerate((False, True)):
                yield key, name, contrast, Coefficients(a.data[number], a.layout)


def baselines(model: nn.Module, x: Tensor, labels: Sequence[int]) -> Iterator[tuple[str, Coefficients | None]]:
    """Explainers that look inside the network, in samples; None for one that does not take this network."""
    for name, explainer in BASELINES.items():
        try:
            yield name, explainer(model, x, list(labels))
        except ValueError:
            yield name, None


def controls(x: Tensor, domain: Domain) -> Iterator[tuple[Order, Coefficients]]:
    """The orders that know nothing of the network; the random one is another for each item."""
    z = domain.bind(x).analysis(x)
    yield Order("energy"), z
    source = torch.Generator().manual_seed(0)
    noise = torch.rand(len(x), 1, z.data.shape[-1], generator=source)
    yield Order("random"), Coefficients(noise, z.layout)


def explainer(order: Order, domain: Domain, task: PlantedTask) -> Callable[[nn.Module, Tensor, Any], Coefficients]:
    """An order as a function `(model, x, target)`, its numbers being ranked from the largest down."""
    method = EVERY_METHOD[order.method]
    references = task.signals(EFFORT, REFERENCES_SEED).x if getattr(method, "takes_references", False) else None

    def explain(model: nn.Module, x: Tensor, target: Any) -> Coefficients:
        a = wl.attribute(model, x, target, domain=domain, method=method, baseline=references)
        data = real_product(a.layout.domain.analysis(x).data, a.data) if order.times_z else a.data
        return Coefficients(data.abs() if order.reading == "magnitude" else data, a.layout)

    return explain
