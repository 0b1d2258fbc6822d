"""Figures with evidence and accounts: what is drawn has the numbers of the maps, and nothing that was there moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import cases
import wavelens as wl
from wavelens.grid import Grid
from wavelens.plots.evidence import signed_glow
from wavelens.plots.figure import Figure, extended
from wavelens.plots.parts import scale_end
from word_pairs import Smooth

DOMAIN = wl.DWT("haar", levels=2)


def explained(shape=(16, 16), method=None, domain=DOMAIN):
    net, x = cases.Net(shape).double().eval(), cases.signal(shape, 1)
    a = wl.attribute(net, x, 1, domain=domain, method=method or wl.IntegratedGradients(steps=4))
    return a, wl.shapley(net, x, 1, domain=domain) if len(a.layout.scales()) > 1 else None, x


def inches(figure, ax):
    """Where axes lie in inches from the upper left corner."""
    width, height = figure.get_size_inches()
    box = ax.get_position(original=True)
    return [box.x0 * width, height - box.y1 * height, box.width * width, box.height * height]


def test_a_figure_grows_below_and_nothing_in_it_moves():
    figure = Figure((4, 3))
    axes = [figure.add_axes(box) for box in ((0.1, 0.2, 0.3, 0.4), (0.5, 0.1, 0.2, 0.8))]
    text = figure.text(0.1, 0.9, "title")
    before = [inches(figure, ax) for ax in axes]
    extended(figure, 2.0)
    assert figure.get_size_inches().tolist() == [4, 5]
    np.testing.assert_allclose([inches(figure, ax) for ax in axes], before)
    assert (1 - text.get_position()[1]) * 5 == pytest.approx((1 - 0.9) * 3)


def test_bars_and_pairs_have_the_numbers_of_both_accounts():
    a, shapley, x = explained()
    figure = wl.plots.panel(a, x)
    count = len(figure.axes)
    assert wl.plots.add_accounts(figure, a, shapley) is figure
    bars, pairs = figure.axes[count:]
    widths = [patch.get_width() for patch in bars.patches]
    expected = [*wl.maps.profile(a).signed[0].tolist(), *shapley.values[0].tolist()]
    np.testing.assert_allclose(widths, expected, rtol=1e-12)
    shown = np.ma.filled(pairs.images[0].get_array().astype(float), np.nan)
    off = ~np.eye(len(shown), dtype=bool)
    np.testing.assert_allclose(shown[off], shapley.interaction[0].numpy()[off], rtol=1e-12)
    assert np.isnan(shown[~off]).all()
    texts = " ".join(" ".join(text.get_text().split()) for text in figure.texts)
    assert "The largest contributions are" in texts
    assert "exact, by 8 forward passes" in texts


def test_numbers_of_sampled_values_stand_beyond_their_error_bars():
    a, shapley, x = explained()
    error = shapley.values.abs() / 2
    figure = wl.plots.panel(a, x)
    count = len(figure.axes)
    wl.plots.add_accounts(figure, a, shapley._replace(interaction=None, standard_error=error))
    bars = figure.axes[count]
    ends = [text.xy[0] for text in bars.texts[-len(shapley.names) :]]
    np.testing.assert_allclose(ends, (1.5 * shapley.values[0]).tolist(), rtol=1e-12)
    low, high = bars.get_xlim()
    assert all(low < end < high for end in ends)


def test_without_values_a_reason_is_written_or_nothing():
    a, _, x = explained()
    height = wl.plots.panel(a, x).get_size_inches()[1]
    assert wl.plots.add_accounts(wl.plots.panel(a, x), a, None).get_size_inches()[1] == height
    figure = wl.plots.add_accounts(wl.plots.panel(a, x), a, None, reason="too many scales")
    assert figure.texts[-1].get_text() == "too many scales"


def test_signs_are_told_by_colour_and_by_stripes():
    heat = np.array([[1.0, -1.0], [0.0, 0.25]])
    shown = signed_glow(np.zeros((1, 2, 2)), heat, end=1.0)
    side = len(shown) // 2
    blocks = [shown[r * side : (r + 1) * side, c * side : (c + 1) * side] for r in (0, 1) for c in (0, 1)]
    positive, negative, nothing, weak = (block.reshape(-1, 3) for block in blocks)
    assert (positive == positive[0]).all()
    assert positive[0, 0] > positive[0, 2]  # orange
    lit = negative.sum(1) > 0
    assert 0.4 < lit.mean() < 0.6  # stripes
    assert (negative[lit][:, 2] > negative[lit][:, 0]).all()  # blue
    assert not nothing.any()
    np.testing.assert_allclose(weak[0], positive[0] / 2)  # under a square root


@pytest.mark.parametrize("shape", [(64,), (16, 16), (8, 8, 8)], ids=str)
def test_evidence_is_drawn_for_all_scales_and_for_each(shape):
    a, _, x = explained(shape)
    figure = wl.plots.panel(a, x)
    count = len(figure.axes)
    wl.plots.add_evidence(figure, a, x)
    maps = figure.axes[count:]
    assert len(maps) == (1 if len(shape) == 1 else 1 + len(a.layout.scales()))
    figure.canvas.draw()


@pytest.mark.parametrize("method", [wl.Saliency(), wl.SmoothGrad(samples=2)])
def test_a_gradient_alone_has_no_evidence(method):
    a, _, x = explained(method=method)
    figure = wl.plots.panel(a, x)
    count = len(figure.axes)
    assert len(wl.plots.add_evidence(figure, a, x).axes) == count


def test_methods_stand_side_by_side_in_domains_of_their_own():
    a, _, x = explained()
    other, _, _ = explained(domain=wl.Identity(), method=wl.Saliency())
    flat, _, _ = explained(domain=wl.Fourier())  # no places: no map
    figure = wl.plots.panel(a, x)
    count = len(figure.axes)
    wl.plots.add_methods(figure, (a, other, flat), x)
    assert [ax.get_title(loc="left") for ax in figure.axes[count:]] == [
        "integrated gradients · DWT",
        "saliency · identity",
    ]
    assert len(wl.plots.add_methods(figure, (a,), x).axes) == count + 2


def test_a_pane_over_time_has_the_signs_of_the_maps():
    a, _, x = explained((64,))
    figure = wl.plots.panel(a, x)
    wl.plots.add_evidence(figure, a, x)
    drawn = figure.axes[-1].collections[0].get_array().reshape(3, -1)
    cells, _ = wl.maps.time_frequency(a, 800, signed=True).cells()
    assert torch.equal(torch.from_numpy(np.sign(np.asarray(drawn))), cells[0].sign())


def test_the_total_of_a_signal_beside_others_is_that_of_all():
    from wavelens.plots.bars import _account

    x = torch.ones(1, 1, 4)
    several = wl.attribute(
        lambda image, text: (2 * image + 3 * text).sum((1, 2)),
        {"image": x, "text": x},
        None,
        domain={"image": wl.Identity(), "text": wl.Identity()},
        method=wl.IntegratedGradients(steps=1),
    )
    one = replace(several["image"], gap=several.joint.gap)
    assert _account(one, 0, 8.0) == "total +20, +12 of it elsewhere · gap +0"
    assert _account(several.joint, 0, 20.0) == "total +20 · gap +0"


@pytest.mark.parametrize(("shape", "heading"), [((3, 16, 16), "where words"), ((1, 64, 1), "when words")])
def test_words_of_both_texts_stand_below_and_say_where_or_when(shape, heading):
    pair, x = Smooth(shape), torch.rand(1, *shape, dtype=torch.float64)
    x = x[..., 0] if shape[2] == 1 else x
    method = wl.IntegratedGradients(steps=2)
    both = wl.pairs.both_sides(pair, x, "a dog", against="red bus", domain=DOMAIN, method=method)
    figure = wl.plots.add_sides(Figure((16.0, 2.0)), both, x)
    texts = [text.get_text() for text in figure.texts]
    assert [text for text in texts if text in both.words] == ["a", "dog", "red", "bus"]
    assert any(text.startswith(heading) for text in texts)
    titles = [ax.get_title("left") for ax in figure.axes]
    assert {"all words", "a", "dog", "red (against)", "bus (against)"} <= set(titles)
    assert any("(against) (" in text for text in texts)  # and in the sentences


def test_a_pane_over_time_goes_on_below_the_figures_time_axis_in_colours_of_its_own():
    a, _, x = explained((64,), domain=wl.DualTree(levels=2))
    figure = wl.plots.sound(a, x, 64)
    wave = figure.axes[0].get_position()
    wl.plots.add_evidence(figure, a, x, grid=Grid.sound(64))
    below = figure.axes[-1].get_position()
    assert (below.x0, below.x1) == pytest.approx((wave.x0, wave.x1))
    drawn = np.abs(np.asarray(figure.axes[-1].collections[0].get_array()))
    cells = wl.maps.time_frequency(a, 800, signed=True).cells()[0].abs()
    end = scale_end(cells[0].numpy())
    assert drawn.max() == pytest.approx(1)
    assert f"full colour from ±{end:.2g} per sample" in figure.texts[-1].get_text()
