"""How many rows of a pass fit into memory, and the errors that tell that they did not."""

from __future__ import annotations

import os

import torch
from torch import Tensor

CPU_ACTIVATIONS = 2**28  # bytes; larger chunks use more memory and gain nothing on a CPU (benchmarks/speed/chunks.py)
CPU_ROWS = 4  # of a network whose rows are larger than that: fewer rows at a time take up to twice as long each


def rows_that_fit(item: Tensor, kept: int) -> int:
    """Rows that fill the memory set aside, from an item `(channel, *axes)` and the bytes kept for its gradient."""
    signals = 4 * item.nbytes  # points, what the model makes of them, gradients
    row = 2 * (kept + signals)
    least = min(CPU_ROWS, CPU_ACTIVATIONS // signals)  # a long sound is large itself: one is enough
    return max(1, budget(item.device, least * row) // row)


def budget(device: torch.device, least: int) -> int:
    """Bytes that the activations of a chunk may take; on a CPU `least` where as much is free."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (free + reserved) // 2
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" in names:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return min(free // 4, max(CPU_ACTIVATIONS, least))
    return CPU_ACTIVATIONS


def ran_out(error: BaseException) -> bool:
    """Of any device; the CPU's allocator has two texts, cuBLAS and cuDNN their own, and TorchScript wraps them all."""
    texts = ("out of memory", "not enough memory", "can't allocate memory", "_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)
