"""Modules that are no plain Python ones: frozen TorchScript, exported programs, quantised layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.jit import ScriptModule
from torch.nn.parameter import is_lazy

from wavelens.models.black_box import check_no_black_box

QUANTISED_MODULES = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse.quantized")
FLOAT_THERE = ("FloatFunctional", "FXFloatFunctional")  # stand in a quantised package and compute in floats
QUANTISED_OPS = ("quantized", "quantized_decomposed")
QUANTISED_NODES = ("quantized::", "aten::quantize_per_")


def with_mode(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules whose training mode means something, by name.

    Frozen TorchScript has none, and the graph of an exported program does not ask for it.
    """
    fixed = {id(part) for module in model.modules() if is_exported(module) for part in module.modules()}
    return ((name, m) for name, m in model.named_modules() if id(m) not in fixed and hasattr(m, "training"))


def set_evaluation(model: Any) -> None:
    """Put the modules of a model that have a mode into evaluation mode; what a class does in its own `eval` is left."""
    for _, module in with_mode(model) if isinstance(model, nn.Module) else ():
        module.training = False


def check_evaluation(model: Any) -> None:
    """`ValueError` for a model that is in training mode, or a part of which is."""
    training = (
        [name or "the model" for name, m in with_mode(model) if m.training] if isinstance(model, nn.Module) else []
    )
    if training:
        raise ValueError(
            "the model must be in evaluation mode, so that an item's result does not depend on its batch; got "
            f"training mode in {training[0]}{f' and {len(training) - 1} more' if len(training) > 1 else ''}. "
            f"{_remedy(model)}"
        )


def _remedy(model: nn.Module) -> str:
    """How to put a model into evaluation mode; an exported program inside refuses to be asked."""
    if any(map(is_exported, model.modules())):
        return "An exported part refuses model.eval(): set part.training = False for each part of model.modules()."
    return "Call model.eval() first."


def is_exported(module: nn.Module) -> bool:
    """Whether this is the module of a `torch.export` program: a graph that knows the values it was exported with."""
    return any("val" in node.meta for node in graph_nodes(module))


def graph_nodes(module: nn.Module) -> list[Node]:
    """The nodes of a module that is a graph."""
    return list(module.graph.nodes) if isinstance(module, GraphModule) else []


def exported_shape(model: Any) -> tuple[int | None, ...] | None:
    """The shape of a batch that an exported program takes, None where a length is free; None for other models."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    exported = (module for module in modules if is_exported(module))
    inputs = (node.meta.get("val") for module in exported for node in graph_nodes(module) if node.op == "placeholder")
    first = next((value for value in inputs if isinstance(value, torch.Tensor)), None)
    return None if first is None else tuple(n if isinstance(n, int) else None for n in first.shape)


def check_shapes(model: Any) -> None:
    """`ValueError` for lazy parameters, which their first pass would make."""
    tensors = (*model.parameters(), *model.buffers()) if isinstance(model, nn.Module) else ()
    if any(map(is_lazy, tensors)):
        raise ValueError("the model's parameters have shapes; some of these are lazy. Call model(x) once first.")


def quantised(model: Any) -> str | None:
    """What in a model computes in integers, or None."""
    for name, module in model.named_modules() if isinstance(model, nn.Module) else ():
        kind = type(module)
        inside = kind.__module__.startswith(QUANTISED_MODULES) and ".reference" not in kind.__module__
        if inside and kind.__name__ not in FLOAT_THERE:
            return f"{name or 'the model'} is a {kind.__module__.removeprefix('torch.ao.nn.')}.{kind.__name__}"
        spaces = (getattr(node.target, "namespace", None) for node in graph_nodes(module))
        if space := next((space for space in spaces if space in QUANTISED_OPS), None):
            return f"the graph of {name or 'the model'} calls operators of torch.ops.{space}"
    if isinstance(model, ScriptModule) and hasattr(model, "forward"):
        return next((f"it calls {n.kind()}" for n in nodes(model) if n.kind().startswith(QUANTISED_NODES)), None)
    return None


def check_gradients(model: Any) -> None:
    """`ValueError` for a model that is quantised, or a function of arrays."""
    check_no_black_box(model)
    if what := quantised(model):
        raise ValueError(
            f"a gradient needs a model in floating point; this model is quantised ({what}), and integers have no "
            "gradient. Explain the float model that it was made from."
        )


def nodes(model: ScriptModule) -> Iterator[Any]:
    """The nodes of a scripted model, with what it calls."""

    def inside(block: Any) -> Iterator[Any]:
        for node in block.nodes():
            yield node
            for part in node.blocks():
                yield from inside(part)

    return inside(model.inlined_graph)
