"""Time–frequency domains against their oracles: norms kept, frequencies where they belong, ends rebuilt exactly."""

import numpy as np
import pytest
import torch
from scipy import fft

import wavelens as wl
from cases import SHAPES, relative, signal
from wavelens.domains.constantq import _fast_length
from wavelens.grid import Grid

TIGHT = [
    wl.Fourier(),
    wl.Cosine(),
    wl.STFT("hann", 16),
    wl.STFT("hamming", 16, hop=8),
    wl.STFT("blackman", 15, hop=4),
    wl.ConstantQ(1),
    wl.ConstantQ(3),
    wl.ConstantQ(12),
]
over_tight = pytest.mark.parametrize("domain", TIGHT, ids=repr)


@over_tight
@pytest.mark.parametrize("shape", [*SHAPES, (1,), (2,), (3,), (5, 1), (1, 6), (1001,)], ids=str)
def test_the_norm_is_kept_and_the_adjoint_is_the_inverse(domain, shape):
    x = signal(shape)
    z = domain.analysis(x)
    assert relative(z.data.abs().square().sum(-1), x.square().flatten(2).sum(-1)) < 1e-12
    assert relative(z.synthesis(), x) < 1e-12
    assert relative(domain.adjoint(x, z.layout).data, z.data) < 1e-12


@pytest.mark.parametrize("n", [1001, 4999, 110250])
@pytest.mark.parametrize("per_octave", [1, 3, 12])
def test_no_filter_has_a_length_whose_transform_is_slow(per_octave, n):
    """The highest filter may take all bins that there are, however many."""
    for band in wl.ConstantQ(per_octave).layout((n,)).bands:
        rest = band.size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        assert rest == 1 or band.size == n // 2 + 1


@pytest.mark.parametrize("shape", [*SHAPES, (1,), (2,), (5, 1)], ids=str)
def test_cosines_are_those_of_scipy(shape):
    x = signal(shape)
    expected = fft.dctn(x.numpy(), axes=range(2, x.ndim), norm="ortho").reshape(3, 2, -1)
    np.testing.assert_allclose(np.sort(wl.Cosine().analysis(x).data.numpy()), np.sort(expected), atol=1e-12)


@pytest.mark.parametrize(("n", "length", "hop"), [(37, 8, 2), (64, 16, 4), (100, 15, 7), (5, 16, 4)])
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman"])
def test_frames_are_those_of_torch(window, n, length, hop):
    """Of the signal divided by the root of what the squared windows add up to."""
    domain, x = wl.STFT(window, length, hop), signal((n,))
    z = domain.analysis(x)
    weights = getattr(torch, f"{window}_window")(length, dtype=x.dtype)
    before = (length - 1) // hop * hop
    frames = z.layout.bands[0].shape[-1]
    room = torch.zeros(frames * hop + length - hop, dtype=x.dtype)
    squares = room.clone()
    for m in range(frames):
        squares[m * hop : m * hop + length] += weights**2
    padded = room.expand(3, 2, -1).clone()
    padded[..., before : before + n] = x / squares[before : before + n].sqrt()
    expected = torch.stft(
        padded.flatten(0, 1), length, hop, window=weights, center=False, normalized=True, return_complex=True
    )
    doubled = torch.ones(length // 2 + 1, 1, dtype=x.dtype)
    doubled[1 : (length + 1) // 2] = 2**0.5
    found = torch.cat([part for _, part in z], -2).flatten(0, 1)
    assert relative(found, expected * doubled) < 1e-12


def test_filters_lie_where_librosa_has_notes():
    """Third octaves up to half the rate: centres of `librosa.cqt_frequencies`, a sixth of an octave from the edge."""
    librosa = pytest.importorskip("librosa")
    rate, layout = 16000, wl.ConstantQ(3, octaves=4).layout((4096,))
    ranges = [ends for (ends,) in Grid.sound(rate).extents(layout).values()][1:]
    centres = np.sqrt([low * high for low, high in ranges[:-1]] + [ranges[-1][0] ** 2 * 2 ** (1 / 3)])
    expected = librosa.cqt_frequencies(12, fmin=rate / 2 * 2 ** (-4 + 1 / 6), bins_per_octave=3)
    np.testing.assert_allclose(centres, expected, rtol=1e-12)


@pytest.mark.parametrize("domain", [wl.ConstantQ(3, octaves=4), wl.ConstantQ(1, octaves=5)], ids=repr)
def test_half_power_points_are_the_nominal_edges(domain):
    for found in wl.bandwidths(domain.layout((4096,))).values():
        assert found.half_power == pytest.approx(found.nominal[:2], abs=2e-5)


@pytest.mark.parametrize("domain", [wl.STFT("hann", 64), wl.ConstantQ(3), wl.DWT("db8", levels=5)], ids=repr)
def test_a_tone_lies_in_the_scale_that_spans_its_frequency(domain):
    t = torch.arange(2048, dtype=torch.float64)
    for frequency in (0.09, 0.18, 0.3, 0.45):
        z = domain.analysis(torch.sin(2 * torch.pi * frequency * t)[None, None])
        scales = z.layout.scales()
        energy = {key: sum(z[band].abs().square().sum() for band in scale) for key, scale in scales.items()}
        loudest = scales[max(energy, key=energy.get)]
        assert loudest.extent[-1].low <= frequency <= loudest.extent[-1].high


@pytest.mark.parametrize(
    ("domain", "least"),
    [
        (wl.STFT("hann", 256), 0.999),
        (wl.ConstantQ(3, octaves=5), 0.99),
        (wl.Packets("db8", levels=5), 0.5),
        (wl.DWT("db8", levels=5), 0.9),
    ],
    ids=str,
)
def test_stems_hold_the_tones_that_their_labels_name(domain, least):
    """No domain is taken for octaves: a stem has what lies between the frequencies of its label; packets leak most."""
    rate, layout = 8000, domain.layout((8000,))
    spans = {name: ends[0] for name, ends in Grid.sound(rate).extents(layout).items()}
    names = [list(spans)[len(spans) * k // 4] for k in (2, 3)]
    tones = [(spans[name][0] * spans[name][1]) ** 0.5 for name in names]
    t = torch.arange(rate, dtype=torch.float64) / rate
    waves = [torch.sin(2 * torch.pi * tone * t)[None, None] for tone in tones]
    mask = domain.analysis(sum(waves)).map(lambda data: torch.ones_like(data.real))
    mask = wl.masks.Mask(mask.data, mask.layout)
    stems = wl.masks.stems(sum(waves), mask)
    assert relative(sum(stems.values()), sum(waves)) < 1e-11
    assert list(stems) == [*mask.layout.scales(), "residue"]
    for own, wave in zip(names, waves, strict=True):
        inside = slice(1000, -1000)  # away from the ends
        shares = {name: (stems[name] * wave)[..., inside].sum() / wave[..., inside].square().sum() for name in spans}
        assert max(shares, key=shares.get) == own
        assert shares[own] > least


@pytest.mark.parametrize("domain", [wl.STFT("hann", 32), wl.ConstantQ(3, octaves=4), wl.ConstantQ(1)], ids=repr)
def test_a_click_lies_where_it_is(domain):
    x = torch.zeros(1, 1, 1024, dtype=torch.float64)
    x[..., 700] = 1
    heat = wl.maps.spatial_map(domain.analysis(x))[0]
    assert abs(int(heat.argmax()) - 700) <= 16
    assert heat[600:800].sum() / heat.sum() > 0.5


def test_the_envelope_of_a_tone_is_flat():
    """An analytic filter has no phase in its modulus; a real wavelet's coefficients oscillate."""
    t = torch.arange(4096, dtype=torch.float64)
    x = torch.sin(2 * torch.pi * 256 / 4096 * t)[None, None]
    z = wl.ConstantQ(3, octaves=5).analysis(x)
    loudest = max(z.layout.bands, key=lambda band: z[band].abs().sum())
    envelope = z[loudest].abs()[0, 0]
    assert envelope.std() / envelope.mean() < 1e-10


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: wl.STFT("boxcar"), "window must be one of hann, hamming, blackman; got 'boxcar'"),
        (lambda: wl.STFT(length=1), "length must be a whole number of samples from 2 to 4194304; got 1"),
        (
            lambda: wl.STFT(length=16, hop=17),
            "hop must be a whole number of samples from 1 to the length, or None; got 17",
        ),
        (lambda: wl.STFT(length=16, hop=16), "leaves samples without a window; take a hop of at most 8"),
        (lambda: wl.ConstantQ(0), "per_octave must be a whole number of filters from 1 to 1000; got 0"),
        (lambda: wl.ConstantQ(octaves=-1), "octaves must be None or a whole number from 0 to 62; got -1"),
        (lambda: wl.ConstantQ(3, 9).layout((64,)), "octaves=9 with 3 filters each needs more than 64 samples"),
        (lambda: wl.Cosine(-1), "levels must be None or an integer from 0 to 62; got -1"),
        (
            lambda: wl.Cosine(7).layout((64,)),
            r"levels=7 needs an axis of at least 128 samples; got \(64,\). Pass at most levels=6",
        ),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def test_lengths_of_transforms_are_the_next_that_are_fast():
    fast = sorted(2**a * 3**b * 5**c * 7**d for a in range(9) for b in range(6) for c in range(4) for d in range(4))
    for count in range(1, 400):
        assert _fast_length(count) == next(n for n in fast if n >= count)
