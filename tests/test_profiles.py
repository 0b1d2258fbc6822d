"""Averaged profiles: means of single ones, intervals against closed forms, and the command that compares models."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from cases import Net, relative, signal
from wavelens import plots, runs
from wavelens.cli import main
from wavelens.cli.profile import names_of_models
from wavelens.maps import Profile
from wavelens.runs.statistics.profile_tables import comma_separated, lines, markdown

NAMES = ("a2", "d2", "d1")
DOMAIN = wl.DWT("haar", levels=2)


def profile(share, signed=None):
    """A profile with these shares `(items, scales)`."""
    share = torch.as_tensor(share, dtype=torch.float64)
    signed = share * 10 if signed is None else torch.as_tensor(signed, dtype=torch.float64)
    return Profile(NAMES, signed, share, (), signed[:, :0], share[:, :0])


def drawn(items, seed=0):
    """Shares that add up to 1."""
    return torch.rand(items, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).softmax(1)


def values(found, column="share"):
    rows = [[getattr(found.row(m, s), column).value for s in found.scales] for m in found.models]
    return torch.tensor(rows, dtype=torch.float64)


def ends(estimate):
    return estimate.low, estimate.high


def test_the_mean_is_that_of_the_single_profiles_in_any_order_and_any_batches():
    x, targets = signal((12, 16), batch=7), [0, 1, 2, 3, 4, 0, 1]
    net = Net((12, 16))
    options = {"domain": DOMAIN, "method": wl.IntegratedGradients(steps=9)}
    a = wl.attribute(net, x, targets, **options)
    singles = [wl.maps.profile(wl.attribute(net, x[k : k + 1], targets[k], **options)) for k in range(7)]
    whole = runs.average({"net": wl.maps.profile(a)})
    for batches in (singles, singles[::-1], [wl.maps.profile(a.item(k)) for k in (3, 1, 0, 2, 6, 5, 4)]):
        again = runs.average({"net": batches})
        for column, expected in (("share", wl.maps.profile(a).share), ("signed", wl.maps.profile(a).signed)):
            assert relative(values(again, column), values(whole, column)) < 1e-12
            assert relative(values(again, column)[0], expected.mean(0)) < 1e-12
    rises = (a.score - a.baseline_score - a.gap).mean()
    assert values(whole, "signed").sum() == pytest.approx(rises.item(), rel=1e-12)
    assert values(whole).sum() == pytest.approx(1, abs=1e-12)


def test_every_item_has_the_same_weight_whatever_its_logit():
    a = Net((12, 16)), signal((12, 16))
    found = wl.attribute(*a, 1, domain=DOMAIN, method=wl.InputTimesGradient())
    louder = wl.Coefficients(found.data * torch.tensor([1.0, 50.0, 0.1]).view(3, 1, 1), found.layout)
    once, again = (runs.average({"net": wl.maps.profile(c)}) for c in (found, louder))
    assert relative(values(again), values(once)) < 1e-12
    assert relative(values(again, "signed"), values(once, "signed")) > 0.1


def seen_at(scale):
    """A model whose logits are what one scale of the input holds; of the class at hand, its energy."""

    def model(x):
        z = DOMAIN.analysis(x)
        return torch.stack([z.only(*z.layout.scales()[scale]).data.square().sum((1, 2))] * 2, 1)

    return model


@pytest.mark.parametrize(("scale", "level"), [("a2", 3), ("d2", 2), ("d1", 1)])
def test_a_model_that_sees_one_scale_has_its_share_there(scale, level):
    a = wl.attribute(
        seen_at(scale), signal((12, 16), batch=6), 0, domain=DOMAIN, method=wl.IntegratedGradients(steps=4)
    )
    found = runs.average({"net": wl.maps.profile(a)})
    expected = [1.0 if name == scale else 0.0 for name in NAMES]
    assert values(found)[0].tolist() == pytest.approx(expected, abs=1e-12)
    assert found.level("net").level.value == pytest.approx(level, abs=1e-12)
    assert ends(found.row("net", scale).share) == pytest.approx((1, 1), abs=1e-12)


def test_levels_are_those_of_the_scales():
    found = runs.average({"even": profile([[0.5, 0.25, 0.25]] * 3), "fine": profile([[0, 0, 1]] * 3)})
    assert found.level("even").level.value == pytest.approx(0.5 * 3 + 0.25 * 2 + 0.25)
    assert found.level("fine").difference.value == pytest.approx(1 - 2.25)
    pixels = wl.attribute(Net((9,)), signal((9,)), 0, domain=wl.Identity(), method=wl.Saliency())
    assert runs.average({"net": wl.maps.profile(pixels)}).levels[0].level.value == 0


def test_a_constant_difference_between_models_has_no_width():
    base = drawn(40)
    moved = base + torch.tensor([-0.05, 0.0, 0.05], dtype=torch.float64)
    found = runs.average({"a": profile(base), "b": profile(moved)})
    far = found.row("b", "d1").difference
    assert (far.value, *ends(far)) == pytest.approx((0.05,) * 3, abs=1e-12)
    wide = found.row("b", "d1").share
    assert wide.high - wide.low > 0.01
    assert (found.row("a", "d1").difference.value, *ends(found.row("a", "d1").difference)) == (0, 0, 0)
    assert found.level("b").difference.low == pytest.approx(-0.1, abs=1e-12)


def test_intervals_have_the_width_of_the_means_error_and_cover_the_truth():
    """The bootstrap's deviation of a mean of n values is theirs over √n; it covers the truth in about 95 % of sets."""
    covered = []
    for seed in range(60):
        share = drawn(50, seed)
        row = runs.average({"net": profile(share)}, resamples=400, seed=seed).row("net", "d1").share
        error = share[:, 2].std(correction=0).item() / 50**0.5
        assert (row.high - row.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.2)
        covered.append(row.low <= 1 / 3 <= row.high)
    assert 51 <= sum(covered) <= 60


def test_four_times_the_items_halve_the_interval():
    wide, narrow = (runs.average({"net": profile(drawn(n))}).row("net", "d2").share for n in (100, 400))
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(2, abs=0.4)


def test_the_same_seed_gives_the_same_interval():
    one, same, other = (runs.average({"a": profile(drawn(20))}, seed=seed).rows for seed in (3, 3, 4))
    assert one == same != other


def test_items_without_a_profile_are_left_out_of_all_models_and_counted():
    share = drawn(6)
    silent, odd = share.clone(), share.clone()
    silent[1], odd[4, 0] = 0, torch.nan
    found = runs.average({"a": profile(silent), "b": profile(odd)})
    assert (found.items, found.left_out) == (4, 2)
    assert relative(values(found)[1], share[[0, 2, 3, 5]].mean(0)) < 1e-12
    assert "left out: 2 items without a profile" in markdown(found, dict.fromkeys("ab", dict.fromkeys(NAMES, "")))


@pytest.mark.parametrize(
    ("profiles", "sentence"),
    [
        ({}, "profiles must have one entry for each model; got none"),
        ({"a": []}, r"got a: none\. Attribute all in one domain"),
        ({"a": profile(drawn(3)), "b": profile(drawn(4))}, r"over the same items; got {'a': 3, 'b': 4}"),
        ({"a": profile(torch.zeros(3, 3))}, "of 3 none has"),
        ({"a": profile(drawn(4).view(2, 2, 3))}, r"of one target: \(batch, scales\); got \(2, 2, 3\)"),
    ],
)
def test_profiles_that_cannot_be_averaged_are_refused(profiles, sentence):
    with pytest.raises(ValueError, match=sentence):
        runs.average(profiles)


def test_other_scales_are_refused():
    a = wl.attribute(Net((8,)), signal((8,)), 0, domain=wl.DWT("haar", levels=1), method=wl.Saliency())
    with pytest.raises(ValueError, match=r"scale by scale; got a: a2 d2 d1; b: a1 d1\. Attribute all"):
        runs.average({"a": profile(drawn(3)), "b": wl.maps.profile(a)})
    with pytest.raises(KeyError, match="a row must be of one of"):
        runs.average({"a": profile(drawn(3))}).row("a", "d7")


def test_the_tables_hold_every_number():
    found = runs.average({"a|b": profile(drawn(9)), "c": profile(drawn(9, 1))})
    extents = {m: dict(zip(NAMES, ("> 1.2 m", "0.6–1.2 m", "0.3–0.6 m"), strict=True)) for m in found.models}
    rows = list(csv.DictReader(comma_separated(found, extents).splitlines()))
    assert [(row["model"], row["scale"]) for row in rows[:6]] == [(m, s) for m in found.models for s in NAMES]
    for row in rows[:6]:
        own = found.row(row["model"], row["scale"])
        assert (float(row["share"]), float(row["signed_low"])) == (own.share.value, own.signed.low)
        assert row["extent"] == extents["c"][row["scale"]]
    assert float(rows[-1]["share"]) == found.level("c").level.value
    text = markdown(found, extents)
    assert r"| a2 · > 1.2 m | a\|b | " in text
    assert text.count("\n|") == 1 + 8
    told = {(scale, model): rest for scale, model, *rest in lines(found, extents)}
    share = found.row("c", "d1").share
    assert (
        told["d1 · 0.3–0.6 m", "c"][0] == f"{100 * share.value:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"
    )
    assert told["d1 · 0.3–0.6 m", "a|b"][1] == ""


def test_the_plot_has_a_bar_of_the_shares_height_for_each_model_and_scale():
    found = runs.average({"a": profile(drawn(9)), "b$": profile(drawn(9, 1))})
    figure = plots.mean_profiles(found, {m: dict.fromkeys(NAMES, "1 m") for m in found.models}, title="both")
    share, signed = figure.axes
    heights = [bar.get_height() for bar in share.patches]
    assert heights == pytest.approx((100 * values(found)).flatten().tolist())
    assert [bar.get_height() for bar in signed.patches] == pytest.approx(values(found, "signed").flatten().tolist())
    assert [label.get_text() for label in share.get_xticklabels()] == [f"{name}\n1 m" for name in NAMES]
    figure.canvas.draw()


def test_shapley_values_stand_beside_the_signed_sums():
    """Of a linear score both accounts are the same; items without a value are left out of both."""
    x = signal((12, 16), batch=8)
    weights = signal((12, 16), batch=1)[0]
    linear = lambda x: (x * weights).sum((1, 2, 3))  # noqa: E731
    a = wl.attribute(linear, x, None, domain=DOMAIN, method=wl.IntegratedGradients(steps=2))
    added = wl.shapley(linear, x, None, domain=DOMAIN)
    spread = wl.attribute(linear, x, None, domain=DOMAIN, method=wl.ScaleShapley())
    found = runs.average({"net": wl.maps.profile(a)}, shapley={"net": added})
    by_profile = runs.average({"net": wl.maps.profile(a)}, shapley={"net": [wl.maps.profile(spread)]})
    for row, again in zip(found.rows, by_profile.rows, strict=True):
        assert row.shapley.value == pytest.approx(row.signed.value)
        assert ends(row.shapley) == pytest.approx(ends(row.signed), rel=0.02)
        assert row.shapley.value == pytest.approx(again.shapley.value)
    extents = {"net": dict.fromkeys(NAMES, "1 m")}
    (first, *_) = csv.DictReader(comma_separated(found, extents).splitlines())
    assert float(first["shapley_high"]) == found.row("net", "a2").shapley.high
    assert "| Shapley value |" in markdown(found, extents)
    _, signed, shapley = plots.mean_profiles(found, extents).axes
    heights = [bar.get_height() for bar in shapley.patches]
    assert heights == pytest.approx(added.values.mean(0).tolist())
    assert shapley.get_ylim() == signed.get_ylim()
    odd = added._replace(values=added.values.clone())
    odd.values[3, 0] = torch.nan
    left = runs.average({"net": wl.maps.profile(a)}, shapley={"net": odd})
    assert (left.items, left.left_out) == (7, 1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda one: {"other": one}, "shapley must have values for each model, net; got other"),
        (lambda one: {"net": one._replace(names=("a", "b", "c"))}, "a value for each scale, a2, d2, d1; got a, b, c"),
        (lambda one: {"net": [one, one]}, "values for the same 3 items; got 6 for net"),
    ],
)
def test_shapley_values_of_other_models_scales_or_items_are_refused(change, sentence):
    values = wl.shapley(Net((12, 16)), signal((12, 16), batch=3), 0, domain=DOMAIN)
    with pytest.raises(ValueError, match=sentence):
        runs.average({"net": profile(drawn(3))}, shapley=change(values))


OWN = """
import torch
from wavelens.models import Geometry, LoadedModel
from wavelens.models import Sampling
from wavelens.models import Voxels

class Coarse(torch.nn.Module):
    def forward(self, x):
        small = torch.nn.functional.adaptive_avg_pool1d(x.flatten(2), 4).flatten(1)
        return torch.stack([small[:, ::2].square().sum(1), small.square().sum(1) / 2], 1)

class Fine(torch.nn.Module):
    def forward(self, x):
        steps = x.diff(dim=-1).flatten(1)
        return torch.stack([steps.square().sum(1), steps[:, ::2].square().sum(1) / 2], 1)

def made(module, preparation, labels=("more", "less")):
    return LoadedModel(module, labels, preparation, "net")

def coarse(): return made(Coarse(), Geometry((16, 16), (16, 16), squash=True))
def fine(): return made(Fine(), Geometry((16, 16), (16, 16), squash=True))
def small(): return made(Fine(), Geometry((8, 8), (8, 8), squash=True))
def sound(): return made(Fine(), Sampling(8000))
def low(): return made(Coarse(), Sampling(4000, least=8000))
def scan(): return made(Fine(), Voxels((1, 8, 8, 8), (0.0, 1.0)))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Models, and a folder with five photos of 16 × 32 pixels, one of them damaged."""
    monkeypatch.setenv("COLUMNS", "150")
    (tmp_path / "own_nets.py").write_text(OWN)
    random = np.random.default_rng(0)
    for name in ("more/a", "more/b", "less/c", "less/d"):
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (16, 32, 3), dtype=np.uint8)).save(path)
    (tmp_path / "photos/more/e.png").write_bytes(b"no photo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_model_in_another_folder_is_called_by_its_file(tmp_path):
    nets = [str(tmp_path / "deep" / name) for name in ("plain.pt", "robust.pt")]
    assert names_of_models(nets, [None, None]) == ["plain.pt", "robust.pt"]


def command(*arguments, data="photos", out="out"):
    usual = ["--data", data, "--out", out, "--device", "cpu", "--method", "IntegratedGradients(steps=3)"]
    return main(["profile", *usual, *arguments])


def record(out="out"):
    return json.loads((out / "profile.json").read_text())


def test_the_command_averages_what_the_library_finds(folder, capsys):
    assert command("own_nets:fine", "own_nets:coarse", "--domain", repr(DOMAIN), "--labels", "folders") == 1
    printed = capsys.readouterr()
    assert "error: more/e.png: photos/more/e.png is not an image file" in printed.err
    found = record(folder / "out")
    names = ["less/c", "less/d", "more/a", "more/b"]
    for row in found["models"]:
        model = wl.models.load(row["model"])
        x = torch.cat([model.preprocess(wl.frontends.read_image(f"photos/{name}.png")) for name in names])
        method = wl.IntegratedGradients(steps=3)
        a = wl.attribute(model.module, x, [1, 1, 0, 0], domain=DOMAIN, method=method)
        for column in ("share", "signed"):
            expected = getattr(wl.maps.profile(a), column).double().mean(0).tolist()
            assert [one[column]["value"] for one in row["profile"]] == pytest.approx(expected, rel=1e-5)
        assert [one["extent"] for one in row["profile"]] == ["> 4 px", "2–4 px", "1–2 px"]
    assert (found["items"], found["files"], found["left_out"]) == (4, 5, 0)
    fine, coarse = found["models"]
    assert coarse["mean_level_difference"]["value"] > 0.5
    assert coarse["mean_level_difference"]["low"] is None  # four files have no interval
    few = "too few for intervals, which take at least 6 and are too narrow as a rule below 20"
    assert few in " ".join(printed.out.split())
    assert "own_nets:fine: the sums miss" in printed.out
    with open("out/files.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["file"] for row in table] == [f"{name}.png" for name in names]
    for row in found["models"]:
        scales = {one["scale"]: one["signed"]["value"] for one in row["profile"]}
        for scale, value in scales.items():
            own = [float(line[f"{row['model']} signed {scale}"].removeprefix("'")) for line in table]
            assert np.mean(own) == pytest.approx(value, rel=1e-6)
    assert fine["mean_level"]["value"] < coarse["mean_level"]["value"]
    share = coarse["profile"][0]["share"]
    for part in ("own_nets:coarse", "> 4 px", f"{100 * share['value']:.1f} %", "4 items", "out/profile.png"):
        assert part in printed.out
    assert np.asarray(Image.open("out/profile.png")).std() > 10
    assert "| a2 · > 4 px | own_nets:fine | " in (folder / "out/profile.md").read_text()
    assert len((folder / "out/profile.csv").read_text().splitlines()) == 1 + 2 * 4


def test_the_command_goes_on_and_does_not_mix(folder, capsys):
    assert command("own_nets:fine", "--items", "2") == 0
    before = {path: path.stat().st_mtime_ns for path in (folder / "out/runs").rglob("*.safetensors")}
    assert len(before) == 1
    assert command("own_nets:fine", "own_nets:coarse", "--items", "2") == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert record(folder / "out")["items"] == 2
    capsys.readouterr()
    assert command("own_nets:fine", "--items", "3") == 2
    assert "holds another run" in capsys.readouterr().err


def test_the_command_has_the_values_of_wl_shapley(folder, capsys):
    (folder / "photos/more/e.png").unlink()
    assert command("own_nets:fine", "--domain", repr(DOMAIN), "--labels", "folders", "--interventions") == 0
    printed = capsys.readouterr().out
    (row,) = record(folder / "out")["models"]
    model, names = wl.models.load(row["model"]), ["less/c", "less/d", "more/a", "more/b"]
    x = torch.cat([model.preprocess(wl.frontends.read_image(f"photos/{name}.png")) for name in names])
    expected = wl.shapley(model.module, x, [1, 1, 0, 0], domain=DOMAIN)
    values = [one["shapley"]["value"] for one in row["profile"]]
    assert values == pytest.approx(expected.values.mean(0).tolist(), rel=1e-5)
    assert "own_nets:fine, means over files: Signed sums and Shapley values" in printed
    assert "own_nets:fine: the Shapley values of each file are exact." in printed
    with open("out/files.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for k, scale in enumerate(NAMES):
        own = [float(line[f"shapley {scale}"].removeprefix("'")) for line in table]
        assert own == pytest.approx(expected.values[:, k].tolist(), rel=1e-4, abs=1e-5)
    assert "shapley_low" in (folder / "out/profile.csv").read_text()
    baseline = ["--method", "IntegratedGradients(baseline='shuffled')"]
    for more, sentence in (
        (baseline, "Shapley values are over one baseline"),
        (["--domain", "Identity()"], "Shapley values are of several scales"),
    ):
        assert command("own_nets:fine", *more, "--interventions", out="again") == 2
        assert sentence in capsys.readouterr().err


def test_scales_have_the_unit_of_the_photos_own_pixels(folder):
    (folder / "photos/more/e.png").unlink()
    assert command("own_nets:fine", "own_nets:small", "--domain", "DWT('haar', levels=1)", "--spacing", "0.5,0.3") == 0
    fine, small = record(folder / "out")["models"]
    assert fine["units"] == ["m", "m"]
    assert fine["spacing"] == pytest.approx([0.5, 0.6])  # 32 columns on 16
    assert small["spacing"] == pytest.approx([1.0, 1.2])
    assert small["profile"][1]["extent"] == "1–2 × 1.2–2.4 m"
    assert small["profile"][0]["from_to"] == [[2, None], [pytest.approx(2.4), None]]


def test_photos_that_differ_in_size_have_the_extents_of_the_middle_one(folder, capsys):
    (folder / "photos/more/e.png").unlink()
    random = np.random.default_rng(3)
    for name, width in (("a", 16), ("b", 64)):
        Image.fromarray(random.integers(0, 255, (16, width, 3), dtype=np.uint8)).save(f"photos/more/{name}.png")
    assert command("own_nets:fine", "--spacing", "2", "--unit", "cm") == 0
    (found,) = record(folder / "out")["models"]
    assert (found["spacing_differs"], found["spacing"]) == (True, [2, 4])
    assert "Files differ in the spacing" in capsys.readouterr().out


@pytest.mark.needs("soundfile")
def test_sounds_of_two_rates_keep_their_own_hertz(folder):
    (folder / "clips").mkdir()
    for seed in range(2):
        noise = 0.1 * torch.randn(1, 1, 8000, generator=torch.Generator().manual_seed(seed))
        wl.frontends.write_audio(f"clips/{seed}.wav", noise, 8000)
    assert command("own_nets:sound", "own_nets:low", "--domain", "DWT('db2', levels=2)", data="clips") == 0
    high, low = record(folder / "out")["models"]
    assert [row["extent"] for row in high["profile"]] == ["< 1000 Hz", "1000–2000 Hz", "2000–4000 Hz"]
    assert low["profile"][2]["extent"] == "1000–2000 Hz"
    assert (high["units"], low["mean_level_difference"]["value"] > 0) == (["Hz"], True)


def test_arrays_of_voxels_get_the_spacing_that_is_given(folder):
    (folder / "scans").mkdir()
    random = np.random.default_rng(0)
    for name in "ab":
        np.save(folder / f"scans/{name}.npy", random.random((8, 8, 16), dtype=np.float32))
    assert command("own_nets:scan", "--spacing", "1,1,2.5", data="scans") == 0
    (found,) = record(folder / "out")["models"]
    assert (found["units"], found["spacing"]) == (["mm"] * 3, [1, 1, 5])
    assert found["profile"][-1]["extent"] == "1–2 × 1–2 × 5–10 mm"


@pytest.mark.needs("nibabel")
def test_files_measured_in_two_units_have_no_profile_in_common(folder, capsys):
    import nibabel

    (folder / "scans").mkdir()
    voxels = np.random.default_rng(0).random((8, 8, 8), dtype=np.float32)
    np.save(folder / "scans/a.npy", voxels)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), folder / "scans/b.nii")
    assert command("own_nets:scan", data="scans") == 2
    assert "files of one profile must be measured in one unit; got mm, voxel" in capsys.readouterr().err
    assert not (folder / "out/profile.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing argument 'MODEL...'"),
        (["own_nets:nothing"], "has no 'nothing'"),
        (["own_nets:fine", "own_nets:fine"], "each model can be compared only once; got own_nets:fine own_nets:fine"),
        (
            ["own_nets:fine", "own_nets:sound"],
            "takes a photo, own_nets:sound takes a sound. Compare models of one kind",
        ),
        (["own_nets:fine", "own_nets:small"], "got own_nets:fine: a4 d4 d3 d2 d1; own_nets:small: a3 d3 d2 d1"),
        (["own_nets:fine", "--weights", "a.pth", "--weights", "b.pth"], "for each of the 1 models in their order"),
        (["own_nets:fine", "--weights", "absent.pth"], "no such weights: absent.pth"),
        (["own_nets:fine", "--domain", "DWT('haar', levels=9)"], "levels=9 needs axes of at least"),
        (["own_nets:fine", "--method", "GradCAM"], "GradCAM"),
        (["own_nets:fine", "--labels", "folders"], "has no class 'broken'"),
        (["own_nets:fine", "--items", "0"], "--items"),
        (["own_nets:fine", "--spacing", "0"], "a spacing must be finite and above 0; got (0.0, 0.0)"),
        (
            ["own_nets:fine", "--spacing", "near"],
            "--spacing must be one value, or one per axis separated by commas; got 'near'",
        ),
        (["own_nets:fine", "--spacing", "1,2,3"], "a spacing must be one number, or one for each of 2 axes; got 3"),
        (["own_nets:fine", "--unit", "m"], "--unit is that of --spacing; got 'm' alone"),
        (["own_nets:sound", "--spacing", "1"], "--spacing is for pixels and voxels; Sampling of own_nets:sound"),
        (["own_nets:scan", "--spacing", "1", "--unit", "yard"], "one of mm, micron, meter; got 'yard'"),
        (["own_nets:fine"], "no file has a profile for every model"),
    ],
)
def test_wrong_input_is_said_in_the_last_line_with_exit_code_2(folder, capsys, arguments, sentence):
    (folder / "bad/broken").mkdir(parents=True)
    (folder / "bad/broken/e.png").write_bytes(b"no photo")
    assert command(*arguments, data="bad") == 2
    assert sentence.casefold() in capsys.readouterr().err.splitlines()[-1].casefold()
    assert not (folder / "out/profile.json").exists()


def test_a_folder_that_is_none_is_said(folder, capsys):
    assert command("own_nets:fine", data="nowhere") == 2
    assert "a data set must be a folder; got nowhere" in capsys.readouterr().err
