"""The black-box family: each estimator as its paper writes it, closed forms, and independent computers of it."""

import itertools
import math
from functools import partial

import pytest
import torch

import wavelens as wl
from cases import BLACK_BOX, DOMAINS, SHAPES, Net, name, relative, signal, takes
from wavelens import Coefficients
from wavelens.methods.averages import generator
from wavelens.methods.coalitions import all_coalitions, fair_coalitions, kernel_coalitions, kernel_weights
from wavelens.methods.game import spread
from wavelens.methods.hsic import criterion
from wavelens.methods.kernelshap import fit
from wavelens.methods.partitions import Partition, partition
from wavelens.methods.smooth_masks import SmoothMasks
from wavelens.methods.sobol import quasirandom

TARGET = [1, 0, 3]
CPU = torch.device("cpu")


def score(net, x, domain, mask, start, target=TARGET):
    """`f(x₀ + S(m ⊙ W(x − x₀)))` for one mask that broadcasts to the coefficients."""
    z = domain.analysis(x - start)
    masked = start + domain.synthesis(Coefficients(z.data * mask, z.layout))
    return net(masked).gather(1, torch.tensor(target)[:, None])[:, 0].detach()


def literal(method, net, x, domain):
    """Mask after mask, sum after sum."""
    z, start = domain.analysis(x - method.baseline), method.baseline
    if isinstance(method, wl.RISE):
        masks = SmoothMasks(z.layout, method.grid, method.keep, method.masks, method.seed, x)
        rows = [masks(torch.tensor([k]))[0] for k in range(method.samples)]
        scores = [score(net, x, domain, row, start) for row in rows]
        mean = sum(scores) / len(scores) if method.centred else 0
        scale = method.samples * method.keep * ((1 - method.keep) if method.centred else 1)
        pairs = zip(scores, rows, strict=True)
        return sum((one - mean)[:, None, None] * row for one, row in pairs).expand_as(z.data) / scale
    groups = partition(z.layout, x.shape[1], method.groups, method.blocks)
    count = len(groups.names)

    def value(members):
        return score(net, x, domain, members[groups.labels], start)

    if isinstance(method, wl.Sobol):
        a, b = quasirandom(method.samples, count, method.seed)
        from_a, from_b = ([value(row) for row in rows] for rows in (a, b))
        variance = torch.stack(from_a + from_b).var(0, unbiased=False)
        values = []
        for group in range(count):
            squares = torch.zeros(len(x), dtype=torch.float64)
            for k in range(method.samples):
                mixed = a[k].clone()
                mixed[group] = b[k, group]
                squares += (from_a[k] - value(mixed)) ** 2
            index = squares / (2 * method.samples * variance)
            values.append(torch.where(variance > 0, index, torch.zeros_like(index)))
        return spread(torch.stack(values, -1)[None], z.data, groups.labels)[0]
    if isinstance(method, wl.HSIC):
        full = 2**count <= method.samples
        masks = all_coalitions(count) if full else fair_coalitions(method.samples, count, method.seed)
        scores, n = torch.stack([value(row) for row in masks], 1), len(masks)
        centring = torch.eye(n, dtype=torch.float64) - 1 / n
        values = torch.zeros(len(x), count, dtype=torch.float64)
        for item, group in itertools.product(range(len(x)), range(count)):
            differences = scores[item][:, None] - scores[item][None]
            kernel = torch.exp(-(differences**2) / (2 * scores[item].var()))
            same = (masks[:, group][:, None] == masks[:, group][None]).double()
            values[item, group] = torch.trace(same @ centring @ kernel @ centring) / (n - 1) ** 2
        return spread(values[None], z.data, groups.labels)[0]
    exact = 2**count - 2 <= method.samples
    masks = all_coalitions(count)[1:-1] if exact else kernel_coalitions(method.samples, count, method.seed)
    weights = (kernel_weights(masks) if exact else torch.ones(len(masks), dtype=torch.float64)).sqrt()[:, None]
    empty, rise = value(torch.zeros(count)), value(torch.ones(count)) - value(torch.zeros(count))
    if count == 1:
        return spread(rise[None, :, None], z.data, groups.labels)[0]
    scores = torch.stack([value(row) for row in masks]) - empty
    last = masks[:, -1:].double()  # its value is what the others leave of the rise
    rest = torch.linalg.lstsq(weights * (masks[:, :-1] - last), weights * (scores - last * rise)).solution
    return spread(torch.cat([rest, rise - rest.sum(0, keepdim=True)]).T[None], z.data, groups.labels)[0]


@pytest.mark.parametrize("method", [m for m in BLACK_BOX if not isinstance(m, wl.HierarchicalShapley)], ids=name)
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_equals_the_literal_formula(domain, method):
    for shape in (shape for shape in SHAPES[1:3] if takes(domain, shape)):
        net, x = Net(shape), signal(shape)
        found = wl.attribute(net, x, TARGET, domain=domain, method=method, batch_size=4)
        inexact = relative(domain.analysis(x).synthesis(), x)  # the filter tables themselves: 1e-12 for sym5
        assert relative(found.data, literal(method, net, x, domain)) < 1e-10 + 1e3 * inexact


@pytest.mark.parametrize("method", BLACK_BOX, ids=name)
def test_masks_that_do_not_fit_into_memory_at_once_give_the_same(method, monkeypatch):
    net, x, domain = Net((9, 12)), signal((9, 12)), wl.DWT("haar", 2)
    whole = wl.attribute(net, x, TARGET, domain=domain, method=method)
    monkeypatch.setattr("wavelens.methods.game.MASK_NUMBERS", 3 * domain.layout((9, 12)).size)
    monkeypatch.setattr("wavelens.methods.sobol.MASK_NUMBERS", 40)
    assert relative(wl.attribute(net, x, TARGET, domain=domain, method=method).data, whole.data) < 1e-10


def test_three_axes_as_well():
    net, x, domain = Net(SHAPES[3]), signal(SHAPES[3]), wl.DWT("db2", levels=1)
    for method in (wl.RISE(samples=6, grid=2), wl.KernelSHAP(blocks=2), wl.Sobol(2, blocks=2), wl.HSIC(20, blocks=2)):
        found = wl.attribute(net, x, TARGET, domain=domain, method=method)
        assert relative(found.data, literal(method, net, x, domain)) < 1e-10


@pytest.mark.parametrize("sharing", ["bands", "places"])
@pytest.mark.parametrize(
    ("domain", "shape"),
    [(wl.DWT("haar", 2), (12, 8)), (wl.STFT("hann", 8), (40,)), (wl.Identity(), (5, 6, 4))],
    ids=name,
)
def test_smooth_masks_interpolate_cells(domain, shape, sharing):
    """Coefficient by coefficient, from the numbers of the sample's own generator."""
    layout, grid, keep, k = domain.layout(shape), 3, 0.4, 7
    masks = SmoothMasks(layout, grid, keep, sharing, seed=5, like=torch.zeros(1, dtype=torch.float64))
    found = masks(torch.tensor([2, k]))
    axes, shared = len(shape), sharing == "places"
    grids = [(grid,) * axes] if shared else [tuple(min(grid, n) for n in band.shape) for band in layout.bands]
    cells = [math.prod(n + 2 for n in one) for one in grids]
    numbers = torch.rand(sum(cells) + sum(map(len, grids)), generator=generator(5, k, CPU))
    moves = iter(numbers[sum(cells) :].double().split([len(one) for one in grids]))
    drawn = iter((numbers[: sum(cells)] < keep).double().split(cells))
    pairs = [(next(drawn).view([n + 2 for n in one]), next(moves), one) for one in grids]
    for place, band in enumerate(layout.bands):
        bits, move, one = pairs[0 if shared else place]
        lengths = band.shape[-axes:] if shared else band.shape
        for index in itertools.product(*map(range, lengths)):
            total = 0.0
            where = [
                (i + 0.5 * shared) * g / n + float(m) * (shared or n > 1)
                for i, g, n, m in zip(index, one, lengths, move, strict=True)
            ]
            for corner in itertools.product((0, 1), repeat=len(one)):
                floors = [int(w) + c for w, c in zip(where, corner, strict=True)]
                weights = [1 - abs(w - f) for w, f in zip(where, floors, strict=True)]
                inside = all(f < g + 2 for f, g in zip(floors, one, strict=True))
                total += math.prod(weights) * float(bits[tuple(floors)]) if inside else 0.0
            mask = found[1, 0, layout.slices[band]].view(band.shape)
            assert torch.allclose(mask[(..., *index)], torch.tensor(total, dtype=torch.float64), atol=1e-12)


def test_masks_keep_as_much_as_they_should():
    masks = SmoothMasks(wl.DWT("haar", 2).layout((16, 16)), 4, 0.3, "bands", 0, torch.zeros(1))(torch.arange(3000))
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert (masks.mean(0) - 0.3).abs().max() < 5 * math.sqrt(0.3 * 0.7 / 3000)  # of each coefficient, 256 of them


@pytest.mark.parametrize("method", [m for m in BLACK_BOX if isinstance(m, wl.RISE | wl.HSIC | wl.Sobol)], ids=name)
def test_a_sample_has_the_same_mask_whatever_the_number_of_samples(method):
    if isinstance(method, wl.RISE):
        masks = SmoothMasks(wl.DWT("haar", 1).layout((8, 8)), method.grid, 0.5, "bands", method.seed, torch.zeros(1))
        assert torch.equal(masks(torch.arange(4))[3], masks(torch.tensor([3]))[0])
    elif isinstance(method, wl.HSIC):
        assert torch.equal(fair_coalitions(20, 12, 3)[:7], fair_coalitions(7, 12, 3))
        assert not torch.equal(fair_coalitions(7, 12, 4), fair_coalitions(7, 12, 3))
    else:
        assert all(torch.equal(a[:3], b) for a, b in zip(quasirandom(16, 5, 1), quasirandom(3, 5, 1), strict=True))


def test_sizes_of_coalitions_are_as_frequent_as_the_kernel_says():
    groups, samples = 7, 4000
    rows = kernel_coalitions(samples, groups, 0)
    assert torch.equal(rows[::2] + rows[1::2], torch.ones(samples // 2, groups, dtype=torch.long))
    sizes = torch.arange(1, groups).double()
    chances = (1 / (sizes * (groups - sizes))) / (1 / (sizes * (groups - sizes))).sum()
    counts = torch.bincount(rows.sum(1), minlength=groups)[1:groups] / samples
    assert (counts - chances).abs().max() < 5 * math.sqrt(0.25 / (samples / 2))
    of_size = rows[rows.sum(1) == 2].double().mean(0)
    assert (of_size - 2 / groups).abs().max() < 0.1  # all of a size alike
    weights = kernel_weights(all_coalitions(groups)[1:-1])
    by_size = torch.stack([weights[all_coalitions(groups)[1:-1].sum(1) == s].sum() for s in range(1, groups)])
    assert relative(by_size / by_size.sum(), chances) < 1e-12


class Linear(torch.nn.Module):
    """An additive score, of which each group of coefficients has its part."""

    def __init__(self, shape, channels=2):
        super().__init__()
        self.weight = torch.randn(channels * math.prod(shape), generator=torch.Generator().manual_seed(3)).double()

    def forward(self, x):
        return x.flatten(1) @ self.weight[:, None]


def group_sums(a, groups):
    """The sums of an attribution over the groups, `(batch, groups)`."""
    labels = groups.labels.expand(a.data.shape[1:]).flatten()
    return a.data.new_zeros(len(a.data), len(groups.names)).index_add_(1, labels, a.data.flatten(1))


def additive(shape, domain, groups):
    """A score that adds up, its signal, and what each group adds."""
    net, x = Linear(shape).eval(), signal(shape)
    z, parts = domain.analysis(x), partition(domain.layout(shape), 2, groups, 2)
    values = [
        net(domain.synthesis(z.map(lambda d, k=k: d * (parts.labels == k))))[:, 0] for k in range(len(parts.names))
    ]
    return net, x, parts, torch.stack(values, 1)


@pytest.mark.parametrize("groups", ["scales", "cells", "channels"])
@pytest.mark.parametrize("domain", [wl.DWT("db2", 2), wl.Fourier(), wl.Stationary("haar", 2)], ids=name)
def test_shapley_values_of_a_sum_are_its_summands(domain, groups):
    net, x, parts, expected = additive((12, 17), domain, groups)
    for method in (wl.KernelSHAP(groups=groups, blocks=2, samples=200), wl.ScaleShapley(groups, blocks=2)):
        a = wl.attribute(net, x, 0, domain=domain, method=method)
        assert relative(group_sums(a, parts), expected) < 1e-9
        assert a.gap.abs().max() < 1e-9 * a.score.abs().max()


def test_owen_values_of_a_sum_are_its_summands():
    net, x, parts, expected = additive((12, 17), wl.DWT("db2", 2), "bands")
    method = wl.HierarchicalShapley(max_groups=len(parts.names), pairs=1, share=0.0)
    a = wl.attribute(net, x, 0, domain=wl.DWT("db2", 2), method=method)
    assert relative(group_sums(a, parts), expected) < 1e-9


def test_sobol_indices_of_a_sum_are_shares_of_its_variance():
    net, x, parts, values = additive((12, 17), wl.DWT("db2", 2), "bands")
    a = wl.attribute(net, x, 0, domain=wl.DWT("db2", 2), method=wl.Sobol(samples=2048, groups="bands"))
    shares = values.square() / values.square().sum(1, keepdim=True)
    assert (group_sums(a, parts) - shares).abs().max() < 0.01


def test_sobol_indices_of_a_product():
    """Of two uniform factors each has 4/7 of the variance in all, 3/7 by itself."""
    domain, x = wl.Identity(), torch.ones(1, 2, 4, dtype=torch.float64)
    method = wl.Sobol(samples=4096, groups="channels")
    a = wl.attribute(lambda x: x.mean(2).prod(1), x, None, domain=domain, method=method)
    assert (a.data.sum(2) - 4 / 7).abs().max() < 0.01


@pytest.mark.parametrize("samples", [64, 200])
def test_a_group_that_the_score_ignores_depends_on_nothing(samples):
    """Exactly, where each coalition is taken once, and as far as chance allows where they are random."""
    domain, x = wl.DWT("haar", 5), signal((64,), channels=1)
    parts = partition(domain.layout((64,)), 1, "scales")

    def net(x):
        z = domain.analysis(x)
        d2, d4 = (z[z.layout.scales()[k][0]].square().sum((1, 2)).sqrt() for k in ("d2", "d4"))
        return torch.tanh(d2) * (1 + d4)

    method = wl.HSIC(samples=samples if samples >= 64 else 64, groups="scales")
    values = group_sums(wl.attribute(net, x, None, domain=domain, method=method), parts)
    ignored = [k for k, one in enumerate(parts.names) if one not in ("d2", "d4")]
    used = [k for k, one in enumerate(parts.names) if one in ("d2", "d4")]
    assert values[:, ignored].abs().max() < 1e-15
    assert values[:, used].min() > 1e-3
    rows = fair_coalitions(samples, 12, 0)
    scores = rows[:, 3].double() * 2 + rows[:, 5]
    random = criterion(rows.double(), scores)
    others = [k for k in range(12) if k not in (3, 5)]
    assert random[others].max() < 10 / samples < random[[3, 5]].min() * 10


def test_a_score_that_never_changes():
    x, domain = signal((16,)), wl.DWT("haar", 2)
    for method in BLACK_BOX:
        a = wl.attribute(lambda x: torch.full((len(x),), 3.0, dtype=x.dtype), x, None, domain=domain, method=method)
        floor = 0.0 if getattr(method, "centred", True) else 1.0
        assert a.data.isfinite().all()
        assert (a.data.abs().max() > 0) == bool(floor)


def test_rise_finds_the_place_that_counts():
    """Of one scale: the score reads d2 in the last quarter alone."""
    domain, x = wl.DWT("haar", 3), torch.ones(1, 1, 64, dtype=torch.float64) + signal((64,), 1, 1)
    band = domain.layout((64,)).scales()["d2"][0]
    method = wl.RISE(samples=2000, grid=4)
    a = wl.attribute(
        lambda x: domain.analysis(x)[band][..., 12:].abs().sum((1, 2)), x, None, domain=domain, method=method
    )
    best = int(a.data[0, 0].argmax())
    assert a.layout.slices[band].start + 12 <= best < a.layout.slices[band].stop


def owen(net, x, domain, tree):
    """What each leaf, a mask, adds over all orders in which the parts of each group come one after another."""

    def leaves(node):
        return [node] if isinstance(node, torch.Tensor) else [leaf for part in node for leaf in leaves(part)]

    def orders(node):
        if isinstance(node, torch.Tensor):
            return [[node]]
        every = []
        for order in itertools.permutations(node):
            every += [list(itertools.chain(*parts)) for parts in itertools.product(*map(orders, order))]
        return every

    known = {}

    def value(members):
        key = members.numpy().tobytes()
        if key not in known:
            known[key] = score(net, x, domain, members.double(), 0.0, [1])[0]
        return known[key]

    totals, every = {id(leaf): 0.0 for leaf in leaves(tree)}, orders(tree)
    for order in every:
        inside = torch.zeros_like(order[0])
        for leaf in order:
            totals[id(leaf)] += float(value(inside | leaf) - value(inside)) / len(every)
            inside = inside | leaf
    return [(leaf, totals[id(leaf)]) for leaf in leaves(tree)]


def test_split_groups_have_their_owen_values():
    """Compared with the mean over every order; sampled, so to 5 % of the largest with 200 pairs of orders."""
    domain, shape = wl.DWT("haar", levels=1), (8, 8)
    net, x = Net(shape), signal(shape, batch=1)
    layout = domain.layout(shape)
    masks = {band: torch.zeros(layout.size, dtype=torch.bool) for band in layout.bands}
    for band, mask in masks.items():
        mask[layout.slices[band]] = True
    tree = [masks[layout.bands[0]], [masks[band] for band in layout.bands[1:]]]
    a = wl.attribute(net, x, 1, domain=domain, method=wl.HierarchicalShapley(4, pairs=200, share=0.0))
    values = owen(net, x, domain, tree)
    sums = torch.stack([a.data[0][:, mask].sum() for mask, _ in values])
    expected = torch.tensor([value for _, value in values], dtype=torch.float64)
    assert relative(sums, expected) < 0.05
    exact = wl.shapley(net, x, 1, domain=domain)
    assert relative(wl.maps.profile(a).signed, exact.values) < 1e-10


def test_only_groups_that_matter_are_split():
    """A score of one place of one scale: its neighbourhood ends in small groups, and nothing else is split."""
    domain, x = wl.DWT("haar", 3), 1 + signal((64,), 1, 1).abs()
    layout = domain.layout((64,))
    band = layout.scales()["d1"][0]
    method = wl.HierarchicalShapley(max_groups=16, pairs=2)
    a = wl.attribute(lambda x: domain.analysis(x)[band][..., 9].abs().sum(1) * 5, x, None, domain=domain, method=method)
    place = layout.slices[band].start + 9
    assert relative(a.data[0, 0, place], a.score[0]) < 1e-9
    others = [k for k in range(layout.size) if k != place]
    assert a.data[0, 0, others].abs().max() < 1e-9 * a.score[0]


@pytest.mark.parametrize(
    "method", [wl.KernelSHAP(samples=300), wl.HierarchicalShapley(16, pairs=1, share=0.0)], ids=name
)
@pytest.mark.parametrize("factor", [1.0, 1e-25])
def test_groups_of_zeros_take_nothing_of_the_account(method, factor):
    """Beside a square in the dark, sampled values of nothing would be lost, and so would those of a tiny signal."""
    net, x = Net((32, 32)), torch.zeros(2, 2, 32, 32, dtype=torch.float64)
    x[0, :, 8:24, 8:24] = signal((16, 16), 1)[0]
    x[1, :, :9, 3:30] = signal((9, 27), 1)[0]
    a = wl.attribute(
        lambda x: net(x.double() / factor), (x * factor).float(), 1, domain=wl.DWT("haar", levels=3), method=method
    )
    assert (a.data.sum((1, 2)) - (a.score - a.baseline_score)).abs().max() < 1e-4 * a.score.abs().max()
    alone = wl.attribute(
        lambda x: net(x.double() / factor), (x[1:] * factor).float(), 1, domain=wl.DWT("haar", levels=3), method=method
    )
    assert relative(a.data[1:], alone.data) < 1e-4


def test_frequencies_in_a_band_are_split_as_well():
    x = torch.sin(torch.arange(64) * 2 * math.pi * 11 / 64).double()[None, None] + 0.01 * signal((64,), 1, 1)
    method = wl.HierarchicalShapley(max_groups=20, pairs=2)
    a = wl.attribute(lambda x: torch.fft.rfft(x)[:, 0, 11].abs(), x, None, domain=wl.Fourier(), method=method)
    assert a.data[0, 0, 11] > 0.95 * a.score[0]


def test_cells_are_a_grid_over_the_mosaic():
    layout = wl.DWT("haar", levels=2).layout((16, 16))
    parts = partition(layout, 1, "cells", 4)
    assert len(parts.names) == 16
    assert torch.bincount(parts.labels[0]).tolist() == [16] * 16
    assert parts.names[:5] == ("aa2 (0, 0)", "ad2 (0, 0)", "da2 (0, 0)", "dd2 (0, 0)", "ad1 (0, 0)")


@pytest.mark.needs("pywt")
def test_wavelet_scale_attribution_of_a_picture():
    """Kasmi et al. (2023): nearest-neighbour masks over PyWavelets' mosaic, its inverse, total indices cell by cell."""
    import pywt

    shape, grid, levels = (16, 16), 4, 2
    net, x = Net(shape, channels=1), signal(shape, batch=1, channels=1)
    method = wl.Sobol(samples=8, blocks=grid)
    domain = wl.DWT("haar", levels)
    a = wl.attribute(net, x, 1, domain=domain, method=method)
    coefficients = pywt.wavedec2(x[0, 0].numpy(), "haar", "periodization", levels)
    mosaic, slices = pywt.coeffs_to_array(coefficients)

    def value(cells):
        mask = cells.numpy().repeat(shape[0] // grid, 0).repeat(shape[1] // grid, 1)
        back = pywt.array_to_coeffs(mosaic * mask, slices, "wavedec2")
        return net(torch.from_numpy(pywt.waverec2(back, "haar", "periodization"))[None, None])[0, 1].detach()

    # where each of our cells lies on the mosaic
    numbers = partition(domain.layout(shape), 1, "cells", grid)
    placed = wl.maps.mosaic(Coefficients(numbers.labels[None].double(), a.layout))[0, 0]
    cell = placed[:: shape[0] // grid, :: shape[1] // grid].long()
    first, second = (rows[:, cell] for rows in quasirandom(8, grid**2, 0))
    from_first, from_second = ([value(row) for row in rows] for rows in (first, second))
    variance = torch.stack(from_first + from_second).var(unbiased=False)
    expected = torch.zeros(grid, grid, dtype=torch.float64)
    for i, j in itertools.product(range(grid), repeat=2):
        for k in range(8):
            mixed = first[k].clone()
            mixed[i, j] = second[k, i, j]
            expected[i, j] += (from_first[k] - value(mixed)) ** 2 / (16 * variance)
    assert relative(group_sums(a, numbers)[0][cell], expected) < 1e-9


@pytest.mark.needs("SALib")
def test_jansens_estimator_is_salibs():
    from SALib.analyze.sobol import total_order

    net, x = Net((64,)), signal((64,), batch=1)
    method, domain = wl.Sobol(samples=16, groups="scales"), wl.DWT("haar", 3)
    found = group_sums(
        wl.attribute(net, x, 1, domain=domain, method=method), partition(domain.layout((64,)), 2, "scales")
    )
    labels, (a, b) = partition(domain.layout((64,)), 2, "scales").labels, quasirandom(16, 4, 0)

    def scores(rows):
        return torch.stack([score(net, x, domain, row[labels], 0.0, [1])[0] for row in rows]).numpy()

    for group in range(4):
        mixed = a.clone()
        mixed[:, group] = b[:, group]
        theirs = total_order(scores(a)[:, None], scores(mixed)[:, None], scores(b)[:, None])
        assert abs(float(found[0, group]) - float(theirs[0])) < 1e-10


@pytest.mark.needs("shapiq")
def test_kernelshap_over_all_coalitions_is_exact():
    net, x, domain = Net((64,)), signal((64,)), wl.DWT("db2", 3)
    exact = wl.shapley(net, x, TARGET, domain=domain)
    a = wl.attribute(net, x, TARGET, domain=domain, method=wl.KernelSHAP(groups="scales"))
    assert relative(wl.maps.profile(a).signed, exact.values) < 1e-9


@pytest.mark.needs("captum")
@pytest.mark.parametrize("samples", [40, 120])
def test_captums_kernelshap_at_equal_masks(samples):
    """Captum holds the sum by a weight of 10⁶ on the whole and on nothing: to about 10⁻⁵ of the values."""
    from captum.attr import KernelShap

    shape, domain, blocks = (12, 17), wl.DWT("haar", 2), 2
    net, x = Net(shape), signal(shape, batch=1)
    layout = domain.layout(shape)
    parts = partition(layout, 2, "cells", blocks)
    rows = kernel_coalitions(samples, len(parts.names), 0)

    class AtOurs(KernelShap):
        def kernel_shap_perturb_generator(self, original, **options):
            yield torch.ones(1, len(parts.names), dtype=torch.long)
            yield torch.zeros(1, len(parts.names), dtype=torch.long)
            yield from rows[:, None]

    theirs = AtOurs(lambda z: net(domain.synthesis(Coefficients(z, layout))))
    theirs.perturb_func = theirs.kernel_shap_perturb_generator
    z = domain.analysis(x).data
    mask = parts.labels.expand(2, -1)[None].contiguous()
    expected = theirs.attribute(z, target=1, feature_mask=mask, n_samples=samples + 2, show_progress=False)
    a = wl.attribute(net, x, 1, domain=domain, method=wl.KernelSHAP(samples=samples, blocks=blocks))
    by_group = torch.stack([expected[mask == k][0] for k in range(len(parts.names))]).double()
    assert relative(group_sums(a, parts)[0], by_group) < 1e-4


@pytest.mark.needs("captum")
def test_captums_permutations_at_equal_orders():
    from captum.attr import ShapleyValueSampling

    shape, domain, pairs = (12, 17), wl.DWT("haar", 2), 5
    net, x = Net(shape), signal(shape, batch=1)
    layout = domain.layout(shape)
    parts = partition(layout, 2, "cells", 4)
    count = len(parts.names)
    orders = [torch.randperm(count, generator=generator(0, k, CPU)) for k in range(pairs)]

    class AtOurs(ShapleyValueSampling):
        def __init__(self, forward):
            super().__init__(forward)
            self.permutation_generator = lambda *_: (one.tolist() for order in orders for one in (order, order.flip(0)))

    z = domain.analysis(x).data
    mask = parts.labels.expand(2, -1)[None].contiguous()
    theirs = AtOurs(lambda z: net(domain.synthesis(Coefficients(z, layout))))
    expected = theirs.attribute(z, target=1, feature_mask=mask, n_samples=2 * pairs, show_progress=False)
    method = wl.ScaleShapley("cells", blocks=4, tolerance=1e-12, max_permutations=2 * pairs)
    a = wl.attribute(net, x, 1, domain=domain, method=method)
    by_group = torch.stack([expected[mask == k][0] for k in range(count)]).double()
    assert relative(group_sums(a, parts)[0], by_group) < 1e-6  # Captum sums in float32


def test_the_fit_is_told_apart_or_refused():
    net, x = Net((64,)), signal((64,))
    with pytest.raises(ValueError, match=r"a fit of \d+ groups needs coalitions that tell them apart; got samples=4"):
        wl.attribute(net, x, 1, domain=wl.DWT("haar", 3), method=wl.KernelSHAP(samples=4, blocks=16))
    rows = all_coalitions(3)[1:-1]
    values = rows.double() @ torch.tensor([1.0, 2.0, -4.0], dtype=torch.float64)
    fitted = fit(rows, kernel_weights(rows), values, torch.tensor([-1.0], dtype=torch.float64))
    assert fitted.tolist() == pytest.approx([1, 2, -4])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: wl.RISE(keep=1), "keep, the probability of a cell, must lie between 0 and 1; got keep=1"),
        (lambda: wl.RISE(keep="half"), "keep, .*; got keep='half'"),
        (lambda: wl.RISE(masks="octaves"), "masks must be one of bands, places; got masks='octaves'"),
        (lambda: wl.RISE(centred=1), "centred must be True or False; got 1"),
        (lambda: wl.RISE(samples=10**9), "samples must be at most 10,000,000"),
        (lambda: wl.HSIC(samples=1), "HSIC needs 2 samples or more; got samples=1"),
        *(
            (partial(cls, groups="decades"), "groups must be one of scales, octaves, bands, blocks, .*; got 'decades'")
            for cls in (wl.Sobol, wl.HSIC, wl.KernelSHAP, wl.ScaleShapley, wl.Owen)
        ),
        (lambda: wl.KernelSHAP(blocks=0), "blocks must be a whole number from 1; got blocks=0"),
        (lambda: wl.HierarchicalShapley(share=1.5), "share, of the sum of magnitudes, must lie .*; got share=1.5"),
    ],
)
def test_arguments_that_are_none(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_several_signals_have_bands_and_no_places():
    x = {"image": signal((4, 4)), "text": signal((6,))}
    domain = {"image": wl.DWT("haar", 1), "text": wl.Identity()}

    def model(image, text):
        return image.sum((1, 2, 3)) * text.square().sum((1, 2))

    a = wl.attribute(model, x, None, domain=domain, method=wl.KernelSHAP(groups="signals"))
    product = x["image"].sum((1, 2, 3)) * x["text"].square().sum((1, 2))
    assert all(relative(part.data.sum((1, 2)), product / 2) < 1e-9 for part in a.values())
    found = wl.attribute(model, x, None, domain=domain, method=wl.RISE(samples=5))
    assert (
        relative(found["text"].data, found["text"].data[:, :1].expand_as(found["text"].data)) < 1e-14
    )  # in all channels
    with pytest.raises(ValueError, match="several signals have no places in common; take masks='bands'"):
        wl.attribute(model, x, None, domain=domain, method=wl.RISE(masks="places"))


def test_no_gradient_is_asked_for():
    x, domain = signal((16,)), wl.DWT("haar", 2)

    def model(x):
        return torch.from_numpy(x.detach().numpy().max((1, 2)))

    for method in BLACK_BOX:
        a = wl.attribute(model, x, None, domain=domain, method=method)
        assert a.data.isfinite().all()
        assert a.spent.tolist() == [0, 0, 0]


def test_many_groups_take_no_more_memory_than_a_few():
    """65 groups go through the synthesis, 64 are kept as parts: with the same values."""
    x, domain = signal((130,), batch=2), wl.Identity()
    net = Net((130,))
    for count in (64, 65):
        labels = (torch.arange(130) * count // 130)[None]
        parts = Partition(tuple(map(str, range(count))), labels)
        method = wl.ScaleShapley(tolerance=1e-9, max_permutations=8)
        found = wl.shapley(net, x, 1, domain=domain, groups=parts, method=method)
        order = [torch.randperm(count, generator=generator(0, k, CPU)) for k in range(4)]
        values = torch.zeros(2, count, dtype=torch.float64)
        for one in (each for pair in order for each in (pair, pair.flip(0))):
            inside = torch.zeros(130, dtype=torch.float64)
            before = score(net, x, domain, inside, 0.0, [1, 1])
            for k in one.tolist():
                inside = inside + (labels[0] == k)
                after = score(net, x, domain, inside, 0.0, [1, 1])
                values[:, k] += (after - before) / 8
                before = after
        assert relative(found.values, values) < 1e-10
