"""Names of domains and methods as readers see them: in figures, in notebooks, never as a `repr`."""

import pytest
import torch

import cases
import wavelens as wl
from wavelens.wording import in_words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (wl.DWT("db4", levels=3), "DWT, db4, 3 levels"),
        (wl.DWT("haar", levels=1, mode="reflect"), "DWT, haar, 1 level, reflect"),
        (wl.IntegratedGradients(tolerance=0.02), "integrated gradients, tolerance 0.02"),
        ("SmoothGrad(samples=50, sigma=0.1)", "SmoothGrad, 50 samples, sigma 0.1"),
        (wl.InputTimesGradient(), "input times gradient"),
        (wl.ScaleShapley(), "scale Shapley"),
        ("GradCAM(layer=None)", "GradCAM"),
        ("own:Mine(factor=2)", "mine"),
        (wl.baselines.FromMethod(wl.Saliency(), wl.DWT("haar", levels=2)), "saliency in DWT, haar, 2 levels"),
        (wl.Identity(), "identity"),
    ],
)
def test_a_value_or_its_text_has_words(value, words):
    assert in_words(value).startswith(words)
    assert not set("()='\"") & set(in_words(value))


@pytest.mark.parametrize("domain", cases.DOMAINS if hasattr(cases, "DOMAINS") else [wl.DWT()], ids=str)
def test_no_domain_is_shown_as_a_repr(domain):
    assert "=" not in in_words(domain)


def test_figures_are_headed_by_words():
    x = torch.rand(1, 1, 16, 16)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2)).eval()
    target, method = wl.targets.Contrast(1, 0), wl.IntegratedGradients(tolerance=0.02)
    a = wl.attribute(model, x, target, domain=wl.DWT("haar", levels=2), method=method)
    figure = wl.plots.panel(a, x)
    texts = [text.get_text() for text in figure.texts]
    assert "Integrated gradients, tolerance 0.02 · DWT, haar, 2 levels" in texts
    assert "target 1 rather than 0" in texts
    assert not any("mode=" in text or "(" in text for text in texts)
