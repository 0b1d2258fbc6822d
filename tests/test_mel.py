"""Log-mel spectrograms: the numbers of librosa, of torchaudio's published definition and of Kaldi; sound gradients."""

import itertools

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import relative
from wavelens.frontends.mel import Bands, KaldiMel, LogMel, framed, hz_to_mel, magnitudes, mel_matrix, mel_to_hz


def noise(samples, batch=2, channels=1, seed=0, dtype=torch.float64):
    source = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, samples, generator=source, dtype=torch.float64).to(dtype) / 10


@pytest.mark.parametrize("build", [lambda: LogMel(8000), lambda: KaldiMel(8000)])
def test_all_of_a_front_end_is_made_on_the_default_device(build):
    with torch.device("meta"):
        module = build()
    assert {str(b.device) for b in module.buffers()} == {"meta"}


def published(x, rate, n_fft, hop, win, n_mels, fmin, fmax, power, mel_scale, norm, reflect):
    """Torchaudio's MelSpectrogram as its documentation defines it, frame by frame in float64 numpy; one waveform."""
    to_mel, to_hz = {
        "htk": (lambda f: 2595 * np.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1)),
        "slaney": (
            lambda f: f / (200 / 3) if f < 1000 else 15 + np.log(f / 1000) / (np.log(6.4) / 27),
            lambda m: m * 200 / 3 if m < 15 else 1000 * np.exp(np.log(6.4) / 27 * (m - 15)),
        ),
    }[mel_scale]
    points = np.array([to_hz(m) for m in np.linspace(to_mel(fmin), to_mel(fmax), n_mels + 2)])
    window = np.zeros(n_fft)
    left = (n_fft - win) // 2
    window[left : left + win] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / win)
    padded = np.pad(x, n_fft // 2, mode="reflect" if reflect else "constant")
    columns = []
    for start in range(0, len(padded) - n_fft + 1, hop):
        size = np.abs(np.fft.fft(padded[start : start + n_fft] * window)[: n_fft // 2 + 1]) ** power
        column = []
        for low, middle, high in zip(points, points[1:], points[2:], strict=False):
            f = np.arange(n_fft // 2 + 1) * rate / n_fft
            triangle = np.maximum(0, np.minimum((f - low) / (middle - low), (high - f) / (high - middle)))
            column.append((triangle * size).sum() * (2 / (high - low) if norm else 1))
        columns.append(column)
    return np.array(columns).T


@pytest.mark.parametrize(
    ("mel_scale", "norm", "power", "reflect"),
    list(itertools.product(["htk", "slaney"], [None, "slaney"], [1.0, 2.0], [True, False])),
)
def test_bands_are_those_of_the_published_definition(mel_scale, norm, power, reflect):
    x = noise(3001)
    pads = "reflect" if reflect else "constant"
    mel = LogMel(
        22050, n_fft=512, hop_length=160, win_length=400, n_mels=24, fmin=50, fmax=9000, power=power,
        mel_scale=mel_scale, norm=norm, pad_mode=pads, log=None,
    )  # fmt: skip
    expected = published(x[1, 0].numpy(), 22050, 512, 160, 400, 24, 50, 9000, power, mel_scale, norm, reflect)
    assert relative(mel(x)[1, 0], torch.from_numpy(expected)) < 1e-7
    decibels = LogMel(
        22050, n_fft=512, hop_length=160, win_length=400, n_mels=24, fmin=50, fmax=9000, power=power,
        mel_scale=mel_scale, norm=norm, pad_mode=pads, ref=2.0, top_db=30,
    )  # fmt: skip
    in_db = 20 / power * (np.log10(np.maximum(expected, 1e-10)) - np.log10(2))
    in_db = np.maximum(in_db, in_db.max() - 30)
    assert relative(decibels(x)[1, 0], torch.from_numpy(in_db)) < 1e-6


@pytest.mark.needs("librosa")
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 11025])
@pytest.mark.parametrize("options", [
    {"n_fft": 1024, "hop_length": 256},
    {"n_fft": 1024, "hop_length": 300, "win_length": 700, "n_mels": 40, "fmin": 80, "fmax": 3500},
    {"n_fft": 1024, "power": 1.0, "n_mels": 64, "norm": None},
    {"n_fft": 1024, "n_mels": 64, "mel_scale": "htk", "pad_mode": "reflect"},
    {"n_fft": 1000, "n_mels": 32, "center": False, "mel_scale": "htk", "norm": None},
])  # fmt: skip
def test_decibels_are_librosas(rate, options):
    import librosa

    x = noise(rate // 4 + 1, dtype=torch.float64)
    theirs = dict(options)
    htk = theirs.pop("mel_scale", "slaney") == "htk"
    theirs = {"power": 2.0, "hop_length": theirs["n_fft"] // 4, "htk": htk, "dtype": np.float64} | theirs
    bands = librosa.feature.melspectrogram(y=x[1, 0].numpy(), sr=rate, **theirs)
    to_db = librosa.power_to_db if theirs["power"] == 2 else librosa.amplitude_to_db
    expected = to_db(bands, ref=1.0, top_db=80.0)
    for dtype, allowed in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
        found = LogMel(rate, **options, top_db=80)(x.to(dtype))[1, 0]
        assert relative(found.double(), torch.from_numpy(expected)) < allowed
        linear = LogMel(rate, **options, log=None)(x.to(dtype))[1, 0]
        assert relative(linear.double(), torch.from_numpy(bands)) < allowed


@pytest.mark.needs("transformers")
@pytest.mark.parametrize("samples", [400, 16000, 7777])
def test_kaldi_mel_is_that_of_transformers(samples):
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    x = noise(samples) + 0.3  # an offset, which Kaldi removes
    filters = mel_filter_bank(257, 128, 20, 8000, 16000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    expected = spectrogram(
        x[1, 0].numpy(), window_function(400, "hann", periodic=False), 400, 160, fft_length=512, power=2.0,
        center=False, preemphasis=0.97, mel_filters=filters, log_mel="log", mel_floor=2**-23, remove_dc_offset=True,
    )  # fmt: skip
    assert relative(KaldiMel()(x)[1, 0], torch.from_numpy(expected).T.double()) < 1e-5  # its spectra are complex64


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
def test_mels_go_back_to_hz_and_grow(mel_scale):
    hz = np.array([0.0, 20, 999.9, 1000, 1000.1, 4000, 22050])
    mel = hz_to_mel(hz, mel_scale)
    np.testing.assert_allclose(mel_to_hz(mel, mel_scale), hz, rtol=1e-12, atol=1e-12)
    assert (np.diff(mel) > 0).all()
    assert hz_to_mel(1000.0, mel_scale) == pytest.approx({"htk": 999.9855, "slaney": 15}[mel_scale], rel=1e-6)


def test_triangles_over_mels_are_straight_over_mels():
    matrix = mel_matrix(16000, 512, 10, mel_scale="htk", norm=None, triangles="mel").numpy()
    mel = hz_to_mel(np.arange(257) * 16000 / 512, "htk")
    corners = np.linspace(0, hz_to_mel(8000, "htk"), 12)
    for band, row in enumerate(matrix):
        np.testing.assert_allclose(row, np.interp(mel, corners[band : band + 3], [0, 1, 0], 0, 0), atol=1e-12)


def test_a_tone_lights_the_band_at_its_frequency():
    mel = LogMel(16000, n_fft=1024, n_mels=40)
    for band in (5, 20, 39):
        tone = torch.sin(2 * torch.pi * mel.frequencies[band] / 16000 * torch.arange(8000.0))[None, None]
        assert (mel(tone)[0, 0, :, 10].argmax() == band).item()


FRONTENDS = {
    "db": LogMel(8000, n_fft=256, n_mels=16),
    "magnitudes": LogMel(8000, n_fft=256, n_mels=16, power=1, log="log", offset=1e-3),
    "top_db": LogMel(8000, n_fft=256, n_mels=16, power=1, top_db=80, pad_mode="reflect"),
    "kaldi": KaldiMel(8000, n_mels=16),
}


@pytest.mark.parametrize("mel", FRONTENDS.values(), ids=FRONTENDS)
@pytest.mark.parametrize(
    "x", [torch.zeros(1000), torch.ones(1000), torch.full((1000,), 1e-30), noise(1000)[0, 0].sign().float()],
    ids=["silence", "dc", "nearly nothing", "clipped"],
)  # fmt: skip
def test_values_and_gradients_are_finite_on_any_sound(mel, x):
    x = x[None, None].clone().requires_grad_()
    found = mel(x)
    assert found.isfinite().all()
    (g,) = torch.autograd.grad(found.sum(), x)
    assert g.isfinite().all()


@pytest.mark.parametrize("mel", FRONTENDS.values(), ids=FRONTENDS)
def test_the_gradient_is_the_slope(mel):
    x, v = noise(700, batch=1), noise(700, batch=1, seed=5)
    weights = torch.randn(mel(x).shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x.requires_grad_()
    (g,) = torch.autograd.grad((mel(x) * weights).sum(), x)
    step = 1e-6
    slope = ((mel(x + step * v) - mel(x - step * v)) * weights).sum() / (2 * step)
    assert (g * v).sum().item() == pytest.approx(slope.item(), rel=1e-6)


@pytest.mark.parametrize("mel", FRONTENDS.values(), ids=FRONTENDS)
def test_an_item_does_not_depend_on_its_batch_mates(mel):
    x = noise(2000, batch=3, channels=2) * torch.tensor([1, 100, 0.01], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(mel(x)[1:2], mel(x[1:2]), rtol=1e-12, atol=1e-12)


def test_half_precision_is_transformed_in_float32():
    mel = LogMel(8000, n_fft=256, n_mels=16)
    x = noise(2000, dtype=torch.float32).to(torch.bfloat16)
    expected = mel(x.float())
    torch.testing.assert_close(mel(x), expected.to(torch.bfloat16), rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(mel(x.float()), expected, rtol=0, atol=0)


def test_the_score_of_a_net_behind_it_is_accounted_for_in_the_waveform():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        LogMel(8000, n_fft=256, n_mels=16, log="log", offset=1e-2), torch.nn.Flatten(), torch.nn.Linear(16 * 24, 3)
    )
    x = noise(1501, dtype=torch.float64)
    a = wl.attribute(
        net.double().eval(), x, 1, domain=wl.DWT("db4", levels=4), method=wl.IntegratedGradients(tolerance=1e-3)
    )
    rise = net(x)[:, 1] - net(torch.zeros_like(x))[:, 1]
    assert (a.data.sum((1, 2)) - rise).abs().max() < 2e-3 * rise.abs().max()


def test_wrong_arguments_are_one_clear_error():
    for options, said in [
        ({"n_mels": 0}, "n_mels and hop_length must be above 0"),
        ({"win_length": 4096}, "win_length from 1 to n_fft; got .*win_length=4096"),
        ({"power": 3}, "power must be 1 or 2.*got 3"),
        ({"log": "ln"}, "log 'db', 'log' or None.*'ln'"),
        ({"offset": 0, "log": "log"}, "silence has no finite logarithm"),
        ({"mel_scale": "bark"}, "mel_scale must be 'slaney' or 'htk'.*'bark'"),
        ({"fmax": 9000}, r"half the rate, 8000 Hz; got fmin=0 and fmax=9000"),
        ({"fmin": 500, "fmax": 400}, "got fmin=500 and fmax=400"),
    ]:
        with pytest.raises(ValueError, match=said):
            LogMel(16000, **options)


def test_clips_that_are_too_short_or_no_waveforms_say_so():
    with pytest.raises(
        ValueError, match=r"pad_mode='reflect' needs a clip longer than half of n_fft, 128 samples; got 1"
    ):
        LogMel(8000, n_fft=256, n_mels=16, pad_mode="reflect")(torch.zeros(1, 1, 1))
    assert LogMel(8000, n_fft=256, n_mels=16)(torch.zeros(1, 1, 1)).shape == (1, 1, 16, 1)
    with pytest.raises(ValueError, match="at least one frame of n_fft=256 samples; got 255"):
        LogMel(8000, n_fft=256, n_mels=16, center=False)(torch.zeros(1, 1, 255))
    with pytest.raises(ValueError, match="at least one frame of 400 samples; got 399"):
        KaldiMel()(torch.zeros(1, 1, 399))
    for x in (torch.zeros(100), torch.zeros(1, 1, 0), torch.zeros(1, 1, 100, dtype=torch.int16)):
        with pytest.raises(ValueError, match=r"a waveform must be a floating-point tensor \(batch, channel, samples\)"):
            LogMel(8000)(x)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("length", "n_fft"), [(16, 16), (15, 15), (11, 16), (9, 15), (1, 2), (1, 1)])
def test_magnitudes_have_the_gradients_of_the_fourier_transform(length, n_fft, power):
    frames = torch.randn(2, 3, length, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(magnitudes, (frames, n_fft, power))
    assert torch.autograd.gradgradcheck(magnitudes, (frames, n_fft, power))
    weights = torch.randn(2, 3, n_fft // 2 + 1, dtype=torch.float64)
    own, theirs = magnitudes(frames, n_fft, power), torch.fft.rfft(frames, n_fft).abs() ** power
    assert torch.allclose(own, theirs, atol=1e-12)
    slopes = [torch.autograd.grad((sizes * weights).sum(), frames)[0] for sizes in (own, theirs)]
    assert torch.allclose(*slopes, atol=1e-12)
    assert torch.equal(torch.func.vmap(lambda one: magnitudes(one, n_fft, power))(frames), own)


@pytest.mark.parametrize("hop", [1, 3, 4, 5, 7])
def test_frames_have_the_gradients_of_unfolding(hop):
    x, window = noise(23).requires_grad_(), torch.rand(5, dtype=torch.float64)
    own, theirs = framed(x, window, hop), x.unfold(-1, 5, hop) * window
    assert torch.equal(own, theirs)
    weights = torch.randn_like(own)
    slopes = [torch.autograd.grad((frames * weights).sum(), x)[0] for frames in (own, theirs)]
    assert torch.allclose(*slopes, atol=1e-15)
    assert torch.autograd.gradgradcheck(framed, (x, window, hop))


@pytest.mark.parametrize("n_fft", [6, 17, 256])
@pytest.mark.parametrize("n_mels", [1, 4, 40])
def test_bands_by_octaves_are_the_whole_product(n_fft, n_mels):
    bands = Bands(mel_matrix(8000, n_fft, n_mels, fmin=1000, fmax=3000))
    sizes = torch.rand(2, 5, n_fft // 2 + 1, dtype=torch.float64, requires_grad=True)
    whole = sizes @ bands.mel.double().T
    assert torch.allclose(bands(sizes), whole, rtol=1e-13, atol=0)
    weights = torch.randn_like(whole)
    slopes = [torch.autograd.grad((found * weights).sum(), sizes)[0] for found in (bands(sizes), whole)]
    assert torch.allclose(*slopes, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("mel", FRONTENDS.values(), ids=FRONTENDS)
def test_second_derivatives_maps_and_compiled_modules(mel):
    x = noise(700).requires_grad_()
    (g,) = torch.autograd.grad(mel(x).square().sum(), x, create_graph=True)
    v, step = noise(700, seed=5), 1e-5
    (curvature,) = torch.autograd.grad((g * v).sum(), x)
    there, back = (torch.autograd.grad(mel(x + s * v).square().sum(), x)[0] for s in (step, -step))
    assert relative(curvature, (there - back) / (2 * step)) < 1e-5
    one = torch.func.grad(lambda item: mel(item[None]).square().sum())
    assert relative(torch.func.vmap(one)(x.detach()), g) < 1e-12
    compiled = torch.compile(mel, fullgraph=True, backend="aot_eager")
    assert relative(torch.autograd.grad(compiled(x).square().sum(), x)[0], g) < 1e-12


@pytest.mark.parametrize("mel", FRONTENDS.values(), ids=FRONTENDS)
def test_blocks_of_items_are_the_whole_batch(mel, monkeypatch):
    x = noise(2000, batch=5, channels=2).requires_grad_()
    whole = mel(x)
    (slope,) = torch.autograd.grad(whole.square().sum(), x)
    for block in (1, 20_000):
        monkeypatch.setattr("wavelens.frontends.mel.BLOCK_NUMBERS", block)
        found = mel(x)
        assert relative(found, whole) < 1e-13
        assert relative(torch.autograd.grad(found.square().sum(), x)[0], slope) < 1e-12
