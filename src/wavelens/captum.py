"""For users of Captum: wavelet attributions as `captum.attr.Attribution`s, called by `.attribute(inputs, …)`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from wavelens.attribution import Attribution, attribute
from wavelens.core import Coefficients, Domain
from wavelens.domains import DWT
from wavelens.engine.gradients import Model
from wavelens.maps import spatial_map
from wavelens.methods import ExpectedGradients, IntegratedGradients
from wavelens.methods.adapters import CAPTUM, Captum
from wavelens.methods.lift import Method
from wavelens.optional import optional
from wavelens.targets import Target

Base: Any = optional("captum.attr", "baselines").Attribution
logged: Any = optional("captum.log", "baselines").log_usage  # Captum's tunnels call what it wraps


class Wavelet(Base):  # type: ignore[misc]
    """A method in a domain with Captum's interface: `Wavelet(model).attribute(photo, target=282)`.

    What it returns is shaped like the input: each coefficient's attribution is spread over its own place, so for a path
    method it adds up to `f(x) - f(x₀)` as Captum's does. `coefficients(…)` is the attribution itself, with its scales.
    """

    def __init__(self, forward_func: Model, method: Method | None = None, domain: Domain | None = None) -> None:
        super().__init__(forward_func)
        self.method = IntegratedGradients() if method is None else method
        self.domain = DWT("haar") if domain is None else domain

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether the attributions add up to the score's rise over a baseline."""
        return hasattr(self.method, "baseline")

    def coefficients(self, inputs: Tensor, baselines: Any = None, target: Target = None) -> Attribution:
        """The attribution in the domain; one coefficient per place, not of one sample."""
        options = {"domain": self.domain, "method": self.method, "baseline": baselines}
        attribution: Attribution = attribute(self.forward_func, inputs, target, **options)
        return attribution

    @logged()  # type: ignore[untyped-decorator]
    def attribute(
        self, inputs: Any, baselines: Any = None, target: Target = None, return_convergence_delta: bool = False
    ) -> Any:
        """Attributions shaped like `inputs`; with `return_convergence_delta` also what the sums miss, `(batch,)`.

        Captum's metrics pass a tensor as a tuple of one, and take a tuple of one.
        """
        if isinstance(inputs, tuple):
            (inputs,), (baselines,) = inputs, baselines if isinstance(baselines, tuple) else (baselines,)
            result = self.attribute(inputs, baselines, target, return_convergence_delta)
            return ((result[0],), result[1]) if return_convergence_delta else (result,)
        result = self.coefficients(inputs, baselines, target)
        by_channel = Coefficients(result.data.flatten(0, 1)[:, None], result.layout)
        spread = spatial_map(by_channel, signed=True).view(inputs.shape).to(inputs.dtype)
        if not return_convergence_delta:
            return spread
        if result.gap is None:
            raise ValueError(f"a convergence delta belongs to path methods; got {self.method}. Leave it out.")
        return spread, -result.gap  # Captum's is the sum less the rise

    def has_convergence_delta(self) -> bool:
        """Whether the method starts at one place, whose score says what the sums miss."""
        if isinstance(self.method, Captum):
            return CAPTUM[self.method.algorithm][2]
        return self.multiplies_by_inputs and not isinstance(self.method, ExpectedGradients)
