"""MNIST3D's clouds are their digits, turned as told, and a little training learns from them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "paper" / "mnist3d.py"


@pytest.fixture(scope="module")
def mnist3d():
    spec = importlib.util.spec_from_file_location("mnist3d", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.needs("sklearn")
def test_a_cloud_seen_from_above_is_its_digit(mnist3d):
    from sklearn.datasets import load_digits

    digit = load_digits().images[3]
    points = mnist3d.cloud(digit, np.random.default_rng(0))
    seen, _, _ = np.histogram2d(points[:, 0], points[:, 1], 8, [[-mnist3d.SPAN / 2, mnist3d.SPAN / 2]] * 2)
    np.testing.assert_array_equal(seen, np.rint(digit / 16 * mnist3d.POINTS))
    assert np.abs(points[:, 2]).max() <= mnist3d.DEPTH / 2


@pytest.mark.needs("sklearn")
def test_turning_keeps_lengths_and_stays_within_its_angles(mnist3d):
    points = np.eye(3)
    turns = [mnist3d.turned(points, np.random.default_rng(k)) for k in range(200)]
    for turn in turns:
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)
    up = np.rad2deg(np.arccos([turn[2, 2] for turn in turns]))
    assert 30 < up.max() <= 2 * mnist3d.TILT


@pytest.mark.needs("sklearn")
def test_voxels_count_the_points_in_them(mnist3d):
    points = np.array([[-14.0, -14, -14], [13.99, 0, 0], [13.5, 0.5, 0.5], [14.1, 0, 0], [0.5, 0.5, -0.5]])
    found = mnist3d.voxels(np.concatenate([points, np.repeat(points[-1:], 9, 0)]))
    expected = np.zeros((28, 28, 28))
    expected[0, 0, 0], expected[27, 14, 14], expected[14, 14, 13] = 1 / 3, 2 / 3, 1
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.needs("sklearn")
def test_splits_are_the_same_each_time_and_share_no_digit(mnist3d):
    x, digits = mnist3d.volumes("test")
    again, _ = mnist3d.volumes("test")
    assert torch.equal(x, again)
    assert (len(x), digits.unique().tolist()) == (360, list(range(10)))
    assert not torch.equal(x, mnist3d.volumes("test", seed=1)[0])


@pytest.mark.needs("sklearn")
def test_the_network_is_read_back_and_says_what_to_run_where_there_is_none(mnist3d, tmp_path):
    from safetensors.torch import save_file

    from wavelens.models import ResNet3D

    with pytest.raises(FileNotFoundError, match=r"no such weights: .*mnist3d\.safetensors\. Train them: python"):
        mnist3d.network(tmp_path)
    net = ResNet3D(classes=10, widths=mnist3d.WIDTHS).eval()
    save_file(net.state_dict(), tmp_path / "mnist3d.safetensors")
    loaded = mnist3d.network(tmp_path)
    x = torch.rand(2, *loaded.preprocess.shape)
    assert torch.equal(loaded.module(x), net(x))
    assert loaded.labels == tuple("0123456789")
