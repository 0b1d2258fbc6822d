"""The transform against PyWavelets, and the laws of a linear map with a left inverse and an adjoint."""

import warnings

import numpy as np
import pytest
import pywt
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from cases import DOMAINS, PAIRS, SHAPES, UNEVEN, held, name, relative, signal, takes
from wavelens import DWT, Band, Coefficients, Domain, DualTree, Identity, Layout, Packets, Stationary, precision
from wavelens.core import real_product
from wavelens.domains import butterfly, filterbank, from_pywt, to_pywt
from wavelens.domains.delays import delay

MODES = pywt.Modes.modes
LARGER = [(domain, shape) for shape in [(333,), (150, 41)] for domain in DOMAINS if takes(domain, shape)]
CASES = PAIRS + LARGER + UNEVEN
LONG = [(333,), (1000,), (1201,), (150, 41), (97, 130)]  # beyond filterbank.SHORT_AXIS by blocks, then windows


def reference(x, domain, levels):
    """PyWavelets' own coefficients, batch first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deep levels of short signals
        return pywt.wavedecn(x.numpy(), domain.wavelet, domain.mode, level=levels, axes=tuple(range(2, x.ndim)))


def agree(mine, theirs):
    """The largest error relative to the largest coefficient; the structure must be the same."""
    flat = [theirs[0], *(d[key] for d in theirs[1:] for key in sorted(d))]
    found = [mine[0], *(d[key] for d in mine[1:] for key in sorted(d))]
    assert [a.shape for a in found] == [b.shape for b in flat]
    assert [sorted(d) for d in mine[1:]] == [sorted(d) for d in theirs[1:]]
    return max(np.abs(a - b).max() for a, b in zip(found, flat, strict=True)) / max(np.abs(b).max() for b in flat)


def check(domain, shape):
    x = signal(shape, batch=2, channels=1)
    c = domain.analysis(x)
    theirs = reference(x, domain, c.layout.levels)
    assert agree(to_pywt(c), theirs) < 1e-10
    back = pywt.waverecn(theirs, domain.wavelet, domain.mode, axes=tuple(range(2, x.ndim)))
    back = torch.from_numpy(back[tuple(slice(n) for n in x.shape)])
    assert relative(domain.synthesis(c), back) < 1e-10
    error = relative(back, x)  # of PyWavelets: tables of long filters, and dmey by design, are not exact
    assert relative(domain.synthesis(c), x) < max(1e-10, 2 * error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", pywt.families())
def test_every_wavelet_and_mode_is_that_of_pywavelets(family, mode):
    for wavelet in set(pywt.wavelist(family)) & set(pywt.wavelist(kind="discrete")):
        check(DWT(wavelet, 1, mode), (13, 6))
        check(DWT(wavelet, 2, mode), (20,))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym8", "bior2.4", "rbio1.5", "dmey"])
def test_windows_of_long_axes_are_those_of_pywavelets(wavelet, mode, monkeypatch):
    for shape in LONG:
        check(DWT(wavelet, 2, mode), shape)
    monkeypatch.setattr("wavelens.domains.filterbank.RUN_WINDOWS", 5)  # a few at a time, as of minutes
    for shape in LONG:
        check(DWT(wavelet, 2, mode), shape)


def test_windows_of_a_long_axis_are_no_copy_of_it(tmp_path):
    """As many samples as four minutes of sound at 16 kHz, float32; with all windows at once 4.2 and 4.7 copies."""
    x, domain = torch.rand(1, 1, 4_000_000), DWT("db4", levels=6)
    z = domain.analysis(x)
    assert held(lambda: domain.analysis(x), tmp_path) < 3.5 * x.nbytes
    assert held(z.synthesis, tmp_path) < 4 * x.nbytes


@pytest.mark.parametrize("levels", [0, 1, 2, 3, None])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", ["haar", "db2", "bior2.2"])
def test_every_level_and_number_of_axes_is_that_of_pywavelets(wavelet, mode, levels):
    for shape in [(8,), (64,), (9, 14), (8, 9, 10), (2,), (3, 2)]:
        if levels is None or 2**levels <= min(shape):
            check(DWT(wavelet, levels, mode), shape)


def test_four_axes():
    check(DWT("db2", 1, "reflect"), (4, 5, 6, 7))
    check(DWT("haar"), (4, 4, 5, 4))


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 30), (5, 1, 9)])
def test_an_axis_of_one_sample_has_no_levels_and_comes_back(shape):
    x = signal(shape)
    c = DWT("haar").analysis(x)
    assert c.layout.levels == 0
    assert torch.equal(c.synthesis(), x)


def test_none_takes_the_levels_that_pywavelets_deems_sensible():
    for wavelet, shape in [("haar", (64, 100)), ("db4", (64, 100)), ("db4", (28, 28, 28)), ("sym8", (220500,))]:
        layout = DWT(wavelet).layout(shape)
        assert layout.levels == pywt.dwtn_max_level(shape, wavelet)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", ["haar", "db3", "bior2.4"])
@pytest.mark.parametrize(
    ("levels", "shape"),
    [
        ((1, 3), (9, 17)),
        ((3, 1), (16, 8)),
        ((0, 2), (3, 40)),
        ((2, 0), (130, 3)),
        ((1, 2, 3), (5, 6, 8)),
        ((2, 0, 1), (8, 3, 6)),
        ((0, 3, 0), (2, 9, 3)),
        ((1, 0, 2, 1), (4, 3, 5, 2)),
    ],
)
def test_levels_of_each_axis_are_steps_of_pywavelets_along_the_axes_still_split(wavelet, mode, levels, shape):
    domain, x = DWT(wavelet, levels, mode), signal(shape, batch=2, channels=1)
    c, low, expected, steps = domain.analysis(x), x.numpy(), {}, []
    for level in range(1, max(levels) + 1):
        axes = [k for k, depth in enumerate(levels) if level <= depth]
        parts = pywt.dwtn(low, wavelet, mode, axes=[2 + k for k in axes])
        for letters, values in parts.items():
            key = ["a"] * len(shape)
            for k, letter in zip(axes, letters, strict=True):
                key[k] = letter
            expected[level, "".join(key)] = values
        steps.append((low.shape, axes, parts))
        low = expected.pop((level, "a" * len(shape)))
    expected[max(levels), "a" * len(shape)] = low
    assert {(band.level, band.key) for band in c.layout.bands} == set(expected)
    flat = torch.cat([torch.from_numpy(expected[band.level, band.key]).flatten(2) for band in c.layout.bands], -1)
    assert relative(c.data, flat) < 1e-10  # relative to the largest of all: a band may be zero

    for before, axes, parts in reversed(steps):
        low = pywt.idwtn(parts | {"a" * len(axes): low}, wavelet, mode, axes=[2 + k for k in axes])
        low = low[tuple(slice(n) for n in before)]
    assert relative(c.synthesis(), torch.from_numpy(low)) < 1e-10


@pytest.mark.parametrize("mode", ["periodization", "reflect"])
@pytest.mark.parametrize("wavelet", ["haar", "db4"])
def test_equal_levels_of_each_axis_are_levels_of_all(wavelet, mode):
    x = signal((16, 20))
    one, each = DWT(wavelet, 2, mode).analysis(x), DWT(wavelet, (2, 2), mode).analysis(x)
    assert torch.equal(one.data, each.data)
    assert one.layout.bands == each.layout.bands
    assert agree(to_pywt(each), to_pywt(one)) == 0


def test_an_axis_left_alone_is_a_batch():
    x = signal((5, 16, 12))
    frames = DWT("db2", levels=(0, 2, 2)).analysis(x)
    for band, part in DWT("db2", levels=2).analysis(x.flatten(1, 2)):
        expected = part.unflatten(1, (2, 5))
        assert relative(frames[Band(band.level, "a" + band.key, (5, *band.shape))], expected) < 1e-14


@pytest.mark.parametrize(("domain", "shape"), CASES, ids=name)
class TestLaws:
    def test_synthesis_undoes_analysis(self, domain, shape):
        x = signal(shape)
        assert relative(domain.analysis(x).synthesis(), x) < 1e-12

    def test_adjoint_is_the_transposed_synthesis(self, domain, shape):
        x = signal(shape)
        layout = domain.analysis(x).layout
        z = torch.randn(*x.shape[:2], layout.size, dtype=x.dtype.to_complex() if layout.is_complex else x.dtype)
        left = real_product(z, domain.adjoint(x, layout).data).sum()
        assert left == pytest.approx((x * domain.synthesis(Coefficients(z, layout))).sum().item(), abs=1e-9)

    def test_closed_form_of_the_adjoint_is_what_autograd_finds(self, domain, shape):
        x = signal(shape)
        layout = domain.analysis(x).layout
        assert relative(domain.adjoint(x, layout).data, Domain.adjoint(domain, x, layout).data) < 1e-12

    def test_maps_are_linear(self, domain, shape):
        x, y = signal(shape), signal(shape, seed=5)
        c, d = domain.analysis(x), domain.analysis(y)
        assert relative(domain.analysis(2 * x - y).data, 2 * c.data - d.data) < 1e-12

    def test_an_item_is_the_same_alone(self, domain, shape):
        x = signal(shape)
        assert relative(domain.analysis(x[1:2]).data, domain.analysis(x).data[1:2]) < 1e-14


def test_orthonormal_without_redundancy():
    for wavelet in ("haar", "db4", "sym5"):
        domain, x = DWT(wavelet, 2), signal((16, 24))
        c = domain.analysis(x)
        assert c.data.norm() == pytest.approx(x.norm().item())
        assert relative(domain.adjoint(x, c.layout).data, c.data) < 1e-12
    padded = DWT("db4", 2, "reflect")
    c = padded.analysis(x)
    assert relative(padded.adjoint(x, c.layout).data, c.data) > 1e-3  # the adjoint is not the analysis in general


@pytest.mark.parametrize("domain", [DWT("db2", 1), DWT("bior2.2", 2, "antireflect"), DWT("db4", 1, "periodic")])
@pytest.mark.parametrize("shape", [(9,), (130,), (4, 5)])
def test_first_and_second_derivatives(domain, shape):
    assert_derivatives(domain, shape)


@pytest.mark.parametrize("wavelet", ["haar", "db2"])
def test_first_and_second_derivatives_with_levels_of_each_axis(wavelet):
    assert_derivatives(DWT(wavelet, (1, 0, 2), "reflect"), (3, 2, 5))
    assert_derivatives(DWT(wavelet, (0, 2)), (3, 6))


def assert_derivatives(domain, shape):
    x = signal(shape, batch=1, channels=1).requires_grad_()
    c = domain.analysis(x.detach())
    z = c.data.clone().requires_grad_()
    checks = {"fast_mode": True}
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x: domain.analysis(x).data, x, **checks)
        assert check(lambda z: domain.synthesis(Coefficients(z, c.layout)), z, **checks)
        assert check(lambda x: domain.adjoint(x, c.layout).data, x, **checks)


@pytest.mark.parametrize(
    ("domain", "shape"),
    [
        *[(d, s) for d in (Identity(), DWT("haar"), DWT("db4", 2, "reflect")) for s in ((130,), (9, 12))],
        (DWT("haar", (0, 2)), (9, 12)),
        (DWT("db4", (2, 1), "reflect"), (9, 12)),
    ],
    ids=name,
)
def test_vmap_and_functional_gradients(domain, shape):
    x = torch.stack([signal(shape), signal(shape, seed=7)], 1)  # mapped dimension second
    found = torch.func.vmap(lambda x: domain.analysis(x).data, in_dims=1)(x)
    assert relative(found, torch.stack([domain.analysis(x[:, i]).data for i in range(2)])) < 1e-14
    layout = domain.analysis(x[:, 0]).layout
    back = torch.func.vmap(lambda z: domain.synthesis(Coefficients(z, layout)))(found)
    assert relative(back, x.movedim(1, 0)) < 1e-12
    slope = torch.func.grad(lambda x: domain.analysis(x).data.square().sum() / 2)(x[:, 0])
    expected = torch.autograd.functional.vjp(lambda x: domain.analysis(x).data, x[:, 0], found[0])[1]
    assert relative(slope, expected) < 1e-12


@pytest.mark.parametrize(
    "domain",
    [
        *[Identity(), DWT("haar", 2), DWT("db4", 1, "reflect"), DWT("haar", (3, 0)), DWT("db4", (3, 1), "reflect")],
        DualTree(2),
    ],
    ids=name,
)
def test_compiles_without_a_break(domain):
    x = signal((130, 12)).float()
    c = domain.analysis(x)
    compiled = torch.compile(
        lambda x: domain.synthesis(domain.analysis(x)), fullgraph=True, backend="aot_eager", dynamic=False
    )
    y = x.clone().requires_grad_()
    assert relative(compiled(y).detach(), x) < 1e-5
    (slope,) = torch.autograd.grad(compiled(y).square().sum(), y)
    assert relative(slope, 2 * x) < 1e-4
    assert relative(torch.compile(lambda x: domain.analysis(x).data, fullgraph=True, backend="eager")(x), c.data) < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_precisions_round_once(dtype):
    x = torch.rand(2, 1, 64, 40).to(dtype)
    once = torch.finfo(dtype).eps * (4 if dtype == torch.float32 else 0.51)  # half an eps is one rounding
    for domain in (DWT("haar", 3), DWT("db4", 2, "reflect")):
        exact = domain.analysis(x.double())
        c = domain.analysis(x)
        assert c.data.dtype == dtype
        assert relative(c.data.double(), exact.data) < once
        rounded = Coefficients(c.data.double(), c.layout)
        back = c.synthesis()
        assert back.dtype == dtype
        assert relative(back.double(), rounded.synthesis()) < once


def test_autocast_precision_settings_and_default_device_do_not_reach_the_transform():
    x, domain = signal((40, 40)).float(), DWT("db4", 2)
    expected = domain.analysis(x).data
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(domain.analysis(x).data, expected)
        assert torch.get_float32_matmul_precision() == "medium"
        torch.set_default_device("meta")
        fresh = DWT("db5", 2).analysis(x)  # used nowhere else, so its matrices are made here
    finally:
        torch.set_default_device(None)
        torch.set_float32_matmul_precision(before)
    assert agree(to_pywt(fresh), reference(x, fresh.layout.domain, 2)) < 1e-6


@pytest.mark.parametrize("setting", ["tf32", "ieee"])
def test_products_are_full_and_a_callers_precision_is_given_back(setting, monkeypatch):
    product, seen, original = torch.backends.cuda.matmul, [], filterbank._times
    monkeypatch.setattr(filterbank, "_times", lambda *a: seen.append(product.fp32_precision) or original(*a))
    before = product.fp32_precision
    try:
        product.fp32_precision = setting
        DWT("db4", 1).analysis(signal((40,)))
        assert set(seen) == {"ieee"}
        assert product.fp32_precision == setting
    finally:
        product.fp32_precision = before


def test_transforms_of_threads_that_overlap_are_full_all_the_while():
    product = torch.backends.cuda.matmul
    before, first, second = product.fp32_precision, precision.FullPrecision(), precision.FullPrecision()
    try:
        product.fp32_precision = "tf32"
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert product.fp32_precision == "ieee"
        second.__exit__()
        assert product.fp32_precision == "tf32"
    finally:
        product.fp32_precision = before


@pytest.mark.parametrize("wavelet", ["db9", "haar"])
def test_a_first_use_in_a_trace_leaves_no_tensors_of_the_tracer(wavelet):
    domain, x = DWT(wavelet, 1, "reflect"), torch.rand(1, 1, 29)  # used nowhere else, so its matrices are made here
    make_fx(lambda x: domain.analysis(x).data, tracing_mode="fake")(x)
    assert agree(to_pywt(domain.analysis(x)), reference(x, domain, 1)) < 1e-6


def test_a_first_use_in_inference_mode_leaves_training_possible():
    domain = DWT("db7", 1)  # used nowhere else, so its matrices are made here
    with torch.inference_mode():
        domain.analysis(torch.rand(1, 1, 30))
    x = torch.rand(1, 1, 30, requires_grad=True)
    domain.analysis(x).data.sum().backward()
    assert x.grad is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("shape", [*SHAPES, (333,), (150, 41)])
def test_cuda_agrees_with_cpu(shape):
    x = signal(shape)
    for domain in (domain for domain in DOMAINS if takes(domain, shape)):
        c = domain.analysis(x.cuda())
        assert relative(c.data.cpu(), domain.analysis(x).data) < 1e-12
        assert relative(c.synthesis().cpu(), x) < 1e-12


def test_pywavelets_round_trip():
    domain, x = DWT("db2", 2, "symmetric"), signal((12, 17))
    c = domain.analysis(x)
    again = from_pywt(to_pywt(c), domain, (12, 17))
    assert torch.equal(again.data, c.data)
    assert again.layout == c.layout
    with pytest.raises(ValueError, match=r"have 7 bands shaped .* Give the domain the wavelet, levels and mode"):
        from_pywt(to_pywt(DWT("haar", 2).analysis(x)), domain, (12, 17))


def test_bands_are_views_in_pywavelets_order():
    c = DWT("haar", 2).analysis(signal((8, 12)))
    assert [str(band) for band in c.layout.bands] == ["aa2", "ad2", "da2", "dd2", "ad1", "da1", "dd1"]
    band = Band(1, "da", (4, 6))
    c[band].zero_()
    assert c.data[..., c.layout.slices[band]].abs().sum() == 0
    assert c.only(band).data.abs().sum() == 0
    assert list(c.layout.scales()) == ["a2", "d2", "d1"]


def test_bands_with_levels_of_each_axis():
    layout = DWT("haar", levels=(1, 3)).layout((8, 16))
    assert [str(band) for band in layout.bands] == ["aa3", "ad3", "ad2", "ad1", "da1", "dd1"]
    assert [band.shape for band in layout.bands] == [(4, 2), (4, 2), (4, 4), (4, 8), (4, 8), (4, 8)]
    assert list(layout.scales()) == ["a3", "d3", "d2", "d1"]
    assert DWT("haar", levels=(0, 0)).layout((8, 16)).bands == (Band(0, "aa", (8, 16)),)


@pytest.mark.parametrize("levels", [(1, 3), (0, 2)])
@pytest.mark.parametrize("wavelet", ["haar", "sym8"])
def test_centres_with_levels_of_each_axis_are_those_of_the_axis_alone(wavelet, levels):
    domain, shape = DWT(wavelet, levels, "reflect"), (64, 128)
    layout = domain.layout(shape)
    for band in layout.bands:
        for k, depth in enumerate(levels):
            alone = DWT(wavelet, min(band.level, depth), "reflect")
            like = alone.layout(shape[k : k + 1])
            own = next(one for one in like.bands if one.key == band.key[k])
            expected = alone.centres(own, like)[0]
            torch.testing.assert_close(domain.centres(band, layout)[k], expected)


@pytest.mark.parametrize(
    "domain",
    [
        DWT("haar", 3),
        DWT("sym8", 3),
        DWT("db8", 4),
        DWT("db4", 3, "zero"),
        DWT("bior2.4", 3, "reflect"),
        Packets("db4", 3),
        Packets("sym5", 3, "symmetric"),
        Stationary("db4", 3),
        Stationary("bior1.3", 2),
    ],
    ids=name,
)
def test_centres_are_the_middle_of_the_energy_of_what_a_coefficient_makes(domain):
    layout = domain.layout((512,))
    for band in layout.bands:
        middle = band.shape[0] // 2
        c = Coefficients(torch.zeros(1, 1, layout.size, dtype=torch.float64), layout)
        c[band][..., middle] = 1
        energy = c.synthesis()[0, 0].square()
        centre = (energy * torch.arange(512)).sum() / energy.sum()
        (places,) = domain.centres(band, layout)
        assert abs(places[middle] - centre) < 1e-3


@pytest.mark.parametrize("path", ["a" * 13, "a" * 13 + "d", "aad" + "a" * 10])
def test_the_delay_of_a_deep_cascade_is_that_of_its_coarse_end(path):
    """A cascade is its first filter, and the others at twice the step; of many the first is next to nothing."""
    late = delay("db4", path)
    assert late == pytest.approx(2 * delay("db4", path[1:]), abs=8)
    assert abs(late) < 4 * 2 ** len(path)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: DWT("db99"), "wavelet must be a discrete wavelet of PyWavelets.*got 'db99'"),
        (lambda: DWT("morl"), "wavelet must be a discrete wavelet"),
        (lambda: DWT("haar", mode="mirror"), "mode must be one of .*got 'mirror'"),
        (lambda: DWT("haar", levels=-1), "levels must be None, an integer from 0 to 62, or a tuple .*; got -1"),
        (lambda: DWT("haar", levels=2.0), "an integer from 0 to 62, or a tuple .*; got 2.0"),
        (lambda: DWT("haar", levels=(2, -1)), r"a tuple with one for each axis such as \(1, 3, 3\); got \(2, -1\)"),
        (lambda: DWT("haar", levels=()), r"a tuple with one for each axis .*; got \(\)"),
        (lambda: DWT("haar", levels=[1, 2]), r"a tuple with one for each axis .*; got \[1, 2\]"),
        (lambda: DWT("haar", levels=(1, 2)).layout((8, 9, 10)), r"each of 2 axes; got a signal with 3, \(8, 9, 10\)"),
        (
            lambda: DWT("haar", levels=(1, 4)).analysis(torch.zeros(1, 1, 8, 9)),
            r"levels=\(1, 4\) needs axes of at least \(2, 16\) samples; got \(8, 9\)\. Pass at most levels=\(3, 3\)",
        ),
        (
            lambda: to_pywt(DWT("haar", (1, 2)).analysis(torch.zeros(1, 1, 8, 9))),
            r"pywt\.wavedecn takes one number of levels for all axes; got levels=\(1, 2\)",
        ),
        (lambda: DWT("haar", levels=7).layout((100, 90)), "levels=7 needs axes of at least 128 .* at most levels=6"),
        (
            lambda: DWT().analysis(torch.zeros(3, 8)),
            r"a signal must be a tensor \(batch.* got \(3, 8\)\. Add the missing",
        ),
        (lambda: DWT().analysis(torch.zeros(1, 1, 8, dtype=torch.int)), "floating-point .* torch.int32"),
        (lambda: DWT().analysis(torch.zeros(1, 0, 8)), "no empty dimensions"),
        (
            lambda: Coefficients(torch.zeros(3), Layout(Identity(), (4,), (Band(0, "", (4,)),))),
            r"\(\*batch, 4\) must fit",
        ),
    ],
)
def test_wrong_use_says_what_to_do(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("levels", [1, 2, (0, 1, 2), (2, 0, 1)], ids=repr)
def test_haar_in_slabs_is_haar_to_the_bit(monkeypatch, levels):
    """However the batch and the first axis are cut."""
    x = signal((12, 8, 20), batch=3)
    domain = DWT("haar", levels)

    def found(slab):
        monkeypatch.setattr(butterfly, "SLAB", slab)
        c = domain.analysis(x)
        return c.data, c.synthesis()

    data, back = found(10**9)
    assert relative(back, x) < 1e-12
    for slab in (1, 500, 1000, 3000):
        assert all(torch.equal(a, b) for a, b in zip(found(slab), (data, back), strict=True))
