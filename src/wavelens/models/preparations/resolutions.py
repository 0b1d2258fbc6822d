"""How bands of several resolutions become the inputs of a network that is called with them by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from wavelens.frontends.raster import RasterHeader, Scene, same_ground
from wavelens.grid import Grid, Grids
from wavelens.models.preparations.named_parts import listed
from wavelens.models.preparations.raster import Bands
from wavelens.side_by_side import pack, unpack


@dataclass(frozen=True)
class Resolutions:
    """Brings a scene to a network that takes each resolution by its name: `net(m10=…, m20=…)`.

    `bands` has the preparation of each of `names`, which are those of the file's resolutions: 'm10' for 10 m. Their
    windows lie on the same ground. The network's input is all of them side by side, `(1, 1, samples)`, as `shape` says;
    a network that was given with this preparation takes that, and each part of it goes on by its name.

    >>> takes = wl.models.Resolutions(("m10", "m20"), (wl.models.Bands((2, 8, 8)), wl.models.Bands((1, 4, 4))))
    >>> takes.shape
    (1, 144)
    """

    names: tuple[str, ...]
    bands: tuple[Bands, ...]
    kind: ClassVar[str] = "scene"
    takes_files: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if len(self.names) != len(self.bands) or len(self.names) < 2 or len({*self.names}) < len(self.names):
            raise ValueError(
                f"resolutions must be two or more, each with its Bands; got {len(self.names)} names and "
                f"{len(self.bands)} preparations. Of one resolution give Bands alone."
            )
        if wrong := [name for name in self.names if not name.isidentifier()]:
            raise ValueError(f"a resolution's name must be what the network calls it, such as 'm10'; got {wrong[0]!r}.")

    @property
    def parts(self) -> dict[str, Bands]:
        """The preparation of each resolution."""
        return dict(zip(self.names, self.bands, strict=True))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(band, rows, columns) of each resolution."""
        return {name: one.shape for name, one in self.parts.items()}

    @property
    def shape(self) -> tuple[int, int]:
        return (1, sum(map(math.prod, self.shapes.values())))

    def __call__(self, scene: Scene) -> Tensor:
        parts = self._of(scene)
        self._check_ground(self.headers(scene))
        return pack(self.parts[name](part) for name, part in parts.items())

    def grid(self, scene: Scene) -> Grid:
        """The grid of each resolution."""
        return Grids.of({name: self.parts[name].grid(part) for name, part in self._of(scene).items()})

    def headers(self, scene: Scene) -> dict[str, RasterHeader]:
        """What the network is given of each resolution: its bands, and where they lie."""
        return {name: self.parts[name].header(part) for name, part in self._of(scene).items()}

    def unpacked(self, x: Tensor) -> dict[str, Tensor]:
        """Each resolution of `(batch, 1, samples)`, `(batch, band, rows, columns)`."""
        return unpack(x, self.shapes)

    def calling(self, module: nn.Module) -> CalledByName:
        """The network as it takes all resolutions side by side."""
        return module if isinstance(module, CalledByName) else CalledByName(module, self)

    def _of(self, scene: Scene) -> dict[str, Any]:
        if not isinstance(scene, Scene):
            raise TypeError(f"bands of several resolutions must be a Scene; got {type(scene).__name__}.")
        if lacking := [name for name in self.names if name not in scene.parts]:
            raise ValueError(
                f"the network takes {listed(self.names)}; {scene.path} lacks {listed(lacking)} and has "
                f"{listed(tuple(scene.parts))}. Name the resolutions as the files have them."
            )
        return {name: scene.parts[name] for name in self.names}

    def _check_ground(self, headers: Mapping[str, RasterHeader]) -> None:
        """`ValueError` for windows on different ground."""
        finest = max(headers.values(), key=lambda one: one.size)
        for name, one in headers.items():
            if not same_ground(finest, one):
                raise ValueError(
                    f"windows of all resolutions lie on the same ground; that of {name} does not. Give each a start, "
                    "Bands((bands, rows, columns), start=(row, column)), and sizes in proportion."
                )


class CalledByName(nn.Module):
    """A network `net(m10=…, m20=…)` that takes all of its resolutions side by side, `(batch, 1, samples)`."""

    def __init__(self, net: nn.Module, takes: Resolutions) -> None:
        super().__init__()
        self.net, self.takes = net, takes
        self.training = net.training

    def forward(self, x: Tensor) -> Any:
        return self.net(**self.takes.unpacked(x))
