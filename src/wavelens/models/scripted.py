"""TorchScript that was optimised for inference, as a graph that has gradients.

`torch.jit.optimize_for_inference` runs layers on a CPU by operators of oneDNN, which record no gradient. Each of them
stands for one of torch's own, and each tensor in oneDNN's layout for a plain one: they are put back in a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.jit import ScriptModule

from wavelens.models.module_kinds import nodes

ONEDNN = ("prim::mkldnn_", "prim::MKLDNN", "prim::ConstantMKLDNN", "prim::BroadcastMKLDNN", "aten::to_mkldnn")
LAYOUTS = ("aten::to_mkldnn", "aten::to_dense", "prim::BroadcastMKLDNNTensors")
REPLACEMENTS = {
    "prim::mkldnn_convolution": "aten::convolution",
    "prim::MKLDNNHardSwish": "aten::hardswish",
    "prim::MKLDNNHardSigmoid": "aten::hardsigmoid",
    "prim::MKLDNNHardTanh": "aten::hardtanh",
    "prim::MKLDNNClamp": "aten::clamp",
    "prim::MKLDNNScalarMul": "aten::mul",
    "prim::MKLDNNLayerNorm": "aten::layer_norm",
}
IN_PLACE = ("relu", "relu6", "gelu", "hardswish", "sigmoid", "hardsigmoid", "hardtanh", "tanh", "clamp", "add", "mul")
ROUNDING = 1e-4  # of the output's length; float32 through other kernels differed by 1e-6
Model = Callable[[Tensor], Any]
MADE: WeakKeyDictionary[ScriptModule, Model] = WeakKeyDictionary()


def with_gradients(model: Any, x: Tensor) -> Any:
    """The model, or for one that was optimised for inference its graph in operators that have gradients.

    `ValueError` where the two do not give the same for the first item of `x`.
    """
    if not isinstance(model, ScriptModule) or not any(n.kind().startswith(ONEDNN) for n in nodes(model)):
        return model
    if model not in MADE:
        try:
            with torch.inference_mode(False):  # or its constants would record no gradient
                made = _made(model)
                same = _same(made, model, x[:1].detach())
        except RuntimeError as error:
            raise ValueError(_refusal()) from error
        if not same:
            raise ValueError(_refusal())
        MADE[model] = made
    return MADE[model]


def _refusal() -> str:
    return (
        "a gradient needs operators that record one; this TorchScript was optimised for inference with others. "
        "Explain the module from before torch.jit.optimize_for_inference."
    )


@torch.no_grad()
def _same(made: Model, model: Model, row: Tensor) -> bool:
    ours, theirs = made(row.clone()), model(row.clone())
    return isinstance(ours, Tensor) and bool((ours - theirs).norm() <= ROUNDING * theirs.norm())


def _made(model: ScriptModule) -> Model:
    graph = model.inlined_graph.copy()
    for node in list(_inside(graph)):
        _put_back(graph, node)
    graph.eraseInput(0)  # the module itself, whose tensors are constants of the graph
    return torch._C._create_function_from_graph("forward", graph)


def _inside(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for part in node.blocks():
            yield from _inside(part)


def _put_back(graph: Any, node: Any) -> None:
    """Torch's own operator in a node's place."""
    kind = node.kind()
    if kind in LAYOUTS:
        for output, value in zip(node.outputs(), node.inputs(), strict=False):
            output.replaceAllUsesWith(value)
    elif kind == "prim::ConstantMKLDNNTensor":
        _replace(node, _constant(graph, node, node.t("value").to_dense()))
    elif kind.removesuffix("_") in REPLACEMENTS:
        values = [*node.inputs(), *(_constant(graph, node, node.f(name)) for name in node.attributeNames())]
        if kind == "prim::mkldnn_convolution":
            *values, groups = values
            values += [_constant(graph, node, value) for value in (False, [0])] + [groups]
        _replace(node, _call(graph, node, REPLACEMENTS[kind.removesuffix("_")], values))
    elif kind in {f"aten::{name}_" for name in IN_PLACE}:
        _replace(node, _call(graph, node, kind.removesuffix("_"), list(node.inputs())))


def _constant(graph: Any, node: Any, value: Any) -> Any:
    with graph.insert_point_guard(node):
        return graph.insertConstant(value)


def _call(graph: Any, node: Any, kind: str, values: list[Any]) -> Any:
    return graph.create(kind, values, 1).insertBefore(node).output()


def _replace(node: Any, value: Any) -> None:
    node.output().replaceAllUsesWith(value)
