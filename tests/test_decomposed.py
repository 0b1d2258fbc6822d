"""A signal taken apart scale by scale adds up again, and its pictures show just that."""

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import over_pairs, relative, signal
from wavelens import masks, plots
from wavelens.core import Coefficients
from wavelens.grid import Grid
from wavelens.wording import in_words


def attribution(domain, shape, batch=3, channels=2):
    layout = domain.analysis(torch.zeros(1, 1, *shape, dtype=torch.float64)).layout
    source = torch.Generator().manual_seed(3)
    return Coefficients(torch.randn(batch, channels, layout.size, generator=source, dtype=torch.float64), layout)


@over_pairs
def test_scales_alone_add_up_to_what_is_kept_and_with_what_is_dropped_to_the_input(domain, shape):
    x = signal(shape)
    mask = masks.top(attribution(domain, shape), 0.3)
    found = masks.decompose(x, mask)
    assert list(found.alone) == list(found.so_far) == list(mask.layout.scales())
    assert relative(sum(found.alone.values()), mask.apply(x)) < 1e-11
    assert relative(sum(found.alone.values()) + found.dropped, x) < 1e-11
    running = torch.zeros_like(x)
    for scale, so_far in found.so_far.items():
        chosen = Coefficients(masks.scale(mask, scale).data * mask.data, mask.layout)
        running = running + masks.Mask(chosen.data, mask.layout).apply(x)
        assert relative(so_far, running) < 1e-11


@over_pairs
def test_ones_give_the_input_and_nothing_is_dropped(domain, shape):
    x = signal(shape)
    found = masks.decompose(x, masks.top(attribution(domain, shape), 1))
    assert relative(list(found.so_far.values())[-1], x) < 1e-11
    assert found.dropped.abs().max() < 1e-11 * x.abs().max()
    assert all((kept == 1).all() and kept.shape == (len(x),) for kept in found.kept.values())


def test_kept_is_the_share_of_each_scale_for_each_item():
    a = attribution(wl.DWT("haar", levels=2), (8, 12))
    mask = masks.top(a, 0.25, reduce=torch.abs)  # each channel by itself
    found = masks.decompose(signal((8, 12)), mask)
    sizes = {scale: sum(band.size for band in bands) for scale, bands in a.layout.scales().items()}
    total = sum(found.kept[scale] * size for scale, size in sizes.items())
    assert torch.allclose(total, torch.full((3,), 24.0, dtype=torch.float64))
    coarse = mask.data[..., : sizes["a2"]].mean((1, 2))
    assert torch.equal(found.kept["a2"], coarse)


def test_an_item_is_the_same_alone_and_one_mask_serves_all():
    a, x = attribution(wl.DWT("db4", levels=2), (12, 17)), signal((12, 17))
    whole = masks.decompose(x, masks.top(a, 0.2))
    for k in range(3):
        one = masks.decompose(x[k : k + 1], masks.top(Coefficients(a.data[k : k + 1], a.layout), 0.2))
        assert all(torch.equal(one.kept[scale], whole.kept[scale][k : k + 1]) for scale in one.alone)
        assert all(relative(one.alone[scale], whole.alone[scale][k : k + 1]) < 1e-14 for scale in one.alone)
    shared = masks.decompose(x, masks.scale(a, "d1"))
    assert [share.tolist() for share in shared.kept.values()] == [[0, 0, 0], [0, 0, 0], [1, 1, 1]]


def drawn(figure):
    """The pictures of a figure, row by row as they lie, with their captions."""
    axes = sorted(figure.axes, key=lambda ax: (-round(ax.get_position().y0, 3), ax.get_position().x0))
    return [(ax.get_title(loc="left"), np.asarray(ax.images[0].get_array())) for ax in axes]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("item", [0, 1])
def test_pictures_are_those_of_the_masks(channels, item):
    source = torch.Generator().manual_seed(0)
    x = torch.rand(2, channels, 16, 12, generator=source, dtype=torch.float64)
    domains = [wl.DWT("haar", levels=2), wl.DWT("bior2.2", levels=1)]
    several = [attribution(domain, (16, 12), 2, channels) for domain in domains]
    figure = plots.decomposed(several, x, 0.2, item=item, title="a title")
    pictures = drawn(figure)
    assert len(pictures) == 2 * 4 + 2 * 3
    for a, found in zip(several, (pictures[:8], pictures[8:]), strict=True):
        part = masks.decompose(x, masks.top(a, 0.2))
        upper, lower = found[: len(found) // 2], found[len(found) // 2 :]
        whole = [x, *part.so_far.values()]
        for (_, shown), expected in zip(upper, whole, strict=True):
            assert np.allclose(shown.reshape(16, 12, -1), expected[item].movedim(0, -1).clamp(0, 1))
        first = next(iter(part.alone))
        dropped = part.dropped[item].movedim(0, -1).clamp(0, 1)  # some of it from the approximation: not around grey
        assert np.allclose(lower[0][1].reshape(16, 12, -1), dropped)
        assert np.allclose(lower[1][1].reshape(16, 12, -1), part.alone[first][item].movedim(0, -1).clamp(0, 1))
        for scale, (caption, _) in zip(part.alone, lower[1:], strict=True):
            assert f"{100 * float(part.kept[scale][item]):.3g} % of it kept" in caption
            assert caption.startswith(f"{scale} · ")
    texts = " ".join(text.get_text() for text in figure.texts)
    assert all(in_words(domain) in texts for domain in domains)
    assert "a title" in texts


def test_details_have_one_contrast_and_add_up_to_the_input_with_what_is_dropped():
    source = torch.Generator().manual_seed(1)
    x = 0.5 + 0.1 * torch.rand(1, 1, 16, 16, generator=source, dtype=torch.float64)
    a = attribution(wl.DWT("db4", levels=3), (16, 16), 1, 1)
    a.data[..., :4] = 100  # the approximation is kept
    figure = plots.decomposed(a, x, 0.5)
    gain = float(next(t.get_text() for t in figure.texts if "contrast" in t.get_text()).split("× ")[1].split()[0])
    lower = drawn(figure)[5:]
    unclipped = np.all([(shown > 0) & (shown < 1) for _, shown in lower], axis=0)
    part = masks.decompose(x, masks.top(a, 0.5))
    approximation, others = lower[1][1], [shown for k, (_, shown) in enumerate(lower) if k != 1]
    total = approximation + sum((shown - 0.5) / gain for shown in others)
    assert unclipped.mean() > 0.5
    assert np.allclose(total[unclipped], x[0, 0].numpy()[unclipped], atol=0.02)  # the gain is told in two digits
    strong = torch.cat([shown[shown != 0].abs() for scale, shown in part.alone.items() if scale != "a3"])
    assert gain == pytest.approx(0.5 / np.percentile(strong, 99.5), rel=0.05)


def test_volumes_are_shown_by_the_plane_that_holds_most_in_the_grids_units():
    x = 300 * torch.rand(1, 1, 8, 6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 100
    a = attribution(wl.Identity(), (8, 6, 10), 1, 1)
    a.data.view(8, 6, 10)[5] *= 10
    figure = plots.decomposed(a, x, 1, grid=Grid((1.0, 1.0, 2.0), ("mm",) * 3))
    _, (_, so_far), (caption, _), *_ = [*drawn(figure)[:2], *drawn(figure)[3:]]
    low, high = np.percentile(x, [0.5, 99.5])
    assert np.allclose(so_far, ((x[0, 0, 5] - low) / (high - low)).clamp(0, 1))
    assert "mm" in caption
    assert any("plane 6 of 8 across axis 1" in text.get_text() for text in figure.texts)


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_nothing_to_see_is_drawn_too(value):
    x = torch.full((1, 1, 8, 8, 8), value, dtype=torch.float64)
    figure = plots.decomposed(attribution(wl.DWT("haar", levels=1), (8, 8, 8), 1, 1), x)
    assert all(np.isfinite(shown).all() for _, shown in drawn(figure))


def test_what_is_no_picture_is_refused():
    x, a = signal((8, 8)), attribution(wl.DWT("haar", levels=1), (8, 8))
    with pytest.raises(ValueError, match=r"attributions must be one attribution or several; got none"):
        plots.decomposed([], x)
    with pytest.raises(ValueError, match=r"with 2 or 3 axes; got \(3, 2, 64\) with axes \(64,\)\. .*masks.decompose"):
        plots.decomposed(attribution(wl.DWT("haar", levels=1), (64,)), signal((64,)))
    with pytest.raises(ValueError, match=r"x must be the explained signal \(3, channel, 8, 8\); got \(2, 2, 8, 8\)"):
        plots.decomposed([a], x[:2])
    with pytest.raises(ValueError, match=r"this mask is for signals \(batch, channel, 8, 8\); got \(3, 2, 8, 9\)"):
        masks.decompose(signal((8, 9)), masks.top(a, 0.5))


@pytest.mark.parametrize("shape", [(16, 24), (6, 16, 24)], ids=str)
def test_each_scale_colours_its_own_strongest_places(shape):
    """One coefficient of each scale: its block is coloured and no other, and finer ones lie over coarser ones."""
    domain = wl.DWT("haar", levels=2)
    layout = domain.analysis(torch.zeros(1, 1, *shape)).layout
    data = torch.zeros(2, 1, layout.size)
    places = {"a2": 0, "d2": 1, "d1": 3}
    for scale, place in places.items():
        data[1, 0, layout.slices[layout.scales()[scale][0]].start + place] = 1
    x = torch.full((2, 1, *shape), 0.5)
    grid = Grid((0.1,) * len(shape), ("mm",) * len(shape))
    figure = plots.by_scale(Coefficients(data, layout), x, 0.02, item=1, grid=grid)
    first, every, *alone = (np.asarray(ax.images[0].get_array()) for ax in figure.axes)
    assert np.ptp(first, axis=-1).max() == 0
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[2:] == [f"{name} · {label}\n33% of Σ|γ|" for name, label in grid.labels(layout).items()]
    coloured = [np.ptp(picture, axis=-1) > 0.1 for picture in alone]
    assert all(0 < where.mean() < 0.06 for where in coloured)
    assert np.array_equal(np.ptp(every, axis=-1) > 0.1, np.any(coloured, axis=0))
    assert np.array_equal(every[coloured[-1]], alone[-1][coloured[-1]])
    yellow, _, blue = (picture[where][0] for picture, where in zip(alone, coloured, strict=True))
    assert yellow[0] > yellow[2]
    assert blue[2] > blue[0]


def test_nothing_is_coloured_where_nothing_matters():
    layout = wl.DWT("haar", levels=1).analysis(torch.zeros(1, 1, 8, 8)).layout
    figure = plots.by_scale(Coefficients(torch.zeros(1, 1, layout.size), layout), torch.rand(1, 3, 8, 8))
    assert all(np.ptp(np.asarray(ax.images[0].get_array()), axis=-1).max() == 0 for ax in figure.axes)
    with pytest.raises(ValueError, match="coloured, between 0 and 1; got 1"):
        plots.by_scale(Coefficients(torch.zeros(1, 1, layout.size), layout), torch.rand(1, 3, 8, 8), 1)


def test_many_scales_stand_in_rows_of_one_width():
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    figure = plots.by_scale(wl.Packets("haar", levels=4).analysis(x), x)
    drawn = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title().split(" ")[0] for ax in drawn[2:]] == [f"p4.{k}" for k in range(16)]
    places = [ax.get_subplotspec() for ax in drawn]
    assert {place.rowspan.start for place in places} == {0, 1}
    assert max(place.colspan.stop for place in places) == 9


def test_many_scales_go_on_in_further_rows():
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a = attribution(wl.Packets("haar", levels=4), (32, 32), 1, 1)
    figure = plots.decomposed(a, x, 0.3)
    pictures = drawn(figure)
    assert len(pictures) == 2 * (1 + 16)
    boxes = [ax.get_position() for ax in figure.axes]
    assert min(box.width for box in boxes) * figure.get_size_inches()[0] > 1.2  # inches
    assert len({round(box.y0, 3) for box in boxes}) == 4
    assert min(box.y0 for box in boxes) > 0
    captions = [caption for caption, _ in pictures if "% of it kept" in caption]
    assert [caption.split(" · ")[0] for caption in captions] == [f"p4.{k}" for k in range(16)]
