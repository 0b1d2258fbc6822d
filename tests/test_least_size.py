"""What a domain promises of its size before anything is made, and what making it takes."""

import tracemalloc

import pytest

import wavelens as wl
from cases import DOMAINS, PAIRS
from wavelens.domains import Joint

FRAMES = [
    (wl.Shearlets(levels, shears), shape)
    for shape in [(2, 2), (2, 90), (3, 64), (8, 12), (31, 33), (64, 64), (96, 48)]
    for levels in range(7)
    for shears in (4, 8, 16, 32)
    if 2**levels <= min(shape)
]


@pytest.mark.parametrize(("domain", "shape"), PAIRS, ids=str)
def test_a_domain_has_at_least_the_coefficients_that_it_promises(domain, shape):
    size = domain.layout(shape).size
    assert 0 < domain.least_size(shape) <= size
    shifted = wl.Shifted(domain, (0, 1, 5))
    assert 3 * domain.least_size(shape) == shifted.least_size(shape) <= shifted.layout(shape).size


@pytest.mark.parametrize(("domain", "shape"), FRAMES, ids=str)
def test_shearlets_have_at_least_the_coefficients_that_they_promise(domain, shape):
    assert domain.least_size(shape) <= domain.layout(shape).size


def test_a_promise_grows_with_the_directions_and_with_the_signals():
    one, many = wl.Shearlets(3, 4), wl.Shearlets(3, 32)
    assert 4 * one.least_size((64, 64)) <= many.least_size((64, 64))
    both = Joint(("a", "b"), (many, wl.Identity()), ((3, 64, 64), (1, 8)))
    assert both.least_size((3 * 64 * 64 + 8,)) == 3 * many.least_size((64, 64)) + 4


def test_narrow_filters_take_the_memory_of_their_width_alone():
    tracemalloc.start()
    try:
        size = wl.ConstantQ(per_octave=400).layout((50_000,)).size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size < 60_000
    assert peak < 2**25


def test_a_domain_of_ones_own_promises_half_of_the_samples():
    assert DOMAINS[0].least_size((5, 3)) == 8
