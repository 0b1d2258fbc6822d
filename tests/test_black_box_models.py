"""Functions of arrays as models: NumPy, scikit-learn, a server; what they are given, and what they must return."""

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import BLACK_BOX, Net, name, relative, signal
from wavelens.baselines import LRP, GradCAM
from wavelens.models import BlackBox, Geometry, LoadedModel, load

SHAPE = (12, 17)
NET = Net(SHAPE)


def in_numpy(array):
    """`NET` in NumPy."""
    hidden = np.tanh(array.reshape(len(array), -1) @ NET.first.detach().numpy())
    return (hidden + 1) ** 2 @ NET.second.detach().numpy()


@pytest.mark.parametrize("method", BLACK_BOX, ids=name)
def test_a_function_of_arrays_has_the_account_of_the_network(method):
    x = signal(SHAPE)
    ours, theirs = (
        wl.attribute(f, x, [1, 0, 3], domain=wl.DWT("db2", 2), method=method) for f in (BlackBox(in_numpy), NET)
    )
    assert relative(ours.data, theirs.data) < 1e-9
    assert relative(ours.score, theirs.score) < 1e-12


@pytest.mark.parametrize("rows", [None, 1, 2, 7])
def test_rows_bound_a_call(rows):
    sizes = []

    def counted(array):
        sizes.append(len(array))
        return in_numpy(array)

    x = signal(SHAPE, batch=7)
    assert relative(BlackBox(counted, rows)(x), NET(x).detach()) < 1e-12
    assert max(sizes) <= (rows or 7)
    assert sum(sizes) == 7


def test_given_tensors_and_outputs_of_several_parts():
    def by_scale(array, factor):
        return {"logits": in_numpy(array) * factor[:, None], "rest": [array.sum((1, 2, 3)), array.max((2, 3))]}

    x, factor = signal(SHAPE, batch=4), torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    model = BlackBox(by_scale, rows=3)
    output = model(x, factor)
    assert relative(output["logits"], NET(x).detach() * factor[:, None]) < 1e-12
    assert output["rest"][1].shape == (4, 2)
    a = wl.attribute(
        model,
        x,
        lambda output: output["logits"][:, 1],
        domain=wl.DWT("haar", 1),
        method=wl.ScaleShapley(),
        given=[factor],
        batch_size=3,
    )
    assert relative(a.score, NET(x)[:, 1].detach() * factor) < 1e-12


def test_several_signals():
    def model(image, text):
        assert isinstance(image, np.ndarray)
        return image.sum((1, 2, 3)) * np.square(text).sum((1, 2))

    x = {"image": signal((4, 4)), "text": signal((6,))}
    domain = {"image": wl.DWT("haar", 1), "text": wl.Identity()}
    a = wl.attribute(BlackBox(model, rows=2), x, None, domain=domain, method=wl.ScaleShapley("signals"))
    product = x["image"].sum((1, 2, 3)) * x["text"].square().sum((1, 2))
    assert all(relative(part.data.sum((1, 2)), product / 2) < 1e-12 for part in a.values())


REFUSED = {
    "a text": (lambda a: np.array(["cat"] * len(a)), "a black box returns numbers; <lambda> returned an array of <U3"),
    "one row too few": (
        lambda a: in_numpy(a)[:-1],
        r"returns a row for each of 3 items, .*; <lambda> returned \(2, 5\)",
    ),
    "one number": (lambda a: 3.0, r"returns a row for each of 3 items, .*; <lambda> returned \(\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_function_may_not_return(case):
    function, text = REFUSED[case]
    with pytest.raises(ValueError, match=text):
        BlackBox(function)(signal(SHAPE))


def test_what_a_function_raises_is_the_users_own():
    def broken(array):
        raise ConnectionError("the server is away")

    with pytest.raises(ConnectionError, match="the server is away"):
        wl.attribute(BlackBox(broken), signal(SHAPE), 1, domain=wl.Identity(), method=wl.RISE(samples=2))


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: BlackBox(NET),
            TypeError,
            "a black box must be a function of arrays; got a module, which is a model as it is",
        ),
        (lambda: BlackBox("net"), TypeError, "a black box must be a function of arrays; got str"),
        (
            lambda: BlackBox(in_numpy, rows=0),
            ValueError,
            "rows, the items of one call, must be a whole number from 1.*got 0",
        ),
    ],
)
def test_what_is_no_black_box(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_methods_of_gradients_are_refused_before_any_pass():
    calls = []
    model = BlackBox(lambda array: calls.append(1))
    for method in (wl.Saliency(), wl.IntegratedGradients(), wl.SmoothGrad(), wl.ExpectedGradients(), wl.VarGrad()):
        with pytest.raises(
            ValueError, match="gradients are those of networks in torch; <lambda> is a function of arrays"
        ):
            wl.attribute(model, signal(SHAPE), 1, domain=wl.DWT("haar", 1), method=method)
    for explainer in (GradCAM(), LRP()):
        with pytest.raises(ValueError, match="Take a method of values alone: HierarchicalShapley, ScaleShapley"):
            explainer(model, signal(SHAPE), 1)
    assert not calls


def test_a_method_of_ones_own_may_ask_for_values():
    from wavelens.extending import Outcome

    class Alone:
        def __call__(self, ask, lifts, baseline):
            return Outcome([lift.analysis(ask.x)[None] * ask.values(ask.x)[:, :, None, None] for lift in lifts])

    a = wl.attribute(BlackBox(in_numpy), signal(SHAPE), 1, domain=wl.Identity(), method=Alone())
    assert relative(a.data[:, 0, 0], signal(SHAPE)[:, 0, 0, 0] * NET(signal(SHAPE))[:, 1].detach()) < 1e-12

    class Slope:
        def __call__(self, ask, lifts, baseline):
            g, values = ask.at_input()
            return Outcome([lift.pull(g) for lift in lifts], values)

    with pytest.raises(ValueError, match="gradients are those of networks in torch"):
        wl.attribute(BlackBox(in_numpy), signal(SHAPE), 1, domain=wl.Identity(), method=Slope())


def test_a_file_and_a_function(tmp_path):
    wl.frontends.write_audio(tmp_path / "tone.wav", torch.sin(torch.arange(800) / 5)[None, None], rate=8000)
    explanation = wl.explain(tmp_path / "tone.wav", BlackBox(lambda a: np.abs(a).mean((1, 2))[:, None]), target=0)
    assert explanation.attribution.method.startswith("HierarchicalShapley(")
    assert abs(float(explanation.attribution.gap)) < 1e-6
    with pytest.raises(TypeError, match=r"Wrap a function of arrays in wavelens.models.BlackBox"):
        wl.explain(tmp_path / "tone.wav", in_numpy)


def test_a_function_by_name_and_a_loaded_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "def build():\n    return lambda a: a.mean((2, 3))\n"
    (tmp_path / "own_arrays.py").write_text(text)
    loaded = load("own_arrays:build", input_size=16)
    assert loaded.module(torch.ones(2, 3, 16, 16)).tolist() == [[1.0] * 3] * 2
    assert isinstance(loaded.module, BlackBox)
    model = LoadedModel(BlackBox(in_numpy), tuple("abcde"), Geometry(), "mine")
    assert wl.check(model.module, signal(SHAPE), 1).status in ("pass", "warn")


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("flat", [True, False])
def test_a_pipeline_of_scikit_learn(flat):
    """Linear in the signal, so that every Shapley value is a product with its weights."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    source = np.random.default_rng(0)
    train, classes = source.normal(size=(90, 1, 16)), np.arange(90) % 3
    train[classes == 1, 0, 4:8] += 2
    first = FunctionTransformer(None if flat else lambda a: a.reshape(len(a), -1))
    pipeline = make_pipeline(first, StandardScaler(), LogisticRegression()).fit(
        train.reshape(90, -1) if flat else train, classes
    )
    model, x = BlackBox(pipeline.decision_function, flat=flat), torch.from_numpy(train[1:2])
    a = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.ScaleShapley("cells", blocks=8))
    weights = pipeline[-1].coef_[1] / pipeline[1].scale_
    assert relative(a.data.view(8, 2).sum(1), torch.from_numpy((weights * train[1, 0]).reshape(8, 2).sum(1))) < 1e-9
