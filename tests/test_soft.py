"""The soft mask is its definition, moves slowly, and hears the same item alone and in a batch."""

import math
import sys

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor

import wavelens as wl
from cases import SHAPES, Net, held, name, over_pairs, relative, signal
from wavelens import masks
from wavelens.core import Coefficients

EXACT = 1e-11
over_shapes = pytest.mark.parametrize("shape", SHAPES, ids=repr)


def attribution(domain, shape, seed=5, batch=3):
    """Signed attributions that lean to the positive where the signal is loud, `(batch, 2, size)`."""
    z = domain.analysis(signal(shape, batch=batch))
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(z.data.shape, generator=draw, dtype=torch.float64)
    return Coefficients(z.data.abs() ** 2 * (noise + 0.5), z.layout)


def hann(taps):
    """Numpy's window without the zeros at its ends, with an odd number of taps and sum 1."""
    odd = 2 * math.floor((taps - 1) / 2) + 1 if taps >= 3 else 1
    return np.hanning(odd + 2)[1:-1] / np.hanning(odd + 2)[1:-1].sum()


def rows(h, n):
    """The window around each of `n` places, cut at the ends, with sum 1: `(n, n)`."""
    places = np.subtract.outer(np.arange(n), np.arange(n)) + len(h) // 2
    cut = np.where((places >= 0) & (places < len(h)), h[np.clip(places, 0, len(h) - 1)], 0)
    return cut / cut.sum(1, keepdims=True)


@pytest.mark.parametrize("strength", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("width", [1, 9, 30, 64.0])
@pytest.mark.parametrize("domain", [wl.Identity(), wl.DWT("db4", levels=2), wl.DWT("sym5", 2, "symmetric")], ids=name)
def test_it_is_its_definition(domain, width, strength):
    a = attribution(domain, (64,))
    found = masks.soft(a, width, strength=strength)
    assert found.data.shape == (3, 1, a.layout.size)
    for item in range(3):
        gains, says = {}, {}
        for band, gamma in a:
            g = gamma[item].mean(0).numpy()
            h = rows(hann(width * len(g) / 64), len(g))
            spread = np.sort(np.abs(g))[(len(g) - 1) // 2] / 0.6744897501960817
            taus = strength * spread * np.sqrt(2 * np.log(len(g))) * np.linalg.norm(h, axis=1)
            gain = np.array([1 - tau / u if u > tau else 0.0 for u, tau in zip(h @ g, taus, strict=True)])
            gains[band], says[band] = h @ gain, (h @ g - taus).clip(0).sum()
        for band, gain in gains.items():
            expected = gain if says[band] >= 0.01 * sum(says.values()) else 0 * gain
            np.testing.assert_allclose(found[band][item, 0].numpy(), expected, atol=1e-12)


def test_a_band_of_little_but_steady_evidence_is_not_heard():
    """A hum: a thousandth of the evidence, all of it for the target and the same all the time."""
    layout = wl.DWT("haar", levels=4).layout((4096,))
    hum, *_, fine = layout.bands
    draw = torch.Generator().manual_seed(0)
    data = torch.zeros(2, 1, layout.size, dtype=torch.float64)
    data[..., layout.slices[fine]] = torch.rand(fine.size, generator=draw, dtype=torch.float64)
    data[..., layout.slices[hum]] = data[0].sum() / hum.size * torch.tensor([[[1e-3]], [[0.2]]])
    mask = masks.soft(Coefficients(data, layout), 1024)
    assert (mask[fine].mean((1, 2)) > 0.5).all()
    assert not mask[hum][0].any()
    assert mask[hum][1].mean() > 0.2


def test_without_width_it_shrinks_as_pywavelets():
    a = attribution(wl.DWT("db4", levels=2), (64,))
    mask = masks.soft(a, 1)
    for band, gamma in a:
        g = gamma[0].mean(0).clamp(min=0).numpy()
        tau = np.sort(np.abs(gamma[0].mean(0).numpy()))[(len(g) - 1) // 2] / 0.67448975 * np.sqrt(2 * np.log(len(g)))
        np.testing.assert_allclose(mask[band][0, 0].numpy() * g, pywt.threshold(g, tau, "soft"), atol=1e-8)


@over_pairs
def test_it_moves_slowly_whatever_the_attribution(domain, shape):
    a = attribution(domain, shape)
    a.data[:, :, 3] = 1e6  # a single loud coefficient
    mask, width = masks.soft(a, 8), 8
    assert ((mask.data >= 0) & (mask.data <= 1)).all()
    assert mask.data.any()
    for band, part in mask:
        for k, (n, m) in enumerate(zip(shape, band.shape[-len(shape) :], strict=True)):
            if m > 1:
                steps = part.diff(dim=k - len(shape)).abs().movedim(k - len(shape), -1)
                most = hann(width * m / n)
                assert steps.max() <= 2 * most.max() + EXACT
                inner = steps[..., len(most) // 2 : m - 1 - len(most) // 2]
                assert (inner <= most.max() + EXACT).all()


@pytest.mark.parametrize(("shape", "width"), [((300,), 1), ((300,), 9), ((300,), 40), ((7, 120), (5, 30))])
def test_a_long_axis_goes_in_parts_that_are_not_seen(shape, width, monkeypatch):
    a = attribution(wl.DWT("db4", levels=2), shape)
    whole = masks.soft(a, width, strength=0.2)
    monkeypatch.setattr(sys.modules["wavelens.masks.soft"], "BLOCK_PLACES", 16)
    assert relative(masks.soft(a, width, strength=0.2).data, whole.data) < EXACT
    assert 0.05 < whole.data.mean() < 0.95


def test_of_a_long_axis_no_more_is_in_memory_than_a_part(tmp_path):
    """As many samples as a minute of sound at 16 kHz, float32; averaged whole, in float64, nine copies."""
    a = wl.DWT("db4", levels=6).analysis(torch.rand(1, 1, 1_000_000)).map(torch.square)
    assert held(lambda: masks.soft(a, 1600), tmp_path) < 4 * a.data.nbytes


def test_what_is_quiet_beside_what_is_loud_is_averaged_as_exactly():
    a = attribution(wl.DWT("db4", levels=2), (400,), batch=1).map(Tensor.float)
    for band, gamma in a:
        gamma[..., : band.size // 8] *= 1e7
    wide = a.map(Tensor.double)
    for strength in (0.2, 0):
        assert (
            masks.soft(a, 20, strength=strength).data - masks.soft(wide, 20, strength=strength).data
        ).abs().max() < 1e-6


@over_pairs
def test_alone_scaled_and_stemmed(domain, shape):
    x, a = signal(shape), attribution(domain, shape)
    mask = masks.soft(a, 6)
    for item in range(3):
        alone = Coefficients(a.data[item : item + 1], a.layout)
        assert relative(masks.soft(alone, 6).data[0], mask.data[item]) < EXACT
    assert relative(masks.soft(a.map(lambda data: 1e-6 * data), 6).data, mask.data) < 1e-9
    assert relative(sum(masks.stems(x, mask).values()), x) < EXACT


@pytest.mark.parametrize("taps", [1, 3, 5, 9, 31, 101])
@pytest.mark.parametrize("n", [2, 9, 32, 101, 300])
def test_an_average_of_gains_cannot_move_faster(n, taps):
    """Half the sum of differences between neighbouring windows bounds the change of an average of values in [0, 1]."""
    h = hann(min(taps, n))
    most = np.abs(np.diff(rows(h, n), axis=0)).sum(1) / 2
    assert most.max() <= 2 * h.max() + EXACT
    inner = most[len(h) // 2 : n - 1 - len(h) // 2]
    assert (inner <= h.max() + EXACT).all()


@over_shapes
def test_every_axis_is_averaged_alike(shape):
    a = attribution(wl.DWT("haar", levels=1), shape)
    turned = [*range(2), *reversed(range(2, 2 + len(shape)))]
    domain = a.layout.domain
    x = a.synthesis()
    other = domain.analysis(x.permute(turned))
    mask, swapped = masks.soft(a, 5).synthesis(), masks.soft(other, 5).synthesis()
    assert relative(swapped.permute(turned), mask) < EXACT


def test_a_width_for_each_axis():
    a = attribution(wl.Identity(), (12, 17))
    (band,) = a.layout.bands
    found, h = masks.soft(a, (5, 9))[band], [rows(hann(5), 12), rows(hann(9), 17)]
    for item in range(3):
        g = a[band][item].mean(0).numpy()
        local = h[0] @ g @ h[1].T
        spread = np.sort(np.abs(g), axis=None)[(g.size - 1) // 2] / 0.6744897501960817
        tau = spread * np.sqrt(2 * np.log(g.size)) * np.outer(*[np.linalg.norm(one, axis=1) for one in h])
        gain = np.clip(1 - tau / np.where(local > tau, local, 1), 0, 1) * (local > tau)
        np.testing.assert_allclose(found[item, 0].numpy(), h[0] @ gain @ h[1].T, atol=1e-12)


def test_noise_is_silenced_and_evidence_against_too():
    draw = torch.Generator().manual_seed(0)
    layout = wl.DWT("db4", levels=4).layout((4096,))
    noise = Coefficients(torch.randn(8, 1, layout.size, generator=draw, dtype=torch.float64), layout)
    for width in (1, 64, 512):
        assert masks.soft(noise, width).data.mean() < 0.002
    assert not masks.soft(noise.map(lambda data: -data.abs()), 64).data.any()
    assert not masks.soft(noise.map(torch.zeros_like), 64).data.any()


def test_silence_does_not_set_the_threshold():
    """Coefficients of exactly 0, as in a clip that ends early, are left out of the spread."""
    layout = wl.Identity().analysis(torch.zeros(1, 1, 64)).layout
    loud = torch.randn(1, 1, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    loud[..., 5] = 10
    padded = Coefficients(torch.cat([loud, loud.new_zeros(1, 1, 48)], -1), layout)
    tau = loud.abs().median() / 0.67448975 * math.sqrt(2 * math.log(64))
    expected = (1 - tau / loud).clamp(min=0).where(loud > tau, 0)
    assert expected.any()
    assert relative(masks.soft(padded, 1).data[..., :16], expected) < 1e-8


def test_a_tone_is_gated_without_clicks():
    """A steady tone leaks out of its octave where coefficients are switched, and hardly where a slow mask fades it."""
    rate, n = 8000, 2**14
    time = torch.arange(n, dtype=torch.float64) / rate
    tone = torch.sin(2 * math.pi * 375 * time)[None, None]  # the middle of the octave 250 to 500 Hz
    domain = wl.DWT("db16", levels=6)  # long filters: little of a tone is in its neighbours' octaves
    draw = torch.Generator().manual_seed(0)
    gate = (time > 0.7) & (time < 1.4)
    noise = torch.randn(1, 1, n, generator=draw, dtype=torch.float64)
    a = domain.analysis(tone * gate).map(lambda data: data**2)
    a = Coefficients(a.data + 0.02 * domain.analysis(noise).data, a.layout)

    def spilt(heard):
        power = torch.fft.rfft(heard[0, 0] * torch.hann_window(n, dtype=torch.float64)).abs() ** 2
        hertz = torch.fft.rfftfreq(n, 1 / rate)
        return (power[(hertz < 187) | (hertz > 750)].sum() / power.sum()).item()

    slow = masks.soft(a, 0.1 * rate)
    greedy = masks.top(a, slow.data.mean().item())
    assert (slow.apply(tone).square().sum() / tone.square().sum()).item() > 0.2
    assert spilt(slow.apply(tone)) < spilt(greedy.apply(tone)) / 30


def test_evidence_is_the_gradient_times_the_coefficients():
    x, net, domain = signal((37,)), Net((37,)), wl.DWT("db2", levels=2)
    gradient = wl.attribute(net, x, 2, domain=domain, method=wl.Saliency())
    product = wl.attribute(net, x, 2, domain=domain, method=wl.InputTimesGradient())
    assert relative(masks.evidence(gradient, x).data, product.data) < EXACT


def test_targets_and_precision_are_kept():
    x, net = signal((37,)), Net((37,))
    wanted = {"domain": wl.DWT("haar", levels=2), "method": wl.IntegratedGradients(steps=5)}
    both = masks.soft(wl.attribute(net, x, wl.targets.Several(1, 3), **wanted), 6)
    assert both.apply(x).shape == (2, *x.shape)
    for k, target in enumerate((1, 3)):
        assert relative(both.data[k], masks.soft(wl.attribute(net, x, target, **wanted), 6).data) < EXACT
    a = attribution(wl.DWT("haar", levels=2), (64,))
    single = masks.soft(a.map(torch.Tensor.float), 6)
    assert single.data.dtype == torch.float32
    assert relative(single.data.double(), masks.soft(a, 6).data) < 1e-4


def test_errors_say_what_to_do():
    a = attribution(wl.DWT("haar", levels=2), (12, 17))
    for wrong in (0, -1, 13, float("nan"), (3, 18), (3,), (3, 3, 3)):
        with pytest.raises(
            ValueError, match=r"above 0 and within the axes \(12, 17\), or one for each axis; got .*rate"
        ):
            masks.soft(a, wrong)
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"strength, a multiple of the universal threshold, .*; got {wrong}"):
            masks.soft(a, 3, strength=wrong)
    with pytest.raises(ValueError, match="must be finite; got NaN or infinity"):
        masks.soft(a.map(lambda data: data * float("nan")), 3)
