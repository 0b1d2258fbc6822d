"""Many inputs of one command: a line for each, a table and a report that grow, and nothing computed twice."""

import csv
import importlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from wavelens.cli import entry, main, many
from wavelens.cli.commands import app
from wavelens.cli.pace import pace
from wavelens.cli.progress import PROGRESS
from wavelens.explaining.answer import Explanation
from wavelens.explaining.kinds.photo import PHOTO
from wavelens.explaining.ledger import Ledger, digest_of
from wavelens.explaining.question import question_of
from wavelens.explaining.request import request_for
from wavelens.models import Geometry, LoadedModel, Objects
from wavelens.plots.figure import Figure

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel

class Net(torch.nn.Module):
    def forward(self, x):
        left, right = x.chunk(2, -1)
        return torch.stack([left.pow(2).sum((1, 2, 3)), right.pow(2).sum((1, 2, 3))], 1)

def net():
    return LoadedModel(Net(), ("left", "right"), Geometry((16, 16), (16, 16), squash=True), "net")
"""
NAMES = ["a.png", "b.png", "c.png", "d.png"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model and four photos, of which `c.png` is damaged; more than two are many."""
    (tmp_path / "own_net.py").write_text(OWN)
    (tmp_path / "photos").mkdir()
    random = np.random.default_rng(0)
    for name in NAMES:
        Image.fromarray(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / "photos" / name)
    (tmp_path / "photos/c.png").write_bytes(b"no photo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("wavelens.cli.explain.FEW", 2)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """Panels that are empty, where nothing is asked of them."""
    monkeypatch.setattr(Explanation, "panel", lambda explanation, domain=0: Figure((1, 1)))


@pytest.fixture
def computed(undrawn, monkeypatch):
    """The names of the files that were explained, in their order."""
    names, explained = [], many.explained

    def spied(request, path, **options):
        names.append(path.name)
        return explained(request, path, **options)

    monkeypatch.setattr(many, "explained", spied)
    return names


def explain(*arguments):
    options = ["--method", "IntegratedGradients(steps=2)", "--domain", "DWT('haar', levels=2)", "--no-interventions"]
    return main(["explain", "photos", "--model", "own_net:net", "--out", "found", *options, *arguments])


def rows(path="found/summary.csv"):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_file_has_a_line_and_a_row(folder, undrawn, capsys):
    assert explain() == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.partition(":")[0] for line in lines if " of 4  " in line] == [
        f"{number} of 4  photos/{name}" for number, name in enumerate(NAMES, 1) if name != "c.png"
    ]
    assert all("The largest contributions are" in line and " left." in line for line in lines if " of 4  " in line)
    first, last = said.err.splitlines()
    assert "photos/c.png is not an image file" in first
    assert last.startswith("error: 1 of 4 files could not be explained; the column error of ")
    table = rows()
    assert [row["file"] for row in table] == [f"photos/{name}" for name in NAMES]
    assert [bool(row["error"]) for row in table] == [name == "c.png" for name in NAMES]
    for row in table:
        if row["error"]:
            continue
        found = json.loads((folder / f"found/{row['result']}.json").read_text())
        assert (row["label"], int(row["target"])) == (found["target"]["label"], found["target"]["index"])
        assert float(row["score"]) == found["score"]
        assert [float(row[f"signed {one['scale']}"]) for one in found["profile"]] == [
            one["signed"] for one in found["profile"]
        ]
        assert float(row["probability"]) == pytest.approx(
            next(one["probability"] for one in found["top"] if one["index"] == int(row["target"]))
        )


def test_the_same_command_keeps_what_is_there_and_does_the_rest(folder, computed, capsys):
    assert explain("--report") == 1
    before = rows()
    assert computed == NAMES
    computed.clear()
    capsys.readouterr()
    assert explain("--report") == 1
    assert computed == ["c.png"]
    assert "results of 3 of 4 files are in found and are kept" in capsys.readouterr().out
    assert rows() == before
    assert (folder / "found/report.html").read_text("utf-8").count("<article ") == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only here a name may be any bytes")
def test_a_name_that_is_no_text_costs_neither_itself_nor_the_others(folder, computed, capsys):
    photos = folder / "photos"
    (photos / "c.png").unlink()
    strange = os.fsdecode(b"1\xff.png")
    shutil.copyfile(photos / "a.png", photos / strange)
    names = [strange, *(name for name in NAMES if name != "c.png")]
    assert explain("--report") == 0
    assert computed == names
    assert [row["file"] for row in rows()] == ["photos/1\\udcff.png", *(f"photos/{name}" for name in names[1:])]
    computed.clear()
    assert explain("--report") == 0
    assert computed == []
    assert main(["evaluate", "photos", "--model", "own_net:net", "--out", "run", "--metric", "Curves(steps=2)"]) == 0
    assert "4 items" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["photo", "option", "result", "weights"])
def test_what_no_longer_matches_is_computed_again(folder, computed, change):
    (folder / "photos/c.png").unlink()
    assert explain() == 0
    computed.clear()
    more = ()
    if change == "photo":
        Image.fromarray(np.zeros((16, 16, 3), dtype=np.uint8)).save(folder / "photos/d.png")
    elif change == "option":
        more = ("--target", "left")
    elif change == "result":
        (folder / "found/d.safetensors").unlink()
    else:
        (folder / "own_net.py").write_text(
            OWN.replace("def forward", "extra = torch.nn.Parameter(torch.zeros(1))\n\n    def forward")
        )
        sys.modules.pop("own_net", None)
        more = ("--trust",)
    assert explain(*more) == 0
    everything = [name for name in NAMES if name != "c.png"]
    assert computed == (everything if change in ("option", "weights") else ["d.png"])
    assert len(rows()) == 3


def test_an_interrupted_command_says_how_far_it_came_and_goes_on(folder, computed, monkeypatch, capsys):
    (folder / "photos/c.png").unlink()
    whole = many.Many._one

    def stopped(self, number, *rest):
        if number == 3:
            raise KeyboardInterrupt
        whole(self, number, *rest)

    monkeypatch.setattr(many.Many, "_one", stopped)
    assert explain("--report") == 130
    assert "interrupted; 2 of 3 files have results. Run the same command again to go on." in capsys.readouterr().err
    assert len(rows()) == 2
    assert (folder / "found/report.html").read_text("utf-8").count("<article ") == 2
    monkeypatch.setattr(many.Many, "_one", whole)
    computed.clear()
    assert explain("--report") == 0
    assert computed == ["d.png"]
    assert len(rows()) == 3
    assert (folder / "found/report.html").read_text("utf-8").count("<article ") == 3


def test_an_interruption_while_the_report_is_written_costs_no_result(folder, computed, monkeypatch, capsys):
    (folder / "photos/c.png").unlink()
    whole, calls = many.Many._write_report, []

    def stopped(self):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self)

    monkeypatch.setattr(many.Many, "_write_report", stopped)
    at_once = property(lambda self: 0.0, lambda self, seconds: None)  # so that it is written after each file
    monkeypatch.setattr(many.Many, "writing", at_once, raising=False)
    assert explain("--report") == 130
    assert "interrupted; 2 of 3 files have results." in capsys.readouterr().err
    computed.clear()
    assert explain("--report") == 0
    assert computed == ["d.png"]


def test_a_table_of_others_and_rows_of_other_files_stay(folder, undrawn):
    (folder / "found").mkdir()
    (folder / "found/summary.csv").write_text("mine,yours\n1,2\n")
    explain()
    assert (folder / "found/summary.csv").read_text() == "mine,yours\n1,2\n"
    (folder / "photos").rename(folder / "first")
    (folder / "photos").mkdir()
    for name in NAMES:
        Image.fromarray(np.full((16, 16, 3), 90, dtype=np.uint8)).save(folder / "photos" / f"x{name}")
    explain()
    files = [row["file"] for row in rows("found/summary-2.csv")]
    assert files == [*(f"photos/{name}" for name in NAMES), *(f"photos/x{name}" for name in NAMES)]


def test_a_torn_last_line_is_no_row(folder, undrawn):
    explain()
    path = folder / "found/summary.csv"
    whole = path.read_text()
    path.write_text(whole[: whole.rindex(",") - 3])
    assert len(Ledger.in_folder(folder / "found").rows) == 3


def test_figures_have_the_formats_and_the_width_that_are_asked_for(folder):
    options = ["photos/a.png", "--model", "own_net:net", "--method", "Saliency", "--no-interventions"]
    assert main(["explain", *options, "--out", "found", "--format", "png,pdf,svg", "--size", "800"]) == 0
    assert Image.open("found/a.png").width == 800
    assert (folder / "found/a.pdf").read_bytes()[:5] == b"%PDF-"
    assert "<svg" in (folder / "found/a.svg").read_text()
    assert main(["explain", *options, "--out", "one", "--format", "pdf"]) == 0
    assert {path.name for path in (folder / "one").iterdir()} == {"a.pdf", "a.safetensors", "a.json"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "tiff"], "--format takes png, pdf, svg, separated by commas, each once; got tiff"),
        (["--format", "png,png"], "each once; got png,png"),
        (["--format", "pdf", "--size", "900"], "--format pdf has no pixels"),
        (["--size", "3"], "a whole number from 200 to 20000; got 3"),
    ],
)
def test_figures_that_cannot_be_written_are_one_line(folder, capsys, arguments, sentence):
    assert explain(*arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (folder / "found").exists()


def test_the_map_is_laid_over_the_whole_photo_where_it_lies(folder):
    """A photo of 60 × 40 whose middle square the model is given: outside it nothing glows, inside it does."""
    (folder / "own_net.py").write_text(OWN.replace("(16, 16), (16, 16), squash=True", "(16, 16), (16, 16)"))
    picture = np.full((40, 60, 3), 128, dtype=np.uint8)
    Image.fromarray(picture).save(folder / "wide.png")
    options = ["--model", "own_net:net", "--method", "IntegratedGradients(steps=2)", "--domain", "Identity"]
    assert main(["explain", "wide.png", "--out", "found", *options]) == 0
    shown = np.asarray(Image.open("found/wide-overlay.png").convert("RGB")).astype(int)
    assert shown.std() > 10
    right = shown[:, shown.shape[1] // 2 - 40 : -220]
    coloured = np.ptp(right, axis=-1) > 40
    columns = np.flatnonzero(coloured.any(0))
    middle = (columns.min() + columns.max()) / 2
    assert coloured.any()
    assert abs(middle - right.shape[1] / 2) < 0.2 * right.shape[1]
    assert columns.max() - columns.min() < 0.75 * right.shape[1]


def test_a_report_names_no_folder_of_this_machine(folder, undrawn, tmp_path):
    whole = str(folder / "photos/a.png")
    options = ["--method", "Saliency", "--no-interventions"]
    assert main(["explain", whole, "--model", "own_net:net", "--out", "found", "--report", *options]) == 0
    text = (folder / "found/report.html").read_text("utf-8")
    assert str(tmp_path) not in text
    assert "wavelens explain photos/a.png" in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(1 / 23, "23 s per file"), (0.0427, "23 s per file"), (0.4, "2.5 s per file"), (12.5, "12.5 files per second")],
)
def test_a_pace_is_in_whole_things(per_second, text):
    assert pace(per_second, 3905) == f"{text}, 1:05:05 left"


def program(*arguments, code="import sys; from wavelens.cli import main; sys.exit(main())"):
    command = [sys.executable, "-c", code, *arguments]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_the_version_takes_no_library(folder):
    """Names instead of seconds: what is not imported takes no time."""
    code = "import sys; from wavelens.cli import main; main(); print(*sys.modules)"
    done = program("--version", code=code)
    assert done.stdout.startswith("wavelens ")
    loaded = set(done.stdout.split())
    assert not {"torch", "numpy", "matplotlib", "typer", "rich", "wavelens.core", "wavelens.public"} & loaded


@pytest.fixture
def as_program(monkeypatch):
    """`as_program(*arguments)` runs the command as the shell does; signals stay pytest's."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["wavelens", *arguments])
        monkeypatch.setattr("wavelens.cli.entry.signal.signal", lambda *given: None)
        return main()

    yield run
    PROGRESS.handlers.clear()
    PROGRESS.setLevel(logging.NOTSET)


def test_the_program_says_what_takes_time_and_a_call_says_nothing(folder, undrawn, as_program, capsys):
    options = ["explain", "photos/a.png", "--model", "own_net:net", "--method", "Saliency", "--no-interventions"]
    assert main(options) == 0
    assert capsys.readouterr().err == ""
    assert as_program(*options) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == ["loading PyTorch …", "loading the model own_net:net …", "explaining a.png …"]


def test_help_and_a_misspelt_command_load_nothing_that_is_worth_saying(as_program, capsys):
    assert set(entry.COMMANDS) == {one.name or one.callback.__name__ for one in app.registered_commands}
    assert as_program("explain", "--help") == 0
    assert as_program("explian") == 2
    assert as_program("explain") == 2
    said = capsys.readouterr().err
    assert "loading" not in said
    assert "issing argument" in said


def test_an_interruption_of_a_command_is_one_line_and_130(folder, monkeypatch, capsys):
    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("wavelens.cli.explain.explained", interrupted)
    assert main(["explain", "photos/a.png", "--model", "own_net:net"]) == 130
    assert capsys.readouterr().err.splitlines() == ["interrupted."]


def test_an_interruption_of_an_import_is_one_line_and_130(folder):
    """Ctrl-C arrives as PyTorch is imported, in the middle of whatever it does."""
    (folder / "torch.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)\n")
    done = program("explain", "photos/a.png")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (130, "interrupted.")
    assert "Traceback" not in done.stderr


def test_a_later_import_is_ended_at_once_and_so_is_what_a_second_interruption_finds(folder, monkeypatch):
    """Of a half-imported library nobody knows what it raises; this one raises nothing."""
    (folder / "half.py").write_text(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    pass\n"
    )
    monkeypatch.setattr(entry, "_end", lambda number, frame: sys.exit(entry.INTERRUPTED))
    before = signal.signal(signal.SIGINT, entry._interrupt)
    try:
        with pytest.raises(SystemExit):
            importlib.import_module("half")
        signal.signal(signal.SIGINT, entry._interrupt)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_whatever_decides_a_result_is_in_its_digest():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    loaded = LoadedModel(net, ("left", "right"), Geometry((2, 2), (2, 2)), "net")
    first = request_for(loaded, PHOTO, torch.device("cpu"))
    others = [
        replace(first, words=True),
        replace(first, loaded=replace(loaded, labels=("right", "left"))),
        replace(first, loaded=replace(loaded, link="sigmoid")),
        *(replace(first, loaded=replace(loaded, answer=Objects(threshold))) for threshold in (0.3, 0.5)),
        *(replace(first, question=question_of(text, None, loaded)) for text in ("answer:a bus", "answer:a car")),
    ]
    assert len({digest_of(one) for one in (first, *others)}) == 1 + len(others)
    assert digest_of(replace(first, batch_size=3)) == digest_of(first)
