"""Time series through the command: a class at a time, bare modules, rates, records of several files, minimal inputs."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import series_files as files
import wavelens as wl
from wavelens import runs
from wavelens.cli import main

OWN = '''
import torch
import wavelens as wl
from wavelens.models import LoadedModel, Traces

NAMES = ("I", "II")


class Waves(torch.nn.Module):
    """Per sample: minus the trace and the trace, of the first channel and half of the second."""

    def forward(self, x):
        seen = x[:, 0] + 0.5 * x[:, 1]
        return torch.stack([-seen, seen + seen.square()], 1)


class Loud(torch.nn.Module):
    def forward(self, x):
        return 100 * x.square().mean(-1)


def waves():
    return LoadedModel(Waves().eval(), ("none", "QRS"), Traces((2, 256), rate=100, channels=NAMES), "own:waves")


def loud():
    return LoadedModel(Loud().eval(), ("in I", "in II"), Traces((2, 256), rate=100, channels=NAMES), "own:loud")
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the user's models and a recording; Python finds them nowhere else."""
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    files.write_csv(Path("beat.csv"), files.recording())
    return tmp_path


def test_a_class_at_a_time_is_explained_by_channel_and_scale(folder, capsys):
    assert (
        main(["explain", "beat.csv", "--model", "own:waves", "--target", "QRS@1.2s", "--out", "out", "--report"]) == 0
    )
    printed = capsys.readouterr().out
    assert "QRS at 1.2 s, logit" in printed
    assert "its rise over a flat line comes from these scales" in printed
    summary = json.loads(Path("out/beat.json").read_text())
    assert summary["target"]["is"] == "ByItem(window(1, 120, 121))"
    assert summary["series"] == "beat.csv"
    assert summary["units"] == ["Hz"]
    rows = summary["by_channel"]
    assert [row["channel"] for row in rows] == ["I", "II"]
    by_scale = np.array([row["signed"] for row in rows])
    assert np.allclose(by_scale.sum(0), [row["signed"] for row in summary["profile"]], atol=1e-6)
    rise = summary["score"] - summary["baseline_score"]
    assert abs(by_scale.sum() - rise) <= 0.02 * abs(rise)
    a = wl.Attribution.load("out/beat.safetensors")
    moment = wl.maps.spatial_map(a)[0]
    assert 115 <= int(moment.argmax()) <= 125
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "VIEWS.series = showSeries" in page
    assert "wavelens explain beat.csv --model own:waves --target QRS@1.2s" in page
    assert Path("out/beat.png").stat().st_size > 10_000


def test_the_command_of_a_report_makes_the_same_explanation(folder):
    import shlex

    np.save("beat.npy", files.recording()[:2].astype(np.float32))
    assert main(["explain", "beat.npy", "--model", "own:loud", "--rate", "100", "--out", "out", "--report"]) == 0
    page = Path("out/report.html").read_text(encoding="utf-8")
    command = page.partition("<code>")[2].partition("</code>")[0].replace("&quot;", '"').replace("&#x27;", "'")
    words = shlex.split(command.replace("&#39;", "'").replace("&#34;", '"'))
    assert words[words.index("--rate") + 1] == "100"
    assert main([*words[1:], "--out", "again"]) == 0
    first, second = (wl.Attribution.load(f"{name}/beat.safetensors").data for name in ("out", "again"))
    assert torch.equal(first, second)


def test_python_explains_it_alike_and_a_bare_module_takes_it_whole(folder):
    module = wl.models.load("own:loud").module
    one = wl.explain("beat.csv", "own:loud", device="cpu")
    assert one.by_channel[0]["channel"] == "I"
    whole = wl.explain("beat.csv", torch.nn.Sequential(module).eval())
    assert whole.input.x.shape == (1, 3, 300)
    assert [row["channel"] for row in whole.by_channel] == list(files.NAMES)
    assert whole.profile[-1]["extent"] == "25–50 Hz"
    slow = files.write_csv(Path("slow.csv"), files.recording()[:, :48], "time (h)", [str(k) for k in range(48)])
    assert wl.explain(slow, module).profile[-1]["extent"] == "1–2 h"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unnamed.npy", "--model", "own:loud"], "100 samples per second, and the series does not say its rate"),
        (["beat.csv", "--model", "own:loud", "--rate", "50"], "this one says 100 Hz, and 50 Hz was given"),
        (["lacking.csv", "--model", "own:loud"], "the series lacks II and has I"),
        (["beat.csv", "--model", "own:waves"], "a classifier returns logits (batch, classes)"),
        (
            ["beat.csv", "--model", "own:waves", "--target", "QRS@9s"],
            "lies in the input, which has 256 samples, 2.56 s",
        ),
        (["beat.csv", "--model", "own:waves", "--target", "none@1s", "--against", "QRS"], "is a class at a time"),
        (
            ["beat.csv", "--model", "own:loud", "--target", "in I@1s"],
            "asks for a class at a time of a model that gives",
        ),
        (["folder", "--model", "own:loud"], "folder is empty. Name another"),
    ],
)
def test_wrong_input_is_one_line(folder, capsys, words, message):
    np.save("unnamed.npy", files.recording()[:2].astype(np.float32))
    Path("lacking.csv").write_text("time,I\n" + "".join(f"{k / 100},{k % 7}\n" for k in range(300)))
    Path("folder").mkdir()
    assert main(["explain", *words, "--out", "out"]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert line.startswith("error: ")


@pytest.mark.needs("wfdb")
def test_a_record_of_several_files_is_one_input_whose_bytes_all_count(folder, capsys):
    Path("data").mkdir()
    for name in ("one", "two"):
        files.write_wfdb(Path(f"data/{name}.hea"), files.recording())
    words = ["evaluate", "data", "--model", "own:loud", "--metric", "Curves(steps=2)", "--method", "InputTimesGradient"]
    assert main([*words, "--out", "run"]) == 0
    results = runs.Run.open("run").read()
    assert list(results.names) == ["one.hea", "two.hea"]
    Path("data/one.dat").write_bytes(Path("data/one.dat").read_bytes() + b"\0\0")
    assert main([*words, "--out", "run"]) == 2  # the same names, other bytes: another data set
    assert "run" in capsys.readouterr().err
    assert main(["explain", "data/two.hea", "--model", "own:loud", "--out", "out"]) == 0
    assert "one record of 2 files" in capsys.readouterr().out


def test_minimal_inputs_are_tables_that_are_read_again(folder):
    words = ["minimal", "beat.csv", "--model", "own:loud", "--alpha", "1,10", "--steps", "20", "--out", "out"]
    assert main(words) == 0
    front = json.loads(Path("out/beat-minimal.json").read_text())["front"]
    module = wl.models.load("own:loud").module
    for row in front[1:]:
        left = wl.frontends.read_series(f"out/beat-minimal-{row['alpha']:g}.csv")
        assert (left.channels, left.rate) == (("I", "II"), 100)
        assert float(module(left.data)[0].max()) == pytest.approx(row["logit"], rel=1e-3)


class Halves(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early, late = x.square().mean(1).chunk(2, -1)
        return torch.stack([early.mean(-1), late.mean(-1)], 1)


def test_a_torchscript_file_takes_series_as_they_are_or_as_it_is_told(folder, capsys):
    torch.jit.script(Halves().eval()).save("net.pt")
    assert main(["explain", "beat.csv", "--model", "net.pt", "--out", "out", "--report"]) == 0
    summary = json.loads(Path("out/beat.json").read_text())
    assert summary["preprocess"].startswith("Traces(shape=(3, 300)")
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "--preparation" in page
    words = ["--preparation", "Traces((2, 200), rate=100, channels=('V1', 'I'), scaling='peak')"]
    assert main(["explain", "beat.csv", "--model", "net.pt", *words, "--out", "told"]) == 0
    told = wl.Attribution.load("told/beat.safetensors")
    assert told.data.shape[:2] == (1, 2)
    loaded = wl.models.load("net.pt", preparation=wl.models.Traces((2, 200), 100, ("V1", "I"), "peak"))
    again = wl.explain(
        "beat.csv", loaded, target=int(json.loads(Path("told/beat.json").read_text())["target"]["index"])
    )
    assert torch.equal(again.attribution.data, told.data)
    capsys.readouterr()
    assert main(["explain", "beat.csv", "--model", "net.pt", "--preparation", "Saliency", "--out", "out"]) == 2
    names = "AsRead, Bands, Fitted, Geometry, Points, Resolutions, Sampling, Traces"
    assert f"--preparation must be one of {names}" in capsys.readouterr().err
    with pytest.raises(TypeError, match="preparation makes a model's input, such as"):
        wl.models.load("net.pt", preparation=3)
    assert main(["evaluate", ".", "--model", "net.pt", *words, "--metric", "Curves(steps=2)", "--out", "run"]) == 0
    assert list(runs.Run.open("run").read().names) == ["beat.csv"]
