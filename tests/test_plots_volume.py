"""Slices, montage and page show the maps' numbers, in the proportions of the scan, and the page needs nothing else."""

import base64
import json
import re

import numpy as np
import pytest
import torch

from test_plots import cell, explained
from wavelens import maps, plots
from wavelens.core import Coefficients
from wavelens.domains import DWT, Identity
from wavelens.grid import Grid
from wavelens.plots.parts import MAGNITUDE

GRID = Grid((1.0, 2.0, 4.0), ("mm",) * 3)
SHAPE = (12, 10, 8)


@pytest.fixture
def case():
    return explained(SHAPE, 1, DWT("haar", levels=2))


def pictures(figure, column):
    """The pictures of a column of slices, from above."""
    left = cell(figure, column).get_position().x0
    found = [ax for ax in figure.axes if ax.images and abs(ax.get_position().x0 - left) < 1e-6]
    return sorted(found, key=lambda ax: -ax.get_position().y0)


def expected_glow(grey, found, norm_end):
    strength = np.sqrt((found / norm_end).clip(0, 1))[..., None]
    return 0.6 * grey[..., None] * (1 - strength) + MAGNITUDE(strength[..., 0])[..., :3] * strength


@pytest.mark.parametrize(("column", "scale"), [("all scales", None), ("a2", "a2"), ("d1", "d1")])
def test_slices_show_the_input_and_the_maps_where_they_meet(case, column, scale):
    a, x = case
    at = (3, 7, 2)
    figure = plots.slices(a, x, item=1, at=at, grid=GRID)
    one = Coefficients(a.data[1:2], a.layout)
    values = (maps.scale_maps(one)[scale] if scale else maps.spatial_map(one))[0].numpy()
    low, high = np.percentile(x[1, 0], (0.5, 99.5))
    grey = ((x[1, 0].numpy() - low) / (high - low)).clip(0, 1)
    for axis, (shown, over) in enumerate(zip(pictures(figure, "input"), pictures(figure, column), strict=True)):
        np.testing.assert_allclose(shown.images[0].get_array(), grey.take(at[axis], axis).T, atol=1e-12)
        found = expected_glow(grey.take(at[axis], axis).T, values.take(at[axis], axis).T, plots.common_scale(one))
        np.testing.assert_allclose(over.images[0].get_array(), found, atol=1e-6)
        bottom, top = over.get_ylim()
        assert bottom < top  # the later axis grows upwards


def test_slices_lie_where_the_planes_hold_most(case):
    _, x = case
    spike = torch.zeros(2, 1, *SHAPE, dtype=torch.float64)
    spike[0, 0, 5, 9, 1] = 1
    b = Identity().analysis(spike)
    figure = plots.slices(b, x)
    labels = [ax.get_ylabel() for ax in pictures(figure, "input")]
    assert labels == ["axis 1: 6 of 12", "axis 2: 10 of 10", "axis 3: 2 of 8"]


def test_slices_have_the_proportions_of_the_scan(case):
    figure = plots.slices(*case, grid=GRID)
    figure.canvas.draw()
    boxes = [ax.get_position(original=False) for ax in pictures(figure, "all scales")]
    width, height = figure.get_size_inches()
    sizes = [(box.width * width, box.height * height) for box in boxes]
    millimetres = [(10 * 2, 8 * 4), (12, 8 * 4), (12, 10 * 2)]  # across the first axis: the second and the third, …
    unit = sizes[0][0] / millimetres[0][0]
    np.testing.assert_allclose(sizes, np.array(millimetres) * unit, rtol=1e-3)


def test_scales_are_named_in_millimetres(case):
    figure = plots.slices(*case, grid=GRID, title="a scan")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert "d2 · 2–4 × 4–8 × 8–16 mm" in titles
    assert "share of Σ|γ|" in titles
    assert figure.texts[0].get_text() == "a scan"


def test_a_montage_goes_from_the_first_slice_to_the_last(case):
    a, x = case
    figure = plots.montage(a, x, axis=1, count=4, scale="d1", grid=GRID)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    shown = [title for title in titles if title.startswith("axis")]
    assert shown == ["axis 2: 1 of 10", "axis 2: 4 of 10", "axis 2: 7 of 10", "axis 2: 10 of 10"]
    assert figure.texts[0].get_text().endswith("d1 · 1–2 × 2–4 × 4–8 mm")
    one = Coefficients(a.data[:1], a.layout)
    values = maps.scale_maps(one)["d1"][0].numpy().take(6, 1).T
    low, high = np.percentile(x[0, 0], (0.5, 99.5))
    grey = ((x[0, 0].numpy() - low) / (high - low)).clip(0, 1).take(6, 1).T
    picture = cell(figure, "axis 2: 7 of 10").images[0].get_array()
    np.testing.assert_allclose(picture, expected_glow(grey, values, plots.common_scale(one)), atol=1e-6)
    assert len([t for t in plots.montage(a, x).axes if t.get_title(loc="left").startswith("axis")]) == 8


def traces(page):
    """What the page draws, decoded."""
    start = page.index("Plotly.newPlot(")
    data, end = json.JSONDecoder().raw_decode(page, page.index("[", start))
    layout, _ = json.JSONDecoder().raw_decode(page, page.index("{", end))
    return {trace["name"]: trace for trace in data}, layout


def decoded(array):
    return np.frombuffer(base64.b64decode(array["bdata"]), dtype=array["dtype"])


@pytest.mark.needs("plotly")
def test_the_page_holds_the_maps_at_their_places(case):
    a, x = case
    found, layout = traces(plots.scene(a, x, item=1, grid=GRID, title="<scan>"))
    one = Coefficients(a.data[1:2], a.layout)
    assert list(found) == ["input", "all scales", "a2", "d2", "d1", "inside", "planes"]
    for name, values in {"all scales": maps.spatial_map(one), **maps.scale_maps(one)}.items():
        np.testing.assert_allclose(decoded(found[name]["value"]), values.flatten(), rtol=1e-6)
        assert found[name].get("visible", True) == (name == "all scales")
        assert found[name]["cmax"] == pytest.approx(plots.common_scale(one))
        above = values[values >= found[name]["isomin"] * (1 - 1e-6)]
        assert above.sum() / values.sum() == pytest.approx(0.5, abs=0.03)  # half of it lies in the outermost shell
    index = np.ravel_multi_index((3, 4, 5), SHAPE)
    assert [float(decoded(found["d1"][axis])[index]) for axis in "xyz"] == [3.0, 8.0, 20.0]
    assert layout["title"]["text"] == "&lt;scan&gt;"
    lengths = [step * (n - 1) for step, n in zip(GRID.spacing, SHAPE, strict=True)]
    ratio = [layout["scene"]["aspectratio"][axis] for axis in "xyz"]
    assert layout["scene"]["aspectmode"] == "manual"
    assert ratio == pytest.approx([3**0.5 * length / np.linalg.norm(lengths) for length in lengths])
    (menu, around), (slider,) = layout["updatemenus"], layout["sliders"]
    assert menu["type"] == "dropdown"  # buttons side by side end beyond a narrow page
    assert [button["label"] for button in menu["buttons"]][1] == "a2 · > 4 × > 8 × > 16 mm"
    assert menu["buttons"][3]["args"] == [{"visible": [False, False, False, True]}, [1, 2, 3, 4]]  # d1; the rest stays
    shown = {button["label"]: button["args"][0]["visible"] for button in around["buttons"]}
    assert around["buttons"][0]["args"][1] == [0, 5, 6, 7, 8]  # the surface, what is inside it, three planes
    assert shown["around it: surfaces"] == [True, True, False, False, False]
    assert shown["around it: planes"] == [False, False, True, True, True]
    assert not any(shown["around it: nothing"])
    start = slider["steps"][slider["active"]]["args"][0]["isomin"]
    assert start == [found[name]["isomin"] for name in list(found)[1:5]]


@pytest.mark.needs("plotly")
def test_the_page_is_complete_in_itself(case):
    page = plots.scene(*case)
    assert len(page) > 3_000_000  # plotly.js is in it
    assert re.search("<title>(.+?)</title>", page)[1] == "explanation"
    assert not re.search(r"<script[^>]*\ssrc=|<link[^>]*\shref=", page)


@pytest.mark.needs("plotly")
def test_large_volumes_are_shown_by_means_over_blocks():
    a, x = explained((88, 50, 4), 1, DWT("haar", levels=1))
    found, _ = traces(plots.scene(a, x, grid=Grid((0.5, 1.0, 1.0), ("mm",) * 3)))
    values = torch.nn.functional.adaptive_avg_pool3d(maps.spatial_map(a)[:1], (44, 44, 4))
    np.testing.assert_allclose(decoded(found["all scales"]["value"]), values.flatten(), rtol=1e-5)
    places = np.unique(decoded(found["input"]["x"]))
    np.testing.assert_allclose(places, 0.25 + np.arange(44), atol=1e-6)


@pytest.mark.needs("plotly")
def test_an_attribution_of_zeros_is_drawn_as_nothing(case):
    a, x = case
    nothing = Coefficients(torch.zeros_like(a.data), a.layout)
    found, _ = traces(plots.scene(nothing, torch.zeros_like(x)))
    assert decoded(found["all scales"]["value"]).max() == 0
    assert plots.slices(nothing, torch.zeros_like(x)).axes


def test_what_is_no_volume_says_so(case):
    a, x = case
    picture = DWT("haar", levels=1).analysis(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"a volume must have three axes .* got axes \(8, 8\)"):
        plots.slices(picture, torch.zeros(1, 1, 8, 8))
    with pytest.raises(
        ValueError, match=r"x must be the explained volume \(2, channel, 12, 10, 8\); got \(2, 1, 8, 8, 8\)"
    ):
        plots.montage(a, torch.zeros(2, 1, 8, 8, 8))
    with pytest.raises(ValueError, match=r"at must be a voxel of the volume \(12, 10, 8\); got \(0, 0, 8\)"):
        plots.slices(a, x, at=(0, 0, 8))
    with pytest.raises(ValueError, match="scale must be one of a2, d2, d1, or None for all; got 'd3'"):
        plots.montage(a, x, scale="d3")
    with pytest.raises(ValueError, match="axis must be 0, 1 or 2 and count at least 1; got axis=3 and count=24"):
        plots.montage(a, x, axis=3)
