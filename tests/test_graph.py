"""Spectral graph wavelets: a tight frame on any graph, by eigenvectors or by polynomials with a stated error."""

import pytest
import torch
from numpy.polynomial.chebyshev import chebval

import wavelens as wl
from cases import METHODS, PATHS, Net, name, relative, signal
from wavelens.domains.graph import _laplacian, _series, kernels, nearest
from wavelens.methods import IntegratedGradients

PATH = tuple((k, k + 1) for k in range(11))
GRAPHS = [(), ((0, 1),), PATH, ((0, 3), (3, 5), (5, 0), (1, 2), (8, 4))]


def dense(x, edges, neighbours=8):
    """The normalised Laplacian of each item by its own definition, D^-½ (D − W) D^-½."""
    laplacians = []
    for points in x:
        n = points.shape[1]
        adjacency = torch.zeros(n, n, dtype=torch.float64)
        for i, j in edges or ():
            adjacency[i, j] = adjacency[j, i] = 1
        if edges is None:
            near = torch.cdist(points[:3].T, points[:3].T).argsort(1)[:, 1 : neighbours + 1]
            directed = torch.zeros_like(adjacency).scatter(1, near, 1)
            adjacency = (directed + directed.T) / 2
        degree = adjacency.sum(1)
        root = torch.diag(torch.where(degree > 0, degree.clamp(min=1e-300) ** -0.5, 0))
        laplacians.append(root @ (torch.diag(degree) - adjacency) @ root)
    return torch.stack(laplacians)


@pytest.mark.parametrize("edges", [*GRAPHS, None], ids=str)
@pytest.mark.parametrize("n", [1, 2, 9, 12, 40])
def test_the_frame_is_tight_on_any_graph(edges, n):
    if edges and max(map(max, edges)) >= n:
        pytest.skip("the graph has more vertices")
    x, domain = signal((n,), channels=4), wl.GraphWavelets(3, edges)
    bound = domain.bind(x)
    z = bound.analysis(x)
    assert z.data.shape[-1] == 4 * n
    assert relative(z.synthesis(), x) < 1e-12
    assert relative(z.data.square().sum(-1), x.square().sum(-1)) < 1e-12
    c, g = z.map(torch.randn_like), torch.randn_like(x)
    assert abs((c.data * bound.adjoint(g, z.layout).data).sum() - (c.synthesis() * g).sum()) < 1e-10
    assert relative(bound.at(slice(1, 2)).analysis(x[1:2]).data, z.data[1:2]) < 1e-11
    assert wl.parse(repr(domain)) == domain
    assert list(z.layout.scales()) == ["a3", "d3", "d2", "d1"]


@pytest.mark.parametrize("levels", [0, 1, 4])
@pytest.mark.parametrize("edges", [PATH, None], ids=["path", "points"])
def test_it_is_the_tight_frame_of_pygsp(levels, edges):
    pygsp = pytest.importorskip("pygsp")
    n = 12 if edges else 50
    x = signal((n,), channels=4)
    z = wl.GraphWavelets(levels, edges).analysis(x)
    for item, laplacian in enumerate(dense(x, edges)):
        graph = pygsp.graphs.Path(n)
        graph._e, graph._U = (t.numpy() for t in torch.linalg.eigh(laplacian))
        graph._lmax = 2.0
        if levels:
            bank = pygsp.filters.Meyer(graph, Nf=levels + 1)
            values = torch.from_numpy(bank.evaluate(graph._e))
        else:
            values = torch.ones(1, n, dtype=torch.float64)
        vectors = torch.from_numpy(graph._U)
        filtered = torch.cat([x[item] @ (vectors * gain) @ vectors.T for gain in values], -1)
        assert relative(z.data[item], filtered) < 1e-10


def test_the_laplacian_is_its_definition():
    x = signal((30,), channels=3)
    bound = wl.GraphWavelets(order=1, neighbours=5).bind(x)
    applied = _laplacian(x, bound.geometry)
    assert relative(applied, x @ dense(x, None, neighbours=5)) < 1e-13


def test_the_error_that_the_guide_gives():
    assert wl.GraphWavelets(order=160).error == pytest.approx(7.4e-5, rel=0.01)


def test_a_constant_on_a_ring_is_coarse_and_an_alternation_fine():
    ring = tuple((k, (k + 1) % 16) for k in range(16))
    domain = wl.GraphWavelets(3, ring)
    flat = domain.analysis(torch.ones(1, 1, 16, dtype=torch.float64))
    assert relative(flat[flat.layout.bands[0]], torch.ones(1, 1, 16)) < 1e-12
    sharp = domain.analysis((-1.0) ** torch.arange(16, dtype=torch.float64)[None, None])
    assert relative(sharp[sharp.layout.bands[-1]].abs(), torch.ones(1, 1, 16)) < 1e-12


def test_the_nearest_are_those_of_scipy():
    scipy = pytest.importorskip("scipy.spatial")
    points = signal((3,), 2, 1500).movedim(2, 1).movedim(1, 2)  # (2, 1500, 3): more than are held at once
    found = nearest(points, 6)
    for one, near in zip(points, found, strict=True):
        _, expected = scipy.cKDTree(one.numpy()).query(one.numpy(), 7)
        assert near.sort(1).values.equal(torch.from_numpy(expected[:, 1:]).sort(1).values)


@pytest.mark.parametrize("order", [10, 40, 160])
@pytest.mark.parametrize("levels", [1, 4])
def test_polynomials_are_the_kernels_to_the_stated_error(order, levels):
    x = signal((60,), channels=3)
    rough, exact = wl.GraphWavelets(levels, order=order), wl.GraphWavelets(levels)
    z = rough.analysis(x)
    error = (z.synthesis() - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)
    assert error.max() <= rough.error + 1e-13
    assert 0 < rough.error < wl.GraphWavelets(levels, order=order // 2).error
    values = torch.linspace(0, 2, 5000, dtype=torch.float64)
    series = torch.from_numpy(chebval(values.numpy() - 1, _series(levels, order).numpy().T))
    worst = (series - kernels(values, levels)).abs().max()
    assert relative(z.data, exact.analysis(x).data) < 10 * worst  # of the largest coefficient, not of the norm
    c, g = z.map(torch.randn_like), torch.randn_like(x)
    assert abs((c.data * z.layout.domain.adjoint(g, z.layout).data).sum() - (c.synthesis() * g).sum()) < 1e-9


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_an_item_alone_is_the_item_in_a_batch_and_in_any_chunk(method):
    net, x, domain = Net((24,)), signal((24,)), wl.GraphWavelets(2, coordinates=1)
    together = wl.attribute(net, x, [2, 0, 4], domain=domain, method=method)
    small = wl.attribute(net, x, [2, 0, 4], domain=domain, method=method, batch_size=2)
    assert relative(small.data, together.data) < 1e-10
    alone = wl.attribute(net, x[1:2], 0, domain=domain, method=method)
    assert relative(alone.data, together.item(1).data) < 1e-10


@pytest.mark.parametrize("method", PATHS, ids=name)
def test_paths_are_complete(method):
    a = wl.attribute(Net((24,)), signal((24,)), 1, domain=wl.GraphWavelets(coordinates=1), method=method)
    assert ((a.score - a.baseline_score - a.gap) - a.data.sum((1, 2))).abs().max() < 1e-10


@pytest.mark.parametrize("order", [None, 30])
def test_what_is_written_is_read(tmp_path, order):
    domain = wl.GraphWavelets(2, coordinates=2, order=order)
    a = wl.attribute(Net((24,)), signal((24,)), 1, domain=domain, method=IntegratedGradients(steps=2))
    a.save(tmp_path / "a.safetensors")
    read = wl.Attribution.load(tmp_path / "a.safetensors")
    assert read.layout == a.layout
    assert relative(read.synthesis(), a.synthesis()) < 1e-14
    assert wl.maps.spatial_map(a).shape == (3, 24)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: wl.GraphWavelets(-1), "levels must be a whole number from 0 to 32; got -1"),
        (lambda: wl.GraphWavelets(neighbours=0), "neighbours must be a whole number from 1 to 1000; got 0"),
        (lambda: wl.GraphWavelets(order=0), "order must be None or the degree of polynomials, from 1 to 1000; got 0"),
        (lambda: wl.GraphWavelets(edges=((0, 0),)), "edges must be pairs of different vertices"),
        (
            lambda: wl.GraphWavelets(edges=((0, 1), (1, 0))),
            "edges must be pairs of different vertices, .* each pair once",
        ),
        (lambda: wl.GraphWavelets(edges=PATH).layout((5,)), "the graph has vertex 11; got a signal with 5 samples"),
        (lambda: wl.GraphWavelets().layout((5, 5)), r"one axis, the vertices; got axes \(5, 5\). Flatten"),
        (
            lambda: wl.GraphWavelets().layout((5000,)),
            r"eigenvectors are found up to 4096 vertices; got 5000. Pass order=",
        ),
        (
            lambda: wl.GraphWavelets().bind(signal((9,), 1, 2)),
            "the first 3 channels must be coordinates; got a signal with 2",
        ),
        (lambda: wl.GraphWavelets().rebound({}), "rests on values and vectors; got nothing"),
        (
            lambda: wl.GraphWavelets().rebound({"values": torch.ones(2), "vectors": torch.ones(2)}),
            "does not fit together",
        ),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def test_a_mesh_joins_the_vertices_of_its_triangles():
    """A strip of squares with their diagonals: the sides, each once, of weight 1, with lengths of the vertices."""
    low = torch.arange(6, dtype=torch.float64)
    x = torch.stack([low.repeat(2), torch.arange(2.0).double().repeat_interleave(6), torch.zeros(12).double()])[None]
    squares = [(k, k + 1, k + 7, k + 6) for k in range(5)]
    faces = torch.tensor([face for a, b, c, d in squares for face in ((a, b, c), (a, c, d))])
    edges = sorted(
        {tuple(sorted(pair)) for face in faces.tolist() for pair in zip(face, face[1:] + face[:1], strict=True)}
    )
    mesh = wl.GraphWavelets(3, edges="mesh")
    bound, plain = mesh.of_mesh(x, faces), wl.GraphWavelets(3, tuple(edges))
    assert relative(bound.analysis(x).data, plain.analysis(x).data) < 1e-12
    points = x[0].T
    longest = max(float((points[i] - points[j]).norm()) for i, j in edges)
    mean = sum(float((points[i] - points[j]).square().sum()) for i, j in edges) / len(edges)
    assert longest > 1
    assert bound.geometry["lengths"].item() == pytest.approx(mean**0.5)
    assert mesh.rebound(bound.geometry) == bound
    by_order = wl.GraphWavelets(3, edges="mesh", order=60).of_mesh(x, faces)
    assert relative(by_order.analysis(x).synthesis(), x) < 0.02
    assert wl.parse(repr(mesh)) == mesh
    with pytest.raises(ValueError, match=r"rests on the triangles of a mesh; got points alone\. Explain a mesh's file"):
        mesh.bind(x)
    for wrong in (faces[:, :2], faces + 3, faces[:0]):
        with pytest.raises(ValueError, match=r"faces must be \(faces, 3\) numbers of 12 vertices"):
            mesh.of_mesh(x, wrong)
    with pytest.raises(ValueError, match="each pair once, or 'mesh'; got 'grid'"):
        wl.GraphWavelets(3, edges="grid")
