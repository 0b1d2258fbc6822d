"""Laws of all metrics: an item is judged alone, the unit of an attribution does not count, nothing is left changed."""

import pytest
import torch

import wavelens as wl
from cases import (
    ANEW,
    ASKING,
    DOMAINS,
    METRICS,
    ONE_OF_EACH_KIND,
    PAIRS,
    RANKED,
    SHAPES,
    SILENT,
    UNITS,
    Net,
    explainer,
    name,
    relative,
    signal,
)
from wavelens.core import Coefficients
from wavelens.masks.ranking import importance

SHAPE = (12, 17)
CLASSES = [2, 0, 4]
SLOW = {"road"}  # solves an equation for each of its fills: of each kind of domain one


def in_domains(metrics):
    """Each metric in each domain, as parameters of a test."""
    return [
        pytest.param(domain, metric, id=f"{name(domain)}-{metric}")
        for domain in DOMAINS
        for metric in metrics
        if metric not in SLOW or domain in ONE_OF_EACH_KIND
    ]


def judged(domain, shape=SHAPE, channels=2):
    """A net, a batch, and its integrated gradients for a class each."""
    net, x = Net(shape, channels), signal(shape, channels=channels)
    return net, x, wl.attribute(net, x, CLASSES, domain=domain, method=wl.IntegratedGradients(steps=4))


def ties(attribution):
    """Pairs of an item's coefficients that a layout makes equal, and rounding does not: the most of any item."""
    size = importance(attribution)[:, 0]
    rounding = 64 * torch.finfo(size.dtype).eps * size.amax(-1, keepdim=True)  # the step of the ranks' own rounding
    close = ((size[:, :, None] - size[:, None]).abs() < rounding[..., None]).triu(1)
    return (close & (size > rounding)[:, :, None]).sum((1, 2)).amax().item()  # what is below that is zero


def rounding(metric, net, x, a):
    """How far two evaluations of a metric may lie apart.

    Ranks are of rounded values. Where a step of that rounding lies between the two of a tied pair, they have ranks
    r ∓ ½ instead of r each: the sum of products of ranks moves by ½ |s - t| < n / 2, s and t their other ranks. That
    sum is divided by the variances n (n² - 1) / 12, or 0.8 of it where half of the coefficients are tied at zero.
    """
    if metric not in RANKED:
        return 1e-12
    size = a.layout.size
    pairs = ties(a) + ties(explainer(a)(net, x, CLASSES[: len(x)]))
    return 1e-12 + pairs * 6 / (0.8 * size * (size + 1))


def same(found, expected, bound=1e-12):
    return found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-9, atol=bound, equal_nan=True)


@pytest.mark.parametrize(("domain", "metric"), in_domains(METRICS))
def test_an_item_is_judged_alone(domain, metric):
    net, x, a = judged(domain)
    together = METRICS[metric](net, x, CLASSES, a)
    assert together.shape == (3,)
    assert together.dtype == torch.float64
    assert together.isfinite().all()
    alone = [METRICS[metric](net, x[i : i + 1], CLASSES[i], a.item(i)) for i in range(3)]
    assert same(torch.cat(alone), together, rounding(metric, net, x, a))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_number_of_axes(shape, metric):
    net, x, a = judged(wl.DWT("db2", levels=1), shape, channels=1)
    backwards = METRICS[metric](net, x.flip(0), CLASSES[::-1], a.map(lambda data: data.flip(0)))
    if metric == "pointing_game":
        assert set(backwards.tolist()) <= {0.0, 1.0}
    assert same(backwards.flip(0), METRICS[metric](net, x, CLASSES, a), rounding(metric, net, x, a))


@pytest.mark.parametrize(("domain", "metric"), in_domains(ASKING))
def test_any_chunk_gives_the_same(domain, metric):
    net, x, a = judged(domain)
    whole = ASKING[metric](net, x, CLASSES, a, batch_size=1000)
    for batch_size in (1, 4, None):
        assert same(ASKING[metric](net, x, CLASSES, a, batch_size=batch_size), whole)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("domain", DOMAINS[:4], ids=name)
def test_the_unit_of_an_attribution(domain, metric):
    net, x, a = judged(domain)
    scaled = a.map(lambda data: data * torch.tensor([0.1, 3.0, 700.0])[:, None, None])
    if metric in (*ANEW, *UNITS):  # those that explain again know the unit, or ranks alone
        assert metric not in UNITS or not same(
            METRICS[metric](net, x, CLASSES, scaled), METRICS[metric](net, x, CLASSES, a)
        )
    else:
        assert same(METRICS[metric](net, x, CLASSES, scaled), METRICS[metric](net, x, CLASSES, a))


@pytest.mark.parametrize("metric", ASKING)
@pytest.mark.parametrize("other", [wl.Identity(), wl.DWT("db2", levels=1, mode="reflect")], ids=name)
def test_another_domain_is_perturbed_through_the_heat_map(other, metric):
    net, x, a = judged(wl.DWT("haar", levels=2))
    told = ASKING[metric](net, x, CLASSES, wl.metrics.translate(a, other))
    assert same(ASKING[metric](net, x, CLASSES, a, domain=other), told)
    assert same(ASKING[metric](net, x, CLASSES, a, domain=a.domain), ASKING[metric](net, x, CLASSES, a))


@pytest.mark.parametrize("metric", METRICS)
def test_all_comes_back_as_it_was(metric):
    net, x, a = judged(wl.DWT("haar", levels=1))
    net.first.grad = torch.ones_like(net.first)
    net.second.requires_grad_(False)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    places = [p.data_ptr() for p in net.parameters()]
    before, data, random = x.clone(), a.data.clone(), torch.random.get_rng_state()
    METRICS[metric](net, x, CLASSES, a)
    if metric not in SILENT:
        with pytest.raises(RuntimeError, match="in the middle"):
            METRICS[metric](Breaking(net), x, CLASSES, a)
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert places == [p.data_ptr() for p in net.parameters()]
    assert [p.requires_grad for p in net.parameters()] == [True, False]
    assert torch.equal(net.first.grad, torch.ones_like(net.first))
    assert net.second.grad is None
    assert not net.training
    assert torch.equal(x, before)
    assert torch.equal(a.data, data)
    assert torch.equal(torch.random.get_rng_state(), random)


class Breaking(torch.nn.Module):
    """Changes its buffer at every call and fails at the second."""

    def __init__(self, net):
        super().__init__()
        self.net, self.asked = net, 0
        self.eval()

    def forward(self, x):
        self.asked += 1
        self.net.calls.add_(1)
        if self.asked == 2:
            raise RuntimeError("in the middle")
        return self.net(x)


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_no_attribution_of_the_batch(metric):
    net, x, a = judged(wl.Identity())
    for wrong in (a.item(0), wl.Identity().analysis(x[..., :-1]), wl.Identity().analysis(torch.cat([x, x], 1))):
        with pytest.raises(ValueError, match=r"an attribution of x \(3, 2, 12, 17\) must be \(3, 1 or 2, size\) over"):
            METRICS[metric](net, x, CLASSES, wrong)
    with pytest.raises(TypeError, match=r"an attribution must be Coefficients, as attribute.* gives them; got Tensor"):
        METRICS[metric](net, x, CLASSES, a.data)
    with pytest.raises(ValueError, match="an attribution that is judged must be finite; got NaN or infinity"):
        METRICS[metric](net, x, CLASSES, a.map(lambda data: data / 0))


@pytest.mark.parametrize("metric", [m for m in METRICS if m not in SILENT])
def test_one_target_at_a_time(metric):
    net, x, a = judged(wl.Identity())
    with pytest.raises(ValueError, match=r"a metric judges one target at a time; got Several\(targets=\(0, 1\)\)"):
        METRICS[metric](net, x, wl.targets.Several(0, 1), a)


@pytest.mark.parametrize(
    ("domain", "shape"), [pair for pair in PAIRS if pair[0] != wl.Identity() and pair[1] != (64,)], ids=name
)
def test_translation_is_the_transpose_of_the_heat_map(shape, domain):
    x, pixels = signal(shape), wl.Identity()
    heat = pixels.analysis(x.abs())
    read = wl.metrics.translate(heat, domain)
    layout = domain.layout(shape)
    weights = Coefficients(torch.randn(3, 1, layout.size, dtype=torch.float64), layout)
    summed = (x.abs().sum(1) * wl.maps.spatial_map(weights, signed=True)).flatten(1).sum(1)
    assert relative((read.data * weights.data).flatten(1).sum(1), summed) < 1e-11
    even = wl.metrics.translate(pixels.analysis(torch.full_like(x, 0.7)), domain)
    assert relative(even.data, torch.full_like(even.data, 1.4)) < 1e-12  # the sum of two channels
    back = wl.metrics.translate(read, pixels)
    assert relative(back.data.sum(-1), read.data.sum(-1)) < 1e-12  # from coefficients to samples |γ| is kept


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (wl.DWT("haar", levels=2), wl.DWT("db1", levels=2), wl.DWT("db2", levels=2)),
        (wl.DWT("sym2", levels=2), wl.DWT("db2", levels=2), wl.DWT("db2", levels=2, mode="zero")),
        (wl.DWT("db4"), wl.DWT("db4", levels=3), wl.DWT("db4", levels=2)),
    ],
)
def test_a_domain_by_another_name_keeps_the_scales(one, same, other):
    a = one.analysis(signal((64, 64)))
    assert wl.metrics.translate(a, same).layout.domain == same
    assert torch.equal(wl.metrics.translate(a, same).data, a.data)
    assert wl.metrics.translate(a, other).data.shape[1] == 1  # a heat map


def test_translation_of_samples_to_samples_and_of_inference_tensors():
    a = wl.Identity().analysis(signal(SHAPE))
    assert wl.metrics.translate(a, wl.Identity()) is a
    with torch.inference_mode():
        told = wl.metrics.translate(wl.Identity().analysis(signal(SHAPE)), wl.DWT("haar", levels=1))
    assert torch.equal(told.data, wl.metrics.translate(a, wl.DWT("haar", levels=1)).data)
