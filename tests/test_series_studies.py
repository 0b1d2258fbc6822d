"""The statistics of benchmarks/series on known answers; the runs themselves need data that is not shipped."""

import numpy as np
import pytest
import torch

import wavelens as wl


@pytest.fixture
def study(scripts, monkeypatch, tmp_path):
    """Imports a script of benchmarks/series; no data is at hand."""
    monkeypatch.setenv("WAVELENS_DATA", str(tmp_path / "nothing"))
    return scripts("series")


def test_waves_are_spans_inside_what_is_annotated(study):
    wave = np.array([1, 1, 0, 1, 1, 1, 0, 0, 1, 1])
    assert study("ludb").spans(wave, 1, (2, 9)) == [(3, 6), (8, 10)]
    assert study("ludb").spans(wave, 1, (3, 8)) == [(3, 6)]
    assert study("ludb").spans(wave, 2, (0, 9)) == []


def test_an_erased_wave_is_a_straight_line_and_nothing_else_changes(study):
    x = torch.tensor([[[0.0, 1.0, 9.0, 9.0, 4.0, 5.0]]])
    assert study("ludb").flattened(x, (2, 4)).tolist() == [[[0, 1, 2, 3, 4, 5]]]
    assert x[0, 0, 2] == 9


def test_the_quiet_stretch_is_the_nearest_without_a_wave(study):
    quiet = study("ludb").quiet
    wave = np.array([0, 0, 0, 0, 2, 2, 0, 0, 0, 3])
    assert quiet(wave, 3, 7, (0, 9)) == (6, 9)
    assert quiet(wave, 4, 7, (0, 9)) == (0, 4)
    assert quiet(wave, 5, 7, (0, 9)) is None


def test_hits_and_mass(study):
    recordings, truth = study("recordings"), np.array([False, True, True, False])
    assert recordings.hit(np.array([0.0, 3.0, 1.0, 2.0]), truth) == 1
    assert recordings.hit(np.array([4.0, 3.0, 1.0, 2.0]), truth) == 0
    assert recordings.mass(np.array([1.0, 3.0, -9.0, 2.0]), truth) == 0.5
    assert recordings.mass(np.zeros(4), truth) == 0


def test_shapley_values_of_components_and_channels_are_exact(study):
    """V = a + 2 b + 6 a c over players a, b, c: the pair's 6 is shared alike."""

    class Game(torch.nn.Module):
        def forward(self, x):
            a, b, c = x[..., 0].unbind(1)
            value = a + 2 * b + 6 * a * c
            return torch.stack([torch.zeros_like(value), value], 1)

    x = torch.ones(1, 3, 4)
    assert study("phasenet").shapley(Game(), x, lambda logits: logits[:, 1]) == pytest.approx([4, 2, 3])
    torch.testing.assert_close(study("ucr").shapley(Game(), x, torch.tensor([1])), torch.tensor([[4.0, 2.0, 3.0]]))


def test_a_patient_counts_once_however_many_leads(study):
    cells = [(1, {"v": 0.0}), (1, {"v": 1.0}), (2, {"v": 1.5})]
    assert study("ludb").mean(cells, lambda cell: cell["v"])[0] == 1.0


def test_networks_take_and_give_what_the_readme_says(study):
    recordings = study("recordings")
    torch.manual_seed(0)
    net = recordings.WaveUNet().eval()
    assert sum(p.numel() for p in net.parameters()) == 151_956
    assert net(torch.zeros(2, 1, 2500)).shape == (2, 4, 2500)
    assert recordings.FCN(6, 4).eval()(torch.zeros(2, 6, 100)).shape == (2, 4)


def test_bands_are_signed_sums_in_hertz(study):
    c = wl.DWT("haar", levels=2).analysis(torch.arange(16.0)[None, None])
    sums = study("recordings").bands(c, 100.0)
    assert list(sums) == ["< 12.5 Hz", "12.5–25 Hz", "25–50 Hz"]
    assert sum(sums.values()) == pytest.approx(float(c.data.sum()), rel=1e-5)


def test_the_guides_have_the_tables_of_the_records(study):
    tables = study("guide_tables")
    made, marks = tables.tables(), 0
    for name in tables.PAGES:
        page = (tables.DOCS / name).read_text("utf-8")
        marks += page.count("<!-- table: ")
        assert tables.guides.filled(page, made) == page
    assert marks == len(made)
