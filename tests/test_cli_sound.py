"""The command on sounds: octaves in hertz, sounds that add up, one line for wrong input."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.cli import main
from wavelens.explaining.kinds import SOUND, Input
from wavelens.frontends.audio import Clip, open_audio, read_audio, resample, write_audio
from wavelens.grid import Grid

OWN = """
import torch
from wavelens.models import LoadedModel
from wavelens.models import Sampling, Windowed

class Net(torch.nn.Module):
    def forward(self, x):
        half = (x.shape[-1] + 1) // 2
        first, second = x[..., :half], x[..., half:]
        return torch.stack([first.pow(2).sum((1, 2)), second.pow(2).sum((1, 2))], 1)

def net():
    return LoadedModel(Windowed(Net(), 16000), ("early", "late"), Sampling(8000), "net", "sigmoid")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model for 8 kHz and sounds; `early.wav` is a tone at 700 Hz in its first half."""
    (tmp_path / "own_net.py").write_text(OWN)
    t = torch.arange(12000) / 16000
    tone = 0.5 * torch.sin(2 * torch.pi * 700 * t) * (t < 0.3)
    write_audio(tmp_path / "early.wav", Clip(tone[None, None], 16000))
    write_audio(tmp_path / "stereo.flac", Clip(torch.stack([tone, 0 * tone])[None], 16000))
    write_audio(tmp_path / "silence.ogg", Clip(torch.zeros(1, 1, 9000), 8000))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def explain(*arguments):
    method = [] if "--method" in arguments else ["--method", "IntegratedGradients(steps=3)"]
    return main(["explain", "--model", "own_net:net", *method, *arguments])


def test_a_sound_is_accounted_for_by_octaves_in_hertz(folder, capsys):
    assert explain("early.wav", "--out", "found") == 0
    a = wl.Attribution.load(folder / "found/early.safetensors")
    found = json.loads((folder / "found/early.json").read_text())
    x = resample(read_audio("early.wav").data, 16000, 8000)
    assert a.domain == wl.DWT("db4", levels=7)
    energy = (x[..., :3000] ** 2).sum().item()
    assert found["target"] == {"index": 0, "label": "early"}
    assert found["score"] == pytest.approx(energy, rel=1e-5)
    assert sum(row["signed"] for row in found["profile"]) == pytest.approx(energy, rel=1e-4)
    rows = {row["scale"]: row for row in found["profile"]}
    assert rows["d3"]["from_to"] == [[500.0, 1000.0]]
    assert rows["d3"]["share"] > 0.5
    assert found["units"] == ["Hz"]
    printed = capsys.readouterr().out
    assert "500–1000 Hz" in printed
    assert "its rise over silence comes from these scales" in printed
    assert np.asarray(Image.open("found/early.png")).std() > 10


@pytest.mark.parametrize("method", ["IntegratedGradients(steps=3)", "SmoothGrad(samples=3, sigma=0.001)"])
def test_the_sounds_it_writes_add_up(folder, method):
    assert explain("stereo.flac", "--out", "found", "--method", method) == 0
    sounds = {path.stem: read_audio(path).data for path in (folder / "found/stereo-sounds").iterdir()}
    assert {"clip", "heard", "heard-normalised", "residue", "d3"} <= set(sounds)
    assert set(sounds) <= {"clip", "heard", "heard-normalised", "residue", "a7", *(f"d{k}" for k in range(1, 8))}
    x = resample(read_audio("stereo.flac").data.mean(1, keepdim=True), 16000, 8000)
    torch.testing.assert_close(sounds["clip"], x)
    stems = sum(sound for name, sound in sounds.items() if name[0] in "ad")
    missing = 9 - sum(name[0] in "ad" for name in sounds)  # of them, each is below a ten-thousandth of the clip
    torch.testing.assert_close(stems, sounds["heard"], rtol=0, atol=1e-6 + 1e-4 * missing * x.abs().max().item())
    heard = sounds["heard"]
    torch.testing.assert_close(heard + sounds["residue"], x, rtol=0, atol=1e-6)
    loud = sounds["heard-normalised"]
    assert loud.abs().max().item() == pytest.approx(0.99, abs=1e-4)
    torch.testing.assert_close(loud * heard.abs().max() / loud.abs().max(), heard, rtol=0, atol=1e-6)
    assert (heard * x).sum() > 0.9 * heard.norm() * x.norm()  # the tone supports its class
    assert heard[..., 4000:5000].abs().max() < 1e-3  # a periodized transform goes round at the ends


def test_sounds_of_an_earlier_run_go_and_those_of_others_stay(folder):
    assert explain("early.wav", "--out", "found", "--domain", "Identity()") == 0
    sounds = folder / "found/early-sounds"
    assert {path.stem for path in sounds.iterdir()} == {"clip", "heard", "heard-normalised", "residue", "x"}
    (sounds / "mine.wav").touch()
    assert explain("early.wav", "--out", "found", "--domain", "DWT('haar', levels=0)") == 0
    assert {path.stem for path in sounds.iterdir()} == {"clip", "heard", "heard-normalised", "residue", "a", "mine"}
    assert explain("early.wav", "--out", "found", "--domain", "DWT('haar', levels=2)") == 0
    assert {path.stem for path in sounds.iterdir()} == {
        *("clip", "heard", "heard-normalised", "residue", "a2", "d2", "d1", "mine")
    }


def test_what_was_written_before_something_failed_is_told_and_the_rest_is_an_error(folder, capsys):
    (folder / "found").mkdir()
    (folder / "found/early-sounds").touch()  # where a folder has to be
    assert explain("early.wav", "--out", "found") == 1
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if line.startswith("wrote")] == [
        *("wrote found/early.png", "wrote found/early.safetensors", "wrote found/early.json")
    ]
    assert said.err.count("error: ") == 1
    assert "early-sounds" in said.err


@pytest.mark.parametrize(("samples", "levels"), [(1, 0), (100, 6)])
def test_a_sound_too_short_for_the_usual_octaves_has_fewer_unless_they_were_asked_for(folder, capsys, samples, levels):
    write_audio("short.wav", Clip(torch.linspace(0.5, 1, samples)[None, None], 8000))
    assert explain("short.wav", "--out", "found", "--report") == 0
    a = wl.Attribution.load("found/short.safetensors")
    assert a.domain == wl.DWT("db4", levels=levels)
    assert json.loads(Path("found/short.json").read_text())["domain"] == repr(a.domain)
    assert f"levels={levels}, mode" in Path("found/report.html").read_text("utf-8")
    capsys.readouterr()
    assert explain("short.wav", "--domain", "DWT('db4', levels=7)") == 2
    assert "short.wav: levels=7 needs axes of at least 128 samples" in complaint(capsys)


def test_a_folder_a_silent_clip_and_a_long_one(folder):
    write_audio("long.wav", Clip(torch.rand(1, 1, 8000 * 5, generator=torch.Generator().manual_seed(0)), 8000))
    assert explain(".", "--out", "found") == 0
    found = json.loads((folder / "found/long.json").read_text())
    assert sum(row["signed"] for row in found["profile"]) == pytest.approx(found["score"], rel=1e-3)
    silent = json.loads((folder / "found/silence.json").read_text())
    assert [row["signed"] for row in silent["profile"]] == [0] * 8


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="peaks are read as Linux tells them")
def test_sounds_of_a_long_clip_are_written_one_by_one(tmp_path):
    """Up to thirteen sounds and their mask: at the peak no more than fifteen copies of the clip."""
    x = torch.rand(1, 1, 4_000_000, generator=torch.Generator().manual_seed(0)) - 0.5
    z = wl.DWT("db4", levels=8).analysis(x)
    a = wl.Attribution(z.data.square(), z.layout, gap=torch.zeros(1))
    shown = Input(tmp_path / "a.wav", None, None, x, Grid.sound(16000))
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmRSS:")
    written = list(SOUND.extras(a, shown, "a", tmp_path / "a"))
    assert 9 <= len(written) <= 13  # those of four octaves are silent
    assert resident("VmHWM:") - before < 15 * x.nbytes  # 10 here, and 21 with all at once


def resident(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


@pytest.mark.needs("transformers:ASTForAudioClassification")
def test_a_classifier_of_transformers_in_a_folder_by_command(folder):
    import transformers

    labels = {"id2label": {0: "hum", 1: "click", 2: "hiss"}, "label2id": {"hum": 0, "click": 1, "hiss": 2}}
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.ASTConfig(**sizes, **labels, max_length=64, num_mel_bins=32)
    torch.manual_seed(0)
    transformers.ASTForAudioClassification(config).save_pretrained(folder / "ast")
    transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64).save_pretrained(folder / "ast")

    def command():
        run = "import sys; from wavelens.cli import main; sys.exit(main(sys.argv[1:]))"
        options = ["--model", "hf:ast", "--target", "click", "--method", "IntegratedGradients(steps=3)"]
        given = [sys.executable, "-c", run, "explain", "early.wav", *options, "--out", "found"]
        return subprocess.run(given, capture_output=True, text=True, check=False)

    done = command()
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 click, logit" in done.stdout
    found = json.loads((folder / "found/early.json").read_text())
    loaded = wl.models.load("hf:ast")
    x = loaded.preprocess(read_audio("early.wav"))
    assert found["target"] == {"index": 1, "label": "click"}
    assert found["score"] == pytest.approx(loaded.module(x)[0, 1].item(), rel=1e-4, abs=1e-5)
    assert found["profile"][-1]["from_to"] == [[4000.0, 8000.0]]
    (folder / "ast/preprocessor_config.json").unlink()
    broken = command()
    assert broken.returncode == 2
    assert broken.stderr.startswith("error: hf:ast could not be loaded: ")
    assert "its feature extractor or processor (preprocessor_config.json)" in broken.stderr
    assert broken.stderr.count("\n") == 1


def complaint(capsys):
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(("raised", "said"), [("", "it takes more memory than there is"), ("no 9 GB", "no 9 GB")])
def test_a_sound_that_takes_more_memory_than_there_is_ends_itself_alone(folder, capsys, monkeypatch, raised, said):
    def read(path):
        if path.name == "early.wav":
            raise MemoryError(*[raised] * bool(raised))
        return open_audio(path)

    monkeypatch.setattr("wavelens.explaining.kinds.KINDS", (replace(SOUND, read=read),))
    assert explain("early.wav", "stereo.flac", "--out", "found") == 1
    assert f"early.wav: {said}" in complaint(capsys)
    assert (folder / "found/stereo.json").exists()


def test_wrong_sounds_are_one_line(folder, capsys):
    (folder / "empty.wav").touch()
    (folder / "broken.wav").write_bytes(b"RIFF" + bytes(60))
    write_audio("five.wav", Clip(torch.zeros(1, 1, 900), 8000))
    for name, said in [
        ("empty.wav", "empty.wav is empty"),
        ("broken.wav", "broken.wav"),
        ("none.wav", "no such file: none.wav"),
    ]:
        assert explain(name) == 2
        assert said in complaint(capsys)
    assert main(["explain", "early.wav"]) == 2
    assert "a sound needs --model: yamnet, micro-acdnet, hf:NAME or package" in complaint(capsys)
