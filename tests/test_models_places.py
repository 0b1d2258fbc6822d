"""Detectors and segmenters by name: weights, labels, preparation and threshold, from files that the tests make."""

import json

import pytest
import torch

import wavelens as wl

NAMES = ["nothing", "cat", "dog"]


def weights_of(name, path):
    """A network of torchvision with random weights, which are also in a file."""
    from torchvision import models

    torch.manual_seed(0)
    net = models.get_model(name, weights=None, weights_backbone=None, num_classes=3).eval()
    torch.save(net.state_dict(), path)
    return net


@pytest.mark.needs("torchvision")
def test_a_detector_of_torchvision_by_name(tmp_path):
    net = weights_of("ssdlite320_mobilenet_v3_large", tmp_path / "net.pth")
    name = "torchvision:ssdlite320_mobilenet_v3_large(classes=3, threshold=0.2)"
    loaded = wl.models.load(name, weights=tmp_path / "net.pth", class_names=NAMES)
    assert loaded.answer == wl.models.Objects(0.2, net.nms_thresh)
    assert loaded.labels == tuple(NAMES)
    assert loaded.preprocess == wl.models.Geometry((320, 320), (320, 320), squash=True, interpolation="bilinear")
    x = loaded.preprocess(torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():
        (own,), (again,) = loaded.module(x), wl.models.detector(net).module(x)
    assert torch.equal(own["boxes"], again["boxes"])
    assert torch.equal(own["probabilities"], again["probabilities"])
    assert not own["probabilities"][:, 0].any()
    with pytest.raises(ValueError, match="3 outputs and 2 class names"):
        wl.models.load(name, weights=tmp_path / "net.pth", class_names=NAMES[:2])


@pytest.mark.needs("torchvision")
def test_a_segmenter_of_torchvision_by_name(tmp_path):
    net = weights_of("lraspp_mobilenet_v3_large", tmp_path / "net.pth")
    loaded = wl.models.load("torchvision:lraspp_mobilenet_v3_large(classes=3)", weights=tmp_path / "net.pth")
    assert (loaded.answer, loaded.preprocess) == (wl.models.Regions(), wl.models.Fitted(520, None))
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        assert torch.allclose(loaded.module(x), net((x - mean) / std)["out"], atol=1e-5)
    with pytest.raises(ValueError, match="threshold is for detectors; torchvision:lraspp"):
        wl.models.load("torchvision:lraspp_mobilenet_v3_large(threshold=0.2)", weights=tmp_path / "net.pth")


@pytest.mark.needs("torchvision")
def test_a_name_that_is_nearly_a_detectors():
    with pytest.raises(ValueError, match=r"no model 'fasterrcnn'\. Did you mean fasterrcnn_resnet50_fpn\?"):
        wl.models.load("torchvision:fasterrcnn")


LABELS = {"id2label": {0: "cat", 1: "dog"}, "label2id": {"cat": 0, "dog": 1}}
SCALED = {"do_resize": True, "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
COLOURS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.5, 0.5]}


def saved(net, processor, folder):
    net.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(SCALED | COLOURS | processor))
    return net.eval()


@pytest.mark.needs("transformers:YolosForObjectDetection", "transformers:YolosImageProcessor")
def test_a_detector_of_transformers_by_name(tmp_path):
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.YolosConfig(**sizes, image_size=[32, 48], num_detection_tokens=4, **LABELS)
    processor = {"image_processor_type": "YolosImageProcessor", "size": {"shortest_edge": 32, "longest_edge": 50}}
    net = saved(transformers.YolosForObjectDetection(config), processor, tmp_path)
    loaded = wl.models.load(f"hf:{tmp_path}(threshold=0.3)")
    assert loaded.answer == wl.models.Objects(0.3, None)
    assert loaded.labels == ("cat", "dog")
    assert loaded.preprocess == wl.models.Fitted(32, 50, "bilinear")
    x = loaded.preprocess(torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)))
    mean, std = (torch.tensor(COLOURS[name]).view(3, 1, 1) for name in ("image_mean", "image_std"))
    with torch.no_grad():
        (own,), output = loaded.module(x), net((x - mean) / std)
    assert torch.allclose(own["probabilities"], output.logits[0].softmax(-1)[:, :-1], atol=1e-6)
    assert wl.models.load(f"hf:{tmp_path}").answer.threshold == 0.5
    with pytest.raises(ValueError, match="threshold must be a probability from 0 to 1; got 'high'"):
        wl.models.load(f"hf:{tmp_path}(threshold='high')")


@pytest.mark.needs("transformers:SegformerForSemanticSegmentation", "transformers:SegformerImageProcessor")
def test_a_segmenter_of_transformers_by_name(tmp_path):
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 1, 1]}
    net = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(**sizes, **LABELS))
    processor = {"image_processor_type": "SegformerImageProcessor", "size": {"height": 64, "width": 64}}
    saved(net, processor, tmp_path)
    loaded = wl.models.load(f"hf:{tmp_path}")
    assert loaded.answer == wl.models.Regions()
    assert loaded.preprocess == wl.models.Geometry((64, 64), (64, 64), squash=True, interpolation="bilinear")
    assert loaded.module(torch.rand(1, 3, 64, 64)).shape == (1, 2, 16, 16)
    with pytest.raises(ValueError, match="threshold is for detectors"):
        wl.models.load(f"hf:{tmp_path}(threshold=0.3)")


@pytest.mark.needs("ultralytics")
@pytest.mark.parametrize("name", ["yolov8n", "yolov10n"])
def test_a_yolo_is_read_before_its_suppression(name, tmp_path, monkeypatch):
    """Also where a head is trained end to end: ultralytics cuts it off from the gradient."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    from ultralytics import YOLO

    torch.manual_seed(0)
    net = YOLO(f"{name}.yaml").model.eval()
    net.model[-1].end2end = ends = name == "yolov10n"
    assert net.model[-1].end2end == ends
    loaded = wl.models.detector(net, threshold=0.0)
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1), requires_grad=True)
    own, answer = loaded.module(x), net(x)[0]
    (slope,) = torch.autograd.grad(own[0]["probabilities"].max(), x)
    assert slope[0].any()
    assert not slope[1].any()
    for one, rows in zip(own, answer if ends else answer.transpose(1, 2), strict=True):
        edge = rows[:, :4] if ends else torch.cat([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], 1)
        edge = torch.minimum(edge.clamp_min(0), torch.tensor([96.0, 64.0] * 2))
        if ends:  # a list of the best
            best = one["probabilities"].amax(1).argmax()
            assert torch.allclose(one["probabilities"][best].max(), rows[0, 4])
            assert torch.allclose(one["boxes"][best], edge[0], atol=1e-3)
        else:
            assert torch.allclose(one["probabilities"], rows[:, 4:], atol=1e-6)
            assert torch.allclose(one["boxes"], edge, atol=1e-3)
