"""Transforms are linear maps for every tool of torch: each is its own derivative, forwards too, and can be traced."""

import pytest
import torch

from cases import DOMAINS, name, relative, signal
from wavelens.core import Coefficients

SHAPE = (6, 7)
over_domains = pytest.mark.parametrize("domain", DOMAINS, ids=name)


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
