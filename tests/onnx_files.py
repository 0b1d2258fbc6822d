"""ONNX files for tests, made by the operators' own names: a small network of photos and a twin of it in torch."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

CLASSES = 4
EXTERNAL = "weights.bin"


def arrays(channels=3):
    """The kernel and the head of the network."""
    source = np.random.default_rng(0)
    kernel = source.normal(size=(8, channels, 3, 3)).astype(np.float32) / 3
    return kernel, source.normal(size=(8, CLASSES)).astype(np.float32)


def twin():
    """The same network in torch, from photos to logits."""
    kernel, head = map(torch.from_numpy, arrays())
    net = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.append(nn.Linear(8, CLASSES, bias=False))
    net[0].weight.data.copy_(kernel)
    net[4].weight.data.copy_(head.T)
    return net.eval()


def network(
    path,
    batch="batch",
    size=("height", "width"),
    channels=3,
    last=False,
    first="logits",
    external=None,
    kind="FLOAT",
    second=False,
):
    """Write the network to `path`: its shape, its layout, and which of logits and probabilities is its first output.

    With `external` its weights lie in another file, which the network calls so; with `second` it has two inputs.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernel, head = arrays(channels)
    element = getattr(TensorProto, kind)
    dtype = np.float16 if kind == "FLOAT16" else np.float64 if kind == "DOUBLE" else np.float32
    weights = [numpy_helper.from_array(a.astype(dtype), n) for a, n in ((kernel, "kernel"), (head, "head"))]
    nodes = [helper.make_node("Transpose", ["x"], ["channels_first"], perm=[0, 3, 1, 2])] if last else []
    nodes += [
        helper.make_node("Conv", ["channels_first" if last else "x", "kernel"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        helper.make_node("MatMul", ["features", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probs"]),
    ]
    shape = [batch, *size, channels] if last else [batch, channels, *size]
    inputs = [helper.make_tensor_value_info(name, element, shape) for name in (("x", "y") if second else ("x",))]
    names = sorted(("logits", "probs"), key=lambda name: name != first)
    outputs = [helper.make_tensor_value_info(name, element, [batch, CLASSES]) for name in names]
    graph = helper.make_graph(nodes, "net", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    if external is None:
        onnx.save(model, path)
        return path
    onnx.save(model, path, save_as_external_data=True, location=EXTERNAL, size_threshold=0)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = external
    Path(path).write_bytes(model.SerializeToString())
    return path


def series_network(path, channels=2, samples=64):
    """Write a network of series `(batch, channel, samples)` with two logits; a name as `samples` means any length."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    source = np.random.default_rng(0)
    arrays = {"kernel": source.normal(size=(4, channels, 5)), "head": source.normal(size=(4, 2))}
    weights = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()]
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["waves"]),
        helper.make_node("Relu", ["waves"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
        helper.make_node("MatMul", ["features", "head"], ["logits"]),
    ]
    ends = {"x": ["batch", channels, samples], "logits": ["batch", 2]}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()]
    graph = helper.make_graph(nodes, "series", values[:1], values[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
