"""What changes in time carries a decision about motion, and not one about colour, in nets that learn either here."""

import importlib
from pathlib import Path

import pytest
import torch

import wavelens as wl

pytestmark = pytest.mark.slow

SMALL = {"frames": 8, "side": 16}
TIME = wl.DWT("haar", levels=(3, 0, 0))  # down to the mean of all frames


@pytest.fixture(scope="module")
def motion():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks" / "paper"))
        return importlib.import_module("motion")


@pytest.fixture(scope="module")
def nets(motion):
    return {task: motion.train(task, steps=120, rate=1e-2, width=8, **SMALL) for task in motion.NAMES}


def test_no_frame_tells_the_direction_and_any_tells_the_ground(motion):
    """Turned around in time, a clip is one of the opposite direction: each frame is as likely in either."""
    x, answers = motion.clips(64, seed=5, noise=0, **SMALL)
    right = answers["motion"] == 0
    shift = x[:, :, 1:].roll(-1, -1) - x[:, :, :-1]  # frame by frame a pixel or two to the left again
    stay = x[:, :, 1:] - x[:, :, :-1]
    assert (shift[right].square().mean() < 0.5 * stay[right].square().mean()).all()
    assert (answers["ground"] == x.amin((2, 3, 4)).argmax(1))[answers["ground"] < 3].all()


def test_what_changes_carries_motion_and_not_colour(motion, nets):
    x, answers = motion.clips(96, seed=999, **SMALL)
    share, still = {}, {}
    for task, net in nets.items():
        assert motion.accuracy(net, x, answers[task]) > 0.85
        share[task] = motion.moving_share(net, x, answers[task], TIME).mean().item()
        still[task] = motion.accuracy(net, motion.part(x, "still", TIME), answers[task])
    assert share["motion"] > 1.5 * share["ground"]
    assert still["motion"] < 0.5  # chance, or the axis of the trail at most
    assert still["ground"] > 0.85
    assert motion.accuracy(nets["motion"], motion.part(x, "moving", TIME), answers["motion"]) > 0.6


def test_opponent_motion_energy_of_two_frames_is_half_what_changes_and_half_what_stays():
    """A closed form: it is a product of their difference and their mean, and integrated gradients share it equally."""
    x = torch.rand(4, 1, 2, 1, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def opponent(x):
        before, after = x[:, 0, 0, 0], x[:, 0, 1, 0]
        return (before * after.roll(-1, -1) - after * before.roll(-1, -1)).sum(-1, keepdim=True)

    a = wl.attribute(opponent, x, 0, domain=wl.DWT("haar", levels=(1, 0, 0)), method=wl.IntegratedGradients(steps=4))
    signed = wl.maps.profile(a).signed
    torch.testing.assert_close(signed[:, 0], a.score / 2)
    torch.testing.assert_close(signed[:, 1], a.score / 2)
    still = x[:, :, :1].expand_as(x)
    assert opponent(still).abs().max() < 1e-12
