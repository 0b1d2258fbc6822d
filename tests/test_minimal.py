"""Laws of minimal inputs: exact minima, NAdam as torch has it, rows that do not know of each other."""

import sys
from functools import cache

import pytest
import torch

import wavelens as wl
from cases import SHAPES, Net, over_pairs, relative, signal
from test_gradients import Busy, state, surroundings
from wavelens import masks
from wavelens.core import real_product
from wavelens.masks.nadam import descend

SHAPE = (6, 7)
HAAR = wl.DWT("haar", levels=1)
ALPHAS = [0.0, 0.5, 4.0, 60.0]


def linear(shape, channels=2, seed=5):
    """`x ↦ (w₁·x, w₂·x)` and the weights."""
    source = torch.Generator().manual_seed(seed)
    w = torch.randn(2, channels, *shape, generator=source, dtype=torch.float64)
    return lambda x: x.flatten(1) @ w.flatten(1).T, w


def worth(w, x, domain, baseline=0.0):
    """What each coefficient adds to the score of a linear model, `(z - z₀) P w`."""
    c = domain.analysis(x - baseline)
    return real_product(c.data, domain.adjoint(w[None].expand_as(x), c.layout).data)


@pytest.fixture
def double():
    """torch.optim.NAdam keeps a product in the default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class TestLinearModels:
    """`f(S m z) = Σ m γ`: the mask keeps exactly what is worth more than its place."""

    @over_pairs
    def test_the_minimum_is_exact(self, shape, domain):
        model, w = linear(shape)
        x = signal(shape)
        found = masks.minimal(model, x, 1, domain=domain, alpha=ALPHAS, lr=0.5, steps=20)
        gamma = worth(w[1], x, domain)
        prices = torch.tensor(ALPHAS, dtype=torch.float64)[:, None, None, None] / gamma[0].numel()
        clear = (gamma - prices).abs() > 1e-6  # what is worth next to nothing moves slowly: NAdam's epsilon is 1e-8
        assert clear.double().mean() > 0.3
        expected = torch.where(clear, (gamma > prices).double(), found.mask.data)
        assert torch.equal(found.mask.data, expected)
        assert relative(found.after, (expected * gamma).sum((-2, -1))) < 1e-9
        assert relative(found.before, gamma.sum((-2, -1))) < 1e-9
        assert relative(found.sparsity, (expected == 0).double().mean((-2, -1))) < 1e-12
        assert relative(found.objective, prices[..., 0, 0] * expected.sum((-2, -1)) - found.after) < 1e-9

    @pytest.mark.parametrize("baseline", [0.7, "tensor", masks.Blur(1.5)], ids=str)
    def test_another_baseline_takes_the_place_of_zero(self, baseline):
        model, w = linear(SHAPE)
        x = signal(SHAPE)
        given = signal(SHAPE, seed=9) if baseline == "tensor" else baseline
        fixed = given(x) if isinstance(given, masks.Blur) else given
        found = masks.minimal(model, x, 0, domain=HAAR, alpha=2.0, lr=0.5, steps=20, baseline=given)
        gamma = worth(w[0], x, HAAR, fixed)
        assert torch.equal(found.mask.data, (gamma > 2 / gamma[0].numel()).double())
        assert relative(found.rebuilt, found.mask.apply(x, baseline=fixed)) < 1e-12
        start = model(torch.zeros_like(x) + fixed)[:, 0]
        assert relative(found.after, start + (found.mask.data * gamma).sum((1, 2))) < 1e-9

    def test_a_front_is_monotone_as_it_is(self):
        model, _ = linear(SHAPE)
        found = masks.minimal(model, signal(SHAPE), 1, domain=HAAR, alpha=ALPHAS, lr=0.5, steps=20)
        assert (found.after.diff(dim=0) < 1e-12).all()
        assert (found.sparsity.diff(dim=0) > 0).any()
        assert (found.sparsity.diff(dim=0) >= 0).all()

    @pytest.mark.parametrize("alpha", [0.5, 4.0])
    def test_an_attribution_in_units_of_the_score_is_the_answer_already(self, alpha):
        model, _ = linear(SHAPE)
        x = signal(SHAPE)
        a = wl.attribute(model, x, 1, domain=HAAR, method=wl.IntegratedGradients(steps=2))
        warm = masks.minimal(model, x, 1, domain=HAAR, alpha=alpha, steps=1, lr=1e-9, start=a)
        long = masks.minimal(model, x, 1, domain=HAAR, alpha=alpha, steps=20, lr=0.5)
        assert torch.equal(warm.mask.data.round(), long.mask.data)
        cold = masks.minimal(model, x, 1, domain=HAAR, alpha=alpha, steps=1, lr=1e-9)
        assert (warm.objective < cold.objective - 1e-3).all()

    def test_the_spatial_term_weighs_what_is_kept(self):
        """In samples it is one more price, of `spatial |x| / size`."""
        model, w = linear(SHAPE)
        x = signal(SHAPE)
        found = masks.minimal(model, x, 1, domain=wl.Identity(), alpha=1.0, spatial=3.0, lr=0.5, steps=20)
        gamma = worth(w[1], x, wl.Identity())
        price = (1 + 3 * x.abs().flatten(2)) / gamma[0].numel()
        assert torch.equal(found.mask.data, (gamma > price).double())
        assert relative(found.objective, (price * found.mask.data).sum((1, 2)) - found.after) < 1e-12


def literal(net, x, target, domain, alpha, steps, lr, z0=None, spatial=0.0, start=None):
    """The definition for one item: torch's own NAdam, autograd through the synthesis, the best of all steps."""
    z = domain.analysis(x)
    ones = torch.ones_like(z.data.real)
    mask = (ones.clone() if start is None else start.clone()).requires_grad_()
    optimizer = torch.optim.NAdam([mask], lr=lr)
    z0 = torch.zeros_like(z.data) if z0 is None else z0
    best = (torch.inf, None, None)

    def objective(m):
        score = net(domain.synthesis(z.map(lambda data: z0 + m * (data - z0))))[0, target]
        kept = domain.synthesis(z.map(lambda data: m * data))
        return alpha * m.mean() - score + spatial * kept.abs().mean(), score

    candidates = [ones]
    for _ in range(steps):
        candidates.append(mask.detach().clone())
        optimizer.zero_grad()
        objective(mask)[0].backward()
        optimizer.step()
        with torch.no_grad():
            mask.clamp_(0, 1)
    candidates.append(mask.detach().clone())
    for m in candidates:
        loss, score = objective(m)
        if loss < best[0]:
            best = (loss.detach(), score.detach(), m)
    return best


@pytest.mark.usefixtures("double")
class TestLiteral:
    @over_pairs
    def test_rows_are_the_definition_item_by_item(self, shape, domain):
        net, x = Net(shape), signal(shape)
        alphas = [0.0, 30.0]
        found = masks.minimal(net, x, [1, 4, 2], domain=domain, alpha=alphas, steps=6, lr=0.2, tolerance=None)
        for k, alpha in enumerate(alphas):
            for i, target in enumerate([1, 4, 2]):
                loss, score, mask = literal(net, x[i : i + 1], target, domain, alpha, 6, 0.2)
                assert relative(found.mask.data[k, i], mask[0]) < 1e-9
                assert relative(found.objective[k, i], loss) < 1e-9
                assert relative(found.after[k, i], score) < 1e-9

    @pytest.mark.parametrize(
        "options", [{"spatial": 2.0}, {"baseline": 0.4}, {"baseline": 0.4, "spatial": 2.0}, {"start": True}], ids=str
    )
    def test_options_are_the_definition_too(self, options):
        net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT("db2", 1, "reflect")
        given = dict(options)
        if "start" in given:
            given["start"] = wl.attribute(net, x, 3, domain=domain, method=wl.IntegratedGradients())
        found = masks.minimal(net, x, 3, domain=domain, alpha=9.0, steps=15, lr=0.1, tolerance=None, **given)
        z0 = domain.analysis(torch.full_like(x, options.get("baseline", 0.0))).data
        for i in range(3):
            start = None
            if "start" in given:
                start = (given["start"].data[i : i + 1] > 9 / z0[0].numel()).double()
            loss, _, mask = literal(
                net, x[i : i + 1], 3, domain, 9.0, 15, 0.1, z0[i : i + 1], options.get("spatial", 0.0), start
            )
            assert relative(found.mask.data[i], mask[0]) < 1e-9
            assert relative(found.objective[i], loss) < 1e-9

    @pytest.mark.parametrize("steps", [3, 700])
    def test_nadam_is_that_of_torch(self, steps):
        """On a smooth function, past the first size of the table of weights."""
        centre = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
        ours, theirs = torch.zeros(4, 5), torch.zeros(4, 5, requires_grad=True)
        mean, square, taken = torch.zeros(4, 5), torch.zeros(4, 5), torch.zeros(4, dtype=torch.long)
        optimizer = torch.optim.NAdam([theirs], lr=0.03)
        for _ in range(steps):
            gradient = torch.sinh(ours - centre)
            descend(ours, gradient, mean, square, taken, 0.03)
            taken += 1
            optimizer.zero_grad()
            torch.cosh(theirs - centre).sum().backward()
            optimizer.step()
        assert relative(ours, theirs.detach()) < 1e-12

    def test_rows_with_other_counts_of_steps_take_their_own(self):
        first, second = torch.ones(2, 3), torch.ones(1, 3)
        moments = torch.zeros(2, 3), torch.zeros(2, 3)
        alone = torch.zeros(1, 3), torch.zeros(1, 3)
        for t in range(6):
            if t == 2:
                first[1], moments[0][1], moments[1][1] = 1, 0, 0
            descend(first, first**2, *moments, torch.tensor([t, t - 2 if t >= 2 else t]), 0.1)
        for t in range(4):
            descend(second, second**2, *alone, torch.tensor([t]), 0.1)
        assert torch.equal(first[1], second[0])
        assert not torch.equal(first[0], second[0])


class Rowwise(torch.nn.Module):
    """A smooth model whose rows are computed by elementwise operations: bitwise the same in any batch."""

    def forward(self, x):
        x = x.flatten(1)
        return torch.stack([(k * x / (1 + k * x * x)).sum(1) for k in (1, 3)], 1)


@cache
def alone(options):
    """Each item with each alpha by itself."""
    x = signal(SHAPE)
    return [
        [
            masks.minimal(Rowwise().eval(), x[i : i + 1], target, alpha=alpha, **SETTINGS, **dict(options))
            for alpha in ALPHAS
        ]
        for i, target in enumerate([0, 1, 0])
    ]


SETTINGS = {"domain": HAAR, "steps": 40, "lr": 0.05, "tolerance": 0.05}


@pytest.fixture
def impatient(monkeypatch):
    """Looks every four steps at whether a row still improves, so that rows stop at many different ones."""
    monkeypatch.setattr(sys.modules["wavelens.masks.minimal"], "PATIENCE", 4)


@pytest.mark.usefixtures("impatient")
class TestRowsDoNotKnowOfEachOther:
    @pytest.mark.parametrize(
        ("batch_size", "options"),
        [
            *((rows, {}) for rows in (1, 2, 5, 100)),
            *((5, options) for options in ({"baseline": masks.Noise(3)}, {"baseline": 0.3, "spatial": 1.0})),
        ],
        ids=str,
    )
    def test_alone_as_in_a_batch_as_in_any_chunk(self, batch_size, options):
        """Bitwise, although rows stop at different steps and others take their places."""
        found = masks.minimal(
            Rowwise().eval(), signal(SHAPE), [0, 1, 0], alpha=ALPHAS, batch_size=batch_size, **SETTINGS, **options
        )
        for i, row in enumerate(alone(tuple(options.items()))):
            for k, one in enumerate(row):
                assert torch.equal(one.mask.data[0], found.mask.data[k, i])
                for field in ("rebuilt", "spent", "after", "objective"):
                    assert torch.equal(getattr(one, field)[0], getattr(found, field)[k, i])
        if "baseline" not in options:
            assert len(found.spent.unique()) > 1

    def test_a_batch_without_a_given_size_is_the_same(self):
        net, x = Net(SHAPE), signal(SHAPE)
        settings = {"domain": HAAR, "alpha": ALPHAS, "steps": 20}
        whole = masks.minimal(net, x, 2, **settings)
        assert relative(masks.minimal(net, x, 2, batch_size=2, **settings).mask.data, whole.mask.data) < 1e-7

    def test_memory_that_runs_out_changes_nothing(self):
        def tight(x):
            if len(x) > 2:
                raise torch.OutOfMemoryError("full")
            return Rowwise().eval()(x)

        x, settings = signal(SHAPE), {"domain": HAAR, "alpha": ALPHAS, "steps": 6, "batch_size": 7}
        found, expected = (masks.minimal(model, x, 1, **settings) for model in (tight, Rowwise().eval()))
        assert torch.equal(found.mask.data, expected.mask.data)
        assert torch.equal(found.after, expected.after)


@pytest.mark.parametrize("options", [{}, {"spatial": 5.0}, {"baseline": 0.2}, {"baseline": masks.Blur(2)}], ids=str)
class TestObjective:
    def test_it_is_that_of_the_result(self, options):
        net, x = Net(SHAPE), signal(SHAPE)
        found = masks.minimal(net, x, 2, domain=HAAR, alpha=ALPHAS, steps=30, **options)
        score = net(found.rebuilt.flatten(0, 1))[:, 2].view(4, 3)
        assert relative(found.after, score) < 1e-12
        assert relative(found.before, net(x)[:, 2]) < 1e-12
        extent = torch.stack([masks.Mask(m, found.mask.layout).apply(x) for m in found.mask.data]).abs().mean((2, 3, 4))
        weights = torch.tensor(ALPHAS, dtype=torch.float64)[:, None]
        expected = weights * found.kept - score + options.get("spatial", 0) * extent
        assert relative(found.objective, expected) < 1e-12

    def test_none_is_worse_than_the_untouched_input(self, options):
        """A step that is far too large ruins every mask but the first."""
        net, x = Net(SHAPE), signal(SHAPE)
        for lr in (0.05, 1e3):
            found = masks.minimal(net, x, 2, domain=HAAR, alpha=ALPHAS, steps=8, lr=lr, **options)
            weights = torch.tensor(ALPHAS, dtype=torch.float64)[:, None]
            untouched = weights - found.before + options.get("spatial", 0) * x.abs().mean((1, 2, 3))
            assert (found.objective <= untouched + 1e-12).all()
            if "spatial" not in options:
                assert (found.after[0] >= found.before).all()

    def test_a_front_is_monotone_and_never_worse(self, options):
        net, x = Net(SHAPE), signal(SHAPE)
        alphas = [0.0, 3.0, 10.0, 30.0, 100.0]
        found = masks.minimal(net, x, 2, domain=HAAR, alpha=alphas, steps=15, lr=0.3, **options)
        front = found.front()
        assert (front.objective <= found.objective + 1e-12).all()
        assert (front.objective < found.objective - 1e-6).any()  # the law is not empty here
        assert (front.kept.diff(dim=0) <= 1e-12).all()
        if "spatial" not in options:
            assert (front.after.diff(dim=0) <= 1e-12).all()
        assert relative(net(front.rebuilt.flatten(0, 1))[:, 2].view(5, 3), front.after) < 1e-12
        extent = torch.stack([masks.Mask(m, front.mask.layout).apply(x) for m in front.mask.data]).abs().mean((2, 3, 4))
        expected = torch.tensor(alphas)[:, None] * front.kept - front.after + options.get("spatial", 0) * extent
        assert relative(front.objective, expected) < 1e-12


class TestStopping:
    def test_early_is_as_good_as_late_and_cheaper(self):
        net, x = Net(SHAPE), signal(SHAPE)
        settings = {"domain": HAAR, "alpha": [1.0, 10.0], "lr": 0.05}
        late = masks.minimal(net, x, 2, steps=600, tolerance=None, **settings)
        early = masks.minimal(net, x, 2, steps=600, tolerance=1e-3, **settings)
        untouched = torch.tensor([[1.0], [10.0]]) - late.before
        gained = untouched - late.objective
        assert (late.spent == 600).all()
        assert (early.spent < 600).all()
        assert (early.spent % 50 == 0).all()
        assert (early.objective - late.objective <= 0.02 * gained).all()

    @pytest.mark.usefixtures("impatient")
    def test_a_finer_tolerance_goes_on_longer(self):
        net, x = Net(SHAPE), signal(SHAPE)
        spent = [
            masks.minimal(net, x, 2, domain=HAAR, alpha=5.0, lr=0.05, steps=200, tolerance=tolerance).spent
            for tolerance in (0.5, 0.05, 0.0005)
        ]
        assert (spent[0] <= spent[1]).all()
        assert (spent[1] <= spent[2]).all()
        assert (spent[0] < spent[2]).all()

    @pytest.mark.usefixtures("impatient")
    def test_rows_that_are_done_are_not_asked_again(self):
        rows = []

        def counted(x):
            rows.append(len(x))
            return Rowwise()(x)

        x = signal(SHAPE)
        settings = {"domain": HAAR, "alpha": ALPHAS, "steps": 40, "lr": 0.05, "tolerance": 0.05}
        found = masks.minimal(counted, x, 1, batch_size=5, **settings)
        alone = sum(rows) - found.spent.sum() - 3 - 12  # a score and a gradient, and a score wherever passes change
        assert 2 <= alone <= 5
        assert max(rows) == 5
        assert len(found.spent.unique()) > 1

    def test_whose_rows_they_are_is_compared_where_they_change_and_not_in_every_step(self, monkeypatch):
        """On a device the answer to such a question halts it."""
        asked, equal = [], torch.equal
        monkeypatch.setattr(torch, "equal", lambda *pair: asked.append(pair) or equal(*pair))
        settings = {"domain": HAAR, "tolerance": None, "steps": 30, "batch_size": 3}
        masks.minimal(Net(SHAPE), signal(SHAPE), 1, alpha=ALPHAS, **settings)
        assert 1 < len(asked) < settings["steps"]


class TestNoise:
    def test_it_has_the_mean_and_the_spread_of_each_band(self):
        from wavelens.masks.fills import Noisy

        x, domain = signal((64, 64)), wl.DWT("haar", levels=2)
        fill = Noisy(x, domain, masks.Noise(1), torch.float64)
        items = torch.tensor([2, 0])
        z = domain.analysis(x)
        draws = [fill(items, torch.tensor([t, t])) for t in range(30)]
        for z0, step in draws:
            assert relative(z0 + step, z.data[items]) < 1e-14
        several = z.map(lambda _: torch.stack([z0 for z0, _ in draws]))
        for band, part in z:
            own, drawn = part[items].flatten(2), several[band].flatten(3)
            assert (drawn.mean((0, 3)) - own.mean(2)).abs().max() < 6 * own.std(2).max() / (30 * band.size) ** 0.5
            assert relative(drawn.std((0, 3)), own.std(2)) < 6 / (30 * band.size) ** 0.5

    def test_it_is_another_in_every_step_and_for_every_seed(self):
        net, x = Net(SHAPE), signal(SHAPE)
        settings = {"domain": HAAR, "alpha": 1.0, "steps": 5}
        a, b, c = (masks.minimal(net, x, 2, baseline=masks.Noise(s), **settings).mask.data for s in (0, 0, 1))
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        seen = []

        def watched(x):
            seen.append(x.detach().clone())
            return net(x)

        masks.minimal(watched, x, 2, baseline=masks.Noise(), lr=1e-12, start=nothing(x), **settings)
        steps = torch.stack([points for points in seen if len(points) == len(x)][1:6])
        assert (steps.diff(dim=0).abs().amax((1, 2, 3, 4)) > 1e-3).all()


def nothing(x):
    """An attribution by which nothing is worth its place."""
    return HAAR.analysis(torch.zeros_like(x))


class TestBlur:
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_it_is_a_gaussian_along_every_axis(self, shape):
        x, expected = signal(shape), signal(shape)
        for dim, n in enumerate(shape, 2):
            places = torch.arange(n, dtype=torch.float64)
            weights = torch.exp(-0.5 * ((places[:, None] - places) / 1.3) ** 2)
            weights[(places[:, None] - places).abs() > 6] = 0  # 4 sigma, rounded up
            weights /= weights.sum(1, keepdim=True)
            expected = torch.tensordot(expected, weights, dims=([dim], [1])).movedim(-1, dim)
        assert relative(masks.Blur(1.3)(x), expected) < 1e-12

    def test_of_a_constant_nothing_changes(self):
        x = torch.full((1, 2, 5, 40), 0.3, dtype=torch.float64)
        assert relative(masks.Blur(30.0)(x), x) < 1e-14


class TestAsFound:
    @pytest.mark.parametrize("fails_at", [None, 1, 2, 4, 9])
    def test_the_model_comes_back_also_after_an_error(self, fails_at):
        model, x = Busy(fails_at, KeyError("broken")), signal(SHAPE)
        before, around, values = state(model), surroundings(), x.clone()
        if fails_at:
            with pytest.raises(KeyError, match="broken"):
                masks.minimal(model, x, 2, domain=HAAR, alpha=[1.0, 2.0], steps=3, batch_size=2)
        else:
            masks.minimal(model, x, 2, domain=HAAR, alpha=[1.0, 2.0], steps=3, batch_size=2)
        assert model.calls > 0
        assert state(model) == before
        assert surroundings() == around
        assert torch.equal(x, values)

    def test_a_call_does_not_care_where_it_is_made(self):
        net, x = Net(SHAPE), signal(SHAPE)
        settings = {"domain": HAAR, "alpha": [1.0, 2.0], "steps": 4, "baseline": masks.Noise()}
        expected = masks.minimal(net, x, 2, **settings)
        torch.set_default_device("meta")
        try:
            found = masks.minimal(net, x, 2, **settings)
        finally:
            torch.set_default_device(None)
        with torch.inference_mode():
            inside = masks.minimal(net, x.clone(), 2, **settings)
        assert torch.equal(found.mask.data, expected.mask.data)
        assert torch.equal(inside.mask.data, expected.mask.data)

    def test_half_precision_signals_have_masks_in_float32(self):
        x = signal(SHAPE).to(torch.bfloat16)
        found = masks.minimal(lambda x: x.float().flatten(1)[:, :3] * 2, x, 1, domain=HAAR, alpha=[0.5], steps=9)
        assert found.mask.data.dtype == found.after.dtype == torch.float32
        assert found.rebuilt.dtype == torch.bfloat16
        assert (found.after >= found.before).all()


X, NET = signal(SHAPE), Net(SHAPE)


def call(target=2, **options):
    return masks.minimal(NET, X, target, **{"domain": HAAR, "alpha": 1.0, "steps": 1} | options)


WRONG = {
    "alpha": (lambda: call(alpha=-1.0), r"alpha must be a finite number from 0, or a list of them; got -1\.0"),
    "alphas": (lambda: call(alpha=[1.0, float("nan")]), r"alpha must be .* got \[1\.0, nan\]"),
    "no alpha": (lambda: call(alpha=[]), r"alpha must be .* got \[\]"),
    "steps": (lambda: call(steps=0), "steps must be a whole number from 1; got steps=0"),
    "lr": (lambda: call(lr=0.0), r"lr, the size of a step, must be finite and above 0; got lr=0\.0"),
    "tolerance": (lambda: call(tolerance=-0.1), r"tolerance must be at least 0, or None .* got tolerance=-0\.1"),
    "spatial": (
        lambda: call(spatial=float("inf")),
        "spatial, a weight, must be finite and at least 0; got spatial=inf",
    ),
    "several": (lambda: call(wl.targets.Several(1, 2)), r"one target; got targets\.Several\. Make a call for each"),
    "blur": (lambda: masks.Blur(0.0), r"sigma, the blur's width .* above 0; got sigma=0\.0"),
    "baseline": (lambda: call(baseline=torch.zeros(5)), r"baseline must be a finite number, a signal \(2, 6, 7\)"),
    "domain": (
        lambda: call(start=wl.Identity().analysis(X)),
        r"start must be .* \(3, 2, 48\) in DWT.*got \(3, 2, 42\) in Identity\(\)\. Attribute x in the domain",
    ),
    "batch": (lambda: call(start=HAAR.analysis(X[:2])), r"start must be .* \(3, 2, 48\) in DWT.*got \(2, 2, 48\)"),
    "front": (lambda: call().front(), r"a front takes a list of alpha; got the one run for alpha=1\.0\. Give a list"),
    "model": (lambda: masks.minimal(lambda x: NET(x).detach(), X, 2, domain=HAAR, alpha=1.0), "differentiably"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_use_says_what_to_do(wrong):
    make, match = WRONG[wrong]
    with pytest.raises(ValueError, match=match):
        make()


def test_scores_of_a_list_have_it_in_front():
    """A list of one is a list, a number is none."""
    one, single = call(alpha=[3.0]), call(alpha=3.0)
    assert one.alpha == (3.0,)
    assert single.alpha == 3.0
    assert torch.equal(one.mask.data[0], single.mask.data)
    assert torch.equal(one.rebuilt[0], single.rebuilt)
    assert one.before.shape == single.before.shape == single.after.shape == (3,)
    assert one.sparsity.shape == one.spent.shape == (1, 3)


def test_levels_and_starts_that_do_not_fit_are_said_before_the_model_runs():
    def net(x):
        raise AssertionError("the model was asked")

    x = torch.rand(1, 1, 16)
    with pytest.raises(ValueError, match=r"levels=7"):
        masks.minimal(net, x, None, domain=wl.DWT("haar", levels=7), alpha=1.0)
    with pytest.raises(ValueError, match=r"start must be an attribution of x in the same domain, \(1, 1, 16\)"):
        masks.minimal(net, x, None, domain=HAAR, alpha=1.0, start=wl.Identity().analysis(x))
