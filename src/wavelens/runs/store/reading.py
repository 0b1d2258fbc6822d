"""Reading what a run has written, also while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from wavelens.runs.store import manifest
from wavelens.runs.store.manifest import Manifest
from wavelens.runs.store.shards import Shard, read_shard, shard_name
from wavelens.runs.task import Failure


@dataclass(frozen=True, eq=False)
class Results:
    """The items that have results, in the order of the data set: `names[i]` belongs to `values[…][i]`."""

    names: tuple[str, ...]
    values: dict[str, Tensor]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, eq=False)
class Run:
    """A folder of results: `run.manifest` says of what, `run.read()` gives them.

    The folder may belong to a run that goes on; what is written by then is read.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """`FileNotFoundError` or `ValueError` for a folder that holds no run."""
        return cls(Path(folder), manifest.read(Path(folder)))

    @cached_property
    def digest(self) -> str:
        return self.manifest.digest

    def path(self, shard: int) -> Path:
        return self.folder / "shards" / shard_name(shard)

    def items(self, shard: int) -> range:
        """The places in the data set of a shard's items."""
        start = shard * self.manifest.shard_size
        return range(start, min(start + self.manifest.shard_size, self.manifest.items))

    def missing(self) -> list[int]:
        """The shards that are not there yet."""
        return [shard for shard in range(self.manifest.shards) if not self.path(shard).exists()]

    def shards(self) -> Iterator[Shard]:
        """One shard after the other, in the order of the data set; `ValueError` for a damaged one."""
        for shard in range(self.manifest.shards):
            if self.path(shard).exists():
                yield read_shard(self.path(shard), self.digest, self.items(shard))

    def read(self) -> Results:
        """Everything that is there, in memory: `(items, …)` for each result."""
        names: list[str] = []
        failures: list[Failure] = []
        parts: dict[str, list[Tensor]] = {}
        for shard in self.shards():
            names += shard.names.values()
            failures += [Failure(**failure) for failure in shard.failures]
            for name, value in shard.values.items():
                parts.setdefault(name, []).append(value)
        try:
            values = {name: torch.cat(pieces) for name, pieces in parts.items()}
            aligned = all(len(value) == len(names) for value in values.values())
        except RuntimeError:
            aligned = False
        if not aligned:
            raise ValueError(
                f"every item of a run has results of the same shapes; those of {self.folder} differ. "
                "Pad or reduce them in the task."
            )
        return Results(tuple(names), values, tuple(failures))
