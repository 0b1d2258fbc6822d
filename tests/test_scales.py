"""What a domain says of its bands: scales, extents, labels and how far they leak."""

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, PAIRS, SHAPES, UNEVEN, name
from wavelens.bandwidth import bandwidths
from wavelens.core import Band, Coefficients, Domain, Extent, Layout, Scale, signal_axes
from wavelens.grid import Grid


@dataclass(frozen=True)
class Uniform(Domain):
    """Eight equal bands of a cosine transform over one axis; without `told`, one that says nothing of their meaning."""

    told: bool = True

    def layout(self, signal_shape):
        size = signal_shape[0] // 8
        return Layout(self, signal_shape, tuple(Band(1, "", (size,), f"band {k}") for k in range(8)))

    def scales(self, layout):
        if not self.told:
            return super().scales(layout)
        return [Scale(b.part, (b,), k, (Extent(k / 16, (k + 1) / 16),)) for k, b in enumerate(layout.bands)]

    def analysis(self, x):
        return Coefficients(x @ _cosines(x.shape[-1], x.dtype).T, self.layout(signal_axes(x)))

    def synthesis(self, c):
        return c.data @ _cosines(c.layout.size, c.data.dtype)


def _cosines(n, dtype):
    k, t = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)
    matrix = torch.cos(math.pi * k * (t + 0.5) / n) * (2 / n) ** 0.5
    matrix[0] /= 2**0.5
    return matrix.to(dtype)


def test_equal_bands_are_named_by_what_they_hold():
    labels = Grid.sound(16000).labels(Uniform().layout((64,)))
    ends = ["< 1000", "1000–2000", "2000–3000", "3000–4000", "4000–5000", "5000–6000", "6000–7000", "7000–8000"]
    assert labels == {f"band {k}": f"{text} Hz" for k, text in enumerate(ends)}


def test_extents_that_nobody_told_are_not_guessed():
    layout = Uniform(told=False).layout((64,))
    assert [list(scale) for scale in layout.scales().values()] == [list(layout.bands)]
    assert Grid.sound(16000).labels(layout) == {"x1": ""}
    assert Grid.sound(16000).titles(layout) == {"x1": "x1"}


def test_the_bands_of_a_domain_of_ones_own_keep_their_sums():
    x = torch.rand(2, 3, 64, dtype=torch.float64)
    a = wl.attribute(lambda x: (x**3).flatten(1), x, 5, domain=Uniform(), method=wl.IntegratedGradients(steps=4))
    profile = wl.maps.profile(a)
    assert profile.names == tuple(f"band {k}" for k in range(8))
    for k, band in enumerate(a.layout.bands):
        torch.testing.assert_close(profile.signed[:, k], a[band].sum((1, 2)))
    torch.testing.assert_close(profile.signed.sum(1), a.score - a.baseline_score)


def test_a_layout_of_equal_bands_is_refused():
    twice = (Band(1, "d", (4,)), Band(1, "d", (4,)))
    with pytest.raises(
        ValueError, match=r"two of level 1, key 'd', shape \(4,\) and part ''. Give each its own `part`"
    ):
        Layout(wl.Identity(), (8,), twice)
    told_apart = Layout(wl.Identity(), (8,), (Band(1, "d", (4,), "re"), Band(1, "d", (4,), "im")))
    assert [str(band) for band in told_apart.bands] == ["d1 re", "d1 im"]
    assert [(piece.start, piece.stop) for piece in told_apart.slices.values()] == [(0, 4), (4, 8)]


@dataclass(frozen=True)
class Forgetful(Uniform):
    """One that leaves out a band of its scales."""

    def scales(self, layout):
        return list(super().scales(layout))[:-1]


def test_scales_have_all_bands():
    with pytest.raises(ValueError, match="distinct names and all its bands, in their order"):
        Forgetful().layout((64,)).scales()


PLACED = PAIRS + UNEVEN


@pytest.mark.parametrize(
    ("domain", "shape"), PLACED, ids=lambda value: name(value) if isinstance(value, Domain) else ""
)
def test_scales_are_ranked_and_know_their_extents(domain, shape):
    layout = domain.layout(shape)
    scales = list(layout.scales().values())
    assert layout == domain.analysis(torch.zeros(1, 1, *shape)).layout
    assert [scale.rank for scale in scales] == list(range(len(scales)))
    assert all(len(scale.extent) == len(shape) for scale in scales)
    for axis in range(len(shape)):
        along = list(domain.scales_along(layout, axis))
        if not along[0].extent:
            assert isinstance(domain, wl.Fourier | wl.Cosine | wl.Shearlets)  # whose bands are rings over all axes
            continue
        assert sorted(map(str, layout.bands)) == sorted(str(band) for scale in along for band in scale)
        (edges,) = {(along[0].extent[0].low, along[-1].extent[0].high)}
        assert edges == (0.0, 0.5)
        for lower, upper in pairwise(along[1:]):
            assert lower.extent[0].high == upper.extent[0].low  # octaves meet


def test_haar_leaks_as_its_filter_does():
    """|H(f)|² = 2 sin²(πf) of one level has half its peak at 1/4, and f − sin(2πf)/2π as its integral."""
    fine = bandwidths(wl.DWT("haar", levels=1).layout((64,)))["d1"]
    assert fine.nominal == Extent(0.25, 0.5)
    assert fine.half_power == pytest.approx((0.25, 0.5), abs=1e-4)
    assert fine.outside == pytest.approx((0.25 - 1 / (2 * math.pi)) / 0.5, abs=1e-6)


def test_longer_filters_leak_less_and_samples_not_at_all():
    leaks = [
        bandwidths(wl.DWT(wavelet, levels=3).layout((512,)))["d2"].outside for wavelet in ("haar", "db2", "db4", "db8")
    ]
    assert leaks == sorted(leaks, reverse=True)
    assert 0.02 < leaks[-1] < leaks[0] < 0.5
    pixels = bandwidths(wl.Identity().layout((16, 20)), axis=1)["a"]
    assert (pixels.half_power, pixels.outside) == ((0.0, 0.5), pytest.approx(0.0, abs=1e-12))


def test_an_axis_has_bandwidths_of_its_own():
    """Along an axis a separable transform is the transform of that axis, whatever the others do."""
    both = bandwidths(wl.DWT("db4", levels=(2, 3)).layout((64, 128)), axis=1)
    alone = bandwidths(wl.DWT("db4", levels=3).layout((128,)))
    assert list(both) == ["a", "d3", "d2", "d1"]
    for scale in ("d3", "d2", "d1"):
        assert both[scale].half_power == pytest.approx(alone[scale].half_power)
        assert both[scale].outside == pytest.approx(alone[scale].outside, abs=1e-9)


def test_measured_bands_lie_where_a_domain_says():
    layout = Uniform().layout((512,))
    for scale, found in zip(layout.scales().values(), bandwidths(layout).values(), strict=True):
        assert found.half_power == pytest.approx(scale.extent[0][:2], abs=0.01)
        assert found.outside < 0.05


@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (2, 2), (1, 5)], ids=str)
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_no_band_is_empty(domain, shape):
    try:
        layout = domain.layout(shape)
    except ValueError:
        return  # says that the size cannot be
    assert all(band.size for band in layout.bands)


def test_lengths_have_no_names_in_hertz():
    layout = wl.TreeHaar().bind(torch.rand(1, 3, 8)).layout((8,))
    assert set(Grid.sound(8000).labels(layout).values()) == {""}
    assert "m" in Grid((1.0,), ("m",)).labels(layout)["d1"]


ORIENTED = {  # lines at 0 run along the rows; a diagonal detail takes both diagonals for the same
    wl.DWT("haar", levels=1): {"aa1": (), "ad1": (90,), "da1": (0,), "dd1": (45, -45)},
    wl.DWT("haar", levels=(0, 1)): {"aa1": (), "ad1": (90,)},
    wl.Stationary("haar", levels=1): {"aa1": (), "ad1": (90,), "da1": (0,), "dd1": (45, -45)},
    wl.Shifted(wl.DWT("haar", levels=1), (0,)): {
        "aa1 shift 0,0": (),
        "ad1 shift 0,0": (90,),
        "da1 shift 0,0": (0,),
        "dd1 shift 0,0": (45, -45),
    },
    wl.Packets("haar", levels=1): {"x1 0,0": (), "x1 0,1": (90,), "x1 1,0": (0,), "x1 1,1": (45, -45)},
    wl.Fourier(levels=1): {"a1": (), "d1": ()},
    wl.Identity(): {"x": ()},
}


@pytest.mark.parametrize("domain", ORIENTED, ids=name)
def test_lines_have_the_angles_that_a_domain_can_tell_apart(domain):
    orientations = domain.layout((8, 12)).orientations()
    assert {str(band): angles for band, angles in orientations.items()} == ORIENTED[domain]


def test_signals_of_other_axes_have_no_angles():
    for shape in ((8,), (8, 8, 8)):
        assert set(wl.DWT("haar", levels=1).layout(shape).orientations().values()) == {()}


@pytest.mark.parametrize(("degrees", "band"), [(0, "da1"), (90, "ad1"), (45, "dd1"), (-45, "dd1")])
def test_a_grating_excites_the_band_of_its_lines(degrees, band):
    """Cosines of 3/8 cycles per sample whose lines rise by so many degrees."""
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    turn = math.radians(degrees)
    waves = (3 / 8) * (rows * round(math.cos(turn)) + columns * round(math.sin(turn)))
    z = wl.DWT("db4", levels=1).analysis(torch.cos(2 * math.pi * waves)[None, None])
    energies = {str(one): part.square().sum().item() for one, part in z}
    assert max(energies, key=energies.get) == band
    assert any(math.isclose(degrees, angle) for one, angles in z.layout.orientations().items() for angle in angles)


@pytest.mark.parametrize(
    ("domain", "shape"),
    [*PAIRS, *((wl.Shifted(wl.DWT("haar", levels=1), (0, 1)), shape) for shape in SHAPES)],
    ids=name,
)
def test_directions_are_unit_vectors_without_their_opposites(domain, shape):
    layout = domain.layout(shape)
    for band in layout.bands:
        directions = domain.directions(band, layout)
        assert all(len(one) == len(shape) for one in directions)
        assert all(math.isclose(math.hypot(*one), 1) for one in directions)
        doubled = {tuple(round(s * v, 9) + 0.0 for v in one) for one in directions for s in (1, -1)}
        assert len(doubled) == 2 * len(directions)
