"""Sound classifiers: preparation, windows, layouts, crops and patches; those of transformers with their features."""

import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import wavelens as wl
from cases import relative
from wavelens.frontends.audio import Clip, resample
from wavelens.models import load
from wavelens.models.networks.acdnet import CROP, Crops, MicroACDNet
from wavelens.models.networks.yamnet import FAINTEST, MIN_SAMPLES, Same, YAMNet
from wavelens.models.preparations.audio import Sampling, Windowed
from wavelens.models.sources.hf_audio import Standardized

DATA = Path(os.environ.get("WAVELENS_DATA", "../shared/data"))


def noise(samples, batch=1, channels=1, seed=0, dtype=torch.float32):
    source = torch.Generator().manual_seed(seed)
    return (torch.randn(batch, channels, samples, generator=source, dtype=torch.float64) / 10).to(dtype)


def untrained(make):
    torch.manual_seed(0)
    return make().eval()


class Loudness(nn.Module):
    """Two logits of any waveform: energy and the sum of cubes, both over time."""

    def forward(self, x):
        return torch.stack([x.square().mean((1, 2)), x.pow(3).mean((1, 2))], 1)


def test_sampling_sets_rate_channels_and_least_length():
    stereo = Clip(noise(4410, channels=2), 44100)
    expected = resample(stereo.data.mean(1, keepdim=True), 44100, 16000)
    assert torch.equal(Sampling(16000)(stereo), expected)
    assert torch.equal(Sampling(44100, channels=2)(stereo), stereo.data)
    mono = Clip(noise(4410), 44100)
    assert torch.equal(Sampling(44100, channels=3)(mono), mono.data.expand(1, 3, -1))
    padded = Sampling(44100, least=5000)(mono)
    assert torch.equal(padded[..., :4410], mono.data)
    assert padded.shape == (1, 1, 5000)
    assert padded[..., 4410:].abs().max() == 0
    assert Sampling(16000, least=20000).shape == (1, 20000)
    assert Sampling(16000).grid(mono) == wl.frontends.Clip(mono.data, 16000).grid


@pytest.mark.parametrize("sampling", [Sampling(16000), Sampling(44100, channels=2), Sampling(8000, least=400_000)])
def test_sampling_of_a_file_is_that_of_its_clip(tmp_path, sampling):
    clip = Clip(noise(44100 * 23, channels=2), 44100)
    wl.frontends.write_audio(tmp_path / "a.wav", clip)
    expected, found = sampling(clip), sampling(wl.frontends.open_audio(tmp_path / "a.wav"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert sampling.grid(wl.frontends.open_audio(tmp_path / "a.wav")) == sampling.grid(clip)


def test_what_sampling_cannot_take_says_so():
    with pytest.raises(ValueError, match="takes 2 channels; got a clip with 5"):
        Sampling(8000, channels=2)(Clip(noise(10, channels=5), 8000))
    with pytest.raises(TypeError, match=r"a sound must be a Clip, which knows its rate; got Tensor\. Wrap it in Clip"):
        Sampling(8000)(noise(10))
    with pytest.raises(ValueError, match=r"whole numbers from 1; got .*least=0"):
        Sampling(8000, least=0)


@pytest.mark.parametrize("samples", [999, 1000, 1001, 2500, 4000])
def test_windows_are_equal_and_their_mean_and_gradient_exact(samples):
    x = noise(samples, batch=2, dtype=torch.float64).requires_grad_()
    count = math.ceil(samples / 1000)
    length = math.ceil(samples / count)
    padded = nn.functional.pad(x, (0, count * length - samples))
    expected = sum(Loudness()(padded[..., k * length : (k + 1) * length]) for k in range(count)) / count
    found = Windowed(Loudness(), 1000)(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    (g,) = torch.autograd.grad(found[:, 1].sum(), x)
    (same,) = torch.autograd.grad(expected[:, 1].sum(), x)
    torch.testing.assert_close(g, same, rtol=1e-12, atol=0)


def test_windows_are_computed_again_for_their_gradient_and_the_account_is_the_whole_clips():
    calls = []

    class Counted(Loudness):
        def forward(self, x):
            calls.append(x.shape[-1])
            return super().forward(x)

    x = noise(5500)
    net = Windowed(Counted(), 1000).eval()
    score = net(x.requires_grad_())[:, 0].sum()
    assert calls == [917] * 6
    torch.autograd.grad(score, x)
    assert calls == [917] * 12  # nothing was kept of the first pass
    a = wl.attribute(net, x, 0, domain=wl.DWT("db4", levels=5), method=wl.IntegratedGradients(steps=4))
    windows = nn.functional.pad(x, (0, 2)).split(917, -1)
    rise = sum(w.square().mean() for w in windows) / 6
    assert a.data.sum().item() == pytest.approx(rise.item(), rel=1e-4)
    assert a.gap.abs().max() < 1e-6


def test_micro_acdnet_has_the_published_layout():
    layout = {}
    channels = [7, 20, 10, 14, 22, 31, 35, 41, 51, 67, 69, 48]
    places = {"sfeb": [0, 3], "tfeb": [0, 4, 7, 11, 14, 18, 21, 25, 28, 33]}
    kernels = [(1, 9), (1, 5), *[(3, 3)] * 9, (1, 1)]
    before = [1, 7, 1, *channels[2:-1]]
    flat = [f"{block}.{k}" for block, ks in places.items() for k in ks]
    for name, wide, out, kernel in zip(flat, before, channels, kernels, strict=True):
        block, k = name.split(".")
        layout[f"{name}.weight"] = (out, wide, *kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            layout[f"{block}.{int(k) + 1}.{part}"] = (out,)
        layout[f"{block}.{int(k) + 1}.num_batches_tracked"] = ()
    layout |= {"tfeb.38.weight": (50, 48), "tfeb.38.bias": (50,)}
    net = untrained(MicroACDNet)
    assert {name: tuple(t.shape) for name, t in net.state_dict().items()} == layout
    assert sum(p.numel() for p in net.parameters()) == 131_474
    assert net(noise(CROP, batch=2)).shape == (2, 50)


@pytest.mark.parametrize("samples", [1, 500, CROP, 100_000])
def test_a_clip_is_the_mean_softmax_of_ten_crops(samples):
    net, x = untrained(MicroACDNet), noise(samples)
    padded = np.pad(x[0, 0].numpy(), 15112)
    step = (len(padded) - CROP) // 9
    crops = torch.from_numpy(np.stack([padded[step * k : step * k + CROP] for k in range(10)]))[:, None]
    torch.testing.assert_close(Crops(net)(x).softmax(-1), net(crops).softmax(-1).mean(0, keepdim=True))


def test_yamnets_patches_are_those_of_its_definition():
    """A frame every 160 samples, an FFT with zeros behind, magnitudes, triangles over mels, log(x + 0.001)."""
    x = noise(16000 * 2, batch=2, dtype=torch.float64)
    wave = np.concatenate([x[1, 0].numpy(), np.zeros(16000 * 2)])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    mel = 1127 * np.log(1 + np.arange(257) * 31.25 / 700)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    triangles = np.stack([np.interp(mel, edges[k : k + 3], [0, 1, 0], 0, 0) for k in range(64)])
    count = 1 + math.ceil((32000 - MIN_SAMPLES) / 7680)
    found = YAMNet().double().patches(x).unflatten(0, (2, -1))[1]
    assert found.shape == (count, 1, 96, 64)
    for patch in range(count):
        frames = [wave[7680 * patch + 160 * k :][:400] for k in range(96)]
        size = np.abs(np.fft.rfft(np.stack(frames) * window, 512))
        assert relative(found[patch, 0], torch.from_numpy(np.log(size @ triangles.T + 1e-3))) < 1e-6


@pytest.mark.parametrize(("n", "stride"), [(96, 2), (95, 2), (96, 1), (7, 2), (3, 2)])
def test_same_padding_is_tensorflows(n, stride):
    layer = untrained(lambda: Same(1, 1, 3, stride))
    x = noise(n * (n + 1)).view(1, 1, n, n + 1)
    total = [max((math.ceil(m / stride) - 1) * stride + 3 - m, 0) for m in (n, n + 1)]
    (top, left), (bottom, right) = [t // 2 for t in total], [t - t // 2 for t in total]
    padded = nn.functional.pad(x, (left, right, top, bottom))
    expected = nn.functional.conv2d(padded, layer.weight, layer.bias, stride)
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).shape[2:] == (math.ceil(n / stride), math.ceil((n + 1) / stride))


def test_yamnets_score_is_the_mean_over_patches():
    net, x = untrained(YAMNet), noise(16000 * 3)
    assert sum(p.numel() for p in net.parameters()) == 3_729_481
    scores = torch.sigmoid(net.classifier(net.features(net.patches(x)))).mean(0)
    found = torch.sigmoid(net(x))[0]
    assert (found - scores).abs().max() < 1.1 * FAINTEST
    silent = net(torch.zeros(1, 1, 100))
    assert silent.isfinite().all()
    assert YAMNet.pooled(torch.full((1, 2, 3), -432.0)).tolist() == [[pytest.approx(math.log(1e-4 / (1 - 1e-4)))] * 3]


@pytest.mark.parametrize(("name", "make"), [("yamnet", YAMNet), ("micro-acdnet", MicroACDNet)])
def test_networks_by_name_take_a_checkpoint_and_name_their_classes(tmp_path, name, make):
    net = untrained(make)
    half = {key: t.half() if t.ndim > 1 else t for key, t in net.state_dict().items()}
    save_file(half, tmp_path / "w.safetensors")
    loaded = load(name, weights=tmp_path / "w.safetensors")
    x = loaded.preprocess(Clip(noise(30000, channels=2), 44100))
    expected = net.load_state_dict(half) and net
    whole = expected(x) if name == "yamnet" else Crops(expected)(x)
    torch.testing.assert_close(loaded.module(x), whole)
    known = {"yamnet": ("bark", 70, "sigmoid"), "micro-acdnet": ("crackling fire", 12, "softmax")}[name]
    assert (loaded.index(known[0]), loaded.link) == known[1:]
    with pytest.raises(ValueError, match=f"{name} comes without weights: give a checkpoint"):
        load(name)


def test_a_tone_in_silence_is_explained_at_its_time_and_pitch():
    net = untrained(YAMNet)
    x = torch.zeros(1, 1, 32000)
    tone = torch.sin(2 * math.pi * 1500 / 16000 * torch.arange(1000.0))
    x[..., 20000:21000] = 0.3 * torch.hann_window(1000) * tone
    a = wl.attribute(net, x, 3, domain=wl.DWT("sym8", levels=6), method=wl.IntegratedGradients(steps=8))
    picture = wl.maps.scalogram(a, columns=32)[0]
    assert picture[:, 20].sum() > 0.99 * picture.sum()  # the column from 20000 to 21000
    assert picture[-3:-1].sum() > 0.9 * picture.sum()  # 1 to 4 kHz: its octave, and one into which the wavelet leaks


def test_standardized_sound_is_finite_on_silence():
    x = torch.zeros(1, 1, 50, requires_grad=True)
    (g,) = torch.autograd.grad(Standardized()(x).sum(), x)
    assert g.isfinite().all()


def _transformers(folder, kind):
    """A small random sound classifier of a kind and its feature extractor, saved to a folder."""
    import transformers

    torch.manual_seed(0)
    labels = {"id2label": {0: "hum", 1: "click", 2: "hiss"}, "label2id": {"hum": 0, "click": 1, "hiss": 2}}
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, **labels}
    if kind == "ast":
        config = transformers.ASTConfig(**small, max_length=96, num_mel_bins=32)
        model = transformers.ASTForAudioClassification(config)
        extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=96)
    elif kind == "wav2vec2":
        sizes = {"conv_dim": (8, 8), "conv_kernel": (10, 4), "conv_stride": (5, 4), "num_feat_extract_layers": 2}
        positions = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8}
        config = transformers.Wav2Vec2Config(**small, **sizes, **positions, vocab_size=8)
        model = transformers.Wav2Vec2ForSequenceClassification(config)
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    else:
        sizes = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16}
        config = transformers.WhisperConfig(
            **sizes, **labels, num_mel_bins=20, max_source_positions=100, classifier_proj_size=8, vocab_size=8,
            pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=0,
        )  # fmt: skip
        model = transformers.WhisperForAudioClassification(config)
        extractor = transformers.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
    model.eval().save_pretrained(folder)
    extractor.save_pretrained(folder)
    return model.eval(), extractor


@pytest.mark.needs("transformers:ASTForAudioClassification", "transformers:Wav2Vec2ForSequenceClassification")
@pytest.mark.needs("transformers:WhisperForAudioClassification")
@pytest.mark.parametrize("kind", ["ast", "wav2vec2", "whisper"])
@pytest.mark.parametrize("samples", [7000, 15632])
def test_transformers_hear_what_their_own_extractor_gives_them(tmp_path, kind, samples):
    model, extractor = _transformers(tmp_path, kind)
    loaded = load(f"hf:{tmp_path}")
    wave = noise(samples)[0, 0] + 0.02
    x = loaded.preprocess(Clip(wave[None, None], 16000))
    features = extractor(wave.numpy(), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = model(**features).logits
    torch.testing.assert_close(loaded.module(x), expected, rtol=1e-4, atol=1e-4)
    assert loaded.labels == ("hum", "click", "hiss")
    assert loaded.preprocess.rate == 16000
    a = wl.attribute(
        loaded.module, x, 1, domain=wl.DWT("db4", levels=4), method=wl.IntegratedGradients(steps=3), batch_size=2
    )
    assert a.data.abs().sum() > 0
    assert loaded.module(torch.zeros(1, 1, loaded.preprocess.least)).isfinite().all()


@pytest.mark.needs("transformers:Wav2Vec2ForSequenceClassification")
def test_an_extractor_that_is_not_known_says_so(tmp_path):
    import transformers

    _transformers(tmp_path, "wav2vec2")
    transformers.SeamlessM4TFeatureExtractor(num_mel_bins=20).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"AST, Whisper or wav2vec 2\.0; got .* with SeamlessM4TFeatureExtractor"):
        load(f"hf:{tmp_path}")


@pytest.mark.real
@pytest.mark.skipif(not (DATA / "audio/esc50_fold4").is_dir(), reason="WAVELENS_DATA names no folder with audio/")
def test_micro_acdnet_knows_real_clips():
    loaded = load("micro-acdnet", weights=DATA / "weights/micro_acdnet_esc50_fold4.safetensors")
    paths = sorted((DATA / "audio/esc50_fold4").glob("*.flac"))[::10]
    with torch.no_grad():
        found = [int(loaded.module(loaded.preprocess(wl.frontends.read_audio(path))).argmax()) for path in paths]
    right = [cls == int(re.findall(r"-(\d+)\.flac", path.name)[0]) for cls, path in zip(found, paths, strict=True)]
    assert sum(right) >= 0.75 * len(right)
