"""Arguments of another type are one sentence: what is taken, what came, what to do."""

from pathlib import Path

import pytest
import skimage
import torch

import wavelens as wl
from wavelens.cli import main

PHOTO = Path(skimage.__file__).parent / "data" / "astronaut.png"
NET = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 3)).eval()


def explain(**named):
    return wl.explain(PHOTO, **{"model": NET, "method": wl.Saliency(), **named})


def shapley(**named):
    return wl.shapley(**{"model": lambda x: x.flatten(1), "x": X, "target": 0, "domain": wl.DWT(levels=2), **named})


X = torch.ones(1, 1, 8)
COMPLEX = torch.ones(3, dtype=torch.complex64)
WRONG = {
    "a list of nodes": (
        lambda: wl.Packets(basis=["a", "d"]),
        r"basis must be a tuple of nodes such as .*got \['a', 'd'\]",
    ),
    "nodes of numbers": (
        lambda: wl.Packets(basis=("a", 1)),
        r"basis must be a tuple of nodes such as .*got \('a', 1\)",
    ),
    "one shift": (lambda: wl.Shifted(wl.DWT(), 3), r"shifts must be a tuple of whole numbers, .*; got 3\."),
    "half shifts": (
        lambda: wl.Shifted(wl.DWT(), (0, 0.5)),
        r"shifts must be a tuple of whole numbers, .*got \(0, 0\.5\)",
    ),
    "shifts of texts": (lambda: wl.Shifted(wl.DWT(), ((0, "a"),)), "shifts must be a tuple of whole numbers"),
    "nothing given": (
        lambda: wl.attribute(lambda x: x.flatten(1), X, 0, domain=wl.DWT(), method=wl.Saliency(), given=None),
        "given must be a list of tensors, empty where there are none; got NoneType",
    ),
    "a basis of wavelets": (
        lambda: wl.best_basis(X, wl.DWT()),
        r"a best basis must be one of Packets such as Packets\('haar', levels=3\); got DWT\(",
    ),
    "bandwidths of a domain": (
        lambda: wl.bandwidths(wl.DWT()),
        r"bandwidths takes a layout, such as DWT\('haar'\)\.layout\(\(64,\)\); got DWT",
    ),
    "no path": (lambda: wl.explain(None, NET), "explain takes a path, or several; got None. Give"),
    "a number for a path": (lambda: wl.explain([3], NET), "explain takes a path, or several; got 3. Give"),
    "a function for a model": (lambda: explain(model=lambda x: x), "an nn.Module; got function. Wrap"),
    "a text for a domain": (lambda: explain(domain="haar"), r"a domain such as DWT\('haar'\); got 'haar'. wl.parse"),
    "a class for a domain": (lambda: explain(domain=wl.DWT), r"a domain such as DWT\('haar'\); got <class"),
    "no domain of several": (lambda: explain(domain=[]), "domain"),
    "a text among domains": (
        lambda: explain(domain=[wl.DWT(), "haar"]),
        r"a domain such as DWT\('haar'\); got .*'haar'",
    ),
    "no class in summaries": (lambda: explain(top=0), "a whole number from 1; got 0"),
    "a text for a count": (lambda: explain(top="5"), "a whole number from 1; got '5'"),
    "an option with a slip": (
        lambda: explain(domian=3),
        "explain has no option domian; of a model by its name are weig",
    ),
    "a device that is not here": (lambda: explain(model=None, device="gpu"), r"a device of this machine; got 'gpu' \("),
    "a model of another shape": (
        lambda: explain(model=torch.nn.Linear(5, 2).eval()),
        r"cannot be multiplied \(.*\)\. Pass a LoadedModel",
    ),
    "saved in a file": (lambda: explain().save(PHOTO), "saved in a folder; .*astronaut.png is a file. Name another"),
    "values of no model": (lambda: shapley(model="resnet18"), "model must be a module or a function; got str. Of"),
    "a number for groups": (lambda: shapley(groups=3), "groups must be one of scales, .* or a Partition; got 3"),
    "gradients for values": (
        lambda: shapley(method=wl.Saliency()),
        r"method must be a ScaleShapley.*; got Saliency\(times_input=False\)",
    ),
    "a text for a tolerance": (lambda: wl.ScaleShapley(tolerance="a"), "tolerance must be above 0, .*got tolerance=a"),
    "a tree of lists": (lambda: wl.TreeHaar([[0, 1], [2]]), r"in nested tuples; got \[\[0, 1\], \[2\]\]. Make tuples"),
    "complex ranks": (lambda: wl.metrics.spearman(COMPLEX, COMPLEX.real), r"real numbers; got complex ones\. Give"),
    "complex correlation": (lambda: wl.metrics.pearson(COMPLEX.real, COMPLEX), "real numbers; got complex ones"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_a_sentence(name):
    call, sentence = WRONG[name]
    with pytest.raises((ValueError, TypeError, OSError), match=sentence):
        call()


def test_whole_numbers_are_correlated_as_real_ones():
    assert wl.metrics.spearman(torch.tensor([1, 2, 30]), torch.tensor([9, 5, 1])) == pytest.approx(-1)
    assert wl.metrics.pearson(torch.tensor([1, 2, 3]), torch.tensor([2, 4, 6])) == pytest.approx(1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["expain", "photo.jpg"], "Did you mean 'explain'? See wavelens --help."),
        (["explain", "photo.jpg", "--domain", "Domain"], "there is no domain 'Domain'. Did you mean"),
        (["explain", "photo.jpg", "--domain", "print"], "no domain 'print'. Choose one of DWT, "),
        (["explain", "photo.jpg", "--domain", "dwtt"], "no domain 'dwtt'. Did you mean DWT?"),
        (["explain", "photo.jpg", "--preparation", "Geometri()"], "no preparation 'Geometri'. Did you mean Geometry?"),
        (["minimal", "photo.jpg", "--baseline", "Blurr(sigma=3)"], "no baseline 'Blurr'. Did you mean Blur?"),
    ],
)
def test_suggestions_are_names_that_a_command_lists(capsys, words, sentence):
    assert main(words) == 2
    found = " ".join(capsys.readouterr().err.split())
    assert sentence in found
    assert "Joint" not in found
