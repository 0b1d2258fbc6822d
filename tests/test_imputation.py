"""Removed coefficients take their neighbours' mean: the literal linear system, Quantus, and what has no neighbours."""

import itertools

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import PAIRS, Net, name, relative, signal
from wavelens.methods.averages import generator
from wavelens.metrics.imputation import imputed
from wavelens.seeds import stream
from wavelens.targets import ByItem

SHAPE = (12, 17)
CLASSES = [2, 0, 4]


def literal(values, removed, axes):
    """One band of one channel, by a dense system: a place is the mean of its neighbours, weights 1, 1/2, 1/4."""
    places = list(np.ndindex(*values.shape))
    number = {place: k for k, place in enumerate(places)}
    matrix, right = np.eye(len(places)), values.flatten().astype(float).copy()
    for place in places:
        if not removed[place]:
            continue
        row = number[place]
        matrix[row] = 0
        for offset in itertools.product((-1, 0, 1), repeat=axes):
            other = (
                *place[: len(place) - axes],
                *(a + b for a, b in zip(place[len(place) - axes :], offset, strict=True)),
            )
            if any(offset) and other in number:
                weight = 0.5 ** (sum(map(abs, offset)) - 1)
                matrix[row, row] += weight
                matrix[row, number[other]] -= weight
        right[row] = 0
    return np.linalg.lstsq(matrix, right, rcond=None)[0].reshape(values.shape)  # of least norm: zero where free


@pytest.mark.parametrize(("domain", "shape"), [p for p in PAIRS if p[1] in ((37,), (12, 17))], ids=name)
def test_the_linear_system_as_it_is_written(domain, shape):
    z = domain.analysis(signal(shape, batch=1))
    source = torch.Generator().manual_seed(1)
    removed = torch.rand(z.data.shape, generator=source) < 0.6
    found = wl.Coefficients(imputed(z, removed), z.layout)
    holes = wl.Coefficients(removed, z.layout)
    for band in z.layout.bands:
        for channel in range(2):
            if holes[band][0, channel].numel() > 60:
                continue
            parts = [
                part(z[band][0, channel]).numpy()
                for part in ((torch.real, torch.imag) if z.data.is_complex() else (torch.real,))
            ]
            expected = [literal(part, holes[band][0, channel].numpy(), len(shape)) for part in parts]
            value = found[band][0, channel]
            own = [value.real.numpy(), value.imag.numpy()] if z.data.is_complex() else [value.numpy()]
            for one, other in zip(own, expected, strict=True):
                assert np.abs(one - other).max() < 1e-9 * max(1, np.abs(other).max())
    assert torch.equal(found.data[~removed], z.data[~removed])


def test_three_axes_and_a_plane_comes_back_from_its_rim():
    places = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (5, 6, 7)), indexing="ij"))
    plane = (places * torch.tensor([1.0, -2, 0.5])[:, None, None, None]).sum(0)
    z = wl.Identity().analysis(plane[None, None])
    inside = torch.zeros(5, 6, 7, dtype=torch.bool)
    inside[1:-1, 1:-1, 1:-1] = True
    assert relative(imputed(z, inside.flatten()[None, None]), z.data) < 1e-9


def test_what_has_no_neighbours_left_goes_to_zero():
    z = wl.DWT("haar", levels=2).analysis(signal((16, 16)))
    band = z.layout.bands[0]
    removed = torch.zeros(3, 1, z.layout.size, dtype=torch.bool)
    removed[..., z.layout.slices[band]] = True
    found = wl.Coefficients(imputed(z, removed), z.layout)
    assert (found[band] == 0).all()
    z = wl.Fourier().analysis(signal((16,)))
    assert (imputed(z, torch.ones_like(z.data, dtype=torch.bool)) == 0).all()


def test_rows_are_solved_by_themselves():
    z = wl.DWT("db2", levels=2).analysis(signal(SHAPE))
    removed = (
        torch.rand(z.data.shape, generator=torch.Generator().manual_seed(1))
        < torch.tensor([0.2, 0.9, 0.99])[:, None, None]
    )
    together = imputed(z, removed)
    for i in range(3):
        assert relative(imputed(wl.core.one_item(z, i), removed[i : i + 1]), together[i : i + 1]) < 1e-11


@pytest.mark.needs("quantus")
def test_quantus_imputes_alike_and_has_the_same_accuracy():
    import quantus

    shape = (8, 8)
    net, x = Net(shape, channels=1).float(), signal(shape, channels=1).float()
    a = wl.attribute(net, x, CLASSES, domain=wl.Identity(), method=wl.Saliency())
    removed = np.random.default_rng(0).permutation(64)[:40]
    mask = torch.zeros(1, 1, 64, dtype=torch.bool)
    mask[..., removed] = True
    theirs = quantus.functions.perturb_func.noisy_linear_imputation(x[0].numpy(), removed.copy(), noise=0.0)
    ours = imputed(wl.Identity().analysis(x[:1]), mask)
    assert relative(ours.reshape(1, *shape), torch.as_tensor(theirs, dtype=torch.float32)) < 1e-4
    heat = a.data.abs().numpy().reshape(3, 1, *shape)
    road = quantus.ROAD(
        percentages=list(range(10, 100, 10)), noise=0.0, abs=True, normalise=False, disable_warnings=True
    )
    shares = road(net, x.numpy(), np.array(CLASSES), a_batch=heat, device="cpu")
    classes = torch.tensor(CLASSES)
    right = ByItem(lambda output, items: (output.argmax(1) == classes[items]).to(output))
    found = wl.metrics.road(net, x, right, a, sigma=0.0)
    assert abs(float(found.mean()) - np.mean(list(shares.values()))) < 1e-6


def test_road_is_the_mean_along_the_steps():
    net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT("haar", levels=2)
    a = wl.attribute(net, x, CLASSES, domain=domain, method=wl.IntegratedGradients(steps=4))
    z, size = domain.analysis(x), a.layout.size
    expected = torch.zeros(3, dtype=x.dtype)
    for k in range(1, 4):
        mask = wl.masks.top(a, k / 4).data.bool()
        noise = torch.randn(2, size, generator=generator(stream(5, "coefficients"), k - 1, x.device))
        spans = (x.flatten(1).amax(1) - x.flatten(1).amin(1)).reshape(-1, 1, 1)
        filled = torch.where(mask, imputed(z, mask) + 0.1 * spans * noise, z.data)
        expected += net(z.map(lambda _, filled=filled: filled).synthesis()).softmax(1)[range(3), CLASSES].detach() / 3
    found = wl.metrics.road(net, x, CLASSES, a, steps=4, sigma=0.1, seed=5)
    assert relative(found, expected) < 1e-9
    assert relative(wl.metrics.road(net, x, CLASSES, a, steps=4, sigma=0.1, seed=6), found) > 1e-6


def test_options():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.Identity())
    with pytest.raises(ValueError, match="steps must be two or more, the last of which is not taken; got steps=1"):
        wl.metrics.road(net, x, CLASSES, a, steps=1)
    with pytest.raises(ValueError, match="sigma, a fraction of the signal's range"):
        wl.metrics.road(net, x, CLASSES, a, sigma=-0.1)
