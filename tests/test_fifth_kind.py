"""A fifth kind of signal, registered by one file of its own (`ecg.py`), through every door of the library."""

import json
import re
import shutil
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import wavelens as wl
from test_app_requests import Browser, running
from wavelens import runs
from wavelens.app import Refused, Result, Served, Service, Wish
from wavelens.cli import main
from wavelens.explaining import kinds

SCALES = ["a4", "d4", "d3", "d2", "d1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the user's file and two recordings, an early beat and a late one."""
    shutil.copy(Path(__file__).with_name("ecg.py"), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(Path(__file__).parent))])
    monkeypatch.setattr(kinds, "KINDS", list(kinds.LIBRARY))
    sys.modules.pop("ecg", None)
    Path("data").mkdir()
    for name, place in {"early": 60, "late": 200}.items():
        Path(f"data/{name}.ecg").write_text(recording(place))
    return tmp_path


def recording(beat):
    """Two leads at 100 Hz, 300 samples, with a beat of 1 mV at a sample, upside down in the second lead."""
    wave = torch.exp(-(((torch.arange(300.0) - beat) / 4) ** 2))
    return "100,I,II\n" + "".join(f"{v:.5f},{-v / 2:.5f}\n" for v in wave.tolist())


def command(*words):
    return main([*words, "--model", "ecg:net", "--device", "cpu"])


def data_of(page):
    """What the scripts of a page are given, entry by entry."""
    blocks = re.findall(r'id="data-\d+">(.*?)</script>', page)
    return [json.loads(block) for block in blocks]


def test_the_command_explains_it_and_reports(folder, capsys):
    assert command("explain", "data", "--out", "found", "--report") == 0
    said = capsys.readouterr().out
    assert "ecg 1 of 2: data/early.ecg" in said
    assert "leads: I, II" in said
    assert "its rise over a flat line comes from these scales" in said
    summary = json.loads(Path("found/early.json").read_text())
    assert summary["ecg"] == "data/early.ecg"
    assert summary["target"] == {"index": 0, "label": "early beat"}
    assert summary["units"] == ["s"]
    assert [row["scale"] for row in summary["profile"]] == SCALES
    assert summary["profile"][-1]["extent"] == "0.01–0.02 s"
    assert sum(row["signed"] for row in summary["profile"]) == pytest.approx(summary["score"], rel=1e-4)
    assert Path("found/early.png").stat().st_size > 10_000
    a = wl.Attribution.load("found/late.safetensors")
    assert (a.target, a.layout.signal_shape) == ("1", (256,))
    page = Path("found/report.html").read_text(encoding="utf-8")
    first, second = data_of(page)
    assert (first["view"], len(first["leads"]), first["seconds"]) == ("ecg", 2, 2.56)
    assert second["leads"][0][200] == pytest.approx(1)
    assert [scale["name"] for scale in first["maps"]["scales"]] == ["all scales", *SCALES]
    assert "VIEWS.ecg = (data, state, place) =>" in page
    assert "VIEWS.photo" not in page
    assert "wavelens explain data/early.ecg --model ecg:net --target 0" in page


def test_python_explains_it_as_the_command_does(folder):
    assert command("explain", "data/early.ecg", "--out", "found") == 0
    explanation = wl.explain("data/early.ecg", "ecg:net", device="cpu")
    assert explanation.request.kind.name == "ecg"
    paths = explanation.save("again")
    assert [path.name for path in paths] == ["early.png", "early.safetensors", "early.json"]
    assert Path("again/early.json").read_text() == Path("found/early.json").read_text()
    assert torch.equal(wl.Attribution.load("found/early.safetensors").data, explanation.attribution.data)
    assert explanation.entry().view.name == "ecg"


def test_a_bare_module_is_given_the_recording_as_it_is(folder):
    model = wl.models.load("ecg:net")
    whole = wl.explain("data/late.ecg", model.module)
    assert whole.input.x.shape == (1, 2, 300)
    assert whole.input.grid.units == ("s",)
    assert [row["extent"] for row in whole.profile][-1] == "0.01–0.02 s"
    assert whole.answer[0]["label"] == "class 1"


def test_what_is_no_recording_is_a_line(folder, capsys):
    Path("data/broken.ecg").write_text("100,I\nnothing")
    assert command("explain", "data", "--out", "found") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: data/broken.ecg is no recording: ")
    assert sorted(path.stem for path in Path("found").glob("*.json")) == ["early", "late"]
    first, broken = wl.explain(["data/early.ecg", "data/broken.ecg"], "ecg:net", device="cpu")
    assert first.target.label == "early beat"
    assert isinstance(broken, ValueError)
    assert "is no recording" in str(broken)


def test_its_minimal_inputs_are_files_of_its_own(folder, capsys):
    assert command("minimal", "data/early.ecg", "--out", "found", "--alpha", "1,10", "--steps", "20") == 0
    from ecg import read_recording

    summary = json.loads(Path("found/early-minimal.json").read_text())
    assert [row["alpha"] for row in summary["front"]] == [0, 1, 10]
    left = [read_recording(Path(f"found/early-minimal-{alpha}.ecg")) for alpha in (1, 10)]
    assert [one.leads for one in left] == [("I", "II")] * 2
    model = wl.models.load("ecg:net")
    for one, row in zip(left, summary["front"][1:], strict=True):
        assert float(model.module(one.data)[0, 0]) == pytest.approx(row["logit"], rel=1e-3)


@pytest.mark.parametrize("executor", [(), ("--executor", "processes", "--workers", "1")], ids=["here", "a process"])
def test_it_is_evaluated(folder, executor):
    metric = ("--metric", "Curves(steps=4)", "--method", "InputTimesGradient")
    assert command("evaluate", "data", "--out", "run", *metric, *executor) == 0
    results = runs.Run.open("run").read()
    assert list(results.names) == ["early.ecg", "late.ecg"]
    assert results.values["target"].tolist() == [0, 1]
    assert results.values["share"].shape == (2, len(SCALES))


def test_it_is_checked(folder, capsys):
    assert command("check", "data/early.ecg", "--out", "found") == 0
    record = json.loads(Path("found/early-check.json").read_text())
    assert (record["ecg"], record["target"]["label"]) == ("data/early.ecg", "early beat")
    assert wl.parse(record["domain"]) == wl.DWT("db4", levels=4)


def test_its_mean_profile_has_its_units(folder):
    words = ["--data", "data", "--out", "found", "--method", "InputTimesGradient", "--device", "cpu"]
    assert main(["profile", "ecg:net", *words]) == 0
    (model,) = json.loads(Path("found/profile.json").read_text())["models"]
    assert model["units"] == ["s"]
    assert model["profile"][-1]["extent"] == "0.01–0.02 s"


def served():
    model = wl.models.load("ecg:net")
    return Served(model, kinds.kind_called(model.preprocess.kind))


def test_the_app_takes_it(folder):
    with closing(Service([served()], folder / "service")) as service:
        path = service.uploads / "late.ecg"
        path.write_text(recording(200))
        assert [row["label"] for row in service.look("page", "ecg:net", path)] == ["late beat", "early beat"]
        wish = Wish(wavelet="haar", method="SmoothGrad", gradients=10)
        *_, result = service.explain("page", "ecg:net", path, wish)
        assert isinstance(result, Result)
        assert list(result.files) == ["late-report.html", "late.png", "late.safetensors", "late.json"]
        summary = json.loads(result.files["late.json"].read_text())
        assert wl.parse(summary["method"]) == wl.SmoothGrad(samples=10, sigma=0.01)
        assert summary["ecg"] == "late.ecg"
        path.write_text("nothing")
        with pytest.raises(Refused, match=r"late\.ecg is no recording"):
            service.look("page", "ecg:net", path)
        path.with_suffix(".txt").write_text("nothing")
        with pytest.raises(Refused, match=r"an ecg must be a file ending in \.ecg; got late\.txt"):
            service.look("page", "ecg:net", path.with_suffix(".txt"))


@pytest.mark.needs("gradio")
def test_the_apps_page_takes_it(folder):
    with running(folder / "service", served()) as (address, _), Browser(address) as browser:
        name = browser.upload(recording(60).encode(), "my beat.ecg").json()[0]
        chosen, wavelet, _, answer, *_ = browser.asked([{"path": name}, "ecg:net"])
        assert (chosen, wavelet) == ("ecg:net", "db4")
        assert "In <bdi>my beat.ecg</bdi> the model sees: early beat" in answer
        shown = browser.explained({"path": name}, "ecg:net", 0, "db4", 0, "saliency", 50)[1]
        page = browser.client.get("/results/" + shown.partition('src="results/')[2].partition('"')[0]).text
        assert [one["view"] for one in data_of(page)] == ["ecg"]
        assert ".ecg" in browser.client.get("/").text


def test_an_app_serves_no_kind_whose_files_may_unpack_to_anything(folder):
    model = served()
    with pytest.raises(ValueError, match="the app takes files of a kind that says what they unpack to; ecg does not"):
        Served(model.loaded, replace(model.kind, size=None))


def test_a_kind_is_registered_anew_but_takes_no_name_of_the_library(folder):
    kind = served().kind
    again = replace(kind, start="nothing")
    assert wl.register_kind(again) is again
    assert [one for one in kinds.KINDS if one.name == "ecg"] == [again]
    assert kinds.kind_of(["a.ecg"]) is again
    longer = wl.register_kind(replace(kind, name="plot", suffixes=(".plot.png",)))
    assert kinds.kind_of(["a.plot.png"]) is longer  # though photos end in .png too
    assert kinds.kind_of(["plot.png"]).name == "photo"
    with pytest.raises(ValueError, match="'sound' is a kind of the library"):
        wl.register_kind(replace(kind, name="sound"))
    with pytest.raises(ValueError, match=r"a suffix must begin with a dot and be in lower case; got '\.ECG', 'ecg'"):
        replace(kind, suffixes=(".ECG", "ecg"))
    with pytest.raises(ValueError, match="units must have one entry for each axis of an ecg; got 2, and a view of 1"):
        replace(kind, units=("s", "px"))
