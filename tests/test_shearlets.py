"""Shearlets: a tight frame of real coefficients for any size, each direction for the lines that run along it."""

import math

import pytest
import torch

import wavelens as wl
from cases import relative, signal
from wavelens.core import Coefficients

FRAMES = [
    wl.Shearlets(),
    wl.Shearlets(0),
    wl.Shearlets(1, shears=32),
    wl.Shearlets(2, shears=4),
    wl.Shearlets(3),
    wl.Shearlets(5, shears=4),
]
SIZES = [(1, 1), (1, 6), (5, 1), (2, 2), (3, 2), (8, 8), (12, 17), (33, 64), (41, 150)]
POSSIBLE = [(domain, size) for domain in FRAMES for size in SIZES if 2 ** (domain.levels or 0) <= min(size)]


def line(degrees: float, size: int = 64) -> torch.Tensor:
    """A smooth line through the middle, at an angle from the rows' direction towards the upper right."""
    y, x = torch.meshgrid(*(torch.arange(size, dtype=torch.float64) - size / 2,) * 2, indexing="ij")
    turn = math.radians(degrees)
    away = x * math.sin(turn) + y * math.cos(turn)
    return torch.exp(-0.5 * away**2 - (x**2 + y**2) / 200)[None, None]


@pytest.mark.parametrize(("domain", "size"), POSSIBLE, ids=str)
def test_the_frame_is_tight_for_any_size(domain, size):
    x = signal(size)
    z = domain.analysis(x)
    assert not z.data.is_complex()
    assert relative(z.data.square().sum(-1), x.square().flatten(2).sum(-1)) < 1e-12
    assert relative(z.synthesis(), x) < 1e-12
    assert relative(domain.adjoint(x, z.layout).data, z.data) < 1e-12


@pytest.mark.parametrize(("domain", "size"), POSSIBLE, ids=str)
def test_the_adjoint_is_that_of_the_synthesis(domain, size):
    x, layout = signal(size), domain.layout(size)
    other = signal((layout.size,), seed=2)
    products = [(Coefficients(other, layout).synthesis() * x).sum(), (other * domain.adjoint(x, layout).data).sum()]
    assert abs(products[0] - products[1]) < 1e-11 * x.norm() * other.norm()


@pytest.mark.parametrize("domain", [wl.Shearlets(3), wl.Shearlets(4, shears=16)], ids=repr)
@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90, -20, -45, -70])
def test_a_line_lies_in_the_direction_that_it_runs_in(domain, degrees):
    z = domain.analysis(line(degrees))
    layout = z.layout
    fine = [band for band in layout.bands if band.level == 2 and band.is_detail]
    strongest = max(fine, key=lambda band: z[band].square().sum())
    step = 180 / len(fine) * 1.3  # directions are even in shear, not in degrees
    (angle,) = layout.orientations()[strongest]
    away = (angle - degrees + 90) % 180 - 90
    assert abs(away) <= step / 2


def test_octaves_are_those_of_the_larger_frequency():
    n = 64
    places = torch.arange(n, dtype=torch.float64)
    for frequency, scale in ((3, "a3"), (6, "d3"), (12, "d2"), (24, "d1")):
        wave = torch.cos(2 * torch.pi * (frequency * places[:, None] + 2 * places) / n)[None, None]
        z = wl.Shearlets(3).analysis(wave)
        energy = {name: sum(z[band].square().sum() for band in one) for name, one in z.layout.scales().items()}
        assert max(energy, key=energy.get) == scale


def test_directions_double_with_every_second_finer_octave():
    counts = [len(scale) for scale in wl.Shearlets(5, shears=4).layout((256, 256)).scales().values()]
    assert counts == [1, 4, 4, 8, 8, 16]


def test_directions_without_a_frequency_are_left_out():
    assert len(wl.Shearlets(1, shears=32).layout((3, 3)).bands) == 1 + 4
    assert all(band.size for band in wl.Shearlets(3, shears=32).layout((8, 9)).bands)


@pytest.mark.parametrize(("domain", "low", "high"), [(wl.Shearlets(4), 17, 19), (wl.Shearlets(4, 4), 10, 12)], ids=repr)
def test_redundancy_is_as_stated(domain, low, high):
    assert low < domain.layout((224, 224)).size / 224**2 < high


def test_a_moved_click_has_moved_coefficients():
    """Where a band is sampled at every second pixel, a shift by two pixels is one by one coefficient."""
    x = signal((64, 64))
    domain = wl.Shearlets(2)
    z, moved = domain.analysis(x), domain.analysis(x.roll((64, 128), (-2, -1)))
    assert relative(moved.data, z.data) < 1e-12  # whole periods
    whole = next(band for band in z.layout.bands if band.shape == (64, 64))
    moved = domain.analysis(x.roll((3, 5), (-2, -1)))
    assert relative(moved[whole], z[whole].roll((3, 5), (-2, -1))) < 1e-12


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: wl.Shearlets(-1), "levels must be None or an integer from 0 to 62; got -1"),
        (lambda: wl.Shearlets(3, shears=6), "shears must be one of 4, 8, 16, 32; got 6"),
        (lambda: wl.Shearlets().layout((64,)), r"directions in two axes; got a signal with axes \(64,\)"),
        (lambda: wl.Shearlets().layout((4, 8, 8)), r"directions in two axes; got a signal with axes \(4, 8, 8\)"),
        (
            lambda: wl.Shearlets(4).layout((9, 40)),
            r"levels=4 needs axes of at least 16 samples; got \(9, 40\). Pass at most levels=3",
        ),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()
