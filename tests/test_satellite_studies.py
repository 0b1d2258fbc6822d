"""The statistics of benchmarks/satellite on known answers; the runs themselves need data that is not shipped."""

import pytest
import torch


@pytest.fixture
def study(scripts, monkeypatch, tmp_path):
    """Imports a script of benchmarks/satellite; no data is at hand."""
    monkeypatch.setenv("WAVELENS_DATA", str(tmp_path / "nothing"))
    return scripts("satellite")


def test_shapley_values_of_a_game_are_exact(study):
    """V = 2 a + 3 b + 4 a b: each of the pair has half of the 4."""
    exact = study("scenes").shapley(lambda s: torch.tensor([2.0 * s[0] + 3.0 * s[1] + 4.0 * (s[0] and s[1])]), 3)
    assert exact[0].tolist() == pytest.approx([4, 5, 0])


def test_presto_reads_each_pixel_by_itself_and_each_group_by_its_token(study):
    presto = study("presto")
    torch.manual_seed(0)
    net = presto.Presto(month=5).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.rand(2, 10, 3, 4)
    logits = net(x)
    assert logits.shape == (2, 9, 3, 4)
    torch.testing.assert_close(net(x[1:, :, 2:, 3:]), logits[1:, :, 2:, 3:], rtol=1e-4, atol=1e-5)
    assert sum(p.numel() for p in net.parameters()) == 820_489
    assert presto.ndvi(torch.zeros(1, 10)).item() == 0
    assert presto.ndvi(torch.eye(10)[6:7]).item() == 1


def test_pixels_without_a_group_have_the_mean_spectrum_there(study):
    pixels = study("pixels")
    x, start = torch.rand(2, 10, 1, 1), torch.full((1, 10, 1, 1), 0.5)
    mixed = pixels.mixed(x, start, (True, False, True, True, True))
    assert torch.equal(mixed[:, [0, 1, 2, 6, 7, 8, 9]], x[:, [0, 1, 2, 6, 7, 8, 9]])
    assert (mixed[:, 3:6] == 0.5).all()
    assert pixels.grouped(torch.arange(10.0)[None]).tolist() == [[3, 12, 6, 7, 17]]
    account = torch.tensor([[1.0, 2, 3, 0, 0], [5, 1, 1, 1, 1]])
    agreed = pixels.agreement(account, account, account.flip(1))
    assert agreed["correlation"] == pytest.approx(1)
    assert (agreed["same largest group"], agreed["same largest group, by energy"]) == (1, 0.5)
