"""`attribute`: a method's gradients, read in one or several domains; and `Attribution`, what comes out."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from wavelens.attribution_header import FORMAT, GEOMETRY, TENSORS, TEXTS, check_finite, stored_layout, stored_targets
from wavelens.core import Coefficients, Domain, signal_axes
from wavelens.domains.joint import Joint
from wavelens.engine.given import Given, with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.engine.progress import Progress
from wavelens.methods.lift import Lift, Method, Outcome, check_method
from wavelens.own import own_classes, text_of
from wavelens.signals import Unpacked, packed, packed_baseline
from wavelens.spec import UnknownOwnClass, parse
from wavelens.targets import Several, Target, describe, joined, texts
from wavelens.untrusted import check_file, excerpt, json_object
from wavelens.version import __version__, pywavelets_version


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(Coefficients):
    """Signed attributions in a domain's coordinates, raw, and how they came about.

    `data` has shape `(batch, channel, size)`; with `targets.Several` there is one entry per target in front, in every
    field. For path methods `data` adds up to `score - baseline_score` but for the `gap`. `standard_error` is that of
    each scale's share of the profile, `(batch, scales)`, for methods that sample; `correction` is what `Owen` gave each
    group of coefficients to make its sum exact, `(batch, groups)`. `spent` counts gradients per item.
    `target` says what was explained in one text; `targets` says it for each target, with one text per item or one text
    that all items share.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> a.save("explained.safetensors")
    >>> back = wl.Attribution.load("explained.safetensors")
    >>> wl.parse(back.method) == wl.IntegratedGradients(), torch.equal(back.data, a.data)
    (True, True)
    """

    method: str = ""
    target: str = ""
    targets: tuple[tuple[str, ...], ...] = ()
    score: Tensor | None = None
    baseline_score: Tensor | None = None
    gap: Tensor | None = None
    standard_error: Tensor | None = None
    correction: Tensor | None = None
    spent: Tensor | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def domain(self) -> Domain:
        return self.layout.domain

    def item(self, index: int) -> Self:
        """One item of the batch, as a batch of one; where each item has its own class, `target` names that one."""
        count = self.data.shape[-3]
        if not -count <= index < count:
            raise IndexError(f"item must be one of {count} in the batch; got {index}.")
        one = slice(index % count, index % count + 1)
        several = (slice(None),) * (self.data.ndim - 3)
        cut: dict[str, Any] = {name: value for name in TENSORS if (value := getattr(self, name)) is not None}
        cut = {name: value[one] if name == "spent" else value[(*several, one)] for name, value in cut.items()}
        target, place = self.target, index % count
        if self.targets:
            target = joined(self.targets, place, several=self.data.ndim > 3)
            cut["targets"] = tuple((row[place] if len(row) > 1 else row[0],) for row in self.targets)
        return replace(self, data=self.data[(*several, one)], layout=self.layout.at(one), target=target, **cut)

    def save(self, path: str | Path, half: bool = False) -> None:
        """Writes one safetensors file with a JSON header; `half` stores float16 with one scale per item.

        A domain of your own is stored by its text, `own:Mine(levels=3)`; pass its class to `load`. `ValueError` for a
        domain whose text does not say what it is, since `load` could not read it back.
        """
        domain = text_of(self.domain)
        parse(domain, also=own_classes(self.domain))
        tensors = {name: value for name in TENSORS if (value := getattr(self, name)) is not None}
        data = self.data.detach()
        is_complex = data.is_complex()
        data = torch.view_as_real(data).flatten(-2) if is_complex else data
        if half:
            scale = data.abs().amax((-2, -1), keepdim=True).float().clamp_min(torch.finfo(torch.float32).tiny)
            tensors |= {"data": (data / scale).half(), "scale": scale}
        else:
            tensors["data"] = data
        header = {
            "format": FORMAT,
            "domain": domain,
            "signal_shape": self.layout.signal_shape,
            **({"complex": True} if is_complex else {}),
            "method": self.method,
            "target": self.target,
            "targets": self.targets,
            "provenance": self.provenance,
        }
        tensors |= {GEOMETRY + name: value for name, value in self.domain.bound_tensors().items()}
        stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        Path(path).write_bytes(save(stored, {"wavelens": json.dumps(header)}))

    @classmethod
    def load(cls, path: str | Path, also: Iterable[type] = ()) -> Self:
        """Reads what `save` wrote; no code is executed. `ValueError` for any other file.

        The header is compared with the data before anything of its size is made. Coefficients in a domain of your own
        need its class, `Attribution.load(path, also=[Mine])`: no file imports code.
        """
        check_file(path, "stored attribution")
        try:
            with safe_open(path, framework="pt") as stored:
                header = json_object((stored.metadata() or {})["wavelens"])
                names = stored.keys()
                tensors = {name: stored.get_tensor(name).clone() for name in names}  # the file may be written again
            layout, rows = stored_layout(header, tensors, also), stored_targets(header, tensors)
            data = tensors["data"]
            if "scale" in tensors:
                data = data.float() * tensors["scale"]
            check_finite(data)
            if header.get("complex"):
                data = torch.view_as_complex(data.unflatten(-1, (-1, 2)).contiguous())
            scalars = {name: tensors[name] for name in TENSORS if name in tensors}
            return cls(data, layout, targets=rows, **{name: header[name] for name in TEXTS}, **scalars)
        except UnknownOwnClass as error:
            raise ValueError(
                f"{path} holds coefficients in {error.name}, a class of your own, and no file imports code. Pass the "
                f"class: {cls.__name__}.load(path, also=[{error.name.rpartition(':')[2]}])."
            ) from None
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            reason = excerpt(str(error))
            raise ValueError(f"{path} is a file written by Attribution.save; this one is not ({reason}).") from None


class Attributions(Mapping[str, Attribution]):
    """The attributions of several signals by name, on one path and with one account.

    `joint` is all of them as one attribution in a `Joint` domain: its sum is that of all signals, its `gap` the gap of
    the account `Σ_image γ + Σ_text γ + … = f(x) − f(x₀)`. Each signal's own attribution, `(batch, channel, size)` in
    its own domain, has the scores and no gap.
    """

    def __init__(self, joint: Attribution) -> None:
        if not isinstance(joint.domain, Joint):
            raise ValueError(f"the joint attribution of several signals must be in a Joint domain; got {joint.domain}.")
        self.joint = joint

    def __getitem__(self, name: str) -> Attribution:
        c = self._parts[name]
        return replace(self.joint, data=c.data, layout=c.layout, gap=None, standard_error=None, correction=None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __getattr__(self, name: str) -> Any:
        if name in ("data", "layout", "synthesis", "map", "only"):
            raise AttributeError(
                f"attributions of several signals are taken one by one, such as attributions[{next(iter(self))!r}]; "
                f"they have no common {name}."
            )
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"<Attributions {', '.join(f'{name}: {a!r}' for name, a in self.items())}>"

    @cached_property
    def _parts(self) -> dict[str, Coefficients]:
        assert isinstance(self.joint.domain, Joint)
        return self.joint.domain.split(self.joint)

    def item(self, index: int) -> Attributions:
        """One item of the batch, as a batch of one."""
        return Attributions(self.joint.item(index))

    def save(self, path: str | Path, half: bool = False) -> None:
        """Writes all signals into one file, as `Attribution.save` does."""
        self.joint.save(path, half)

    @classmethod
    def load(cls, path: str | Path, also: Iterable[type] = ()) -> Attributions:
        """Reads what `save` wrote, as `Attribution.load` does."""
        return cls(Attribution.load(path, also))


BASELINE_BELONGS = "baseline belongs to methods with one, such as IntegratedGradients"


@overload
def attribute(
    model: Model,
    x: Tensor,
    target: Target,
    *,
    domain: Domain,
    method: Method,
    baseline: Tensor | float | None = ...,
    given: Sequence[Tensor] = ...,
    batch_size: int | None = ...,
    autocast: torch.dtype | None = ...,
    exact_passes: bool = ...,
    progress: Progress = ...,
) -> Attribution: ...


@overload
def attribute(
    model: Model,
    x: Tensor,
    target: Target,
    *,
    domain: Sequence[Domain],
    method: Method,
    baseline: Tensor | float | None = ...,
    given: Sequence[Tensor] = ...,
    batch_size: int | None = ...,
    autocast: torch.dtype | None = ...,
    exact_passes: bool = ...,
    progress: Progress = ...,
) -> list[Attribution]: ...


@overload
def attribute(
    model: Model,
    x: Mapping[str, Tensor],
    target: Target,
    *,
    domain: Mapping[str, Domain],
    method: Method,
    baseline: Mapping[str, Tensor | float] | Tensor | float | None = ...,
    given: Sequence[Tensor] = ...,
    batch_size: int | None = ...,
    autocast: torch.dtype | None = ...,
    exact_passes: bool = ...,
    progress: Progress = ...,
) -> Attributions: ...


def attribute(
    model: Model,
    x: Tensor | Mapping[str, Tensor],
    target: Target,
    *,
    domain: Domain | Sequence[Domain] | Mapping[str, Domain],
    method: Method,
    baseline: Any = None,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
    autocast: torch.dtype | None = None,
    exact_passes: bool = False,
    progress: Progress = False,
) -> Attribution | list[Attribution] | Attributions:
    """The attribution of `model`'s `target` to the coefficients of `x`; a list for a list of domains, in one pass.

    `x` is a signal `(batch, channel, *axes)`, any number of axes; `target` a class, a class for each item, or what
    `wavelens.targets` offers. `baseline` overrides the method's own: a signal, one for each item, or for
    `ExpectedGradients` a set of them. `batch_size` bounds the rows of a forward pass (`None`: measured from memory).
    `autocast` runs the model in bfloat16 or float16; gradients are summed in float32. The result of an item does not
    depend on its batch mates or on `batch_size`: if the model's own answer does, rows go through it one at a time,
    after a warning; there is a warning too if the answer is random. The model comes back as it was. `progress` shows a
    bar, or is a function called after each chunk with the passes done and expected so far; what it raises ends the
    computation.

    `given` are tensors with one entry per item, such as lengths, positions or questions, that the model is called with
    after the signal: `model(points, *[t[items] for t in given])`. They are not explained. With `exact_passes` the model
    runs as it is, with no folded norms and no other memory format; the record says so.

    Several signals are a mapping of names to signals of one batch, with a domain for each; the model is called as
    `model(image=…, text=…)`, and the result is a mapping too, `Attributions`. One path moves all signals together, so
    one account adds up over all of them. `baseline` then is a number for all, or a mapping. Noise is scaled by each
    signal's own range.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> a.data.shape, round(a.score.item(), 3)
    (torch.Size([1, 1, 64]), 0.954)
    >>> [round(value, 3) for value in wl.maps.profile(a).signed[0].tolist()]
    [0.001, 0.237, 0.716]
    """
    if isinstance(x, Mapping):
        model, one, joint = packed(model, x, domain)
        usual = getattr(method, "baseline", None)
        if usual is None and baseline is not None:
            raise ValueError(f"{BASELINE_BELONGS}; got it with {method}.")
        start = None
        if usual is not None and not (isinstance(usual, str) and baseline is None):
            start = packed_baseline(joint, x, baseline, usual, getattr(method, "takes_references", False))
        options: dict[str, Any] = {"given": given, "batch_size": batch_size, "autocast": autocast}
        options |= {"exact_passes": exact_passes, "progress": progress}
        return Attributions(attribute(model, one, target, domain=joint, method=method, baseline=start, **options))
    domains = [domain] if isinstance(domain, Domain) else list(domain) if isinstance(domain, Sequence) else []
    if not domains or not all(isinstance(one, Domain) for one in domains):
        raise ValueError(f"domain must be a domain such as DWT('haar'), or a list of them; got {domain!r}.")
    if isinstance(method, type) or not callable(method):
        raise ValueError(f"method must be a method's value such as SmoothGrad(samples=25); got {method!r}.")
    if baseline is not None and not hasattr(method, "baseline"):
        raise ValueError(f"{BASELINE_BELONGS}; got it with {method}.")
    check_method(model, method)
    gradients = Gradients(
        with_given(model, given),
        x,
        target,
        batch_size=batch_size,
        autocast=autocast,
        progress=progress,
        exact_passes=exact_passes,
    )
    with gradients as ask:
        bound = [one.bind(ask.x) for one in domains]
        ask.parts = next((tuple(one.samples.values()) for one in bound if isinstance(one, Joint)), ())
        lifts = [Lift(one, one.layout(signal_axes(ask.x))) for one in bound]
        outcome = method(ask, lifts, baseline)
        score = ask.values(ask.x) if outcome.score is None else outcome.score
        start_score = outcome.start_score if outcome.start is None else _start_score(ask, outcome.start)
    results = [_result(ask, lift, n, outcome, score, start_score, method, target) for n, lift in enumerate(lifts)]
    return results[0] if isinstance(domain, Domain) else results


def _start_score(ask: Gradients, start: Tensor) -> Tensor:
    """`f(x₀)`, `(targets, batch)`; one row serves all items where they share the baseline and the class."""
    if start.stride(0) == 0 and isinstance(ask.target, int):
        return ask.values(start[:1]).expand(-1, len(start))
    return ask.values(start)


def _result(
    ask: Gradients,
    lift: Lift,
    n: int,
    outcome: Outcome,
    score: Tensor,
    start_score: Tensor | None,
    method: Method,
    target: Target,
) -> Attribution:
    data = outcome.data[n]
    gap = None if start_score is None else score - start_score - data.flatten(2).sum(2)
    spread = None if outcome.standard_error is None else outcome.standard_error[n]
    correction = None if outcome.correction is None else outcome.correction[n]
    fields = {"data": data, "score": score, "baseline_score": start_score, "gap": gap, "standard_error": spread}
    fields |= {"correction": correction}
    one: dict[str, Any] = {
        name: value if value is None or isinstance(target, Several) else value[0] for name, value in fields.items()
    }
    one |= {
        "method": text_of(method),
        "target": describe(target),
        "targets": texts(ask.target, len(ask.x)),
        "spent": ask.spent,
        "provenance": provenance(ask),
    }
    return Attribution(layout=lift.layout, **one)


def provenance(ask: Gradients) -> dict[str, str]:
    """Versions and the place of a computation; the seed is in the method's text."""
    return {
        "wavelens": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pywavelets": pywavelets_version(),
        "python": platform.python_version(),
        "device": str(ask.x.device),
        "dtype": str(ask.x.dtype),
        "model": type(_innermost(ask.model)).__name__,
        "passes": "exact" if ask.exact_passes else "fastest",
    }


def _innermost(model: Model) -> Model:
    """The caller's model, whatever it was put into here."""
    while isinstance(model, Given | Unpacked):
        model = model.model
    return model
