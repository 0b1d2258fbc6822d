"""Spectral graph wavelets (Hammond et al., 2011) as a tight frame (Leonardi and Van De Ville, 2013)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from wavelens.bound import Bound, ItemDomain
from wavelens.core import Band, Extent, Layout, Scale, level_scales, signal_axes
from wavelens.domains.octaves import single
from wavelens.points import nearest
from wavelens.whole_numbers import is_whole

LARGEST = 4096  # vertices with all their eigenvectors
SURFACE = 2  # the dimension of what points lie on, by which lengths are told

Edges = tuple[tuple[int, int], ...]
MESH = "mesh"  # the edges of an item's own triangles


@dataclass(frozen=True)
class GraphWavelets(ItemDomain):
    """Wavelets on a graph whose vertices are the samples of a signal `(batch, channel, vertices)`: a tight frame.

    Every band has a coefficient for each vertex. Band k is `g_k(L) x` with the normalised Laplacian L of the graph and
    Meyer's kernels, whose squares add up to 1: so the norm is kept, and the synthesis is the adjoint of the analysis.
    'd1' is highest at the top of the graph frequencies (the eigenvalues of L, from 0 to 2), each 'dj' at 2^(2 − j), and
    'a' holds what is below 2^(2 − levels). There are `levels + 1` coefficients per sample.

    Without `edges`, each item has its own graph: its first `coordinates` channels are where its points lie, and each
    point has an edge of weight ½ to each of its nearest `neighbours`, so that mutual ones have weight 1 together.
    `edges`, pairs of vertices such as `((0, 1), (1, 2))`, are those of a graph that all items share, with weight 1.
    With `edges="mesh"` they are the sides of a mesh's own triangles: `explain` takes those of its file, `of_mesh(x,
    faces)` those that it is given.

    Neither the sequence of the points matters nor how a cloud was moved, turned or mirrored. Scales of a cloud have
    lengths in the unit of the coordinates, those of half a wave. On a surface that is sampled evenly, the eigenvalue of
    a wave is λ ≈ (k r)² / 4, with its wavenumber k and the root mean square r of the edges' lengths; so half a wave is
    π / k = π r / (2 √λ), and a scale reaches over the λ at which its kernel exceeds ½ of the power.

    Kernels are applied by eigenvectors, of n² numbers per item, up to 4096 vertices; with `order=m` by Chebyshev
    polynomials of that degree, in time and memory in proportion to the edges, and `error` says by how much of its norm
    a signal may then differ from its synthesis.

    >>> points = x.reshape(1, 4, 16)
    >>> c = wl.GraphWavelets(levels=2, neighbours=3).analysis(points)
    >>> bool((c.synthesis() - points).abs().max() < 1e-9)
    True
    """

    levels: int = 4
    edges: Edges | str | None = None
    neighbours: int = 8
    coordinates: int = 3
    order: int | None = None

    def __post_init__(self) -> None:
        for name, least, most in (("levels", 0, 32), ("neighbours", 1, 1000), ("coordinates", 1, 1000)):
            value = getattr(self, name)
            if not is_whole(value, least, most):
                raise ValueError(f"{name} must be a whole number from {least} to {most}; got {value!r}.")
        if self.order is not None and (not is_whole(self.order, 1, 1000)):
            raise ValueError(f"order must be None or the degree of polynomials, from 1 to 1000; got {self.order!r}.")
        if self.edges not in (None, MESH) and not _are_edges(self.edges):
            raise ValueError(
                f"edges must be pairs of different vertices, from 0, each pair once, or {MESH!r}; got "
                f"{self.edges!r:.200}."
            )

    @property
    def error(self) -> float:
        """The most, in parts of a signal's norm, that its synthesis differs from it: 0 by eigenvectors."""
        if self.order is None:
            return 0.0
        values = np.linspace(-1, 1, 20 * self.order + 1)
        series = np.polynomial.chebyshev.chebvander(values, self.order) @ _series(self.levels, self.order).numpy().T
        return float(np.abs((series**2).sum(1) - 1).max())

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        if len(signal_shape) != 1:
            raise ValueError(
                f"GraphWavelets takes signals with one axis, the vertices; got axes {signal_shape}. Flatten them."
            )
        (n,) = signal_shape
        if isinstance(self.edges, tuple) and self.edges and max(map(max, self.edges)) >= n:
            raise ValueError(f"the graph has vertex {max(map(max, self.edges))}; got a signal with {n} samples.")
        if self.order is None and n > LARGEST:
            raise ValueError(f"eigenvectors are found up to {LARGEST} vertices; got {n}. Pass order=…, such as 160.")
        details = (Band(level, "d", (n,)) for level in range(self.levels, 0, -1))
        return Layout(self, signal_shape, (Band(self.levels, "a", (n,)), *details))

    def geometry(self, x: Tensor) -> dict[str, Tensor]:
        self.layout(signal_axes(x))  # says what does not fit
        return self._geometry(x, self._graph(x))

    @property
    def takes_mesh(self) -> bool:
        return self.edges == MESH

    def of_mesh(self, x: Tensor, faces: Tensor) -> Bound:
        """The domain for meshes of these vertices, `(batch, channel, vertices)`, and triangles, `(faces, 3)`.

        The first `coordinates` channels are where the vertices lie, so scales have lengths.

        >>> corners = torch.tensor([[[0.0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]]])
        >>> mesh = wl.GraphWavelets(levels=1, edges="mesh").of_mesh(corners, torch.tensor([[0, 1, 2], [0, 2, 3]]))
        >>> mesh.analysis(corners).data.shape
        torch.Size([1, 3, 8])
        """
        self.layout(signal_axes(x))
        if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces) or faces.min() < 0 or faces.max() >= x.shape[2]:
            raise ValueError(f"faces must be (faces, 3) numbers of {x.shape[2]} vertices; got {tuple(faces.shape)}.")
        sides = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values.unique(dim=0)
        ends = sides[sides[:, 0] != sides[:, 1]].T.to(x.device).expand(len(x), 2, -1)
        weights = ends.new_ones((len(x), ends.shape[2]), dtype=torch.float64)
        return Bound(self, self._geometry(x, normalised(ends, weights, x.shape[2])))

    def _geometry(self, x: Tensor, graph: dict[str, Tensor]) -> dict[str, Tensor]:
        lengths = {} if isinstance(self.edges, tuple) else {"lengths": self._edge_lengths(x, graph["ends"])}
        if self.order is not None:
            return graph | lengths
        identity = torch.eye(x.shape[2], dtype=torch.float64, device=x.device).expand(len(x), -1, -1)
        values, vectors = torch.linalg.eigh(_laplacian(identity, graph))
        return {"values": values, "vectors": vectors.to(single(x).dtype)} | lengths

    def _edge_lengths(self, x: Tensor, ends: Tensor) -> Tensor:
        """The root mean square of the edges' lengths, `(batch,)`."""
        points = x[:, : self.coordinates].detach().double()
        near, far = (points.gather(2, end[:, None].expand(-1, points.shape[1], -1)) for end in ends.unbind(1))
        return (near - far).square().sum(1).mean(1).sqrt()

    def scales_of(self, layout: Layout, geometry: dict[str, Tensor]) -> tuple[Scale, ...]:
        if "lengths" not in geometry or not self.levels:
            return level_scales(layout, lambda bands: ())
        edge = float(geometry["lengths"].median())
        return level_scales(layout, lambda bands: (self._extent(bands[0], edge),))

    def _extent(self, band: Band, edge: float) -> Extent:
        """From half a wave at the upper half-power eigenvalue of a kernel, `6 / 2^level`, to that at the lower."""
        upper, lower = 6 * 2.0**-band.level, 3 * 2.0**-band.level
        if not band.is_detail:
            return Extent(_half_wave(lower, edge), math.inf, "length")
        return Extent(_half_wave(min(upper, 2.0), edge), _half_wave(lower, edge), "length")

    def rebound(self, tensors: dict[str, Tensor]) -> Bound:
        names = {"values", "vectors"} if self.order is None else {"ends", "joined", "weights"}
        if tensors.keys() - {"lengths"} != names:
            raise ValueError(f"{self} rests on {' and '.join(sorted(names))}; got {', '.join(tensors) or 'nothing'}.")
        if self.order is None:
            values, vectors = tensors["values"], tensors["vectors"]
            fit = values.ndim == 2 and vectors.shape == (*values.shape, values.shape[1])
        else:
            ends, weights, joined = tensors["ends"], tensors["weights"], tensors["joined"]
            fit = weights.ndim == joined.ndim == 2 and len(joined) == len(weights) and ends.dtype == torch.long
            fit = fit and ends.shape == (len(weights), 2, weights.shape[1])
            fit = fit and not ((ends < 0) | (ends >= joined.shape[1])).any()
        if "lengths" in tensors:  # files of earlier versions have none
            fit = fit and tensors["lengths"].shape == tensors[min(names)].shape[:1]
            fit = fit and not isinstance(self.edges, tuple)
        if not fit:
            shapes = ", ".join(f"{name} {tuple(t.shape)}" for name, t in tensors.items())
            raise ValueError(f"what {self} rests on does not fit together; got {shapes}.")
        return Bound(self, tensors)

    def bound_axes(self, geometry: dict[str, Tensor]) -> tuple[int, ...]:
        return tuple(geometry["values" if self.order is None else "joined"].shape[1:])

    def _graph(self, x: Tensor) -> dict[str, Tensor]:
        """See `normalised`."""
        if self.edges == MESH:
            raise ValueError(
                f"{self} rests on the triangles of a mesh; got points alone. Explain a mesh's file, bind it by "
                "of_mesh(x, faces), or leave edges out for the nearest points."
            )
        if self.edges is not None:
            ends = torch.tensor(self.edges, dtype=torch.long, device=x.device).reshape(-1, 2).T.expand(len(x), 2, -1)
            return normalised(ends, ends.new_ones((len(x), ends.shape[2]), dtype=torch.float64), x.shape[2])
        if x.shape[1] < self.coordinates:
            raise ValueError(
                f"the first {self.coordinates} channels must be coordinates; got a signal with {x.shape[1]}. Pass "
                "coordinates=…, or the edges of a graph."
            )
        near = nearest(x[:, : self.coordinates].detach().movedim(1, 2), self.neighbours)
        own = torch.arange(near.shape[1], device=x.device)[None, :, None].expand_as(near)
        ends = torch.stack([own.flatten(1), near.flatten(1)], 1)
        return normalised(ends, torch.full_like(ends[:, 0], 0.5, dtype=torch.float64), x.shape[2])

    def analyse(self, x: Tensor, geometry: dict[str, Tensor]) -> Tensor:
        wide = single(x)
        if self.order is None:
            gains, vectors = self._gains(wide, geometry)
            parts = _turn(wide @ vectors * gains, vectors.mT)  # (bands, rows, channel, vertices)
        else:
            series = _series(self.levels, self.order).to(wide)[..., None, None, None]
            parts = torch.stack([torch.zeros_like(wide)] * (self.levels + 1))
            for k, term in enumerate(_terms(wide, geometry, self.order)):
                parts = parts + series[:, k] * term
        return torch.cat(parts.unbind(), -1).to(x.dtype)

    def synthesise(self, data: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        parts = torch.stack(single(data).chunk(self.levels + 1, -1))
        if self.order is None:
            gains, vectors = self._gains(parts, geometry)
            return ((_turn(parts, vectors) * gains).sum(0) @ vectors.mT).to(data.dtype)
        series = _series(self.levels, self.order).to(parts)
        this = last = torch.zeros_like(parts[0])
        for k in range(self.order, -1, -1):  # Clenshaw's sum of polynomials: one signal through L per degree
            turned = _laplacian(this, geometry) - this
            this, last = torch.tensordot(series[:, k], parts, 1) + (2 if k else 1) * turned - last, this
        return this.to(data.dtype)

    def pull(self, g: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        return self.analyse(g, geometry)

    def _gains(self, like: Tensor, geometry: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The kernels at the eigenvalues, `(bands, rows, 1, vertices)`, and the eigenvectors."""
        return kernels(geometry["values"], self.levels)[:, :, None].to(like), geometry["vectors"].to(like)

    def spread_of(self, values: Tensor, band: Band, layout: Layout, geometry: dict[str, Tensor]) -> Tensor:
        """Each coefficient at its vertex."""
        return values


def _are_edges(edges: object) -> bool:
    pairs = edges if isinstance(edges, tuple) else (None,)
    is_fit = all(
        isinstance(pair, tuple) and len(pair) == 2 and all(is_whole(end, 0) for end in pair) and pair[0] != pair[1]
        for pair in pairs
    )
    return is_fit and len({frozenset(pair) for pair in pairs}) == len(pairs)


def normalised(ends: Tensor, weights: Tensor, n: int) -> dict[str, Tensor]:
    """A graph by the ends of its edges, `(batch, 2, edges)`, and its normalised Laplacian: `joined` is its diagonal.

    `weights` are those of the edges, `(batch, edges)`, divided by the roots of their ends' degrees. `joined` is 1 for
    vertices with edges and 0 for others, `(batch, n)`.
    """
    degree = weights.new_zeros((len(weights), n))
    for end in ends.unbind(1):
        degree = degree.scatter_add(1, end, weights)
    root = degree.clamp(min=1e-300).rsqrt()
    near, far = (root.gather(1, end) for end in ends.unbind(1))
    return {"ends": ends, "weights": weights * near * far, "joined": (degree > 0).to(weights)}


def _turn(parts: Tensor, matrices: Tensor) -> Tensor:
    """`parts @ matrices` of `(bands, rows, channel, n)` and `(rows, n, n)`: each matrix is read once for all bands."""
    rows = parts.transpose(0, 1)
    return (rows.flatten(1, 2) @ matrices).view(rows.shape).transpose(0, 1)


def _laplacian(x: Tensor, graph: dict[str, Tensor]) -> Tensor:
    """`x − D^−½ W D^−½ x` of `(rows, channel, vertices)`; a vertex without edges gives 0."""
    first, second, weights = (
        t[:, None].expand(-1, x.shape[1], -1) for t in (*graph["ends"].unbind(1), graph["weights"].to(x))
    )
    sums = torch.zeros_like(x).scatter_add(2, second, weights * x.gather(2, first))
    sums = sums.scatter_add(2, first, weights * x.gather(2, second))
    return graph["joined"].to(x)[:, None] * x - sums


def _terms(x: Tensor, graph: dict[str, Tensor], order: int) -> Iterator[Tensor]:
    """Chebyshev polynomials of `L − 1`, whose eigenvalues lie in [−1, 1], applied to x, from degree 0 to `order`."""
    last, this = x, _laplacian(x, graph) - x
    yield last
    for _ in range(order):
        yield this
        last, this = this, 2 * (_laplacian(this, graph) - this) - last


def _half_wave(value: float, edge: float) -> float:
    """Half the length of a wave on a surface with this eigenvalue, where edges have this length."""
    return math.pi * edge / math.sqrt(2 * SURFACE * value)


def kernels(values: Tensor, levels: int) -> Tensor:
    """Meyer's kernels at graph frequencies in [0, 2], `(levels + 1, *shape)`, coarsest first."""
    if not levels:
        return torch.ones_like(values)[None]
    dilated = [values * (2.0**level / 3) for level in range(levels, 0, -1)]  # the last is at its peak, 4/3, nearly at 2
    rising = [_turned(one / (2 / 3) - 1) for one in dilated]
    falling = [_turned(one / (4 / 3) - 1) for one in dilated]
    return torch.stack([rising[0].cos(), *(up.sin() * down.cos() for up, down in zip(rising, falling, strict=True))])


def _turned(t: Tensor) -> Tensor:
    """Meyer's smooth step as an angle, from 0 at t ≤ 0 to π/2 at t ≥ 1."""
    t = t.clamp(0, 1)
    return math.pi / 2 * t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)


@lru_cache(maxsize=64)
def _series(levels: int, order: int) -> Tensor:
    """The Chebyshev coefficients of the kernels over [0, 2], `(levels + 1, order + 1)`."""
    degrees = np.arange(order + 1)
    nodes = np.polynomial.chebyshev.chebpts1(order + 1)
    at = kernels(torch.from_numpy(nodes + 1), levels).numpy()
    series = at @ np.polynomial.chebyshev.chebvander(nodes, order) * np.where(degrees, 2, 1) / (order + 1)
    with torch.inference_mode(False):
        return torch.from_numpy(series)
