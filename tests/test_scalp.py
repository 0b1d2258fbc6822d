"""Maps of the scalp: means between electrodes, the flat head, and the maps in panel and report."""

import math

import numpy as np
import pytest
import torch

import wavelens as wl
from wavelens import scalp
from wavelens.plots.scalp import scalp_sums

NOWHERE = (math.nan,) * 3


def cap(count=12, centre=(0.01, -0.02, 0.04), radius=0.09):
    """Electrodes on the upper part of a sphere, in metres."""
    rays = np.random.default_rng(0).normal(size=(count, 3))
    rays[:, 2] = np.abs(rays[:, 2])
    return np.asarray(centre) + radius * rays / np.linalg.norm(rays, axis=1, keepdims=True)


def test_directions_are_those_from_the_centre_of_the_head():
    rays = scalp.directions(cap())
    np.testing.assert_allclose(cap(), np.array([0.01, -0.02, 0.04]) + 0.09 * rays, atol=1e-9)
    for wrong in (cap()[:3], [(0.01 * k, 0.05, 0.08) for k in range(6)], [], np.zeros((5, 3))):
        assert scalp.directions(wrong) is None
    assert scalp.located([*cap(5), NOWHERE]) == [0, 1, 2, 3, 4]


def test_between_electrodes_lie_means_of_theirs_and_at_each_its_own():
    rays, values = scalp.directions(cap()), np.random.default_rng(1).normal(size=(2, 12))
    np.testing.assert_allclose(scalp.between(rays, values, rays), values, atol=1e-6)
    grid = scalp.directions(cap(40))
    found = scalp.between(rays, values, grid)
    assert (found <= values.max(1, keepdims=True)).all()
    assert (found >= values.min(1, keepdims=True)).all()
    np.testing.assert_allclose(scalp.between(rays, np.full(12, 3.0), grid), 3, atol=1e-9)
    turned = np.random.default_rng(2).permutation(12)
    np.testing.assert_allclose(scalp.between(rays[turned], values[:, turned], grid), found, atol=1e-9)
    middle = (rays[:1] + rays[1:2]) / np.linalg.norm(rays[0] + rays[1])
    np.testing.assert_allclose(scalp.between(rays[:2], np.array([1.0, 3.0]), middle), [2.0], atol=1e-9)


def test_the_picture_has_each_electrode_at_its_place_and_the_nose_above():
    rays = scalp.directions([(0, 0, 0.1), (0.1, 0, 0), (0, 0.1, 0), (-0.1, 0, 0), (0, -0.1, 0)])
    places = scalp.flattened(rays)
    np.testing.assert_allclose(places, [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)], atol=1e-9)
    values = np.array([5.0, 1, 2, 3, 4])
    found = scalp.picture(rays, values, 101, 1.0)
    np.testing.assert_allclose(
        [found[50, 50], found[50, 100], found[0, 50], found[50, 0], found[100, 50]], values, atol=1e-6
    )
    assert np.isnan(found[0, 0])
    twice = scalp.picture(np.concatenate([rays, rays[:1]]), np.array([3.0, 1, 2, 3, 4, 2]), 101, 1.0)
    np.testing.assert_allclose(twice, found, atol=1e-6)  # two sensors at one place add up


def series(positions):
    x = torch.randn(1, 6, 64, generator=torch.Generator().manual_seed(0))
    return wl.DWT("haar", levels=2).analysis(x), x, tuple(map(tuple, positions))


def test_panel_and_report_have_heads_where_positions_are_known():
    c, x, positions = series([*cap(5), NOWHERE])
    rays, sums, scales, shown = scalp_sums(c, positions)
    assert (scales, shown, len(rays)) == (["all scales", "a2", "d2", "d1"], [0, 1, 2, 3, 4], 5)
    np.testing.assert_allclose(sums[0], c.data[0, :5].sum(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sums[1:].sum(0), sums[0], rtol=1e-5, atol=1e-6)
    names = ("Fz", "C3", "Cz", "C4", "Pz", "EOG")
    with_heads = wl.plots.traces(c, x, channels=names, positions=positions)
    without = wl.plots.traces(c, x, channels=names)
    assert len(with_heads.axes) == len(without.axes) + 4
    entry = wl.reports.Entry(c, x, kind="series", channels=names, positions=positions)
    payload = entry.view.show(entry, 100_000).payload
    assert payload["scalp"]["names"] == list(names[:5])
    assert len(payload["scalp"]["signed"]) == 4
    plain = wl.reports.Entry(c, x, kind="series", channels=names)
    assert plain.view.show(plain, 100_000).payload["scalp"] is None
    with pytest.raises(ValueError, match="positions must have one entry per channel; got 5 for 6"):
        wl.reports.Entry(c, x, positions=positions[:5])


@pytest.mark.needs("mne")
@pytest.mark.parametrize(
    ("name", "electrode"),
    [("EEG Fc5.", "fc5"), ("Cz..", "cz"), ("O1-REF", "o1"), ("EEG Fpz-Cz", ""), ("EEG P4-LE", "p4"), ("ECG", "ecg")],
)
def test_names_of_channels_are_those_of_electrodes(name, electrode):
    from wavelens.frontends.series.brain import _electrode

    assert _electrode(name) == electrode


def test_positions_follow_the_channels_that_a_network_takes():
    places = tuple(map(tuple, cap(3)))
    recording = wl.frontends.Series(torch.rand(1, 3, 50), 100.0, ("Fz", "Cz", "Pz"), positions=places)
    assert wl.models.Traces((2, 50), channels=("Pz", "Fz")).positions(recording) == (places[2], places[0])
    assert wl.models.Traces((3, 50)).positions(wl.frontends.Series(torch.rand(1, 3, 50))) == ()
