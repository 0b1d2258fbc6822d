"""A module of a user's own, as text, for tests that write it into a working folder."""

NAME = "mine_own"
MINE = """
from dataclasses import dataclass

import torch
from torch import nn

import wavelens as wl
from wavelens.extending import Band, Case, Coefficients, Column, Domain, Layout, Metric, Outcome
from wavelens.extending import less_is_better, signal_axes


@dataclass(frozen=True)
class Halved(Domain):
    '''Samples, each times `factor`.'''

    factor: float = 0.5
    inner: Domain = wl.Identity()

    def analysis(self, x):
        shape = signal_axes(x)
        return Coefficients(x.flatten(2) * self.factor, Layout(self, shape, (Band(0, "", shape),)))

    def synthesis(self, c):
        return (c.data / self.factor).unflatten(-1, c.layout.signal_shape)


@dataclass(frozen=True)
class Twice:
    '''Twice the gradient at the input.'''

    times: float = 2.0

    def __call__(self, ask, lifts, baseline):
        g, _ = ask.at_input()
        return Outcome([self.times * lift.pull(g) for lift in lifts])


@dataclass(frozen=True)
class Copied:
    '''The input as its own explanation.'''

    def __call__(self, model, x, target, *, batch_size=None):
        return wl.Identity().analysis(x)


@dataclass(frozen=True)
class Grey:
    '''The mean of each channel.'''

    def __call__(self, x):
        return x.mean((2, 3), keepdim=True).expand_as(x)


def summed(model, x, target, attribution, *, power=1.0):
    return attribution.data.abs().pow(power).sum((1, 2))


@less_is_better
def drawn(model, x, target, attribution, *, seed=0, batch_size):
    return torch.full((len(x),), float(seed % 1000 + batch_size))


def needy(model, x, target, attribution, *, k):
    return x.sum((1, 2, 3)) + k


def wrong(model, x, target, attribution):
    return attribution.data


@dataclass(frozen=True)
class Both(Metric):
    power: float = 1.0

    columns = (
        Column("low", "less", middle="median"), Column("high", "more"), Column("path", is_curve=True)
    )

    def __call__(self, case: Case):
        size = case.attribution.data.abs().pow(self.power).flatten(1)
        return size.amin(1), size.amax(1), size.sort(1).values[:, :5]


@dataclass
class Loose:
    pass


class Fails(Twice):
    def __init__(self):
        raise KeyError("broken on purpose")


thing = 3


def net():
    torch.manual_seed(0)
    module = nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(192, 3)).eval()
    return wl.models.LoadedModel(
        module, ("a", "b", "c"), wl.models.Geometry((16, 16), (16, 16), squash=True), "net"
    )
"""


def own(text):
    return f"{NAME}:{text}"
