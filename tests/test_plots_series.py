"""Figures and reports of series: sums by channel and scale add up, and colours lie where the attribution lies."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

import wavelens as wl
from wavelens import plots, reports
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.plots.parts import NEGATIVE, POSITIVE
from wavelens.plots.series import channel_map, strongest_channels, tinted

NAMES = ("I", "II", "V1")


HAAR = wl.DWT("haar", levels=3)


def coefficients(domain=HAAR, channels=3, samples=64, dtype=torch.float64):
    layout = domain.layout((samples,))
    dtype = dtype.to_complex() if layout.is_complex else dtype
    data = torch.randn(1, channels, layout.size, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return Coefficients(data, layout)


def signal(channels=3, samples=64):
    return torch.randn(1, channels, samples, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def entry(a, x, **more):
    return reports.Entry(a, x, kind="series", grid=Grid.sound(64), channels=NAMES[: x.shape[1]], **more)


@pytest.mark.parametrize("domain", [wl.DWT("db2", levels=2), wl.Identity(), wl.STFT("hann", 16), wl.Cosine()], ids=repr)
def test_a_report_holds_sums_that_add_up(domain):
    a, x = coefficients(domain), signal()
    payload = entry(a, x, marks=[(20, 21)]).view.show(entry(a, x, marks=[(20, 21)]), 10**6).payload
    sums = np.array(payload["sums"])
    assert sums.shape == (3, len(a.layout.scales()))
    expected = wl.maps.profile(a).share if a.data.is_complex() else wl.maps.profile(a).signed
    assert np.allclose(sums.sum(0), expected[0].numpy(), rtol=2e-3, atol=2e-3)
    assert payload["channels"] == list(NAMES)
    assert (payload["samples"], payload["marks"]) == (64, [[20, 21]])
    assert len(payload["waves"]) == 3
    assert len(payload["maps"]["signed"]) == len(payload["maps"]["scales"])


def test_maps_of_a_channel_add_up_to_its_sum():
    a = coefficients(wl.DWT("db2", levels=2))
    torch.testing.assert_close(channel_map(a).sum(-1), a.data.sum(-1))


def test_the_strongest_channels_are_chosen_and_keep_their_order():
    a = coefficients(channels=4)
    a.data[:, 1] *= 10
    a.data[:, 3] *= 5
    assert strongest_channels(a, 2) == [1, 3]


def test_tints_are_white_at_zero_and_full_at_the_end():
    shades = tinted(np.array([0.0, 1.0, -1.0, 0.25]), 1.0)
    assert shades[0].tolist() == [1, 1, 1]
    for shade, colour in zip(shades[1:3], (POSITIVE, NEGATIVE), strict=True):
        full = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        assert np.allclose(shade, 1 - 0.85 * (1 - full))
    assert np.allclose(1 - shades[3], (1 - shades[1]) / 2)  # under a square root


def drawn(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(float)


def test_each_trace_lies_over_its_own_attribution():
    """One positive coefficient in the second half of the second channel colours that place alone, and orange."""
    a, x = coefficients(wl.Identity()), torch.zeros(1, 3, 64, dtype=torch.float64)
    a.data.zero_()
    a.data[0, 1, 40:48] = 1.0
    figure = plots.traces(a, x, channels=NAMES, grid=Grid.sound(64))
    pixels = drawn(figure)
    height = pixels.shape[0]
    rows = {ax.get_ylabel(): ax for ax in figure.axes if ax.get_ylabel() in NAMES}
    for name, ax in rows.items():
        box = ax.get_window_extent()
        inside = pixels[height - int(box.y1) + 4 : height - int(box.y0) - 4, int(box.x0) + 4 : int(box.x1) - 4]
        coloured = np.abs(inside - inside.mean(-1, keepdims=True)).max(-1) > 20
        if name != "II":
            assert not coloured.any()
            continue
        places = coloured.any(0).nonzero()[0] / coloured.shape[1]
        assert 0.61 < places.min() < 0.64
        assert 0.73 < places.max() < 0.76
        orange = inside[coloured].mean(0)
        assert orange[0] > orange[2] + 50


@pytest.mark.parametrize(
    ("domain", "channels"),
    [(wl.DWT("haar", 2), 1), (wl.DWT("haar", 2), 30), (wl.STFT("hann", 16), 2), (wl.Cosine(), 2)],
)
def test_figures_of_one_and_of_many_channels(domain, channels):
    a = coefficients(domain, channels)
    figure = plots.traces(a, signal(channels))
    labels = [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel().startswith("channel")]
    assert len(labels) == min(channels, 24)
    assert ("the 24 of 30" in figure.axes[0].get_title(loc="left")) == (channels == 30)
    assert drawn(figure).std() > 1


def test_small_values_share_an_exponent_and_marks_leave_the_title_free():
    a = coefficients(wl.DWT("haar", 2))
    a.data.mul_(1e-6)
    figure = plots.traces(a, signal(), marks=[(3, 9)], grid=Grid.sound(64))
    drawn(figure)
    bar = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith("|γ| per"))
    assert bar.get_xlabel().startswith("× 10⁻")
    assert not any("e" in text.get_text() for text in bar.get_yticklabels())
    (marker,) = (line for line in figure.axes[0].lines if line.get_marker() == "v")
    title = next(
        text for text in figure.axes[0].findobj() if getattr(text, "get_text", str)().startswith("traces over")
    )
    assert not marker.get_window_extent().overlaps(title.get_window_extent())


def test_what_does_not_fit_is_one_line():
    a = coefficients()
    with pytest.raises(ValueError, match=r"traces show one target over one axis.*x \(1, 3, 63\)"):
        plots.traces(a, signal(samples=63))
    with pytest.raises(ValueError, match="channels must name each of 3 channels; got 2"):
        plots.traces(a, signal(), channels=("a", "b"))
    with pytest.raises(ValueError, match="channels must name each of 3 channels; got 1"):
        reports.Entry(a, signal(), channels=("a",))
