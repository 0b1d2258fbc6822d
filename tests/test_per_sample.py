"""A class at a time, a probability in a window, a forecast: the numbers, their texts, and what is refused."""

import re

import pytest
import torch

import wavelens as wl
from wavelens.explaining.places import is_place, place_of
from wavelens.frontends.series import series_grid
from wavelens.models import LoadedModel, Traces
from wavelens.targets import horizon, scores, window


@pytest.fixture
def logits():
    return torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_window_is_the_mean_of_a_classs_logits_or_probabilities(logits):
    items = torch.arange(2)
    torch.testing.assert_close(scores(window(2, 5), logits, items)[0], logits[:, 2, 5])
    torch.testing.assert_close(scores(window(1, 5, 9), logits, items)[0], logits[:, 1, 5:9].mean(-1))
    expected = logits.softmax(1)[:, 1, 5:9].mean(-1)
    torch.testing.assert_close(scores(window(1, 5, 9, probability=True), logits, items)[0], expected)
    torch.testing.assert_close(scores(window(2, 5), {"out": logits}, items)[0], logits[:, 2, 5])


def test_a_horizon_is_a_step_ahead_of_a_series(logits):
    items = torch.arange(2)
    torch.testing.assert_close(scores(horizon(1, series=2), logits, items)[0], logits[:, 2, 0])
    torch.testing.assert_close(scores(horizon(40), logits[:, 0], items)[0], logits[:, 0, -1])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (window(3, 0), "for class 3, samples 0 to 1"),
        (window(0, 39, 41), "for class 0, samples 39 to 41"),
        (horizon(41), "for step 41 of series 0"),
        (horizon(1, series=3), "for step 1 of series 3"),
    ],
)
def test_what_an_output_does_not_have_is_one_line(logits, target, message):
    with pytest.raises(ValueError, match=message):
        scores(target, logits, torch.arange(2))


@pytest.mark.parametrize(
    "wrong", [lambda: window(-1, 0), lambda: window(0, 5, 5), lambda: horizon(0), lambda: window(0.5, 1)]
)
def test_targets_that_cannot_be_meant_are_one_line(wrong):
    with pytest.raises(ValueError, match=r"a (window|horizon) must be"):
        wrong()


class Upsampled(torch.nn.Module):
    """Two logits for every second sample."""

    def forward(self, x):
        return torch.cat([x, -x], 1)[..., ::2]


def loaded(module, labels=("P", "QRS")):
    return LoadedModel(module.eval(), labels, Traces((1, 40)), "own:net")


@pytest.mark.parametrize(
    ("text", "rate", "expected", "words", "marks"),
    [
        ("QRS@0.2s", 100.0, "window(1, 10, 11)", "QRS at 0.2 s", ((20, 21),)),
        ("qrs@200ms", 100.0, "window(1, 10, 11)", "QRS at 200 ms", ((20, 21),)),
        ("P@0.1-0.3s", 100.0, "window(0, 5, 15)", "P at 0.1 to 0.3 s", ((10, 30),)),
        ("p(P)@10-30", None, "window(0, 5, 15, probability=True)", "p(P) at sample 10 to 30", ((10, 30),)),
        ("1@20", None, "window(1, 10, 11)", "QRS at sample 20", ((20, 21),)),
        ("P@12h", 1 / 3600, "window(0, 6, 7)", "P at 12 h", ((12, 13),)),
        ("P@1d", 1 / 3600, "window(0, 12, 13)", "P at 1 d", ((24, 25),)),
    ],
)
def test_a_class_at_a_time_as_a_text(text, rate, expected, words, marks):
    assert is_place(text)
    placed = place_of(text)(loaded(Upsampled()), torch.zeros(1, 1, 40), series_grid(rate))
    assert wl.targets.describe(placed.target) == f"ByItem({expected})"
    assert (placed.label, placed.marks) == (words, marks)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("@+24", "horizon(24, series=0)"), ("QRS@+2h", "horizon(2, series=1)"), ("@+1d", "horizon(24, series=0)")],
)
def test_a_forecast_as_a_text(text, expected):
    placed = place_of(text)(loaded(Upsampled()), torch.zeros(1, 1, 40), series_grid(1 / 3600))
    assert wl.targets.describe(placed.target) == f"ByItem({expected})"
    assert placed.marks == ()


@pytest.mark.parametrize(
    ("text", "rate", "message"),
    [
        ("QRS@3s", 100.0, r"lies in the input, which has 40 samples, 0\.4 s; it asks for 300 to 301"),
        ("QRS@0.3-0.2s", 100.0, "it asks for 30 to 20"),
        ("QRS@3s", None, "has a time in s, and the rate of the input is not known"),
        ("@3", None, "names no class"),
        ("X@3", None, r"own:net has no class 'X'"),
        ("@+0.5h", 1 / 3600, "one whole step ahead"),
        ("@+1-2", None, "one whole step ahead"),
    ],
)
def test_a_place_that_an_input_does_not_have_is_one_line(text, rate, message):
    with pytest.raises(ValueError, match=message):
        place_of(text)(loaded(Upsampled()), torch.zeros(1, 1, 40), series_grid(rate))


def test_a_class_at_a_time_is_not_asked_of_a_classifier():
    class Classifier(torch.nn.Module):
        def forward(self, x):
            return x.mean(-1).expand(-1, 2)

    with pytest.raises(ValueError, match=re.escape("own:net gives (1, 2). Name a class alone")):
        place_of("P@3")(loaded(Classifier()), torch.zeros(1, 1, 40), series_grid(None))


def test_other_texts_are_no_places():
    assert not any(map(is_place, ["QRS", "own:target", "a@b", "QRS@", "3", None, 3, "user@host.com"]))
    with pytest.raises(ValueError, match=r"a class at a time is written CLASS@TIME.*got 'QRS'"):
        place_of("QRS")
