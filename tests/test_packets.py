"""Wavelet packets and the stationary transform, against PyWavelets and their own laws."""

import numpy as np
import pytest
import pywt
import torch

import wavelens as wl
from cases import SHAPES, relative, signal
from wavelens.domains import undecimated

WAVELETS = ["haar", "db4", "sym5", "bior2.4", "rbio3.1", "coif1"]


@pytest.mark.parametrize("mode", ["periodization", "reflect", "zero", "smooth"])
@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize(("n", "levels"), [(32, 3), (37, 2), (64, 1)])
def test_uniform_bands_are_those_of_pywavelets_in_their_order(wavelet, mode, n, levels):
    x = signal((n,), 1, 1)
    z = wl.Packets(wavelet, levels, mode).analysis(x)
    tree = pywt.WaveletPacket(x[0, 0].numpy(), wavelet, mode=mode, maxlevel=levels)
    for band, node in zip(z.layout.bands, tree.get_level(levels, "freq"), strict=True):
        np.testing.assert_allclose(z[band][0, 0].numpy(), node.data, atol=1e-10)


@pytest.mark.parametrize("shape", [(16, 24), (9, 12), (8, 8, 8)], ids=str)
def test_bands_of_several_axes_are_those_of_pywavelets(shape):
    x = signal(shape, 1, 1)
    z = wl.Packets("db2", 2, "symmetric").analysis(x)
    tree = pywt.WaveletPacketND(x[0, 0].numpy(), "db2", mode="symmetric", maxlevel=2)
    theirs = sorted((np.sort(node.data.ravel()) for node in tree.get_level(2)), key=lambda part: part.tolist())
    ours = sorted((np.sort(part.numpy().ravel()) for _, part in z), key=lambda part: part.tolist())
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_packets_of_an_orthogonal_wavelet_keep_the_norm(shape):
    x = signal(tuple(n - n % 4 for n in shape))
    z = wl.Packets("db3", 2).analysis(x)
    assert relative(z.data.square().sum(-1), x.square().flatten(2).sum(-1)) < 1e-11
    assert z.layout.size == x[0, 0].numel()


@pytest.mark.parametrize(
    ("basis", "shape"),
    [
        (("a", "da", "dd"), (32,)),
        (("aaa", "aad", "ad", "d"), (37,)),
        (("aa", "adaa", "adad", "adda", "addd", "da", "dd"), (16, 12)),
    ],
    ids=str,
)
def test_a_given_basis(basis, shape):
    domain, x = wl.Packets("db2", basis=basis), signal(shape)
    z = domain.analysis(x)
    assert wl.parse(repr(domain)) == domain
    assert relative(z.synthesis(), x) < 1e-12
    c, g = z.map(torch.randn_like), torch.randn_like(x)
    assert abs((c.synthesis() * g).sum() - (c.data * domain.adjoint(g, z.layout).data).sum()) < 1e-9
    assert len(z.layout.bands) == len(basis)


def test_a_dyadic_basis_is_the_dwt():
    x = signal((32,))
    z, dwt = wl.Packets("db4", basis=("aaa", "aad", "ad", "d")).analysis(x), wl.DWT("db4", 3).analysis(x)
    assert relative(z.data, dwt.data) < 1e-13
    extents = [scale.extent for scale in z.layout.scales().values()]
    assert extents == [scale.extent for scale in dwt.layout.scales().values()]


def test_the_best_basis_is_the_cheapest_of_all():
    """Of the five bases of two levels, by hand."""
    x = torch.sin(2.0 * torch.arange(64, dtype=torch.float64))[None, None] + 0.3 * signal((64,), 1, 1)
    bases = [("",), ("a", "d"), ("aa", "ad", "d"), ("a", "da", "dd"), ("aa", "ad", "da", "dd")]

    def entropy(basis):
        share = wl.Packets("db4", basis=basis).analysis(x).data.square() / x.square().sum()
        return float(-torch.xlogy(share, share).sum())

    costs = {basis: entropy(basis) for basis in bases}
    found = wl.best_basis(x, wl.Packets("db4", levels=2))
    assert found.basis == min(costs, key=costs.get)
    assert len({round(cost, 6) for cost in costs.values()}) == 5  # or any would do
    other = wl.best_basis(x, wl.Packets("db4", levels=2), "log-energy")
    assert relative(other.analysis(x).synthesis(), x) < 1e-12


@pytest.mark.parametrize(
    ("basis", "shape"),
    [
        (("a",), (16,)),
        (("a", "d", "da"), (16,)),
        (("a", "a"), (16,)),
        (("a", "d"), (16, 16)),
        (("x", "d"), (16,)),
        ((), (16,)),
    ],
    ids=str,
)
def test_nodes_that_make_no_basis(basis, shape):
    with pytest.raises(ValueError, match="nodes that make up the signal and do not hold one another, with"):
        wl.Packets(basis=basis).layout(shape)


def test_more_levels_than_samples():
    with pytest.raises(
        ValueError, match=r"levels=5 needs axes of at least 32 samples; got \(16,\). Pass at most levels=4"
    ):
        wl.Packets(levels=5).layout((16,))
    with pytest.raises(
        ValueError, match=r"levels=5 needs axes of at least 32 samples; got \(16,\). Pass at most levels=4"
    ):
        wl.Stationary(levels=5).layout((16,))
    with pytest.raises(ValueError, match="cost must be one of entropy, log-energy; got 'l1'"):
        wl.best_basis(signal((16,)), wl.Packets(), "l1")


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize(("shape", "levels"), [((32,), 3), ((16, 24), 2), ((8, 8, 8), 2)], ids=str)
def test_stationary_coefficients_are_those_of_pywavelets(wavelet, shape, levels):
    x = signal(shape, 2)
    z = wl.Stationary(wavelet, levels).analysis(x)
    first, *rest = pywt.swtn(x.numpy(), wavelet, levels, axes=range(2, x.ndim), norm=True, trim_approx=True)
    expected = [first, *(level[key] for level in rest for key in sorted(level))]
    for (_, part), theirs in zip(z, expected, strict=True):
        np.testing.assert_allclose(part.numpy(), theirs, atol=1e-11)


@pytest.mark.parametrize("shape", [(37,), (12, 17), (5, 6, 7)], ids=str)
def test_a_shifted_signal_has_shifted_coefficients(shape):
    x, domain = signal(shape), wl.Stationary("db2", 2)
    dims, shifts = tuple(range(2, x.ndim)), tuple(range(3, 3 + len(shape)))
    z, moved = domain.analysis(x), domain.analysis(x.roll(shifts, dims))
    for (_, part), (_, other) in zip(z, moved, strict=True):
        assert relative(other, part.roll(shifts, dims)) < 1e-12
    assert relative(wl.DWT("db2", 2).analysis(x.roll(shifts, dims)).data, wl.DWT("db2", 2).analysis(x).data) > 0.1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_stationary_keeps_the_norm_and_its_synthesis_is_the_mean_of_inverses(shape):
    x, domain = signal(shape), wl.Stationary("db3", 2)
    z = domain.analysis(x)
    assert relative(z.data.square().sum(-1), x.square().flatten(2).sum(-1)) < 1e-11
    assert relative(domain.adjoint(x, z.layout).data, z.data) < 1e-11  # of an orthogonal wavelet
    assert not wl.maps.has_mosaic(z.layout)


def test_the_synthesis_is_the_mean_of_the_shifted_inverses():
    """Cycle spinning: one level of any coefficients, by the two decimated inverses."""
    domain, layout = wl.Stationary("db2", 1), wl.Stationary("db2", 1).layout((16,))
    c = wl.Coefficients(torch.randn(1, 1, 32, dtype=torch.float64), layout)
    low, high = (part[0, 0].numpy() for _, part in c)
    inverses = []
    for shift in (0, 1):
        even = [np.roll(part, -shift)[::2] * 2**0.5 for part in (low, high)]
        inverses.append(np.roll(pywt.idwt(*even, "db2", "periodization"), shift))
    expected = np.mean(inverses, 0)
    distances = [np.abs(np.roll(expected, k) - domain.synthesis(c)[0, 0].numpy()).max() for k in range(16)]
    assert min(distances) < 1e-12


@pytest.mark.parametrize("wavelet", ["db4", "bior2.4", "rbio3.1"])
def test_filters_tap_by_tap_are_those_by_their_spectra(wavelet, monkeypatch):
    x, domain = signal((41,)), wl.Stationary(wavelet, 3)
    z, ways = domain.analysis(x), []
    for most in (0, undecimated.MAX_TAPS):
        monkeypatch.setattr(undecimated, "MAX_TAPS", most)
        ways.append([domain.analysis(x).data, domain.adjoint(x, z.layout).data, domain.synthesis(z)])
    for by_spectra, by_taps in zip(*ways, strict=True):
        assert relative(by_taps, by_spectra) < 1e-13
        assert not torch.equal(by_taps, by_spectra)  # or one way would be tested
