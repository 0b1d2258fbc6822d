"""A sound's figure and the scalogram in it: sums are kept, and time and octave lie where they belong."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

import wavelens as wl
from cases import relative
from wavelens import maps, plots
from wavelens.core import Coefficients

DOMAINS = [wl.DWT("db4", levels=5), wl.DWT("haar", levels=3), wl.DWT("sym5", levels=2, mode="reflect"), wl.Identity()]


def coefficients(domain, samples, batch=2, channels=2):
    layout = domain.analysis(torch.zeros(1, 1, samples, dtype=torch.float64)).layout
    source = torch.Generator().manual_seed(0)
    return Coefficients(torch.randn(batch, channels, layout.size, generator=source, dtype=torch.float64), layout)


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
@pytest.mark.parametrize(("samples", "columns"), [(4001, 800), (100, 800), (4096, 7)])
def test_a_scalograms_rows_keep_the_sum_of_their_scale(domain, samples, columns):
    c = coefficients(domain, samples)
    found = maps.scalogram(c, columns)
    assert found.shape == (2, len(c.layout.scales()), columns)
    expected = torch.stack([
        sum(c[band].abs().sum((1, 2)) for band in bands) for bands in c.layout.scales().values()
    ], 1)  # fmt: skip
    assert relative(found.mean(-1) * samples, expected) < 1e-12


def test_a_coefficient_is_a_box_over_its_time():
    c = coefficients(wl.DWT("haar", levels=2), 16, batch=1, channels=1)
    c.data.zero_()
    c[c.layout.bands[1]][..., 1] = -3.0  # the second of four details of level 2: samples 4 to 7
    found = maps.scalogram(c, columns=8)[0]
    expected = torch.zeros(3, 8, dtype=torch.float64)
    expected[1, 2:4] = 3 / 4
    torch.testing.assert_close(found, expected)


def test_a_scalogram_is_for_one_axis():
    c = coefficients(wl.DWT("haar", levels=1), 16)
    layout = wl.DWT("haar", levels=1).analysis(torch.zeros(1, 1, 4, 4, dtype=torch.float64)).layout
    with pytest.raises(ValueError, match=r"signals with one axis; got \(4, 4\)"):
        maps.scalogram(Coefficients(c.data, layout))


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(float)


def lit(figure, title):
    """The mean brightness of the axes with this title, (rows, columns) from their upper left corner."""
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith(title))
    shown = pixels(figure)
    box = ax.get_window_extent()
    top, bottom = shown.shape[0] - int(box.y1), shown.shape[0] - int(box.y0)
    return shown[top + 2 : bottom - 2, int(box.x0) + 2 : int(box.x1) - 2].mean(-1)


def test_the_figure_shows_time_and_octave_where_they_belong():
    rate, samples = 8000, 8000
    x = torch.zeros(1, 1, samples)
    t = torch.arange(500) / rate
    x[..., 6000:6500] = torch.sin(2 * torch.pi * 1400 * t)  # d2 holds 1 to 2 kHz
    domain = wl.DWT("sym8", levels=5)
    a = domain.analysis(x)
    figure = plots.sound(a, x, rate, title="a tone")
    for title, dark in (("attribution", 1), ("spectrogram", -1)):
        picture = dark * lit(figure, title)
        row, column = np.unravel_index(picture.argmax(), picture.shape)
        assert 6000 / samples <= column / picture.shape[1] <= 6500 / samples
        assert 1 / 6 - 0.02 < row / picture.shape[0] < 2 / 6 + 0.02  # rows from the top: d1, d2, …
    texts = [label.get_text() for ax in figure.axes for label in ax.get_yticklabels()]
    assert "1000–2000 Hz" in texts


@pytest.mark.parametrize("x", [torch.zeros(1, 1, 500), torch.ones(1, 2, 500), torch.zeros(1, 1, 64)])
def test_silence_and_dc_are_drawn(x):
    a = wl.DWT("haar", levels=4).analysis(x).map(torch.zeros_like)
    figure = plots.sound(a, x, 16000)
    assert lit(figure, "attribution").max() < 10  # black
    if not x.any():
        assert lit(figure, "spectrogram").min() > 250  # silence is nowhere loud


@pytest.mark.parametrize(("samples", "ticks"), [(15600, "0 0.2 0.4 0.6 0.8"), (40000, "0 0.5 1 1.5 2 2.5")])
def test_times_are_round_numbers(samples, ticks):
    x = torch.ones(1, 1, samples)
    figure = plots.sound(wl.DWT("haar", levels=4).analysis(x), x, 16000)
    pixels(figure)
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith("attribution"))
    shown = [tick.label1.get_text() for tick in ax.xaxis.get_major_ticks() if tick.get_loc() <= samples / 16000]
    assert shown == [f"{tick} s" for tick in ticks.split()]


def test_what_is_no_sound_says_so():
    x = torch.zeros(1, 1, 64)
    a = wl.DWT("haar", levels=2).analysis(x)
    with pytest.raises(ValueError, match=r"the explained waveform \(1, channel, 64\); got \(1, 1, 63\)"):
        plots.sound(a, x[..., :-1], 8000)
    picture = wl.DWT("haar", levels=2).analysis(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="one target over one axis"):
        plots.sound(picture, x, 8000)
