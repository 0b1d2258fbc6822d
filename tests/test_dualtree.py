"""The dual tree against PyPI's `dtcwt`, and what it is taken for: small effects of shifts, one direction per band."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import relative, signal
from wavelens.core import Coefficients, Domain
from wavelens.domains.dualtree_filters import LOW, LOW_AND_HIGH
from wavelens.grid import Grid

ORACLE = np.load(Path(__file__).parent / "oracles" / "dualtree.npz")
NAMES = sorted({name.rsplit(" ", 1)[0] for name in ORACLE.files})
OTHERS = {1: ["d"], 2: ["da", "dd", "ad"], 3: ["ada", "daa", "dda", "aad", "add", "dad", "ddd"]}  # dtcwt's order
FILTERS = list(itertools.product(LOW_AND_HIGH, LOW))
EXACT = wl.DualTree(levels=3, biort="near_sym_b", qshift="qshift_b")


def case(name):
    """The domain and the signal of an entry of the file."""
    shape, levels, biort, qshift = name.split()
    axes = tuple(map(int, shape.split("x")))
    count = torch.arange(math.prod(axes), dtype=torch.float64)
    x = torch.sin(count**2 % 101 + count % 7).reshape(1, 1, *axes)
    return wl.DualTree(int(levels), biort, qshift), x


def theirs(name, level, axes):
    """Details of a level by PyPI's `dtcwt`: by key, then by number of the direction."""
    details = ORACLE[f"{name} {level}"]
    details = details.reshape(-1, 1) if axes == 1 else details
    if axes == 2:  # 15, 45, 75, −75, −45 and −15 degrees
        pairs = {"da": (0, 5), "dd": (1, 4), "ad": (2, 3)}
        return {key: [details[..., k] for k in pair] for key, pair in pairs.items()}
    each = 2 ** (axes - 1)
    return {key: [details[..., each * k + s] for s in range(each)] for k, key in enumerate(OTHERS[axes])}


@pytest.mark.parametrize("name", NAMES)
def test_coefficients_are_those_of_dtcwt(name):
    domain, x = case(name)
    axes, z = x.ndim - 2, domain.analysis(x)
    bands = {(band.level, band.key): [] for band in z.layout.bands}
    for band, part in z:
        bands[band.level, band.key].append(part[0, 0].numpy())
    (low,) = bands.pop((domain.levels, "a" * axes))
    np.testing.assert_allclose(low, ORACLE[f"{name} low"].reshape(low.shape), atol=1e-10)
    for level in range(1, domain.levels + 1):
        for key, directions in theirs(name, level, axes).items():
            np.testing.assert_allclose(bands.pop((level, key)), directions, atol=1e-10)
    assert not bands


@pytest.mark.parametrize("name", NAMES)
def test_the_synthesis_is_the_inverse_of_dtcwt(name):
    """Of one band alone, without the sample that an odd axis got."""
    domain, x = case(name)
    axes, z = x.ndim - 2, domain.analysis(x)
    key, sign = {1: ("d", 0), 2: ("da", 1), 3: ("ddd", 3)}[axes]
    coarsest = [band for band in z.layout.bands if band.level == domain.levels and band.key == key]
    expected = ORACLE[f"{name} band"].reshape([n + n % 2 for n in x.shape[2:]])
    expected = expected[tuple(slice(n) for n in x.shape[2:])]
    np.testing.assert_allclose(z.only(coarsest[sign]).synthesis()[0, 0].numpy(), expected, atol=1e-10)


@pytest.mark.parametrize(("biort", "qshift"), FILTERS)
@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (7,), (98,), (1, 5), (2, 3), (9, 14), (3, 4, 5)], ids=str)
def test_every_filter_inverts_every_size(shape, biort, qshift):
    x = signal(shape)
    for levels in range(int(math.log2(min(shape))) + 1):
        z = wl.DualTree(levels, biort, qshift).analysis(x)
        assert relative(z.synthesis(), x) < 1e-12


@pytest.mark.parametrize("n", [*range(1200, 1208), 5001, 70_000])
def test_long_axes_are_inverted_and_have_the_adjoint(n):
    """They go by windows of the signal."""
    x = signal((n,), batch=1)
    z = EXACT.analysis(x)
    assert relative(z.synthesis(), x) < 1e-12
    g = signal((n,), batch=1, seed=2)
    c = torch.complex(z.data.imag.flip(-1), z.data.real)
    moved = Coefficients(c, z.layout).synthesis()
    pulled = EXACT.adjoint(g, z.layout).data
    assert relative((moved * g).sum(), (c.conj() * pulled).real.sum()) < 1e-11
    assert relative(pulled, Domain.adjoint(EXACT, g, z.layout).data) < 1e-13


def test_long_axes_have_the_numbers_of_short_ones():
    """Far from the ends the coefficients of a signal are those of the same piece of a shorter one."""
    x = signal((1600,), batch=1)
    long, short = EXACT.analysis(x), EXACT.analysis(x[..., 400:1200])
    for (band, whole), (_, part) in zip(long, short, strict=True):
        m = part.shape[-1]
        inside = slice(m // 4, 3 * m // 4)
        assert band.size == 2 * m
        assert relative(part[..., inside], whole[..., m // 2 :][..., inside]) < 1e-12


@pytest.mark.parametrize("shape", [(64,), (32, 48), (8, 16, 12)], ids=str)
def test_a_sample_has_two_real_numbers_per_axis(shape):
    layout = wl.DualTree(levels=2).layout(shape)
    real = layout.bands[0].size + 2 * sum(band.size for band in layout.bands[1:])
    assert real == 2 ** len(shape) * math.prod(shape)
    per_level = (2 ** len(shape) - 1) * 2 ** (len(shape) - 1)
    assert len(layout.bands) == 1 + 2 * per_level


@pytest.mark.parametrize("shape", [(64,), (32, 48), (8, 16, 12)], ids=str)
def test_the_norm_is_kept_but_for_the_first_level(shape):
    x = signal(shape)
    energies = [wl.DualTree(levels).analysis(x).data.abs().square().sum(-1) for levels in (1, 2)]
    assert relative(energies[1], energies[0]) < 1e-13
    ratio = (energies[0] / x.square().flatten(2).sum(-1)).sqrt()
    assert (ratio < 1.025 ** len(shape)).all()
    assert (ratio > 0.975 ** len(shape)).all()
    assert (ratio - 1).abs().max() > 1e-4  # tight it is not


def energies(domain, x):
    """Of each scale, `(scales,)`."""
    z = domain.analysis(x)
    return torch.stack([sum(z[band].abs().square().sum() for band in scale) for scale in z.layout.scales().values()])


@pytest.mark.parametrize("axes", [1, 2])
def test_energy_hardly_moves_with_a_shift(axes):
    """A step, or a square, moved by 0 to 8 samples: how far each scale's energy swings, over its mean."""
    moved = torch.stack([torch.zeros(1, 1, *(96,) * axes, dtype=torch.float64) for _ in range(9)])
    for shift in range(9):
        moved[(shift, 0, 0, *(slice(30 + shift, 58 + shift) for _ in range(axes)))] = 1
    swings = {}
    for domain in (wl.DualTree(4, "near_sym_b", "qshift_b"), wl.DWT("db4", 4)):
        each = torch.stack([energies(domain, x) for x in moved])[:, 1:]  # details
        swings[type(domain)] = ((each.max(0).values - each.min(0).values) / each.mean(0)).tolist()
    assert max(swings[wl.DualTree]) < 0.15
    assert min(swings[wl.DWT]) > 0.4


def test_the_spectrum_of_a_wavelet_points_where_its_band_says():
    """Its centre of gravity; at level 1 the trees are a sample apart and hold both signs of a frequency."""
    domain = wl.DualTree(3, "near_sym_b", "qshift_b")
    layout = domain.layout((128, 128))
    frequencies = torch.fft.fftfreq(128, dtype=torch.float64)
    for band, (degrees,) in itertools.islice(layout.orientations().items(), 1, 13):
        unit = torch.zeros(2, 1, layout.size, dtype=torch.complex128)
        unit[:, 0, layout.slices[band].start + band.size // 2 + band.shape[1] // 2] = torch.tensor([1, 1j])
        real, imaginary = Coefficients(unit, layout).synthesis()[:, 0]
        power = torch.fft.fft2(torch.complex(real, imaginary)).abs().square()
        down, right = (power.sum(1) * frequencies).sum(), (power.sum(0) * frequencies).sum()
        assert wl.core.line_angle(down, right) == pytest.approx(degrees, abs=0.3)
        wrong = frequencies[:, None] * down + frequencies * right < 0
        assert power[wrong].sum() / power.sum() < 1e-3


@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize("degrees", [15, 45, 75, -75, -45, -15])
def test_a_grating_excites_the_band_of_its_angle(degrees, level):
    """A patch of lines that rise by so many degrees, in the middle of the level's octave along its faster axis."""
    places = torch.arange(64, dtype=torch.float64) - 31.5
    down, right = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    frequency = 0.75 / 2**level / max(abs(down), abs(right))
    waves = torch.cos(2 * math.pi * frequency * (places[:, None] * down + places * right))
    envelope = torch.exp(-(places[:, None].square() + places.square()) / 162)
    z = wl.DualTree(4, "near_sym_b", "qshift_b").analysis((waves * envelope)[None, None])
    orientations = z.layout.orientations()
    energy = {band: part.abs().square().sum().item() for band, part in z}
    strongest = max(energy, key=energy.get)
    assert (strongest.level, orientations[strongest]) == (level, (degrees,))
    assert strongest.part == f"{degrees:+d}°"
    assert energy[strongest] > 0.6 * sum(energy.values())
    mirrored = next(band for band, angles in orientations.items() if angles == (-degrees,) and band.level == level)
    assert energy[mirrored] < (0.01 if abs(degrees) == 45 else 0.4) * energy[strongest]


def test_a_wave_in_space_excites_the_band_of_its_direction():
    domain, level = wl.DualTree(2, "near_sym_b", "qshift_b"), 2
    places = torch.stack(torch.meshgrid(*[torch.arange(32.0, dtype=torch.float64)] * 3, indexing="ij"), -1)
    layout = domain.layout((32, 32, 32))
    for band in layout.bands[1:29]:
        (direction,) = domain.directions(band, layout)
        waves = places @ torch.tensor(direction, dtype=torch.float64) / max(map(abs, direction))
        z = domain.analysis(torch.cos(2 * math.pi * 0.7 / 2**level * waves)[None, None])
        share = {one: part.abs().square().sum().item() for one, part in z}
        assert max(share, key=share.get) == band


@pytest.mark.parametrize("n", [64, 36, 44, 50, 63])
def test_a_coefficient_lies_where_its_wavelet_does(n):
    """The centre of gravity of its modulus, of its real and imaginary parts together; inside."""
    domain = wl.DualTree(2, "near_sym_b", "qshift_b")
    layout = domain.layout((n,))
    t = torch.arange(n, dtype=torch.float64)
    for band in layout.bands:
        (centres,) = domain.centres(band, layout)
        inside = slice(1, -1)  # those at the ends are moved into the signal
        mirrored = (centres + centres.flip(0))[inside]
        assert torch.equal(mirrored, torch.full_like(mirrored, n - 1 + n % 2))  # as the transform is
        for k in range(band.size // 3, 2 * band.size // 3):
            unit = torch.zeros(2, 1, layout.size, dtype=torch.complex128)
            unit[:, 0, layout.slices[band].start + k] = torch.tensor([1, 1j])
            weight = Coefficients(unit, layout).synthesis().square().sum((0, 1))
            assert float((weight * t).sum() / weight.sum()) == pytest.approx(centres[k].item(), abs=0.3 * 2**band.level)


@pytest.mark.parametrize("shape", [(37,), (12, 17)], ids=str)
def test_mapped_over_a_dimension(shape):
    x = torch.stack([signal(shape), signal(shape, seed=7)], 1)
    domain = wl.DualTree(2)
    z = torch.func.vmap(lambda x: domain.analysis(x).data, in_dims=1)(x)
    assert relative(z, torch.stack([domain.analysis(x[:, i]).data for i in range(2)])) < 1e-14
    layout = domain.layout(shape)
    back = torch.func.vmap(lambda z: domain.synthesis(Coefficients(z, layout)))(z)
    assert relative(back, x.movedim(1, 0)) < 1e-12


def test_scales_are_octaves():
    labels = Grid((0.5, 0.5), ("mm", "mm")).labels(wl.DualTree(levels=2).layout((32, 32)))
    assert labels == {"a2": "> 2 mm", "d2": "1–2 mm", "d1": "0.5–1 mm"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wl.DualTree(biort="db4"), "biort must be one of antonini, legall, near_sym_a, near_sym_b; got 'db4'"),
        (lambda: wl.DualTree(qshift="near_sym_a"), "qshift must be one of qshift_06, .*; got 'near_sym_a'"),
        (lambda: wl.DualTree(levels=-1), "levels must be None or an integer from 0 to 62; got -1"),
        (
            lambda: wl.DualTree(levels=4).layout((12, 40)),
            r"levels=4 needs axes of at least 16 samples; got \(12, 40\). Pass at most levels=3",
        ),
    ],
)
def test_what_cannot_be_says_why(make, message):
    with pytest.raises(ValueError, match=message):
        make()
