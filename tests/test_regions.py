"""Targets of segmenters and detectors: sums and overlaps in closed form, smooth where they should be, item by item."""

import dataclasses
import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import relative, signal
from snippets import DOCS
from wavelens.targets import describe, regions

ROWS = torch.arange(3)
SHAPES = [(9,), (6, 8), (4, 6, 5)]


def segmenter(x):
    """Three classes for each place of a signal with two channels, any number of axes."""
    return torch.stack([x[:, 0], (x**2).sum(1), x.prod(1).sin()], 1)


def explain(net, x, target, **options):
    return wl.attribute(net, x, target, domain=wl.Identity(), method=wl.Saliency(), **options)


def masks(shape, batch=3):
    return torch.rand(batch, *shape, generator=torch.Generator().manual_seed(2)) > 0.6


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: {"out": o, "aux": -o}, lambda o: SimpleNamespace(logits=o)])
def test_a_region_is_the_sum_of_the_logits_in_it(shape, wrap):
    x = signal(shape)
    one, each = masks(shape, 1)[0], masks(shape)
    for label, mask in ((1, one), ([2, 0, 1], one), (2, each), ([2, 0, 1], each)):
        labels = torch.as_tensor(label).expand(3)
        expected = torch.stack([segmenter(x)[k, labels[k]][each[k] if mask is each else one].sum() for k in range(3)])
        found = explain(lambda x: wrap(segmenter(x)), x, regions.region(label, mask))
        assert relative(found.score, expected) < 1e-13


def test_its_gradient_stays_in_the_region_and_an_item_is_the_same_in_any_chunk():
    x, each = signal((6, 8)), masks((6, 8))
    target = regions.region([1, 2, 0], each)
    whole = explain(segmenter, x, target, batch_size=3)
    for batch_size in (1, 2, None):
        assert relative(explain(segmenter, x, target, batch_size=batch_size).data, whole.data) < 1e-14
    outside = whole.synthesis() * ~each[:, None]
    assert not outside.any()
    alone = explain(segmenter, x[2:], regions.region(0, each[2]))
    assert relative(alone.data, whole.data[2:]) < 1e-14


@pytest.mark.parametrize(("shape", "mode"), [((12,), "linear"), ((8, 12), "bilinear"), ((4, 8, 6), "trilinear")])
def test_coarse_logits_are_brought_to_the_mask(shape, mode):
    half = tuple(n // 2 for n in shape)
    x, mask = signal(half), masks(shape)
    fine = nn.functional.interpolate(segmenter(x), shape, mode=mode)
    expected = (fine[:, 1] * mask).flatten(1).sum(1)
    found = regions.region(1, mask).function(segmenter(x), ROWS)
    assert relative(found, expected) < 1e-13


def test_the_path_methods_of_a_region_add_up():
    x, mask = signal((6, 8)), masks((6, 8))
    a = wl.attribute(
        segmenter, x, regions.region(1, mask), domain=wl.DWT("db2", 1), method=wl.IntegratedGradients(steps=4)
    )
    assert relative(a.data.sum((1, 2)), (segmenter(x)[:, 1] * mask).sum((1, 2))) < 1e-12


BOX = ((10.0, 30.0), (20.0, 60.0))


def detr(boxes, logits):
    """DETR's output for boxes ((top, bottom), (left, right)) of an input of 100 × 200."""
    rows = torch.tensor(boxes, dtype=torch.float64)
    centre, extent = rows.mean(-1), rows.diff(dim=-1)[..., 0]
    size = torch.tensor([100.0, 200.0], dtype=torch.float64)
    boxes = torch.cat([(centre / size).flip(-1), (extent / size).flip(-1)], -1)
    return SimpleNamespace(logits=torch.tensor(logits, dtype=torch.float64), pred_boxes=boxes)


def listed(output):
    """The same as torchvision lists it: one class a box, without what is mostly nothing."""
    found = []
    for boxes, probabilities in zip(output.pred_boxes, output.logits.softmax(-1)[..., :-1], strict=True):
        x, y, width, height = (boxes * torch.tensor([200.0, 100.0, 200.0, 100.0])).unbind(-1)
        scores, labels = probabilities.max(-1)
        corners = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)
        found.append({"boxes": corners, "labels": labels, "scores": scores})
    return found


OVERLAPS = {  # a box and its intersection over union with BOX
    "the box itself": (BOX, 1.0),
    "half of it": (((10.0, 30.0), (20.0, 40.0)), 0.5),
    "moved by half": (((10.0, 30.0), (40.0, 80.0)), 1 / 3),
    "a corner": (((20.0, 40.0), (40.0, 80.0)), 1 / 7),
    "twice as high": (((0.0, 40.0), (20.0, 60.0)), 0.5),
    "beside it": (((10.0, 30.0), (60.0, 90.0)), 0.0),
    "far away": (((70.0, 90.0), (120.0, 160.0)), 0.0),
}


@pytest.mark.parametrize("kind", OVERLAPS)
def test_a_detection_is_probability_times_overlap(kind):
    box, overlap = OVERLAPS[kind]
    output = detr([[box]], [[[1.0, 2.0, 0.5, 0.0]]])
    p = torch.tensor([1.0, 2.0, 0.5, 0.0], dtype=torch.float64).softmax(0)
    items = torch.zeros(1, dtype=torch.long)
    for label in (0, 1, 2):
        found = regions.detection(label, BOX, shape=(100, 200)).function(output, items)
        assert found.item() == pytest.approx(p[label].item() * overlap, abs=1e-12)
        alone = regions.detection(label, BOX, shape=(100, 200), independent=True).function(output, items)
        assert alone.item() == pytest.approx(output.logits[0, 0, label].sigmoid().item() * overlap, abs=1e-12)
        in_list = regions.detection(label, BOX).function(listed(output), items)
        assert in_list.item() == pytest.approx((p[1].item() if label == 1 else 0) * overlap, abs=1e-9)


def test_the_best_of_all_objects_counts_and_each_item_has_its_own_box():
    boxes = [[BOX, OVERLAPS["half of it"][0], OVERLAPS["far away"][0]]] * 2
    output = detr(boxes, [[[0.0, 0.0], [3.0, 0.0], [9.0, 0.0]], [[2.0, 0.0], [0.0, 0.0], [9.0, 0.0]]])
    p = output.logits.softmax(-1)[..., 0]
    target = regions.detection(0, [BOX, OVERLAPS["far away"][0]], shape=(100, 200))
    both = target.function(output, torch.tensor([0, 1]))
    assert both.tolist() == pytest.approx([max(p[0, 0], p[0, 1] / 2).item(), p[1, 2].item()])
    swapped = target.function(output, torch.tensor([1, 0]))  # rows belong to other items
    assert swapped.tolist() == pytest.approx([p[0, 2].item(), max(p[1, 0], p[1, 1] / 2).item()])
    found = regions.strongest(output, shape=(100, 200))
    assert found.labels == [0, 0]
    assert torch.allclose(torch.tensor(found.boxes), torch.tensor([OVERLAPS["far away"][0]] * 2))
    assert found.probabilities == pytest.approx(p[:, 2].tolist())
    explained = regions.detection(found.labels, found.boxes, shape=(100, 200)).function(output, torch.tensor([0, 1]))
    assert explained.tolist() == pytest.approx(found.probabilities)


def test_an_empty_list_is_zero_with_a_gradient_of_zero():
    x = torch.rand(2, 5, requires_grad=True)
    empty = {
        "boxes": (x[0, :4] * 1)[None][:0],
        "labels": torch.zeros(0, dtype=torch.long),
        "scores": x[0, 4:][:0],
    }
    score = regions.detection(3, BOX).function([empty], torch.zeros(1, dtype=torch.long))
    assert score.tolist() == [0]
    assert not torch.autograd.grad(score.sum(), x)[0].any()
    with pytest.raises(ValueError, match=r"a detector saw nothing in item 0\. Lower its score_thresh"):
        regions.strongest([empty])


@pytest.fixture(scope="module")
def yolos():
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    grid = {"image_size": [48, 64], "patch_size": 16, "num_detection_tokens": 6, "num_labels": 4}
    net = transformers.YolosForObjectDetection(transformers.YolosConfig(**sizes, **grid)).eval().double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3)  # freshly drawn, all its boxes are the same
    return net


@pytest.mark.needs("transformers:YolosForObjectDetection")
def test_a_detector_of_transformers_is_explained_item_by_item_and_adds_up(yolos):
    x = signal((48, 64), channels=3) / 4
    found = regions.strongest(yolos(x), shape=x.shape[2:])
    target = regions.detection(found.labels, found.boxes, shape=x.shape[2:])
    options = {"domain": wl.DWT("haar", 2), "method": wl.IntegratedGradients(steps=64), "baseline": 0.95 * x}
    whole = wl.attribute(yolos, x, target, batch_size=3, **options)
    assert whole.score.tolist() == pytest.approx(found.probabilities)
    assert (whole.gap.abs() < 0.01 * (whole.score - whole.baseline_score).abs()).all()
    again = wl.attribute(yolos, x, target, batch_size=2, **options)
    assert relative(again.data, whole.data) < 1e-9


@pytest.mark.needs("transformers:YolosForObjectDetection")
def test_a_detection_moves_as_little_as_the_input(yolos):
    """Noise a hundred times as small moves the score about a hundredth as far: there is no jump."""
    x = signal((48, 64), channels=3) / 4
    found = regions.strongest(yolos(x), shape=x.shape[2:])
    target = regions.detection(found.labels, found.boxes, shape=x.shape[2:])
    noise = signal((48, 64), channels=3, seed=8)
    with torch.no_grad():
        moved = [
            (target.function(yolos(x + size * noise), ROWS) - torch.tensor(found.probabilities)).abs()
            for size in (1e-3, 1e-5, 1e-7)
        ]
    assert (moved[0] > 0).all()
    assert (moved[1] < 0.05 * moved[0]).all()
    assert (moved[2] < 0.05 * moved[1]).all()


@pytest.mark.needs("transformers:SegformerForSemanticSegmentation")
def test_a_segmenter_of_transformers():
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_sizes": [8, 16, 16, 24], "decoder_hidden_size": 16, "depths": [1, 1, 1, 1]}
    net = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(num_labels=4, **sizes)).eval()
    x = signal((64, 32), channels=3).float()
    with torch.no_grad():
        fine = nn.functional.interpolate(net(x).logits, (64, 32), mode="bilinear")
    mask = fine.argmax(1) == fine.argmax(1)[:, :1, :1]
    labels = fine.argmax(1)[:, 0, 0].tolist()
    found = explain(net, x, regions.region(labels, mask))
    expected = torch.stack([fine[k, labels[k]][mask[k]].sum() for k in range(3)])
    assert relative(found.score, expected) < 1e-4
    assert found.data.any()


def plain_nms(boxes, scores, iou_threshold):
    """What torchvision's operator does, where its compiled part cannot be loaded."""
    kept: list[int] = []
    for k in scores.argsort(descending=True).tolist():
        corners = boxes[[*kept, k]].view(-1, 2, 2).transpose(1, 2).flip(1)
        if not kept or (regions.iou(corners[:-1], corners[-1]) <= iou_threshold).all():
            kept.append(k)
    return torch.tensor(kept, dtype=torch.long)


@pytest.fixture
def ssdlite(monkeypatch):
    import torchvision.ops.boxes as box_operations
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    monkeypatch.setattr(box_operations, "nms", plain_nms)
    torch.manual_seed(0)
    options = {"weights": None, "weights_backbone": None, "num_classes": 4, "detections_per_img": 12}
    return ssdlite320_mobilenet_v3_large(**options, score_thresh=0.0, topk_candidates=20).eval()


@pytest.mark.needs("torchvision")
def test_the_guide_s_detector_of_torchvision(ssdlite, monkeypatch):
    """Its piece of Python, with another detector than the one that it would download."""
    import torchvision

    monkeypatch.setattr(torchvision.models.detection, "retinanet_resnet50_fpn", lambda weights: ssdlite)
    (code,) = re.findall(r"^```py\n(.*?)^```", (DOCS / "guides/localisation.md").read_text(), re.DOTALL | re.MULTILINE)
    names = {"torchvision": torchvision, "wl": wl, "photo": torch.rand(1, 3, 64, 64)}
    exec(code, names)
    assert ssdlite.nms_thresh == 1.0
    assert names["a"].data.any()


@pytest.mark.needs("torchvision")
def test_a_detector_of_torchvision(ssdlite):
    net = ssdlite
    x = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    found = regions.strongest(net(x))
    target = regions.detection(found.labels, found.boxes)
    whole = explain(net, x, target, batch_size=2)
    assert whole.score.tolist() == pytest.approx(found.probabilities, rel=1e-5)
    alone = explain(net, x[1:], regions.detection(found.labels[1], found.boxes[1]))
    assert whole.data.any()
    assert relative(alone.data, whole.data[1:]) < 1e-3


@pytest.mark.needs("torchvision")
def test_a_segmenter_of_torchvision():
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    torch.manual_seed(0)
    net = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3).eval()
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mask = masks((64, 64), 2)
    found = explain(net, x, regions.region(2, mask))
    with torch.no_grad():
        expected = (net(x)["out"][:, 2] * mask).sum((1, 2))
    assert relative(found.score, expected) < 1e-4


WRONG = {
    "mask of numbers": (
        lambda: regions.region(1, torch.ones(3, 3)),
        ValueError,
        r"mask must be boolean.*got \(3, 3\) of t",
    ),
    "empty": (
        lambda: regions.region(1, torch.zeros(3, 3) > 0),
        ValueError,
        r"got \(3, 3\) of torch.bool with 0 places",
    ),
    "label": (lambda: regions.region(-1, torch.ones(3) > 0), ValueError, r"label must be a class from 0.*got -1"),
    "label of detection": (lambda: regions.detection(0.5, BOX), ValueError, r"label must be a class from 0.*got 0\.5"),
    "box": (
        lambda: regions.detection(1, ((5, 3), (0, 1))),
        ValueError,
        r"\(left, right\)\).*got \(\(5, 3\), \(0, 1\)\)",
    ),
    "flat box": (lambda: regions.detection(1, (0, 1, 2, 3)), ValueError, r"a box must be .*got \(0, 1, 2, 3\)"),
    "shape": (lambda: regions.detection(1, BOX, shape=(3, 4, 5)), ValueError, r"\(height, width\).*got \(3, 4, 5\)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_targets_say_what_to_do(kind):
    make, error, match = WRONG[kind]
    with pytest.raises(error, match=match):
        make()


def test_outputs_of_other_models_are_refused():
    x = signal((6, 8))
    with pytest.raises(TypeError, match=r"a segmenter must give logits .*got tuple\. Read others with targets.ByItem"):
        explain(lambda x: (segmenter(x),), x, regions.region(1, masks((6, 8))))
    with pytest.raises(
        ValueError, match=r"mask must be \(axis, axis\) or .*got \(3, 6, 8, 2\) for logits \(\d, 3, 6, 8\)"
    ):
        explain(segmenter, x, regions.region(1, masks((6, 8, 2))))
    with pytest.raises(ValueError, match=r"given once, or for each item of the batch; got 2"):
        explain(segmenter, x, regions.region([1, 2], masks((6, 8), 1)[0]))
    with pytest.raises(TypeError, match=r"a detector must give a list of dictionaries .*got Tensor"):
        explain(segmenter, x, regions.detection(1, BOX))
    with pytest.raises(ValueError, match=r"shape, \(height, width\) of the input, is needed"):
        regions.detection(1, BOX).function(detr([[BOX]], [[[1.0, 2.0]]]), ROWS[:1])


def test_the_record_names_them():
    assert describe(regions.region(3, masks((6, 8), 1)[0])).startswith("ByItem(region([3], ")
    assert describe(regions.detection([1], BOX)) == f"ByItem(detection([1], {[[list(side) for side in BOX]]}))"
    with pytest.raises(dataclasses.FrozenInstanceError):
        regions.region(3, masks((6, 8), 1)[0]).function = None
