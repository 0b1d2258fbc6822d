"""What the precision of a type means: products in it, whatever a caller has set for networks, and rounding."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

PRODUCTS: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]


class FullPrecision:
    """Float32 products in float32: a caller's tf32 or bf16 setting is for networks, a transform must stay exact.

    The setting is the process's own: threads whose transforms overlap share one change of it.
    """

    lock, users = threading.Lock(), 0
    before: tuple[tuple[Any, str], ...] = ()

    def __enter__(self) -> None:
        cls = type(self)
        with cls.lock:
            if cls.users == 0:
                cls.before = tuple((kind, kind.fp32_precision) for kind in PRODUCTS if kind.fp32_precision != "ieee")
                for kind, _ in cls.before:
                    kind.fp32_precision = "ieee"
            cls.users += 1

    def __exit__(self, *_: object) -> None:
        cls = type(self)
        with cls.lock:
            cls.users -= 1
            if cls.users == 0:
                for kind, setting in cls.before:
                    kind.fp32_precision = setting


@contextmanager
def full_precision(x: Tensor) -> Iterator[None]:
    """Products of `x` as its type says: autocast and tf32 stay out."""
    with torch.autocast(x.device.type, enabled=False), FullPrecision():
        yield


def rounding(x: Tensor, step: float = 0.0) -> float:
    """By how much sums in another order may differ, relative to the size of their terms, in the precision of `x`.

    `step`, the distance of numbers around 1, is that of a coarser type, if it was computed in one.
    In half precision and TF32 that is 8 steps between numbers, not 64, which would call half of the score rounding.
    """
    backends, step = torch.backends, max(step, torch.finfo(x.dtype).eps)
    settings = (backends.cudnn.conv.fp32_precision, backends.cuda.matmul.fp32_precision)  # type: ignore[attr-defined]
    if x.device.type == "cuda" and x.dtype == torch.float32 and "tf32" in settings:
        step = torch.finfo(torch.float16).eps  # as many digits
    return (64 if step < 1e-6 else 8) * step
