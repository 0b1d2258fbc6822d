"""The command: what it writes and prints, and one line with exit code 2 for wrong input."""

import html
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.baselines import EXPLAINERS
from wavelens.baselines.controls import CONTROLS
from wavelens.cli import main
from wavelens.frontends.image import read_image
from wavelens.metrics.measures import METRICS
from wavelens.spec import METHODS

OWN = """
import torch
from wavelens.models import Geometry, LoadedModel

class Net(torch.nn.Module):
    def forward(self, x):
        left, right = x.chunk(2, -1)
        return torch.stack([left.pow(2).sum((1, 2, 3)), right.pow(2).sum((1, 2, 3)), x.sum((1, 2, 3)) / 100], 1)

def net():
    return LoadedModel(Net(), ("left side", "right side", "Whole"), Geometry((32, 32), (32, 32), squash=True), "net")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model of its own and three photos, of which `left.png` is white on the left."""
    (tmp_path / "own_net.py").write_text(OWN)
    (tmp_path / "more").mkdir()
    picture = np.zeros((32, 32, 3), dtype=np.uint8)
    picture[:, :16] = 255
    Image.fromarray(picture).save(tmp_path / "left.png")
    Image.fromarray(picture[:, ::-1].copy()).save(tmp_path / "right.png")
    Image.fromarray(picture[::-1, ::-1].copy()).save(tmp_path / "more" / "left.png")
    (tmp_path / "more" / "notes.txt").write_text("no photo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def explain(*arguments):
    method = [] if "--method" in arguments else ["--method", "IntegratedGradients(steps=3)"]
    return main(["explain", "--model", "own_net:net", *method, *arguments])


def summary(path):
    return json.loads(path.read_text())


def complaint(capsys):
    """The one line on stderr."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_one_photo_gives_a_panel_an_attribution_and_a_summary_that_agree(folder, capsys):
    assert explain("left.png", "--out", "found") == 0
    a = wl.Attribution.load(folder / "found/left.safetensors")
    found = summary(folder / "found/left.json")
    x = read_image(folder / "left.png")
    expected = wl.attribute(
        sys.modules["own_net"].Net().eval(),
        x,
        0,
        domain=wl.DWT("haar", levels=5),
        method=wl.IntegratedGradients(steps=3),
    )
    torch.testing.assert_close(a.data, expected.data)
    assert a.provenance["model"] == "own_net:net"
    assert found["target"] == {"index": 0, "label": "left side"}
    assert found["score"] == pytest.approx(3 * 32 * 16)
    assert sum(row["signed"] for row in found["profile"]) == pytest.approx(3 * 32 * 16, rel=1e-5)
    assert sum(row["share"] for row in found["profile"]) == pytest.approx(1)
    assert [row["scale"] for row in found["profile"]] == ["a5", "d5", "d4", "d3", "d2", "d1"]
    assert [row["label"] for row in found["top"]] == ["left side", "Whole", "right side"]
    assert wl.parse(found["domain"]) == wl.DWT("haar", levels=5)
    assert wl.parse(found["method"]) == wl.IntegratedGradients(steps=3)
    assert np.asarray(Image.open(folder / "found/left.png")).std() > 10
    printed = capsys.readouterr().out
    for part in ("left side", "1536.000", "+1536.0000", "100.0%", "16–32 px", *map(str, (folder / "found").iterdir())):
        assert part.replace(f"{folder}/", "") in printed


def test_targets_domains_and_the_number_of_classes_are_the_callers(folder, capsys):
    assert explain("left.png", "--target", "whole", "--domain", "Identity", "--top", "1") == 0
    found = summary(folder / "wavelens-out/left.json")
    assert found["target"] == {"index": 2, "label": "Whole"}
    assert (found["domain"], len(found["top"]), found["profile"][0]["scale"]) == ("Identity()", 1, "x")
    assert found["score"] == pytest.approx(3 * 32 * 16 / 100)


def test_only_methods_that_add_up_account_for_the_score(folder, capsys):
    assert explain("left.png", "--method", "Saliency") == 0
    printed = capsys.readouterr().out
    assert "these are the scales it is sensitive to" in printed
    assert "f(x)" not in printed
    assert explain("left.png") == 0
    assert "left side, logit 1536.000: its rise over a black picture comes from these scales" in capsys.readouterr().out


def test_a_pipe_without_unicode_is_no_obstacle(folder):
    (folder / "left.png").rename(folder / "日本.png")
    command = [sys.executable, "-c", "import sys; from wavelens.cli import main; sys.exit(main(sys.argv[1:]))"]
    command += ["explain", "日本.png", "--model", "own_net:net"]
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(command, env=env, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.splitlines()[0] == b"??.png"


def test_a_reader_that_goes_away_leaves_all_files_behind(folder):
    script = "import sys; from wavelens.cli import main; sys.argv[1:1] = ['explain']; sys.exit(main())"
    command = [sys.executable, "-c", script, "left.png", "right.png", "--model", "own_net:net", "--out", "found"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()  # as `head` does once it has its lines
        told = running.stderr.read().decode()
    assert running.returncode == 0, told
    assert "Error" not in told
    assert {path.name for path in (folder / "found").iterdir()} >= {"left.json", "right.json", "left.png", "right.png"}


def test_a_module_that_says_no_preparation_is_told_what_photos_become(folder, capsys):
    (folder / "own_bare.py").write_text(OWN.replace("def net():", "def bare():\n    return Net()\n\ndef net():"))
    assert main(["explain", "left.png", "--model", "own_bare:bare", "--method", "Saliency"]) == 0
    said = "own_bare:bare says no preparation, so photos are resized to 256 and cropped to 224 × 224, with pixels in"
    assert said in capsys.readouterr().err
    for given in (["--input-size", "32"], ["--mean", "0.5"], ["--crop", "squash"]):
        assert main(["explain", "left.png", "--model", "own_bare:bare", "--method", "Saliency", *given]) == 0
        assert "no preparation" not in capsys.readouterr().err
    assert main(["explain", "left.png", "--model", "own_bare:net", "--method", "Saliency"]) == 0
    assert "no preparation" not in capsys.readouterr().err


def test_sums_that_miss_the_score_are_pointed_out(folder, capsys):
    assert explain("left.png", "--method", "IntegratedGradients(steps=1, quadrature='riemann')") == 0
    assert "miss f(x) − f(x₀) = 1.54e+03 by 1.54e+03 after" in capsys.readouterr().out
    assert explain("left.png") == 0
    assert "miss" not in capsys.readouterr().out


def test_folders_and_patterns_mean_their_photos_once_and_no_stem_is_overwritten(folder):
    assert explain("left.png", "*.png", "more", "--out", "found") == 0
    assert sorted(p.name for p in (folder / "found").iterdir()) == sorted(
        f"{stem}{suffix}" for stem in ("left", "left-2", "right") for suffix in (".png", ".safetensors", ".json")
    )
    assert summary(folder / "found/left.json")["photo"] == "left.png"
    assert summary(folder / "found/left-2.json")["photo"] == "more/left.png"


def test_a_summary_names_no_folder_of_this_machine(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "far.png"
    (folder / "right.png").rename(elsewhere)
    assert explain(str(elsewhere), str(folder / "left.png"), "--out", "found") == 0
    assert summary(folder / "found/far.json")["photo"] == "far.png"
    assert summary(folder / "found/left.json")["photo"] == "left.png"


def test_no_file_of_the_callers_is_overwritten_and_ones_own_are(folder):
    before = (folder / "left.png").read_bytes()
    (folder / "more/right.json").write_text("mine")
    for _ in range(2):
        assert explain("left.png", "--out", ".") == 0
        assert explain("right.png", "--out", "more") == 0
    assert (folder / "left.png").read_bytes() == before
    assert (folder / "more/right.json").read_text() == "mine"
    assert summary(folder / "left-2.json")["photo"] == "left.png"
    assert not (folder / "left-3.json").exists()
    assert summary(folder / "more/right-2.json")["photo"] == "right.png"


def test_a_panel_that_is_explained_itself_is_not_overwritten(folder):
    assert explain("left.png", "--out", "found") == 0
    panel = (folder / "found/left.png").read_bytes()
    assert explain("found/left.png", "--out", "found") == 0
    assert (folder / "found/left.png").read_bytes() == panel
    assert summary(folder / "found/left-2.json")["photo"] == "found/left.png"


@pytest.mark.parametrize("name", ["a b", "br[1]ack [red]et", "<img src=x onerror=alert(1)>", "a$x^2$b", "日本"])
def test_any_name_of_a_photo_is_read_printed_and_written(folder, capsys, name):
    (folder / "left.png").rename(folder / f"{name}.png")
    assert explain(f"{name}.png") == 0
    assert summary(folder / f"wavelens-out/{name}.json")["photo"] == f"{name}.png"
    assert capsys.readouterr().out.splitlines()[0] == f"{name}.png"


def test_control_characters_never_reach_the_terminal(folder, capsys):
    (folder / "left.png").rename(folder / "a\x1b[31m\nb.png")
    assert explain("a\x1b[31m\nb.png", "absent\x1b.png") == 1
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert printed.err == "error: no such photo: absent\N{REPLACEMENT CHARACTER}.png. Check the spelling of the path.\n"


def test_a_link_in_a_circle_is_one_bad_photo(folder, capsys):
    (folder / "round.png").symlink_to("round.png")
    assert explain("*.png") == 1
    assert "the photo round.png cannot be opened: too many levels of symbolic links" in complaint(capsys)
    assert {p.stem for p in (folder / "wavelens-out").iterdir()} == {"left", "right"}


@pytest.mark.parametrize("method", ["SmoothGrad(samples=1)", "VarGrad(samples=1)"])
def test_one_sample_has_no_standard_error_and_is_drawn(folder, method):
    assert explain("left.png", "--method", method) == 0


def test_a_bad_photo_is_reported_and_the_others_are_explained(folder, capsys):
    (folder / "bad.jpg").write_text("hello")
    assert explain("left.png", "bad.jpg", "right.png") == 1
    assert "bad.jpg is not an image file" in complaint(capsys)
    assert {p.stem for p in (folder / "wavelens-out").iterdir()} == {"left", "right"}


def test_a_photo_beyond_memory_ends_itself_and_not_the_batch(folder, capsys, monkeypatch):
    new = Image.core.new

    def limited(mode, size):
        if max(size) > 5000:
            raise MemoryError
        return new(mode, size)

    Image.new("L", (6000, 1)).save(folder / "huge.png")
    monkeypatch.setattr(Image.core, "new", limited)
    assert explain("huge.png", "left.png") == 1
    assert "huge.png is larger than free memory. Make it smaller first." in complaint(capsys)
    assert {p.stem for p in (folder / "wavelens-out").iterdir()} == {"left"}


def test_a_pattern_that_no_file_matches_is_named_beside_inputs_that_are_there(folder, capsys):
    assert explain("left.png", "*.xyz") == 1
    assert "no file matches the pattern *.xyz. Check the spelling of the pattern." in complaint(capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["absent.png"], "no such file: absent.png"),
        (["*.xyz", "absent.png"], "no such file: absent.png; no file matches the pattern *.xyz. Check the spelling of"),
        (["more/*.xyz"], "no file matches the pattern more/*.xyz. Check the spelling of the pattern."),
        (["own_net.py"], "own_net.py is not an image file"),
        (["found"], "the folder found is empty"),
        (["more/notes"], "the folder more/notes has no photos (.avif, "),
        (["left.png", "--out", "own_net.py"], "--out must be a folder; got the file own_net.py"),
        (
            ["left.png", "--out", "own_net.py/sub"],
            "cannot create the folder own_net.py/sub: not a directory. Choose",
        ),
        (["left.png", "--domain", "DWT('har')"], "got 'har'"),
        (["left.png", "right.png", "--domain", "DWT('haar', levels=20)"], "levels=20 needs axes of at least"),
        (["left.png", "--domain", "Saliency"], "--domain takes a domain, such as DWT('db4', levels=3); got the method"),
        (["left.png", "--method", "DWT"], "--method takes a method, such as SmoothGrad(samples=25); got the domain"),
        (["left.png", "--method", "Salience"], "there is no method 'Salience'. Did you mean Saliency?"),
        (["left.png", "--method", "IG"], "Did you mean IntegratedGradients?"),
        (["left.png", "--method", "gradcam"], "Did you mean GradCAM?"),
        (["left.png", "--target", "side"], "'side' fits several classes: 0 (left side); 1 (right side)"),
        (["left.png", "--tiles", "0.5"], "only rasters are explained tile by tile; own_net:net takes a photo"),
        (["left.png", "--target", "3"], "must be an index from 0 to 2; got 3"),
        (["left.png", "--model", "own_nett:net"], "there is no module own_nett for own_nett:net"),
        (["left.png", "--weights", "absent.pth"], "no such weights: absent.pth"),
        (["left.png", "--device", "meta"], "--device must name a device of this machine; got 'meta'"),
        (["left.png", "--device", "nowhere"], "--device must name a device of this machine; got 'nowhere'"),
        (["left.png", "--top", "0"], "--top"),
        (["left.png", "--levels", "3"], "See wavelens explain --help."),
        ([], "Missing argument 'files"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(folder, capsys, arguments, sentence):
    (folder / "found").mkdir()
    (folder / "more/notes").mkdir()
    (folder / "more/notes/a.txt").touch()
    assert explain(*arguments) == 2
    assert sentence.casefold() in complaint(capsys).casefold()
    assert not (folder / "wavelens-out/left.json").exists()


@pytest.mark.parametrize("command", ["explain", "check", "minimal", "evaluate"])
def test_absent_files_are_found_before_the_model_is_loaded(folder, capsys, command):
    assert main([command, "absent", "--model", "own_net:absent", "--out", "out"]) == 2
    assert "absent" in (said := complaint(capsys))
    assert "own_net" not in said


def test_a_folder_of_folders_says_how_their_photos_are_named(folder, capsys):
    (folder / "outer").mkdir()
    (folder / "more").rename(folder / "outer/more")
    assert explain("outer") == 2
    assert "For those in its folders give 'outer/**/*.png'." in complaint(capsys)
    assert explain("outer/**/*.png") == 0


def test_without_arguments_it_says_what_there_is(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(
        name in said for name in ("explain", "check", "evaluate", "compare", "minimal", "profile", "app", "doctor")
    )


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wavelens {wl.__version__}\n"


def test_help_says_what_the_exit_codes_mean(capsys):
    assert main(["explain", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Exit codes: 0, all inputs were explained; 1, some were" in said
    assert said.count("overwritten") == 2  # in one place, for few inputs and for many
    assert "Up to five inputs are explained anew by every run, and results of an earlier run are overwritten." in said


def test_the_help_of_an_option_has_no_word_of_the_trade(capsys):
    assert main(["explain", "--help"]) == 0
    said = "".join(capsys.readouterr().out.replace("│", "").split())
    assert "folding" not in said
    assert "exactwhere256forwardpassesareenough,elsesampled" in said


@pytest.mark.parametrize("command", ["explain", "check", "evaluate", "profile"])
def test_help_names_every_method_and_shows_how_a_domain_is_written(capsys, command):
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out.replace("\n", "").replace(" ", "")
    assert all(word in said for word in ("DWT('db4',levels=3)", "Identity"))
    if command == "evaluate":
        assert all(cls.__name__ in said for cls in (*EXPLAINERS, *CONTROLS, *METRICS))
    else:
        assert all(cls.__name__ in said for cls in METHODS)


def test_the_list_of_commands_is_in_whole_sentences():
    found = subprocess.run([sys.executable, "-m", "wavelens"], capture_output=True, text=True, check=True).stdout
    assert "Compare runs: means, 95 % intervals, ranks." in found
    assert "..." not in found.split("Commands:")[1]


def test_another_baseline_is_called_by_its_value(folder, capsys):
    assert explain("left.png", "--method", "IntegratedGradients(steps=3, baseline=0.5)") == 0
    assert "its rise over a constant 0.5 comes from" in capsys.readouterr().out
    assert explain("left.png", "--target", "1", "--method", "IntegratedGradients(steps=3, baseline=0.5)") == 0
    assert "its fall below a constant 0.5 comes from" in capsys.readouterr().out
    assert explain("left.png", "--target", "1") == 0
    assert "the same as for a black picture, so these scales add up to zero" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "stem"), [("a/b.tar.png", "b.tar"), (".png", ".png"), ("ct.2024/", "ct.2024"), (".", "here")]
)
def test_a_stem_is_never_empty_nor_cut_off_a_folder(path, stem, tmp_path, monkeypatch):
    from wavelens.explaining.kinds import PHOTO

    (tmp_path / "here" / "ct.2024").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert PHOTO.stem(Path(path)) == stem


def test_a_report_of_an_earlier_run_is_named(folder, capsys):
    sentence = "report.html in out is from an earlier run."
    assert explain("left.png", "--out", "out", "--report") == 0
    assert sentence not in capsys.readouterr().out
    assert explain("left.png", "--out", "out") == 0
    assert capsys.readouterr().out.splitlines()[-1] == sentence
    assert explain("left.png", "--out", "elsewhere") == 0
    assert "earlier" not in capsys.readouterr().out


def test_a_report_holds_all_inputs_and_a_command_that_gives_each_again(folder, capsys):
    (folder / "found").mkdir()
    (folder / "found/report.html").write_text("mine")
    (folder / "broken.png").write_bytes(b"no photo")
    assert explain("left.png", "broken.png", "right.png", "--target", "Whole", "--out", "found", "--report") == 1
    assert (folder / "found/report.html").read_text() == "mine"
    text = (folder / "found/report-2.html").read_text(encoding="utf-8")
    assert text.count("<article ") == 2
    assert "wrote found/report-2.html" in capsys.readouterr().out
    commands = [html.unescape(found) for found in re.findall(r"<code>(wavelens .*?)</code>", text, re.DOTALL)]
    first = summary(folder / "found/left.json")
    assert main([*shlex.split(commands[0])[1:], "--out", "again"]) == 0
    again = summary(folder / "again/left.json")
    assert {**again, "provenance": 0} == {**first, "provenance": 0}
    assert (folder / "again/report.html").exists()
    assert explain("left.png", "--out", "found", "--report") == 0
    assert (folder / "found/report-2.html").read_text(encoding="utf-8").count("<article ") == 1


def test_decomposed_pictures_come_from_the_same_gradients_and_overwrite_no_stranger(folder, capsys):
    assert explain("left.png", "--out", "found", "--domain", "DWT('haar', levels=2)") == 0
    plain = wl.Attribution.load(folder / "found/left.safetensors")
    (folder / "strange").mkdir()
    (folder / "strange/left-decomposed.png").write_text("mine")
    wavelets = ("--domain", "DWT('haar', levels=2)", "--decompose", "db4, bior2.2")
    for _ in range(2):
        assert explain("left.png", "--out", "strange", *wavelets) == 0
    assert (folder / "strange/left-decomposed.png").read_text() == "mine"
    assert not (folder / "strange/left.png").exists()
    assert "strange/left-2-decomposed.png" in capsys.readouterr().out
    picture = np.asarray(Image.open(folder / "strange/left-2-decomposed.png"))
    assert picture.shape[0] > picture.shape[1] / 2
    assert picture.std() > 10
    coloured = np.asarray(Image.open(folder / "strange/left-2-scales.png").convert("RGB")).astype(float)
    assert (np.ptp(coloured, axis=-1) > 100).mean() > 0.02
    found = wl.Attribution.load(folder / "strange/left-2.safetensors")
    assert torch.equal(found.data, plain.data)
    assert found.domain == wl.DWT("haar", levels=2)
    assert found.spent.tolist() == [3]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--decompose", "haar,db44"), "wavelet must be a discrete wavelet of PyWavelets, such as 'haar', 'db4'"),
        (("--decompose", "haar", "--domain", "Identity"), "--decompose shows wavelets; --domain is Identity()"),
    ],
)
def test_what_cannot_be_decomposed_is_one_line(folder, capsys, arguments, sentence):
    assert explain("left.png", *arguments) == 2
    assert sentence in complaint(capsys)


def test_the_command_in_a_report_says_how_far_samples_lie_apart():
    from types import SimpleNamespace

    from wavelens.explaining.report import command_of

    def command(preparation, exact=False):
        loaded = SimpleNamespace(name="own_net:net", preprocess=preparation, options=wl.models.Options())
        request = SimpleNamespace(
            loaded=loaded,
            method=wl.Saliency(),
            further_methods=(),
            interventions=None,
            exact_passes=exact,
            by_name=True,
            words=False,
        )
        explanation = SimpleNamespace(
            request=request,
            input=SimpleNamespace(path=Path("it's left.png")),
            target=SimpleNamespace(options=("--target", "2")),
            domains=[wl.DWT("haar")],
            signals=(),
        )
        return shlex.split(command_of(explanation))

    photos = wl.models.Geometry((32, 32), (32, 32))
    assert "--exact-passes" in command(photos, exact=True)
    assert "--exact-passes" not in command(photos)
    assert command(photos)[:7] == ["wavelens", "explain", "it's left.png", "--model", "own_net:net", "--target", "2"]
    assert "--spacing" not in command(photos)
    for preparation in (photos.spaced([0.3], "km"), wl.models.VideoGeometry(picture=photos.spaced([0.3], "km"))):
        words = command(preparation)
        assert words[words.index("--spacing") :][:4] == ["--spacing", "0.3,0.3", "--unit", "km"]
    words = command(wl.models.Voxels((1, 8, 8, 8)).spaced([1.5, 1, 1], "mm"))
    assert words[words.index("--spacing") :][:4] == ["--spacing", "1.5,1,1", "--unit", "mm"]


@pytest.mark.parametrize("words", [(), ("--exact-passes",)])
def test_exact_passes_are_asked_of_the_explanation(folder, monkeypatch, words):
    seen = []

    def spied(*arguments, **settings):
        seen.append(settings["exact_passes"])
        return wl.attribute(*arguments, **settings)

    monkeypatch.setattr("wavelens.explaining.computing.attribute", spied)
    assert explain("left.png", *words) == 0
    assert seen == [bool(words)]
