"""Panels show the numbers of `maps`, on one scale, for signals of one to three axes, and can be read."""

import itertools
from dataclasses import dataclass

import matplotlib.image
import matplotlib.pyplot
import numpy as np
import pytest
import torch
from torch import Tensor

import wavelens as wl
from wavelens import maps, plots
from wavelens.core import Coefficients
from wavelens.domains import DWT, ConstantQ, DualTree, Fourier, Identity, Packets, Shearlets, Stationary
from wavelens.grid import Grid
from wavelens.plots.parts import MAGNITUDE
from wavelens.plots.views import VIEWS

torch.set_num_threads(1)

PANELS = [
    ((32, 32), 3, DWT("haar", levels=3)),
    ((32, 32), 1, DWT("haar", levels=5)),
    ((30, 21), 3, DWT("db4", levels=3, mode="reflect")),
    ((12, 96), 1, DWT("haar", levels=3)),
    ((8, 8), 3, DWT("haar", levels=1)),
    ((16, 16), 1, Identity()),
    ((1, 1), 1, Identity()),
    ((4000,), 1, DWT("db4", levels=5)),
    ((33,), 2, Identity()),
    ((28, 28, 28), 1, DWT("haar", levels=2)),
]
OTHERS = [  # without a mosaic
    ((32, 32), 3, Packets("haar", levels=4)),
    ((33, 47), 1, Shearlets(3)),
    ((32, 40), 3, Stationary("db2", levels=2)),
    ((32, 32), 1, DualTree(levels=2)),
    ((32, 32), 3, Fourier()),
    ((9, 8, 10), 1, Fourier()),
    ((9, 8, 10), 1, Stationary("haar", levels=1)),
    ((4000,), 1, Packets("db4", levels=6)),
    ((4000,), 1, ConstantQ(3)),
]
over_panels = pytest.mark.parametrize(("shape", "channels", "domain"), PANELS[::4], ids=repr)


@dataclass(frozen=True, eq=False)
class Explained(Coefficients):
    """What an attribution carries besides its coefficients."""

    method: str = "IntegratedGradients(steps=25)"
    target: str = "285"
    gap: Tensor | None = None
    standard_error: Tensor | None = None


def explained(shape, channels, domain, size=1.0):
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(2, channels, *shape, generator=draw, dtype=torch.float64)
    z = domain.analysis(x)
    weights = torch.randn(z.data.shape, generator=draw, dtype=torch.float64)
    return Coefficients(size * z.data.real * weights, z.layout), x


def cell(figure, title):
    (found,) = (ax for ax in figure.axes if ax.get_title(loc="left").startswith(title))
    return found


def texts(figure):
    every = [*figure.texts, *figure.axes]
    shown = [part for part in every if getattr(part, "axison", True)]
    found = [text for part in shown for text in part.findobj(matplotlib.text.Text) if text.get_text().strip()]
    return list({id(text): text for text in found if text.get_visible()}.values())


@pytest.mark.parametrize(("size", "panel"), list(zip([1.0, 1e-6, 1e6] * 7, PANELS + OTHERS, strict=False)), ids=repr)
def test_no_text_lies_on_another_or_outside_the_figure(size, panel):
    shape, channels, domain = panel
    a, x = explained(shape, channels, domain, size)
    errors = torch.full((2, len(a.layout.scales())), 0.05)
    a = Explained(a.data, a.layout, gap=torch.tensor([-1e-3, 2.0 + 1e-3]), standard_error=errors)
    figure = plots.panel(a, x, item=1)
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    crossing = [(s, t) for (s, a), (t, b) in itertools.combinations(boxes, 2) if a.padded(-1).overlaps(b)]
    assert len(boxes) > 10
    assert crossing == []
    frame = figure.bbox
    assert [text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > frame.x1 or box.y1 > frame.y1] == []


@pytest.mark.parametrize(
    ("shape", "levels", "units"), [((64, 126), 4, ("bands", "s")), ((24, 32, 32), 3, ("s", "px", "bands"))]
)
def test_names_of_scales_in_several_units_stay_over_their_maps(shape, levels, units):
    a, x = explained(shape, 1, DWT("haar", levels))
    grid = Grid((0.016,) * len(shape), units)
    figure = (plots.panel if len(shape) == 2 else plots.slices)(a, x, grid=grid)
    figure.draw_without_rendering()
    boxes = [
        text.get_window_extent() for text in texts(figure) if " · " in text.get_text() and " × " in text.get_text()
    ]
    assert len(boxes) == levels + 1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("strongest", [0, 31])
def test_of_many_bars_the_longest_has_its_number(strongest):
    layout = Packets("haar", levels=5).layout((64, 64))
    a, name = Coefficients(torch.full((1, 1, layout.size), 1e-6), layout), list(layout.scales())[strongest]
    for band in layout.scales()[name]:
        a[band][:] = 1
    left = cell(plots.panel(a, torch.rand(1, 3, 64, 64)), "share of")
    assert name in [label.get_text() for label in left.get_yticklabels()]
    assert "100%" in [text.get_text() for text in left.texts]


@over_panels
def test_profile_bars_are_the_profile(shape, channels, domain):
    a, x = explained(shape, channels, domain)
    figure, expected = plots.panel(a, x, item=1), maps.profile(a)
    for title, values in (("share", expected.share[1]), ("signed", expected.signed[1])):
        ax = cell(figure, title)
        assert [bar.get_width() for bar in ax.patches] == pytest.approx(values.tolist())
        low, high = ax.get_xlim()
        assert all(low <= value <= high for value in values.tolist())
    assert [label.get_text() for label in cell(figure, "share").get_yticklabels()] == list(expected.names)
    total = float(expected.signed[1].sum())
    printed = cell(figure, "signed").get_xlabel().removeprefix("total ").replace("−", "-")
    assert float(printed) == pytest.approx(total, rel=5e-3)


def test_mosaic_shows_the_density_of_the_coefficients_and_a_border_a_band():
    a, x = explained((32, 32), 3, DWT("haar", levels=3))
    ax = cell(plots.panel(a, x, item=1), "mosaic")
    expected = maps.mosaic(maps.density(a))[1, 0]
    np.testing.assert_allclose(ax.images[0].get_array(), expected)
    borders = {(p.get_y() + 0.5, p.get_x() + 0.5, p.get_height(), p.get_width()) for p in ax.patches}
    places = maps.mosaic_slices(a.layout).values()
    assert borders == {(r.start, c.start, r.stop - r.start, c.stop - c.start) for r, c in places}


def test_overlays_leave_the_grey_picture_where_nothing_is_attributed_and_cover_it_where_much_is():
    a, x = explained((16, 16), 1, DWT("haar", levels=2))
    a.data.zero_()
    corner = a[a.layout.scales()["d1"][0]]
    corner[0, 0, :2, :2] = 1.0
    picture = cell(plots.panel(a, x), "d1").images[0].get_array()
    np.testing.assert_allclose(picture[8:, 8:], 0.6 * x[0, 0, 8:, 8:, None].expand(-1, -1, 3))
    np.testing.assert_allclose(picture[0, 0], MAGNITUDE(1.0)[:3])
    untouched = cell(plots.panel(a, x), "d2").images[0].get_array()
    np.testing.assert_allclose(untouched, 0.6 * x[0, 0, ..., None].expand(-1, -1, 3))


@over_panels
def test_one_scale_serves_a_figure_and_ends_where_it_is_told(shape, channels, domain):
    a, x = explained(shape, channels, domain)
    for shared, end in ((7.5, 7.5), (None, plots.common_scale(Coefficients(a.data[:1], a.layout)))):
        figure = plots.panel(a, x, shared_scale=shared)
        assert cell(figure, "mosaic").images[0].norm.vmax == pytest.approx(end)
        assert cell(figure, "|γ| per").get_ylim() == pytest.approx((0, end))


def test_common_scale_is_a_percentile_of_what_is_not_zero():
    a, _ = explained((16, 16), 3, DWT("haar", levels=2))
    found = maps.spatial_map(a).flatten()
    assert plots.common_scale(a) == pytest.approx(torch.quantile(found, 0.99).item())
    padded = Coefficients(torch.cat([a.data, torch.zeros_like(a.data)]), a.layout)
    assert plots.common_scale(padded) == pytest.approx(plots.common_scale(a))
    assert plots.common_scale(a.map(torch.zeros_like)) == 1.0


@pytest.mark.parametrize("tone", [1, 3, 9])
def test_colours_of_a_few_strong_points_end_among_them(tone):
    data = torch.full((1, 1, 1000), 1e-9)
    data[..., :tone] = torch.arange(1.0, tone + 1)
    a = Coefficients(data, Identity().layout((1000,)))
    end = plots.common_scale(a)
    assert data[data > end].sum() <= data.sum() / 2 <= data[data >= end].sum() * (1 + 1e-6)


@over_panels
def test_an_attribution_of_zeros_is_drawn(shape, channels, domain):
    a, x = explained(shape, channels, domain)
    figure = plots.panel(a.map(torch.zeros_like), x)
    figure.draw_without_rendering()
    assert cell(figure, "signed").get_xlabel() == "total +0"


def test_header_and_account_come_from_the_attribution():
    a, x = explained((8, 8), 1, DWT("haar", levels=1))
    a = Explained(a.data, a.layout, gap=torch.tensor([0.25, -2.347]))
    figure = plots.panel(a, x, item=1)
    assert [text.get_text() for text in figure.texts] == [
        "target 285",
        "Integrated gradients, 25 steps · DWT, haar, 1 level",
    ]
    assert cell(figure, "signed").get_xlabel().endswith(" · gap −2.35")
    assert plots.panel(a, x, title="tabby").texts[0].get_text() == "tabby"


def test_scales_are_named_with_their_sizes():
    a, x = explained((32, 32), 1, DWT("haar", levels=3))
    names = [ax.get_title(loc="left") for ax in plots.show(a, x).axes]
    assert [name for name in names if "·" in name] == ["a3 · > 8 px", "d3 · 4–8 px", "d2 · 2–4 px", "d1 · 1–2 px"]


def test_without_places_the_parts_of_the_input_stand_for_maps():
    a, x = explained((16, 16), 3, Fourier(levels=2))
    assert [maps.has_places(domain.layout((16, 16))) for domain in (Fourier(), Shearlets(1), Identity())] == [0, 1, 1]
    figure = plots.panel(a.map(lambda data: data.real), x, item=1)
    parts = maps.contributions(Fourier(levels=2).analysis(x[1:]))
    strong = max(np.percentile(parts[name][0].abs(), 99.5) for name in ("d2", "d1"))
    for name, part in parts.items():
        expected = part[0] if name == "a2" else 0.5 + 0.5 * part[0] / strong
        shown = cell(figure, f"{name} ·").images[0].get_array()
        np.testing.assert_allclose(shown, expected.permute(1, 2, 0).clip(0, 1), atol=1e-12)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert "all scales" not in titles
    assert not any(title.startswith("|γ| per") for title in titles)


@pytest.mark.parametrize(("count", "rows"), [(8, 1), (9, 2), (16, 2), (33, 5)])
def test_many_scales_stand_in_several_rows(count, rows):
    cells = VIEWS[2].arrange((32, 32), count, True, True)
    assert len({box.top for box in cells.scales}) == rows
    assert len(cells.scales) == count
    assert min(box.width for box in cells.scales) > 1
    assert max(box.top + box.height for box in cells.scales) < cells.height


def test_save_writes_the_picture_and_pyplot_knows_nothing_of_it(tmp_path):
    a, x = explained((8, 8), 3, Identity())
    figure = plots.show(a, x)
    plots.save(figure, tmp_path / "panel.png", dpi=50)
    height, width = matplotlib.image.imread(tmp_path / "panel.png").shape[:2]
    assert (width, height) == tuple((50 * figure.get_size_inches()).astype(int))
    assert matplotlib.pyplot.get_fignums() == []


def test_what_cannot_be_drawn_is_said():
    a, x = explained((8, 8), 3, DWT("haar", levels=1))
    with pytest.raises(ValueError, match=r"\(2, channel, 8, 8\); got \(2, 3, 8, 4\)"):
        plots.panel(a, x[..., :4])
    with pytest.raises(ValueError, match=r"\(2, channel, 8, 8\); got \(1, 3, 8, 8\)"):
        plots.panel(a, x[:1])
    with pytest.raises(ValueError, match=r"one target: .* got \(1, 2, 3, 64\)"):
        plots.panel(Coefficients(a.data[None], a.layout), x)
    four, y = explained((2, 2, 2, 2), 1, Identity())
    with pytest.raises(ValueError, match="1, 2 or 3 axes; got 4"):
        plots.panel(four, y)


@pytest.mark.parametrize("domain", [wl.ConstantQ(per_octave=2), wl.STFT("hann", 8)], ids=repr)
def test_a_picture_whose_scales_lie_along_one_axis_says_why_it_is_striped(domain):
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    said = "These scales lie along axis 2 of 2 alone: each line along it is read by itself, so maps are striped."
    a = domain.analysis(x)
    assert wl.maps.scaled_axes(a.layout) == (1,)
    assert said in [text.get_text() for text in wl.plots.panel(a, x).texts]
    assert said in wl.reports.section(wl.reports.Entry(a, x)).html
    other = wl.DWT("haar", 2).analysis(x)
    assert not any("striped" in text.get_text() for text in wl.plots.panel(other, x).texts)
    assert "striped" not in wl.reports.section(wl.reports.Entry(other, x)).html
