"""A shard of a run: one safetensors file, written beside its place, flushed to the disk and renamed.

A file under its own name is therefore whole, whatever ended the process that wrote it; a checksum of names and numbers
says whether it still is what was written.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from wavelens.untrusted import check_file, excerpt, json_object

FORMAT = "wavelens.shard/2"
FORMAT_WITHOUT_CHECKSUM = "wavelens.shard/1"  # of earlier versions
FAILURE_FIELDS = {"index": int, "name": str, "reason": str}
Value = Tensor | float


@dataclass(frozen=True, eq=False)
class Shard:
    """What a shard's file holds: `(items, …)` for each result, the items' places and names, and the failures.

    `verified` says that a checksum confirmed it, which files of older versions do not have.
    """

    values: dict[str, Tensor]
    names: dict[int, str]
    failures: list[dict[str, Any]]
    verified: bool = True

    @property
    def items(self) -> dict[int, str]:
        """The name of every item, with a result or without, by its place in the data set."""
        return self.names | {failure["index"]: failure["name"] for failure in self.failures}


class DamagedShard(ValueError):
    """A file in a shard's place that does not hold what was written there."""


def shard_name(shard: int) -> str:
    return f"{shard:09d}.safetensors"


def write_shard(
    path: Path, run: str, names: Mapping[int, str], values: dict[str, Tensor], failures: Sequence[dict[str, Any]]
) -> None:
    header = {"format": FORMAT, "run": run, "names": list(names.items()), "failures": list(failures)}
    tensors = {name: value.contiguous() for name, value in values.items()}
    header["sha256"] = _checksum(header, tensors)
    write_whole(path, save(tensors, {"wavelens": json.dumps(header)}))


def _checksum(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """A digest of all that a shard says, its own checksum left out."""
    rest = {key: value for key, value in header.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_shard(path: Path, run: str, items: range) -> Shard:
    """The shard at `path`, which holds the `items` of the data set of `run`.

    `DamagedShard`, a `ValueError`, where the file is not what was written there; `ValueError` for a shard of another
    run and for what is no regular file.
    """
    if not path.is_file():  # an empty file is a damaged shard
        check_file(path, "shard")
    try:
        with safe_open(path, framework="pt") as stored:
            header = json_object((stored.metadata() or {})["wavelens"])
            values = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        verified, own = _is_verified(header, values), header["run"] == run
        if own:
            return _shard(header, values, verified, items)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DamagedShard(
            f"{path} is a shard of a run; this one is damaged ({excerpt(str(error))}). Remove it, and run again."
        ) from None
    raise ValueError(f"{path} belongs to the run of its folder; this one is of another. Remove it, and run again.")


def _is_verified(header: Mapping[str, Any], values: Mapping[str, Tensor]) -> bool:
    """Whether a checksum confirms the content, False where there is none; `ValueError` where it does not fit."""
    verified = "sha256" in header
    if header["format"] != (FORMAT if verified else FORMAT_WITHOUT_CHECKSUM):
        raise ValueError(f"its format is {header['format']!r}")
    if verified and header["sha256"] != _checksum(header, values):
        raise ValueError("its checksum does not fit its content")
    return verified


def _shard(header: Mapping[str, Any], values: dict[str, Tensor], verified: bool, items: range) -> Shard:
    """The shard of a file's content; `ValueError`, `KeyError` or `TypeError` with what is wrong with it."""
    for failure in header["failures"]:
        if {key: type(value) for key, value in dict(failure).items()} != FAILURE_FIELDS:
            raise ValueError("a failure in it has no index, name and reason")
    shard = Shard(values, {index: str(name) for index, name in header["names"]}, header["failures"], verified)
    if sorted(shard.items) != list(items) or len(shard.names) + len(shard.failures) != len(items):
        raise ValueError(f"it does not hold the items {items.start} to {items.stop - 1}")
    if any(value.shape[:1] != (len(shard.names),) for value in values.values()):
        raise ValueError(f"its results are not those of {len(shard.names)} items")
    return shard


def written(path: Path, run: str, items: range) -> Shard | None:
    """The shard where it is there and whole, else None; other errors as `read_shard`."""
    try:
        return read_shard(path, run, items)
    except (FileNotFoundError, DamagedShard):
        return None


def write_whole(path: Path, data: bytes, put: Callable[[Path, Path], None] = os.replace) -> None:
    """Writes `data` beside `path`, flushes it to the disk and `put`s it there at once. Nothing stays beside it."""
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        put(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Makes a rename last through a loss of power, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def stacked(results: Mapping[int, Mapping[str, Value]], names: Mapping[int, str]) -> dict[str, Tensor]:
    """Each result of several items as one tensor `(items, …)`; numbers become float64.

    `ValueError` where items differ in the names, shapes or types of their results.
    """
    rows = {
        index: {
            name: torch.as_tensor(v, dtype=None if isinstance(v, Tensor) else torch.float64).detach().cpu()
            for name, v in result.items()
        }
        for index, result in results.items()
    }
    if not rows:
        return {}
    first, *others = rows
    form = {name: (tuple(v.shape), v.dtype) for name, v in rows[first].items()}
    for other in others:
        got = {name: (tuple(v.shape), v.dtype) for name, v in rows[other].items()}
        if got != form:
            raise ValueError(
                f"a task gives every item results of the same names, shapes and types; {names[first]} has {form} and "
                f"{names[other]} has {got}. Pad or reduce them in the task."
            )
    return {name: torch.stack([row[name] for row in rows.values()]) for name in form}
