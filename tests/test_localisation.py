"""Localisation, complexity and controls: closed forms, and the definitions of scipy and Quantus."""

import math

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import DOMAINS, name, over_pairs, relative, signal, takes

m = wl.metrics
NOWHERE = (wl.Cosine, wl.Fourier)  # each coefficient is spread over all places


def spike(domain, shape, place, channels=2):
    """An attribution of one item that is highest at `place`."""
    x = torch.zeros(1, channels, *shape, dtype=torch.float64)
    x[(0, 0, *place)] = 1.0
    return x, m.translate(wl.Identity().analysis(x), domain)


def test_rounding_has_no_say_in_where_a_flat_map_is_highest():
    x = torch.zeros(1, 1, 8, dtype=torch.float64)
    a = wl.Identity().analysis(x + 1 + 1e-15 * torch.arange(8))
    assert m.pointing_game(None, x, 0, a, region=m.boxes(x, [[((0, 1),)]])).tolist() == [1.0]
    assert m.pointing_game(None, x, 0, a, region=m.boxes(x, [[((7, 8),)]])).tolist() == [0.0]


@pytest.mark.parametrize(
    ("shape", "place", "domain"),
    [
        (shape, place, domain)
        for shape, place in [((64,), (41,)), ((12, 17), (3, 9)), ((8, 9, 10), (2, 4, 7))]
        for domain in DOMAINS
        if takes(domain, shape) and not isinstance(domain, NOWHERE)
    ],
    ids=name,
)
def test_the_point_lies_in_the_box_that_holds_it(shape, place, domain):
    x, a = spike(domain, shape, place)
    heat = wl.maps.spatial_map(a)[0]
    point = [int(i) for i in np.unravel_index(heat.argmax().item(), shape)]
    reach = 0 if domain == wl.Identity() else 8
    assert max(abs(i - j) for i, j in zip(point, place, strict=True)) <= reach
    exactly = m.boxes(x, [[[(i, i + 1) for i in point]]])
    assert m.pointing_game(None, x, None, a, region=exactly).tolist() == [1]
    assert m.pointing_game(None, x, None, a, region=~exactly).tolist() == [0]
    assert m.pointing_game(None, x, None, a, region=~exactly, tolerance=0.99).tolist() == [0]
    assert m.pointing_game(None, x, None, a, region=~exactly, tolerance=1).tolist() == [1]


def test_how_far_a_point_still_hits():
    x, a = spike(wl.Identity(), (20, 30), (10, 20))
    for box, distance in [
        (((0, 8), (0, 30)), 3),
        (((13, 20), (24, 30)), 5),
        (((10, 11), (0, 5)), 16),
        (((0, 20), (0, 30)), 0),
    ]:
        region = m.boxes(x, [[box]])
        assert m.pointing_game(None, x, None, a, region=region, tolerance=distance).tolist() == [1]
        if distance:
            assert m.pointing_game(None, x, None, a, region=region, tolerance=distance - 0.01).tolist() == [0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("ulps", "hit"), [(0, 1), (8, 1), (200, 0)])
def test_maxima_that_differ_by_rounding_are_equal(dtype, ulps, hit):
    """The first of two is the place although the second is larger by the rounding of a sum in another order."""
    x = torch.zeros(1, 1, 6, dtype=dtype)
    x[0, 0, 2], x[0, 0, 4] = 1, 1 + ulps * torch.finfo(dtype).eps
    region = m.boxes(x, [[((2, 3),)]])
    assert m.pointing_game(None, x, None, wl.Identity().analysis(x), region=region).tolist() == [hit]


def test_the_first_of_equal_maxima_and_a_batch():
    x = torch.zeros(3, 1, 6, dtype=torch.float64)
    x[0, 0, [2, 4]] = 1.0
    x[1, 0, 5] = -3.0  # magnitude counts
    x[2, 0, 0] = 1e-9
    region = torch.zeros(3, 6, dtype=torch.bool)
    region[0, 4] = region[1, 5] = region[2, 1] = True
    assert m.pointing_game(None, x, None, wl.Identity().analysis(x), region=region).tolist() == [0, 1, 0]


def test_boxes():
    x = torch.zeros(2, 3, 4, 5)
    mask = m.boxes(x, [[((0, 2), (1, 3)), ((3, 4), (4, 5))], [((0, 4), (0, 5))]])
    assert mask.shape == (2, 4, 5)
    assert mask[0].nonzero().tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [3, 4]]
    assert mask[1].all()
    with pytest.raises(ValueError, match="boxes must be given as one list for each of 2 items; got 1"):
        m.boxes(x, [[((0, 1), (0, 1))]])
    for box in (
        ((0, 5), (0, 5)),
        ((2, 2), (0, 5)),
        ((-1, 2), (0, 5)),
        ((0, 2),),
        ((0, 2), (0, 2), (0, 2)),
        ((0, 1, 2), (0, 1)),
    ):
        with pytest.raises(
            ValueError, match=r"a box must be \(start, stop\) for each of the axes \(4, 5\), inside them"
        ):
            m.boxes(x, [[box], []])


def test_what_is_no_region():
    x, a = spike(wl.Identity(), (4, 5), (1, 1))
    full = torch.ones(1, 4, 5, dtype=torch.bool)
    for region in (full[0], full.float(), ~full, torch.ones(1, 5, 4, dtype=torch.bool)):
        with pytest.raises(
            ValueError, match=r"region must be a boolean mask \(1, 4, 5\) with an object in each item; got"
        ):
            m.pointing_game(None, x, None, a, region=region)
    with pytest.raises(ValueError, match="tolerance, in samples, must be at least 0; got -1"):
        m.pointing_game(None, x, None, a, region=full, tolerance=-1)


@over_pairs
def test_one_coefficient_and_an_even_map(shape, domain):
    x = signal(shape)
    empty = domain.analysis(x).map(torch.zeros_like)
    size = empty.layout.size
    one = empty.map(lambda data: data.index_fill(-1, torch.tensor([size // 3]), -2.0))
    for even in (empty, empty.map(lambda data: data + 0.3)):
        assert m.sparseness(None, x, None, even).abs().max() < 1e-12
        assert relative(m.complexity(None, x, None, even), torch.full((3,), math.log(size), dtype=x.dtype)) < 1e-12
    assert relative(m.sparseness(None, x, None, one), torch.full((3,), 1 - 1 / size, dtype=x.dtype)) < 1e-12
    assert m.complexity(None, x, None, one).tolist() == [0, 0, 0]


def test_a_gini_index_by_hand():
    x = torch.zeros(1, 2, 4, dtype=torch.float64)
    a = wl.Identity().analysis(torch.tensor([[[0.0, -4, 1, 3], [2, 0, 1, -3]]], dtype=torch.float64))  # 1, 2, 1, 3
    pairs = [abs(i - j) for i in (1, 2, 1, 3) for j in (1, 2, 1, 3)]
    assert m.sparseness(None, x, None, a).item() == pytest.approx(sum(pairs) / (2 * 16 * 7 / 4))
    shares = np.array([1, 2, 1, 3]) / 7
    assert m.complexity(None, x, None, a).item() == pytest.approx(-(shares * np.log(shares)).sum())


@pytest.mark.needs("quantus", "scipy")
def test_sparseness_and_complexity_of_quantus_and_scipy():
    import quantus
    from scipy.stats import entropy

    x = signal((8, 9), channels=1).float()
    a = wl.Identity().analysis(x)
    options = {"abs": True, "normalise": False, "disable_warnings": True}
    given = {"model": None, "x_batch": x.numpy(), "y_batch": np.zeros(3), "a_batch": x.numpy().copy()}
    theirs = torch.tensor(np.array([quantus.Sparseness(**options)(**given), quantus.Complexity(**options)(**given)]))
    assert relative(m.sparseness(None, x, None, a), theirs[0].double()) < 1e-5
    assert relative(m.complexity(None, x, None, a), theirs[1].double()) < 1e-5
    exact = torch.tensor(entropy(x.double().abs().flatten(1).numpy(), axis=1))
    assert relative(m.complexity(None, x, None, a), exact) < 1e-12


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_controls(domain):
    x = signal((12, 17))
    energy = m.energy_order(x, domain, baseline=0.3)
    assert torch.equal(energy.data, domain.analysis(x - 0.3).data)
    random = m.random_order(x, domain, seed=4)
    size = energy.layout.size
    assert random.data[0].sort().values.tolist() == [list(range(1, size + 1))]
    assert torch.equal(random.data, random.data[:1].expand(3, 1, -1))
    assert torch.equal(m.random_order(x[:1], domain, seed=4).data, random.data[:1])
    assert not torch.equal(m.random_order(x, domain).data, random.data)
    assert random.layout == energy.layout
    ranks = random.data[0, 0].argsort().double()
    assert abs(np.corrcoef(ranks, np.arange(size))[0, 1]) < 0.2  # no trace of the place


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_mass_and_rank_as_they_are_written(domain):
    x = signal((12, 17))
    region = m.boxes(x, [[((0, 5), (2, 9))], [((3, 12), (0, 17)), ((0, 1), (0, 1))], [((0, 12), (0, 17))]])
    a = domain.analysis(x)
    heat = wl.maps.spatial_map(a).flatten(1)
    mass, rank = (metric(None, x, 0, a, region=region) for metric in (m.relevance_mass, m.relevance_rank))
    for i in range(3):
        inside, size = region[i].flatten(), int(region[i].sum())
        assert abs(mass[i] - heat[i][inside].sum() / heat[i].sum()) < 1e-12
        ordered = heat[i].sort(descending=True).values
        if ordered[size - 1] - ordered[min(size, 203)] > 1e-9:  # else the last place is a tie
            top = heat[i] >= ordered[size - 1]
            assert abs(rank[i] - int((top & inside).sum()) / size) < 1e-12
    assert relative(mass[2:], torch.ones(1, dtype=x.dtype)) < 1e-12
    assert rank[2] == 1


def test_mass_and_rank_of_maps_that_are_known():
    x = torch.zeros(1, 1, 8, dtype=torch.float64)
    region = m.boxes(x, [[((2, 5),)]])
    spread = wl.Identity().analysis(torch.tensor([[[1.0, 0, 5, -4, 0, 6, 0, 0]]], dtype=torch.float64))
    assert m.relevance_mass(None, x, 0, spread, region=region).tolist() == [9 / 16]
    assert m.relevance_rank(None, x, 0, spread, region=region).item() == pytest.approx(2 / 3)
    even = spread.map(torch.ones_like)
    assert m.relevance_mass(None, x, 0, even, region=region).tolist() == [3 / 8]
    assert m.relevance_rank(None, x, 0, even, region=region).item() == pytest.approx(1 / 3)  # the first three places
    noisy = even.map(lambda data: data + 1e-15 * torch.arange(8))
    assert torch.equal(
        m.relevance_rank(None, x, 0, noisy, region=region), m.relevance_rank(None, x, 0, even, region=region)
    )
    assert m.relevance_mass(None, x, 0, spread.map(torch.zeros_like), region=region).isnan().all()
    for metric in (m.relevance_mass, m.relevance_rank):
        with pytest.raises(ValueError, match=r"region must be a boolean mask \(1, 8\) with an object in each item"):
            metric(None, x, 0, spread, region=torch.zeros(1, 8, dtype=torch.bool))


@pytest.mark.needs("quantus")
def test_quantus_has_the_same_mass_and_rank():
    import quantus

    x = signal((8, 8), channels=1).float()
    a = wl.Identity().analysis(x)
    region = m.boxes(x, [[((0, 5), (2, 7))], [((3, 8), (0, 8))], [((1, 2), (1, 8))]])
    named = {"x_batch": x.numpy(), "y_batch": np.zeros(3, int), "a_batch": x.numpy(), "device": "cpu"}
    named["s_batch"] = region[:, None].numpy()
    options = {"abs": True, "normalise": False, "disable_warnings": True}
    for ours, theirs in (
        (m.relevance_mass, quantus.RelevanceMassAccuracy(**options)),
        (m.relevance_rank, quantus.RelevanceRankAccuracy(**options)),
    ):
        expected = torch.as_tensor(np.array(theirs(torch.nn.Flatten().eval(), **named)), dtype=torch.float32)
        assert relative(ours(None, x, 0, a, region=region), expected) < 1e-5
