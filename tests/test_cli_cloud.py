"""Clouds through the command, Python and the app."""

import json
import shutil
import sys
from contextlib import closing
from pathlib import Path

import pytest
import torch

import wavelens as wl
from cloud_files import MODEL, bumpy
from test_fifth_kind import data_of
from wavelens import runs
from wavelens.app import Refused, Result, Served, Service, Wish
from wavelens.cli import main
from wavelens.explaining import kinds
from wavelens.frontends import Cloud, read_cloud, write_cloud

SCALES = ["a", "d6", "d5", "d4", "d3", "d2", "d1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model of the user's own and two clouds."""
    (tmp_path / "forms.py").write_text(MODEL)
    (tmp_path / "data").mkdir()
    for seed, name in enumerate(("first", "second")):
        write_cloud(tmp_path / f"data/{name}.ply", bumpy(60, seed))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(Path(__file__).parent))])
    return tmp_path


def command(*words, model="forms:net"):
    return main([*words, "--model", model, "--device", "cpu"])


def test_a_cloud_is_explained_and_reported_with_a_module_that_says_no_preparation(folder, capsys):
    assert command("explain", "data/first.ply", "--out", "out", "--report", "--target", "1") == 0
    printed = capsys.readouterr().out
    assert "its rise over all points at the origin comes from these scales" in printed
    summary = json.loads(Path("out/first.json").read_text())
    assert summary["cloud"] == "data/first.ply"
    assert [row["scale"] for row in summary["profile"]] == SCALES
    assert all(row["extent"].endswith(" m") for row in summary["profile"])
    assert [row["channel"] for row in summary["by_channel"]] == ["x", "y", "z"]
    total = sum(row["signed"] for row in summary["profile"])
    assert total == pytest.approx(summary["score"] - summary["baseline_score"] - summary["gap"], abs=1e-4)
    assert total == pytest.approx(sum(sum(row["signed"]) for row in summary["by_channel"]), abs=1e-4)
    (shown,) = data_of(Path("out/report.html").read_text())
    assert (shown["view"], shown["length"], shown["maps"]["shape"]) == ("cloud", "m", [60])
    assert Path("out/first.png").stat().st_size > 20_000
    check_shapes(Path("out"), read_cloud("data/first.ply"))


def check_shapes(out, cloud):
    """Shapes come nearer to the cloud, scale by scale; the coloured cloud is the input with γ per point."""
    files = sorted((out / "first-shapes").glob("*.ply"))
    assert [file.stem.partition("-to-")[2] for file in files] == SCALES[1:-1]
    several = [read_cloud(file).data for file in files]
    off = [float((one - cloud.data).norm()) for one in several]
    assert off == sorted(off, reverse=True)
    assert 0 < off[-1] < off[0] / 3
    coloured = (out / "first.ply").read_bytes()
    assert b"property float attribution" in coloured
    assert (read_cloud(out / "first.ply").data - cloud.data).abs().max() < 1e-5


@pytest.mark.slow
def test_several_domains_and_methods_and_a_sphere_to_start_from(folder, capsys):
    methods = ("--method", "IntegratedGradients(steps=8, baseline=Sphere())", "--method", "Saliency")
    domains = ("--domain", "GraphWavelets(levels=3)", "--domain", "Identity")
    words = ("--out", "out", "--report", "--no-interventions")
    assert command("explain", "data/first.ply", *methods, *domains, *words, model="forms:grown") == 0
    printed = capsys.readouterr().out
    assert "its rise over a sphere of the cloud's size comes from" in printed
    summary = json.loads(Path("out/first.json").read_text())
    assert summary["profile"][-1]["extent"].endswith(" m")
    graph, points = (wl.Attribution.load(Path("out") / f"first{end}.safetensors") for end in ("", "-Identity"))
    assert float(graph.data.sum()) == pytest.approx(float(points.data.sum()), rel=1e-3)
    page = Path("out/report.html").read_text()
    assert page.count('"view": "cloud"') + page.count('"view":"cloud"') == 2
    assert "Methods side by side" in page
    assert summary["further_domains"][0]["profile"][0]["extent"] == ""  # points have no scales


def test_a_folder_with_broken_clouds_goes_on(folder, capsys):
    Path("data/second.ply").unlink()
    Path("data/flat.xyz").write_text("0 0\n1 1\n")
    write_cloud("data/double.ply", Cloud(torch.cat([bumpy(30).data] * 2, 2), "m"))
    assert command("explain", "data", "--out", "out", "--no-interventions", model="forms:grown") == 1
    printed = capsys.readouterr()
    (line,) = printed.err.strip().splitlines()
    assert "points have three coordinates; the first row of data/flat.xyz has 2" in line
    assert "30 of 60 points lie where another one does" in printed.out
    assert sorted(path.name for path in Path("out").glob("*.json")) == ["double.json", "first.json"]


def test_the_unit_of_a_file_that_says_none(folder):
    write_cloud("data/bare.ply", Cloud(bumpy(60).data))
    options = {"interventions": False, "method": wl.InputTimesGradient(), "device": "cpu"}
    assert wl.explain("data/bare.ply", "forms:net", **options).profile[0]["extent"].endswith(" units")
    explanation = wl.explain("data/bare.ply", "forms:net", spacing=0.0254, **options)
    first = explanation.profile[0]
    assert first["extent"].endswith(" m")
    assert "--spacing 0.0254 --unit m" in explanation.entry().command
    side = float((bumpy(60).data.amax(2) - bumpy(60).data.amin(2)).max())
    assert first["from_to"][0][0] == pytest.approx(0.0254 * side, rel=1e-4)


def test_minimal_clouds_are_written_as_ply(folder):
    words = ("--out", "out", "--alpha", "0.1", "--steps", "10", "--baseline", "Sphere()", "--target", "rough")
    assert command("minimal", "data/first.ply", *words, model="forms:grown") == 0
    summary = json.loads(Path("out/first-minimal.json").read_text())
    assert summary["baseline"] == "Sphere(coordinates=3)"
    left = read_cloud("out/first-minimal-0.1.ply")
    model, whole = wl.models.load("forms:grown"), read_cloud("data/first.ply")
    middle, radius = model.preprocess._placed(whole.data)
    logit = float(model.module((left.data - middle) / radius)[0, 1])
    assert logit == pytest.approx(summary["front"][1]["logit"], rel=1e-3)


def test_it_is_evaluated_and_has_a_mean_profile(folder):
    words = ("--metric", "Curves(steps=4)", "--method", "InputTimesGradient")
    assert command("evaluate", "data", "--out", "run", *words, model="forms:grown") == 0
    results = runs.Run.open("run").read()
    assert list(results.names) == ["first.ply", "second.ply"]
    assert results.values["share"].shape == (2, len(SCALES))
    method = ("--method", "InputTimesGradient", "--device", "cpu")
    assert main(["profile", "forms:grown", "--data", "data", "--out", "profile", *method]) == 0
    assert Path("profile/profile.md").read_text().count("| d") >= 6


def test_a_mesh_is_explained_on_its_own_edges_and_others_say_why_not(folder, capsys):
    faces = torch.arange(60)[:, None] + torch.tensor([0, 1, 2])
    write_cloud("data/mesh.ply", Cloud(bumpy(60).data, "m", faces=faces % 60))
    words = ("--domain", "GraphWavelets(levels=3, edges='mesh')", "--out", "out", "--no-interventions")
    words += ("--method", "InputTimesGradient", "--target", "1")
    assert command("explain", "data/mesh.ply", *words) == 0
    a, x = wl.Attribution.load("out/mesh.safetensors"), bumpy(60).data
    expected = wl.GraphWavelets(3, "mesh").of_mesh(x, faces % 60).analysis(x).data
    torch.testing.assert_close(a.domain.analysis(x).data, expected, rtol=1e-4, atol=1e-4)
    assert all(row["extent"].endswith(" m") for row in json.loads(Path("out/mesh.json").read_text())["profile"])
    assert command("explain", "data/first.ply", *words) == 2
    assert "takes the edges of a mesh; first.ply has no faces. Leave edges out" in capsys.readouterr().err
    write_cloud("data/large.ply", Cloud(bumpy(90).data, "m", faces=faces))
    assert command("explain", "data/large.ply", *words, model="forms:grown") == 2
    assert "so all its vertices; the network is given 60 of 90. Let it take all" in capsys.readouterr().err


def test_a_second_run_leaves_the_files_of_others(folder, capsys):
    words = ("--out", "out", "--no-interventions", "--method", "InputTimesGradient", "--target", "1")
    assert command("explain", "data/first.ply", *words, "--domain", "GraphWavelets(levels=2)") == 0
    shapes = Path("out/first-shapes")
    (shapes / "mine.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    assert {path.stem for path in shapes.iterdir()} == {"00-to-a2", "01-to-d2", "mine"}
    assert command("explain", "data/first.ply", *words) == 0
    assert {path.stem for path in shapes.iterdir()} == {f"{k:02d}-to-{s}" for k, s in enumerate(SCALES[:-1]) if k} | {
        "mine"
    }
    capsys.readouterr()
    (shapes / "mine.ply").rename(shapes / "02-to-d5.ply")
    assert command("explain", "data/first.ply", *words) in (1, 2)
    assert "02-to-d5.ply would be overwritten and is not of an earlier run. Move it" in capsys.readouterr().err
    assert (shapes / "02-to-d5.ply").read_text().startswith("ply\nformat ascii")


def test_python_takes_a_bare_module(folder):
    sys.path.append(str(folder))
    from forms import Roughness

    explanation = wl.explain("data/first.ply", Roughness().eval(), target=1, interventions=False)
    assert explanation.input.x.shape == (1, 3, 60)
    assert explanation.attribution.domain.domain == wl.TreeHaar()
    sys.path.remove(str(folder))


def test_the_app_takes_clouds(folder):
    model = wl.models.load("forms:grown")
    served = Served(model, kinds.kind_called("cloud"))
    with closing(Service([served], folder / "service")) as service:
        path = service.uploads / "a.ply"
        shutil.copy("data/first.ply", path)
        assert {row["label"] for row in service.look("page", "forms:grown", path)} == {"smooth", "rough"}
        with pytest.raises(Refused, match=r"wavelets are of samples in a row; clouds have none\. Choose"):
            list(service.explain("page", "forms:grown", path, Wish(gradients=10)))
        wish = Wish(wavelet="tree of each cloud's points", method="SmoothGrad", gradients=10)
        *_, result = service.explain("page", "forms:grown", path, wish)
        assert isinstance(result, Result)
        assert {"a-report.html", "a.png", "a.ply", "a.json"} <= set(result.files)
