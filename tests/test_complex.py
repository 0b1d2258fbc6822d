"""Complex domains: an account that is real and complete, and a coefficient that is one feature."""

import numpy as np
import pytest
import torch
from scipy import fft

import wavelens as wl
from cases import SHAPES, Net, name, relative, signal
from wavelens import masks

SHAPE, CLASSES = (12, 17), [2, 0, 4]


def explained(method, domain=None, shape=SHAPE):
    net, x = Net(shape), signal(shape)
    return net, x, wl.attribute(net, x, CLASSES, domain=domain or wl.Fourier(), method=method)


@pytest.mark.parametrize("shape", [*SHAPES, (1,), (2,), (5, 1), (1, 6)], ids=str)
def test_coefficients_are_those_of_scipy(shape):
    """By frequency, √2 larger where a conjugate is left out; and the norm is that of the signal."""
    x = signal(shape)
    z = wl.Fourier().analysis(x)
    spectrum = fft.rfftn(x.numpy(), axes=range(2, x.ndim), norm="ortho")
    doubled = np.arange(spectrum.shape[-1]) % max(1, shape[-1] / 2) != 0
    expected = np.sort(np.abs(spectrum * np.where(doubled, 2**0.5, 1)).reshape(3, 2, -1))
    np.testing.assert_allclose(np.sort(z.data.abs().numpy()), expected, atol=1e-12)
    assert relative(z.data.abs().square().sum(-1), x.square().flatten(2).sum(-1)) < 1e-13
    assert relative(z.synthesis(), x) < 1e-13


@pytest.mark.parametrize(
    ("k", "scale"), [(0, "a5"), (1, "a5"), (2, "d5"), (3, "d4"), (4, "d4"), (16, "d2"), (17, "d1"), (32, "d1")]
)
def test_a_wave_lies_in_the_octave_of_its_frequency(k, scale):
    t = torch.arange(64, dtype=torch.float64)
    z = wl.Fourier(levels=5).analysis(torch.cos(2 * torch.pi * k * t / 64)[None, None])
    energy = {name: sum(z[band].abs().square().sum() for band in bands) for name, bands in z.layout.scales().items()}
    assert energy[scale] / sum(energy.values()) == pytest.approx(1, abs=1e-12)


def test_relevance_goes_through_an_inverse_transform_as_the_account_says():
    """The virtual inspection layer of Vielhaben et al. (2024): gradient times input at the spectrum itself."""
    net, x, a = explained(wl.InputTimesGradient(), shape=(37,))
    spectrum = torch.fft.rfft(x, norm="ortho").requires_grad_()
    score = net(torch.fft.irfft(spectrum, 37, norm="ortho")).gather(1, torch.tensor(CLASSES)[:, None]).sum()
    (slope,) = torch.autograd.grad(score, spectrum)
    expected = (spectrum.conj() * slope).real.detach()  # frequencies of one axis are in their order already
    assert relative(a.data, expected) < 1e-12


def test_without_the_conjugate_the_account_would_be_wrong():
    _, x, a = explained(wl.IntegratedGradients(steps=60))
    rise = a.score - a.baseline_score
    assert not a.data.is_complex()
    assert relative(a.data.sum((1, 2)), rise) < 1e-6
    pulled = explained(wl.Saliency())[2].data
    assert pulled.is_complex()
    plain = (wl.Fourier().analysis(x).data * pulled).sum((1, 2))
    assert plain.imag.abs().max() > 1e-3


@pytest.mark.parametrize("fraction", [0.05, 0.3])
def test_a_coefficient_is_kept_or_dropped_whole_and_counted_once(fraction):
    _, x, a = explained(wl.IntegratedGradients(steps=5))
    mask = masks.top(a, fraction)
    assert not mask.data.is_complex()
    assert mask.data.sum(-1).eq(int(fraction * a.layout.size)).all()
    kept, z = mask.of(x), wl.Fourier().analysis(x)
    assert ((kept.data == z.data) | (kept.data == 0)).all()
    assert relative(mask.apply(x) + mask.complement().apply(x), x) < 1e-13


def test_energy_is_ranked_by_modulus():
    x = signal(SHAPE)
    z = wl.metrics.energy_order(x, wl.Fourier())
    places = masks.order(z)
    ranked = z.data.abs().mean(1, keepdim=True).gather(-1, places)
    assert (ranked.diff(dim=-1) <= 0).all()


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("method", [wl.Saliency(), wl.IntegratedGradients(steps=3)], ids=["complex", "real"])
def test_saved_and_read_back(tmp_path, method, half):
    a = explained(method)[2]
    a.save(tmp_path / "a.safetensors", half=half)
    back = wl.Attribution.load(tmp_path / "a.safetensors")
    assert back.layout == a.layout
    assert back.data.is_complex() == a.data.is_complex()
    assert relative(torch.view_as_real(back.data + 0j), torch.view_as_real(a.data + 0j)) < (1e-3 if half else 1e-300)


@pytest.mark.parametrize(
    "read",
    [
        lambda a: masks.order(a, reduce=masks.signed),
        lambda a: wl.maps.scale_maps(a, signed=True),
        lambda a: wl.maps.spatial_map(a, signed=True),
        lambda a: wl.metrics.mu_fidelity(Net(SHAPE), signal(SHAPE), CLASSES, a),
    ],
    ids=["order", "scale_maps", "spatial_map", "mu_fidelity"],
)
def test_signs_of_complex_gradients_are_not_invented(read):
    with pytest.raises(ValueError, match="a complex gradient has a modulus and no sign"):
        read(explained(wl.SmoothGrad(samples=2))[2])


def test_the_profile_of_a_complex_gradient_has_shares_alone():
    a = explained(wl.Saliency())[2]
    profile = wl.maps.profile(a)
    assert profile.signed.isnan().all()
    assert relative(profile.share.sum(1), torch.ones(3)) < 1e-12
    whole = sum(a[band].abs().sum((1, 2, 3, 4)) for band in a.layout.scales()["d1"])
    assert relative(profile.share[:, -1], whole / a.data.abs().sum((1, 2))) < 1e-12


def test_evidence_is_gradient_times_input():
    net, x, a = explained(wl.Saliency())
    both = masks.evidence(a, x)
    assert (
        relative(both.data, wl.attribute(net, x, CLASSES, domain=wl.Fourier(), method=wl.InputTimesGradient()).data)
        < 1e-13
    )


def test_a_frequency_lies_everywhere():
    a = explained(wl.IntegratedGradients(steps=3))[2]
    for heat in wl.maps.scale_maps(a).values():
        assert relative(heat, heat.mean((1, 2), keepdim=True).expand_as(heat)) < 1e-13
    with pytest.raises(ValueError, match="a mosaic shows a pyramid such as the DWT's; Fourier"):
        wl.maps.mosaic(a)


def test_octaves_that_are_not_there():
    with pytest.raises(
        ValueError, match=r"levels=5 needs an axis of at least 32 samples; got \(12, 17\). Pass at most levels=4"
    ):
        wl.Fourier(levels=5).analysis(signal(SHAPE))


@pytest.mark.parametrize("domain", [wl.Fourier(), wl.STFT(length=8), wl.ConstantQ(1)], ids=name)
def test_masks_by_band_and_pages_of_a_complex_gradient(domain):
    x = signal((64,))
    a = wl.attribute(Net((64,)), x, 1, domain=domain, method=wl.Saliency())
    scale = list(a.layout.scales())[-1]
    mask = wl.masks.scale(a, scale)
    assert not mask.data.is_complex()
    assert sum(mask.apply(x).square().sum() for mask in wl.masks.parts(a).values()) > 0
    assert "moduli" in a._repr_html_()
    with pytest.raises(ValueError, match="start must be in units of the score, which have signs"):
        wl.masks.minimal(Net((64,)), x, 1, domain=domain, start=a, steps=1, alpha=0.1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("domain", [wl.Fourier(), wl.STFT(length=8), wl.Shifted(wl.Fourier(), (0, 1))], ids=name)
def test_half_signals_stay_half(domain, dtype):
    x = signal((32,)).to(dtype)

    def model(points):
        assert points.dtype == dtype
        return points.float().pow(2).sum(2)

    a = wl.attribute(model, x, 1, domain=domain, method=wl.IntegratedGradients(steps=2))
    assert wl.masks.top(a, 0.5).apply(x).dtype == dtype
    for metric in ("insertion", "deletion", "mu_fidelity", "infidelity", "ff", "fid_in"):
        getattr(wl.metrics, metric)(model, x, 1, a)


def test_a_single_band_of_two_axes_is_drawn():
    x = signal((3, 5))
    a = wl.attribute(Net((3, 5)), x, 1, domain=wl.ConstantQ(3, 0), method=wl.IntegratedGradients(steps=2))
    assert wl.maps.mosaic(a).shape == (3, 2, 3, *a.layout.bands[0].shape[1:])[: wl.maps.mosaic(a).ndim]
    wl.plots.panel(a, x)
