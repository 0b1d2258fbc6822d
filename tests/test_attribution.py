"""Laws of attribution, over every domain and every method."""

import itertools
from importlib.metadata import version

import numpy as np
import pytest
import pywt
import torch

import wavelens as wl
from cases import (
    BLACK_BOX,
    DOMAINS,
    LINEAR,
    METHODS,
    ONE_OF_EACH_KIND,
    PATHS,
    SHAPES,
    Net,
    name,
    over_domains_and,
    pairs,
    relative,
    signal,
    starts,
    takes,
)
from wavelens import Coefficients
from wavelens.core import real_product
from wavelens.methods import averages, paths, sampling

SHAPE = (12, 17)
TARGET = [1, 0, 3]
GRADIENTS = [m for m in METHODS if getattr(m, "tolerance", None) is None and m not in BLACK_BOX]


def literal(method, net, x, domain, target):
    """The formulas as the papers write them: every point is transformed, and differentiated in its coefficients."""
    layout = domain.analysis(x).layout

    def slope(z):
        z = z.detach().requires_grad_()
        score = net(domain.synthesis(Coefficients(z, layout))).gather(1, torch.tensor(target)[:, None]).sum()
        return torch.autograd.grad(score, z)[0]

    z = domain.analysis(x).data
    if isinstance(method, wl.Saliency):
        return real_product(z, slope(z)) if method.times_input else slope(z)
    if isinstance(method, wl.InputTimesGradient):
        return real_product(z, slope(z))
    if isinstance(method, wl.ExpectedGradients):
        draws = [method._draw(k, 1)[1] for k in range(method.samples)]
        start = domain.analysis(torch.full_like(x, method.baseline)).data
        return torch.stack([real_product(z - start, slope(start + a * (z - start))) for a in draws]).mean(0)
    if isinstance(method, wl.IntegratedGradients):
        places, weights = paths.nodes(method.quadrature, method.steps)
        total = 0
        for start in (domain.analysis(start).data for start in starts(method, x, domain)):
            slopes = [w * slope(start + a * (z - start)) for a, w in zip(places, weights, strict=True)]
            total = total + real_product(z - start, sum(slopes))
        return total / len(starts(method, x, domain))
    if isinstance(method, wl.DecisionGradients | wl.ImportantDirections):
        return by_decisions(method, net, x, domain, target, slope)
    if isinstance(method, wl.CoarseToFine):
        return step_by_step(method, z, domain.analysis(torch.full_like(x, method.baseline)).data, layout, slope)
    white = averages.noisy(x, method.sigma, method.seed, by_item=method.by_item)
    point = white if method.noise == "white" else coloured(method, x, domain)
    slopes = torch.stack([slope(domain.analysis(point(slice(None), k)).data) for k in range(method.samples)])
    if isinstance(method, wl.VarGrad):
        return slopes.var(0, unbiased=False)
    if isinstance(method, wl.SquareGrad):
        return slopes.abs().square().mean(0)
    return real_product(z, slopes.mean(0)) if method.times_input else slopes.mean(0)


def step_by_step(method, z, start, layout, slope):
    """One scale after another, each from nothing to all of itself, in the orders of the method."""
    orders = {"coarse-to-fine": [1], "fine-to-coarse": [-1], "both": [1, -1]}[method.order]
    total, legs = torch.zeros_like(z.real), len(layout.scales()) * len(orders)
    least = 2 if method.quadrature == "trapezoid" else 1
    ends = [-(-method.steps * k // legs) for k in range(legs + 1)]
    counts = iter(max(least, b - a) for a, b in itertools.pairwise(ends))
    for direction in orders:
        here = start.clone()
        for scale in list(layout.scales().values())[::direction]:
            step = Coefficients(z - start, layout).only(*scale).data
            pairs = zip(*paths.nodes(method.quadrature, next(counts)), strict=True)
            total += real_product(step, sum(w * slope(here + a * step) for a, w in pairs)) / len(orders)
            here = here + step
    return total


def by_decisions(method, net, x, domain, target, slope):
    z, start = (domain.analysis(signal).data for signal in (x, torch.full_like(x, method.baseline)))
    if isinstance(method, wl.DecisionGradients):
        total = torch.zeros_like(z.real)
        for place, weight in zip(*paths.nodes(method.quadrature, method.steps), strict=True):
            parts = real_product(z - start, slope(start + place * (z - start)))
            total += weight * parts * parts.sum((1, 2), keepdim=True)
        return total
    points = [torch.lerp(torch.full_like(x, method.baseline), x, k / method.steps) for k in range(method.steps + 1)]
    scores = [net(point)[range(3), target].detach() for point in points]
    squares = [slope(domain.analysis(point).data).abs().square() for point in points[:-1]]
    shares = [square / square.sum((1, 2), keepdim=True) for square in squares]
    rises = zip(shares, itertools.pairwise(scores), strict=True)
    return sum(share * (after - before).reshape(-1, 1, 1) for share, (before, after) in rises)


def coloured(method, x, domain):
    """Copies of `x` with noise of its own deviation in each band, times sigma."""
    z, white = domain.analysis(x), averages.noisy(x, 1.0, method.seed, by_item=method.by_item)

    def point(_, k):
        noise = domain.analysis((white(slice(None), k) - x) / averages.ranges(x))
        for band, part in z:
            own, its = (p.flatten(1).std(1, correction=0).reshape(-1, 1, 1) for p in (part, noise[band]))
            noise.data[..., z.layout.slices[band]] *= method.sigma * own / its
        return x + noise.synthesis()

    return point


@pytest.mark.parametrize("method", GRADIENTS, ids=name)
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_equals_the_literal_formula(domain, method):
    for shape in (shape for shape in (SHAPES if domain in ONE_OF_EACH_KIND else SHAPES[:3]) if takes(domain, shape)):
        net, x = Net(shape), signal(shape)
        found = wl.attribute(net, x, TARGET, domain=domain, method=method, batch_size=4)
        inexact = relative(domain.analysis(x).synthesis(), x)  # the filter tables themselves: 1e-12 for sym5
        assert relative(found.data, literal(method, net, x, domain, TARGET)) < 1e-12 + 10 * inexact


@over_domains_and(PATHS)
def test_paths_are_complete(domain, method):
    for shape in (shape for shape in SHAPES if takes(domain, shape)):
        net, x = Net(shape), signal(shape)
        a = wl.attribute(net, x, TARGET, domain=domain, method=method)
        rise = net(x).gather(1, torch.tensor(TARGET)[:, None])[:, 0] - a.baseline_score
        begins = torch.stack([net(start)[range(3), TARGET] for start in starts(method, x, domain)]).mean(0)
        assert relative(a.baseline_score, begins) < 1e-12
        assert (rise - a.data.sum((1, 2)) - a.gap).abs().max() < 1e-10
        if isinstance(method, wl.CoarseToFine) or method.baseline == "shuffled":
            continue  # how exact rougher paths are for their nodes is asked in test_coarse_to_fine.py
        expected = {"gauss-legendre": 1e-2, "trapezoid": 0.2, "riemann": 1}[method.quadrature]
        assert (a.gap.abs() <= (method.tolerance or expected) * (rise.abs() + 0.5)).all()


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_completeness_gap_vanishes_with_steps(domain):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, 2, domain=domain, method=wl.IntegratedGradients(steps=200))
    assert a.gap.abs().max() < 1e-9


@over_domains_and(LINEAR)
def test_linear_in_the_function(domain, method):
    one, two, x = Net(SHAPE), Net(SHAPE, seed=8), signal(SHAPE)
    a, b, both = (
        wl.attribute(f, x, 2, domain=domain, method=method).data for f in (one, two, lambda x: 2 * one(x) - 3 * two(x))
    )
    assert relative(both, 2 * a - 3 * b) < 1e-12


class Rewritten(torch.nn.Module):
    """The function of `net` by another network: each hidden unit split in two halves, in another order."""

    def __init__(self, net):
        super().__init__()
        order = torch.randperm(2 * net.first.shape[1], generator=torch.Generator().manual_seed(0))
        self.first = torch.cat([net.first, net.first], 1)[:, order]
        self.second = torch.cat([net.second / 4, net.second * 3 / 4])[order]
        self.eval()

    def forward(self, x):
        y = torch.tanh(torch.einsum("bi,ih->bh", x.flatten(1), self.first))
        return (y.square() + 2 * y + 1) @ self.second


@over_domains_and(METHODS)
def test_the_implementation_does_not_matter(domain, method):
    net, x = Net(SHAPE), signal(SHAPE)
    a, b = (wl.attribute(f, x, 2, domain=domain, method=method) for f in (net, Rewritten(net)))
    assert relative(a.data, b.data) < 1e-11


@pytest.mark.parametrize(
    ("domain", "method", "dtype", "tolerance"),
    [(*pair, torch.float64, 1e-12) for pair in pairs(METHODS)]
    + [(domain, method, torch.float32, 1e-6) for domain in ONE_OF_EACH_KIND for method in METHODS],
    ids=name,
)
def test_an_item_is_the_same_alone_in_a_batch_and_in_any_chunk(domain, method, dtype, tolerance):
    net, x = Net(SHAPE).to(dtype), signal(SHAPE, batch=5).to(dtype) / 5
    targets = [1, 0, 3, 2, 2]
    whole = wl.attribute(net, x, targets, domain=domain, method=method)
    bound = 3 * tolerance
    if method in BLACK_BOX and dtype == torch.float32:  # made of differences of scores: what their rounding does
        exact = wl.attribute(net.double(), x.double(), targets, domain=domain, method=method).data
        off = [relative(one.double(), right) for one, right in zip(whole.data, exact, strict=True)]
        rounding = torch.finfo(dtype).eps * whole.score.abs().max() / whole.data.abs().flatten(1).amax(1).min()
        bound = max(bound, 10 * max(off), 100 * float(rounding))
        net.float()
    if isinstance(method, wl.ScaleShapley):  # made of differences of scores, which are rounded by their own size
        bound *= 3 * float(whole.score.abs().max() / wl.maps.profile(whole).signed.abs().min(1).values.min())
    if isinstance(method, wl.CoarseToFine):  # its corners are sums of as many parts as there are scales, each rounded
        bound *= 10
    is_decided_by_rounding = dtype == torch.float32 and getattr(method, "tolerance", None) is not None
    if is_decided_by_rounding:  # errors that differ by less than their rounding: which gradient is asked for next
        bound = max(bound, method.tolerance)
    for batch_size in (2, 64):
        chunked = wl.attribute(net, x, targets, domain=domain, method=method, batch_size=batch_size)
        assert relative(chunked.data, whole.data) < bound
    alone = wl.attribute(net, x[3:4], targets[3], domain=domain, method=method, batch_size=1)
    assert relative(alone.data, whole.data[3:4]) < bound
    if not is_decided_by_rounding:
        assert alone.spent.tolist() == [whole.spent[3]]


@pytest.mark.parametrize(
    "method", [m for m in METHODS if m not in BLACK_BOX and not isinstance(m, wl.ScaleShapley)], ids=name
)
def test_sensitivity_an_unused_input_gets_nothing(method):
    net, x = Net(SHAPE), signal(SHAPE)
    rows = torch.zeros(SHAPE, dtype=torch.float64)
    rows[:6] = 1  # the model sees the upper half alone
    a = wl.attribute(lambda x: net(x * rows), x, 2, domain=wl.DWT("haar", 1), method=method)
    assert a.data.abs().sum() > 0
    for band, part in a:
        assert part[..., 3:, :].abs().max() == 0, band


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_several_domains_are_each_what_they_are_alone(method):
    net, x = Net(SHAPE), signal(SHAPE)
    together = wl.attribute(net, x, 2, domain=DOMAINS, method=method)
    for domain, found in zip(DOMAINS, together, strict=True):
        assert found.domain == domain
        if getattr(method, "tolerance", None) is None or method in PATHS:
            alone = wl.attribute(net, x, 2, domain=domain, method=method)
            assert relative(found.data, alone.data) < 1e-14


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_several_targets_are_each_what_they_are_alone(method):
    net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT("db2", 1)
    wanted = [2, TARGET, wl.targets.Contrast(1, [4, 3, 0])]
    together = wl.attribute(net, x, wl.targets.Several(*wanted), domain=domain, method=method)
    if getattr(method, "tolerance", None) is not None:
        pytest.skip("an adaptive rule goes on until its slowest target must be done")
    for n, target in enumerate(wanted):
        alone = wl.attribute(net, x, target, domain=domain, method=method)
        assert relative(together.data[n], alone.data) < 1e-14
        assert relative(together.score[n], alone.score) < 1e-14
        assert relative(together.item(1).data[n], alone.item(1).data) < 1e-14


@pytest.mark.needs("captum")
def test_pixels_agree_with_captum():
    from captum import attr

    net, x = Net(SHAPE), signal(SHAPE)
    saliency = wl.attribute(net, x, TARGET, domain=wl.Identity(), method=wl.Saliency())
    theirs = attr.Saliency(net).attribute(x.clone().requires_grad_(), torch.tensor(TARGET), abs=False)
    assert relative(saliency.synthesis(), theirs) < 1e-12
    path = wl.IntegratedGradients(steps=9, baseline=0.3)
    integrated = wl.attribute(net, x, TARGET, domain=wl.Identity(), method=path)
    theirs = attr.IntegratedGradients(net).attribute(x, 0.3, torch.tensor(TARGET), n_steps=9)
    assert relative(integrated.synthesis(), theirs) < 1e-7  # Captum rounds its nodes to float32


@pytest.mark.needs("captum", "ptwt")
@pytest.mark.parametrize("wavelet", ["haar", "db2", "bior2.2"])
def test_coefficients_agree_with_captum_over_ptwt(wavelet):
    import ptwt
    from captum import attr

    net, x = Net((12, 16)), signal((12, 16))
    domain = wl.DWT(wavelet, 2, "zero")
    coarse, *details = ptwt.wavedec2(x, pywt.Wavelet(wavelet), level=2, mode="zero")
    parts = (coarse, *(band for level in details for band in level))

    def through(coarse, *bands):
        levels = [tuple(bands[i : i + 3]) for i in range(0, len(bands), 3)]
        return net(ptwt.waverec2((coarse, *levels), pywt.Wavelet(wavelet))[..., :12, :16])

    def packed(bands):  # horizontal, vertical, diagonal are 'da', 'ad', 'dd'
        levels = [bands[i : i + 3] for i in range(1, len(bands), 3)]
        ordered = [bands[0], *(level[i] for level in levels for i in (1, 0, 2))]
        return torch.cat([band.flatten(2) for band in ordered], -1)

    assert relative(domain.analysis(x).data, packed(parts)) < 1e-10
    path = attr.IntegratedGradients(through).attribute(parts, target=2, n_steps=9)
    found = wl.attribute(net, x, 2, domain=domain, method=wl.IntegratedGradients(steps=9))
    assert relative(found.data, packed(path)) < 1e-7  # Captum rounds its nodes to float32
    slope = attr.Saliency(through).attribute(tuple(p.clone().requires_grad_() for p in parts), 2, abs=False)
    found = wl.attribute(net, x, 2, domain=domain, method=wl.Saliency())
    assert relative(found.data, packed(slope)) < 1e-10


def test_path_points_are_where_they_should_be():
    seen = []

    def net(x):
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    x = torch.ones(1, 1, 4, dtype=torch.float64)
    method = wl.IntegratedGradients(steps=5, baseline=-1)
    wl.attribute(net, x, None, domain=wl.Identity(), method=method, batch_size=1)
    places = [point.mean().item() for point in seen[1:6]]  # after f(x)
    assert places == pytest.approx(np.polynomial.legendre.leggauss(5)[0].tolist())


@pytest.mark.parametrize("method", [m for m in METHODS if hasattr(m, "baseline")], ids=name)
def test_a_baseline_that_asks_for_a_gradient_gives_plain_numbers(method):
    start = torch.full((1, 2, *SHAPE), 0.2, dtype=torch.float64, requires_grad=True)
    a = wl.attribute(Net(SHAPE), signal(SHAPE), TARGET, domain=wl.DWT(), method=method, baseline=start)
    assert not any(t.requires_grad for t in (a.data, a.score, a.baseline_score, a.gap) if t is not None)


def test_baselines_a_number_a_tensor_one_for_each_item():
    net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT("db2", 1)
    method = wl.IntegratedGradients(steps=30)
    number = wl.attribute(net, x, 2, domain=domain, method=wl.IntegratedGradients(steps=30, baseline=0.5))
    for baseline in (0.5, torch.full(SHAPE, 0.5)[None].expand(2, -1, -1), torch.full_like(x, 0.5)):
        found = wl.attribute(net, x, 2, domain=domain, method=method, baseline=baseline)
        assert relative(found.data, number.data) < 1e-14
    own = signal(SHAPE, seed=9)
    each = wl.attribute(net, x, 2, domain=domain, method=method, baseline=own)
    for i in range(3):
        alone = wl.attribute(net, x[i : i + 1], 2, domain=domain, method=method, baseline=own[i])
        assert relative(each.data[i : i + 1], alone.data) < 1e-12
    assert relative(each.baseline_score, net(own)[:, 2]) < 1e-14


def test_expected_gradients_take_a_number_too():
    net, x = Net(SHAPE), signal(SHAPE)
    a, b = (
        wl.attribute(net, x, 2, domain=wl.DWT(), method=method, baseline=baseline)
        for method, baseline in ((wl.ExpectedGradients(), 0.5), (wl.ExpectedGradients(baseline=0.5), None))
    )
    assert torch.equal(a.data, b.data)


def test_expected_gradients_over_a_set_are_complete_in_expectation():
    net, x, references = Net(SHAPE), signal(SHAPE, batch=1) / 3, signal(SHAPE, batch=4, seed=4) / 9
    a = wl.attribute(net, x, 2, domain=wl.DWT("db2", 1), method=wl.ExpectedGradients(samples=2000), baseline=references)
    rises = net(x)[0, 2] - net(references)[:, 2]
    assert a.data.sum().item() == pytest.approx(rises.mean().item(), abs=5 * rises.std().item() / 2000**0.5)


class TestAdaptive:
    def test_integrated_gradients_meets_its_tolerance_and_spends_item_by_item(self):
        net, x = Net(SHAPE), signal(SHAPE) * torch.tensor([0.01, 1, 20]).reshape(-1, 1, 1, 1)
        a = wl.attribute(net, x, 2, domain=wl.DWT(), method=wl.IntegratedGradients(tolerance=1e-3))
        assert (a.gap.abs() <= 1e-3 * (a.score - a.baseline_score).abs()).all()
        assert a.spent[0] < a.spent[2]

    def test_integrated_gradients_stops_at_its_limit(self):
        def rough(x):
            return (200 * x.flatten(1).sum(1)).sin()

        x = torch.rand(2, 1, 30, dtype=torch.float64)
        method = wl.IntegratedGradients(tolerance=1e-12, max_steps=40)
        a = wl.attribute(rough, x, None, domain=wl.DWT(), method=method)
        assert a.spent.tolist() == [40, 40]
        assert (a.gap.abs() > 0).all()

    @pytest.mark.parametrize("kept", [0, 5, 12])
    def test_gradients_for_which_there_is_no_room_are_asked_for_again(self, kept, monkeypatch):
        net, x = Net(SHAPE), signal(SHAPE, batch=1) * 5
        x = torch.cat([x, 4 * x])
        method, domain = wl.IntegratedGradients(tolerance=1e-3), wl.DWT()
        whole = wl.attribute(net, x, 2, domain=domain, method=method)
        assert whole.spent.min() > 12
        monkeypatch.setattr("wavelens.methods.adaptive.KEPT_GRADIENT_BYTES", kept * x[0].nbytes)
        found = wl.attribute(net, x, 2, domain=domain, method=method)
        assert relative(found.data, whole.data) < 1e-13
        assert found.spent.tolist() == [2 * n - kept for n in whole.spent.tolist()]
        monkeypatch.setattr("wavelens.methods.adaptive.NODES_PER_ITEM", max(1, kept // 2))
        found = wl.attribute(net, x, 2, domain=domain, method=method)
        assert relative(found.data, whole.data) < 1e-13
        assert found.spent.sum() == 2 * whole.spent.sum() - kept

    def test_integrated_gradients_looks_where_the_path_bends(self):
        seen = []

        def kink(x):
            seen.extend(x.detach().flatten(1).mean(1).tolist())
            return torch.relu(x.flatten(1).mean(1) - 0.3)

        x = torch.ones(1, 1, 8, dtype=torch.float64)
        method = wl.IntegratedGradients(tolerance=1e-3)
        a = wl.attribute(kink, x, None, domain=wl.DWT(), method=method, batch_size=16)
        assert a.gap.abs() <= 1e-3 * a.score
        inner = [place for place in seen if place * 8 % 1]  # neither an end nor one of the first eight steps
        assert max(abs(place - 0.3) for place in inner) < 0.15

    def test_smoothgrad_samples_until_the_profile_is_known(self):
        net, x = Net(SHAPE), signal(SHAPE)
        method = wl.SmoothGrad(samples=10, sigma=0.5, tolerance=0.004, max_samples=400)
        a = wl.attribute(net, x, 2, domain=wl.DWT(), method=method)
        assert ((a.standard_error.amax(1) <= 0.004) | (a.spent == 400)).all()
        assert a.spent.min() > 10
        fewer = wl.attribute(net, x, 2, domain=wl.DWT(), method=wl.SmoothGrad(samples=10, sigma=0.5))
        assert (fewer.standard_error.amax(1) > a.standard_error.amax(1)).all()

    @pytest.mark.parametrize("product", [False, True])
    def test_an_item_that_goes_on_after_others_has_the_mean_of_its_own_samples(self, product):
        net, x = Net(SHAPE), signal(SHAPE)
        options = {"sigma": 0.5, "times_input": product}
        method = wl.SmoothGrad(samples=10, tolerance=0.004, max_samples=400, **options)
        a = wl.attribute(net, x, 2, domain=wl.DWT(), method=method)
        assert len(set(a.spent.tolist())) > 1
        for item, samples in enumerate(a.spent.tolist()):
            fixed = wl.SmoothGrad(samples=samples, **options)
            own = wl.attribute(net, x[item : item + 1], 2, domain=wl.DWT(), method=fixed)
            assert relative(a.data[item], own.data[0]) < 1e-12

    def test_smoothgrad_stops_at_its_limit(self):
        net, x = Net(SHAPE), signal(SHAPE)
        method = wl.SmoothGrad(samples=10, tolerance=1e-9, max_samples=25)
        a = wl.attribute(net, x, 2, domain=wl.DWT(), method=method)
        assert a.spent.tolist() == [25, 25, 25]


@pytest.mark.parametrize("samples", [4, 5, 7, 13, 25])
def test_batches_are_as_equal_as_can_be(samples):
    ends = [sampling._batch_end(k, samples) for k in range(sampling.BATCHES + 1)]
    sizes = np.diff(ends)
    assert (ends[0], ends[-1]) == (0, samples)
    assert sizes.max() - sizes.min() <= 1


def test_a_variance_of_single_samples_has_no_standard_error():
    net, x = Net(SHAPE), signal(SHAPE)
    known = wl.attribute(net, x, 2, domain=wl.DWT(), method=wl.VarGrad(samples=8))
    assert (known.standard_error > 0).all()
    unknown = wl.attribute(net, x, 2, domain=wl.DWT(), method=wl.VarGrad(samples=4))
    assert unknown.standard_error.isnan().all()
    assert unknown.data.isfinite().all()


def test_what_is_cut_out_makes_no_claims():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, 2, domain=wl.DWT("haar", 2), method=wl.IntegratedGradients(steps=5))
    for part in (a.only(a.layout.bands[0]), a.map(torch.abs)):
        assert type(part) is Coefficients


def test_a_limit_below_the_first_nodes_is_refused_and_at_them_obeyed():
    net, x = Net(SHAPE), signal(SHAPE)
    with pytest.raises(ValueError, match="max_steps at least 9"):
        wl.IntegratedGradients(tolerance=0.01, max_steps=8)
    a = wl.attribute(net, x, 2, domain=wl.DWT(), method=wl.IntegratedGradients(tolerance=1e-9, max_steps=9))
    assert a.spent.tolist() == [9, 9, 9]


def test_a_score_that_is_no_number_is_an_error():
    x = torch.ones(1, 1, 4, dtype=torch.float64)
    for method in (wl.Saliency(), wl.IntegratedGradients(tolerance=0.1)):
        with pytest.raises(ValueError, match="output and its gradient must be finite"):
            wl.attribute(lambda x: x.sum((1, 2)) + torch.inf, x, None, domain=wl.DWT(), method=method)


def test_standard_error_is_that_of_the_profile_between_runs():
    net, x, domain = Net(SHAPE), signal(SHAPE, batch=1), wl.DWT("haar", 2)
    runs = [
        wl.attribute(net, x, 2, domain=domain, method=wl.SmoothGrad(samples=50, sigma=0.3, seed=seed))
        for seed in range(40)
    ]
    scales = runs[0].layout.scales().values()
    shares = torch.stack([torch.stack([sum(r[b].abs().sum() for b in bands) for bands in scales]) for r in runs])
    spread = (shares / shares.sum(1, keepdim=True)).std(0)
    stated = torch.cat([r.standard_error for r in runs]).mean(0)
    assert (stated / spread).log().abs().max() < 0.7  # a factor of two: batches of ten stand for runs of fifty


def test_save_and_load(tmp_path):
    net, x = Net(SHAPE), signal(SHAPE)
    for method in (wl.IntegratedGradients(steps=5), wl.SmoothGrad(samples=6)):
        a = wl.attribute(net, x, TARGET, domain=wl.DWT("db2", 2, "reflect"), method=method)
        a.save(tmp_path / "a.safetensors")
        b = wl.Attribution.load(tmp_path / "a.safetensors")
        assert torch.equal(a.data, b.data)
        assert a.layout == b.layout
        assert (b.method, b.target, b.provenance) == (repr(method), str(TARGET), a.provenance)
        for field in ("score", "baseline_score", "gap", "standard_error", "spent"):
            mine, theirs = getattr(a, field), getattr(b, field)
            assert theirs is None if mine is None else torch.equal(mine, theirs)
        tiny = wl.Attribution(a.data * 1e-9, a.layout)  # below float16's smallest number
        tiny.save(tmp_path / "half.safetensors", half=True)
        assert relative(wl.Attribution.load(tmp_path / "half.safetensors").data, tiny.data) < 1e-3
    assert (tmp_path / "half.safetensors").stat().st_size < (tmp_path / "a.safetensors").stat().st_size / 2


def test_what_was_loaded_stays_when_its_file_is_written_again(tmp_path):
    path, first = tmp_path / "a.safetensors", wl.DWT().analysis(signal((4000,)))
    wl.Attribution(first.data, first.layout).save(path)
    loaded = wl.Attribution.load(path)
    wl.Attribution(first.data + 1, first.layout).save(path)
    assert torch.equal(loaded.data, first.data)


def test_load_refuses_other_files(tmp_path):
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match=r"written by Attribution\.save; this one is not"):
        wl.Attribution.load(tmp_path / "text")
    with pytest.raises(FileNotFoundError, match="no such stored attribution"):
        wl.Attribution.load(tmp_path / "none")


def test_an_item_is_cut_from_every_field():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, TARGET, domain=wl.DWT(), method=wl.IntegratedGradients(tolerance=0.01))
    for index, one in ((1, slice(1, 2)), (-1, slice(2, 3))):
        item = a.item(index)
        for field in ("data", "score", "baseline_score", "gap", "spent"):
            assert torch.equal(getattr(item, field), getattr(a, field)[one])


@pytest.mark.parametrize(
    ("target", "texts"),
    [
        (2, ["2", "2", "2"]),
        (TARGET, [str(k) for k in TARGET]),
        (wl.targets.Contrast(TARGET, 2), [f"Contrast(target={k}, against=2)" for k in TARGET]),
        (wl.targets.Several(TARGET, 0), [f"Several({k}, 0)" for k in TARGET]),
    ],
    ids=str,
)
def test_an_item_has_its_own_target(target, texts):
    a = wl.attribute(Net(SHAPE), signal(SHAPE), target, domain=wl.Identity(), method=wl.Saliency())
    assert [a.item(k).target for k in range(3)] == texts
    assert a.item(-1).item(0).target == texts[-1]


def test_the_record_says_what_was_done():
    a = wl.attribute(Net(SHAPE), signal(SHAPE), 2, domain=wl.DWT(), method=wl.SmoothGrad(samples=5, seed=3))
    assert "seed=3" in a.method
    assert a.provenance["wavelens"] == wl.__version__
    assert a.provenance["torch"] == torch.__version__
    assert a.provenance["pywavelets"] == version("PyWavelets")  # pywt.__version__ of 1.9.0 is 1.8.0
    with pytest.raises(IndexError, match="item must be one of 3 in the batch; got 3"):
        a.item(3)


def test_what_a_prompt_shows_is_one_line():
    a = wl.attribute(Net(SHAPE), signal(SHAPE), 2, domain=wl.DWT("haar", 2), method=wl.Saliency())
    place = f"{tuple(a.data.shape)}, signal (12, 17) in DWT(wavelet='haar', levels=2, mode='periodization')"
    assert repr(a) == f"<Attribution {place}; method=Saliency(times_input=False), target=2>"
    assert repr(wl.Coefficients(a.data, a.layout)) == f"<Coefficients {place}>"
    assert repr(wl.masks.threshold(a, 0.5)).startswith("<Mask (3, 1, ")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"baseline": torch.zeros(5)}, r"baseline must be a finite number, a signal \(2, 12, 17\) .* got .* \(5,\)"),
        ({"baseline": torch.zeros(4, 2, 12, 17)}, "baseline must be a finite number"),
        ({"baseline": float("nan")}, "baseline must be a finite number"),
        ({"method": wl.IntegratedGradients(baseline=float("inf"))}, "baseline must be a finite number"),
        ({"domain": "haar"}, "domain must be a domain such as .* got 'haar'"),
        ({"method": wl.Saliency}, "method must be a method's value such as SmoothGrad"),
        ({"baseline": 0.0, "method": wl.Saliency()}, "baseline belongs to methods with one"),
        ({"domain": []}, "domain must be a domain such as"),
        ({"domain": wl.DWT}, "domain must be a domain such as DWT.'haar'., or .* got <class"),
        ({"domain": None}, "domain must be a domain such as .* got None"),
        ({"baseline": np.zeros((3, 2, 12, 17))}, "baseline must be a finite number or a tensor; got ndarray"),
        ({"method": wl.ExpectedGradients(), "baseline": torch.zeros(2, 3)}, "baseline must be a finite set of signals"),
    ],
)
def test_wrong_use_says_what_to_do(change, match):
    given = {"domain": wl.DWT(), "method": wl.IntegratedGradients(steps=2)} | change
    with pytest.raises(ValueError, match=match):
        wl.attribute(Net(SHAPE), signal(SHAPE), 2, **given)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: wl.IntegratedGradients(quadrature="simpson"),
            "quadrature must be one of gauss-legendre.*got 'simpson'",
        ),
        (lambda: wl.IntegratedGradients(quadrature="trapezoid", steps=1), "the trapezoid with 2 steps or more"),
        (lambda: wl.IntegratedGradients(steps=0), "steps must be a whole number from 1; got steps=0"),
        (lambda: wl.SmoothGrad(samples=2.5), "samples must be a whole number from 1; got samples=2.5"),
        (lambda: wl.IntegratedGradients(tolerance=0), "tolerance must be above 0"),
        (
            lambda: wl.SmoothGrad(sigma=-1),
            "sigma, a fraction of the signal's range, must be at least 0 and finite; got sigma=-1",
        ),
        (lambda: wl.SmoothGrad(tolerance=0.1, max_samples=3), "max_samples at least 25"),
    ],
)
def test_wrong_methods_say_what_to_do(make, match):
    with pytest.raises(ValueError, match=match):
        make()
