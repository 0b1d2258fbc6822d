"""The figure of minimal inputs shows the numbers and the pictures that were found."""

import numpy as np
import pytest
import torch

import wavelens as wl
from wavelens import masks
from wavelens.grid import Grid


def weighted(x):
    return (x * torch.linspace(-1, 2, x[0].numel()).view_as(x[0])).flatten(1).sum(1)


def found(shape, alpha, channels=3):
    x = torch.rand(2, channels, *shape, generator=torch.Generator().manual_seed(0))
    return x, masks.minimal(weighted, x, None, domain=wl.DWT("haar", 1), alpha=alpha, steps=25)


@pytest.mark.parametrize("alpha", [[1.0, 50.0, 200.0], 20.0], ids=str)
@pytest.mark.parametrize("item", [0, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_captions_and_front(alpha, item, channels):
    x, result = found((8, 6), alpha, channels)
    axes = wl.plots.minimal(result, x, item, title="a title").axes
    several = isinstance(alpha, list)
    rebuilt = result.rebuilt if several else result.rebuilt[None]
    zeros = result.sparsity if several else result.sparsity[None]
    after = result.after if several else result.after[None]
    for ax, picture in zip(axes, [x, *rebuilt], strict=False):
        shown = np.asarray(ax.images[0].get_array()).reshape(8, 6, -1)
        assert np.allclose(shown, picture[item].clamp(0, 1).movedim(0, -1).numpy())
    for k, ax in enumerate(axes[1 : len(rebuilt) + 1]):
        assert f"{zeros[k, item]:.1%} zeros, score {after[k, item]:.2f}" in ax.get_title()
    front = next(ax for ax in axes if "front" in ax.get_title() or "zeros against" in ax.get_title())
    dashes, line = front.lines
    assert np.allclose(line.get_xdata(), zeros[:, item])
    assert np.allclose(line.get_ydata(), after[:, item])
    assert dashes.get_ydata()[0] == pytest.approx(result.before[item].item())


@pytest.mark.parametrize("shape", [(16,), (4, 6, 8)], ids=str)
def test_other_signals_have_the_charts_alone(shape):
    x, result = found(shape, [1.0, 20.0])
    axes = wl.plots.minimal(result, x).axes
    assert len(axes) == 2
    assert not any(ax.images for ax in axes)


@pytest.mark.parametrize("alpha", [[1.0, 50.0, 200.0], 20.0], ids=str)
def test_scales_have_what_is_kept_of_them_and_their_unit(alpha):
    x, result = found((8, 6), alpha)
    chart = wl.plots.minimal(result, x, 1, grid=Grid((0.5, 0.5), ("m", "m"))).axes[-1]
    assert [text.get_text() for text in chart.get_yticklabels()] == ["a1 · > 1 m", "d1 · 0.5–1 m"]
    assert chart.yaxis_inverted()  # the coarsest on top
    several = isinstance(alpha, list)
    approximation = result.mask.data[..., : 4 * 3]
    kept = [part.flatten(-2).mean(-1)[..., 1] for part in (approximation, result.mask.data[..., 4 * 3 :])]
    for k, line in enumerate(chart.lines):
        assert np.allclose(line.get_xdata(), [part[k] if several else part for part in kept])
        assert line.get_label() == f"α = {alpha[k] if several else alpha:g}"


def test_another_signal_is_refused():
    x, result = found((8, 6), [1.0])
    with pytest.raises(ValueError, match=r"x must be the signal that was masked, \(2, 3, 8, 6\); got \(1, 3, 8, 6\)"):
        wl.plots.minimal(result, x[:1])
