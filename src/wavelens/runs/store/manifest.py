"""What a folder of results holds: written once, and compared by every process that would add to it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import Field, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wavelens.metrics.metric import Column
from wavelens.own import text_of
from wavelens.runs.store.differing import NOT_GIVEN, differing
from wavelens.runs.store.shards import write_whole
from wavelens.untrusted import check_file, excerpt, json_object
from wavelens.version import __version__, pywavelets_version
from wavelens.whole_numbers import is_whole

FORMAT = "wavelens.run/1"
FILE = "manifest.json"
MAX_NAMED_RUNS = 10
COLUMN = "column "  # before the name of one
MAX_SHARDS = 10**7  # of a run that is read: each is a file
IF_GIVEN = {"if_given": True}  # metadata of a field that records leave out at its default, as versions before it did


@dataclass(frozen=True)
class Manifest:
    """The task, the data set, how it is cut and by what it was computed: all that a result depends on.

    `dataset` is the digest of the listing: of `repr` of every item, in order. `columns` says what the numbers are, for
    tables; a task that does not say so has none.
    """

    task: dict[str, str]
    items: int
    dataset: str
    shard_size: int
    threads: int
    versions: dict[str, str]
    columns: tuple[Column, ...] = ()
    format: str = FORMAT

    @property
    def shards(self) -> int:
        return -(-self.items // self.shard_size)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def text(self) -> str:
        content = asdict(self)
        if not self.columns:
            del content["columns"]  # as earlier versions wrote it: the digest is of this text
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def describe(task: object, dataset: Sequence[Any], shard_size: int, threads: int) -> Manifest:
    return Manifest(
        task=described(task),
        items=len(dataset),
        dataset=listing_digest(dataset),
        shard_size=shard_size,
        threads=threads,
        versions={
            "wavelens": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pywavelets": pywavelets_version(),
            "python": platform.python_version(),
        },
        columns=_columns_of(task),
    )


def _columns_of(task: object) -> tuple[Column, ...]:
    """The columns of a task that has any; a field of the same name may be anything else."""
    columns = getattr(task, "columns", ())
    return columns if isinstance(columns, tuple) and all(isinstance(one, Column) for one in columns) else ()


def described(task: object) -> dict[str, str]:
    """A task as texts, field by field (those in its `repr`); `ValueError` where the text does not say what it is."""
    description = {"task": type(task).__name__}
    if is_dataclass(task):
        recorded = [f for f in fields(task) if f.repr and not (f.metadata.get("if_given") and _is_default(task, f))]
        description |= {f.name: _text(getattr(task, f.name)) for f in recorded}
    else:
        description["value"] = text_of(task)
    for name, text in description.items():
        if " at 0x" in text:
            raise ValueError(
                f"a task must be a value whose text says what it does; got {name}={text}. "
                "Make it a frozen dataclass whose fields are literals."
            )
    return description


def _is_default(task: object, field: Field[Any]) -> bool:
    return bool(getattr(task, field.name) == field.default)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else text_of(value)


def listing_digest(dataset: Sequence[Any]) -> str:
    """A digest of `repr` of every item; `ValueError` where two items have the same name, `str(item)`."""
    digest, names = hashlib.sha256(), set()
    for index in range(len(dataset)):
        item = dataset[index]
        digest.update(repr(item).encode("utf-8", "surrogateescape") + b"\n")
        names.add(str(item))
    if len(names) < len(dataset):
        raise ValueError(f"str(item) names one item; {len(dataset)} items have {len(names)} names. Make them distinct.")
    return digest.hexdigest()


def settle(folder: Path, manifest: Manifest, called: Mapping[str, str] | None = None) -> None:
    """Writes the manifest where there is none; `ValueError` where there is another, with what differs.

    `called` has names for fields of the task, such as those of the options that set them.

    Several processes may do so at once: one of them writes, and all compare.
    """
    path = folder / FILE
    if not path.exists():
        write_whole(path, manifest.text.encode(), put=_link)
    others = differences(read(folder), manifest, called)
    if others:
        raise ValueError(
            f"{folder} holds another run: {'; '.join(others)}. Choose another folder, or ask for what is there."
        )


def _link(beside: Path, path: Path) -> None:
    """The first of several processes wins, and none sees half a file."""
    try:
        os.link(beside, path)
    except FileExistsError:
        return  # another was first
    except OSError:  # a file system without links
        os.replace(beside, path)


def read(folder: Path) -> Manifest:
    """The manifest of a folder; `FileNotFoundError` or `ValueError` where there is none."""
    path = folder / FILE
    if not path.exists():
        inside = sorted(one.parent.name for one in folder.glob(f"*/{FILE}"))
        more = f" and {len(inside) - MAX_NAMED_RUNS} more" if len(inside) > MAX_NAMED_RUNS else ""
        held = f"; it holds the runs {', '.join(inside[:MAX_NAMED_RUNS])}{more}" if inside else ""
        raise FileNotFoundError(
            f"{folder} is not a run: it has no {FILE}{held}. Name a folder written by wavelens evaluate."
        )
    check_file(path, "manifest")
    try:
        return _manifest(json_object(path.read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is the manifest of a run; this one cannot be read ({excerpt(str(error))}).") from None


def _manifest(content: dict[str, Any]) -> Manifest:
    """The manifest of a JSON object; `ValueError`, `KeyError` or `TypeError` with what is wrong with it."""
    if content["format"] != FORMAT:
        raise ValueError(f"its format is {content['format']}, not {FORMAT}")
    columns = tuple(Column(**column) for column in content.get("columns", ()))
    if len({column.name for column in columns}) < len(columns):
        raise ValueError("two of its columns have one name")
    manifest = Manifest(**{**content, "columns": columns})
    for name in ("items", "shard_size", "threads"):
        _check_count(name, getattr(manifest, name))
    for name in ("task", "versions"):
        texts = getattr(manifest, name)
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise ValueError(f"{name} must be an object of texts, not {texts!r}")
    if not isinstance(manifest.dataset, str) or "task" not in manifest.task:
        raise ValueError("dataset or task is no text")
    if manifest.shards > MAX_SHARDS:
        raise ValueError(f"it has {manifest.shards} shards; at most {MAX_SHARDS} are read")
    return manifest


def _check_count(name: str, value: Any) -> None:
    if not is_whole(value, 1):
        raise ValueError(f"{name} must be a whole number from 1, not {value!r}")


def differences(there: Manifest, new_manifest: Manifest, called: Mapping[str, str] | None = None) -> list[str]:
    """What differs, as texts 'method is A there, B here'; of columns only where nothing of the task does.

    Of values with options only those that differ are named. `called` are other names for fields of the task.
    """
    old, new = _flat(there), _flat(new_manifest)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if there.task != new_manifest.task:  # columns follow from it
        names = [name for name in names if not name.startswith(COLUMN)]
    return [
        text for name in names for text in _difference((called or {}).get(name, name), old.get(name), new.get(name))
    ]


def _difference(name: str, old: Any, new: Any) -> list[str]:
    if name == "dataset":
        return ["dataset is a list of other items there"]
    there, here = (NOT_GIVEN if value is None or value == "" else str(value) for value in (old, new))
    return differing(name, there, here)


def _flat(manifest: Manifest) -> dict[str, Any]:
    apart = ("task", "versions", "columns")
    plain = {f.name: getattr(manifest, f.name) for f in fields(manifest) if f.name not in apart}
    plain |= {f"{COLUMN}{c.name}": c.better or "neither more nor less is better" for c in manifest.columns}
    return {**manifest.task, **plain, **{f"version of {k}": v for k, v in manifest.versions.items()}}
