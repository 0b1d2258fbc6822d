"""`wavelens check`: what it prints and writes agrees with the function, for every kind of signal."""

import json
import sys
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.cli import main
from wavelens.explaining.kinds import kind_called

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel
from wavelens.models import Sampling
from wavelens.models import VideoGeometry
from wavelens.models import Voxels

ROWS = []

class Halves(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[1.0, 0.2], [0.3, 1.0]]))

    def forward(self, x):
        ROWS.append(len(x))
        left, right = x.chunk(2, -1)
        return torch.stack([torch.tanh(left).flatten(1).mean(1), right.flatten(1).mean(1)], 1) @ self.weight

class Detached(Halves):
    def forward(self, x):
        return super().forward(x) + 3 * super().forward(x.detach())

GEOMETRIES = {"photo": Geometry((32, 32), (32, 32), squash=True), "sound": Sampling(800),
              "volume": Voxels((1, 8, 8, 8), (0.0, 1.0))}

def photos():
    return LoadedModel(Halves(), ("left side", "right side"), GEOMETRIES["photo"], "net")

def sounds():
    return LoadedModel(Halves(), ("early", "late"), GEOMETRIES["sound"], "net")

def volumes():
    return LoadedModel(Halves(), ("low", "high"), GEOMETRIES["volume"], "net")

def detached():
    return LoadedModel(Detached(), ("left side", "right side"), GEOMETRIES["photo"], "net")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_checked.py").write_text(OWN)
    source = np.random.default_rng(0)
    Image.fromarray(source.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(tmp_path / "noise.png")
    beep = torch.sin(2000 * torch.arange(800) / 800).view(1, 1, -1)
    wl.frontends.write_audio(tmp_path / "beep.wav", beep, 800)
    np.save(tmp_path / "scan.npy", source.random((8, 8, 8), dtype=np.float32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "file", "kind"),
    [("photos", "noise.png", "photo"), ("sounds", "beep.wav", "sound"), ("volumes", "scan.npy", "volume")],
)
def test_every_kind_of_signal_gets_the_verdicts_of_the_function(folder, capsys, model, file, kind):
    code = main(["check", file, "--model", f"own_checked:{model}", "--out", "found"])
    loaded = wl.models.load(f"own_checked:{model}")
    x = loaded.preprocess(kind_called(kind).read(folder / file))
    expected = wl.check(loaded.module, x, domain=kind_called(kind).domain(loaded.preprocess.shape[1:]))
    found = json.loads((folder / "found" / f"{file.split('.')[0]}-check.json").read_text())
    assert {key: found[key] for key in ("status", "verdicts")} == expected.summary()
    assert found[kind] == file
    assert found["target"]["label"] == loaded.labels[int(loaded.module(x).argmax())]
    assert wl.parse(found["domain"]) == kind_called(kind).domain(loaded.preprocess.shape[1:])
    printed = capsys.readouterr().out
    for verdict in expected.verdicts:
        assert verdict.finding in printed
        assert verdict.remedy in printed
    assert code == (1 if expected.status == "fail" else 0)


def test_domain_method_and_batch_size_are_those_asked_for(folder):
    options = ["--domain", "DWT('db2', levels=2)", "--method", "IntegratedGradients(steps=7)", "--batch-size", "3"]
    main(["check", "noise.png", "--model", "own_checked:photos", "--out", "found", *options])
    assert max(sys.modules["own_checked"].ROWS) == 3
    found = json.loads((folder / "found/noise-check.json").read_text())
    assert wl.parse(found["method"]) == wl.IntegratedGradients(steps=7)
    assert wl.parse(found["domain"]) == wl.DWT("db2", levels=2)
    loaded = wl.models.load("own_checked:photos")
    x = loaded.preprocess(kind_called("photo").read(folder / "noise.png"))
    ask = partial(wl.check, loaded.module, x)
    chosen, method = wl.DWT("db2", levels=2), wl.IntegratedGradients(steps=7)
    assert found["verdicts"] == ask(domain=chosen, method=method, batch_size=3).summary()["verdicts"]
    assert found["verdicts"] != ask(domain=chosen).summary()["verdicts"]
    assert found["verdicts"] != ask(domain=wl.DWT("haar", levels=2), method=method).summary()["verdicts"]


def test_a_check_that_fails_is_the_exit_code(folder, capsys):
    assert main(["check", "noise.png", "--model", "own_checked:detached", "--target", "left"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("fail")]
    assert "differentiable" in line
    assert "75.0%" in line
    assert lines[lines.index(line) + 1].strip().startswith("→ Look for detach()")
    assert json.loads((folder / "wavelens-out/noise-check.json").read_text())["status"] == "fail"


def test_inputs_that_cannot_be_read_are_said_and_the_others_are_checked(folder, capsys):
    (folder / "broken.png").write_text("no picture")
    assert main(["check", "broken.png", "noise.png", "--model", "own_checked:photos", "--out", "found"]) == 1
    assert "broken.png" in capsys.readouterr().err
    assert (folder / "found/noise-check.json").is_file()
    assert main(["check", "broken.png", "--model", "own_checked:photos", "--out", "found"]) == 2


def test_another_precision_is_looked_at_where_asked(folder, capsys):
    main(["check", "noise.png", "--model", "own_checked:photos", "--autocast", "bfloat16"])
    assert "in bfloat16 the gradient" in capsys.readouterr().out
    assert main(["check", "noise.png", "--model", "own_checked:photos", "--autocast", "half"]) == 2
    assert "--autocast must be one of bfloat16, float16; got 'half'" in capsys.readouterr().err


def test_levels_that_do_not_fit_are_said_before_any_input_is_read(folder, capsys):
    (folder / "broken.png").write_text("no picture")
    usual = ["check", "broken.png", "noise.png", "--model", "own_checked:photos", "--out", "found"]
    assert main([*usual, "--domain", "DWT('haar', levels=9)"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "levels=9 needs axes of at least" in line
