"""`evaluate` on sounds, volumes and videos: the library's own numbers, whatever the kind of signal."""

import numpy as np
import pytest
import torch

import wavelens as wl
from wavelens import metrics, runs
from wavelens.cli import main
from wavelens.frontends.audio import Clip, read_audio, write_audio
from wavelens.frontends.video import open_video, write_video
from wavelens.frontends.volume import read_volume
from wavelens.metrics.metric import seed_of

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel, VideoGeometry, Voxels
from wavelens.models import Sampling, Windowed

class Halves(torch.nn.Module):
    def forward(self, x):
        half = (x.shape[2] + 1) // 2
        first, second = x[:, :, :half], x[:, :, half:]
        return torch.stack([first.pow(2).flatten(1).mean(1) - 0.1, second.pow(2).flatten(1).mean(1)], 1) * 20

def sound():
    return LoadedModel(Windowed(Halves(), 4000), ("early", "late"), Sampling(2000), "sound", "sigmoid")

def volume():
    return LoadedModel(Halves(), ("top", "bottom"), Voxels((1, 8, 8, 8), (0, 1)), "volume")

def video():
    geometry = VideoGeometry(8, None, Geometry((16, 16), (16, 16), squash=True))
    return LoadedModel(Halves(), ("early", "late"), geometry, "video")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_kinds.py").write_text(OWN)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def draw(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def sounds(data):
    for k, length in enumerate((2000, 5001)):  # of different lengths, the second in two windows
        write_audio(data / f"{k}.wav", Clip(2 * draw(k, 1, 1, length) - 1, 2000))
    return read_audio


def volumes(data):
    for k in range(2):
        np.save(data / f"{k}.npy", draw(k, 8, 8, 8).numpy())
    return read_volume


def videos(data):
    for k in range(2):
        write_video(data / f"{k}.mkv", draw(k, 1, 3, 9 + 8 * k, 16, 16), 10)
    return open_video


KINDS = [
    pytest.param("sound", sounds, "db4", (7,), id="sounds"),
    pytest.param("volume", volumes, "haar", (2,), id="volumes"),
    pytest.param("video", videos, "haar", (1,), id="videos", marks=pytest.mark.needs("av")),
]


@pytest.mark.parametrize(("kind", "make", "wavelet", "levels"), KINDS)
def test_every_kind_has_the_numbers_of_the_library(folder, kind, make, wavelet, levels):
    read = make(folder / "data")
    domain = wl.DWT(wavelet, *levels)
    code = main(
        [
            *("evaluate", "data", "--out", "run", "--model", f"own_kinds:{kind}", "--device", "cpu"),
            *("--domain", repr(domain), "--method", "IntegratedGradients(steps=3)"),
            *("--metric", "Curves(steps=4)", "--metric", "MuFidelity(subsets=9, grid=8)"),
        ]
    )
    assert code == 0
    found = runs.Run.open("run").read()
    assert len(found.names) == 2
    model = wl.models.load(f"own_kinds:{kind}")
    for place, name in enumerate(found.names):
        x = model.preprocess(read(folder / "data" / name))
        with torch.no_grad():
            logits = model.module(x)
        target = int(logits.argmax())
        a = wl.attribute(model.module, x, target, domain=domain, method=wl.IntegratedGradients(steps=3), batch_size=16)

        def followed(output, target=target):
            return model.probabilities(output)[:, target]

        curves = metrics.curves(model.module, x, followed, a, steps=4, batch_size=16)
        options = {"subsets": 9, "grid": 8, "seed": seed_of(0, name), "batch_size": 16}
        own = {key: value[place] for key, value in found.values.items()}
        assert own["target"] == target
        torch.testing.assert_close(own["insertion(steps=4)"], curves.insertion_area[0])
        torch.testing.assert_close(own["insertion curve(steps=4)"][-1], own["probability"])
        torch.testing.assert_close(own["probability"], model.probabilities(logits)[0, target])
        mu = metrics.mu_fidelity(model.module, x, target, a, **options)
        assert torch.equal(own["mu_fidelity(subsets=9, grid=8)"], mu[0])
        assert torch.equal(own["share"], wl.maps.profile(a).share[0])


@pytest.mark.parametrize(("kind", "make", "wavelet", "levels"), KINDS)
def test_every_kind_has_a_domain_of_its_own_and_controls(folder, kind, make, wavelet, levels):
    make(folder / "data")
    for method in ("Saliency", "EnergyOrder", "RandomOrder"):
        arguments = ["--model", f"own_kinds:{kind}", "--method", method, "--metric", "Curves(steps=2)"]
        assert main(["evaluate", "data", "--out", method, "--device", "cpu", *arguments]) == 0
        assert runs.Run.open(method).read().values["faithfulness(steps=2)"].shape == (2,)


def test_chance_is_drawn_for_each_file(folder):
    """Two files that hold the same sound have other random orders, so a mean over files is rid of what chance does."""
    for name in "ab":
        write_audio(folder / "data" / f"{name}.wav", Clip(2 * draw(0, 1, 1, 2000) - 1, 2000))
    for out, method in (("random", "RandomOrder"), ("again", "RandomOrder"), ("energy", "EnergyOrder")):
        arguments = ["--model", "own_kinds:sound", "--method", method, "--metric", "Curves(steps=4)"]
        assert main(["evaluate", "data", "--out", out, "--device", "cpu", *arguments]) == 0
    first, again, energy = (
        runs.Run.open(out).read().values["faithfulness(steps=4)"] for out in ("random", "again", "energy")
    )
    assert first[0] != first[1]
    assert torch.equal(first, again)
    assert energy[0] == energy[1]
