"""The command on videos: tables in seconds and pixels, a film, an overlay; and one line for wrong input."""

import json

import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.cli import main
from wavelens.frontends.video import read_video, write_video

pytestmark = pytest.mark.needs("av")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model of the caller's: how much grey moves to the right, and to the left."""
    (tmp_path / "own_films.py").write_text(
        "import torch\n"
        "from wavelens.models import Geometry, LoadedModel, VideoGeometry\n"
        "class Opponent(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        g = x.mean(1)\n"
        "        r = (g[:, :-1] * (g[:, 1:].roll(-1, -1) - g[:, 1:].roll(1, -1))).mean((1, 2, 3))\n"
        "        return 100 * torch.stack([r, -r], 1)\n"
        "def model():\n"
        "    geometry = Geometry((16, 16), (16, 16), squash=True, interpolation='box')\n"
        "    return LoadedModel(Opponent(), ('right', 'left'), VideoGeometry(8, 2, geometry), 'x')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def moving(step, frames=20):
    bar = torch.stack([((torch.arange(16) - step * k / 2) % 16 < 4).float() for k in range(frames)])
    return (0.1 + 0.8 * bar)[None, None, :, None].expand(1, 3, -1, 16, -1)


def explain(*arguments):
    return main(["explain", *arguments, "--model", "own_films:model", "--out", "out"])


def test_a_video_gives_tables_in_seconds_a_film_and_an_overlay(folder, capsys):
    write_video(folder / "clip.mkv", moving(1), 10)
    assert explain("clip.mkv") == 0
    printed = capsys.readouterr().out
    assert "0.2–0.4 s × 1–2 × 1–2 px" in printed
    assert "0 right, logit" in printed
    assert "its rise over a black video comes from" in printed
    assert {path.name for path in (folder / "out").iterdir()} == {
        *("clip.png", "clip.safetensors", "clip.json", "clip-overlay.mp4")
    }
    a = wl.Attribution.load("out/clip.safetensors")
    assert a.domain == wl.DWT("haar", levels=(3, 4, 4))
    assert abs(float(a.gap)) <= 0.02 * abs(float(a.score - a.baseline_score))
    film = read_video("out/clip-overlay.mp4")
    assert film.data.shape == (1, 3, 8, 320, 320)
    assert film.fps == pytest.approx(5)
    expected = wl.plots.overlay(a, moving(1)[:, :, 2:18:2])  # 15 frames around the middle of 20, every other
    assert (film.data - expected).abs().mean() < 0.02
    summary = json.loads((folder / "out/clip.json").read_text())
    assert summary["units"] == ["s", "px", "px"]
    assert summary["video"] == "clip.mkv"
    (finest,) = [row for row in summary["profile"] if row["scale"] == "d1"]
    assert finest["from_to"] == [[pytest.approx(0.2), pytest.approx(0.4)], [1, 2], [1, 2]]


def test_an_animated_picture_is_a_video_to_a_model_of_videos(folder):
    frames = (moving(2)[0].permute(1, 2, 3, 0) * 255).round().byte().numpy()
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save("clip.webp", save_all=True, append_images=rest, duration=100, lossless=True)
    write_video("same.mkv", moving(2), 10)
    assert explain("clip.webp", "same.mkv") == 0
    clip, same = (wl.Attribution.load(f"out/{name}.safetensors") for name in ("clip", "same"))
    assert torch.equal(clip.data, same.data)


def test_names_with_colons_are_files(folder):
    write_video("http:take 1.mkv", moving(1), 10)
    assert explain("http:take 1.mkv") == 0
    assert read_video("out/http:take 1-overlay.mp4").frames == 8


def test_a_folder_of_videos_and_what_is_none(folder, capsys):
    (folder / "clips").mkdir()
    write_video(folder / "clips" / "a.mkv", moving(1), 10)
    write_video(folder / "clips" / "b.mp4", moving(-1), 10)
    write_video(folder / "clips" / "short.mkv", moving(1, 5), 10)
    (folder / "clips" / "broken.mp4").write_bytes(b"no film")
    assert explain("clips", "--method", "IntegratedGradients(steps=3)") == 1
    out, err = capsys.readouterr()
    assert "0 right, logit" in out
    assert "1 left, logit" in out
    assert len(err.strip().splitlines()) == 2
    assert "broken.mp4 is none, or it is damaged" in err
    assert "takes 8 frames, 2 apart, of a video; this one has 5 and needs 15" in err


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["missing.mp4"], "no such file: missing.mp4"),
        (
            ["clip.mkv", "--domain", "DWT('haar', levels=(4, 1, 1))"],
            "levels=(4, 1, 1) needs axes of at least (16, 2, 2)",
        ),
        (["clip.mkv", "--domain", "DWT('haar', levels=(1, 1))"], "must have one entry for each of 2 axes"),
    ],
)
def test_wrong_input_is_one_line(folder, capsys, arguments, match):
    write_video(folder / "clip.mkv", moving(1), 10)
    assert explain(*arguments) == 2
    err = capsys.readouterr().err
    assert match in err
    assert len(err.strip().splitlines()) == 1
