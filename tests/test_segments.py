"""Segments removed one after another: closed forms of linear models, and Quantus with the same superpixels."""

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal
from wavelens.core import real_product
from wavelens.metrics.removals import cells

SHAPE = (12, 17)
CLASSES = [2, 0, 4]


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_a_linear_model_loses_what_its_segments_are_worth(domain):
    x = signal(SHAPE).abs() + 1
    w = torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    z = domain.analysis(x)
    gains = z.map(lambda data: real_product(data, domain.adjoint(w[None].expand_as(x), z.layout).data))
    labels = cells(z.layout, 3)
    count = int(labels.max()) + 1
    found = wl.metrics.irof(lambda s: (s * w).sum((1, 2, 3)), x, None, gains, grid=3, fill="zero")
    for i in range(3):
        sizes = torch.stack([gains.data[i].abs().mean(0)[labels == k].mean() for k in range(count)])
        worth = torch.stack([gains.data[i].sum(0)[labels == k].sum() for k in range(count)])
        lost = worth[sizes.argsort(descending=True)].cumsum(0)
        curve = 1 - torch.cat([torch.zeros(1, dtype=x.dtype), lost]) / worth.sum()
        assert abs(found[i] - (1 - torch.trapezoid(curve, dx=1 / count))) < 1e-9


@pytest.mark.needs("quantus")
def test_quantus_has_the_same_area_for_the_same_superpixels(monkeypatch):
    import quantus
    from quantus.helpers.utils import get_superpixel_segments

    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # quantus 0.6 is of before NumPy 2

    shape = (24, 24)
    source = torch.Generator().manual_seed(0)
    weights = torch.randn(24 * 24, 5, generator=source) / 10
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24 * 24, 5, bias=False)).eval()
    net[1].weight.data.copy_(weights.T)
    x = torch.rand(3, 1, *shape, generator=source)
    a = wl.attribute(net, x, CLASSES, domain=wl.Identity(), method=wl.InputTimesGradient())
    heat = a.data.abs().mean(1, keepdim=True).reshape(3, 1, *shape)
    labels = [get_superpixel_segments(one.movedim(0, -1).double().numpy(), "slic") for one in x]
    segments = torch.stack([torch.as_tensor(np.asarray(one)).flatten() for one in labels])
    metric = quantus.IROF(segmentation_method="slic", perturb_baseline=0.0, abs=False, normalise=False,
                          disable_warnings=True, return_aggregate=False)  # fmt: skip
    theirs = torch.tensor(metric(net, x.numpy(), np.array(CLASSES), a_batch=heat.numpy(), device="cpu"))
    ours = wl.metrics.irof(net, x, CLASSES, a, segments=segments, fill="zero")
    whole, first = net(x).softmax(1)[range(3), CLASSES], []
    for i, own in enumerate(segments):
        means = torch.stack([heat[i].flatten()[own == k].mean() for k in own.unique()])
        mask = (own == own.unique()[means.argmax()]).reshape(shape)
        first.append(net(x[i : i + 1].masked_fill(mask, 0)).softmax(1)[0, CLASSES[i]])
    count = torch.tensor([len(own.unique()) for own in segments])
    # theirs begins at one segment removed, ours at none, and theirs is not divided by their number
    area = (1 - ours) * count - (1 + torch.stack(first).detach() / whole.detach()) / 2
    assert relative(count - area, theirs.to(area)) < 1e-4


def test_items_have_their_own_segments():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=wl.Identity(), method=wl.InputTimesGradient())
    segments = torch.stack([torch.arange(204) // size * 7 for size in (40, 100, 204)])  # with gaps in their numbers
    together = wl.metrics.irof(net, x, CLASSES, a, segments=segments)
    for i in range(3):
        alone = wl.metrics.irof(net, x[i : i + 1], CLASSES[i], a.item(i), segments=segments[i])
        assert relative(alone, together[i : i + 1]) < 1e-12
    one = wl.metrics.irof(net, x[2:], CLASSES[2], a.item(2), segments=segments[2], fill="zero")
    blank = net(torch.zeros_like(x[2:])).softmax(1)[0, CLASSES[2]] / net(x[2:]).softmax(1)[0, CLASSES[2]]
    assert relative(one, 1 - (1 + blank[None]) / 2) < 1e-12


def test_options():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.DWT("haar", levels=2))
    for segments in (torch.zeros(7, dtype=torch.long), torch.zeros(204), [0, 1]):
        with pytest.raises(
            ValueError, match=r"segments must be whole numbers, one per coefficient, \(\d+,\) or \(3, \d+\)"
        ):
            wl.metrics.irof(net, x, CLASSES, a, segments=segments)
    with pytest.raises(ValueError, match="grid must be a whole number from 1; got grid=0"):
        wl.metrics.irof(net, x, CLASSES, a, grid=0)
    with pytest.raises(ValueError, match="a baseline goes with fill='zero'; got one with fill='mean'"):
        wl.metrics.irof(net, x, CLASSES, a, baseline=0.5)
