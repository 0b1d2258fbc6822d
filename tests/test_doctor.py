"""`wavelens doctor`: what it finds is so, and a transform that is wrong does not pass."""

import json
from importlib import metadata

import pytest
import torch

import wavelens as wl
from wavelens.cli import main
from wavelens.cli.doctor import Check, examined, extras


def test_it_reports_what_is_here_and_passes(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["wavelens"] == wl.__version__
    assert found["versions"]["torch"] == metadata.version("torch")
    assert found["devices"][0]["name"] == "cpu"
    assert {check["name"] for check in found["checks"]} >= {"⟨S c, g⟩ = ⟨c, P g⟩", "integrated gradients add up"}
    assert all(check["ok"] and 0 <= check["error"] < 1e-10 for check in found["checks"] if check["device"] == "cpu")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "transforms agree with PyWavelets" in printed
    assert "FAILED" not in printed


@pytest.mark.parametrize(
    ("name", "broken", "caught"),
    [
        ("adjoint", lambda self, g, layout: self.analysis(g), {"⟨S c, g⟩ = ⟨c, P g⟩", "integrated gradients add up"}),
        ("synthesis", lambda self, c: 1.001 * SYNTHESIS(self, c), {"transforms are undone", "⟨S c, g⟩ = ⟨c, P g⟩"}),
        (
            "analysis",
            lambda self, x: ANALYSIS(self, x).map(lambda data: data.flip(-1)),
            {"transforms agree with PyWavelets", "transforms are undone"},
        ),
        ("analysis", lambda self, x: ANALYSIS(self, x).map(lambda data: data * torch.nan), {"transforms are undone"}),
    ],
)
def test_a_wrong_transform_fails_by_name_and_exit_code(monkeypatch, capsys, name, broken, caught):
    monkeypatch.setattr(wl.DWT, name, broken)
    failed = {check.name for check in examined("cpu") if not check.ok}
    if name == "adjoint":  # of an orthonormal bank analysis is the adjoint: the padded and biorthogonal ones fail
        caught = {"⟨S c, g⟩ = ⟨c, P g⟩"}
    assert caught <= failed
    monkeypatch.setattr(metadata, "requires", lambda name: [])  # nothing to load
    assert main(["doctor"]) == 1
    assert "FAILED" in capsys.readouterr().out


SYNTHESIS, ANALYSIS = wl.DWT.synthesis, wl.DWT.analysis


def test_extras_are_those_of_the_package_with_their_commands(monkeypatch):
    monkeypatch.setattr(
        metadata,
        "requires",
        lambda name: [
            "torch>=2.9",
            "numpy>=1; extra == 'vision'",
            "torch>=999; extra == 'vision'",
            'no-such-package-here>=1; extra == "hf"',
            "pytest>=8; extra == 'test'",
            "wavelens[vision]; extra == 'bench'",
        ],
    )
    assert extras() == {
        "vision": {
            "install": "pip install 'wavelens[vision]'",
            "packages": {"numpy": metadata.version("numpy"), "torch": None},
            "broken": {},
        },
        "hf": {"install": "pip install 'wavelens[hf]'", "packages": {"no-such-package-here": None}, "broken": {}},
    }


def test_what_is_installed_and_cannot_be_loaded_is_told_with_the_reason(tmp_path, monkeypatch, capsys):
    (tmp_path / "made_for_another.py").write_text("raise RuntimeError('operator other::nms\\n does not exist')")
    (tmp_path / "made_for.another-1.2.dist-info").mkdir()
    (tmp_path / "made_for.another-1.2.dist-info/METADATA").write_text("Name: made_for.another\nVersion: 1.2\n")
    (tmp_path / "made_for.another-1.2.dist-info/top_level.txt").write_text("made_for_another\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(metadata, "requires", lambda name: ["Made-For-Another>=1; extra == 'vision'"])
    (found,) = extras().values()
    assert found["packages"] == {"Made-For-Another": "1.2"}
    assert found["broken"] == {"Made-For-Another": "RuntimeError: operator other::nms\n does not exist"}
    assert main(["doctor"]) == 0
    said = "Made-For-Another 1.2 is installed and cannot be loaded: RuntimeError: operator other::nms does not exist\n"
    assert said in capsys.readouterr().out


def test_a_package_that_pip_does_not_know_has_no_extras(monkeypatch):
    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", unknown)
    assert extras() == {}


def test_nan_is_no_pass():
    assert not Check("x", "cpu", float("nan"), 1.0, 0.0).ok
    assert Check("x", "cpu", 1.0, 1.0, 0.0).ok
