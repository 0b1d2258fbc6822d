"""Reading checkpoint files: the state dicts in one. No code in a file is run, and no class of it is built."""

from __future__ import annotations

import json
import re
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor
from torch.serialization import safe_globals

from wavelens.untrusted import check_file

DEEPEST = 4  # mappings within each other
FOLDER = ("model.safetensors", "pytorch_model.bin")  # what a folder of weights holds, whole or with an index of parts
INDEX = ".index.json"
FOREIGN = re.compile(r"GLOBAL (\S+) w")  # the class or function that torch names when it refuses one

BESIDE_WEIGHTS = tuple(  # classes of settings and records; none of their objects is built
    """argparse.Namespace types.SimpleNamespace
    builtins.bool builtins.complex builtins.dict builtins.float builtins.int builtins.list builtins.set builtins.str
    builtins.tuple builtins.slice typing.Any
    datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone
    pathlib.Path pathlib.PosixPath pathlib.PurePath pathlib.PurePosixPath pathlib.PureWindowsPath pathlib.WindowsPath
    pathlib._local.Path pathlib._local.PosixPath pathlib._local.PurePosixPath pathlib._local.WindowsPath
    numpy.dtype numpy.ndarray numpy._core.multiarray.scalar numpy._core.multiarray._reconstruct
    numpy.core.multiarray.scalar numpy.core.multiarray._reconstruct
    omegaconf.base.ContainerMetadata omegaconf.base.Metadata omegaconf.dictconfig.DictConfig
    omegaconf.listconfig.ListConfig omegaconf.nodes.AnyNode omegaconf.nodes.BooleanNode omegaconf.nodes.FloatNode
    omegaconf.nodes.IntegerNode omegaconf.nodes.StringNode
    torch.torch_version.TorchVersion""".split()
)
MAPPINGS = (  # their objects are read as plain mappings
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "yacs.config.CfgNode",
)


class Unread:
    """Stands for an object that is no weight: takes whatever a file says of it, and keeps nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Unread:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _emptied(*args: Any) -> dict[Any, Any]:
    """In place of a `defaultdict`."""
    return {}


POINTER = b"version https://git-lfs"  # how what Git LFS puts in a file's place begins
ALLOWED: list[Any] = [
    *((Unread, name) for name in BESIDE_WEIGHTS),
    *((OrderedDict, name) for name in MAPPINGS),
    (_emptied, "collections.defaultdict"),
]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state dicts of a file or folder, by their keys in it, '' for all of it and 'a.b' for one inside others.

    `chosen` is the key that was asked for, None where all are candidates.
    """

    path: Path
    states: dict[str, dict[str, Tensor]]
    chosen: str | None = None


def read_checkpoint(weights: str | Path) -> Checkpoint:
    """The state dicts of a checkpoint: safetensors, what `torch.save` wrote, an index of parts, or a folder of them.

    'file.pth::key' chooses one of several. Raises `FileNotFoundError` where there is no file, `ValueError` for a file
    that holds no weights, and for one that holds objects of classes which are not known to be harmless.
    """
    path, chosen = _chosen(str(weights))
    states = dict(_state_dicts(_content(path), ()))
    if not states:
        raise ValueError(f"weights are a state dict of tensors; {path} holds none. Save model.state_dict().")
    return Checkpoint(path, states, chosen)


def _chosen(weights: str) -> tuple[Path, str | None]:
    path, colons, key = weights.rpartition("::")
    whole, chosen = (Path(weights), None) if Path(weights).exists() or not colons else (Path(path), key)
    if not whole.exists():
        raise FileNotFoundError(f"no such weights: {whole}. Give a .safetensors or .pth file, or a folder of them.")
    return whole, chosen


def _state_dicts(content: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every mapping that has tensors, outermost first; a list counts its entries."""
    if isinstance(content, list | tuple):  # such as (model.state_dict(), epoch)
        content = {
            str(place): value for place, value in enumerate(content) if isinstance(value, Mapping | list | tuple)
        }
    if not isinstance(content, Mapping) or len(keys) > DEEPEST:
        return
    named = {name: value for name, value in content.items() if isinstance(name, str)}
    if tensors := {name: value.detach() for name, value in named.items() if isinstance(value, Tensor)}:
        yield ".".join(keys), tensors
    for name, value in named.items():
        yield from _state_dicts(value, (*keys, name))


def _content(path: Path) -> Any:
    if path.is_dir():
        return _content(_in_folder(path))
    if path.name.endswith(INDEX):
        return _parts(path)
    check_file(path, "file of weights")
    try:
        if _is_safetensors(path):
            return safetensors.torch.load_file(path)
        if not _is_saved(path):
            raise ValueError("neither")
        return _unpickled(path)
    except Exception as error:  # safetensors, pickle and torch share no base class
        raise ValueError(_refusal(path, error)) from error


def _in_folder(folder: Path) -> Path:
    names = [name for whole in FOLDER for name in (whole, whole + INDEX)]
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"a folder of weights holds one of {', '.join(names)}; {folder} has none of them.")
    return path


def _parts(index: Path) -> dict[str, Any]:
    """The tensors of all files that an index names; they lie beside it."""
    check_file(index, "index of weights")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        beside = all(Path(name).name == name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError):
        names, beside = [], False
    if not beside:
        raise ValueError(
            f"an index of weights has a weight_map from tensors to the files beside it; {index} has none. "
            "Give the weights in one file."
        )
    return {name: value for part in names for name, value in _content(index.with_name(part)).items()}


def _is_safetensors(path: Path) -> bool:
    """By content: the length of a JSON header, and its bracket."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] <= path.stat().st_size


def _is_saved(path: Path) -> bool:
    """By content, whether `torch.save` wrote it: an archive, or a binary pickle. Any text may be a pickle as well."""
    with path.open("rb") as file:
        return file.read(4).startswith((b"PK", b"\x80"))


def _unpickled(path: Path) -> Any:
    with safe_globals(ALLOWED), path.open("rb") as file:  # by its path, torch would go by the suffix
        return torch.load(file, map_location="cpu", weights_only=True)


def _refusal(path: Path, error: Exception) -> str:
    text = str(error)
    if "TorchScript" in text:
        return f"weights are a state dict; {path} is a TorchScript model. Give it as the model itself."
    if refused := FOREIGN.search(text):
        return (
            f"{path} holds more than weights, and reading it would run code of {refused[1]}. Where you "
            "trust the file, save its weights alone: checkpoint = torch.load(path, weights_only=False); "
            'torch.save(checkpoint["state_dict"], "weights.pth"), or checkpoint.state_dict() of a whole model.'
        )
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if start == POINTER:
        return f"{path} is a pointer of Git LFS, not the weights themselves. Fetch them: git lfs pull."
    if _is_safetensors(path) or _is_saved(path):
        return (
            f"weights must be a state dict, in safetensors or from torch.save; got {path}, which begins as one and "
            "cannot be read. Get a fresh copy, or write it anew with torch.save(net.state_dict(), path)."
        )
    return (
        f"weights must be a state dict, in safetensors or from torch.save; got {path}, which is neither. Write one "
        "with torch.save(net.state_dict(), path)."
    )
