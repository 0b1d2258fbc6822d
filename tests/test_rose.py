"""Roses: shares by the orientation of lines."""

import math

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, name, relative, signal
from wavelens import maps, plots

PICTURES = [domain for domain in DOMAINS if maps.has_rose(domain.layout((12, 17)))] + [wl.Packets("haar", levels=2)]
over_pictures = pytest.mark.parametrize("domain", PICTURES, ids=name)


@over_pictures
@pytest.mark.parametrize("angles", [2, 7, 90])
def test_shares_are_those_of_the_oriented_bands(domain, angles):
    z = domain.analysis(signal((12, 17)))
    found, profile = maps.rose(z, angles), maps.profile(z)
    oriented = [bool(angles) for angles in z.layout.orientations().values()]
    for row, own in zip(found.names, found.share.sum(-1).unbind(1), strict=True):
        bands = [band in set(z.layout.scales()[row]) for band in z.layout.bands]
        kept = torch.tensor([a and b for a, b in zip(bands, oriented, strict=True)])
        assert relative(own, profile.band_share[:, kept].sum(1)) < 1e-12
    assert len(found.angles) == angles
    assert found.angles[-1] == 90


@pytest.mark.parametrize("domain", [wl.Shearlets(2), wl.Shearlets(3, shears=16), wl.DWT("db8", levels=2)], ids=repr)
@pytest.mark.parametrize("degrees", [0, 45, 90, -45])
def test_a_grating_points_along_its_lines(domain, degrees):
    rows, columns = torch.meshgrid(*(torch.arange(64, dtype=torch.float64),) * 2, indexing="ij")
    turn = math.radians(degrees)
    waves = 0.375 * (rows * round(math.cos(turn)) + columns * round(math.sin(turn)))  # whole periods
    z = domain.analysis(torch.cos(2 * math.pi * waves)[None, None])
    found = maps.rose(z, 36)
    strongest = found.angles[int(found.share.sum(1)[0].argmax())]
    away = (strongest - degrees + 90) % 180 - 90
    if isinstance(domain, wl.DWT) and abs(degrees) == 45:
        away = (abs(strongest) - 45 + 90) % 180 - 90  # it takes both diagonals for the same
    assert abs(away) <= (25 if isinstance(domain, wl.DWT) else 15)


def test_a_band_lies_half_way_to_its_neighbours():
    """Of the lines of a DWT: horizontal to ±22.5 degrees, diagonal from there to ±67.5."""
    z = wl.DWT("haar", levels=1).analysis(signal((8, 8))).map(torch.zeros_like)
    z[z.layout.bands[2]].fill_(1)
    share = maps.rose(z, 8).share[0, 0]
    step = [0, 0, 0, 1, 0, 0, 0, 0]  # its columns are centred at −67.5, −45, …, 0, …, 90
    assert maps.rose(z, 8).angles[3] == 0
    assert share.tolist() == pytest.approx([0.5 * (abs(k - 3) == 1) * 0.5 + one * 0.5 for k, one in enumerate(step)])


@pytest.mark.parametrize("domain", [wl.Fourier(), wl.Cosine(), wl.Identity(), wl.STFT("hann", 8)], ids=repr)
def test_a_domain_without_orientations_has_no_rose(domain):
    z = domain.analysis(signal((12, 17)))
    assert not maps.has_rose(z.layout)
    with pytest.raises(ValueError, match=r"a rose shows orientations of lines in pictures; .* knows none"):
        maps.rose(z)


def test_the_areas_of_a_figure_are_shares():
    z = wl.Shearlets(2).analysis(signal((32, 32)))
    found = maps.rose(z)
    figure = plots.rose(z, item=1)
    ax = next(ax for ax in figure.axes if ax.name == "polar")
    heights = [(patch.get_y() + patch.get_height()) ** 2 - patch.get_y() ** 2 for patch in ax.patches]
    expected = torch.cat([found.share[1, k].repeat(2) for k in range(len(found.names))])
    assert heights == pytest.approx(expected.tolist(), abs=1e-12)


@pytest.mark.parametrize(
    ("domain", "title"),
    [
        (wl.Shearlets(2), "lines by direction"),
        (wl.Packets("haar", levels=2), "lines by direction"),
        (wl.DWT("haar", levels=2), "mosaic"),
        (wl.STFT("hann", 8), None),
    ],
    ids=repr,
)
def test_a_panel_has_the_mosaic_or_the_rose_and_no_empty_cell(domain, title):
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    figure = plots.panel(domain.analysis(x).map(lambda data: data.abs()), x)
    titles = {ax.get_title(loc="left"): ax.get_position() for ax in figure.axes}
    between = [titles["input"].x1, titles["all scales"].x0]
    if title is None:
        assert (between[1] - between[0]) * figure.get_size_inches()[0] == pytest.approx(0.3)
    else:
        assert between[0] < titles[title].x0 < between[1]


def test_the_default_device_is_not_used():
    c = wl.Shearlets(2).analysis(signal((16, 24)))
    expected = maps.rose(c).share
    torch.set_default_device("meta")
    try:
        assert torch.equal(maps.rose(c).share, expected)
    finally:
        torch.set_default_device(None)
