"""Attributions over time and frequency: every domain of one axis, each coefficient at its own time and frequencies."""

import itertools
import math

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import DOMAINS, name, relative, signal, takes
from wavelens import maps, plots
from wavelens.plots.scalogram import FrequencyAxis

ONE_AXIS = [
    *(domain for domain in DOMAINS if takes(domain, (333,))),
    wl.STFT("blackman", 15, hop=4),
    wl.Packets("db2", levels=3, basis=("aaa", "aad", "ad", "d")),
    wl.Shifted(wl.DWT("haar", levels=2), (0, 1, 3)),
    wl.Shifted(wl.STFT("hann", 8), (0, 3)),
]
over_domains = pytest.mark.parametrize("domain", ONE_AXIS, ids=name)


@over_domains
@pytest.mark.parametrize("by_channel", [False, True])
def test_rows_add_up_to_their_scale(domain, by_channel):
    z = domain.analysis(signal((333,)))
    found = maps.time_frequency(z, 50, by_channel=by_channel)
    rows = found.values.mean(-1) * 333
    scales = list(z.layout.scales())
    index = torch.tensor([scales.index(row) for row in found.scales])
    sums = torch.zeros(*rows.shape[:-1], len(scales), dtype=rows.dtype).index_add(-1, index, rows)
    expected = wl.maps.profile(z, by_channel=by_channel).share * z.data.abs().sum((-2, -1)).reshape(
        -1, *[1] * (1 + by_channel)
    )
    assert relative(sums, expected) < 1e-12


@over_domains
def test_a_signed_row_has_the_signed_sum_of_its_coefficients(domain):
    z = domain.analysis(signal((333,)))
    if z.data.is_complex():
        with pytest.raises(ValueError, match="a complex gradient has a modulus and no sign"):
            maps.time_frequency(z, signed=True)
        z = z.map(lambda data: data.real)
    found = maps.time_frequency(z, 50, signed=True)
    assert relative(found.values.mean(-1).sum(-1) * 333, z.data.sum((1, 2))) < 1e-10


@over_domains
def test_rows_span_what_their_scale_spans(domain):
    layout = domain.layout((333,))
    found = maps.time_frequency(domain.analysis(signal((333,))), 4)
    half = max((one.high - one.low for one in found.extents), default=0)  # bins lie around their frequencies
    for row, own in zip(found.scales, found.extents, strict=True):
        (whole,) = layout.scales()[row].extent
        assert whole.low - half <= own.low < own.high <= whole.high + half


@over_domains
def test_cells_add_up_what_lies_over_them_and_follow_one_another(domain):
    found = maps.time_frequency(domain.analysis(signal((333,))), 20)
    cells, edges = found.cells()
    assert len(edges) == cells.shape[1] + 1
    assert list(edges) == sorted(set(edges))
    middles = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
    for k, middle in enumerate(middles):
        over = [row for row, own in enumerate(found.extents) if own.low <= middle <= own.high]
        assert relative(cells[:, k], found.values[:, over].sum(1)) < 1e-12


PRECISE = [
    wl.STFT("hann", 64),
    wl.ConstantQ(3),
    wl.Packets("db8", levels=4),
    wl.DWT("db8", levels=5),
    wl.Fourier(),
    wl.Cosine(),
]


@pytest.mark.parametrize("domain", PRECISE, ids=name)
@pytest.mark.parametrize("frequency", [0.07, 0.15, 0.21, 0.33, 0.45])
def test_a_tone_lies_in_the_row_of_its_frequency(domain, frequency):
    t = torch.arange(2048, dtype=torch.float64)
    z = domain.analysis(torch.sin(2 * torch.pi * frequency * t)[None, None])
    found = maps.time_frequency(z.map(lambda data: data.abs().square()), 16)
    own = found.extents[int(found.values[0].sum(-1).argmax())]
    assert own.low - 1e-3 <= frequency <= own.high + 1e-3  # a tone that ends leaks to the next bin


PLACED = [domain for domain in PRECISE if domain not in (wl.Fourier(), wl.Cosine())]


@pytest.mark.parametrize(
    "domain", [*PLACED, wl.DWT("sym5", levels=3, mode="reflect"), wl.Stationary("db4", 3)], ids=name
)
@pytest.mark.parametrize("place", [3, 700, 1020])
def test_a_click_lies_in_the_column_of_its_time(domain, place):
    x = torch.zeros(1, 1, 1024, dtype=torch.float64)
    x[..., place] = 1
    z = domain.analysis(x)
    found = maps.time_frequency(z.map(lambda data: data.abs().square()), 64)
    column = int(found.values[0].sum(0).argmax())
    assert abs(column * 16 + 8 - place) <= 24


def test_coefficients_that_go_round_are_boxes_around_their_centres():
    """A coefficient at the first sample reaches half-way over the start, and so to the end."""
    layout = wl.ConstantQ(1, octaves=1).layout((16,))
    z = wl.Coefficients(torch.zeros(1, 1, layout.size, dtype=torch.complex128), layout)
    low = layout.bands[0]
    z[low][..., 0] = 2
    m = low.shape[0]
    row = maps.time_frequency(z, 16).values[0, 0]
    inside = row.nonzero()[:, 0].tolist()
    assert row.sum() == pytest.approx(2)
    assert row[0] == pytest.approx(2 * m / 16)
    assert row[-1] > 0
    assert len(inside) <= math.ceil(16 / m) + 2


def test_a_bin_of_an_stft_is_half_way_to_its_neighbours():
    found = maps.time_frequency(wl.STFT("hann", 8).analysis(signal((40,))), 4)
    assert [(8 * one.low, 8 * one.high) for one in found.extents] == [
        (0, 0.5),
        (0.5, 1.5),
        (1.5, 2.5),
        (2.5, 3.5),
        (3.5, 4),
    ]
    assert found.scales == ("a2", "a2", "d2", "d1", "d1")


def test_very_many_bins_are_added_up_to_some_hundred_rows():
    z = wl.Fourier().analysis(signal((20_000,), batch=1, channels=1))
    found = maps.time_frequency(z, 8)
    assert 400 < len(found.scales) < 800
    assert relative(found.values.mean(-1).sum(-1) * 20_000, z.data.abs().sum((1, 2))) < 1e-12


def test_lengths_are_no_frequencies():
    x = signal((16,))
    z = wl.TreeHaar(tuple(range(16))).bind(x).analysis(x)
    found = maps.time_frequency(z, 8)
    assert found.extents == ()
    assert found.scales == tuple(z.layout.scales())
    assert relative(found.values, maps.scalogram(z, 8)) < 1e-12
    assert found.cells()[1] == tuple(float(k) for k in range(len(found.scales) + 1))


@pytest.mark.parametrize(
    ("domain", "is_logarithmic"),
    [
        (wl.DWT("haar", levels=4), True),
        (wl.ConstantQ(3), True),
        (wl.STFT("hann", 64), False),
        (wl.Packets("haar", levels=4), False),
        (wl.Fourier(), False),
        (wl.Identity(), False),
    ],
    ids=repr,
)
def test_the_axis_is_the_one_that_shows_the_narrowest_row_best(domain, is_logarithmic):
    axis = FrequencyAxis(maps.time_frequency(domain.analysis(signal((512,))), 4).cells()[1], 8000)
    assert axis.is_logarithmic == is_logarithmic
    assert axis.edges[-1] == 4000
    assert axis.edges[0] == (axis.edges[1] / 2 if is_logarithmic else 0)
    assert axis.cells_at(7).tolist() == sorted(axis.cells_at(7))
    assert {axis.cells_at(5000)[0], axis.cells_at(5000)[-1]} == {0, len(axis.edges) - 2}


@pytest.mark.parametrize("is_logarithmic", [True, False])
def test_a_tone_thinner_than_a_pixel_is_drawn(is_logarithmic):
    """513 bins of 15.6 Hz on an axis of 100 pixels: one loud bin stays, at its frequency."""
    axis = FrequencyAxis((0, 0.0625, 0.125, 0.25, 0.5) if is_logarithmic else (0, 0.1, 0.2, 0.3, 0.4, 0.5), 16000)
    edges, values = (np.arange(514) - 0.5) * 15.625, np.zeros((513, 3))
    values[193] = [1, 2, 3]
    assert axis.is_logarithmic == is_logarithmic
    assert axis.narrowest(edges) * 100 < 1
    shown, bounds = axis.steps(edges, values, 100)
    assert shown.max(0).tolist() == [1, 2, 3]
    row = int(shown[:, 0].argmax())
    assert bounds[row] <= edges[194]
    assert bounds[row + 1] >= edges[193]
    assert shown.astype(bool)[:, 0].sum() <= 2


@pytest.mark.parametrize("domain", [wl.STFT("hann", 64), wl.Packets("db4", levels=5), wl.ConstantQ(12)], ids=repr)
def test_a_figure_shows_cells_between_their_frequencies(domain):
    rate, x = 8000, signal((2048,), batch=1, channels=1)
    a = domain.analysis(x).map(lambda data: data.abs())
    figure = plots.sound(a, x, rate)
    figure.draw_without_rendering()
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith("attribution"))
    (mesh,) = ax.collections
    cells, edges = maps.time_frequency(a, 800).cells()
    assert relative(torch.as_tensor(mesh.get_array().reshape(cells.shape[1:])), cells[0]) < 1e-12
    heights = mesh.get_coordinates()[1:, 0, 1].tolist()
    assert heights == pytest.approx([rate * edge for edge in edges[1:]])
    assert ax.get_ylim()[1] == 4000


def test_signals_without_a_rate_are_shown_in_cycles_per_sample():
    x = signal((256,), batch=1, channels=1)
    a = wl.Packets("db2", levels=3).analysis(x)
    figure = plots.panel(a, x)
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith("attribution"))
    assert (ax.get_ylabel(), ax.get_ylim()) == ("cycles per sample", (0, 0.5))
    assert not any(ax.get_title(loc="left").startswith("spectrogram") for ax in figure.axes)
