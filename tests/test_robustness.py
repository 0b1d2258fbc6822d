"""What the paper's open check is measured with: corruptions, the attack, and correlations with intervals."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cases import relative, signal

BENCHMARKS = Path(__file__).parents[1] / "benchmarks" / "paper"


def module(name):
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


INPUTS = module("robustness_inputs")


def pictures(channels=3):
    return signal((24, 20), batch=4, channels=channels).div(30).add(0.5).clamp(0, 1).float()


def test_noise_has_its_deviation_and_is_the_same_for_every_network():
    grey = torch.full((2, 3, 64, 64), 0.5)
    found = INPUTS.noise(grey, 0.1)
    assert (found - grey).std().item() == pytest.approx(0.1, rel=0.02)
    assert torch.equal(found, INPUTS.noise(grey, 0.1))
    assert not torch.equal(found, INPUTS.noise(grey, 0.1, seed=1))


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_a_blurred_point_is_a_gaussian_of_its_deviation_and_a_constant_stays(sigma):
    point = torch.zeros(1, 2, 41, 41)
    point[..., 20, 20] = 1
    spread = INPUTS.blur(point, sigma)[0, 1]
    places = torch.arange(41) - 20.0
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    for along in (spread.sum(0), spread.sum(1)):
        assert (along * places**2).sum().sqrt().item() == pytest.approx(sigma, rel=0.02)
    constant = torch.full((1, 3, 9, 9), 0.3)
    assert relative(INPUTS.blur(constant, sigma), constant) < 1e-6


def test_contrast_keeps_the_mean_and_scales_what_departs_from_it():
    x = pictures()
    found = INPUTS.contrast(x, 0.25)
    mean = x.mean((1, 2, 3), keepdim=True)
    assert relative(found - mean, 0.25 * (x - mean)) < 1e-5


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_loses_the_more_the_lower_its_quality(channels):
    x = INPUTS.blur(pictures(channels), 2.0)
    lost = [(INPUTS.jpeg(x, quality) - x).abs().mean().item() for quality in (100, 50, 8)]
    assert lost[0] < 0.01
    assert lost[0] < lost[1] < lost[2]
    assert INPUTS.jpeg(x, 50).shape == x.shape


def test_the_attack_finds_the_corner_of_its_box_for_a_linear_model_and_leaves_no_gradient():
    """The loss of a linear model of two classes rises along the sign of its weights: the worst change is known."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    x, labels = torch.full((3, 3, 2, 2), 0.5), torch.tensor([0, 1, 0])
    found = INPUTS.pgd(net, x, labels, 0.03, steps=10)
    weight = net[1].weight.detach()
    way = torch.stack([weight[1 - label] - weight[label] for label in labels]).sign().view(3, 3, 2, 2)
    assert relative(found - x, 0.03 * way) < 1e-4
    assert not found.requires_grad
    assert net[1].weight.grad is None


@pytest.mark.needs("skimage", "sklearn")
def test_correlations_and_their_intervals_are_those_of_known_networks():
    robustness = module("robustness")
    random = np.random.default_rng(0)
    networks, items = 8, 400
    fine = np.linspace(0.1, 0.5, networks)
    share = np.zeros((networks, items, 6))
    share[..., -1] = fine[:, None]
    share[..., 0] = 1 - fine[:, None]

    def right(rate, severities):
        return (random.random((networks, items, severities)) < np.reshape(rate, (-1, 1, 1))).astype(float)

    found = {"share": share, "gradient": random.random((networks, items)), "clean": np.ones((networks, items))}
    found |= {name: right(1 - fine, 3) for name in ("noise", "blur", "jpeg", "contrast")}
    found["PGD"] = right(fine, 3)
    value = robustness.correlations(found)
    assert value["share of d1"]["noise"] == value["share of d1 and d2"]["all four"] == pytest.approx(-1)
    assert value["mean level, less is finer"]["PGD"] == pytest.approx(1)
    assert np.isnan(value["control: clean error"]["PGD"])
    robustness.DRAWS = 40
    told = robustness.intervals(found, [f"recipe {k // 2}" for k in range(networks)])
    row = told["share of d1"]["noise, kept"]
    assert row["rho"] == -1
    assert -1 <= row["from"] <= row["to"] < -0.9
    assert told["control: clean error"]["PGD"] == {"rho": None, "from": None, "to": None}  # all are right
    wide = told["control: gradient"]["noise"]
    assert wide["to"] - wide["from"] > 0.3


@pytest.mark.needs("skimage", "sklearn")
def test_a_recipe_trains_goes_on_and_is_kept(tmp_path):
    nets = module("robustness_nets")
    task = nets.textures()
    assert task.test.shape == (len(nets.PICTURES) * nets.TEST_CROPS, 1, nets.SIZE, nets.SIZE)
    path = tmp_path / "net.safetensors"
    net = nets.trained(task, "PGD 2/255", 0, 2, path)
    again = nets.trained(task, "PGD 2/255", 0, 2, path)
    other = nets.trained(task, "standard", 0, 2, tmp_path / "other.safetensors")
    with torch.no_grad():
        own, same, plain = (one(task.test[:3]) for one in (net, again, other))
    assert torch.equal(own, same)
    assert not torch.equal(own, plain)
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["net.safetensors", "other.safetensors"]


@pytest.mark.needs("skimage", "sklearn")
def test_training_crops_and_test_crops_share_no_pixel():
    nets = module("robustness_nets")
    for name in nets.PICTURES:
        left, right = nets._halves(name)
        assert left.shape[0] == right.shape[0]
        assert min(left.shape[1], right.shape[1]) >= nets.SIZE


@pytest.mark.needs("skimage", "sklearn")
def test_every_network_has_files_of_its_own():
    robustness = module("robustness")
    seeds = [(task, recipe, seed) for task in robustness.STEPS for recipe in robustness.RECIPES for seed in (0, 1)]
    paths = [path for which in seeds for path in robustness.files(*which)]
    assert len(set(paths)) == len(paths) == 64


@pytest.mark.needs("skimage", "sklearn")
def test_a_network_that_always_says_the_same_is_at_chance():
    labels = torch.tensor([0] * 60 + [1] * 33)
    chosen = labels[module("robustness").balanced(labels)]
    assert chosen.bincount().tolist() == [33, 33]
    assert (torch.zeros_like(chosen) == chosen).float().mean() == 0.5
