"""Video classifiers: which frames they are given, and that they compute what their own libraries do."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import wavelens as wl
from wavelens.frontends.video import Video, open_video, write_video
from wavelens.models import Geometry, Normalized, VideoGeometry, load

SMALL = Geometry((12, 12), (8, 8), interpolation="box")


def numbered(frames, height=12, width=12, fps=10.0):
    """Frame `k` is grey of k / 100."""
    return Video((torch.arange(frames) / 100)[None, None, :, None, None].expand(1, 3, -1, height, width), fps)


@pytest.mark.parametrize(
    ("frames", "stride", "total", "taken"),
    [
        (4, None, 20, [0, 6, 12, 18]),
        (4, None, 10, [0, 3, 6, 9]),
        (4, None, 6, [1, 2, 3, 4]),
        (4, None, 4, [0, 1, 2, 3]),
        (4, 2, 20, [6, 8, 10, 12]),
        (4, 2, 7, [0, 2, 4, 6]),
        (1, None, 5, [2]),
    ],
)
def test_frames_are_evenly_apart_around_the_middle(frames, stride, total, taken):
    preparation = VideoGeometry(frames, stride, SMALL)
    found = preparation(numbered(total))
    assert (found[0, 0, :, 4, 4] * 100).round().int().tolist() == taken
    apart = taken[1] - taken[0] if frames > 1 else None
    grid = preparation.grid(numbered(total, fps=10.0))
    assert grid.units == ("s", "px", "px")
    if apart:
        assert grid.spacing == pytest.approx((apart / 10, 1, 1))
    assert found.shape == (1, *preparation.shape)


def test_each_frame_is_prepared_as_a_photo():
    x = torch.rand(1, 3, 5, 15, 20, generator=torch.Generator().manual_seed(0))
    found = VideoGeometry(5, 1, Geometry((12, 12), (8, 10), interpolation="bilinear"))(Video(x, 25))
    for k in range(5):
        assert torch.equal(found[:, :, k], Geometry((12, 12), (8, 10), interpolation="bilinear")(x[:, :, k]))


@pytest.mark.needs("av")
def test_a_file_is_prepared_as_the_video_in_it(tmp_path):
    x = torch.randint(0, 256, (1, 3, 30, 12, 14), generator=torch.Generator().manual_seed(0)) / 255
    write_video(tmp_path / "a.mkv", x, 25)
    preparation, file = VideoGeometry(4, 5, SMALL), open_video(tmp_path / "a.mkv")
    assert torch.equal(preparation(file), preparation(Video(x, 25)))
    assert preparation.grid(file) == preparation.grid(Video(x, 25))


@pytest.mark.parametrize(
    ("call", "match", "error"),
    [
        (
            lambda: VideoGeometry(8, None, SMALL)(numbered(5)),
            r"takes 8 frames, 1 apart, .* has 5 and needs 8\. Give a longer one\.",
            ValueError,
        ),
        (
            lambda: VideoGeometry(4, 3, SMALL)(numbered(9)),
            r"takes 4 frames, 3 apart, .* needs 10\. .* or a smaller stride",
            ValueError,
        ),
        (lambda: VideoGeometry(0), "frames and stride must be at least 1; got 0 and None", ValueError),
        (lambda: VideoGeometry(4, 0), "frames and stride must be at least 1; got 4 and 0", ValueError),
        (
            lambda: VideoGeometry(4)(torch.zeros(1, 3, 8, 8, 8)),
            r"a Video or a VideoFile; got Tensor\. Try open_video",
            TypeError,
        ),
    ],
)
def test_wrong_videos_say_what_to_do(call, match, error):
    with pytest.raises(error, match=match):
        call()


def test_normalisation_is_that_of_each_channel_of_a_video():
    x = torch.rand(2, 3, 4, 5, 6)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    found = Normalized(nn.Identity(), mean, std)(x)
    for k in range(3):
        torch.testing.assert_close(found[:, k], (x[:, k] - mean[k]) / std[k])


@pytest.mark.needs("torchvision")
def test_a_net_of_torchvision_computes_what_it_does_there(tmp_path, monkeypatch):
    """With small weights of its own, through its own normalisation; frames come resized as its weights want them."""
    import torchvision
    from torchvision.models.video import R3D_18_Weights, VideoResNet

    def small(weights=None, **rest):
        from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple

        return VideoResNet(BasicBlock, [Conv3DSimple] * 4, [1, 1, 1, 1], BasicStem, **rest)

    monkeypatch.setattr(torchvision.models, "get_model", lambda name, weights: small())
    torch.manual_seed(0)
    state = small().state_dict()
    torch.save(state, tmp_path / "a.pth")
    loaded = load("torchvision:r3d_18", weights=tmp_path / "a.pth")
    net = small().eval()
    net.load_state_dict(state)
    assert loaded.labels == tuple(R3D_18_Weights.DEFAULT.meta["categories"])
    assert loaded.preprocess.shape == (3, 16, 112, 112)
    assert loaded.preprocess.picture == Geometry((128, 171), (112, 112), squash=True, interpolation="bilinear")
    rows = np.arange(120)[:, None, None] * np.ones((1, 160, 3)) / 200
    clip = torch.from_numpy(rows).float().permute(2, 0, 1)[None, :, None].expand(1, 3, 16, 120, 160)
    theirs = R3D_18_Weights.DEFAULT.transforms()((clip[0].movedim(0, 1) * 255).round().byte())[None]
    with torch.no_grad():
        ours = loaded.module(loaded.preprocess(Video(clip, 15)))
        torch.testing.assert_close(ours, net(theirs), rtol=2e-2, atol=2e-2)


@pytest.mark.needs("torchvision")
def test_photo_nets_of_torchvision_take_photos():
    import torchvision

    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"torchvision has no model 'r3d_81'\. Did you mean r3d_18"):
        load("torchvision:r3d_81")
    from wavelens.models.loaded import Variant
    from wavelens.models.sources.torchvision import from_torchvision

    parts = from_torchvision("squeezenet1_1", Variant(pretrained=False))
    assert parts.preprocess == Geometry((256, 256), (224, 224), interpolation="bilinear")
    x = torch.rand(1, 3, 64, 64)
    trained = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (trained.mean, trained.std))
    with torch.no_grad():
        expected = parts.module.eval().module((x - mean) / std)
        torch.testing.assert_close(parts.module(x), expected)


def saved(name, folder):
    import transformers

    common = {"image_size": 16, "patch_size": 8, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
    common |= {"intermediate_size": 24, "num_frames": 4, "id2label": {0: "up", 1: "down", 2: "still"}}
    torch.manual_seed(0)
    if name == "VideoMAE":
        config = transformers.VideoMAEConfig(**common, tubelet_size=2)
        net = transformers.VideoMAEForVideoClassification(config)
    else:
        net = transformers.TimesformerForVideoClassification(transformers.TimesformerConfig(**common))
    net.save_pretrained(folder)
    size = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    transformers.VideoMAEImageProcessor(**size).save_pretrained(folder)
    return net.eval()


@pytest.mark.needs("transformers:VideoMAEForVideoClassification", "transformers:TimesformerForVideoClassification")
@pytest.mark.parametrize("name", ["VideoMAE", "TimeSformer"])
def test_a_net_of_transformers_computes_what_it_does_there(tmp_path, name):
    import transformers

    net = saved(name, tmp_path)
    loaded = load(f"hf:{tmp_path}")
    assert loaded.labels == ("up", "down", "still")
    assert loaded.preprocess.shape == (3, 4, 16, 16)
    pictures = [np.random.default_rng(k).integers(0, 256, (16, 16, 3), dtype=np.uint8) for k in range(4)]
    video = Video(torch.from_numpy(np.stack(pictures)).permute(3, 0, 1, 2)[None] / 255, 8)
    processor = transformers.VideoMAEImageProcessor.from_pretrained(tmp_path)
    theirs = processor([Image.fromarray(p) for p in pictures], return_tensors="pt")
    with torch.no_grad():
        expected = net(**theirs).logits
        torch.testing.assert_close(loaded.module(loaded.preprocess(video)), expected, rtol=1e-4, atol=1e-5)
    a = wl.attribute(
        loaded.module, loaded.preprocess(video), 1, domain=wl.DWT("haar", (2, 1, 1)), method=wl.IntegratedGradients(32)
    )
    assert a.data.shape == (1, 3, 4 * 16 * 16)
    assert abs(float(a.gap)) < 0.02 * float(a.data.abs().sum())
