"""Arguments of another type are one sentence: what is taken, what came, what to do."""

import pytest
import torch

import wavelens as wl

X = torch.ones(1, 1, 8)
COMPLEX = torch.ones(3, dtype=torch.complex64)
WRONG = {
    "a list of nodes": (lambda: wl.Packets(basis=["a", "d"]), r"basis is a tuple of nodes such as .*got \['a', 'd'\]"),
    "nodes of numbers": (lambda: wl.Packets(basis=("a", 1)), r"basis is a tuple of nodes such as .*got \('a', 1\)"),
    "one shift": (lambda: wl.Shifted(wl.DWT(), 3), r"shifts is a tuple of whole numbers, .*; got 3\."),
    "half shifts": (lambda: wl.Shifted(wl.DWT(), (0, 0.5)), r"shifts is a tuple of whole numbers, .*got \(0, 0\.5\)"),
    "shifts of texts": (lambda: wl.Shifted(wl.DWT(), ((0, "a"),)), "shifts is a tuple of whole numbers"),
    "nothing given": (
        lambda: wl.attribute(lambda x: x.flatten(1), X, 0, domain=wl.DWT(), method=wl.Saliency(), given=None),
        "given is a list of tensors, empty where there are none; got NoneType",
    ),
    "a basis of wavelets": (
        lambda: wl.best_basis(X, wl.DWT()),
        r"a best basis is one of Packets such as Packets\('haar', levels=3\); got DWT\(",
    ),
    "bandwidths of a domain": (
        lambda: wl.bandwidths(wl.DWT()),
        r"bandwidths are those of a layout, such as DWT\('haar'\)\.layout\(\(64,\)\); got DWT",
    ),
    "complex ranks": (lambda: wl.metrics.spearman(COMPLEX, COMPLEX.real), r"real numbers; got complex ones\. Give"),
    "complex correlation": (lambda: wl.metrics.pearson(COMPLEX.real, COMPLEX), "real numbers; got complex ones"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_a_sentence(name):
    call, sentence = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=sentence):
        call()


def test_whole_numbers_are_correlated_as_real_ones():
    assert wl.metrics.spearman(torch.tensor([1, 2, 30]), torch.tensor([9, 5, 1])) == pytest.approx(-1)
    assert wl.metrics.pearson(torch.tensor([1, 2, 3]), torch.tensor([2, 4, 6])) == pytest.approx(1)
