"""Bands as pictures: true colour, false colour, or the first bands, each stretched by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

ROLES = {  # colour words, and what Sentinel-2 calls its bands
    "red": ("red", "r", "b4"),
    "green": ("green", "g", "b3"),
    "blue": ("blue", "b", "b2"),
    "nir": ("nir", "near infrared", "near_infrared", "b8", "b8a"),
}
PICTURES = {"true colour": ("red", "green", "blue"), "false colour": ("nir", "red", "green")}
STRETCH = (0.02, 0.98)  # parts of a band's pixels below which it is black, and above which it is full
LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def composites(x: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Pictures `(1, 3, rows, columns)` in [0, 1] of bands `x` `(1, band, rows, columns)`, the first the usual one.

    Where the names say which bands are red, green, blue and near infrared, these are 'true colour · B04 B03 B02' and
    'false colour · B08 B04 B03' (vegetation is red); else the first three bands, or the first in grey.
    """
    return {title: stretched(x[:, places]).expand(-1, 3, -1, -1) for title, places in pictured_bands(names).items()}


def pictured_bands(names: Sequence[str]) -> dict[str, list[int]]:
    """Which bands each picture shows, three or one, by its title; the first is the usual one."""
    pictures = {}
    for title, roles in PICTURES.items():
        places = [place_of_role(role, names) for role in roles]
        if None not in places:
            chosen = [place for place in places if place is not None]
            pictures[_title(title, names, chosen)] = chosen
    if pictures:
        return pictures
    chosen = [0, 1, 2] if len(names) >= 3 else [0]
    return {_title("", names, chosen): chosen}


def place_of_role(role: str, names: Sequence[str]) -> int | None:
    """The band with a name of the role, in the order of its names."""
    own = [plain_name(name) for name in names]
    return next((own.index(name) for name in ROLES[role] if name in own), None)


def plain_name(name: str) -> str:
    """A band's name in small letters, without zeros in front of its number: 'b4' of 'B04'."""
    return LEADING_ZEROS.sub("", name.strip().casefold())


def _title(title: str, names: Sequence[str], chosen: Sequence[int]) -> str:
    bands = " ".join(names[k] for k in chosen)
    return f"{title} · {bands}" if title else bands


def stretched(bands: Tensor) -> Tensor:
    """Each band between its percentiles, in [0, 1]; a constant one is grey."""
    values = bands.detach().float().cpu()
    ends = torch.quantile(_thinned(values), torch.tensor(STRETCH), dim=-1)
    low, high = (end[..., None, None] for end in ends)
    shown: Tensor = ((values - low) / (high - low)).where(high > low, 0.5).clamp(0, 1)
    return shown


def _thinned(values: Tensor, most: int = 2**20) -> Tensor:
    """Evenly spread pixels of each band, `(1, band, pixels)`, few enough for `quantile`."""
    pixels = values.flatten(2)
    return pixels[..., :: -(-pixels.shape[-1] // most)]
