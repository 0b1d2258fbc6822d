"""Shapley values of groups of coefficients: definitions, closed forms, and an independent computer of them."""

import itertools
import math

import pytest
import torch

import wavelens as wl
from cases import SHAPES, Net, relative, signal
from wavelens.methods.partitions import GROUPS, Partition, partition

EXACT = 1e-11  # of the values, in float64: sums of at most 2¹⁰ values and transforms


NETS = {shape: Net(shape).double().eval() for shape in SHAPES}


def coalition(x, domain, members, names, start=0.0):
    """`x₀ + S(m ⊙ W(x − x₀))`, by a mask of scales."""
    z = domain.analysis(x - start)
    chosen = [name for name, inside in zip(names, members, strict=True) if inside]
    return wl.masks.scale(z, *chosen).apply(x, baseline=start)


def by_definition(f, x, domain, start=0.0):
    """Values, interactions, alone and last, straight from the sums over subsets of the scales."""
    names = list(domain.analysis(x).layout.scales())
    n = len(names)
    v = {s: f(coalition(x, domain, s, names, start)) for s in itertools.product((0, 1), repeat=n)}

    def with_(s, *groups):
        return tuple(1 if k in groups else bit for k, bit in enumerate(s))

    values = torch.zeros(len(x), n, dtype=torch.float64)
    interaction = torch.zeros(len(x), n, n, dtype=torch.float64)
    for s in v:
        for i in range(n):
            if not s[i]:
                weight = math.factorial(sum(s)) * math.factorial(n - sum(s) - 1) / math.factorial(n)
                values[:, i] += weight * (v[with_(s, i)] - v[s])
            for j in range(n):
                if i != j and not s[i] and not s[j]:
                    weight = math.factorial(sum(s)) * math.factorial(n - sum(s) - 2) / math.factorial(n - 1)
                    mixed = v[with_(s, i, j)] - v[with_(s, i)] - v[with_(s, j)] + v[s]
                    interaction[:, i, j] += weight * mixed
    empty, full = (0,) * n, (1,) * n
    alone = torch.stack([v[with_(empty, i)] - v[empty] for i in range(n)], 1)
    last = torch.stack([v[full] - v[tuple(k != i for k in range(n))] for i in range(n)], 1)
    return values, interaction, alone, last


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("start", [0.0, 0.4])
def test_values_and_interactions_are_those_of_the_definition(shape, start):
    net, x, domain = NETS[shape], signal(shape), wl.DWT("haar", levels=2)

    def f(x):
        return net(x)[:, 1].detach()

    values, interaction, alone, last = by_definition(f, x, domain, start)
    found = wl.shapley(net, x, 1, domain=domain, baseline=start)
    assert found.names == ("a2", "d2", "d1")
    assert relative(found.values, values) < EXACT
    assert relative(found.interaction, interaction) < EXACT
    assert relative(found.alone, alone) < EXACT
    assert relative(found.last, last) < EXACT
    assert relative(found.values.sum(1), found.score - found.baseline_score) < EXACT
    assert found.passes.tolist() == [2**3] * 3
    assert found.standard_error is None


@pytest.mark.needs("shapiq")
def test_an_exact_computer_agrees():
    import shapiq

    shape = SHAPES[1]
    net, x, domain = NETS[shape], signal(shape, batch=1), wl.DWT("db2", levels=3)
    names = list(domain.analysis(x).layout.scales())

    def game(coalitions):
        rows = torch.cat([coalition(x, domain, list(map(int, members)), names) for members in coalitions])
        return net(rows)[:, 2].detach().numpy()

    found = wl.shapley(net, x, 2, domain=domain)
    computer = shapiq.ExactComputer(n_players=len(names), game=game)
    theirs = torch.tensor([computer("SV")[(i,)] for i in range(len(names))], dtype=torch.float64)
    assert relative(found.values[0], theirs) < 1e-10
    pairs = computer("SII", order=2)
    mine = {(i, j): float(found.interaction[0, i, j]) for i, j in itertools.combinations(range(len(names)), 2)}
    assert all(abs(value - pairs[key]) < 1e-10 * float(found.values.abs().max()) for key, value in mine.items())


class Scales(torch.nn.Module):
    """The root mean squares of the details of a signal's first channel, scale by scale, given to a function."""

    def __init__(self, function, domain):
        super().__init__()
        self.function, self.domain = function, domain

    def forward(self, x):
        z = self.domain.analysis(x)
        return self.function([z[band][:, 0].flatten(1).square().mean(1).sqrt() for band in z.layout.bands])


CLOSED = {
    "additive": (lambda z: 2 * z[1] - z[2], lambda a, b: (2 * a, -b, 0 * a)),
    "product": (lambda z: z[1] * z[2], lambda a, b: (a * b / 2, a * b / 2, a * b)),
    "or": (lambda z: ((z[1] > 1e-6) | (z[2] > 1e-6)).double(), lambda a, b: (0.5 + 0 * a, 0.5 + 0 * a, -1 + 0 * a)),
}


@pytest.mark.parametrize("form", CLOSED)
def test_closed_forms(form):
    """Sums share by themselves, products and alternatives by halves; a pair's interaction has the sign of its kind."""
    function, expected = CLOSED[form]
    domain, x = wl.DWT("haar", levels=2), signal((16,))
    z = domain.analysis(x)
    a, b = (z[band][:, 0].square().mean(1).sqrt() for band in z.layout.bands[1:])
    found = wl.shapley(Scales(function, domain).eval(), x, None, domain=domain)
    one, two, pair = expected(a, b)
    nothing = torch.zeros_like(a)
    assert torch.allclose(found.values, torch.stack([nothing, one, two], 1), atol=1e-9)
    assert torch.allclose(found.interaction[:, 1, 2], pair, atol=1e-9)
    assert torch.allclose(found.interaction, found.interaction.mT)
    assert torch.allclose(found.interaction[:, 0], torch.zeros(3, 3, dtype=torch.float64), atol=1e-9)


def test_no_gradient_is_needed():
    x = signal((16,))
    found = wl.shapley(lambda x: torch.from_numpy(x.detach().numpy().max((1, 2))), x, None, domain=wl.DWT("haar", 2))
    assert relative(found.values.sum(1), found.score - found.baseline_score) < EXACT


def test_an_item_alone_in_a_batch_and_in_any_chunk():
    shape = SHAPES[1]
    net, x, domain = NETS[shape], signal(shape, batch=5), wl.DWT("haar", levels=2)
    whole = wl.shapley(net, x, [0, 1, 2, 1, 0], domain=domain, groups="bands")
    for size in (1, 3, 64):
        again = wl.shapley(net, x, [0, 1, 2, 1, 0], domain=domain, groups="bands", batch_size=size)
        assert relative(again.values, whole.values) < EXACT
    alone = wl.shapley(net, x[3:4], 1, domain=domain, groups="bands")
    assert relative(alone.values[0], whole.values[3]) < EXACT


@pytest.mark.parametrize("groups", [g for g in GROUPS if g != "signals"])
def test_every_partition_has_each_coefficient_once_and_adds_up(groups):
    shape = SHAPES[1]
    net, x, domain = NETS[shape], signal(shape), wl.DWT("haar", levels=1)
    parts = partition(domain.layout(shape), 2, groups)
    assert parts.labels.unique().tolist() == list(range(len(parts.names)))
    found = wl.shapley(net, x, 1, domain=domain, groups=groups)
    assert found.names == parts.names
    assert relative(found.values.sum(1), found.score - found.baseline_score) < EXACT


def test_blocks_are_places():
    layout = wl.DWT("haar", levels=1).layout((8, 8))
    parts = partition(layout, 1, "blocks")
    band = layout.bands[0]
    corner = parts.labels[0, layout.slices[band]].view(band.shape)
    assert [[parts.names[int(k)] for k in row] for row in corner[::2, ::2]] == [
        ["a1 (0, 0)", "a1 (0, 1)"],
        ["a1 (1, 0)", "a1 (1, 1)"],
    ]


def test_sampled_values_lie_within_their_standard_errors():
    """Of the same 7 bands of two levels, exact, and sampled because they are split into 14 groups by channel."""
    shape = SHAPES[2]
    net, x, domain = NETS[shape], signal(shape), wl.DWT("haar", levels=2)
    whole = partition(domain.layout(shape), 2, "bands")
    split = Partition(
        tuple(f"{name} {channel}" for channel in (0, 1) for name in whole.names),
        torch.cat([whole.labels, whole.labels + len(whole.names)]),
    )
    method = wl.ScaleShapley(tolerance=0.05, max_permutations=100)
    found = wl.shapley(net, x, 1, domain=domain, groups=split, method=method)
    assert found.interaction is None
    assert relative(found.values.sum(1), found.score - found.baseline_score) < EXACT
    again = wl.shapley(
        net, x, 1, domain=domain, groups=split, method=wl.ScaleShapley(seed=1, max_permutations=100, tolerance=1e-9)
    )
    error = (found.standard_error.square() + again.standard_error.square()).sqrt()
    assert ((found.values - again.values).abs() <= 5 * error + 1e-12).all()
    small = (found.standard_error <= 0.05 * (found.score - found.baseline_score).abs()[:, None]).all(1)
    all_of_them = 2 + 2 * 14 + 100 * 13
    assert (small | (found.passes == all_of_them)).all()
    assert (found.passes < all_of_them).any()
    assert (again.passes == all_of_them).all()  # nowhere near its tolerance, so at its limit
    alone = wl.shapley(net, x[1:2], 1, domain=domain, groups=split, method=method)
    assert relative(alone.values[0], found.values[1]) < EXACT
    assert alone.passes[0] == found.passes[1]


def test_a_sum_is_known_from_one_pair_of_permutations():
    """Every permutation gives an additive game its values."""
    x = signal((64,), channels=12)
    found = wl.shapley(lambda x: x.square().sum((1, 2)), x, None, domain=wl.Identity(), groups="channels")
    assert relative(found.values, x.square().sum(2)) < EXACT
    assert found.standard_error.max() < 1e-10 * found.values.max()


def test_signals_are_players():
    x = {"image": signal((4, 4), channels=1), "text": signal((6,))}

    def model(image, text):
        return image.sum((1, 2, 3)) * text.square().sum((1, 2))

    found = wl.shapley(model, x, None, domain={"image": wl.DWT("haar", 1), "text": wl.Identity()}, groups="signals")
    product = x["image"].sum((1, 2, 3)) * x["text"].square().sum((1, 2))
    assert found.names == ("image", "text")
    assert relative(found.values, torch.stack([product / 2] * 2, 1)) < EXACT
    assert relative(found.interaction[:, 0, 1], product) < EXACT


def test_several_targets_are_each_what_they_are_alone():
    shape = SHAPES[0]
    net, x, domain = NETS[shape], signal(shape), wl.DWT("haar", levels=2)
    both = wl.shapley(net, x, wl.targets.Several(0, 2), domain=domain)
    for k, target in enumerate((0, 2)):
        one = wl.shapley(net, x, target, domain=domain)
        assert relative(both.values[k], one.values) < EXACT
        assert relative(both.interaction[k], one.interaction) < EXACT


def test_as_an_attribution_its_profile_has_the_values():
    shape = SHAPES[1]
    net, x, domain = NETS[shape], signal(shape), wl.DWT("db2", levels=2, mode="reflect")
    a = wl.attribute(net, x, 1, domain=domain, method=wl.ScaleShapley())
    found = wl.shapley(net, x, 1, domain=domain)
    assert relative(wl.maps.profile(a).signed, found.values) < EXACT
    assert a.gap.abs().max() < EXACT * found.values.abs().max()
    z = domain.analysis(x)
    band = z.layout.bands[-1]
    of_energy = a[band] / z[band].square()
    assert torch.allclose(of_energy, of_energy[:, :1, :1].expand_as(of_energy))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"groups": "decades"}, r"groups must be one of scales, octaves, .*; got 'decades'"),
        ({"groups": None}, r"groups must be one of scales, octaves, .*; got None"),
        ({"groups": ["scales"]}, r"groups must be one of scales, octaves, .*; got \['scales'\]"),
        (
            {"method": wl.Saliency()},
            r"method must be a ScaleShapley\(…\), which has the options; got Saliency\(times_input=False\)",
        ),
        ({"groups": "signals"}, r"groups='signals' needs a model of several signals; DWT"),
        ({"groups": Partition(("a", "b"), torch.zeros(3, dtype=torch.long)[None])}, r"labels must be .*\(1 or 2, 16\)"),
    ],
)
def test_groups_that_are_none(options, text):
    with pytest.raises(ValueError, match=text):
        wl.shapley(lambda x: x.sum((1, 2)), signal((16,)), None, domain=wl.DWT("haar", 2), **options)


def test_labels_are_checked():
    with pytest.raises(
        ValueError, match=r"labels must be integers \(1 or channel, size\); got \(4,\) of torch.float32"
    ):
        Partition(("a",), torch.zeros(4))
    with pytest.raises(ValueError, match=r"labels must be integers .*; got \(1, 4\) of torch.complex64"):
        Partition(("a",), torch.zeros(1, 4, dtype=torch.complex64))
    with pytest.raises(ValueError, match="labels of 1 groups must lie between 0 and 0; got 0 to 1"):
        Partition(("a",), torch.tensor([[0, 1]]))


@pytest.mark.parametrize("groups", [g for g in GROUPS if g != "signals"])
def test_the_default_device_is_not_used(groups):
    net, x, domain = NETS[SHAPES[2]], signal(SHAPES[2]), wl.DWT("haar", levels=1)
    expected = wl.shapley(net, x, 1, domain=domain, groups=groups)
    torch.set_default_device("meta")
    try:
        found = wl.shapley(net, x, 1, domain=domain, groups=groups)
        a = wl.attribute(net, x, 1, domain=domain, method=wl.ScaleShapley(groups))
    finally:
        torch.set_default_device(None)
    assert torch.equal(found.values, expected.values)
    assert torch.equal(a.score, expected.score)


def test_sums_of_parts_are_full_whatever_precision_a_caller_gives_products(monkeypatch):
    product, settings, original = torch.backends.cuda.matmul, [], torch.tensordot
    before = product.fp32_precision

    def noted(*arguments):
        settings.append(product.fp32_precision)
        return original(*arguments)

    monkeypatch.setattr(torch, "tensordot", noted)
    try:
        product.fp32_precision = "tf32"
        wl.shapley(NETS[SHAPES[1]], signal(SHAPES[1]), 1, domain=wl.DWT("haar", levels=1))
        assert product.fp32_precision == "tf32"
    finally:
        product.fp32_precision = before
    assert set(settings) == {"ieee"}


def test_signals_packed_into_one_have_no_channels_in_common():
    x = {"image": signal((4, 4)), "text": signal((6,))}
    domain = {"image": wl.DWT("haar", 1), "text": wl.Identity()}
    with pytest.raises(ValueError, match="channels are groups of one signal; several signals have none in common"):
        wl.shapley(lambda image, text: image.sum((1, 2, 3)), x, None, domain=domain, groups="channels")


def test_forward_passes_are_counted_on_the_way():
    net, x, counts = NETS[SHAPES[1]], signal(SHAPES[1]), []
    method = wl.ScaleShapley()
    wl.attribute(net, x, 1, domain=wl.DWT("haar", 2), method=method, batch_size=5, progress=lambda *n: counts.append(n))
    done = [n for n, _ in counts]
    assert done == sorted(set(done))
    assert counts[-1] == (3 * (2**3 - 2),) * 2
