"""The header of a stored attribution, compared with its data before anything of its size is made."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from wavelens.core import Domain, Layout
from wavelens.spec import parse
from wavelens.targets import parsed

FORMAT = "wavelens.attribution/1"
TEXTS = {"method": str, "target": str, "provenance": dict}  # fields that are stored as they are
GEOMETRY = "geometry."  # before the names of what a domain rests on that is bound to items
TENSORS = ("score", "baseline_score", "gap", "standard_error", "correction", "spent")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # dtypes that can be calculated with
MAX_AXES = 16  # of a stored signal: the number of bands grows as a power of the axes


def stored_layout(header: dict[str, Any], tensors: dict[str, Tensor], also: Iterable[type] = ()) -> Layout:
    """The layout of a file's header; `ValueError`, `KeyError` or `TypeError` where header and tensors do not fit.

    The domain may be of the classes `also`.
    """
    if header["format"] != FORMAT:
        raise ValueError(f"its format is {header['format']!r}")
    geometry = {name.removeprefix(GEOMETRY): t for name, t in tensors.items() if name.startswith(GEOMETRY)}
    if unknown := {name for name in tensors if not name.startswith(GEOMETRY)} - {"data", "scale", *TENSORS}:
        raise ValueError(f"it has a tensor {min(unknown)!r}")
    _check_fields(header)
    _check_dtypes(tensors)
    _check_data(header, tensors)
    size = tensors["data"].shape[-1] // (2 if header.get("complex") else 1)
    domain, shape = parse(header["domain"], also), tuple(header["signal_shape"])
    if not isinstance(domain, Domain):
        raise TypeError(f"its domain is {header['domain']}")
    if domain.least_size(shape) > size:
        raise ValueError(f"{size} coefficients are fewer than {domain} has for axes {list(shape)}")
    layout = _bound(domain, geometry, len(tensors["data"].flatten(0, -3))).layout(shape)
    if layout.size != size:
        raise ValueError(f"{size} coefficients are not the {layout.size} of {domain} for axes {list(shape)}")
    return layout


def stored_targets(header: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[tuple[str, ...], ...]:
    """The targets of a file, `Attribution.targets`; from their common text where it was written before they were."""
    rows, batch = header.get("targets"), tensors["data"].shape[-3]
    if rows is None:
        return parsed(header["target"], batch)
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and len(row) in (1, batch) and all(isinstance(text, str) for text in row) for row in rows
    ):
        raise TypeError("its targets are not lists of texts, one or as many as there are items")
    return tuple(map(tuple, rows))


def _check_fields(header: dict[str, Any]) -> None:
    for name, kind in TEXTS.items():
        if not isinstance(header[name], kind):
            raise TypeError(f"its {name} is a {type(header[name]).__name__}")
    if not all(isinstance(text, str) for text in header["provenance"].values()):
        raise TypeError("its provenance holds more than texts")
    if header.get("complex", True) is not True:
        raise TypeError(f"its complex is {header['complex']!r}")


def check_finite(data: Tensor) -> None:
    """`ValueError` for NaN or infinity among the real numbers of a file; a model that gives them is refused, too."""
    if not torch.stack(data.aminmax()).isfinite().all():
        lost = int((~data.isfinite()).sum())
        raise ValueError(f"its data must be finite; got NaN or infinity in {lost} of {data.numel()} numbers")


def _check_dtypes(tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        whole = name == "spent" or (name.startswith(GEOMETRY) and not tensor.is_floating_point())
        if tensor.dtype not in FLOATS and not whole and name != "data":
            raise ValueError(f"its {name} is {tensor.dtype}")


def _check_data(header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    data, shape = tensors["data"], header["signal_shape"]
    if data.ndim < 3 or 0 in data.shape or data.dtype not in FLOATS:
        raise ValueError(f"its data is {data.dtype} of shape {tuple(data.shape)}")
    if header.get("complex") and data.shape[-1] % 2:
        raise ValueError(f"its data holds {data.shape[-1]} real numbers, which do not make complex ones")
    lead = data.shape[:-2]
    shapes = {**dict.fromkeys(("score", "baseline_score", "gap"), lead), "spent": lead[-1:]}
    for name, expected in shapes.items():
        if name in tensors and tensors[name].shape != expected:
            raise ValueError(f"its {name} has shape {tuple(tensors[name].shape)}")
    for name in ("standard_error", "correction"):
        if name in tensors and tensors[name].shape[:-1] != lead:
            raise ValueError(f"its {name} has shape {tuple(tensors[name].shape)}")
    if "scale" in tensors and tensors["scale"].shape != (*data.shape[:-2], 1, 1):
        raise ValueError(f"its scale has shape {tuple(tensors['scale'].shape)}")
    if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise ValueError("its signal_shape is not a list of lengths")
    # A domain has at least as many real numbers as samples; an account in a complex domain has half.
    if not 0 < len(shape) <= MAX_AXES or math.prod(shape) > 2 * data.shape[-1]:
        raise ValueError(f"{data.shape[-1]} coefficients are not those of a signal with {len(shape)} axes {shape}")


def _bound(domain: Domain, geometry: dict[str, Tensor], items: int) -> Domain:
    """The domain with the coordinates of its items; `ValueError` where they are not those of so many items."""
    if any(t.ndim == 0 or items % max(1, len(t)) for t in geometry.values()):
        raise ValueError(f"its coordinates are not those of {items} items")
    return domain.rebound(geometry)
