"""A film shows the numbers of `maps`; courses keep what they show; an overlay glows where the map is."""

import matplotlib.image
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from wavelens import maps, plots
from wavelens.core import Coefficients
from wavelens.domains import DWT, Identity
from wavelens.frontends.video import Video

DOMAINS = [Identity(), DWT("haar", (2, 1, 1)), DWT("haar", (3, 0, 0)), DWT("db2", 1, "reflect")]
over_domains = pytest.mark.parametrize("domain", DOMAINS, ids=repr)


def explained(domain, shape=(8, 12, 10), batch=2):
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(batch, 3, *shape, generator=draw, dtype=torch.float64)
    layout = domain.analysis(x).layout
    return Coefficients(torch.randn(batch, 3, layout.size, generator=draw, dtype=torch.float64), layout), x


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
@over_domains
def test_courses_are_scale_maps_summed_over_the_other_axes(domain, axis, signed):
    c, _ = explained(domain)
    others = [k + 1 for k in range(3) if k != axis]
    courses = maps.courses(c, axis, signed=signed)
    for name, bands in maps.along(c.layout, axis).items():
        one = maps.spatial_map(c.only(*bands), signed=signed).sum(others)
        torch.testing.assert_close(courses[name], one, rtol=1e-10, atol=1e-10)
    total = maps.spatial_map(c, signed=signed).sum(others)
    torch.testing.assert_close(sum(courses.values()), total, rtol=1e-10, atol=1e-10)


def test_along_an_axis_bands_are_what_they_are_there():
    layout = DWT("haar", (2, 1)).layout((8, 8))
    found = {name: [str(band) for band in bands] for name, bands in maps.along(layout, 0).items()}
    assert found == {"a": ["aa2", "ad1"], "d2": ["da2"], "d1": ["da1", "dd1"]}
    assert list(maps.along(layout, 1)) == ["a", "d1"]


def test_a_flicker_is_d1_and_a_picture_is_a():
    x = torch.rand(1, 1, 1, 4, 4, dtype=torch.float64).expand(1, 1, 8, 4, 4)
    flicker = x * torch.tensor([1.0, -1.0]).repeat(4)[:, None, None]
    for signal, scale in ((x, "a"), (flicker, "d1")):
        c = DWT("haar", (3, 1, 1)).analysis(signal)
        for name, found in maps.courses(c, 0).items():
            assert (found.sum() > 1) == (name == scale)


@pytest.mark.parametrize("domain", DOMAINS[:2], ids=repr)
def test_a_film_has_its_rows_and_can_be_written(domain, tmp_path):
    a, x = explained(domain)
    figure = plots.film(a, x, item=1, title="a film", grid=Video(x[:1].float(), 20).grid)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "frames"
    assert titles.count("all scales") == 1
    for name, label in Video(x[:1].float(), 20).grid.labels(a.layout).items():
        assert f"{name} · {label}" in titles
    plots.save(figure, tmp_path / "film.png")
    pixels = matplotlib.image.imread(tmp_path / "film.png")
    assert pixels.shape[1] == 1600
    assert pixels[..., :3].std() > 0.05


def test_times_are_read_over_white_frames():
    a, x = explained(DOMAINS[0])
    figure = plots.film(a, torch.ones_like(x))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = next(ax for ax in figure.axes if ax.get_title(loc="left") == "frames").get_window_extent()
    shown = np.asarray(canvas.buffer_rgba())[::-1]  # from below, as boxes are counted
    corner = shown[int(box.y0) + 3 : int(box.y0) + 20, int(box.x0) + 3 : int(box.x0) + 40, :3]
    assert corner.min() < 60


def test_the_lines_of_a_film_are_the_courses():
    a, x = explained(DWT("haar", (2, 1, 1)))
    figure = plots.film(a, x, item=1, grid=Video(x[:1].float(), 20).grid)
    (ax,) = [ax for ax in figure.axes if ax.get_title(loc="left") == "|γ| of each scale of time"]
    expected = maps.courses(Coefficients(a.data[1][None], a.layout), 0)
    assert len(ax.lines) == len(expected)
    for line, found in zip(ax.lines, expected.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), found[0])
        np.testing.assert_allclose(line.get_xdata(), np.arange(8) / 20)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "a · stays",
        "d2 · 0.1–0.2 s",
        "d1 · 0.05–0.1 s",
    ]


@pytest.mark.parametrize(("frames", "fps"), [(8, 20), (16, 25), (10, 30), (32, 12.5), (9, 1.0), (24, None), (2, 10)])
def test_ticks_of_time_are_evenly_apart_and_round(frames, fps):
    a, x = explained(DWT("haar", (1, 1, 1)), (frames, 4, 4), batch=1)
    figure = plots.film(a, x, grid=Video(x.float(), fps).grid if fps else None)
    (ax,) = [ax for ax in figure.axes if ax.get_title(loc="left") == "|γ| of each scale of time"]
    low, high = ax.get_xlim()
    ticks = np.array([tick for tick in ax.get_xticks() if low - 1e-9 <= tick <= high + 1e-9])
    assert 2 <= len(ticks) <= 7
    step = np.diff(ticks)
    np.testing.assert_allclose(step, step[0], rtol=1e-9)
    assert f"{step[0]:.3e}"[:5] in ("1.000", "2.000", "5.000")
    top = max(line.get_ydata().max() for line in ax.lines)
    legend = ax.get_legend().get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert ax.transData.transform((0, top))[1] < legend.y0


def test_an_overlay_glows_where_the_map_is():
    a, x = explained(Identity(), (4, 40, 32), batch=1)
    lone = torch.zeros_like(a.data).unflatten(-1, (4, 40, 32))
    lone[0, 0, 2, 5, 7] = 1
    film = plots.overlay(Coefficients(lone.flatten(2), a.layout), x)
    assert film.shape == (1, 3, 4, 400, 320)
    assert film.min() >= 0
    assert film.max() <= 1
    grey = (0.6 * x.mean(1)[0]).float().repeat_interleave(10, 1).repeat_interleave(10, 2)
    changed = (film[0] - grey).abs().amax(0) > 1e-6
    expected = torch.zeros(4, 400, 320, dtype=torch.bool)
    expected[2, 50:60, 70:80] = True
    assert torch.equal(changed, expected)


def test_a_film_of_something_else_says_so():
    a, x = explained(Identity())
    with pytest.raises(ValueError, match=r"a film shows the explained video .* got \(2, 3, 4, 12, 10\) with"):
        plots.film(a, x[:, :, :4])
    with pytest.raises(ValueError, match="a film shows the explained video"):
        plots.overlay(a, x[:1])
