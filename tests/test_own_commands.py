"""Commands with domains, methods, metrics, explainers and baselines of a user's own, on workers too."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import wavelens as wl
from own_file import MINE, NAME, own
from wavelens import runs
from wavelens.cli import main
from wavelens.metrics.measures import parse_metric
from wavelens.metrics.metric import seed_of
from wavelens.runs.statistics.comparison import compare
from wavelens.runs.statistics.tables import comma_separated, markdown
from wavelens.spec import parse_own


def evaluate(*arguments, out="run", method="Twice()"):
    usual = ["--model", own("net"), "--device", "cpu", "--out", out, "--method", own(method)]
    return main(["evaluate", "photos", *usual, *arguments])


def test_explain_takes_a_domain_and_a_method_of_ones_own(own_folder, capsys):
    options = ["--model", own("net"), "--domain", own("Halved(factor=0.25)"), "--method", own("Twice()")]
    assert main(["explain", "photos/a.png", *options, "--report"]) == 0
    record = json.loads(Path("wavelens-out/a.json").read_text())
    assert record["domain"] == own("Halved(factor=0.25, inner=Identity())")
    assert record["method"] == own("Twice(times=2.0)")
    import mine_own

    a = wl.Attribution.load("wavelens-out/a.safetensors", also=[mine_own.Halved])
    loaded = wl.models.load(own("net"))
    x = loaded.preprocess(wl.frontends.read_image("photos/a.png"))
    top = int(loaded.module(x).argmax())
    plain = wl.attribute(loaded.module, x, top, domain=wl.Identity(), method=wl.Saliency())
    torch.testing.assert_close(a.data, plain.data * 2 / 0.25, rtol=1e-5, atol=1e-7)
    report = Path("wavelens-out/report.html").read_text(encoding="utf-8")
    assert "mine_own:Halved(factor=0.25, inner=Identity())" in report


def test_check_profile_and_minimal_take_them_too(own_folder, capsys):
    options = ["--model", own("net"), "--domain", own("Halved()")]
    assert main(["check", "photos/a.png", *options, "--method", own("Twice()")]) in (0, 1)
    record = json.loads(Path("wavelens-out/a-check.json").read_text())
    assert (record["domain"], record["method"]) == (
        own("Halved(factor=0.5, inner=Identity())"),
        own("Twice(times=2.0)"),
    )
    profile = ["--data", "photos", "--out", "profiled", "--domain", own("Halved()"), "--method", own("Twice()")]
    assert main(["profile", own("net"), *profile]) == 0
    assert json.loads(Path("profiled/profile.json").read_text())["method"] == own("Twice(times=2.0)")
    less = ["--alpha", "1", "--steps", "3", "--baseline", own("Grey()")]
    assert main(["minimal", "photos/a.png", *options, *less]) == 0
    record = json.loads(Path("wavelens-out/a-minimal.json").read_text())
    assert record["baseline"] == own("Grey()")
    assert main(["minimal", "photos/a.png", *options, "--baseline", own("Twice()")]) == 2
    assert "got 'mine_own:Twice()'. One of your own is called as baseline(x)." in capsys.readouterr().err


def test_a_baseline_of_ones_own_fills_what_a_mask_drops():
    x = torch.rand(2, 1, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 2)).double().eval()
    how = {"domain": wl.Identity(), "alpha": 0.5, "steps": 5}
    one = wl.masks.minimal(model, x, 0, baseline=lambda x: x.mean(2, keepdim=True).expand_as(x), **how)
    other = wl.masks.minimal(model, x, 0, baseline=x.mean(2, keepdim=True).expand_as(x), **how)
    assert torch.equal(one.mask.data, other.mask.data)
    assert not torch.equal(one.mask.data, wl.masks.minimal(model, x, 0, **how).mask.data)


def test_every_number_of_a_metric_is_in_evaluate_and_compare(own_folder, capsys):
    """What followed the page on metrics was once computed, stored, and in no table."""
    metrics = ["summed", "summed(power=2.0)", "drawn", "Both()"]
    wanted = [word for text in metrics for word in ("--metric", own(text))]
    assert evaluate(*wanted, "--metric", "Sparseness") == 0
    printed = capsys.readouterr().out
    assert evaluate(*wanted, "--metric", "Sparseness", out="other", method="Copied()") == 0
    stored = runs.Run.open("run")
    numbers = {name: value for name, value in stored.read().values.items() if name not in runs.evaluation.FACTS}
    assert set(numbers) == {"summed", "summed(power=2.0)", "drawn", "low", "high", "path", "sparseness"}
    assert set(numbers) == {column.name for column in stored.manifest.columns}
    shown = ["summed", "summed (power=2.0)", "drawn ↓", "low ↓", "high ↑", "sparseness ↑"]
    for name in shown:
        assert f"\n  {name} " in printed
    found = compare(["run", "other"])
    assert list(found.metrics) == ["summed", "summed(power=2.0)", "drawn", "low", "high", "sparseness"]
    assert set(found.curves["run"]) == {"path"}
    for name in found.metrics:
        middle = np.median if name == "low" else np.mean
        assert found.row(name, "run").value.value == pytest.approx(middle(numbers[name].double().numpy()), rel=1e-12)
    assert main(["compare", "run", "other", "--out", "tables"]) == 0
    text = Path("tables/comparison.md").read_text()
    assert f"| run | {' | '.join(shown)} |" in text.replace(r"\_", "_")
    assert "summed, summed(power=2.0): not known whether more or less is better, distances are to the first run" in text
    assert "low: medians, all others means" in text
    assert Path("tables/curves.png").exists()


def test_numbers_are_those_of_the_function(own_folder):
    words = ["--domain", own("Halved()"), "--metric", own("summed(power=2.0)"), "--metric", own("drawn(seed=5)")]
    assert evaluate(*words, "--batch-size", "7") == 0
    stored = runs.Run.open("run").read()
    loaded, how = (
        wl.models.load(own("net")),
        {"domain": parse_own(own("Halved()")), "method": parse_own(own("Twice()"))},
    )
    for place, name in enumerate(stored.names):
        x = loaded.preprocess(wl.frontends.read_image(f"photos/{name}"))
        a = wl.attribute(loaded.module, x, int(stored.values["target"][place]), **how)
        torch.testing.assert_close(stored.values["summed(power=2.0)"][place], a.data.square().sum(), rtol=1e-5, atol=0)
        assert stored.values["drawn(seed=5)"][place] == seed_of(5, name) % 1000 + 7


def test_without_a_direction_no_run_is_ranked(own_folder):
    for out, method in (("one", "Twice()"), ("two", "Copied()")):
        assert evaluate("--metric", own("summed"), "--metric", own("drawn"), out=out, method=method) == 0
    found = compare(["two", "one"])
    assert [found.row("summed", run).rank for run in ("one", "two")] == [None, None]
    assert found.row("summed", "two").difference.value == 0  # the first run, not the best
    assert found.row("drawn", "one").rank.value == 1
    assert ",,," in comma_separated(found)
    assert "summed |" in markdown(found)


def test_two_metrics_of_one_name_are_refused(own_folder, capsys):
    code = "def summed(model, x, target, attribution): return x.sum((1, 2, 3))\n"
    (own_folder / "other_own.py").write_text(code + code.replace("summed", "score"))
    assert evaluate("--metric", own("summed"), "--metric", "other_own:summed") == 2
    assert "every column comes from one metric; two give summed. Leave one out" in capsys.readouterr().err
    assert evaluate("--metric", "other_own:score") == 2
    assert "a run has a number score of its own, which no metric may be called" in capsys.readouterr().err
    assert not Path("run").exists() or not Path("run/manifest.json").exists()


def test_a_metric_that_gives_something_else_is_said_file_by_file(own_folder, capsys):
    assert evaluate("--metric", own("wrong")) == 2
    printed = capsys.readouterr().err
    assert "a.png: wrong is (batch,) for 1 item; mine_own:wrong gave (1, 3, " in printed


def test_a_metric_that_some_run_lacks_is_said(own_folder):
    assert evaluate("--metric", own("summed"), "--metric", "Sparseness", out="one") == 0
    assert evaluate("--metric", "Sparseness", out="two") == 0
    found = compare(["one", "two"])
    assert found.metrics == ("sparseness",)
    assert "summed: not in every run, left out" in markdown(found)


def test_a_run_goes_on_by_the_same_words_and_refuses_others(own_folder, capsys):
    words = ["--domain", own("Halved()"), "--metric", own("drawn")]
    assert evaluate(*words, "--shard-size", "1", "--shard", "0/2") == 0
    record = json.loads(Path("run/manifest.json").read_text())
    assert record["task"]["explainer"] == (
        f"FromMethod(method={own('Twice(times=2.0)')}, domain={own('Halved(factor=0.5, inner=Identity())')})"
    )
    assert record["task"]["measures"] == f"({own('drawn')},)"
    assert record["columns"] == [{"name": "drawn", "better": "less", "middle": "mean", "is_curve": False}]
    assert evaluate(*words) == 0
    assert len(runs.Run.open("run").read().names) == 3
    assert evaluate(*words, method="Twice(times=3)") == 2
    assert "--method Twice: times is 2.0 there, 3 here" in capsys.readouterr().err
    (own_folder / f"{NAME}.py").write_text(MINE.replace("@less_is_better\n", ""))
    sys.modules.pop(NAME)
    assert evaluate(*words) == 2
    assert "column drawn is less there, neither more nor less is better here" in capsys.readouterr().err


def processes(*arguments):
    """The command in a process of its own that finds the module nowhere but in its working own_folder."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    code = "import sys; from wavelens.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )


def test_worker_processes_find_them(own_folder):
    words = ["evaluate", "photos", "--model", own("net"), "--device", "cpu", "--method", own("Twice()")]
    words += ["--domain", own("Halved()"), "--metric", own("summed(power=2.0)"), "--metric", own("Both()")]
    assert main([*words, "--out", "here"]) == 0
    done = processes(*words, "--out", "there", "--executor", "processes", "--workers", "1")
    assert done.returncode == 0, done.stderr
    here, there = (runs.Run.open(name).read() for name in ("here", "there"))
    assert all(torch.equal(value, there.values[name]) for name, value in here.values.items())


@pytest.mark.needs("ray")
def test_actors_find_them(own_folder):
    from ray import cloudpickle

    from wavelens.runs.executors.cluster import _Actor
    from wavelens.runs.task import Ready, Stop

    @dataclass(frozen=True)
    class Task:
        metric: object

        def load(self):
            return self.metric

    task = cloudpickle.dumps(Task(parse_metric(own("Both()"))))
    sys.modules.pop(NAME)
    assert isinstance(_Actor(task, 1, [], str(own_folder)).load(), Ready)
    sys.modules.pop(NAME)
    (own_folder / f"{NAME}.py").unlink()
    stopped = _Actor(task, 1, [], str(own_folder)).load()
    assert isinstance(stopped, Stop)
    assert f"the task cannot be loaded: ModuleNotFoundError: No module named '{NAME}'" in stopped.reason


def test_a_hostile_manifest_is_shown_and_not_obeyed(own_folder, capsys):
    assert evaluate("--metric", own("summed")) == 0
    sys.modules.pop(NAME)
    (own_folder / f"{NAME}.py").write_text("raise SystemExit('imported')")
    capsys.readouterr()
    assert main(["compare", "run"]) == 0
    printed = capsys.readouterr().out
    assert "summed" in printed
    assert NAME not in sys.modules
    assert own("Twice(times=2.0)") in printed.replace("\n", "")
