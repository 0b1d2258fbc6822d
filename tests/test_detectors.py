"""Detectors before anything is left out: what their libraries say of the same picture, and its gradient."""

import pytest
import torch
from torch import nn

import detectors
import wavelens as wl
from cases import relative
from wavelens.boxes import suppressed
from wavelens.models.detectors.pooling import pooled

KINDS = pytest.mark.parametrize("kind", detectors.DETECTORS)


def pictures(batch=2):
    return torch.rand(batch, 3, *detectors.SIZE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def corners(box):
    (top, bottom), (left, right) = box
    return [left, top, right, bottom]


def test_suppression_keeps_what_no_better_box_of_its_class_overlaps():
    random = torch.Generator().manual_seed(0)
    start, groups = torch.rand(80, 2, generator=random) * 50, torch.randint(3, (80,), generator=random)
    ends = torch.stack([start, start + 5 + 20 * torch.rand(80, 2, generator=random)], -1)
    scores = torch.rand(80, generator=random)
    flat = torch.cat([ends[..., 0], ends[..., 1]], 1)
    for overlap in (0.0, 0.3, 0.7):
        own = [(groups == k).nonzero()[:, 0] for k in range(3)]
        expected = torch.cat([k[detectors.nms(flat[k], scores[k], overlap)] for k in own])
        found = suppressed(ends, scores, groups, overlap)
        assert sorted(found.tolist()) == sorted(expected.tolist())
        assert (scores[found].diff() <= 0).all()
    assert suppressed(ends[:0], scores[:0], groups[:0], 0.5).shape == (0,)


@pytest.mark.needs("torchvision")
def test_pooling_is_roi_align_and_has_the_slope_of_its_boxes(monkeypatch):
    from torchvision.ops import MultiScaleRoIAlign

    detectors.replace_operators(monkeypatch)
    pool = MultiScaleRoIAlign(["0", "1"], (3, 4), 2, canonical_scale=40, canonical_level=3)
    maps = {name: torch.rand(2, 2, *shape, dtype=torch.float64) for name, shape in (("0", (12, 16)), ("1", (6, 8)))}
    boxes = [
        torch.tensor([[3.0, 5, 40, 30], [0, 0, 128, 96], [100, 80, 128, 96.0]]).double(),
        torch.zeros(0, 4).double(),
    ]
    found = pooled(pool, maps, boxes, detectors.SIZE)
    assert relative(found, pool(maps, boxes, [detectors.SIZE] * 2)) < 1e-12
    moved = boxes[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda own: pooled(pool, maps, [own, boxes[1]], detectors.SIZE), (moved,))


@pytest.mark.needs("torchvision")
@KINDS
def test_the_objects_are_those_of_torchvisions_own_passes(kind, monkeypatch):
    detectors.replace_operators(monkeypatch)
    net, x = detectors.detector(kind), pictures()
    with torch.no_grad():
        found = wl.models.detector(net).module(x)
        chances = torch.stack(
            [one["probabilities"].flatten().sort(descending=True).values[40:42].mean() for one in found]
        )
        getattr(net, "roi_heads", net).score_thresh = float(chances.max())  # few, as the reference is slow
        own, loaded = net(list(x)), wl.models.detector(net)
    for listed, objects in zip(own, wl.targets.detections(found, **vars(loaded.answer)), strict=True):
        has_area = (listed["boxes"][:, :2] < listed["boxes"][:, 2:]).all(1)  # one-stage detectors list others too
        assert 1 < int(has_area.sum()) == len(objects)
        assert [one.label for one in objects] == listed["labels"][has_area].tolist()
        assert relative(torch.tensor([one.probability for one in objects]).double(), listed["scores"][has_area]) < 1e-6
        assert relative(torch.tensor([corners(one.box) for one in objects]).double(), listed["boxes"][has_area]) < 1e-6


@pytest.mark.needs("torchvision")
@KINDS
def test_the_gradient_of_an_object_is_right_and_an_item_alone_is_as_in_a_batch(kind):
    loaded, x = wl.models.detector(detectors.detector(kind)), pictures()
    first = wl.targets.detections(loaded.module(x), **vars(loaded.answer))
    labels, boxes = [one[0].label for one in first], [[[a + 1.3, b + 2.1] for a, b in one[0].box] for one in first]
    options = {"domain": wl.Identity(), "method": wl.Saliency()}
    both = wl.attribute(loaded.module, x, wl.targets.detection(labels, boxes), **options)
    alone = wl.attribute(loaded.module, x[1:], wl.targets.detection(labels[1], boxes[1]), **options)
    assert relative(both.data[1:], alone.data) < 1e-9
    step = torch.rand(1, *x.shape[1:], generator=torch.Generator().manual_seed(5), dtype=torch.float64) - 0.5
    target, item = wl.targets.detection(labels[1], boxes[1]), torch.zeros(1, dtype=torch.long)
    with torch.no_grad():
        ends = [wl.targets.scores(target, loaded.module(x[1:] + h * step), item)[0] for h in (1e-6, -1e-6)]
    slope = (both.synthesis()[1:] * step).sum()
    assert float(slope) == pytest.approx(float(ends[0] - ends[1]) / 2e-6, rel=1e-4)


SMALL = {
    "yolos": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "image_size": [32, 48],
        "patch_size": 8,
        "num_detection_tokens": 5,
    },
    "detr": {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "num_queries": 5, "encoder_ffn_dim": 16},
    "conditional_detr": {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "num_queries": 5},
    "deformable_detr": {"d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "num_queries": 5},
    "rt_detr": {},
}
HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 16}
RT = {
    "encoder_hidden_dim": 16,
    "encoder_ffn_dim": 16,
    "d_model": 16,
    "num_queries": 6,
    "decoder_layers": 1,
    "encoder_in_channels": [8, 8, 8],
    "decoder_in_channels": [16, 16, 16],
    "feat_strides": [8, 16, 32],
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 16,
    "hidden_expansion": 0.5,
    "num_denoising": 0,
}
LABELS = {0: "cat", 1: "dog", 2: "bird"}


def of_transformers(family):
    """A tiny detector of a family, with random weights."""
    import transformers

    names = {"id2label": LABELS, "label2id": {name: k for k, name in LABELS.items()}}
    if family == "yolos":
        config = transformers.YolosConfig(**SMALL[family], **names)
    elif family == "rt_detr":
        backbone = transformers.RTDetrResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        )  # fmt: skip
        config = transformers.RTDetrConfig(backbone_config=backbone, **RT, **names)
    else:
        stages = ["stage2", "stage3", "stage4"] if family == "deformable_detr" else ["stage4"]
        backbone = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic", out_features=stages
        )
        levels = {"num_feature_levels": 3} if family == "deformable_detr" else {}
        options = {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}
        make = {
            "detr": transformers.DetrConfig,
            "conditional_detr": transformers.ConditionalDetrConfig,
            "deformable_detr": transformers.DeformableDetrConfig,
        }[family]
        config = make(backbone_config=backbone, **options, **SMALL[family], **HEADS, **levels, **names)
    torch.manual_seed(1)
    return transformers.AutoModelForObjectDetection.from_config(config).eval()


@pytest.mark.needs("transformers")
@pytest.mark.parametrize("family", SMALL)
def test_transformers_detectors_say_their_boxes_in_pixels(family):
    net = of_transformers(family)
    height, width = (64, 96) if family == "rt_detr" else (32, 48)
    x = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(2))
    loaded = wl.models.detector(net, threshold=0.0)
    with torch.no_grad():
        output, found = net(x), loaded.module(x)
    has_nothing = family in ("yolos", "detr")
    expected = output.logits.softmax(-1)[..., :-1] if has_nothing else output.logits.sigmoid()
    assert loaded.labels == ("cat", "dog", "bird")
    for item, one in enumerate(found):
        assert torch.allclose(one["probabilities"], expected[item])
        x, y, wide, high = (output.pred_boxes[item] * torch.tensor([width, height] * 2)).unbind(-1)
        corners = torch.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], -1)
        assert torch.allclose(one["boxes"], corners, atol=1e-4)
    objects = wl.targets.detections(found, threshold=0.0, overlap=None)[0]
    assert len(objects) == min(100, expected[0].numel())  # each class of a query is an object


class Bright(nn.Module):
    """Where a picture is brighter than a half: the box around it, by its first and last bright row and column."""

    def forward(self, x):
        lit = (x.mean(1) > 0.5).nonzero()
        top, left, bottom, right = (*lit[:, 1:].amin(0).tolist(), *(lit[:, 1:].amax(0) + 1).tolist())
        return [{"boxes": x.new_tensor([[left, top, right, bottom]]), "probabilities": x.new_ones(1, 1)}]


PREPARATIONS = {
    "whole, smaller": wl.models.Fitted(120, 300),
    "whole, by its longer side": wl.models.Fitted(320, 320),
    "squashed": wl.models.Geometry((200, 200), (200, 200), squash=True),
    "cropped": wl.models.Geometry((220, 220), (180, 180)),
}


@pytest.mark.parametrize("name", PREPARATIONS)
def test_a_box_of_the_input_is_found_again_in_the_photo(name):
    photo = torch.zeros(1, 3, 240, 360)
    photo[..., 60:150, 110:230] = 1
    preparation = PREPARATIONS[name]
    x = preparation(photo)
    (box,) = wl.targets.detections(Bright()(x))[0]
    (top, bottom), (left, right) = preparation.box_in_photo(box.box, (240, 360))
    one_pixel = max(240 / x.shape[2], 360 / x.shape[3], 240 / 220)
    assert torch.tensor([top - 60, bottom - 150, left - 110, right - 230]).abs().max() <= one_pixel


def test_a_photo_is_fitted_in_its_proportions_and_never_cropped():
    fitted = wl.models.Fitted(800, 1333)
    assert fitted.size(480, 640) == (800, 1066)
    assert fitted.size(400, 1600) == (333, 1333)
    assert fitted.size(640, 480) == (1066, 800)
    assert fitted.adapted(input_size=(320, 320)).size(480, 640) == (240, 320)
    with pytest.raises(ValueError, match=r"takes whole photos; got crop=0\.9"):
        fitted.adapted(crop=0.9)
    with pytest.raises(ValueError, match="no more than its longer side; got shortest=10, longest=5"):
        wl.models.Fitted(10, 5)
    assert wl.parse(repr(fitted), also=[wl.models.Fitted]) == fitted
