"""Laws of clouds: the sequence of points does not matter, nor a motion; scales are lengths; shapes as baselines."""

import math

import pytest
import torch

import wavelens as wl
from cases import Net, relative
from cloud_files import bumpy, turned
from wavelens.methods.paths import starting_points
from wavelens.points import MAX_PAIRWISE_POINTS, _nearest_by_distances, _nearest_by_tree, k_d_order, listed, principal

TREES = [wl.TreeHaar(), wl.TreeHaar(axes="principal")]
GRAPHS = [wl.GraphWavelets(3), wl.GraphWavelets(3, order=40)]
SHAPES = [wl.Centroid(), wl.Sphere(), wl.Smoothed(neighbours=6, steps=4)]


def cloud(n=60, items=2):
    """Clouds without symmetry, with a fourth channel that is no coordinate."""
    several = [
        bumpy(n, seed, dtype=torch.float64).data * torch.tensor([3.0, 2.0, 1.0])[:, None] for seed in range(items)
    ]
    points = torch.cat(several)
    points = points + 0.1 * points.square() / 3  # no side of an axis is like the other
    return torch.cat([points, (5 * points[:, :1]).sin()], 1)


def lattice():
    """Points of a grid: many share a coordinate."""
    places = torch.stack(torch.meshgrid(*[torch.arange(4.0, dtype=torch.float64)] * 3, indexing="ij")).flatten(1)[None]
    return torch.cat([places, (7 * places.sum(1, keepdim=True)).sin()], 1)


def permuted(x, seed=3):
    order = torch.randperm(x.shape[2], generator=torch.Generator().manual_seed(seed))
    return x[:, :, order], order


def moved(x, mirror=False):
    """Turned, shifted and perhaps mirrored; what is no coordinate stays."""
    turn = turned() @ torch.diag(torch.tensor([1.0, 1.0, -1.0 if mirror else 1.0], dtype=torch.float64))
    return torch.cat([turn @ x[:, :3] + torch.tensor([40.0, -7.0, 3.0], dtype=torch.float64)[:, None], x[:, 3:]], 1)


@pytest.mark.parametrize(
    ("domain", "x"),  # a cube has no longest axis
    [(TREES[0], cloud()), (TREES[1], cloud()), (TREES[0], lattice())],
    ids=["cloud", "principal", "lattice"],
)
def test_a_tree_does_not_depend_on_the_sequence_of_the_points(domain, x):
    other, order = permuted(x)
    z, again = domain.analysis(x), domain.analysis(other)
    assert relative(again.data, z.data) < 1e-12
    maps, moved_maps = wl.maps.scale_maps(z), wl.maps.scale_maps(again)
    for name, heat in maps.items():
        assert relative(moved_maps[name], heat[:, order]) < 1e-12


@pytest.mark.parametrize("x", [cloud(), lattice()], ids=["cloud", "lattice"])
@pytest.mark.parametrize("domain", GRAPHS, ids=str)
def test_graph_wavelets_follow_the_sequence_of_the_points(domain, x):
    other, order = permuted(x)
    z, again = domain.analysis(x), domain.analysis(other)
    for band in z.layout.bands:
        assert relative(again[band], z[band][..., order]) < 1e-9


@pytest.mark.parametrize("mirror", [False, True], ids=["turned", "mirrored"])
@pytest.mark.parametrize("domain", [TREES[1], *GRAPHS], ids=str)
def test_a_motion_changes_no_coordinates_of_a_function_on_the_cloud(domain, mirror):
    """The coefficients of the channel that is no coordinate, in the tree or on the graph of the moved points."""
    x = cloud()
    rigid = moved(x, mirror)
    still, other = domain.bind(x), domain.bind(rigid)
    assert relative(other.analysis(x[:, 3:]).data, still.analysis(x[:, 3:]).data) < 1e-8
    for name, scale in still.layout((60,)).scales().items():
        low, high = other.layout((60,)).scales()[name].extent[0][:2]
        assert low == pytest.approx(scale.extent[0].low, rel=1e-9)
        assert high == pytest.approx(scale.extent[0].high, rel=1e-9)


def test_a_tree_along_the_given_coordinates_turns_with_them_not():
    x = cloud()
    still, other = TREES[0].bind(x), TREES[0].bind(moved(x))
    assert relative(other.analysis(x[:, 3:]).data, still.analysis(x[:, 3:]).data) > 0.1  # or the law would say nothing


def test_principal_axes_are_the_longest_first_and_have_the_longer_tail_above():
    x = cloud(200, 1)
    along = principal(moved(x)[:, :3].mT)
    spread = along.var(1)[0]
    assert spread[0] > spread[1] > spread[2]
    assert (along.pow(3).sum(1) >= 0).all()
    assert relative(along, principal(x[:, :3].mT)) < 1e-9
    with pytest.raises(ValueError, match="axes must be one of coordinates, principal; got 'longest'"):
        wl.TreeHaar(axes="longest")


def test_points_are_listed_by_their_coordinates():
    points = lattice()[:, :3].mT
    order = listed(points[:, torch.randperm(64)])
    assert order.shape == (1, 64)
    shuffled = points[:, torch.randperm(64, generator=torch.Generator().manual_seed(5))]
    assert torch.equal(shuffled[0, listed(shuffled)[0]], points[0])


def test_many_points_have_the_same_neighbours_by_scipys_tree():
    pytest.importorskip("scipy.spatial")
    points = cloud(500)[:, :3].mT.contiguous()
    one, other = _nearest_by_distances(points, 6), _nearest_by_tree(points, 6)
    assert torch.equal(one.sort(2).values, other.sort(2).values)
    double = torch.cat([points, points], 1)  # each point lies where another does
    near = _nearest_by_tree(double, 3)
    assert not (near == torch.arange(1000)[:, None]).any()
    assert MAX_PAIRWISE_POINTS > 4096


@pytest.mark.parametrize("half", [2.5, 4.0, 6.0])
def test_a_wave_lies_in_the_scale_that_spans_half_of_it(half):
    """On a surface with one point per unit of area."""
    side = 28
    places = torch.stack(torch.meshgrid(*[torch.arange(float(side), dtype=torch.float64)] * 2, indexing="ij"))
    jitter = torch.rand(places.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plane = (places + 0.6 * jitter).flatten(1)
    x = torch.cat([plane, torch.zeros(1, side**2), (math.pi * plane[:1] / half).cos()])[None]
    c = wl.GraphWavelets(levels=7, neighbours=8, order=120).bind(x).analysis(x[:, 3:])
    energy = {name: float(c.only(*bands).data.square().sum()) for name, bands in c.layout.scales().items()}
    strongest = c.layout.scales()[max(energy, key=energy.get)].extent[0]
    assert strongest.low / 1.15 < half < strongest.high * 1.15
    assert energy[max(energy, key=energy.get)] > 0.4 * sum(energy.values())


def test_graphs_that_are_given_have_no_lengths():
    ring = tuple((k, (k + 1) % 12) for k in range(12))
    layout = wl.GraphWavelets(2, ring).bind(torch.rand(1, 1, 12)).layout((12,))
    assert not any(scale.extent for scale in layout.scales().values())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_move_with_their_cloud_and_depend_on_no_sequence(shape):
    x = cloud()
    start = shape(x)
    assert torch.equal(start[:, 3:], x[:, 3:])
    assert relative(shape(moved(x)), moved(start)) < 1e-9
    other, order = permuted(x)
    assert relative(shape(other), start[:, :, order]) < 1e-9
    assert relative(shape(x[1:]), start[1:]) < 1e-12
    assert wl.parse(repr(shape)) == shape
    assert (start[:, :3] - x[:, :3]).abs().max() > 0.05


def test_what_each_shape_is():
    x = cloud()[:, :3]
    centre = x.mean(2, keepdim=True)
    assert relative(wl.Centroid()(x), centre.expand_as(x)) < 1e-14
    ball = wl.Sphere()(x) - centre
    assert relative(ball.norm(dim=1), (x - centre).square().sum(1).mean(1, keepdim=True).sqrt().expand(2, 60)) < 1e-12
    assert (
        relative(ball / ball.norm(dim=1, keepdim=True), (x - centre) / (x - centre).norm(dim=1, keepdim=True)) < 1e-12
    )
    at_centre = torch.cat([x[:1] - centre[:1], torch.zeros(1, 3, 1)], 2)
    assert wl.Sphere()(at_centre)[0, :, -1].abs().max() < 1e-12
    rough = [
        float(wl.GraphWavelets(3).analysis(one).only(*_fine(one)).data.square().sum()) for one in (x, wl.Smoothed()(x))
    ]
    assert rough[1] < 0.2 * rough[0]


def _fine(x):
    return wl.GraphWavelets(3).bind(x).layout((60,)).scales()["d1"].bands


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_path_from_a_shape_is_complete_and_says_so(shape):
    x, net = cloud()[:, :3], Net((60,), channels=3)
    method = wl.parse(f"IntegratedGradients(steps=12, baseline={shape!r})")
    a = wl.attribute(net, x, 1, domain=wl.TreeHaar(), method=method)
    assert (a.data.sum((1, 2)) + a.gap - a.score + a.baseline_score).abs().max() < 1e-10
    assert relative(a.baseline_score, net(starting_points(x, shape))[:, 1]) < 1e-10
    assert wl.parse(a.method) == method
    alone = wl.attribute(net, x[1:], 1, domain=wl.TreeHaar(), method=method)
    assert relative(alone.data, a.item(1).data) < 1e-10
    values = wl.metrics.insertion(net, x, 1, a, steps=4, baseline=shape)
    assert values.shape == (2,)


def test_a_shape_takes_clouds():
    with pytest.raises(ValueError, match=r"Sphere must be a baseline of clouds .* got a signal \(1, 1, 8, 8\)"):
        wl.Sphere()(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="steps must be a whole number from 1 to 1000; got 0"):
        wl.Smoothed(steps=0)
    with pytest.raises(ValueError, match="coordinates must be the number of channels with places"):
        wl.Centroid(coordinates=0)


def test_a_tree_is_told_apart_by_points_in_one_place_last():
    double = torch.cat([cloud(20, 1)[:, :3]] * 2, 2)
    order, sides = k_d_order(double.mT)
    assert order[0].sort().values.tolist() == list(range(40))
    assert sides[0, -1] == 0
    z = wl.TreeHaar().analysis(double)
    assert relative(z.synthesis(), double) < 1e-13
