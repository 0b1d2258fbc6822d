"""Transforms are linear maps for every tool of torch: each is its own derivative, forwards too, and can be traced."""

import re

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, name, relative, signal
from wavelens.core import Coefficients

SHAPE = (6, 7)
over_domains = pytest.mark.parametrize("domain", DOMAINS, ids=name)
EPSILONS = {torch.float64: 1e-10, torch.float32: 1e-5, torch.float16: 2**-10, torch.bfloat16: 2**-7}
SIZES = [*[(n,) for n in (1, 2, 3, 5, 7)], (1, 7), (2, 5), (5, 3), (7, 2), (3, 1), (3, 1, 2)]
FURTHER = [  # filters longer than any of these axes, and coordinates of each item
    wl.DWT("db38", 1),
    wl.DWT("db38", 1, "antireflect"),
    wl.Packets("db38", 1),
    wl.Stationary("db38", 1),
    wl.DualTree(1, "antonini", "qshift_d"),
    wl.STFT("blackman", 64),
    wl.Shearlets(),
    wl.Shifted(wl.DWT("haar"), (0, 1, 2)),
    wl.Shifted(wl.DualTree(1), (0, 1)),
    wl.TreeHaar(coordinates=1),
    wl.GraphWavelets(levels=2, coordinates=1),
    wl.TextHaar(),
]


def maps(domain):
    """The analysis, and the synthesis of real coefficients in the same layout."""
    layout = domain.layout(SHAPE)
    return [
        (lambda x: domain.analysis(x).data, signal(SHAPE, batch=1)),
        (lambda z: Coefficients(z, layout).synthesis(), signal((layout.size,), batch=1)),
    ]


@over_domains
def test_a_linear_map_is_its_own_forward_derivative(domain):
    for function, x in maps(domain):
        tangent = torch.randn_like(x)
        value, derivative = torch.func.jvp(function, (x,), (tangent,))
        assert relative(value, function(x)) < 1e-14
        assert relative(derivative, function(tangent)) < 1e-14


@over_domains
def test_jacobians_forwards_and_backwards_agree(domain):
    for function, x in maps(domain):

        def energy(x, function=function):
            return function(x).abs().square().sum() / 2

        forwards, backwards = torch.func.jacfwd(energy)(x), torch.func.jacrev(energy)(x)
        assert relative(forwards, backwards) < 1e-12


@over_domains
def test_the_hessian_of_the_energy_is_the_gram_matrix(domain):
    """`∇² ‖A x‖² / 2 = Aᵀ A`, its columns by backward passes alone."""
    function, x = maps(domain)[0]
    x = x[:, :1]
    hessian = torch.func.hessian(lambda x: function(x).abs().square().sum() / 2)(x).reshape(x.numel(), -1)
    columns = []
    for unit in torch.eye(x.numel(), dtype=x.dtype):
        probe = unit.view_as(x).requires_grad_()
        image = function(unit.view_as(x)).detach()
        columns.append(torch.autograd.grad((function(probe).conj() * image).real.sum(), probe)[0].flatten())
    assert relative(hessian, torch.stack(columns, 1)) < 1e-11


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@over_domains
def test_a_traced_map_is_the_map(domain):
    for function, x in maps(domain):
        traced = torch.jit.trace(function, (x,), check_trace=False)
        other = torch.randn_like(x)
        assert relative(traced(other), function(other)) < 1e-14


def bound_to(domain, x):
    """The domain for a signal, or None where the signal is refused by a cause and a remedy."""
    try:
        bound = domain.bind(x)
        bound.layout(tuple(x.shape[2:]))
    except ValueError as error:
        if re.search(r"(got|more than) .*\. (Pass at most|Try|Flatten) .*\.$", str(error)):
            return None
        raise
    return bound


@pytest.mark.parametrize("domain", [*DOMAINS, *FURTHER], ids=name)
def test_a_signal_of_any_size_and_precision_comes_back_or_is_refused(domain):
    """Half precision is rounded once on the way there and once on the way back; complex numbers are of float32."""
    for shape in SIZES:
        for dtype, eps in EPSILONS.items():
            x = signal(shape, batch=2).to(dtype)
            if (bound := bound_to(domain, x)) is None:
                break
            z = bound.analysis(x)
            exact, back = bound.analysis(x.double()), z.synthesis()
            wide = z.map(lambda data, dtype=exact.data.dtype: data.to(dtype))
            if dtype.itemsize == 2 and not z.data.is_complex():
                assert z.data.dtype == back.dtype == dtype
                assert relative(wide.data, exact.data) < 0.51 * eps  # half an eps is one rounding
                assert relative(back.double(), wide.synthesis()) < 0.51 * eps
                assert relative(back.double(), x.double()) < 4 * eps
            else:
                assert relative(wide.data, exact.data) < min(eps, 4e-6)
                assert relative(back.double(), x.double()) < min(eps, 4e-6)
