"""Metrics of several signals: the same functions, asked about signals and attributions by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, cast

from torch import Tensor

from wavelens.attribution import Attributions
from wavelens.core import Coefficients
from wavelens.domains.joint import Joint
from wavelens.masks.ranking import Reduce, magnitude
from wavelens.signals import Unpacked, check_signals, packed_baseline

P = ParamSpec("P")
T = TypeVar("T")


def takes_signals(*names: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A metric that also takes `x` as a mapping of signals, with the `Attributions` of them.

    All signals are perturbed together: coefficients are ranked over all of them, each place by its own channels.
    `names` says which of the options "reduce", "baseline" and "fill" the metric has; a baseline is then a number for
    all or one per signal, and other signals that fill in are those of each by name. Perturbing another `domain` than
    the attributions' own is a `ValueError`.
    """

    def decorated(metric: Callable[P, T]) -> Callable[P, T]:
        plain = cast(Callable[..., T], metric)

        @wraps(metric)
        def judged(*args: P.args, **kwargs: P.kwargs) -> T:
            parameters = inspect.signature(metric).parameters
            given = inspect.signature(metric).bind_partial(*args, **kwargs).arguments
            if not isinstance(given.get("x"), Mapping):
                return metric(*args, **kwargs)
            given |= given.pop("options", {})
            if "fill" in names:
                given.setdefault("fill", parameters["fill"].default if "fill" in parameters else "zero")
            return plain(**_packed(given, names))

        return judged

    return decorated


def _packed(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The arguments with one model, one signal and one attribution in place of several."""
    model, x, attribution = given["model"], given["x"], given["attribution"]
    check_signals(x)
    if not isinstance(attribution, Attributions) or set(attribution) != set(x):
        raise ValueError(
            f"attributions of several signals must be those of {', '.join(x)} by name; got {attribution!r}."
        )
    joint = attribution.joint.domain
    assert isinstance(joint, Joint)
    if [tuple(x[name].shape[1:]) for name in joint.names] != list(joint.shapes):
        shapes = ", ".join(f"{name}: {tuple(x[name].shape)}" for name in joint.names)
        raise ValueError(f"attributions must be those of signals (batch, *{joint.shapes}); got {shapes}.")
    if given.get("domain") is not None:
        raise ValueError(f"several signals are perturbed in their own domains; got domain={given['domain']!r}.")
    packed = {**given, "model": Unpacked(model, joint), "x": joint.pack(x), "attribution": attribution.joint}
    if "reduce" in names:
        packed["reduce"] = partial(reduced, joint, given.get("reduce", magnitude))
    if "baseline" in names:
        packed["baseline"] = packed_baseline(joint, x, given.get("baseline"), 0.0)
    if "fill" in names:
        packed |= _packed_fill(given, joint, x)
    if (explainer := given.get("explainer")) is not None:
        packed["explainer"] = lambda _, points, target: explainer(model, joint.unpack(points), target).joint
    return packed


def _packed_fill(given: dict[str, Any], joint: Joint, x: Mapping[str, Tensor]) -> dict[str, Any]:
    """A fill of other signals as one tensor; beside any but "zero" no baseline, unless one is given."""
    fill = given["fill"]
    if isinstance(fill, str) and fill == "zero":
        return {}
    if isinstance(fill, Tensor):
        raise ValueError(
            f"other signals must be given by name, {', '.join(x)}; got one tensor. Give fill={{name: tensor}}."
        )
    named = packed_baseline(joint, x, fill, 0.0, references=True) if isinstance(fill, Mapping) else fill
    return {"fill": named} if "baseline" in given else {"fill": named, "baseline": 0.0}


def reduced(joint: Joint, reduce: Reduce, data: Tensor) -> Tensor:
    """What packed coefficients are ranked by: each signal's reduced over its own channels."""
    layout = joint.layout((joint.samples[joint.names[-1]].stop,))
    parts = joint.split(Coefficients(data, layout))
    return joint.joined({name: Coefficients(reduce(part.data), part.layout) for name, part in parts.items()}).data
