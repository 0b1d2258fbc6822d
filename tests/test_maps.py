"""Maps keep what they show: the mosaic is PyWavelets', maps keep sums, contributions add up, profiles account."""

from dataclasses import dataclass

import numpy as np
import pytest
import pywt
import torch

from cases import relative
from wavelens import maps
from wavelens.core import Band, Coefficients, Domain, Layout
from wavelens.domains import DWT, ConstantQ, Fourier, Identity

torch.set_num_threads(1)


@dataclass(frozen=True)
class Threefold(Domain):
    """A redundant domain: every sample three times along each axis, so coefficients lie between samples."""

    def analysis(self, x):
        fine = x
        for dim in range(2, x.ndim):
            fine = fine.repeat_interleave(3, dim)
        layout = Layout(self, tuple(x.shape[2:]), (Band(0, "", tuple(fine.shape[2:])),))
        return Coefficients(fine.flatten(2), layout)

    def synthesis(self, c):
        fine = c[c.layout.bands[0]]
        for dim in range(2, fine.ndim):
            fine = fine.unflatten(dim, (-1, 3)).mean(dim + 1)
        return fine


UNEVEN = [  # levels that differ from axis to axis
    (DWT("haar", levels=(1, 3)), (8, 16)),
    (DWT("db4", levels=(3, 0), mode="reflect"), (13, 10)),
    (DWT("haar", levels=(2, 0, 1)), (5, 7, 6)),
    (DWT("bior2.4", levels=(1, 2, 2), mode="symmetric"), (5, 7, 6)),
]
SHAPES = [(16,), (21,), (8, 16), (13, 10), (5, 7, 6)]
WAVELETS = ["haar", "db4", "bior2.4", "sym5"]
DOMAINS = [
    Identity(),
    DWT("haar", levels=0),
    *[
        DWT(wavelet, levels=2, mode=mode)
        for wavelet in ("haar", "db4", "bior2.4")
        for mode in ("periodization", "reflect")
    ],
]
over_domains = pytest.mark.parametrize("domain", DOMAINS, ids=repr)
over_shapes = pytest.mark.parametrize("shape", SHAPES, ids=repr)
over_all = pytest.mark.parametrize(("domain", "shape"), [(d, s) for d in DOMAINS for s in SHAPES] + UNEVEN, ids=repr)
over_every = pytest.mark.parametrize(  # of those without a mosaic too
    ("domain", "shape"), [(d, s) for d in (*DOMAINS, Fourier()) for s in SHAPES] + UNEVEN, ids=repr
)
close = {"rtol": 1e-10, "atol": 1e-10}


def coefficients(domain, shape, seed=0):
    """Random signed coefficients `(2, 3, size)` in float64: an attribution needs not be the analysis of a signal."""
    draw = torch.Generator().manual_seed(seed)
    layout = domain.analysis(torch.zeros(1, 1, *shape, dtype=torch.float64)).layout
    return Coefficients(torch.randn(2, 3, layout.size, generator=draw, dtype=torch.float64), layout)


@pytest.mark.filterwarnings("ignore:Level value")
@pytest.mark.parametrize("mode", pywt.Modes.modes)
@pytest.mark.parametrize("wavelet", WAVELETS)
@over_shapes
def test_mosaic_is_that_of_pywavelets(wavelet, mode, shape):
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    axes = tuple(range(2, x.ndim))
    theirs = pywt.wavedecn(x.numpy(), wavelet, mode, level=2, axes=axes)
    expected, _ = pywt.coeffs_to_array(theirs, padding=0, axes=axes)
    ours = maps.mosaic(DWT(wavelet, levels=2, mode=mode).analysis(x))
    torch.testing.assert_close(ours, torch.from_numpy(expected), **close)


@over_shapes
def test_mosaic_of_samples_is_the_signal(shape):
    c = coefficients(Identity(), shape)
    assert torch.equal(maps.mosaic(c), c.synthesis())


@over_all
def test_mosaic_slices_hold_the_bands_and_nothing_else(domain, shape):
    c = coefficients(domain, shape)
    picture = maps.mosaic(c)
    for band, place in maps.mosaic_slices(c.layout).items():
        assert torch.equal(picture[(..., *place)], c[band])
        picture[(..., *place)] = 0
    assert not picture.any()


@pytest.mark.parametrize(
    ("levels", "shape"), [((1, 3), (8, 16)), ((3, 0), (16, 5)), ((2, 0, 1), (8, 7, 6)), ((0, 0), (3, 4))]
)
def test_a_mosaic_without_redundancy_is_full(levels, shape):
    layout = DWT("db2", levels=levels).layout(shape)
    picture = maps.mosaic(Coefficients(torch.ones(1, 1, layout.size), layout))
    assert torch.equal(picture, torch.ones(1, 1, *shape))


def test_a_mosaic_with_levels_of_each_axis_grows_along_the_axes_that_are_split():
    layout = DWT("haar", levels=(1, 3)).layout((8, 16))
    places = {str(band): place for band, place in maps.mosaic_slices(layout).items()}
    upper, lower = slice(0, 4), slice(4, 8)
    assert places == {
        "aa3": (upper, slice(0, 2)),
        "ad3": (upper, slice(2, 4)),
        "ad2": (upper, slice(4, 8)),
        "ad1": (upper, slice(8, 16)),
        "da1": (lower, slice(0, 8)),
        "dd1": (lower, slice(8, 16)),
    }


@over_every
def test_contributions_add_up_to_the_synthesis(domain, shape):
    c = coefficients(domain, shape)
    parts = maps.contributions(c)
    assert list(parts) == list(c.layout.scales())
    torch.testing.assert_close(sum(parts.values()), c.synthesis(), **close)


def test_a_contribution_is_its_scale_alone():
    x = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    parts = maps.contributions(DWT("haar", levels=2).analysis(x))
    torch.testing.assert_close(parts["a2"], x)
    torch.testing.assert_close(parts["d2"], torch.zeros_like(x))
    torch.testing.assert_close(parts["d1"], torch.zeros_like(x))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("domain", "shape"), [(d, s) for d in (*DOMAINS, Threefold()) for s in SHAPES] + UNEVEN, ids=repr
)
def test_scale_maps_keep_the_sum_of_their_scale(domain, shape, signed):
    c = coefficients(domain, shape)
    for name, bands in c.layout.scales().items():
        kept = sum(c[band].flatten(2).abs().sum((1, 2)) for band in bands)
        total = sum(c[band].flatten(2).sum((1, 2)) for band in bands)
        found = maps.scale_maps(c, signed=signed)[name]
        assert found.shape == (2, *shape)
        torch.testing.assert_close(found.flatten(1).sum(1), total if signed else kept, **close)


@over_all
def test_scale_maps_are_interpolation_between_centres_with_weight_one_a_coefficient(domain, shape):
    c = coefficients(domain, shape)
    found = maps.scale_maps(c, signed=True)
    for name, bands in c.layout.scales().items():
        expected = np.zeros((2, *shape))
        for band in bands:
            part = c[band].sum(1).numpy()
            for k, centres in enumerate(domain.centres(band, c.layout)):
                matrix = interpolation(centres.numpy(), shape[k])
                part = np.moveaxis(np.tensordot(part, matrix, axes=(k + 1, 1)), -1, k + 1)
            expected += part
        torch.testing.assert_close(found[name], torch.from_numpy(expected), **close)


def interpolation(centres, n):
    """`(n, m)`: NumPy's linear interpolation at the samples from each centre's unit pulse, columns of sum 1.

    A centre less than half a step from the outermost one stands with it.
    """
    half = max(np.diff(np.sort(centres)), default=0) / 2
    first, last = min(centres), max(centres)
    nearer = [first if c - first < half else last if last - c < half else c for c in centres]
    knots, knot_of = np.unique(nearer, return_inverse=True)
    hats = np.stack([np.interp(np.arange(n), knots, pulse) for pulse in np.eye(len(knots))], 1)
    return (hats / hats.sum(0))[:, knot_of]


@over_shapes
def test_a_flat_attribution_has_flat_maps_where_coefficients_tile_the_signal(shape):
    """One level of Haar on even axes, and samples: the same |γ| everywhere is the same map value everywhere."""
    c = coefficients(Identity(), shape).map(torch.ones_like)
    torch.testing.assert_close(maps.spatial_map(c), torch.full((2, *shape), 3.0, dtype=torch.float64))
    even = tuple(2 * n for n in shape)
    c = coefficients(DWT("haar", levels=1), even).map(torch.ones_like)
    torch.testing.assert_close(maps.spatial_map(c), torch.full((2, *even), 3.0, dtype=torch.float64))


def test_a_lone_coefficient_is_seen_where_it_lies():
    c = coefficients(DWT("haar", levels=2), (16, 16)).map(torch.zeros_like)
    band = c.layout.scales()["d2"][0]
    c[band][0, 0, 2, 1] = -5.0
    found = maps.scale_maps(c)["d2"][0]
    centre = torch.tensor([9.5, 5.5], dtype=torch.float64)
    where = torch.stack(torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij"), -1).double()
    torch.testing.assert_close((found[..., None] * where).sum((0, 1)) / found.sum(), centre)
    torch.testing.assert_close(found.sum().item(), 5.0)


@pytest.mark.parametrize("signed", [False, True])
@over_domains
def test_spatial_map_is_the_sum_of_the_scale_maps(domain, signed):
    c = coefficients(domain, (13, 10))
    expected = sum(maps.scale_maps(c, signed=signed).values())
    torch.testing.assert_close(maps.spatial_map(c, signed=signed), expected, **close)
    total = (c.data if signed else c.data.abs()).sum((1, 2))
    torch.testing.assert_close(maps.spatial_map(c, signed=signed).sum((1, 2)), total, **close)


@over_every
def test_profile_accounts_for_every_coefficient(domain, shape):
    c = coefficients(domain, shape)
    p = maps.profile(c)
    one = torch.ones(2, dtype=torch.float64)
    assert p.names == tuple(c.layout.scales())
    assert p.bands == c.layout.bands
    for signed, share in ((p.signed, p.share), (p.band_signed, p.band_share)):
        torch.testing.assert_close(signed.sum(1), c.data.sum((1, 2)), **close)
        torch.testing.assert_close(share.sum(1), one, **close)
    for i, (_, part) in enumerate(c):
        torch.testing.assert_close(p.band_signed[:, i], part.flatten(1).sum(1), **close)
        expected = part.flatten(1).abs().sum(1) / c.data.abs().sum((1, 2))
        torch.testing.assert_close(p.band_share[:, i], expected, **close)
    for i, bands in enumerate(c.layout.scales().values()):
        total = sum(c[band].flatten(1).sum(1) for band in bands)
        torch.testing.assert_close(p.signed[:, i], total, **close)


def test_profile_of_an_item_without_attribution_is_zero():
    c = coefficients(DWT("haar", levels=2), (8, 8)).map(lambda data: data * torch.tensor([0.0, 1.0])[:, None, None])
    p = maps.profile(c)
    assert p.share[0].tolist() == [0, 0, 0]
    assert p.signed[0].tolist() == [0, 0, 0]
    torch.testing.assert_close(p.share[1].sum().item(), 1.0)


@over_every
def test_density_has_the_share_of_a_scale_as_its_mean(domain, shape):
    c = coefficients(domain, shape)
    thin = maps.density(c)
    total = c.data.abs().sum((1, 2)) / np.prod(shape)
    for bands, share in zip(c.layout.scales().values(), maps.profile(c).share.T, strict=True):
        torch.testing.assert_close(sum(thin[band].flatten(1).mean(1) for band in bands), share * total, **close)


def test_a_scalogram_of_a_long_sound_is_summed_in_float64():
    c = Identity().analysis(torch.rand(1, 1, 200_000, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(maps.scalogram(c), maps.scalogram(c.map(torch.Tensor.double)), rtol=1e-12, atol=0)


def test_a_signed_scalogram_has_the_signed_sums():
    c = DWT("db4", levels=3, mode="reflect").analysis(torch.linspace(-1, 2, 64, dtype=torch.float64).sin()[None, None])
    found = maps.scalogram(c, 40, signed=True)
    torch.testing.assert_close(found.mean(-1) * 64, maps.profile(c).signed)


@pytest.mark.parametrize("signed", [False, True])
@over_every
def test_channels_kept_apart_are_the_channels_alone(domain, shape, signed):
    c = coefficients(domain, shape)
    looks = {
        "spatial": lambda c, **k: maps.spatial_map(c, signed=signed, **k),
        "course": lambda c, **k: torch.cat(list(maps.courses(c, 0, signed=signed, **k).values()), -1),
        **({"scalogram": lambda c, **k: maps.scalogram(c, 20, signed=signed, **k)} if len(shape) == 1 else {}),
    }
    for look in looks.values():
        apart = look(c, by_channel=True)
        torch.testing.assert_close(apart.sum(1), look(c), **close)
        for k in range(c.data.shape[1]):
            alone = Coefficients(c.data[:, k : k + 1], c.layout)
            torch.testing.assert_close(apart[:, k], look(alone), **close)


@over_every
def test_a_profile_by_channel_adds_up_to_the_profile(domain, shape):
    c = coefficients(domain, shape)
    whole, apart = maps.profile(c), maps.profile(c, by_channel=True)
    for name in ("signed", "share", "band_signed", "band_share"):
        torch.testing.assert_close(getattr(apart, name).sum(1), getattr(whole, name), **close)
    for k in range(c.data.shape[1]):
        alone = Coefficients(c.data[:, k : k + 1], c.layout)
        torch.testing.assert_close(apart.signed[:, k], maps.profile(alone).signed, **close)


def test_a_map_of_a_periodic_transform_is_as_high_at_both_ends():
    domain = ConstantQ(per_octave=3, octaves=4)
    layout = domain.layout((120,))
    ones = Coefficients(torch.ones(1, 1, layout.size, dtype=torch.float64), layout)
    for name, heat in maps.scale_maps(ones).items():
        band = layout.scales()[name][0]
        assert relative(heat, torch.full((1, 120), band.size / 120, dtype=torch.float64)) < 0.2, name
        assert relative(heat.sum(), torch.tensor(float(band.size))) < 1e-12
    tone = Coefficients(torch.zeros_like(ones.data), layout)
    tone.data[..., 0] = 1  # the low-pass at time 0
    heat = maps.scale_maps(tone)[str(layout.bands[0])][0]
    assert relative(heat[1:], heat[1:].flip(0)) < 1e-12
    assert heat.argmax() == 0
