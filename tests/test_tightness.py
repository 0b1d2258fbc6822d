"""The kind of frame against the singular values of the dense analysis, for every domain of the table."""

import math

import pytest
import torch

import wavelens as wl
from cases import PAIRS, name, signal

SMALL = [(domain, shape) for domain, shape in PAIRS if math.prod(shape) <= 64]


def singular_values(domain, shape):
    """Of the analysis as a matrix of real numbers: complex coefficients are two."""
    n = torch.Size(shape).numel()
    z = domain.analysis(torch.eye(n, dtype=torch.float64).view(n, 1, *shape)).data[:, 0]
    return torch.linalg.svdvals(torch.view_as_real(z).flatten(1) if z.is_complex() else z), z.shape[1]


@pytest.mark.parametrize(("domain", "shape"), SMALL, ids=name)
def test_a_frame_is_tight_where_all_singular_values_are_one(domain, shape):
    bound = domain.bind(signal(shape)[:1])
    frame = wl.frame_of(bound.layout(shape))
    values, size = singular_values(bound, shape)
    ones = bool((values - 1).abs().max() < 1e-9)
    samples = torch.Size(shape).numel()
    assert frame.redundancy == size * (2 if bound.layout(shape).is_complex else 1) / samples
    assert frame.bytes_per_sample == 4 * frame.redundancy
    assert frame.kind == ("neither" if not ones else "orthonormal" if frame.redundancy == 1 else "tight")


@pytest.mark.parametrize(
    ("domain", "kind", "redundancy"),
    [
        (wl.DWT("db4", 2), "orthonormal", 1),
        (wl.DWT("db4", 2, mode="reflect"), "neither", None),
        (wl.DWT("bior2.4", 2), "neither", 1),
        (wl.Packets("db4", 2), "orthonormal", 1),
        (wl.Stationary("db4", 2), "tight", 7),
        (wl.DualTree(2), "neither", None),
        (wl.Shearlets(2), "tight", None),
        (wl.Fourier(), "tight", None),
        (wl.Cosine(), "orthonormal", 1),
        (wl.STFT("hann", 8), "tight", None),
        (wl.ConstantQ(2), "tight", None),
        (wl.Shifted(wl.DWT("haar", 2), (0, 1)), "tight", 2),
        (wl.Identity(), "orthonormal", 1),
    ],
    ids=repr,
)
def test_each_domain_is_what_the_page_says(domain, kind, redundancy):
    frame = wl.frame_of(domain.layout((32, 32)))
    assert frame.kind == kind
    assert redundancy is None or frame.redundancy == redundancy
