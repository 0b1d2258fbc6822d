"""What is explained: each kind of target against autograd on the same number, and what wrong targets are told."""

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import Net, relative, signal
from wavelens.reports.entry import per_target
from wavelens.targets import Against, ByItem, Contrast, Several, check_target, describe, joined, parsed, settled, texts

SHAPE = (6, 7)
NET, X = Net(SHAPE), signal(SHAPE)
ROWS = torch.arange(3)


def explain(target, net=NET, x=X, method=wl.Saliency(), **options):  # noqa: B008
    return wl.attribute(net, x, target, domain=wl.Identity(), method=method, **options)


def slope(score):
    """`score(x)`, `(batch,)`, and its gradient."""
    x = X.clone().requires_grad_()
    value = score(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


CLASSES = {
    "class": (2, [2, 2, 2]),
    "last class": (4, [4, 4, 4]),
    "numpy class": (np.int64(2), [2, 2, 2]),
    "class as a tensor": (torch.tensor(2), [2, 2, 2]),
    "one in a list": ([2], [2, 2, 2]),
    "list": ([1, 0, 3], [1, 0, 3]),
    "tuple": ((1, 0, 3), [1, 0, 3]),
    "range": (range(1, 4), [1, 2, 3]),
    "array": (np.array([1, 0, 3]), [1, 0, 3]),
    "tensor": (torch.tensor([1, 0, 3]), [1, 0, 3]),
    "column": (torch.tensor([[1], [0], [3]]), [1, 0, 3]),
    "int32": (torch.tensor([1, 0, 3], dtype=torch.int32), [1, 0, 3]),
    "uint8": (torch.tensor([1, 0, 3], dtype=torch.uint8), [1, 0, 3]),
}


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_classes(kind, batch_size):
    target, classes = CLASSES[kind]
    score, g = slope(lambda x: NET(x)[ROWS, torch.tensor(classes)])
    found = explain(target, batch_size=batch_size)
    assert relative(found.score, score) < 1e-14
    assert relative(found.synthesis(), g) < 1e-14


SOURCE = torch.Generator().manual_seed(4)
EMBEDDINGS = torch.randn(3, 5, generator=SOURCE, dtype=torch.float64)
MASKS = torch.rand(3, *SHAPE, generator=SOURCE) > 0.5


def dense(x):
    """A segmentation: two classes for each place."""
    return torch.stack([(x**2).sum(1), x.prod(1).sin()], 1)


FUNCTIONS = {
    "contrast": (NET, Contrast(2, 4), lambda x: NET(x)[:, 2] - NET(x)[:, 4]),
    "contrast item by item": (
        NET,
        Contrast([1, 0, 3], torch.tensor([4, 4, 2])),
        lambda x: NET(x)[ROWS, [1, 0, 3]] - NET(x)[ROWS, [4, 4, 2]],
    ),
    "regression": (NET, lambda out: out.square().sum(1), lambda x: NET(x).square().sum(1)),
    "column": (NET, lambda out: out[:, 1:2], lambda x: NET(x)[:, 1]),
    "output that is no tensor": (lambda x: {"logits": NET(x)}, lambda out: out["logits"][:, 3], lambda x: NET(x)[:, 3]),
    "similarity": (
        NET,
        ByItem(lambda out, items: torch.cosine_similarity(out, EMBEDDINGS[items])),
        lambda x: torch.cosine_similarity(NET(x), EMBEDDINGS),
    ),
    "segmentation": (
        dense,
        lambda out: (out[:, 1] * MASKS[0]).sum((1, 2)),
        lambda x: (dense(x)[:, 1] * MASKS[0]).sum((1, 2)),
    ),
    "own masks": (
        dense,
        ByItem(lambda out, items: (out[:, 1] * MASKS[items]).sum((1, 2))),
        lambda x: (dense(x)[:, 1] * MASKS).sum((1, 2)),
    ),
    "one number": (lambda x: NET(x)[:, 2], None, lambda x: NET(x)[:, 2]),
    "one number in a column": (lambda x: NET(x)[:, 2:3], None, lambda x: NET(x)[:, 2]),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_functions(kind, batch_size):
    net, target, score = FUNCTIONS[kind]
    value, g = slope(score)
    found = explain(target, net, batch_size=batch_size)
    assert relative(found.score, value) < 1e-13
    assert relative(found.synthesis(), g) < 1e-13
    several = explain(Several(target, target), net, batch_size=batch_size)
    assert torch.equal(several.data[0], several.data[1])
    assert relative(several.data[1], found.data) < 1e-14


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 100])
@pytest.mark.parametrize(
    "method",
    [wl.Saliency(), wl.SmoothGrad(6, 0.1), wl.IntegratedGradients(5), wl.IntegratedGradients(tolerance=0.01)],
    ids=lambda m: type(m).__name__,
)
def test_rows_know_their_items_in_any_chunk(method, batch_size):
    """Item `i` has the sign of its mean in front, which noise and the path to zero leave as it is."""
    x = torch.tensor([3.0, -5, 7, -11], dtype=torch.float64).reshape(-1, 1, 1) * torch.ones(1, 1, 8)
    x[..., 0] += 0.1
    signs = torch.tensor([1.0, -1, 1, -1], dtype=torch.float64)

    def net(x):
        return x.mean((1, 2))

    def score(out, items):
        assert torch.equal(out.sign(), signs[items] * (out != 0))
        return out * (items + 1)

    a = explain(ByItem(score), net, x, method, batch_size=batch_size)
    expected = (torch.arange(1, 5) * x.mean((1, 2))).double()
    assert relative(a.score, expected) < 1e-14
    factor = a.data.sum((1, 2)) / (expected if isinstance(method, wl.IntegratedGradients) else torch.arange(1, 5))
    assert relative(factor, torch.ones(4, dtype=torch.float64)) < 1e-12


def pair(out):
    return out, out


WRONG = {
    "too large": (5, NET, ValueError, "target must be a class from 0 to 4, the model's outputs; got 5"),
    "negative": (-1, NET, ValueError, "target must be a class from 0 to 4, the model's outputs; got -1"),
    "one too large": ([1, 5, 0], NET, ValueError, r"target must be a class from 0 to 4.*got \[1, 5, 0\]"),
    "against": (Contrast(1, 9), NET, ValueError, "target must be a class from 0 to 4.*got 9"),
    "two for three": ([1, 2], NET, ValueError, r"one for each of the 3 items; got 2.*targets.Several"),
    "five for three": (np.arange(5), NET, ValueError, r"one for each of the 3 items; got 5.*targets.Several"),
    "none": ([], NET, ValueError, "one for each of the 3 items; got 0"),
    "rows of classes": ([[0, 1], [2, 3], [4, 0]], NET, ValueError, "one for each of the 3 items; got 6"),
    "contrast": (Contrast(1, [2, 3]), NET, ValueError, "one for each of the 3 items; got 2"),
    "several": (Several(1, [2, 3]), NET, ValueError, "one for each of the 3 items; got 2"),
    "no targets": (Several(), NET, ValueError, "at least one target; got none"),
    "bool": (True, NET, TypeError, "target must be a class index.*got True"),
    "bools": ([True, False, True], NET, TypeError, r"target must be a class index.*got \[True, False, True\]"),
    "float": (2.0, NET, TypeError, r"target must be a class index.*got 2\.0"),
    "text": ("cat", NET, TypeError, "target must be a class index.*got 'cat'"),
    "texts": (["a", "b", "c"], NET, TypeError, r"target must be a class index.*got \['a', 'b', 'c'\]"),
    "nested": (Several(Several(1)), NET, TypeError, "target must be a class index.*got Several"),
    "tuple output": (
        1,
        lambda x: pair(NET(x)),
        TypeError,
        "the model's output must be a tensor.*got tuple.*out.logits",
    ),
    "no target, tuple": (None, lambda x: pair(NET(x)), TypeError, "the model's output must be a tensor.*got tuple"),
    "3-D output": (1, lambda x: NET(x)[:, None], ValueError, r"shape \(batch, classes\).*got \(3, 1, 5\).*function"),
    "1-D output": (1, lambda x: NET(x)[:, 0], ValueError, r"shape \(batch, classes\).*got \(3,\).*target=None"),
    "no target": (None, NET, ValueError, r"one number for each of 3 rows; got \(3, 5\).*Give a class as target"),
    "function": (lambda out: out.sum(), NET, ValueError, r"one number for each of 3 rows; got \(\)"),
    "function of python": (lambda out: 3.0, NET, ValueError, "one number for each of 3 rows; got float"),
    "complex": (1, lambda x: NET(x) * 1j, ValueError, "must be a real number; got complex ones. Give a function"),
    "function by item": (ByItem(lambda out, items: out), NET, ValueError, r"for each of 3 rows; got \(3, 5\)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_targets_say_what_to_do(kind):
    target, net, error, match = WRONG[kind]
    with pytest.raises(error, match=match):
        explain(target, net, batch_size=3)


def test_counts_are_checked_before_the_model_runs():
    with pytest.raises(ValueError, match="got 2"):
        check_target([1, 2], 3)
    for target in (
        None,
        1,
        [1],
        [1, 2, 3],
        Contrast(1, [1, 2, 3]),
        Several(None, 2),
        ByItem(len),
        len,
        Against(),
        Against([1, 2, 3]),
    ):
        check_target(target, 3)


def test_the_record_names_the_target():
    assert [describe(t) for t in (2, [1, 0], torch.tensor([1, 0]), Contrast(1, 2), Several(1, None), pair)] == [
        *("2", "[1, 0]", "[1, 0]", "Contrast(target=1, against=2)", "Several(1, None)", "pair")
    ]


CONTRASTS = Contrast([1, 0, 3], 2)


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        (2, [["2"]]),
        ([1, 0, 3], [["1", "0", "3"]]),
        (torch.tensor([1, 0, 3]), [["1", "0", "3"]]),
        (np.int64(2), [["2"]]),
        (CONTRASTS, [[f"Contrast(target={k}, against=2)" for k in (1, 0, 3)]]),
        (Contrast(1, [2, 0, 4]), [[f"Contrast(target=1, against={k})" for k in (2, 0, 4)]]),
        (
            Several(1, [1, 0, 3], CONTRASTS),
            [["1"], ["1", "0", "3"], [f"Contrast(target={k}, against=2)" for k in (1, 0, 3)]],
        ),
        (None, [["None"]]),
    ],
    ids=str,
)
def test_texts_are_kept_target_by_target_and_read_from_older_files(target, rows):
    expected = tuple(map(tuple, rows))
    assert texts(target, 3) == expected
    older = parsed(describe(target), 3)
    assert [[joined([row], k, several=False) for k in range(3)] for row in older] == [
        [joined([row], k, several=False) for k in range(3)] for row in expected
    ]


def test_a_name_with_commas_and_brackets_is_never_taken_apart():
    def score(output):
        return output[:, 0]

    score.__qualname__ = "Several(1, [2, 3], odd"
    a = explain(Several(score, [1, 0, 3]), NET)
    assert a.targets == (("Several(1, [2, 3], odd",), ("1", "0", "3"))
    assert a.item(2).target == "Several(Several(1, [2, 3], odd, 3)"
    assert [one.target for one in per_target(a)] == ["Several(1, [2, 3], odd", "[1, 0, 3]"]


FLAT = torch.tensor([[0.0, 3, 2, 1, -1], [5, 4, 0, 0, 0], [1, 1, 1, 9, 8]], dtype=torch.float64)


def bent(x):
    """Outputs that are `FLAT` at `X`, item by item in any order, and others elsewhere."""
    item = (x.flatten(1)[:, None] - X.flatten(1)).abs().sum(2).argmin(1)
    return FLAT[item] * (1 + (x - X[item]).flatten(1).sum(1, keepdim=True))


AGAINST = {
    "next": (Against(), [1, 0, 3], [2, 1, 4]),
    "a class": (Against(2), [1, 0, 3], [2, 2, 2]),
    "a class for each": (Against([0, 4, 4]), [1, 0, 3], [0, 4, 4]),
    "next to a class": (Against(target=2), [2, 2, 2], [1, 0, 3]),
    "next to each": (Against(target=[1, 1, 4]), [1, 1, 4], [2, 0, 3]),
    "both": (Against(0, target=torch.tensor(2)), [2, 2, 2], [0, 0, 0]),
}


@pytest.mark.parametrize("kind", AGAINST)
@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_against_is_the_contrast_of_each_items_own_classes(kind, batch_size):
    target, classes, others = AGAINST[kind]
    method = wl.IntegratedGradients(steps=4)  # along whose path other classes lead
    found = explain(target, bent, method=method, batch_size=batch_size)
    expected = explain(Contrast(classes, others), bent, method=method, batch_size=batch_size)
    assert torch.equal(found.data, expected.data)
    assert found.targets == expected.targets
    assert found.target == describe(target)
    assert found.item(1).target == f"Contrast(target={classes[1]}, against={others[1]})"
    several = explain(Several(0, target, target), bent, method=method, batch_size=batch_size)
    assert relative(several.data[1], found.data) < 1e-14
    assert torch.equal(several.data[1], several.data[2])


def test_a_runner_up_is_the_same_alone_and_in_a_batch_that_the_model_mixes():
    def mixing(x):
        return FLAT[: len(x)] + x.flatten(1).mean(1, keepdim=True) * torch.arange(5.0) * (len(x) > 1)

    with pytest.warns(UserWarning, match="depends on"):
        found = explain(Against(), lambda x: mixing(x) + 0 * NET(x))
    assert [row.split("against=")[1] for row in found.targets[0]] == ["2)"] * 3


def test_metrics_and_explainers_take_against():
    contrast = Contrast([1, 0, 3], [2, 1, 4])
    a = explain(contrast, bent)
    for target in (contrast, Against()):
        judged = wl.metrics.insertion(bent, X, target, a, steps=4)
        assert torch.equal(judged, wl.metrics.insertion(bent, X, contrast, a, steps=4))
        values = wl.shapley(bent, X, target, domain=wl.DWT("haar", levels=1))
        assert torch.equal(values.score, FLAT[ROWS, [1, 0, 3]] - FLAT[ROWS, [2, 1, 4]])
    assert settled(Several(2, Against()), FLAT).targets == (2, contrast)


@pytest.mark.parametrize(
    ("target", "net", "match"),
    [
        (
            Against(1),
            bent,
            "against must be another class than the target; both are 1 for item 0. Name another or 'next'",
        ),
        (Against(5), bent, "against of Against must be a class from 0 to 4 or one for each of 3 items; got 5"),
        (Against([1, 2]), bent, r"one for each of 3 items; got \[1, 2\]"),
        (Against("cat"), bent, "got 'cat'"),
        (
            Against(target=1.5),
            bent,
            "target of Against must be a class from 0 to 4 or one for each of 3 items; got 1.5",
        ),
        (Against(), lambda x: bent(x)[:, :1], r"outputs \(batch, classes\), with 2 classes or more; got \(3, 1\)"),
        (Against(), lambda x: {"a": x}, "with 2 classes or more; got dict"),
    ],
)
def test_wrong_classes_against_say_what_to_do(target, net, match):
    with pytest.raises(ValueError, match=match):
        explain(target, net)


def test_an_unsettled_contrast_is_not_read_off_another_output():
    with pytest.raises(TypeError, match="is settled by the model's answer to the untouched input"):
        wl.targets.scores(Against(), FLAT, ROWS)


def test_checks_take_against():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(X[0].numel(), 5)).double().eval()
    findings = wl.check(net, X, Against(), domain=wl.DWT("haar", levels=1), method=wl.IntegratedGradients(steps=4))
    assert findings.verdicts[5].status == "pass"
