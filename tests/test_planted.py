"""Planted tasks, their truth, the scores and the judgement, on patterns and networks whose answers are known."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import DOMAINS, takes
from wavelens import planted
from wavelens.core import Coefficients

HAAR = wl.DWT("haar", levels=3)
DOWN, RIGHT = (1.0, 0.0), (0.0, 1.0)


def wave(direction: tuple[float, ...] = DOWN, amplitude: float = 8.0, wavelength: float = 6.0) -> planted.Wave:
    return planted.Wave(wavelength, direction, width=2.5, amplitude=amplitude)


STRONG = planted.PlantedTask(
    "strong", (24, 24), ("down", "right"), (((wave(DOWN),),), ((wave(RIGHT),),)), wave((1.0, 1.0), 4.0)
)
ABSENT = replace(STRONG, name="absent", classes=("no", "yes"), variants=(((),), ((wave(),),)))
BOTH = replace(
    STRONG,
    name="both",
    classes=("not", "both"),
    variants=(((), (wave(DOWN),), (wave(RIGHT),)), ((wave(DOWN), wave(RIGHT)),)),
)
CLOUD = planted.PlantedTask(
    "cloud",
    (96,),
    ("up", "down"),
    (((planted.Wave(None, RIGHT, 0.2, 9.0),),), ((planted.Wave(None, RIGHT, 0.2, -9.0),),)),
    planted.Wave(0.3, DOWN, 0.2, 1.0),
    cloud=True,
)
SMALL_TASKS = [STRONG, ABSENT, BOTH, CLOUD, replace(planted.TASKS["pitch"], axes=(128,))]
over_tasks = pytest.mark.parametrize("task", SMALL_TASKS, ids=lambda task: task.name)


class Matched(nn.Module):
    """The largest response to each of several waves, in quadrature: a network that is right by its making."""

    def __init__(self, waves, axes=(11, 11)):
        super().__init__()
        middle = torch.tensor([[(n - 1) / 2 for n in axes]]).expand(2, -1)
        quadrature = torch.tensor([0.0, math.pi / 2])
        filters = torch.cat([one.at(planted.grid(axes), middle, quadrature) for one in waves])
        filters = filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1)
        self.register_buffer("filters", filters[:, None])

    def forward(self, x):
        responses = nn.functional.conv2d(x, self.filters.to(x), padding=5).unflatten(1, (-1, 2))
        return (responses.square().sum(2) + 1e-6).sqrt().flatten(2).amax(2)


class Swayed(Matched):
    """As its base, but the response to the distractor supports the second class."""

    def forward(self, x):
        first, second, distractor = super().forward(x).unbind(1)
        return torch.stack([first, second + 100 * (distractor > 12)], 1)


@pytest.fixture(scope="module")
def matched() -> planted.PlantedNetwork:
    return planted.PlantedNetwork.of(Matched([wave(DOWN), wave(RIGHT)]).eval(), STRONG)


@over_tasks
def test_equal_seeds_give_equal_signals_and_others_do_not(task):
    first, again, other = task.signals(6, 5), task.signals(6, 5), task.signals(6, 6)
    for name in ("labels", "background", "pattern", "distractor"):
        torch.testing.assert_close(getattr(first, name), getattr(again, name), rtol=0, atol=0)
    assert (first.x - other.x).abs().max() > 0.1
    torch.testing.assert_close(first.x, first.background + first.pattern + first.distractor, rtol=0, atol=0)


@over_tasks
def test_signals_leave_the_global_random_state_as_it_was(task):
    before = torch.get_rng_state()
    task.signals(3, 1)
    planted.train(task, planted.fitting(task)[0], training=planted.Training(steps=1, batch=2))
    assert torch.equal(torch.get_rng_state(), before)


@over_tasks
def test_a_task_is_a_value(task):
    assert wl.parse(repr(task), also=(planted.PlantedTask, planted.Wave)) == task
    assert hash(replace(task)) == hash(task)


@pytest.mark.parametrize("task", planted.TASKS.values(), ids=planted.TASKS)
def test_tasks_of_the_library_are_values_with_a_purpose(task):
    assert wl.parse(repr(task), also=(planted.PlantedTask, planted.Wave)) == task
    assert (task in planted.CHOOSING) == (task.purpose == "choosing")


@over_tasks
def test_classes_are_balanced_and_the_distractor_knows_nothing_of_them(task):
    signals = task.signals(400, 3)
    there = (signals.distractor.flatten(1) != 0).any(1)
    counts = signals.labels.bincount(minlength=len(task.classes))
    assert counts.max() - counts.min() <= 1
    shares = [there[signals.labels == k].double().mean().item() for k in range(len(task.classes))]
    assert all(abs(share - 0.5) < 4 * math.sqrt(0.25 / 200) for share in shares)  # four deviations of chance


def test_what_is_planted_is_what_the_class_says():
    signals = BOTH.signals(60, 1)
    energy = signals.pattern.square().flatten(1).sum(1)
    one = wave().at(planted.grid((24, 24)), torch.full((1, 2), 12.0), torch.zeros(1)).square().sum()
    assert (energy[signals.labels == 1] > 1.2 * one).all()  # two waves, which may cancel a little
    kinds = {round((value / one).item()) for value in energy[signals.labels == 0]}
    assert kinds == {0, 1}
    assert BOTH.decisive == (1,)
    assert ABSENT.decisive == (1,)
    assert STRONG.decisive == (0, 1)
    assert set(BOTH.signals(9, 2, classes=BOTH.decisive).labels.tolist()) == {1}


def test_noise_has_the_same_energy_in_each_octave():
    for axes in ((4096,), (128, 128), (32, 32, 32)):
        noise = planted.PlantedTask(
            "noise", axes, ("a", "b"), (((wave((1.0,) * len(axes)),),),) * 2, wave((1.0,) * len(axes))
        ).backgrounds(24, 0)
        assert noise.mean().abs() < 1e-5
        assert noise.std().item() == pytest.approx(1, abs=0.1)
        spectrum = torch.fft.fftn(noise, dim=tuple(range(2, noise.ndim))).abs().square()
        radius = sum(
            (torch.fft.fftfreq(n) ** 2).view([-1 if k == axis else 1 for k in range(len(axes))])
            for axis, n in enumerate(axes)
        ).sqrt()
        octaves = [spectrum[..., (radius > low) & (radius <= 2 * low)].sum() for low in (0.25 / 4, 0.25 / 2, 0.25)]
        whole = [o / octaves[0] for o in octaves]
        assert all(0.8 < share < 1.25 for share in whole), (axes, whole)


@pytest.mark.parametrize(
    ("domain", "shape"), [(d, s) for d in DOMAINS for s in [(16,), (12, 8)] if takes(d, s)], ids=repr
)
def test_truth_is_the_fewest_coefficients_with_the_share_of_the_energy(domain, shape):
    pattern = torch.randn(2, 2, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    domain = domain.bind(pattern)
    known = planted.truth(pattern, domain, share=0.7)
    energy = domain.analysis(pattern).data.abs().square().sum(1)
    for row, mask, count in zip(energy, known.mask[:, 0], known.count, strict=True):
        parts = row.sort(descending=True).values.cumsum(0) / row.sum()
        assert row[mask].sum() >= 0.7 * row.sum() * (1 - 1e-12)
        assert parts[count - 1] >= 0.7 - 1e-12
        assert count == 1 or parts[count - 2] < 0.7


def test_the_truth_of_a_pattern_of_one_coefficient_is_that_coefficient():
    data = torch.zeros(3, 1, 256, dtype=torch.float64)
    data[range(3), 0, [5, 70, 200]] = 2.0
    layout = HAAR.layout((16, 16))
    known = planted.truth(Coefficients(data, layout).synthesis(), HAAR)
    assert known.mask[:, 0].nonzero().tolist() == [[0, 5], [1, 70], [2, 200]]
    assert planted.planted_scale(known).tolist() == [1, 3, 3]
    line = wl.Fourier().layout((32,))
    tone = torch.cos(2 * math.pi * 5 * torch.arange(32, dtype=torch.float64) / 32)
    assert planted.truth(tone.view(1, 1, -1), wl.Fourier()).mask[0, 0].nonzero().tolist() == [[5]]
    assert line.size == 17


def test_truth_in_samples_is_that_of_the_identity():
    signals = STRONG.signals(3, 0)
    known = planted.truth(signals.pattern, HAAR)
    torch.testing.assert_close(known.samples.flatten(1), planted.truth(signals.pattern, wl.Identity()).mask[:, 0])


def test_truth_of_a_cloud_is_in_the_tree_of_its_points():
    signals = CLOUD.signals(4, 0)
    a = wl.attribute(nn.Sequential(nn.Flatten(), nn.Linear(288, 2)).eval(), signals.x, 1, domain=wl.TreeHaar(),
                     method=wl.Saliency())  # fmt: skip
    known = planted.of_attribution(signals.pattern, a)
    alone = planted.truth(signals.pattern[1:2], a.domain.at(torch.tensor([1])))
    torch.testing.assert_close(known.mask[1:2], alone.mask)
    assert (known.count < 60).all()


def test_truth_and_scores_of_an_item_are_those_in_any_batch():
    signals = STRONG.signals(5, 0)
    c = HAAR.analysis(signals.x)
    for reading in planted.READINGS:
        together = planted.scores(c, planted.truth(signals.pattern, HAAR), reading)
        alone = planted.scores(Coefficients(c.data[3:4], c.layout), planted.truth(signals.pattern[3:4], HAAR), reading)
        for whole, one in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[3:4], one, rtol=0, atol=0)


def four(values: list[float]) -> Coefficients:
    """A signal of 8 samples in two Haar scales: two of the approximation, two and four details."""
    return Coefficients(torch.tensor([[values]], dtype=torch.float64), wl.DWT("haar", levels=2).layout((8,)))


def test_scores_have_their_closed_forms():
    known = planted.truth(four([0, 0, 3, 2, 0, 0, 0, 0]).synthesis(), wl.DWT("haar", levels=2))
    assert known.mask[0, 0].nonzero()[:, 0].tolist() == [2, 3]
    found = planted.scores(four([0, 4, 6, -5, 0, 0, 1, 0]), known)
    assert [v.item() for v in found] == [1, pytest.approx(11 / 16), 1, 1, 0, 1]
    found = planted.scores(four([0, 4, 6, -5, 0, 0, 1, 0]), known, "signed")
    assert [v.item() for v in found] == [0.5, pytest.approx(6 / 11), 1, 1, 0, 1]  # signed sums: 4, 1, 1
    found = planted.scores(four([9, 0, 0, 0, 0, 0, 0, 0]), known)
    assert [v.item() for v in found[:5]] == [0, 0, 0, 0, 0]
    nothing = planted.scores(four([0] * 8), known)
    assert nothing.mass.item() == 0


def test_the_place_is_judged_at_the_planted_scale_alone():
    known = planted.truth(four([0, 0, 0, 1, 0, 0, 0, 0]).synthesis(), wl.DWT("haar", levels=2))
    assert planted.scores(four([0, 0, 1, 2, 9, 0, 0, 0]), known).place.item() == 1
    assert planted.scores(four([0, 0, 2, 1, 0, 0, 0, 9]), known).place.item() == 0


def test_scores_that_mean_nothing_are_not_a_number():
    signals = STRONG.signals(3, 0)
    identity = planted.scores(wl.Identity().analysis(signals.x), planted.truth(signals.pattern, wl.Identity()))
    assert identity.scale.isnan().all()
    assert not identity.place.isnan().any()
    fourier = planted.scores(wl.Fourier().analysis(signals.x), planted.truth(signals.pattern, wl.Fourier()))
    assert fourier.place.isnan().all()
    assert fourier.signed_scale.isnan().all()
    with pytest.raises(ValueError, match="no sign"):
        planted.scores(wl.Fourier().analysis(signals.x), planted.truth(signals.pattern, wl.Fourier()), "signed")


def test_a_network_that_goes_by_the_pattern_passes(matched):
    made = matched.verification
    assert min(made.accuracy, made.moved, made.exchanged, made.distractor, made.background) >= 0.95
    assert made.removed == pytest.approx(0.5, abs=0.1)


def test_a_network_that_uses_the_distractor_is_refused():
    module = Swayed([wave(DOWN), wave(RIGHT), wave((1.0, 1.0), 4.0)])
    with pytest.raises(ValueError, match=r"does not go by the planted pattern: .*distractor 0\.\d+, not 0\.95"):
        planted.verify(module, STRONG, signals=100)


def test_a_network_that_knows_the_place_is_refused():
    """The label leaks into a corner of these signals, where no pattern ever lies."""

    class Leaking(planted.PlantedTask):
        def backgrounds(self, count, seed):
            noise = super().backgrounds(count, seed)
            noise[:, 0, 0, 0] = torch.where(self.signals_labels(count, seed) == 1, 50.0, -50.0)
            return noise

        def signals_labels(self, count, seed):
            return PARENT.signals(count, seed).labels

    PARENT = STRONG
    task = Leaking(**{name: getattr(STRONG, name) for name in STRONG.__dataclass_fields__})
    corner = nn.Sequential(nn.Flatten(), nn.Linear(576, 2, bias=False))
    corner[1].weight.data.zero_()[1, 0] = 1.0
    made = planted.verification(corner, task, signals=100)
    assert made.accuracy == made.moved == made.removed == 1.0
    with pytest.raises(ValueError, match=r"exchanged 0\.0.*removed 1\.000, not 0\.50"):
        planted.verify(corner, task, signals=100)


def test_verification_leaves_the_network_as_it_was():
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(576), nn.Linear(576, 2)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    planted.verification(module, STRONG, signals=20)
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def knows(model, x, target):
    """A perfect explainer, which knows the pattern itself: its energy, coefficient by coefficient."""
    return HAAR.analysis(STRONG.signals(len(x), planted.judging.ITEM_SEED).pattern).map(torch.square)


def test_a_perfect_explainer_scores_one_and_a_random_one_by_chance(matched):
    perfect = planted.judge(knows, [matched], items=60)
    assert perfect.interval("precision") == (1, 1, 1)
    assert perfect.interval("top1") == (1, 1, 1)
    assert perfect.interval("scale").mean == 1
    assert perfect.interval("place").mean > 0.95  # a peak between two coefficients may lie on a zero of the wave
    assert perfect.interval("mass").mean == pytest.approx(0.91, abs=0.01)  # the truth has 90 % of the energy

    def guesses(model, x, target):
        noise = torch.rand(len(x), 1, 576, generator=torch.Generator().manual_seed(7))
        return Coefficients(noise, HAAR.layout((24, 24)))

    chance = planted.judge(guesses, [matched], items=60)
    share = planted.truth(STRONG.signals(60, planted.judging.ITEM_SEED).pattern, HAAR).count.double().mean() / 576
    assert chance.interval("precision").mean == pytest.approx(share.item(), abs=0.02)
    assert chance.interval("mass").mean == pytest.approx(share.item(), abs=0.02)


def test_gradients_find_more_of_the_pattern_than_the_energy_does(matched):
    explainers = {
        "gradients": wl.baselines.FromMethod(wl.InputTimesGradient(), HAAR),
        "energy": lambda model, x, target: wl.metrics.energy_order(x, HAAR),
        "samples": wl.baselines.FromMethod(wl.InputTimesGradient()),
    }
    means = {name: planted.judge(e, [matched], items=8).interval("precision").mean for name, e in explainers.items()}
    assert means["gradients"] > means["energy"]
    assert means["samples"] > 0.2
    text = str(planted.judge(explainers["gradients"], [matched], items=8, contrast=True))
    assert text.startswith("magnitude: precision 0.")
    assert "signed: precision 0." in text


def test_a_training_is_the_same_for_a_seed_and_lies_in_the_folder(tmp_path):
    task = replace(planted.TASKS["pitch"], axes=(64,), variants=(((_tone(4.0),),), ((_tone(16.0),),)))
    brief = planted.Training(steps=130, batch=32, rate=2e-2)
    first = planted.network(task, "convolutions, max", training=brief, folder=tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    written = path.stat().st_mtime_ns
    again = planted.network(task, "convolutions, max", training=brief, folder=tmp_path)
    fresh = planted.train(task, "convolutions, max", training=brief)
    assert path.stat().st_mtime_ns == written
    for name, value in fresh.state_dict().items():
        torch.testing.assert_close(value, again.module.state_dict()[name], rtol=0, atol=0)
    assert first.verification == again.verification
    with pytest.raises(ValueError, match="does not go by the planted pattern"):
        planted.network(task, "convolutions, max", training=planted.Training(steps=1), folder=tmp_path)


def _tone(wavelength: float) -> planted.Wave:
    return planted.Wave(wavelength, (1.0,), width=6.0, amplitude=6.0)


@over_tasks
def test_every_architecture_takes_the_signals_that_fit_it(task):
    x = task.signals(2, 0).x
    for name in planted.fitting(task):
        model = planted.train(task, name, training=planted.Training(steps=1, batch=2))
        with torch.no_grad():
            together = model(x)
            torch.testing.assert_close(model(x[1:]), together[1:], rtol=1e-4, atol=1e-5)
        assert together.shape == (2, len(task.classes))


def test_intervals_are_over_networks_and_items():
    assert planted.interval_over_networks([[0.5, 0.5], [0.5]]) == (0.5, 0.5, 0.5)
    apart = planted.interval_over_networks([[0.0] * 50, [1.0] * 50])
    assert (apart.low, apart.high) == (0, 1)  # many items do not make up for two networks
    assert planted.interval_over_networks([[1.0, math.nan], [math.nan]])[0] == 1
    assert math.isnan(planted.interval_over_networks([[math.nan]]).mean)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: planted.Wave(wavelength=0.0), "wavelength must be above 0"),
        (lambda: planted.Wave(direction=(0.0, 0.0)), "direction must have one finite component per axis, not all 0"),
        (lambda: planted.Wave(amplitude=math.nan), "amplitude must be finite"),
        (lambda: replace(STRONG, purpose="both"), "purpose must be one of choosing, judging"),
        (lambda: replace(STRONG, classes=("one",)), "for 1 classes"),
        (lambda: replace(STRONG, variants=(((),), ((),))), "a class has a truth if"),
        (lambda: replace(STRONG, distractor=planted.Wave()).signals(2), "one component for each of 2 axes"),
        (lambda: STRONG.signals(0), "count must be a whole number from 1"),
        (lambda: STRONG.signals(2, 0.5), "seed must be a whole number"),
        (lambda: planted.truth(torch.zeros(1, 1, 8), wl.Identity()), "where|Leave out the signals"),
        (lambda: planted.truth(torch.ones(1, 1, 8), wl.Identity(), share=1), "must lie between 0 and 1"),
        (lambda: planted.train(CLOUD, "residual"), "architectures for 'cloud' are points, max"),
        (lambda: planted.fitting(STRONG, ["perceptron"]), "got 'perceptron'"),
        (lambda: planted.Training(steps=0), "steps and batch must be whole numbers from 1"),
        (
            lambda: planted.scores(
                HAAR.analysis(torch.ones(1, 1, 8, 8)), planted.truth(torch.ones(1, 1, 8), wl.Identity())
            ),
            "of the same signals and domain",
        ),
        (
            lambda: planted.scores(
                wl.Identity().analysis(torch.ones(1, 1, 8)), planted.truth(torch.ones(1, 1, 8), wl.Identity()), "loud"
            ),
            "reading must be one of magnitude, signed; got 'loud'",
        ),
    ],
)
def test_wrong_arguments_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
