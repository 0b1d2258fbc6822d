"""Products in the precision of their type, whatever a caller has set for networks."""

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
