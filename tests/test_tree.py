"""Haar wavelets on trees: orthonormal for any tree, the DWT on a balanced one, and k-d trees of points."""

import pytest
import torch

import wavelens as wl
from big_tree import Sentences, halves
from cases import METHODS, PATHS, Net, name, relative, signal
from wavelens.domains.tree import k_d_order

SENTENCE = ((0, 1), ((2, 3), (4, (5, 6, 7))))
TREES = [SENTENCE, (0, 1, 2), ((0, 1), (2,)), (3, (1, (0, 2))), 0, (((((0, 1), 2), 3), 4), 5)]


def balanced(first, last):
    middle = (first + last + 1) // 2
    return first if last - first == 1 else (balanced(first, middle), balanced(middle, last))


def count(tree):
    return sum(map(count, tree)) if isinstance(tree, tuple) else 1


@pytest.mark.parametrize("n", [*range(1, 40), 64, 65, 100])
def test_a_balanced_tree_is_the_same_by_levels_and_as_it_is_given(n):
    """Without a tree, levels are rotated one after another; a given one goes by running sums."""
    domain, x = wl.TreeHaar(balanced(0, n)), signal((n,))
    line = wl.TreeHaar(coordinates=1).rebound(
        {"order": torch.arange(n)[None], "sides": torch.ones(1, (n - 1).bit_length() + 1)}
    )
    z, expected = line.analysis(x), domain.analysis(x)
    assert relative(z.data, expected.data) < 1e-13
    assert relative(line.synthesis(z), x) < 1e-13


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_a_tree_has_an_orthonormal_basis_of_steps(tree):
    n, domain = count(tree), wl.TreeHaar(tree)
    z = domain.analysis(torch.eye(n, dtype=torch.float64)[:, None])
    basis = z.data[:, 0].T  # one row per coefficient
    assert relative(basis @ basis.T, torch.eye(n, dtype=torch.float64)) < 1e-14
    assert relative(basis[0], torch.full((n,), n**-0.5, dtype=torch.float64)) < 1e-14
    for row in basis[1:]:
        assert len(row[row.abs() > 1e-12].sign().unique()) == 2  # a half against a half
        assert row.unique().numel() <= 3
        assert row.sum().abs() < 1e-14
    assert wl.parse(repr(domain)) == domain


def test_the_coefficient_of_a_node_compares_the_means_of_its_halves():
    x = signal((8,), 1, 1)
    z = wl.TreeHaar(SENTENCE).analysis(x)
    words, phrase = x[0, 0, [0, 1]], x[0, 0, [2, 3, 4, 5, 6, 7]]
    top = (2 * 6 / 8) ** 0.5 * (words.mean() - phrase.mean())
    assert z[z.layout.scales()["d5"][0]][0, 0].item() == pytest.approx(top.item())
    assert [len(z[band].flatten()) for band in z.layout.bands] == [1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize("levels", [1, 3, 5])
def test_a_balanced_tree_is_the_dwt(levels):
    x = signal((2**levels,))
    z = wl.TreeHaar(balanced(0, 2**levels)).analysis(x)
    assert relative(z.data, wl.DWT("haar", levels).analysis(x).data) < 1e-13
    assert list(z.layout.scales()) == ["a", *(f"d{k}" for k in range(levels, 0, -1))]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 16, 37, 100])
def test_each_cloud_has_its_own_tree_and_every_law_holds(n):
    x = signal((n,), channels=4)
    domain = wl.TreeHaar().bind(x)
    z = domain.analysis(x)
    assert relative(z.synthesis(), x) < 1e-13
    assert relative(z.data.square().sum(-1), x.square().sum(-1)) < 1e-12
    g = torch.randn_like(x)
    assert relative(domain.adjoint(g, z.layout).data, wl.Domain.adjoint(domain, g, z.layout).data) < 1e-12
    for item in range(3):
        alone = wl.TreeHaar().analysis(x[item : item + 1])
        assert relative(alone.data, z.data[item : item + 1]) < 1e-13


def test_nodes_are_halved_at_the_median_along_their_longest_side():
    points = signal((37,), 2, 3).movedim(1, 2)
    order, sides = k_d_order(points)

    def check(own, first, last, depth):
        if last - first < 2:
            return
        box = own[first:last]
        longest = (box.amax(0) - box.amin(0)).argmax()
        middle = (first + last + 1) // 2
        assert own[first:middle, longest].max() <= own[middle:last, longest].min()
        check(own, first, middle, depth + 1)
        check(own, middle, last, depth + 1)

    for item in range(2):
        assert order[item].sort().values.tolist() == list(range(37))
        own = points[item, order[item]]
        check(own, 0, 37, 0)
        assert sides[item, 0] == pytest.approx((own.amax(0) - own.amin(0)).max().item())
        middle = 19
        halves = [part.amax(0) - part.amin(0) for part in (own[:middle], own[middle:])]
        assert sides[item, 1] == min(half.max() for half in halves)  # torch's median is the lower of two


def test_scales_have_lengths_in_the_unit_of_the_coordinates():
    x = torch.rand(2, 3, 64, dtype=torch.float64) * 8  # metres
    layout = wl.TreeHaar().bind(x).layout((64,))
    from wavelens.grid import Grid

    grid = Grid((1.0,), ("m",))
    ends = grid.extents(layout)
    assert ends["a"][0][0] == pytest.approx(8, rel=0.2)
    for coarse, fine in zip(list(ends.values())[1:], list(ends.values())[2:], strict=False):
        assert coarse[0][0] == fine[0][1]
        assert fine[0][0] < fine[0][1]
    assert grid.labels(layout)["a"].endswith(" m")


@pytest.mark.parametrize("by_channel", [False, True])
def test_a_coefficient_lies_evenly_on_the_points_of_its_node(by_channel):
    x = signal((8,), 2, 3)
    z = wl.TreeHaar(SENTENCE).bind(x).analysis(x)
    found = wl.maps.scale_maps(z, by_channel=by_channel)
    for key, heat in found.items():
        whole = z[z.layout.scales()[key][0]].abs().flatten(2).sum(2)
        assert relative(heat.sum(-1), whole if by_channel else whole.sum(1)) < 1e-12
    top = found["d5"]
    assert relative(top, top.mean(-1, keepdim=True).expand_as(top)) < 1e-12
    words = found["d4"][..., :2]
    size = z[z.layout.scales()["d4"][0]].abs()[..., 0]
    assert relative(words, ((size if by_channel else size.sum(1)) / 2)[..., None].expand_as(words)) < 1e-12


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_clouds_in_a_batch_alone_and_in_chunks(method):
    net, x, classes = Net((20,), channels=3), signal((20,), channels=3), [2, 0, 4]
    together = wl.attribute(net, x, classes, domain=wl.TreeHaar(), method=method, batch_size=2)
    if method in PATHS:
        assert (together.data.sum((1, 2)) + together.gap - together.score + together.baseline_score).abs().max() < 1e-10
    for item in range(3):
        alone = wl.attribute(net, x[item : item + 1], classes[item], domain=wl.TreeHaar(), method=method)
        assert relative(alone.data, together.item(item).data) < 1e-10


def test_saved_with_its_trees(tmp_path):
    x = signal((20,), channels=3)
    a = wl.attribute(Net((20,), channels=3), x, 1, domain=wl.TreeHaar(), method=wl.IntegratedGradients(steps=3))
    a.save(tmp_path / "cloud.safetensors")
    back = wl.Attribution.load(tmp_path / "cloud.safetensors")
    assert back.layout == a.layout
    assert torch.equal(back.synthesis(), a.synthesis())
    assert back.layout.scales() == a.layout.scales()
    energy = wl.metrics.energy_order(x, wl.TreeHaar())
    assert relative(energy.data, wl.TreeHaar().analysis(x).data) == 0


def test_float32_of_many_points_is_exact():
    x = torch.randn(1, 3, 200_000, generator=torch.Generator().manual_seed(0))
    z = wl.TreeHaar().bind(x).analysis(x)
    assert (z.synthesis() - x).abs().max() < 1e-6 * x.abs().max()
    assert float(z.data.double().square().sum()) == pytest.approx(float(x.double().square().sum()), rel=1e-6)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: wl.TreeHaar((0, 2)), r"tree must hold each sample once, from 0, in nested tuples; got \(0, 2\)"),
        (lambda: wl.TreeHaar(((0, 1), 1)), "tree must hold each sample once"),
        (lambda: wl.TreeHaar(coordinates=0), "coordinates must be the number of channels with places, from 1; got 0"),
        (lambda: wl.TreeHaar((0, 1)).analysis(signal((3,))), "the tree has 2 samples; got a signal with 3"),
        (lambda: wl.TreeHaar().analysis(signal((3, 4), channels=3)), r"one axis, the samples; got axes \(3, 4\)"),
        (lambda: wl.TreeHaar().analysis(signal((5,))), "the first 3 channels must be coordinates; got a signal with 2"),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def test_a_tree_whose_text_is_too_long_is_kept_in_a_class(tmp_path):
    x = signal((800,))
    literal = wl.TreeHaar(halves(0, 800))
    a = wl.attribute(Net((800,)), x, 1, domain=literal, method=wl.Saliency())
    with pytest.raises(
        ValueError, match=r"at most 2,000 characters; got 5,536 characters. Keep a tree, edges or a basis"
    ):
        a.save(tmp_path / "a.safetensors")
    own = wl.attribute(Net((800,)), x, 1, domain=Sentences(), method=wl.Saliency())
    assert torch.equal(own.data, a.data)
    own.save(tmp_path / "own.safetensors")
    again = wl.Attribution.load(tmp_path / "own.safetensors", also=[Sentences])
    assert torch.equal(again.data, a.data)
    assert again.domain == own.domain
    assert wl.parse("big_tree:Sentences()", also=[Sentences]) == Sentences()
    assert repr(Sentences()) == "Sentences(coordinates=3, axes='coordinates')"
