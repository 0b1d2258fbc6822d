"""The command `evaluate`: its numbers are the library's own, it goes on, and it leaves nothing bad unsaid."""

import errno
import os
import socket
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from cases import ANEW, REGIONAL
from wavelens import metrics, runs
from wavelens.baselines import parse_explainer
from wavelens.baselines.controls import CONTROLS
from wavelens.cli import main
from wavelens.cli.evaluate import Display
from wavelens.frontends.image import read_image
from wavelens.metrics.measures import METRICS, Transfer, parse_metric
from wavelens.metrics.metric import Case, seed_of
from wavelens.runs.executors import cluster
from wavelens.runs.progress import Progress
from wavelens.runs.samples import samples
from wavelens.runs.task import Failure, Report

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(-1, 1, 3 * 3 * 64).view(3, 3 * 64).sin() / 20)

    def forward(self, x):
        return torch.tanh(torch.nn.functional.avg_pool2d(x, 2).flatten(1) @ self.weight.T) * 3

def net():
    return LoadedModel(Net(), ("left side", "right side", "Whole"), Geometry((16, 16), (16, 16), squash=True), "net")

def other():
    found = net()
    with torch.no_grad():
        found.module.weight.neg_()
    return found

def small():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))
    return LoadedModel(net, ("left side", "right side", "Whole"), Geometry((8, 8), (8, 8), squash=True), "small")
"""
DOMAIN = wl.DWT("haar", levels=2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model of its own and a data set of five photos in two folders, one of them damaged."""
    (tmp_path / "own_net.py").write_text(OWN)
    random = np.random.default_rng(0)
    for name in ("left side/a", "left side/b", "Whole/a", "Whole/c"):
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    (tmp_path / "photos/Whole/b.png").write_bytes(b"no photo")
    (tmp_path / "photos/notes.txt").write_text("no photo either")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def evaluate(*arguments):
    usual = [
        "--model",
        "own_net:net",
        "--out",
        "run",
        "--domain",
        repr(DOMAIN),
        "--device",
        "cpu",
        "--metric",
        "Curves(steps=4)",
    ]
    return main(["evaluate", "photos", *usual, *arguments])


def results(name="run"):
    return runs.Run.open(name).read()


def last(capsys):
    return capsys.readouterr().err.splitlines()[-1]


def test_the_numbers_are_those_of_the_library_file_by_file(folder, capsys):
    code = evaluate(
        "--method", "IntegratedGradients(steps=5)", "--metric", "MuFidelity(subsets=9, grid=4)", "--labels", "folders"
    )
    assert code == 1
    found = results()
    assert found.names == ("Whole/a.png", "Whole/c.png", "left side/a.png", "left side/b.png")
    model = wl.models.load("own_net:net")
    for place, name in enumerate(found.names):
        x, target = model.preprocess(read_image(folder / "photos" / name)), 2 if name[0] == "W" else 0
        a = wl.attribute(model.module, x, target, domain=DOMAIN, method=wl.IntegratedGradients(steps=5), batch_size=16)
        curves = metrics.curves(model.module, x, target, a, steps=4, batch_size=16)
        options = {"subsets": 9, "grid": 4, "seed": seed_of(0, name), "batch_size": 16}
        fidelity = metrics.mu_fidelity(model.module, x, target, a, **options)
        own = {key: value[place] for key, value in found.values.items()}
        assert (own["target"], own["top"]) == (target, model.module(x).argmax())
        assert torch.equal(own["insertion(steps=4)"], curves.insertion_area[0])
        assert torch.equal(own["deletion(steps=4)"], curves.deletion_area[0])
        assert torch.equal(own["faithfulness(steps=4)"], curves.faithfulness[0])
        assert torch.equal(own["deletion curve(steps=4)"], curves.deletion[0])
        assert torch.equal(own["mu_fidelity(subsets=9, grid=4)"], fidelity[0])
        assert torch.equal(own["share"], wl.maps.profile(a).share[0])
        assert torch.equal(own["gap"], a.gap[0])
        assert torch.equal(own["score"], model.module(x)[0, target])
        assert torch.equal(own["probability"], model.module(x).softmax(1)[0, target])


def test_a_damaged_file_is_listed_and_the_others_have_results(folder, capsys):
    assert evaluate() == 1
    printed = capsys.readouterr()
    assert "error: Whole/b.png: photos/Whole/b.png is not an image file" in printed.err
    assert "5 of 5 files" in printed.err
    assert "1 failed" in printed.err
    assert "run: 4 of 5 files have results." in printed.out
    assert [failure.name for failure in results().failures] == ["Whole/b.png"]


def test_without_labels_the_top_class_is_explained(folder):
    evaluate()
    assert torch.equal(results().values["target"], results().values["top"])


def test_a_table_gives_labels(folder):
    (folder / "labels.csv").write_text(
        "Whole/a.png,right side\nWhole/b.png,0\nWhole/c.png,1\nleft side/a.png,whole\nleft side/b.png,2\n"
    )
    evaluate("--labels", "labels.csv")
    assert results().values["target"].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--metric", "Curves(steps=8)"], "--metric Curves: steps is 4 there, 8 here"),
        (["--metric", "Sparseness"], "--metric is Curves there, Sparseness here"),
        (["--metric", "Sparseness", "--metric", "Curves(steps=4)"], "--metric Sparseness is only here"),
        (["--metric", "Curves(steps=4, baseline=0.5)"], "--metric Curves: baseline is 0.0 there, 0.5 here"),
        (["--metric", "Curves(steps=4, domain=DWT('haar'))"], "--metric Curves: domain is None there, DWT here"),
        (["--method", "IntegratedGradients(steps=7)"], "--method is Saliency there, IntegratedGradients here"),
        (["--method", "EnergyOrder"], "--method is Saliency there, EnergyOrder here"),
        (["--method", "Saliency(times_input=True)"], "--method Saliency: times_input is False there, True here"),
        (["--domain", "DWT('haar', levels=2)"], "--domain DWT: levels is 1 there, 2 here"),
        (["--domain", "Cosine()"], "--domain is DWT there, Cosine here"),
        (["--crop", "0.5"], "--crop is not given there, 0.5 here"),
        (["--batch-size", "3"], "--batch-size is 16 there, 3 here"),
    ],
)
def test_what_differs_from_the_run_in_the_folder_is_named_by_its_option(folder, capsys, arguments, sentence):
    def one(*arguments):
        given = {"--method": "Saliency", "--metric": "Curves(steps=4)", "--domain": "DWT('haar', levels=1)"}
        words = [word for name, text in given.items() if name not in arguments for word in (name, text)]
        return main(["evaluate", "photos/left side", "--out", "one", "--model", "own_net:net", *words, *arguments])

    assert one() == 0
    assert one(*arguments) == 2
    said = last(capsys)
    assert said.endswith(f"one holds another run: {sentence}. Choose another folder, or ask for what is there."), said


def test_it_goes_on_and_tries_bad_files_again_on_request(folder, capsys):
    evaluate()
    Image.new("RGB", (16, 16), "red").save(folder / "photos/Whole/good.png")
    (folder / "photos/Whole/good.png").replace(folder / "photos/Whole/b.png")
    assert evaluate() == 2  # other bytes, another data set
    assert "run holds another run: dataset is " in last(capsys)
    (folder / "photos/Whole/b.png").write_bytes(b"no photo")
    assert evaluate() == 1
    os.chmod(folder / "photos/Whole/b.png", 0o644)
    (folder / "photos/Whole/b.png").write_bytes(b"8 bytes.")
    assert evaluate("--retry") == 1
    assert capsys.readouterr().err.count("error: Whole/b.png") == 1


def test_parts_make_the_whole_and_say_what_is_left(folder, capsys):
    assert evaluate("--shard-size", "2", "--shard", "1/2") == 0
    assert "run: part 1 of 2 is done; 2 of 3 shards are left to the other parts." in capsys.readouterr().out
    assert evaluate("--shard", "0/2") == 1
    assert evaluate("--out", "whole") == 1
    one, other = results("run"), results("whole")
    assert one.names == other.names
    assert all(torch.equal(one.values[key], other.values[key]) for key in other.values)


def test_processes_give_the_same_numbers(folder):
    assert evaluate("--shard-size", "2") == 1
    assert evaluate("--shard-size", "2", "--out", "other", "--executor", "processes", "--workers", "1") == 1
    for shard in range(3):
        assert runs.Run.open("run").path(shard).read_bytes() == runs.Run.open("other").path(shard).read_bytes()


def test_other_weights_in_a_worker_are_refused(folder):
    import own_net

    evaluate()
    task = runs.Run.open("run").manifest.task
    assert len(task["weights"]) == 64
    torch.save({"weight": torch.zeros_like(own_net.Net().weight)}, "other.pth")
    from wavelens.runs.evaluation import Evaluation

    other = Evaluation(
        "own_net:net",
        task["weights"],
        wl.baselines.FromMethod(),
        (),
        read_image,
        options=wl.models.Options("other.pth"),
    )
    with pytest.raises(
        RuntimeError,
        match=r"own_net:net has other weights here \(.*\) than where the run began \(.*\): it starts at random",
    ):
        runs.run(other, [1], folder / "other")


@pytest.mark.parametrize("method", ["SmoothGrad(samples=2)", "EnergyOrder", "RandomOrder(seed=3)"])
def test_methods_and_controls_explain_in_the_domain_that_was_asked_for(folder, method):
    evaluate("--method", method)
    assert f"domain={DOMAIN!r}" in runs.Run.open("run").manifest.task["explainer"]
    assert results().values["share"].shape == (4, 3)


def test_the_energy_order_inserts_the_largest_coefficients_first(folder):
    evaluate("--method", "EnergyOrder")
    model = wl.models.load("own_net:net")
    x = model.preprocess(read_image(folder / "photos/Whole/a.png"))
    curves = metrics.curves(
        model.module, x, int(results().values["target"][0]), DOMAIN.analysis(x), steps=4, batch_size=16
    )
    assert torch.equal(results().values["insertion curve(steps=4)"][0], curves.insertion[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shard", "2/2"], "--shard must be i/n with i from 0 to n - 1, such as 0/8; got '2/2'"),
        (["--shard", "half"], "--shard must be i/n"),
        (["--executor", "dask"], "--executor must be one of local, processes, ray; got 'dask'"),
        (["--num-gpus", "1"], "--num-cpus, --num-gpus and --ray-address are for --executor ray; got local"),
        (["--metric", "Curve"], "there is no metric 'Curve'. Did you mean Curves?"),
        (["--metric", "Curves(domain=DTW('db4'))"], "there is no domain or method 'DTW'. Did you mean DWT?"),
        (["--method", "Salienc"], "there is no method 'Salienc'. Did you mean Saliency?"),
        (["--metric", "DWT"], "a metric must be one of Curves, MuFidelity"),
        (["--executor", "processes", "--device", "cuda:1"], "is given a GPU of its own, --device cuda; got cuda:1"),
        (["--method", "DWT"], "a method must be one such as SmoothGrad(samples=25), GradCAM or EnergyOrder; got DWT"),
        (
            ["--method", "GradCAM"],
            "--domain is for methods; GradCAM(layer=None) has its own. Say where it is judged by",
        ),
        (["--domain", "DWT('haar', levels=9)"], "levels=9 needs axes of at least"),
        (
            ["--labels", "absent.csv"],
            "labels must be 'top', 'folders' or a CSV file; got absent.csv, and there is no such",
        ),
        (["--labels", "few.csv"], "4 of 5 files are not in it, such as Whole/b.png"),
        (["--labels", "wrong.csv"], "has no class 'Nothing'"),
        (["--out", "own_net.py"], "--out must be a folder; got the file own_net.py"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(folder, capsys, arguments, sentence):
    (folder / "few.csv").write_text("Whole/a.png,0\n")
    (folder / "wrong.csv").write_text(
        "\n".join(
            f"{n},Nothing" for n in ("Whole/a.png", "Whole/b.png", "Whole/c.png", "left side/a.png", "left side/b.png")
        )
    )
    assert evaluate(*arguments) == 2
    assert sentence in last(capsys)
    assert not (folder / "run/manifest.json").exists()


def test_a_photo_outside_of_folders_has_no_label_from_them(folder, capsys):
    (folder / "photos/Whole/a.png").rename(folder / "photos/a.png")
    assert evaluate("--labels", "folders") == 2
    assert "labels from folders need a folder for each class; a.png lies in none" in last(capsys)


def test_a_data_set_is_a_folder_with_files(folder, capsys):
    (folder / "empty").mkdir()
    (folder / "notes").mkdir()
    (folder / "notes/a.txt").touch()
    for data, sentence in {
        "absent": "a data set must be a folder; got absent",
        "empty": "the folder empty is empty",
        "notes": "the folder notes has no files that the model takes",
    }.items():
        assert main(["evaluate", data, "--model", "own_net:net", "--out", "run"]) == 2
        assert sentence in last(capsys)


def test_a_folder_that_is_one_item_counts_the_bytes_of_its_files(tmp_path):
    for name, size in {"one/a": 3, "one/b": 4, "two/c": 5}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"." * size)
    (tmp_path / "two/gone").symlink_to(tmp_path / "nowhere")
    found = samples(tmp_path, lambda folder: [folder] if folder != tmp_path else [])
    assert [(one.name, one.bytes) for one in found] == [("one", 7), ("two", 5)]
    assert [one.path for one in found] == [tmp_path / "one", tmp_path / "two"]


def test_where_a_data_set_lies_is_no_part_of_what_it_is(folder):
    evaluate()
    (folder / "photos").rename(folder / "moved")
    arguments = ["--model", "own_net:net", "--out", "run", "--domain", repr(DOMAIN), "--device", "cpu"]
    assert main(["evaluate", "moved", *arguments, "--metric", "Curves(steps=4)"]) == 1


def test_an_interrupted_run_says_how_far_it_came(folder, capsys, monkeypatch):
    def interrupted(display, progress):
        display.progress = progress
        raise KeyboardInterrupt

    monkeypatch.setattr(Display, "__call__", interrupted)
    assert evaluate() == 130
    assert last(capsys) == "error: interrupted; 0 of 5 files are written. Run the same command again to go on."


@pytest.mark.needs("ray")
@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nothing_listens_is_one_line_at_once(folder, capsys, scheme):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{one.getsockname()[1]}"  # refused: nobody listens there
        assert evaluate("--executor", "ray", "--ray-address", address) == 2
    assert last(capsys) == (
        f"error: Ray does not start at {address}: {os.strerror(errno.ECONNREFUSED).lower()}. Check the address and "
        "`ray status`, or compute with --executor processes."
    )


def test_a_ray_that_does_not_start_is_one_line(folder, capsys, monkeypatch):
    def refuse(**options):
        raise ConnectionError("Could not connect.\n\n  Check the head node.\n")

    ray = SimpleNamespace(is_initialized=lambda: False, init=refuse, shutdown=lambda: None)
    monkeypatch.setattr(cluster, "optional", lambda *names: ray)
    assert evaluate("--executor", "ray", "--ray-address", "auto") == 2
    progress, error = capsys.readouterr().err.splitlines()
    assert progress == "0 of 5 files."
    assert error == (
        "error: Ray does not start at auto: could not connect. Check the head node. Check the address and "
        "`ray status`, or compute with --executor processes."
    )


def test_progress_has_rate_time_left_and_failures():
    now = iter([0.0, 8.0])
    progress = Progress(total=50000, pending=49000, clock=lambda: next(now))
    display = Display(console=__import__("rich.console").console.Console())
    display.progress = progress
    progress.add(Report(3, 100, (Failure(1, "a", "bad"),)))
    assert display.summary() == "1,100 of 50,000 files, 12.5 files per second, 1:05:12 left, 1 failed."


@pytest.mark.parametrize("measure", [cls() for cls in METRICS if cls != Transfer], ids=repr)
def test_a_measure_is_its_metric_and_its_text(measure):
    assert parse_metric(repr(measure)) == measure
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3)).double().eval()
    x = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    explainer = wl.baselines.FromMethod(wl.Saliency(), DOMAIN)
    region = metrics.boxes(x, [[((0, 9),)]] * 2)
    case = Case(net, x, 1, explainer(net, x, 1), explainer, 7, region=region)
    found = measure.measured(case)
    beside = ("insertion", "deletion", "insertion curve", "deletion curve", "mu_fidelity over energy", "ff over energy")
    (name,) = [n for n in found if n not in beside]
    options = {"explainer": explainer} if name in ANEW else {"region": region} if name in REGIONAL else {}
    again = getattr(metrics, name)(net, x, 1, case.attribution, **options)
    torch.testing.assert_close(found[name], again, rtol=1e-9, atol=1e-12)  # threads may add in another order


def test_an_order_is_judged_by_another_network(folder, capsys):
    other = "Transfer(other='own_net:other', steps=4)"
    own = "Transfer(other='own_net:net', steps=4)"
    assert evaluate("--method", "Saliency", "--metric", other, "--metric", own) == 1  # one file is damaged
    values = results().values
    first, second = (next(v for n, v in values.items() if n.startswith("transfer(") and key in n)
                     for key in ("own_net:other", "own_net:net"))  # fmt: skip
    assert torch.equal(second, values["faithfulness(steps=4)"])
    model, net = wl.models.load("own_net:net"), wl.models.load("own_net:other")
    for place, name in enumerate(results().names):
        x = model.preprocess(read_image(folder / "photos" / name))
        a = wl.attribute(model.module, x, int(values["target"][place]), domain=DOMAIN, method=wl.Saliency())
        expected = metrics.faithfulness(net.module, x, int(values["target"][place]), a, steps=4)
        assert torch.allclose(first[place], expected[0], atol=1e-6)
    capsys.readouterr()
    assert evaluate("--metric", "Transfer(other='own_net:small', steps=4)", "--out", "small") == 2
    assert "of the same input, (3, 16, 16); own_net:small takes (3, 8, 8)" in " ".join(capsys.readouterr().err.split())


def test_options_of_a_measure_reach_its_metric():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3)).double().eval()
    x = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a = wl.attribute(net, x, 1, domain=DOMAIN, method=wl.Saliency())
    measure = parse_metric("FF(fraction=0.1, domain=DWT('db2', levels=1), baseline=0.5)")
    found = measure.measured(Case(net, x, 1, a, wl.baselines.FromMethod(), 7))
    expected = metrics.ff(net, x, 1, a, fraction=0.1, domain=wl.DWT("db2", levels=1), baseline=0.5)
    options = f"(fraction=0.1, domain={wl.DWT('db2', levels=1)!r}, baseline=0.5)"
    assert list(found) == [f"ff{options}", f"ff over energy{options}"]
    assert torch.equal(found[f"ff{options}"], expected)


@pytest.mark.parametrize("control", [cls() for cls in CONTROLS], ids=repr)
def test_controls_are_known_by_their_text(control):
    assert parse_explainer(repr(control)) == control


def test_against_another_class_the_difference_is_explained_and_measured(folder):
    assert evaluate("--against", "next", "--method", "IntegratedGradients(steps=4)", "--metric", "FF") == 1
    measured = results()
    net, name = sys.modules["own_net"].Net().eval(), measured.names[0]
    x = read_image(folder / "photos" / name)
    logits = net(x)[0].detach()
    first, second = logits.argsort(descending=True)[:2].tolist()
    values = {key: value[0] for key, value in measured.values.items()}
    assert (int(values["target"]), int(values["against"])) == (first, second)
    assert float(values["score"]) == pytest.approx(float(logits[first] - logits[second]), rel=1e-5)
    contrast = wl.targets.Contrast(first, second)
    a = wl.attribute(net, x, contrast, domain=DOMAIN, method=wl.IntegratedGradients(steps=4))
    assert torch.allclose(values["signed"], wl.maps.profile(a).signed[0])
    assert float(values["insertion(steps=4)"]) == pytest.approx(
        float(metrics.insertion(net, x, contrast, a, steps=4)), rel=1e-4
    )
    assert runs.Run.open("run").manifest.task["against"] == "next"


def test_a_record_without_a_class_against_is_that_of_earlier_versions(folder, capsys):
    assert evaluate("--method", "Saliency") == 1
    assert "against" not in runs.Run.open("run").manifest.task
    assert "against" not in results().values
    assert evaluate("--method", "Saliency", "--against", "Whole") == 2
    assert "--against is not given there, 2 here" in last(capsys)
