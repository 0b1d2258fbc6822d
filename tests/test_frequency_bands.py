"""Bands with names of one's own: where tones go, what leaks, that neighbours meet, and what is refused."""

import math

import pytest
import torch

import wavelens as wl
from wavelens.domains.frequency_bands import _gains
from wavelens.grid import Grid

EEG = wl.FrequencyBands("eeg", rate=200)
TONES = {"slow": 0.2, "δ": 2.0, "θ": 6.0, "α": 10.0, "β": 20.0, "γ": 60.0}


def tone(hertz, rate=200, seconds=10):
    return torch.sin(2 * torch.pi * hertz * torch.arange(rate * seconds, dtype=torch.float64) / rate)[None, None]


@pytest.mark.parametrize("name", TONES)
def test_a_tone_is_in_the_band_of_its_frequency(name):
    c = EEG.analysis(tone(TONES[name]))
    energy = wl.maps.profile(c.map(lambda data: data.square())).share[0]
    assert dict(zip(c.layout.scales(), energy.tolist(), strict=True))[name] > 1 - 1e-9


@pytest.mark.parametrize("n", [1, 7, 100, 251, 2048])
@pytest.mark.parametrize("domain", [EEG, wl.FrequencyBands((0.1, 0.101, 0.4)), wl.FrequencyBands((0.25,))], ids=repr)
def test_squared_gains_add_up_to_one(domain, n):
    total = sum(gains.square() for gains in _gains(domain, n))
    torch.testing.assert_close(total, torch.ones_like(total), rtol=1e-12, atol=0)


def test_the_frame_is_tight_and_keeps_the_norm():
    x = torch.randn(2, 3, 251, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    c = EEG.analysis(x)
    torch.testing.assert_close(c.data.square().sum(-1), x.square().sum(-1))
    torch.testing.assert_close(c.synthesis(), x)


def test_neighbours_share_a_tone_on_their_edge_alike_and_nothing_beyond_half_an_octave():
    """The gain is cos² of the place in the crossing, a quarter of an octave at each side (Papoulis's power filters)."""
    for hertz, part in {
        8.0: 0.5,
        8 * 2**0.25: 1.0,
        8 * 2**-0.25: 0.0,
        8 * 2**0.125: math.sin(0.375 * math.pi) ** 2,
    }.items():
        energy = wl.FrequencyBands((8.0,), rate=400).analysis(tone(hertz, 400, 40)).data.square().unflatten(-1, (2, -1))
        shares = energy.sum(-1)[0, 0] / energy.sum()
        assert shares[1].item() == pytest.approx(part, abs=5e-3)


def test_scales_have_names_and_extents_in_hertz():
    labels = Grid.sound(200).labels(EEG.layout((400,)))
    assert labels == {
        "slow": "< 0.5 Hz",
        "δ": "0.5–4 Hz",
        "θ": "4–8 Hz",
        "α": "8–13 Hz",
        "β": "13–30 Hz",
        "γ": "30–100 Hz",
    }
    assert list(wl.FrequencyBands((1.0, 5.0), rate=20).layout((8,)).scales()) == ["0–1", "1–5", "5–10"]
    assert wl.parse(repr(EEG)) == EEG


def test_an_account_by_band_adds_up():
    weights = torch.randn(400, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(400, 2, bias=False), torch.nn.Tanh()).double().eval()
    net[1].weight.data = weights.T / 40
    x = tone(10.0)[..., :400]
    a = wl.attribute(net, x, 1, domain=EEG, method=wl.IntegratedGradients(steps=32))
    signed = wl.maps.profile(a).signed[0]
    torch.testing.assert_close(signed.sum(), (a.score - a.baseline_score)[0], rtol=1e-6, atol=1e-9)
    assert signed.abs().argmax() == list(a.layout.scales()).index("α")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: wl.FrequencyBands("eeg", rate=50), r"below half the rate, 25, .* got 0\.5, 4, 8, 13, 30"),
        (lambda: wl.FrequencyBands("ecg"), "edges must be frequencies, or one of 'eeg'; got 'ecg'"),
        (lambda: wl.FrequencyBands((0.2, 0.1)), r"got 0\.2, 0\.1"),
        (lambda: wl.FrequencyBands(()), "got none"),
        (lambda: wl.FrequencyBands((0.1,), names=("a", "a")), "names must differ, one for each of 2 bands; got 'a'"),
        (lambda: wl.FrequencyBands((0.1,), rate=0), "rate must be in samples per second"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
