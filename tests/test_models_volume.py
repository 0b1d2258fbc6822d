"""Volumes reach a network at their place, and maps come back; networks of MONAI by name, and the small one."""

import inspect

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import wavelens as wl
from test_volume import ramp
from wavelens.frontends.volume import Volume
from wavelens.models import ResNet3D, Voxels, load

TURNED = np.array([[0.1, -1.2, 0.0, 10.0], [0.9, 0.1, 0.2, -20.0], [0.0, 0.3, -2.4, 5.0], [0.0, 0.0, 0.0, 1.0]])


def volume(*shape, affine=TURNED, unit="mm"):
    return Volume(torch.from_numpy(ramp(*shape))[None], affine, unit)


def places(affine, axes):
    """Where each voxel lies, `(3, *axes)` in mm."""
    index = np.stack([*np.meshgrid(*map(np.arange, axes), indexing="ij"), np.ones(axes)])
    return np.einsum("rc,cijk->rijk", affine, index)[:3]


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("orientation", [None, "RAS", "LPS", "SRP", "IAL"])
@pytest.mark.parametrize(
    ("fit", "axes"), [("resize", (12, 5, 16)), ("resize", (3, 10, 4)), ("crop", (6, 14, 5)), ("resize", (6, 7, 8))]
)
def test_a_prepared_volume_lies_where_its_affine_says(orientation, fit, axes):
    """A volume whose values are its own places, prepared: the values are the new affine's places."""
    own = torch.from_numpy(places(TURNED, (6, 7, 8))).float()[None]
    low, high = -200, 200
    found = Voxels((3, *axes), (low, high), orientation, fit).placed(Volume(own, TURNED))
    values, expected = found.data[0].numpy() * (high - low) + low, places(found.affine, axes)
    back = np.einsum("rc,cijk->rijk", np.linalg.inv(TURNED), np.concatenate([expected, np.ones((1, *axes))]))[:3]
    margin = 0 if fit == "crop" else 1  # a triangle that hangs over the end is not centred
    inside = np.all([(b >= margin) & (b <= n - 1 - margin) for b, n in zip(back, (6, 7, 8), strict=True)], axis=0)
    assert inside.sum() > 8
    tolerance = 1e-3 if fit == "crop" else 0.1  # mm: a widened triangle of few samples is centred to 1/20 of a voxel
    np.testing.assert_allclose(values[:, inside], expected[:, inside], atol=tolerance)


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("orientation", ["RAS", "LPI", "ASL"])
def test_the_axes_grow_as_the_orientation_says(orientation):
    import nibabel

    scan = volume(1, 6, 7, 8)
    turned = Voxels((1, *_turned_axes(scan, orientation)), (0, 1), orientation).placed(scan)
    assert nibabel.aff2axcodes(turned.affine) == tuple(orientation)
    if orientation == "RAS":
        expected = nibabel.as_closest_canonical(nibabel.Nifti1Image(ramp(1, 6, 7, 8)[0], TURNED))
        np.testing.assert_allclose(turned.affine, expected.affine, atol=1e-5)
        found = Voxels(turned.data.shape[1:], (0, 1000), orientation)(scan)[0, 0] * 1000
        np.testing.assert_allclose(found, expected.get_fdata(), atol=1e-3)


def _turned_axes(scan, orientation):
    import nibabel.orientations as turning

    turn = turning.ornt_transform(turning.io_orientation(scan.affine), turning.axcodes2ornt(orientation))
    return [int(scan.axes[i]) for i in np.argsort(turn[:, 0])]


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("orientation", [None, "RAS", "PLI"])
def test_a_map_of_the_input_comes_back_over_the_scan(orientation):
    """Values that are places, brought back, are the places of the scan's own voxels; exact where nothing is resized."""
    scan = volume(1, 6, 7, 8)
    same = _turned_axes(scan, orientation) if orientation else scan.axes
    for fit, axes, atol in [("resize", same, 1e-4), ("resize", (18, 14, 16), 0.1), ("crop", (20, 20, 20), 1e-4)]:
        voxels = Voxels((1, *axes), "range", orientation, fit)
        there = places(voxels.placed(scan).affine, tuple(axes))
        back = voxels.restore(torch.from_numpy(there)[None], scan)
        np.testing.assert_array_equal(back.affine, scan.affine)
        inside = (slice(None), *[slice(int(axes != same), n - int(axes != same)) for n in scan.axes])
        np.testing.assert_allclose(back.data[0].numpy()[inside], places(TURNED, scan.axes)[inside], atol=atol)


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("intensity", [(-100.0, 1300.0), "range", "standard"], ids=str)
@pytest.mark.parametrize("orientation", [None, "PLI"])
def test_an_input_comes_back_in_the_values_of_the_scan(intensity, orientation):
    """Two channels of different range, exact where nothing is resized; what is beyond the window is at its end."""
    scan = volume(2, 6, 7, 8)
    scan.data[:, 1] -= 50
    axes = _turned_axes(scan, orientation) if orientation else scan.axes
    voxels = Voxels((2, *axes), intensity, orientation)
    back = voxels.original(voxels(scan), scan)
    np.testing.assert_array_equal(back.affine, scan.affine)
    np.testing.assert_allclose(back.data, scan.data, atol=1e-3)
    dim = Voxels((2, *axes), (0.0, 100.0), orientation)
    np.testing.assert_allclose(dim.original(dim(scan), scan).data, scan.data.clamp(0, 100), atol=1e-3)


def test_what_was_cut_away_is_zero_when_it_comes_back():
    scan = volume(1, 6, 7, 8)
    back = Voxels((1, 2, 3, 4), "range", None, "crop").restore(torch.ones(1, 1, 2, 3, 4), scan).data[0, 0]
    assert back.sum() == 24
    assert back[2:4, 2:5, 2:6].min() == 1


@pytest.mark.parametrize("axes", [(9, 15, 8), (6, 7, 8), (1, 20, 30)])
def test_resizing_up_is_trilinear_interpolation(axes):
    x = torch.rand(1, 2, 6, 7, 8, generator=torch.Generator().manual_seed(0))
    up = tuple(max(n, m) for n, m in zip(axes, (6, 7, 8), strict=True))
    expected = torch.nn.functional.interpolate(x, up, mode="trilinear", align_corners=False)
    found = Voxels((2, *up), (0, 1))(Volume(x, np.eye(4)))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_resizing_down_averages_as_torch_does_for_pictures():
    x = torch.rand(1, 1, 5, 17, 30, generator=torch.Generator().manual_seed(0))
    found = Voxels((1, 5, 6, 11), (0, 1))(Volume(x, np.eye(4)))
    expected = torch.nn.functional.interpolate(
        x[0].transpose(0, 1), (6, 11), mode="bilinear", align_corners=False, antialias=True
    ).transpose(0, 1)[None]
    torch.testing.assert_close(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], rtol=0, atol=1e-5)


def test_intensities_become_what_was_asked():
    x = torch.stack([torch.linspace(-5, 20, 60), torch.full((60,), 3.0)]).view(1, 2, 3, 4, 5)
    scan = Volume(x, np.eye(4))
    window = Voxels((2, 3, 4, 5), (0, 10))(scan)
    torch.testing.assert_close(window, (x / 10).clamp(0, 1))
    ranged = Voxels((2, 3, 4, 5), "range")(scan)
    torch.testing.assert_close(ranged[:, 0], (x[:, 0] + 5) / 25)
    assert ranged[:, 1].abs().max() == 0  # a channel without contrast
    standard = Voxels((2, 3, 4, 5), "standard")(scan)
    assert standard[0, 0].mean().item() == pytest.approx(0, abs=1e-6)
    assert standard[0, 0].std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_the_grid_is_that_of_the_input():
    scan = volume(1, 6, 7, 8, affine=np.diag([1.0, 2.0, 3.0, 1.0]))
    assert Voxels((1, 12, 7, 4)).grid(scan) == wl.models.Voxels((1, 12, 7, 4)).placed(scan).grid
    assert Voxels((1, 12, 7, 4)).grid(scan).spacing == pytest.approx((0.5, 2, 6))
    assert Voxels((1, 12, 7, 4), fit="crop").grid(scan).spacing == pytest.approx((1, 2, 3))
    labels = Voxels((1, 12, 7, 4)).grid(scan).labels(wl.DWT("haar", levels=1).layout((12, 7, 4)))
    assert labels["d1"] == "0.5–1 × 2–4 × 6–12 mm"
    assert Voxels((1, 12, 7, 4)).grid(volume(1, 6, 7, 8, unit="voxel")).units == ("voxels",) * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (1, 2, 3)}, r"shape must be \(channel, \*axes\) with three axes; got \(1, 2, 3\)"),
        ({"intensity": "minmax"}, "intensity must be a window .* or one of range, standard; got 'minmax'"),
        ({"intensity": (5, 5)}, r"intensity must be a window .*; got \(5, 5\)"),
        ({"orientation": "RAR"}, "orientation must be a letter of .*; got 'RAR'"),
        ({"orientation": "XYZ"}, "orientation must be a letter of .*; got 'XYZ'"),
        ({"fit": "pad"}, "fit must be one of resize, crop; got 'pad'"),
    ],
)
def test_what_is_no_preparation_says_so(arguments, message):
    with pytest.raises(ValueError, match=message):
        Voxels(**arguments)


def test_a_volume_of_other_channels_says_so():
    with pytest.raises(ValueError, match=r"takes volumes of 1 channel; got 3\. Take one volume of several"):
        Voxels((1, 4, 4, 4))(volume(3, 6, 7, 8))


def test_the_small_network_computes_its_layout():
    """One stage and one position: by hand, from the weights."""
    torch.manual_seed(0)
    net = ResNet3D(classes=3, channels=2, widths=(4,)).eval()
    x = torch.randn(1, 2, 2, 2, 2)
    scale = 1 / (1 + net.bn1.eps) ** 0.5
    stem = (torch.einsum("oidhw,idhw->o", net.conv1.weight[..., 1:, 1:, 1:], x[0]) * scale).relu()
    block = net.layer1[0]
    middle = (block.conv1.weight[..., 1, 1, 1] @ stem * scale).relu()
    out = (block.conv2.weight[..., 1, 1, 1] @ middle * scale + stem).relu()
    torch.testing.assert_close(net(x)[0], net.fc(out))
    assert sum(p.numel() for p in ResNet3D().parameters()) == 897_618


def test_resnet3d_is_loaded_with_its_weights(tmp_path):
    torch.manual_seed(1)
    net = ResNet3D().eval()
    save_file({k: v.half() if v.ndim > 1 else v for k, v in net.state_dict().items()}, tmp_path / "a.safetensors")
    loaded = load("resnet3d", weights=tmp_path / "a.safetensors")
    x = loaded.preprocess(Volume(255 * torch.rand(1, 1, 28, 28, 28), np.eye(4), "voxel"))
    assert x.max() <= 1
    torch.testing.assert_close(loaded.module(x), net(x), rtol=1e-2, atol=1e-3)
    with pytest.raises(ValueError, match="resnet3d comes without weights of its own"):
        load("resnet3d")


# A small one of each kind; the checkpoint is a network's that MONAI built without this library.
NETWORKS = [
    ("resnet10(shape=(32, 32, 32))", lambda n: n.resnet10(spatial_dims=3, n_input_channels=1, num_classes=2)),
    (
        "densenet121(classes=3, shape=(32, 32, 32), init_features=8, growth_rate=4)",
        lambda n: n.DenseNet121(3, 1, 3, init_features=8, growth_rate=4),
    ),
    (
        "EfficientNet-b0(channels=2, shape=(32, 32, 32))",
        lambda n: n.EfficientNetBN("efficientnet-b0", False, spatial_dims=3, in_channels=2, num_classes=2),
    ),
    (
        "vit(shape=(16, 16, 16), patch_size=8, hidden_size=24, mlp_dim=24, num_layers=2, num_heads=2, classes=4)",
        lambda n: n.ViT(1, (16,) * 3, 8, 24, 24, 2, 2, classification=True, num_classes=4),
    ),
]


@pytest.mark.needs("monai")
@pytest.mark.parametrize(("text", "made"), NETWORKS, ids=[text.split("(")[0] for text, _ in NETWORKS])
def test_networks_of_monai_take_a_checkpoint_of_theirs(tmp_path, text, made):
    import monai.networks.nets

    torch.manual_seed(0)
    theirs = made(monai.networks.nets).eval()
    torch.save(theirs.state_dict(), tmp_path / "a.pth")
    loaded = load(f"monai:{text}", weights=tmp_path / "a.pth")
    x = torch.rand(1, *loaded.preprocess.shape)
    expected = theirs(x)
    expected = expected[0] if isinstance(expected, tuple) else expected
    torch.testing.assert_close(loaded.module(x), expected, rtol=0, atol=1e-5)
    assert loaded.name == f"monai:{text}"
    assert len(loaded.labels) == expected.shape[1]


@pytest.mark.needs("monai")
def test_swin_is_the_encoder_of_swinunetr_and_a_layer(tmp_path):
    from monai.networks.nets import SwinUNETR

    unetr = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, use_v2=False)
    head = {"head.weight": torch.rand(2, 192), "head.bias": torch.rand(2)}
    encoder = {f"encoder.{key}": value for key, value in unetr.swinViT.state_dict().items()}
    save_file(encoder | head, tmp_path / "a.safetensors")
    loaded = load("monai:swin(embed_dim=12, shape=(32, 32, 32))", weights=tmp_path / "a.safetensors")
    x = torch.rand(1, 1, 32, 32, 32)
    features = unetr.eval().swinViT(x)[-1].mean((2, 3, 4))
    torch.testing.assert_close(loaded.module(x), features @ head["head.weight"].T + head["head.bias"])


@pytest.mark.needs("monai")
def test_a_network_of_monai_is_explained(tmp_path):
    import monai.networks.nets

    torch.manual_seed(0)
    net = monai.networks.nets.resnet10(spatial_dims=3, n_input_channels=1, num_classes=1)
    torch.save(net.state_dict(), tmp_path / "a.pth")
    loaded = load("monai:resnet10(classes=1, shape=(16, 16, 16))", weights=tmp_path / "a.pth")
    assert loaded.probabilities(torch.zeros(1)).item() == 0.5  # one logit is of a yes
    x = torch.rand(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    a = wl.attribute(
        loaded.module, x, 0, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients(tolerance=0.02)
    )
    assert a.gap.abs().item() <= 0.02 * (a.score - a.baseline_score).abs().item()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnet19", r"MONAI has no model 'resnet19'\. Did you mean resnet1"),
        ("mednext", r"MONAI has no model 'mednext'\. It has resnet10"),
        ("resnet18(2)", r"a name and named arguments with literal values.*; got 'resnet18\(2\)'"),
        ("resnet18(classes=x)", r"a name and named arguments with literal values.*; got 'resnet18\(classes=x\)'"),
        ("resnet18(classes=2", r"a name and named arguments with literal values"),
    ],
)
def test_a_name_that_monai_lacks_says_so(tmp_path, text, message):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=message):
        load(f"monai:{text}", weights=tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda state: {name.replace("layer", "stage"): v for name, v in state.items()},
            r": \d+ of \d+ tensors are missing, such as 'layer1\.0\.conv1\.weight'; \d+ are unknown, .*\. Name",
        ),
        (
            lambda state: state | {"fc.weight": torch.zeros(3, 128)},
            r"model: 1 of \d+ tensors differs: 'fc\.weight' is \(3, 128\) in the file and \(2, 128\) in the model\.",
        ),
        (
            lambda state: {"model": {}, "epoch": 3},
            r"weights are a state dict of tensors; .*a\.pth holds none\. Save model\.state_dict\(\)",
        ),
        (
            lambda state: {name: v for name, v in state.items() if name != "fc.bias"},
            r"model: 1 of \d+ tensors is missing, such as 'fc\.bias'\. Name",
        ),
    ],
)
def test_weights_that_do_not_fit_say_what_differs(tmp_path, change, said):
    torch.save(change(ResNet3D().state_dict()), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=said):
        load("resnet3d", weights=tmp_path / "a.pth")


def test_weights_of_a_network_inside_another_are_taken(tmp_path):
    net = ResNet3D()
    torch.save({"state_dict": {f"net.{name}": value for name, value in net.state_dict().items()}}, tmp_path / "a.ckpt")
    loaded = load("resnet3d", weights=tmp_path / "a.ckpt").module
    torch.testing.assert_close(loaded.state_dict(), net.state_dict(), rtol=0, atol=0)


def test_monai_without_weights_says_so():
    with pytest.raises(ValueError, match="monai:resnet18 comes without weights; give a checkpoint"):
        load("monai:ResNet18")


@pytest.mark.needs("monai")
def test_arguments_that_a_network_refuses_say_so(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"monai:resnet10\(depth=3\) could not be built: .*'depth'"):
        load("monai:resnet10(depth=3)", weights=tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="could not be built: intensity must be a window"):
        load("monai:resnet10(intensity='ct')", weights=tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="does not fit"):
        load("monai:resnet10(shape=(16, 16, 16))", weights=tmp_path / "a.safetensors")


def test_every_name_is_one_of_monai():
    from wavelens.models.sources.monai import NAMES

    assert len({name.casefold() for name in NAMES}) == len(NAMES)
    fields = {"shape", "intensity", "orientation", "fit", "spacing", "channels", "resample"}
    assert inspect.signature(Voxels).parameters.keys() == fields


@pytest.mark.parametrize("intensity", [(0, 50), "range", "standard"])
@pytest.mark.parametrize("dtype", [torch.int16, torch.float32, torch.float64])
def test_preparing_leaves_the_volume_as_it_was(intensity, dtype):
    """Nothing is turned, cropped or resized here, so that a copy might be left out."""
    data = torch.arange(2 * 60).reshape(1, 2, 3, 4, 5).to(dtype)
    before = data.clone()
    x = Voxels((2, 3, 4, 5), intensity=intensity)(Volume(data, np.eye(4)))
    assert torch.equal(data, before)
    assert not torch.equal(x.to(dtype), before)


@pytest.mark.needs("nibabel")
@pytest.mark.parametrize("orientation", [None, "RAS", "LPI", "SAR"])
@pytest.mark.parametrize("fit", ["resize", "crop"])
def test_slabs_of_any_length_give_the_same_input(monkeypatch, orientation, fit):
    """To rounding: a product of fewer columns may be summed in another order."""
    volume = Volume(torch.from_numpy(ramp(2, 7, 8, 9))[None], np.diag([-1.0, 2.0, -3.0, 1.0]))
    prepare = Voxels((2, 5, 8, 12), intensity="standard", orientation=orientation, fit=fit)
    inputs = []
    for length in (1, 4, 1000):
        monkeypatch.setattr("wavelens.models.preparations.volume.SLAB_LENGTH", length)
        inputs.append(prepare(volume))
    for x in inputs[1:]:
        torch.testing.assert_close(x, inputs[0], rtol=1e-5, atol=1e-6)
