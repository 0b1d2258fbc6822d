"""Tensors that belong to items travel with their rows: in chunks of any size, in metrics, checks and minimal inputs."""

from functools import partial

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import ANEW, METHODS, METRICS, RANKED, SILENT, Net, name, relative, signal
from wavelens import masks

SHAPE, BATCH, CLASSES = (12, 17), 3, [2, 0, 4]
HAAR = wl.DWT("haar", levels=2)
QUESTIONS = torch.tensor([[0.2, 1.5], [-1.0, 0.4], [0.9, -0.7]], dtype=torch.float64)
LENGTHS = torch.tensor([3, 5, 9])
WEIGHTS = torch.randn(2, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


class Asked(nn.Module):
    """A network whose answer depends on a vector and on a whole number that come with each item."""

    def __init__(self):
        super().__init__()
        self.net, self.mix = (
            Net(SHAPE),
            nn.Parameter(torch.randn(2, 5, generator=torch.Generator().manual_seed(3)).double()),
        )
        self.eval()

    def forward(self, x, question, length):
        assert len(x) == len(question) == len(length)
        assert length.dtype == torch.long
        return self.net(x * (length[:, None, None, None] / 5)) * torch.tanh(question @ self.mix)


GIVEN = [QUESTIONS, LENGTHS]


def explained(method=None, x=None, target=CLASSES, given=GIVEN, **options):
    x = signal(SHAPE) if x is None else x
    return wl.attribute(
        Asked(), x, target, domain=HAAR, method=method or wl.IntegratedGradients(steps=6), given=given, **options
    )


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_an_item_alone_is_the_item_in_a_batch_and_in_any_chunk(method):
    together = explained(method)
    for rows in (1, 2, 7):
        assert relative(explained(method, batch_size=rows).data, together.data) < 1e-10
    for item in range(BATCH):
        one = slice(item, item + 1)
        alone = explained(method, signal(SHAPE)[one], CLASSES[item], [t[one] for t in GIVEN])
        assert relative(alone.data, together.item(item).data) < 1e-10
    if isinstance(method, wl.Sobol | wl.HSIC):  # shares of a score's variation, which do not know its unit
        return
    swapped = explained(method, given=[QUESTIONS.flip(0), LENGTHS])
    assert relative(swapped.data, together.data) > 1e-2  # it does matter


def test_each_row_has_what_its_item_brings():
    """As if the tensors were part of the model, item by item."""
    a = explained()
    for item in range(BATCH):
        own = [t[item : item + 1] for t in GIVEN]

        def closed(x, own=own):
            return Asked()(x, *(t.expand(len(x), *t.shape[1:]) for t in own))

        x, method = signal(SHAPE)[item : item + 1], wl.IntegratedGradients(steps=6)
        alone = wl.attribute(closed, x, CLASSES[item], domain=HAAR, method=method)
        assert relative(a.data[item : item + 1], alone.data) < 1e-12


JUDGING = [key for key in METRICS if key not in SILENT]


@pytest.mark.parametrize("metric", JUDGING)
def test_metrics_hand_it_on(metric):
    method = wl.Saliency() if metric in ANEW else None
    judge, again = METRICS[metric], partial(wl.attribute, domain=HAAR, method=wl.Saliency())
    if metric in ANEW:
        judge = partial(getattr(wl.metrics, metric), explainer=again)
    x, a = signal(SHAPE), explained(method)
    size = a.layout.size
    ties = 6 / (0.8 * size * (size + 1)) if metric in RANKED else 0.0  # of one pair: see `rounding` in test_metrics.py
    together = judge(Asked(), x, CLASSES, a, given=GIVEN)
    for item in range(BATCH):
        one = slice(item, item + 1)
        alone = judge(Asked(), x[one], CLASSES[item], a.item(item), given=[t[one] for t in GIVEN])
        assert abs(float(alone) - float(together[one])) < 1e-9 * max(1.0, abs(float(alone))) + ties


def test_minimal_inputs_hand_it_on():
    x = signal(SHAPE)
    found = masks.minimal(Asked(), x, CLASSES, domain=HAAR, alpha=2.0, steps=8, tolerance=None, given=GIVEN)
    score = Asked()(found.rebuilt, *GIVEN)[range(BATCH), CLASSES]
    assert relative(found.after, score.detach()) < 1e-10
    alone = masks.minimal(
        Asked(), x[1:2], CLASSES[1], domain=HAAR, alpha=2.0, steps=8, tolerance=None, given=[t[1:2] for t in GIVEN]
    )
    assert relative(found.mask.data[1:2], alone.mask.data) < 1e-9


def test_checks_hand_it_on():
    given = [QUESTIONS.float(), LENGTHS]
    findings = wl.check(
        Asked().float(), signal(SHAPE).float(), domain=HAAR, method=wl.IntegratedGradients(steps=60), given=given
    )
    status = {verdict.check: str(verdict.status) for verdict in findings.verdicts}
    for check in ("deterministic", "batch_independent", "precise", "differentiable", "complete"):
        assert status[check] == "pass", findings


def test_several_signals_and_given_tensors():
    def model(length, *, image, text):
        return (image.sum((1, 2, 3)) * text.sum((1, 2)) * length)[:, None]

    x = {"image": signal((4, 4)), "text": signal((5,), seed=3)}
    domains = {"image": wl.DWT("haar", levels=1), "text": wl.Identity()}
    a = wl.attribute(model, x, 0, domain=domains, method=wl.IntegratedGradients(steps=3), given=[LENGTHS], batch_size=2)
    expected = x["image"].sum((1, 2, 3)) * x["text"].sum((1, 2)) * LENGTHS
    assert relative(a.joint.data.sum((1, 2)), expected) < 1e-12
    judged = wl.metrics.ff(model, x, 0, a, given=[LENGTHS])
    assert judged.shape == (3,)


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        (
            [QUESTIONS[:2], LENGTHS],
            ValueError,
            r"given\[0\] must be a tensor with an entry for each of 3 items; got \(2, 2\)",
        ),
        ([QUESTIONS, 4], ValueError, r"given\[1\] must be a tensor with an entry for each of 3 items; got int"),
        (QUESTIONS, TypeError, "given must be a list of tensors, one entry per item in each; got one tensor"),
    ],
)
def test_what_does_not_fit(given, error, sentence):
    with pytest.raises(error, match=sentence):
        explained(given=given)


def test_exact_passes_are_the_models_own(monkeypatch):
    """No kernel is folded and no format of memory changed; values differ by rounding, and the record says which."""
    from wavelens.engine.batchnorm_folding import Fold

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)).eval()
    formats = []
    net[3].register_forward_pre_hook(lambda m, inputs: formats.append(inputs[0].is_contiguous()))
    model = nn.Sequential(net, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    x = signal(SHAPE).float()
    folded = []
    monkeypatch.setattr(Fold, "__init__", _counted(Fold.__init__, folded))
    fast = wl.attribute(model, x, 1, domain=HAAR, method=wl.SmoothGrad(samples=6))
    assert folded
    assert not all(formats)
    folded.clear()
    formats.clear()
    exact = wl.attribute(model, x, 1, domain=HAAR, method=wl.SmoothGrad(samples=6), exact_passes=True)
    assert not folded
    assert all(formats)
    assert relative(exact.data, fast.data) < 1e-4
    assert (fast.provenance["passes"], exact.provenance["passes"]) == ("fastest", "exact")


def _counted(function, calls):
    def counting(self, *args):
        calls.append(1)
        function(self, *args)

    return counting
