"""Methods that ask for one gradient."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wavelens.engine.gradients import Gradients
from wavelens.field_types import check_fields
from wavelens.methods.lift import Lift, Outcome


@dataclass(frozen=True)
class Saliency:
    """The gradient in the domain's coordinates, `P g(x)`, signed (Simonyan et al., 2014; WAM's equation 6).

    With `times_input` it is multiplied with the coefficients, `Re(conj(z) ⊙ P g(x))`: `InputTimesGradient`.

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.Saliency())
    >>> a.data.shape, round(a.data.abs().max().item(), 3)
    (torch.Size([1, 1, 64]), 0.006)
    """

    times_input: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        if self.times_input:
            return InputTimesGradient()(ask, lifts, baseline)
        g, score = ask.at_input()
        return Outcome([lift.pull(g) for lift in lifts], score)


@dataclass(frozen=True)
class InputTimesGradient:
    """`z ⊙ P g(x)`: exact for a linear model without bias, one step of a path otherwise (Shrikumar et al., 2016).

    >>> a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.InputTimesGradient())
    >>> a.data.shape, round(a.data.abs().max().item(), 3)
    (torch.Size([1, 1, 64]), 0.005)
    """

    def __call__(self, ask: Gradients, lifts: list[Lift], baseline: Tensor | float | None) -> Outcome:
        g, score = ask.at_input()
        x = ask.x.to(ask.dtype)
        return Outcome([lift.account(x, g) for lift in lifts], score)
