"""Tensors as they were: their memory bit for bit, and where it was."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

WORDS = (torch.int64, torch.int32, torch.int16, torch.uint8)  # the widest that fits is compared the fastest
ROW_WORDS = 4096
SMALL_BYTES = 2**26  # of a model that is copied without asking how much memory is free
FREE_PART = 2  # of the free memory at most one part in so many is filled with copies

Place = tuple[int, int, int]
Copies = dict[Place, Tensor]


class Snapshots:
    """Tensors by name as they are now; `give_back` makes them so again.

    What is written without a new version, by a kernel, through `.data` or in numpy, is noticed too: memory is compared,
    not counted. `copies` are shared with those of an outer loan where nothing has changed since. Tensors too large to
    be copied into the free memory are summed up instead, and a change of one is an error.
    """

    def __init__(self, tensors: Iterable[tuple[str, Tensor]], outer: Copies) -> None:
        distinct = {id(t): (name, t, t.data) for name, t in tensors if not t.is_nested}
        self._tensors = [(t, before) for _, t, before in distinct.values()]
        memories = [(t, Memory(name, part)) for name, t, before in distinct.values() for part in dense(before)]
        self._memories = list({memory.place: memory for _, memory in memories}.values())
        self._state = {memory.place for t, memory in memories if not isinstance(t, Parameter)}
        where = _room(self._memories)
        for memory in self._memories:
            memory.remember(outer.get(memory.place), where)

    @property
    def copies(self) -> Copies:
        return {memory.place: memory.copy for memory in self._memories if memory.copy is not None}

    def state_has_changed(self) -> bool:
        """Whether memory of what is no parameter is another than it was."""
        return any(memory.differs() for memory in self._memories if memory.place in self._state)

    def give_back(self) -> None:
        for memory in self._memories:
            memory.give_back()
        for tensor, before in self._tensors:
            if form(tensor) != form(before):
                with torch.inference_mode(tensor.is_inference()):
                    tensor.data = before


class Memory:
    """The bytes that a tensor lies in, as words of the widest type that fits them."""

    def __init__(self, name: str, tensor: Tensor) -> None:
        self.name, self.storage = name, tensor.untyped_storage()
        self.size = self.storage.nbytes()
        start = int(tensor.storage_offset()) * tensor.element_size()
        count = max(0, min(_reach(tensor), self.size - start))
        self.place: Place = (self.storage._cdata, start, count)
        word = next(w for w in WORDS if not start % w.itemsize and not count % w.itemsize)
        empty = torch.empty(0, dtype=word, device=tensor.device)
        self.words = empty.set_(self.storage, start // word.itemsize, (count // word.itemsize,))  # type: ignore[call-overload]
        self.copy: Tensor | None = None
        self.sums: Tensor | None = None

    def remember(self, known: Tensor | None, where: str | None) -> None:
        """Keep a copy on `where`, which may be `known` already, or sums where that is None."""
        if known is not None and torch.equal(self.words.to(known.device), known):
            self.copy = known
        elif where is None:
            self.sums = sums(self.words)
        else:
            self.copy = self.words.clone() if where == self.words.device.type else self.words.to(where)

    def give_back(self) -> None:
        if self.storage.nbytes() != self.size:
            self.storage.resize_(self.size)
        if self.copy is None:
            self._check()
        elif self.differs():
            self.words.copy_(self.copy)

    def differs(self) -> bool:
        """Whether the bytes are others than those of the copy; of memory that is summed up, that is not asked."""
        if self.storage.nbytes() != self.size:
            return True
        return self.copy is not None and not torch.equal(self.words.to(self.copy.device), self.copy)

    def _check(self) -> None:
        if self.sums is not None and not torch.equal(sums(self.words), self.sums):
            self.sums = None  # told once
            raise RuntimeError(
                f"a model too large to be copied writes to none of its tensors; this one changed {self.name!r} while "
                "it ran. Load it again, and explain it where twice its size in memory is free."
            )


def sums(words: Tensor) -> Tensor:
    """Sums over rows and over columns of words, which a change leaves alone by design only."""
    whole = len(words) // ROW_WORDS * ROW_WORDS
    rows = words[:whole].view(-1, ROW_WORDS)
    return torch.cat([rows.sum(0, dtype=torch.int64), rows.sum(1, dtype=torch.int64), words[whole:].to(torch.int64)])


def dense(tensor: Tensor) -> list[Tensor]:
    """The tensors that hold a tensor's numbers; none for one without memory of its own, such as a meta tensor."""
    if type(tensor) not in (Tensor, Parameter) and is_traceable_wrapper_subclass(tensor):
        parts = [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
    elif tensor.layout == torch.sparse_coo:
        parts = [tensor._indices(), tensor._values()]
    elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        parts = [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    else:
        return [tensor] if tensor.layout == torch.strided and tensor.device.type != "meta" else []
    return [inner for part in parts for inner in dense(part)]


def form(tensor: Tensor) -> Any:
    """Shape, and where and how the numbers lie."""
    return tensor.shape, [(t.data_ptr(), t.shape, t.stride(), t.dtype) for t in dense(tensor)]


def _reach(tensor: Tensor) -> int:
    """Bytes from the first to the last number."""
    if tensor.is_contiguous():
        return tensor.nbytes
    steps = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.element_size() * (1 + int(steps)) if tensor.numel() else 0


def _room(memories: list[Memory]) -> str | None:
    """The device type on which copies of all have room: their own, else the CPU, else none."""
    total = sum(memory.words.nbytes for memory in memories)
    devices = {memory.words.device for memory in memories}
    if total <= SMALL_BYTES or all(total <= _free(device) // FREE_PART for device in devices):
        return next(iter(devices)).type if len(devices) == 1 else "cpu"
    cpu = torch.device("cpu")
    return "cpu" if devices != {cpu} and total <= _free(cpu) // FREE_PART else None


def _free(device: torch.device) -> int:
    """Bytes that are free on a device."""
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    meminfo = Path("/proc/meminfo")
    if device.type == "cpu" and meminfo.is_file():
        fields = dict(line.split(":") for line in meminfo.read_text(encoding="ascii").splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    if device.type == "cpu" and "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 2**63  # not known
