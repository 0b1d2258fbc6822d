"""Looking inside a model while it runs: which layers there are, what they give, and where the signal enters.

Layers are watched by torch's global module hooks, so that no hook is ever put on a module of the caller's.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from wavelens.engine.gradients import Gradients

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LINEAR = (*CONVOLUTIONS, nn.Linear)
POOLING = "Pool"  # in the names of the classes of every pooling layer


@dataclass(frozen=True, eq=False)
class Visit:
    """One call of a layer: its name, the module, which of its calls it is, and the tensors that it took and gave."""

    name: str
    module: nn.Module
    call: int
    takes: Tensor | None
    gives: Tensor | None


@contextmanager
def hooked(register: Callable[[Any], Any], react: Callable[..., Any]) -> Iterator[None]:
    """A global hook for the time of a `with`, for the modules that run in this thread."""
    here = threading.get_ident()
    handle = register(lambda *arguments: react(*arguments) if threading.get_ident() == here else None)
    try:
        yield
    finally:
        handle.remove()


def visits(ask: Gradients) -> list[Visit]:
    """The layers of the model in the order in which they finish, from a pass of the first item."""
    names = {id(module): name for name, module in _modules(ask)}
    order: list[Visit] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if id(module) in names:
            input = next((i for i in inputs if isinstance(i, Tensor)), None)
            given = output if isinstance(output, Tensor) else None
            call = sum(v.module is module for v in order)
            order.append(Visit(names[id(module)], module, call, input, given))

    item = torch.zeros(1, dtype=torch.long, device=ask.x.device)
    with torch.no_grad():
        ask.scores(ask.x[:1].clone(), item)  # a pass that fails in the fast format is repeated, and would be seen twice
        with hooked(register_module_forward_hook, note):
            ask.scores(ask.x[:1].clone(), item)
    return order


def named(ask: Gradients, layer: str) -> Visit:
    """The last call of the layer called `layer`, or whose name ends with `.layer`; `ValueError` unless it is one."""
    fitting = [(name, m) for name, m in _modules(ask) if name == layer or name.endswith("." + layer)]
    fitting = [pair for pair in fitting if pair[0] == layer] or fitting
    if len(fitting) > 1:
        raise ValueError(
            f"layer must name one layer; got {layer!r}, which fits {', '.join(name for name, _ in fitting)}."
        )
    if not fitting:
        names = [name for name, _ in _modules(ask) if name]
        near = difflib.get_close_matches(layer, names, 3, 0.4) or names[-3:]
        raise ValueError(f"layer must name a layer of the model, such as {', '.join(near)}; got {layer!r}.")
    return _last_call(ask, fitting[0][1], fitting[0][0])


def _last_call(ask: Gradients, layer: nn.Module, name: str) -> Visit:
    calls = [visit for visit in visits(ask) if visit.module is layer and visit.gives is not None]
    if not calls:
        raise ValueError(f"the layer of a class activation map gives a tensor in each pass; {name} gave none.")
    return calls[-1]


def last_with_axes(ask: Gradients) -> Visit:
    """The last call of a layer whose output has the signal's axes, before they are pooled away.

    In a transformer of timm, whose tokens are patches, it is the norm before the last attention: behind it a class
    token reads no patch any more. Where a network pools maps of its classes' scores (SqueezeNet) or gives such maps (a
    segmenter), it is the last layer before the convolution that makes them: the map of a class is no feature, and all
    class activation maps of it are that map.
    """
    tokens = patches(ask)
    if tokens is not None:
        return _last_call(ask, tokens.blocks[-1].norm1, "the last block's norm1")
    order = visits(ask)
    chosen = _last_unpooled(ask, order)
    if chosen is None:
        raise ValueError(
            f"a class activation map needs a layer that gives (batch, channel, *axes) with the {ask.x.ndim - 2} axes "
            f"of x {tuple(ask.x.shape)}; this model has none that is a module. Name one with layer=…, or explain the "
            "network behind its front end."
        )
    scoring = max((k for k, visit in enumerate(order) if isinstance(visit.module, LINEAR)), default=0)
    if order.index(chosen) >= scoring and _channels(chosen) == _channels(order[-1]):
        return _last_unpooled(ask, order[:scoring]) or chosen
    return chosen


def _last_unpooled(ask: Gradients, order: list[Visit]) -> Visit | None:
    pooled: set[int] = set()
    chosen = None
    for visit in _with_axes(ask, order):
        if POOLING in type(visit.module).__name__:
            pooled.add(id(visit.gives))
        elif id(visit.gives) not in pooled:
            chosen = visit
    return chosen


def _channels(visit: Visit) -> int | None:
    return visit.gives.shape[1] if visit.gives is not None and visit.gives.ndim > 1 else None


def visits_with_axes(ask: Gradients) -> list[Visit]:
    """The visits whose output has as many axes as the signal, not all of length 1."""
    return _with_axes(ask, visits(ask))


def _with_axes(ask: Gradients, order: list[Visit]) -> list[Visit]:
    layers = [v for v in order if v.gives is not None and v.gives.ndim == ask.x.ndim]
    return [v for v in layers if max(v.gives.shape[2:]) > 1]  # type: ignore[union-attr]


def patches(ask: Gradients) -> Any:
    """The transformer of timm in the model, if there is one: its tokens are a grid of patches."""
    needed = ("patch_embed", "num_prefix_tokens", "blocks")
    for _, module in _modules(ask):
        if all(hasattr(module, name) for name in needed) and hasattr(module.patch_embed, "grid_size"):
            return module
    return None


def as_map(ask: Gradients, output: Tensor, layer: nn.Module) -> Tensor:
    """A layer's output as `(batch, channel, *axes)`: tokens of patches get their grid back."""
    count = ask.x.ndim
    tokens = patches(ask)
    if tokens is not None and output.ndim == 3 and count > 3:
        grid: Tensor = output[:, tokens.num_prefix_tokens :].mT.unflatten(-1, tuple(tokens.patch_embed.grid_size))
        return grid
    if output.ndim != count:
        raise ValueError(
            f"the layer of a class activation map must give (batch, channel, *axes) with the {count - 2} axes of x; "
            f"got {tuple(output.shape)} from {type(layer).__name__}. Name another with layer=…, or explain the "
            "network behind its front end."
        )
    return output


class Entrance:
    """Where the signal enters the network: the input of its first convolution or linear layer, behind normalisation.

    Inside `with`, that input is cut off and kept as `seen`, so that relevance can be read there: normalisation shifts
    the signal, and would keep part of the relevance for itself.
    """

    seen: Tensor

    def __init__(self, ask: Gradients) -> None:
        first = next((v for v in visits(ask) if isinstance(v.module, LINEAR)), None)
        if first is None:
            raise ValueError(
                "relevance is read where a convolution or a linear layer takes the signal; this model has none that "
                "is a module. Wrap the network in modules of torch.nn."
            )
        self._ask, self.first = ask, first
        self._cut = False

    def enter(self, items: Tensor) -> Tensor:
        """The signals of some items, to be given to the model inside `with`."""
        self._cut = False
        self._points = self._ask.x[items].clone().requires_grad_()
        return self._points.clone()

    def __enter__(self) -> Entrance:
        self._hook = hooked(register_module_forward_pre_hook, self._take)
        self._hook.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hook.__exit__(*error)

    def _take(self, module: nn.Module, inputs: Any) -> Any:
        if module is not self.first.module or self._cut:
            return None
        self._cut = True
        self.seen = inputs[0].detach().clone().requires_grad_()
        return (self.seen, *inputs[1:])

    def relevance(self, output: Tensor, start: Tensor | None = None) -> Tensor:
        """What comes back from an output to `seen`; `ValueError` if part of the signal went another way."""
        with self._ask.exact():
            relevance, missed = torch.autograd.grad(
                output, (self.seen, self._points), start, retain_graph=True, allow_unused=True
            )
        if relevance is None or missed is not None:
            raise ValueError(
                f"relevance is read where all of the signal enters, at {self.first.name}; the explained output "
                f"{'does not depend on it' if relevance is None else 'depends on the signal past it too'}. Explain "
                "a part of the network with one entrance."
            )
        return relevance

    def on_signal(self, relevance: Tensor) -> Tensor:
        """Relevance of what was seen, `(batch, channels, …)`, on the axes of the signal: `(batch, channels, *axes)`."""
        axes, there = tuple(self._ask.x.shape[2:]), tuple(relevance.shape[2:])
        if [n for n in axes if n > 1] != [n for n in there if n > 1]:
            raise ValueError(
                f"relevance is read where the first layer takes the signal, with its axes {axes}; here it takes "
                f"{there}. Explain the network behind its front end."
            )
        return relevance.reshape(*relevance.shape[:2], *axes)


def _modules(ask: Gradients) -> list[tuple[str, nn.Module]]:
    return list(ask.model.named_modules()) if isinstance(ask.model, nn.Module) else []
