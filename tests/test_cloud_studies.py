"""The statistics of benchmarks/points on known answers; the runs themselves need data that is not shipped."""

import pytest
import torch

import wavelens as wl


@pytest.fixture
def study(scripts, monkeypatch, tmp_path):
    """Imports a script of benchmarks/points; no data is at hand."""
    monkeypatch.setenv("WAVELENS_DATA", str(tmp_path / "nothing"))
    return scripts("points")


def test_scales_count_for_the_octave_of_their_middle(study):
    dales = study("dales")
    named = {ends: dales.octave_name(dales.octave(ends)) for ends in ((0.0, 0.1), (0.5, 1.0), (3.0, 6.0), (9.0, 90.0))}
    assert list(named.values()) == ["< 0.125 m", "0.5–1 m", "4–8 m", "> 16 m"]


def test_poles_and_trees_are_averaged_apart(study):
    dales = study("dales")
    dales.objects.classes = lambda: ["car", "pole", "tree"]
    width = len(dales.OCTAVES) + 2
    labels = (1,) * 6 + (2,)
    several = [{"label": label, "sums": [label] * width, "rise": 2.0 * label} for label in labels]
    made = dales.lengths(several)
    assert [made[kind]["objects"] for kind in ("pole", "tree")] == [6, 1]
    assert made["pole"]["sums"]["0.5–1 m"] == [1, 1, 1]
    assert made["tree"]["rise"] == [4, None, None]  # one object has no interval


def test_random_orders_are_an_objects_own(study):
    objects = study("objects")
    z = wl.TreeHaar().analysis(torch.rand(3, 3, 20))
    every = objects.random_order(z, [4, 5, 6], 0)
    assert torch.equal(every.data[1], objects.random_order(wl.core.one_item(z, 1), [5], 0).data[0])
    assert not torch.equal(every.data[0], every.data[1])


def test_growth_is_a_power(study):
    rows = [{"points": n, "seconds": 2.0 * n**1.5} for n in (10, 100, 1000)]
    assert study("growth").growth(rows, "seconds") == 1.5


def test_what_gradients_have_more_than_the_energy_is_paired(study):
    dales = study("dales")
    scores = {"IG": [1.0, 3.0], "energy": [0.0, 2.0], "random": [0.0, 0.0]}
    some = [{"scores": {"tree": dict.fromkeys(dales.STARTS, scores)}}] * 6
    made = dales.spaces(some, "tree")["zero, uniform"]
    assert made["IG less energy"] == [1, 1, 1]
    assert made["IG"][0] == 2
    assert "IG less IG, points" not in made


def test_planted_bumps_are_as_wide_as_they_say_and_the_distractor_tells_nothing(study):
    bumps = study("bumps")
    directions, faces = bumps.sphere()
    assert directions.shape == (3, 642)
    assert len(faces) == 2 * 642 - 4  # of a closed surface
    torch.testing.assert_close(directions.norm(dim=0), torch.ones(642))
    sides = {frozenset((int(i), int(j))) for face in faces for i in face for j in face if i < j}
    near = bumps.neighbours()
    assert all(frozenset((vertex, int(other))) in sides for vertex in (0, 20, 641) for other in near[vertex])
    for task, width in enumerate(bumps.WIDTHS):
        own = bumps.drawn(task, 4, 3, torch.ones(4))
        bound = bumps.DOMAIN.of_mesh(bumps.RADIUS * directions[None], faces)
        sums = bumps._energy(bound.analysis(own["patch"] - bumps.START(own["patch"])))
        (extent,) = [*bound.layout((642,)).scales().values()][int(sums.mean(0).argmax())].extent
        assert extent.low < width < extent.high
        rest = own["without"].norm(dim=1)
        assert (own["x"].norm(dim=1) - rest - own["patch"].norm(dim=1) + bumps.RADIUS).abs().max() < 1e-4
        absent = bumps.drawn(task, 4, 3, torch.zeros(4))
        torch.testing.assert_close(absent["x"], own["without"])
