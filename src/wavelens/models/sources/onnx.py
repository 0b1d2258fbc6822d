"""ONNX files as black boxes, run by onnxruntime on the CPU. A file is data: no operator library is loaded with it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavelens.models.black_box import BlackBox
from wavelens.models.loaded import Parts, Preparation, Variant
from wavelens.models.preparations.image import Geometry, geometry_of
from wavelens.models.preparations.series import Traces
from wavelens.optional import optional
from wavelens.untrusted import check_regular

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
NOISE = re.compile(r"^\d+ : [A-Z_]+ : |\S+\.cc:\d+ \w+ ")
ROWS = 16  # of a pass: onnxruntime keeps the activations of all


class Onnx(BlackBox):
    """The network in an ONNX file, from arrays `(batch, channel, *axes)` to one of its outputs.

    `output` names one; without it the first is taken. A file whose batch is fixed runs in batches of that size, the
    last one filled with its last row. Photos may lie as (batch, height, width, channel) there. `ValueError` for a file
    that onnxruntime refuses, and for one with several inputs or one that is no signal.

    `shape` is `(batch, channel, *axes)`, None where a length is free. `digest` is of the file, without what lies beside
    it.

    >>> from onnx import TensorProto, helper
    >>> ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 8, 8]) for name in "xy"]
    >>> graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "absolute", ends[:1], ends[1:])
    >>> net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    >>> _ = Path("net.onnx").write_bytes(net.SerializeToString())
    >>> wl.models.Onnx("net.onnx")(-torch.ones(1, 3, 8, 8)).max()
    tensor(1.)
    """

    digest: Tensor

    def __init__(self, path: str | Path, output: str | None = None) -> None:
        self._path, self._output = Path(path), output
        self._session = _session(self._path)
        self._input = _input(self._session, self._path)
        self._names = _outputs(self._session, self._path, output)
        shape = tuple(n if isinstance(n, int) and n > 0 else None for n in self._input.shape)
        self.channels_last = len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3)
        self.shape = (shape[0], shape[3], *shape[1:3]) if self.channels_last else shape
        super().__init__(self.run, self.shape[0] or ROWS)
        digest = hashlib.sha256(self._path.read_bytes()).digest()
        self.register_buffer("digest", torch.tensor(list(digest), dtype=torch.uint8))  # tells one file from another

    @property
    def called(self) -> str:
        return self._path.name

    def run(self, array: Any) -> Any:
        """The output for `(batch, channel, *axes)`."""
        count, size = len(array), self.shape[0] or len(array)
        filled = np.concatenate([array, np.repeat(array[-1:], size - count, 0)]) if count < size else array
        placed = np.moveaxis(filled, 1, -1) if self.channels_last else filled
        given = np.ascontiguousarray(placed, TYPES[self._input.type])
        try:
            (output,) = self._session.run(self._names, {self._input.name: given})
        except Exception as error:  # onnxruntime has classes of its own
            raise ValueError(f"{self.called} takes {self.takes}; got {array.shape}: {_reason(error)}") from None
        return output[:count] if len(output) == size else output

    @property
    def takes(self) -> str:
        """The shape of a batch, for a sentence."""
        return f"({', '.join('any' if n is None else str(n) for n in self.shape)})"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path, "output": self._output}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["output"])  # type: ignore[misc]


def from_onnx(name: str, variant: Variant) -> Parts:
    """The network of `FILE.onnx`, or of `FILE.onnx::OUTPUT`.

    It takes photos, or series of the channels and the length that the file says; for others the caller's preparation
    is needed.
    """
    path, _, output = name.partition("::")
    check_regular(path, "model")
    if not Path(path).is_file():
        raise FileNotFoundError(f"no such model: {path}. Give the name of an ONNX file.")
    module = Onnx(path, output or None)
    own = _preparation(module.shape)
    if own is None and not variant.prepared:
        raise ValueError(
            f"a model that is a file takes photos (batch, 3, height, width), or series (batch, channel, samples) of a "
            f"fixed length; {path} takes {module.takes}. Give its preparation, such as preparation=Traces((12, 2500), "
            "rate=250), or return a LoadedModel of wavelens.models.Onnx(path) and its own from a function."
        )
    return Parts(module, own or Geometry())


def _preparation(shape: tuple[int | None, ...]) -> Preparation | None:
    """What a file's shape says of its input: photos, or a series of a fixed length as it is; None for others."""
    if len(shape) == 4 and shape[1] in (3, None):
        return geometry_of(shape)
    channels, samples = shape[1:3]
    return Traces((channels, samples)) if len(shape) == 3 and channels and samples else None


def says_preparation(name: str) -> bool:
    """Whether an ONNX file says how its input is prepared."""
    path = Path(name.partition("::")[0])
    return not path.is_file() or _preparation(Onnx(path).shape) is not None


def is_onnx(name: str) -> bool:
    """Whether a model's name is that of an ONNX file, with or without an output."""
    return Path(name.partition("::")[0]).suffix.lower() == ".onnx"


def _session(path: Path) -> Any:
    runtime = optional("onnxruntime", "onnx")
    settings = runtime.SessionOptions()
    settings.log_severity_level = 4  # what it raises is told; it prints nothing
    settings.intra_op_num_threads = torch.get_num_threads()
    try:
        return runtime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(_refusal(path, _reason(error))) from None


def _refusal(path: Path, reason: str) -> str:
    if "external data" in reason.lower() or "external_data" in reason.lower() or "model_path must" in reason.lower():
        return (
            f"{path} keeps its weights in a file beside it, which onnxruntime cannot read: {reason} Put that file into "
            "the same folder under its own name."
        )
    return f"onnxruntime cannot read {path}: {reason}"


def _reason(error: Exception) -> str:
    """The sentence of onnxruntime, without codes and places in its source."""
    text = " ".join(str(error).split()).rpartition("[ONNXRuntimeError] : ")[2]
    text = NOISE.sub("", text)
    return f"{text[:300].rstrip('. ')}."


def _input(session: Any, path: Path) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs) or "none"
        raise ValueError(f"a file's network takes one signal; {path} has inputs {names}. {OWN}")
    if inputs[0].type not in TYPES or len(inputs[0].shape) < 3:
        got = f"{inputs[0].type} of shape {inputs[0].shape}"
        raise ValueError(f"a signal is (batch, channel, *axes) of floating-point numbers; {path} takes {got}. {OWN}")
    return inputs[0]


def _outputs(session: Any, path: Path, output: str | None) -> list[str]:
    names = [one.name for one in session.get_outputs()]
    if output is not None and output not in names:
        raise ValueError(f"the outputs of {path} are {', '.join(names)}; got {output!r}.")
    return [output or names[0]]


OWN = "Write a function of arrays around onnxruntime and wrap it: wavelens.models.BlackBox(function)."
