"""Models that are programs run when they are trusted, and the working folder is searched for named functions alone."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import wavelens as wl
from wavelens.cli import main
from wavelens.grid import Grid
from wavelens.models import loading, trust

REASON = r"lies outside the working folder, and loading it runs code stored in the file.*pass --trust \(in Python trust"


class Hostile(nn.Module):
    """Writes a file of its own when TorchScript loads it."""

    def forward(self, x):
        return x.mean((2, 3))

    @torch.jit.export
    def __getstate__(self):
        return self.training

    @torch.jit.export
    def __setstate__(self, state: bool):
        torch.save(torch.zeros(1), "written-by-a-model")
        self.training = state


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """The file of a hostile model beside the working folder."""
    (tmp_path / "work").mkdir()
    (tmp_path / "downloads").mkdir()
    path = tmp_path / "downloads" / "net.pt"
    torch.jit.script(Hostile()).save(path)
    monkeypatch.chdir(tmp_path / "work")
    return path


def written():
    return os.path.exists("written-by-a-model")


def test_a_file_from_outside_is_not_loaded_before_it_is_trusted(hostile):
    with pytest.raises(ValueError, match=REASON):
        wl.models.load(str(hostile))
    assert not written()
    wl.models.load(str(hostile), trust=True)
    assert written()  # the file is as hostile as it says


def test_a_file_in_the_working_folder_is_trusted(hostile, monkeypatch):
    monkeypatch.chdir(hostile.parent.parent)
    assert len(wl.models.load("downloads/net.pt").labels) == 3


def links(hostile, tmp_path):
    os.symlink(hostile, "link.pt")
    os.symlink(hostile.parent, "linked", target_is_directory=True)
    return ["link.pt", "linked/net.pt", "../downloads/net.pt", "./../work/../downloads/net.pt", str(hostile)]


def test_links_and_dots_are_followed_first(hostile, tmp_path):
    for name in links(hostile, tmp_path):
        with pytest.raises(ValueError, match=REASON):
            wl.models.load(name)
    assert not written()


def test_a_link_to_the_working_folder_is_the_working_folder(hostile, tmp_path, monkeypatch):
    os.symlink(tmp_path / "downloads", tmp_path / "elsewhere", target_is_directory=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    trust.check_trust(hostile, trust=False)


def test_the_commands_ask_for_trust(hostile, capsys):
    Image.new("RGB", (8, 8)).save("photo.png")
    os.mkdir("photos")
    Image.new("RGB", (8, 8)).save("photos/photo.png")
    for command in (
        ["explain", "photo.png", "--model", str(hostile)],
        ["check", "photo.png", "--model", str(hostile)],
        ["minimal", "photo.png", "--model", str(hostile)],
        ["evaluate", "photos", "--out", "run", "--model", str(hostile)],
        ["profile", str(hostile), "--data", "photos", "--out", "profiles"],
        ["app", "--model", str(hostile)],
    ):
        assert main(command) == 2
        assert "lies outside the working folder" in capsys.readouterr().err
    assert not written()
    assert main(["explain", "photo.png", "--model", str(hostile), "--trust", "--method", "Saliency", "--report"]) == 0
    record = json.loads(Path("wavelens-out/photo.json").read_text(encoding="utf-8"))
    assert record["options"] == {"trust": True}
    assert record["provenance"]["model options"] == "--trust"
    assert "--trust" in Path("wavelens-out/report.html").read_text(encoding="utf-8")


def test_workers_are_given_the_same_trust(hostile):
    from wavelens.runs.evaluation import Evaluation, weights_digest

    loaded = wl.models.load(str(hostile), trust=True)
    task = {"model": str(hostile), "weights": weights_digest(loaded.module), "measures": (), "read": None}
    with pytest.raises(ValueError, match=REASON):
        Evaluation(explainer=wl.baselines.FromMethod(), **task).load()
    Evaluation(explainer=wl.baselines.FromMethod(), options=loaded.options, **task).load()


CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

open("written-by-a-model", "w").close()

class OwnConfig(PretrainedConfig):
    model_type = "own-net"

class OwnNet(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.fc = torch.nn.Linear(3, config.num_labels)
        self.post_init()

    def forward(self, pixel_values):
        return ImageClassifierOutput(logits=self.fc(pixel_values.mean((2, 3))))
"""


@pytest.mark.needs("transformers:ViTImageProcessor")
def test_code_of_a_transformers_folder_is_not_run_before_it_is_trusted(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "cache"))
    net = tmp_path / "net"
    net.mkdir()
    (net / "own_hub_net.py").write_text(CODE)
    code = {"AutoConfig": "own_hub_net.OwnConfig", "AutoModelForImageClassification": "own_hub_net.OwnNet"}
    config = {"model_type": "own-net", "auto_map": code, "num_labels": 3}
    (net / "config.json").write_text(json.dumps(config))
    processor = {
        "image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8}, "resample": 2,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": False,
    }  # fmt: skip
    (net / "preprocessor_config.json").write_text(json.dumps(processor))
    save_file({"fc.weight": torch.eye(3), "fc.bias": torch.zeros(3)}, net / "model.safetensors", {"format": "pt"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"^hf:net comes with code of its own, which runs when it is loaded\. .*--trust"
    ):
        wl.models.load("hf:net")
    assert not written()
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(wl.models.load("hf:net", trust=True).module(x), x.mean((2, 3)))
    assert written()


IMPOSTOR = 'print("IMPOSTOR")\n'


def run(*arguments):
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )


@pytest.mark.needs("timm")
def test_files_of_the_working_folder_are_no_modules_for_other_models(tmp_path, monkeypatch):
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("test_efficientnet").state_dict(), tmp_path / "net.safetensors")
    (tmp_path / "timm.py").write_text(IMPOSTOR)
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    options = ["--model", "timm:test_efficientnet", "--weights", "net.safetensors", "--method", "Saliency"]
    done = run("-m", "wavelens", "explain", "photo.png", *options)
    assert done.returncode == 0, done.stderr
    assert "IMPOSTOR" not in done.stdout + done.stderr


def test_the_command_itself_does_not_search_the_working_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "impostor.py").write_text(IMPOSTOR)
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    monkeypatch.setitem(loading.NETWORKS, "probe", lambda variant: importlib.import_module("impostor"))
    assert main(["explain", "photo.png", "--model", "probe"]) == 2
    assert "No module named 'impostor'" in capsys.readouterr().err


OWN = """
import json
from torch import nn

def net():
    import own_layers
    return own_layers.Mean()

def target(module, x):
    import own_targets
    return own_targets.second
"""


def test_functions_of_the_working_folder_are_found_and_may_import_their_neighbours(tmp_path, monkeypatch):
    (tmp_path / "own_net.py").write_text(OWN)
    (tmp_path / "own_layers.py").write_text(
        "from torch import nn\nclass Mean(nn.Module):\n    def forward(self, x): return x.mean((2, 3))\n"
    )
    (tmp_path / "own_targets.py").write_text("second = 1\n")
    (tmp_path / "json.py").write_text(IMPOSTOR)  # what Python has goes before
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    before = list(sys.path)
    from wavelens.explaining.question import question_of

    model = wl.models.load("own_net:net")
    target = question_of("own_net:target", None, model)(model, torch.zeros(1, 3, 8, 8), None, Grid.plain(2)).target
    assert target == 1
    assert sys.path == before
    with pytest.raises(ValueError, match="there is no module own_absent for own_absent:net"):
        wl.models.load("own_absent:net")
    assert sys.path == before


def test_a_worker_process_finds_the_functions_of_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "own_net.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "photos/a.png")
    monkeypatch.chdir(tmp_path)
    options = ["--input-size", "8", "--mean", "0.5", "--method", "Saliency", "--metric", "Curves(steps=2)"]
    start = ["-P", "-c", "import sys; from wavelens.cli import main; sys.exit(main(sys.argv[1:]))"]
    workers = ["--executor", "processes", "--workers", "1", "--domain", "Identity"]
    done = run(*start, "evaluate", "photos", "--out", "run", "--model", "own_net:net", *options, *workers)
    assert done.returncode == 0, done.stderr
    results = wl.runs.Run.open("run")
    assert results.manifest.task["options"] == "Options(mean=(0.5, 0.5, 0.5), input_size=(8, 8))"
    torch.testing.assert_close(results.read().values["score"], torch.tensor([0.5]))


@pytest.mark.needs("ray")
def test_an_actor_works_in_the_folder_of_its_driver(tmp_path, monkeypatch):
    import ray

    from wavelens.runs.executors.cluster import _Actor

    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(sys, "path", list(sys.path))
    task = ray.cloudpickle.dumps(print)
    _Actor(task, 1, [], str(tmp_path / "work"))
    assert os.getcwd() == str(tmp_path / "work")
    _Actor(task, 1, [], str(tmp_path / "absent"))  # stays where it is
    assert os.getcwd() == str(tmp_path / "work")
