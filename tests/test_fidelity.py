"""Fidelity: closed forms for linear models, the literal definitions, and Captum's at the same perturbations."""

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal
from wavelens.core import real_product
from wavelens.metrics.measures import FF, MuFidelity
from wavelens.metrics.metric import Case
from wavelens.metrics.removals import cells

SHAPE = (12, 17)
CLASSES = [2, 0, 4]


class Recorder(torch.nn.Module):
    """A model that keeps what it was asked."""

    def __init__(self, net):
        super().__init__()
        self.net, self.seen = net, []
        self.eval()

    def forward(self, x):
        self.seen.append(x.clone())
        return self.net(x)


def weighted(x):
    """A linear model whose gradient is its weights."""
    return x.flatten(1) @ torch.linspace(-1, 2, x[0].numel(), dtype=x.dtype)


def gradient(x, domain, method=None):
    return wl.attribute(weighted, x, None, domain=domain, method=method or wl.Saliency())


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_the_sum_of_the_input_explained_by_itself(domain):
    x = signal(SHAPE)
    ones = domain.adjoint(torch.ones_like(x), domain.layout(x.shape[2:])).data
    phi = domain.analysis(x).map(lambda z: real_product(z, ones))

    def mu(sign, **options):
        a = phi.map(lambda data: sign * data)
        return wl.metrics.mu_fidelity(lambda s: s.sum((1, 2, 3)), x, None, a, subsets=20, **options)

    assert relative(mu(1), torch.ones(3, dtype=x.dtype)) < 1e-9
    assert relative(mu(-1), -torch.ones(3, dtype=x.dtype)) < 1e-9
    assert relative(mu(2.5, baseline=x.mean()), mu(1, baseline=x.mean())) < 1e-9


@pytest.mark.parametrize("correlation", ["pearson", "spearman"])
def test_mu_fidelity_in_samples_is_plus_and_minus_one(correlation):
    x = signal((40,), channels=1)
    phi = wl.Identity().analysis(x)
    total = torch.ones(3, dtype=x.dtype)
    for a, expected in ((phi, total), (phi.map(torch.neg), -total)):
        found = wl.metrics.mu_fidelity(lambda s: s.sum((1, 2)), x, None, a, correlation=correlation)
        assert relative(found, expected) < 1e-12
    cubed = wl.metrics.mu_fidelity(lambda s: s.sum((1, 2)) ** 3, x, None, phi, correlation=correlation)
    assert (relative(cubed, total) < 1e-12) == (correlation == "spearman")  # a monotone model keeps the ranks alone


@pytest.mark.parametrize("domain", [wl.Identity(), wl.DWT("haar", levels=2), wl.DWT("db2", levels=1)], ids=name)
@pytest.mark.parametrize(("shape", "grid", "count"), [((12, 16), 4, 16), ((12, 16), 50, 192), ((40,), 28, 28)])
@pytest.mark.usefixtures("no_looks")
def test_mu_fidelity_as_it_is_written(domain, shape, grid, count):
    net, x = Net(shape), signal(shape)
    a = wl.attribute(net, x, CLASSES, domain=domain, method=wl.IntegratedGradients(steps=4))
    record = Recorder(net)
    found = wl.metrics.mu_fidelity(record, x, CLASSES, a, grid=grid, subsets=11, fraction=0.25, batch_size=1)
    z, without = domain.analysis(x).data, []
    for asked in record.seen:  # every subset left its own mark: what changed went to zero
        gone = domain.analysis(asked).data.abs() < 1e-12 * z.abs().amax()
        if gone.any() and not gone.all():
            without.append((asked, gone[0]))
    assert len(without) == 33
    for i, asked in enumerate([without[:11], without[11:22], without[22:]]):
        said = [a.data[i][gone].sum().item() for _, gone in asked]
        own = net(x)[i, CLASSES[i]]
        done = [(own - net(point)[0, CLASSES[i]]).item() for point, _ in asked]
        assert np.corrcoef(said, done)[0, 1] == pytest.approx(found[i].item(), abs=1e-9)
        place = cells(a.layout, grid)
        for _, gone in asked:
            taken = place[gone[0]].unique()
            assert len(taken) == count // 4
            assert gone[0].sum() == torch.isin(place, taken).sum()  # whole cells
            assert torch.equal(gone[0], gone[1])  # of all channels


def test_chance_is_zero_over_seeds_and_the_same_for_the_items_of_one():
    """What knows nothing of the model has mean 0 and deviation 1/√(subsets - 1) over seeds, wherever the score lies."""
    x = signal((24, 24), channels=1)[:1].repeat(2, 1, 1, 1)
    weights = torch.zeros(24 * 24, dtype=x.dtype)
    weights[:40] = 1  # few cells hold all of the score

    def found(seed):
        a = wl.metrics.random_order(x, wl.Identity(), seed=seed)
        return wl.metrics.mu_fidelity(lambda s: s.flatten(1) @ weights, x, None, a, subsets=17, grid=12, seed=7)

    several = torch.stack([found(seed) for seed in range(200)])
    assert relative(several[:, 0], several[:, 1]) < 1e-12  # a matrix by a vector may round each row its own way
    assert several[:, 0].mean().abs() < 4 * 0.25 / 200**0.5
    assert several[:, 0].std().item() == pytest.approx(0.25, rel=0.2)


def test_cells_of_the_mosaic():
    assert cells(wl.Identity().analysis(torch.zeros(1, 1, 4, 4)).layout, 2).view(4, 4).tolist() == [
        [0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3],
    ]  # fmt: skip
    assert cells(wl.Identity().analysis(torch.zeros(1, 1, 5)).layout, 28).tolist() == [0, 1, 2, 3, 4]
    assert cells(wl.Identity().analysis(torch.zeros(1, 1, 5)).layout, 2).tolist() == [0, 0, 0, 1, 1]
    two = cells(wl.DWT("haar", levels=1).analysis(torch.zeros(1, 1, 4, 4)).layout, 2)
    assert two.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4  # each band is a cell
    for domain in DOMAINS:
        place = cells(domain.analysis(torch.zeros(1, 1, *SHAPE)).layout, 5)
        assert place.unique().tolist() == list(range(int(place.max()) + 1))


def test_what_does_not_vary_has_no_correlation():
    x = signal(SHAPE)
    a = gradient(x, wl.Identity())
    assert wl.metrics.mu_fidelity(lambda s: 0 * s.sum((1, 2, 3)) + 5, x, None, a, subsets=5).isnan().all()
    assert wl.metrics.mu_fidelity(weighted, x, None, a.map(torch.zeros_like), subsets=5).isnan().all()


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_a_linear_model_is_faithful_to_its_own_account(domain, normalize):
    x = signal(SHAPE)
    size = weighted(x).square().mean().item()
    exact = wl.metrics.infidelity(weighted, x, None, gradient(x, domain), normalize=normalize)
    assert exact.abs().max() < 1e-18 * size
    parts = gradient(x, domain, wl.IntegratedGradients(steps=1))
    removed = wl.metrics.infidelity(weighted, x, None, parts, perturb="removal", normalize=normalize)
    assert removed.abs().max() < 1e-18 * size
    doubled = gradient(x, domain).map(lambda data: 2 * data)
    assert wl.metrics.infidelity(weighted, x, None, doubled, normalize=True).abs().max() < 1e-18 * size
    assert wl.metrics.infidelity(weighted, x, None, doubled).min() > 1e-6 * size


@pytest.mark.usefixtures("no_looks")
def test_infidelity_of_nothing_is_the_models_own_change():
    x = signal(SHAPE)
    nothing = gradient(x, wl.Identity()).map(torch.zeros_like)
    record = Recorder(weighted)
    found = wl.metrics.infidelity(record, x, None, nothing, samples=40, sigma=0.2, batch_size=1)
    asked = [one for one in record.seen if not any(torch.equal(one[0], item) for item in x)]
    asked = torch.cat(asked).unflatten(0, (3, 40))
    changes = weighted(x)[:, None] - weighted(asked.flatten(0, 1)).view(3, 40)
    assert relative(found, changes.square().mean(1)) < 1e-9
    spread = (x[:, None] - asked).flatten(1).std(1)
    assert relative(spread, 0.2 * (x.flatten(1).amax(1) - x.flatten(1).amin(1))) < 0.02
    normalized = wl.metrics.infidelity(weighted, x, None, nothing, samples=40, sigma=0.2, normalize=True)
    assert relative(normalized, found) < 1e-9


@pytest.mark.needs("captum")
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("perturb", ["noise", "removal"])
@pytest.mark.usefixtures("no_looks")
def test_captums_infidelity(perturb, normalize):
    from captum.metrics import infidelity

    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=wl.Identity(), method=wl.Saliency())
    record = Recorder(net)
    options = {"samples": 6, "perturb": perturb, "normalize": normalize}
    ours = wl.metrics.infidelity(record, x, CLASSES, a, **options, batch_size=1)
    asked = torch.cat([one for one in record.seen if not any(torch.equal(one[0], item) for item in x)])

    def theirs(repeated):
        change = repeated - asked
        return (change if perturb == "noise" else (change != 0).to(x.dtype)), asked

    expected = infidelity(
        net, theirs, x, a.data.view_as(x), target=torch.tensor(CLASSES), n_perturb_samples=6, normalize=normalize
    )
    assert relative(ours, expected) < 1e-9


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_the_masked_parts(domain):
    net, x, start = Net(SHAPE), signal(SHAPE), 0.3
    a = wl.attribute(net, x, CLASSES, domain=domain, method=wl.InputTimesGradient())
    size = a.layout.size
    for fraction in (0.5, 0.07):
        rank = a.data.abs().mean(1).sort(dim=1, descending=True, stable=True).indices
        mask = torch.zeros(3, 1, size, dtype=x.dtype)
        for i in range(3):
            mask[i, 0, rank[i, : int(fraction * size)]] = 1
        step = domain.analysis(x - start)
        kept = start + step.map(lambda d, mask=mask: mask * d).synthesis()
        rest = start + step.map(lambda d, mask=mask: (1 - mask) * d).synthesis()
        drop = (net(x) - net(rest))[range(3), CLASSES]
        assert relative(wl.metrics.ff(net, x, CLASSES, a, fraction=fraction, baseline=start), drop) < 1e-9
        stays = net(x).argmax(1) == net(kept).argmax(1)
        assert wl.metrics.fid_in(net, x, CLASSES, a, fraction=fraction, baseline=start).tolist() == stays.tolist()
    assert relative(wl.metrics.ff(net, x, CLASSES, a), wl.metrics.ff(net, x, CLASSES, a, fraction=0.5)) == 0


def test_ff_of_a_linear_model_is_what_the_top_half_gives():
    x = torch.rand(2, 1, 10, dtype=torch.float64) + 0.1
    a = wl.Identity().analysis(x)
    top = x[:, 0].sort(1, descending=True).values
    assert relative(wl.metrics.ff(lambda s: s.sum((1, 2)), x, None, a), top[:, :5].sum(1)) < 1e-12
    assert relative(wl.metrics.ff(lambda s: s.sum((1, 2)), x, None, a, fraction=1), top.sum(1)) < 1e-12
    assert wl.metrics.ff(lambda s: s.sum((1, 2)), x, None, a, fraction=0).tolist() == [0, 0]


def test_fid_in_tells_a_class_that_changes():
    x = torch.tensor([[[3.0, 1, 1, 1]], [[1.0, 2, 2, 2]]], dtype=torch.float64)

    def first_or_rest(s):
        return torch.stack([1.5 * s[:, 0, 0], s[:, 0, 1:].sum(1)], 1)  # 4.5 : 3 and 1.5 : 6

    a = wl.Identity().analysis(torch.tensor([[[4.0, 3, 2, 1]], [[4.0, 1, 2, 3]]], dtype=torch.float64))
    assert wl.metrics.fid_in(first_or_rest, x, 0, a, fraction=0.25).tolist() == [1, 0]
    assert wl.metrics.fid_in(first_or_rest, x, 0, a, fraction=0.5).tolist() == [1, 1]

    def lone(s):
        return first_or_rest(s).diff(dim=1)  # above 0 where the rest is larger

    assert wl.metrics.fid_in(lone, x, 0, a, fraction=0.25).tolist() == [1, 0]
    assert wl.metrics.fid_in(lone, x, 0, a, fraction=0.5).tolist() == [1, 1]


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_the_distance_to_the_energy_order_comes_with_the_measure(domain):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=domain, method=wl.InputTimesGradient())
    energy = wl.metrics.energy_order(x, domain, baseline=0.3)
    signed = energy.map(torch.abs) if energy.data.is_complex() else energy
    own, over = MuFidelity(subsets=9, grid=5, baseline=0.3)(Case(net, x, CLASSES, a, print, 8))
    options = {"subsets": 9, "grid": 5, "baseline": 0.3}
    assert torch.equal(own, wl.metrics.mu_fidelity(net, x, CLASSES, a, **options, batch_size=8))
    assert relative(own - over, wl.metrics.mu_fidelity(net, x, CLASSES, signed, **options)) < 1e-9
    assert over.abs().min() > 1e-6
    own, over = FF(fraction=0.3, baseline=0.3)(Case(net, x, CLASSES, a, print, 8))
    assert torch.equal(own, wl.metrics.ff(net, x, CLASSES, a, fraction=0.3, baseline=0.3, batch_size=8))
    assert relative(own - over, wl.metrics.ff(net, x, CLASSES, energy, fraction=0.3, baseline=0.3)) < 1e-9
    assert over.abs().min() > 1e-6


@pytest.mark.usefixtures("no_looks")
def test_the_energy_order_is_no_distance_from_itself_and_costs_next_to_nothing():
    net, x = Recorder(Net(SHAPE)), signal(SHAPE)
    energy = wl.metrics.energy_order(x, wl.DWT("haar", levels=2))
    case = Case(net, x, CLASSES, energy, print, 1)
    for metric, passes in ((MuFidelity(subsets=9, grid=5), 3 * (9 + 1)), (FF(), 3 * (1 + 2))):
        net.seen.clear()
        assert metric(case)[1].tolist() == [0, 0, 0]
        assert len(net.seen) == passes


def test_options():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.Identity())
    m = wl.metrics
    with pytest.raises(ValueError, match="correlation must be one of pearson, spearman; got 'kendall'"):
        m.mu_fidelity(net, x, 1, a, correlation="kendall")
    with pytest.raises(ValueError, match="subsets must be two or more, to be compared; got 1"):
        m.mu_fidelity(net, x, 1, a, subsets=1)
    with pytest.raises(ValueError, match="grid must be a whole number from 1; got grid=0"):
        m.mu_fidelity(net, x, 1, a, grid=0)
    for fraction in (0.0, 1.0, -0.5, 0.02):
        with pytest.raises(ValueError, match=rf"give each subset at least one cell; got {fraction} of 4 cells"):
            m.mu_fidelity(net, x, 1, a, grid=2, fraction=fraction)
    with pytest.raises(ValueError, match=r"perturb must be 'noise', for gradients, or 'removal', .* got 'swap'"):
        m.infidelity(net, x, 1, a, perturb="swap")
    with pytest.raises(ValueError, match="samples must be a whole number from 1; got samples=0"):
        m.infidelity(net, x, 1, a, samples=0)
    with pytest.raises(
        ValueError, match="sigma, a fraction of the signal's range, must be at least 0 and finite; got sigma=-1"
    ):
        m.infidelity(net, x, 1, a, sigma=-1)
    for metric in (m.ff, m.fid_in):
        with pytest.raises(ValueError, match=r"fraction, the part of the coefficients to keep, .* got 1.5"):
            metric(net, x, 1, a, fraction=1.5)
    with pytest.raises(ValueError, match=r"fid_in compares classes, so the model's output must be .* got \(1,\)"):
        m.fid_in(weighted, x, None, a)
