"""Gradient methods of other libraries, lifted into any domain.

What is lifted is a gradient, or what stands for one: the domain's pullback of it, times the analysis of the
displacement where the method integrates along a path. Methods that give relevances of input samples instead (LRP,
Grad-CAM, occlusion) have no gradient to pull back; they are explainers in the Identity domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wavelens.engine.frozen import seed_device
from wavelens.engine.gradients import Gradients
from wavelens.methods.gradient import Saliency
from wavelens.methods.lift import Lift, Method, Outcome
from wavelens.methods.paths import starting_points
from wavelens.optional import optional
from wavelens.whole_numbers import check_seed

# Algorithm of captum.attr -> arguments of its constructor and of `attribute` that make it give a bare gradient, and
# whether the gradient is meant to be multiplied with the displacement from a baseline.
CAPTUM: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "Saliency": ({}, {"abs": False}, False),
    "GuidedBackprop": ({}, {}, False),
    "Deconvolution": ({}, {}, False),
    "IntegratedGradients": ({"multiply_by_inputs": False}, {}, True),
    "GradientShap": ({"multiply_by_inputs": False}, {}, True),
    "DeepLift": ({"multiply_by_inputs": False}, {}, True),
}
TUNNELS = (None, "smoothgrad", "smoothgrad_sq", "vargrad")
NEEDS_MODULE = ("GuidedBackprop", "Deconvolution", "DeepLift")
RECTIFIED = ("GuidedBackprop", "Deconvolution", "DeconvNet", "BetaSmooth")  # these change rectifiers and nothing else


@dataclass(frozen=True, init=False)
class Captum:
    """A gradient algorithm of Captum, by name, in any domain: `Captum("GuidedBackprop")`.

    Saliency, GuidedBackprop, Deconvolution, IntegratedGradients, GradientShap, DeepLift; the first three also inside
    Captum's noise tunnel by `tunnel="smoothgrad"`. Further arguments go to Captum's `attribute`, numbers and texts only
    (`n_steps=50`, `stdevs=0.1`). Items are explained one at a time, so that none depends on its batch mates; DeepLift
    passes two rows at once, GradientShap `n_samples`, whatever `batch_size` is. Captum's random numbers come from
    `seed`. Needs the extra `baselines`.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.Captum("Saliency"))
    >>> a.data.shape, round(a.data.abs().max().item(), 3)
    (torch.Size([1, 1, 64]), 0.006)
    """

    algorithm: str
    tunnel: str | None
    baseline: float
    seed: int
    options: tuple[tuple[str, Any], ...]

    def __init__(
        self, algorithm: str, tunnel: str | None = None, baseline: float = 0.0, seed: int = 0, **options: Any
    ) -> None:
        if algorithm not in CAPTUM or tunnel not in TUNNELS or (tunnel and CAPTUM[algorithm][2]):
            raise ValueError(
                f"algorithm must be one of {', '.join(CAPTUM)}, the first three in a tunnel (smoothgrad, …) too; got "
                f"{algorithm!r}, tunnel={tunnel!r}. Others give no gradient to lift: use them in the Identity domain."
            )
        check_seed(seed)
        values = (algorithm, tunnel, baseline, seed, tuple(sorted(options.items())))
        for name, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        named = {"tunnel": self.tunnel, "baseline": self.baseline, "seed": self.seed, **dict(self.options)}
        return f"Captum({self.algorithm!r}, {', '.join(f'{k}={v!r}' for k, v in named.items())})"

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        _, _, path = CAPTUM[self.algorithm]
        if baseline is not None and not path:
            raise ValueError(f"baseline belongs to methods with one; got it with {self}.")
        if self.algorithm in NEEDS_MODULE:
            check_module(ask.model, self)
        if self.algorithm in RECTIFIED:
            _check_rectifiers(ask.model, self, capped=False)
        start = starting_points(ask.x, self.baseline if baseline is None else baseline)
        score = ask.values(ask.x)  # first: it shows whether rows depend on each other
        if ask.apart and self.algorithm == "DeepLift":
            raise ValueError(
                "DeepLift passes an input beside its baseline, so it needs a model that treats rows alone; this "
                "model's answer depends on its batch. Explain it with another method."
            )
        rows = []
        for item in range(len(ask.x)):
            rows.append(torch.stack([self._gradient(ask, item, t, start) for t in range(ask.targets)]))
        g = torch.cat(rows, 1)
        if not path:
            return Outcome([lift.pull(g) for lift in lifts], score=score)
        step = (ask.x - start).to(ask.dtype)
        return Outcome([lift.account(step, g) for lift in lifts], score=score, start=start)

    def _gradient(self, ask: Gradients, item: int, target: int, start: Tensor) -> Tensor:
        attr = optional("captum.attr", "baselines")
        build, call, path = CAPTUM[self.algorithm]
        explained = _Explained(ask, item, target, pairs=self.algorithm == "DeepLift")
        source = explained if self.algorithm in NEEDS_MODULE else explained.forward
        algorithm = getattr(attr, self.algorithm)(source, **build)
        options = dict(self.options) | call
        if path:
            options["baselines"] = start[item : item + 1].contiguous()
        if self.algorithm == "IntegratedGradients":
            options.setdefault("internal_batch_size", ask.rows)
        if self.tunnel:
            algorithm = attr.NoiseTunnel(algorithm)
            options = {"nt_samples_batch_size": 1, **options, "nt_type": self.tunnel}  # its noise depends on the chunk
        with torch.enable_grad(), ask.exact(hidden=True), _without_traces(ask.model), _seeded(self.seed, ask.x.device):
            x = ask.x[item : item + 1].clone().requires_grad_()
            try:
                gradient: Tensor = algorithm.attribute(x, **options)
            except (TypeError, AssertionError) as error:
                raise ValueError(f"arguments are those of Captum's {self.algorithm}; got {self} ({error}).") from error
        return gradient.detach().to(ask.dtype)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The same random numbers for every item. Captum draws from global generators; the engine gives torch's back."""
    state = np.random.get_state()  # noqa: NPY002 - Captum's own choice
    np.random.seed(seed % 2**32)  # noqa: NPY002
    seed_device(device, seed)
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


@contextmanager
def _without_traces(model: Any) -> Iterator[None]:
    """Captum's DeepLift keeps tensors as `input` and `output` of modules, and leaves them there after an error."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    traces = [{k: v for k, v in vars(m).items() if k in ("input", "output")} for m in modules]
    try:
        yield
    finally:
        for module, attributes in zip(modules, traces, strict=True):
            for name in ("input", "output"):
                vars(module).pop(name, None)
            vars(module).update(attributes)


class _Explained(nn.Module):
    """One target of one item as a module with one output a row."""

    def __init__(self, ask: Gradients, item: int, target: int, pairs: bool) -> None:
        super().__init__()
        self.model, self._ask, self._item, self._target = ask.model, ask, item, target
        self._pairs = pairs  # whether Captum needs its rows in one pass
        self.training = False

    def forward(self, points: Tensor) -> Tensor:
        items = torch.full((len(points),), self._item, device=points.device)
        self._ask.spent[self._item] += len(points)
        if self._ask.apart:
            return torch.cat([self._ask.scores(point, items[:1])[self._target] for point in points.split(1)])
        values = self._ask.scores(points, items)
        if self._pairs or self._ask.values_agree(points, items, torch.stack(values)):
            return values[self._target]
        return self.forward(points)


class Modified:
    """A method whose gradients are modified; its baseline is that of `method`."""

    method: Method

    def check_method(self) -> None:
        if not callable(self.method) or isinstance(self.method, type):
            raise ValueError(f"method must be a method's value such as SmoothGrad(); got {self.method!r}.")

    @property
    def baseline(self) -> float | str:
        """That of the method; `AttributeError` if it has none."""
        return self.method.baseline  # type: ignore[attr-defined,no-any-return]

    @property
    def takes_references(self) -> bool:
        """Whether the method's baseline is a set of signals."""
        return getattr(self.method, "takes_references", False)


@dataclass(frozen=True)
class Zennit(Modified):
    """A method under the modified gradients of a Zennit composite: `Zennit("GuidedBackprop")`.

    `composite` is GuidedBackprop, DeconvNet or BetaSmooth, those whose backward pass still is a gradient; `method` says
    what is done with it, so `Zennit("GuidedBackprop", SmoothGrad())` averages guided gradients. Needs the extra
    `baselines`.

    >>> rectified = torch.nn.Sequential(model, torch.nn.ReLU()).eval()
    >>> a = wl.attribute(rectified, x, 1, domain=wl.Identity(), method=wl.Zennit("GuidedBackprop"))
    >>> a.data.shape
    torch.Size([1, 1, 64])
    """

    composite: str
    method: Method = field(default_factory=Saliency)

    def __post_init__(self) -> None:
        self.check_method()
        if self.composite not in ("GuidedBackprop", "DeconvNet", "BetaSmooth"):
            raise ValueError(
                f"composite must be GuidedBackprop, DeconvNet or BetaSmooth; got {self.composite!r}. Composites of "
                "relevance rules (LRP) give no gradient to lift: use them in the Identity domain."
            )

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        check_module(ask.model, self)
        _check_rectifiers(ask.model, self, capped=self.composite != "BetaSmooth")
        composites, rules = (optional(f"zennit.{name}", "baselines") for name in ("composites", "rules"))
        rule = getattr(rules, f"ReLU{self.composite}")
        with getattr(composites, self.composite)(layer_map=[(nn.ReLU6, rule())]).context(ask.model):
            return self.method(ask, lifts, baseline)


def check_module(model: Any, method: Method) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be an nn.Module for {method}, which changes the backward pass of its modules; got "
            f"{type(model).__name__}. Wrap the function in a module that holds its layers."
        )


def _check_rectifiers(model: Any, method: Method, capped: bool) -> None:
    """`ValueError` where the library would change no module, or not all, and give a plain gradient in silence."""
    kinds = (nn.ReLU, nn.ReLU6) if capped else (nn.ReLU,)
    other = [m for m in model.modules() if isinstance(m, nn.ReLU6) and not capped]
    if other or not any(isinstance(m, kinds) for m in model.modules()):
        names = " and ".join(f"nn.{kind.__name__}" for kind in kinds)
        got = "nn.ReLU6, for which Zennit('GuidedBackprop') and Zennit('DeconvNet') are" if other else "none"
        raise ValueError(f"{method} changes the backward pass of modules {names}; this model has {got}.")
