"""The maps of a tiled scene as one attribution, so that figures and reports show them as they show any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.core import Band, Coefficients, Domain, Layout, Scale

MAX_SIDE = 1024  # pixels of what is drawn; larger scenes are summed over blocks


@dataclass(frozen=True)
class Stitched(Domain):
    """The scales of tiles in `domain` over a whole scene, a value per pixel: stitched maps, which no signal has.

    `tile` are the axes of a tile. Its layout and its scales are those of maps; nothing is analysed in it.
    """

    domain: Domain
    tile: tuple[int, int]

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        names = self.domain.layout(self.tile).scales()
        bands = (Band(len(names) - k, "", signal_shape, name) for k, name in enumerate(names))
        return Layout(self, signal_shape, tuple(bands))

    def scales(self, layout: Layout) -> tuple[Scale, ...]:
        own = self.domain.layout(self.tile).scales().values()
        return tuple(replace(scale, bands=(band,)) for scale, band in zip(own, layout.bands, strict=True))

    def analysis(self, x: Tensor) -> Coefficients:
        raise ValueError(f"{self} has the maps of tiles and analyses no signal; explain one tile as an input.")

    def synthesis(self, c: Coefficients) -> Tensor:
        raise ValueError(f"{self} has the maps of tiles and makes no signal; explain one tile as an input.")

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        raise ValueError(f"{self} has the maps of tiles and pulls no gradient back; explain one tile as an input.")


def stitched_attribution(
    domain: Stitched, signed: Mapping[str, Tensor], magnitude: Mapping[str, Tensor], gap: float, method: str = ""
) -> Attribution:
    """The maps of γ and of |γ| by scale, `(rows, columns)` each, as one attribution of what is for and what against.

    Its two channels are (|γ| + γ) / 2 and (γ − |γ|) / 2, so that they add up to γ and their sizes to |γ|. Scenes of
    more than 1,024 pixels along a side are summed over blocks.
    """
    both = torch.stack([torch.stack(list(signed.values())), torch.stack(list(magnitude.values()))])
    totals, sizes = block_sums(both)
    size = (totals.shape[-2], totals.shape[-1])
    halves = torch.stack([(sizes + totals).clamp_min(0) / 2, (totals - sizes).clamp_max(0) / 2])
    return Attribution(halves.flatten(1)[None], domain.layout(size), gap=torch.tensor([gap]), method=method)


def block_sums(maps: Tensor) -> Tensor:
    """Maps `(…, rows, columns)` summed over square blocks, where a side has more than 1,024 pixels."""
    step = -(-max(maps.shape[-2:]) // MAX_SIDE)
    if step == 1:
        return maps
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    sums = torch.nn.functional.avg_pool2d(flat, step, ceil_mode=True, divisor_override=1)
    return sums.reshape(*maps.shape[:-2], *sums.shape[-2:])
