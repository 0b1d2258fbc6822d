"""Domains and methods as text: there and back, and never executed."""

import copy
import pickle

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, METHODS, UNEVEN, name
from wavelens.spec import NAMES, parse

ADAPTERS = [
    wl.Captum("Saliency"),
    wl.Captum("Saliency", tunnel="smoothgrad", seed=3, nt_samples=7, stdevs=0.1),
    wl.Captum("IntegratedGradients", baseline=-0.5, method="riemann_trapezoid", n_steps=20),
    wl.Lxt(),
    wl.Lxt(wl.SmoothGrad(samples=3, times_input=True)),
    wl.Zennit("GuidedBackprop"),
    wl.Zennit("BetaSmooth", wl.SmoothGrad(samples=3, sigma=1e-3)),
    wl.Zennit("DeconvNet", wl.IntegratedGradients(baseline=-1.5, tolerance=1e-2)),
]
VALUES = [*DOMAINS, *(domain for domain, _ in UNEVEN), *METHODS, *ADAPTERS]


@pytest.mark.parametrize("value", VALUES, ids=name)
def test_text_there_and_back(value):
    assert parse(repr(value)) == value
    assert parse(f"  {value!r}\n") == value
    assert repr(parse(repr(value))) == repr(value)


@pytest.mark.parametrize("value", VALUES, ids=name)
def test_values_travel_and_serve_as_keys(value):
    for twin in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert twin == value
        assert hash(twin) == hash(value)
        assert repr(twin) == repr(value)


def test_values_differ_where_their_arguments_do():
    assert len(set(VALUES)) == len(VALUES)
    assert len({repr(value) for value in VALUES}) == len(VALUES)


@pytest.mark.parametrize("text", [n for n in NAMES if n not in ("Captum", "Zennit")])
def test_a_name_alone_is_the_default(text):
    assert parse(text) == NAMES[text]() == parse(f"{text}()")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("DWT('db4', 3)", wl.DWT("db4", levels=3)),
        ("DWT('haar', levels=(1, 3, 0))", wl.DWT("haar", levels=(1, 3, 0))),
        ('DWT("db4", mode="zero", levels=None)', wl.DWT("db4", mode="zero")),
        ("IntegratedGradients(baseline=-.5)", wl.IntegratedGradients(baseline=-0.5)),
        ("Zennit('GuidedBackprop', SmoothGrad())", wl.Zennit("GuidedBackprop", wl.SmoothGrad())),
        ("Zennit('GuidedBackprop', method=VarGrad(sigma=1e-2))", wl.Zennit("GuidedBackprop", wl.VarGrad(sigma=0.01))),
        ("Captum('DeepLift', baseline=1)", wl.Captum("DeepLift", baseline=1)),
    ],
)
def test_as_people_write_it(text, value):
    assert parse(text) == value


FORM = r"a domain or method is written like DWT\('db4', levels=3\); got "
ARGUMENTS = "arguments must be numbers, texts in quotes or None; got "
WRONG = {
    "": FORM,
    "3": FORM,
    "DWT(": FORM,
    "DWT() DWT()": FORM,
    "DWT(levels: 3)": FORM,
    "DWT(\0)": FORM,
    "(" * 150: FORM,
    "(" * 1900: FORM,
    "-" * 1900 + "1": FORM,
    "x" * 1_000_000: "a text of at most 2,000 characters; got 1,000,000 characters",
    f"DWT({'-' * 900}1)": ARGUMENTS,
    f"DWT(1{'+1' * 900})": ARGUMENTS,
    "wl.DWT()": FORM,
    "DWT().levels": FORM,
    "[DWT() for _ in range(3)]": FORM,
    "lambda: DWT()": FORM,
    "DWT(**{'levels': 3})": FORM,
    "DWT((lambda: ran())())": FORM,
    "DWT(wl.ran())": FORM,
    "DWT(*ran)": ARGUMENTS,
    "DWT(db4)": r"got db4 in DWT\(db4\)",
    "Zennit(GuidedBackprop)": ARGUMENTS,
    "DWT(DWT.__class__)": ARGUMENTS,
    "DWT([n for n in 'ab'])": ARGUMENTS,
    "DWT(f'{ran()}')": ARGUMENTS,
    "DWT('db' + '4')": ARGUMENTS,
    "DWT({[1]: 2})": ARGUMENTS,
    "SmoothGrad(samples=2**9)": ARGUMENTS,
    "DTW('db4')": r"^there is no domain or method 'DTW'\. Did you mean DWT\?$",
    "Smoothgrad": r"no domain or method 'Smoothgrad'\. Did you mean SmoothGrad",
    "IntegratedGradient(steps=3)": "Did you mean IntegratedGradients",
    "sym8": r"no domain or method 'sym8'\. Did you mean DWT\('sym8'\)\?",
    "dwt": r"method 'dwt'\. Did you mean DWT\?",
    "smoothgrad(samples=2)": r"Did you mean SmoothGrad\?",
    "bior2": r"Did you mean DWT\('bior2\.",
    "print": r"there is no domain or method 'print'\. Choose one of DWT, ",
    "DWT(print('ran'))": r"there is no domain or method 'print'\. Choose one of DWT, ",
    "DWT('db4', depth=3)": r"levels=None, mode='periodization'\); got DWT\('db4', depth=3\).*'depth'",
    "DWT('db4', 3, 'zero', 1)": "DWT is written DWT.*too many positional",
    "InputTimesGradient(3)": "InputTimesGradient is written InputTimesGradient.*too many positional",
    "Saliency(3)": "times_input must be True or False; got 3",
    "Captum": "Captum is written Captum.*'algorithm'",
    "SmoothGrad('many')": "samples must be a whole number from 1; got samples=many",
    "DWT('db400')": "discrete wavelet of PyWavelets.*got 'db400'",
    "SmoothGrad(samples=0)": "samples must be a whole number from 1",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:30])
def test_other_texts_say_what_to_do(text):
    with pytest.raises(ValueError, match=WRONG[text]):
        parse(text)


@pytest.mark.parametrize("form", ["{}", "DWT({})", "Zennit('GuidedBackprop', {})", "Captum('Saliency', seed={})"])
def test_nothing_is_executed(form, monkeypatch):
    ran = []
    monkeypatch.setattr("os.system", ran.append)
    monkeypatch.setattr("builtins.print", lambda *_: ran.append(1))
    for attack in (
        "__import__('os').system('x')",
        "eval('print()')",
        "(lambda: print())()",
        "[print() for _ in (1,)]",
        "().__class__.__base__.__subclasses__()",
        "f'{print()}'",
        "(x := print())",
    ):
        with pytest.raises(ValueError, match=r"is written|must be numbers|no domain or method"):
            parse(form.format(attack))
    assert ran == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("DWT('haar', levels=1000000000000)", r"levels must be None, an integer from 0 to 62, .*; got 1000000000000\."),
        ("DWT('haar', levels=(100000000000, 1))", r"levels must be None, .*; got \(100000000000, 1\)\."),
        (f"DWT('haar', levels=0x{'f' * 1900})", "levels must be None, an integer from 0 to 62, .*; got 6729"),
        ("SmoothGrad(samples=1e30)", r"samples must be a whole number from 1; got samples=1e\+30"),
        ("SmoothGrad(samples=1000000000)", r"samples must be at most 10,000,000; got samples=1000000000\. Take fewer"),
        ("ExpectedGradients(samples=1000000000)", "samples must be at most 10,000,000"),
        ("IntegratedGradients(steps=1000000000)", "steps must be at most 10,000,000"),
        (
            "IntegratedGradients(steps=1000000)",
            "gauss-legendre must have at most 10,000 steps, whose nodes come from a matrix",
        ),
        (
            "SmoothGrad(sigma=1e999)",
            "sigma, a fraction of the signal's range, must be at least 0 and finite; got sigma=inf",
        ),
        (f"SmoothGrad(sigma=1{'0' * 400})", "sigma, a fraction .* finite; got sigma=1000"),
        ("SmoothGrad(tolerance=-1)", "tolerance must be above 0"),
        ("IntegratedGradients(quadrature='simpson')", "quadrature must be one of .*; got 'simpson'"),
        ("IntegratedGradients(steps=1, quadrature='trapezoid')", "the trapezoid with 2 steps or more"),
    ],
)
def test_numbers_that_would_take_all_memory_are_refused_at_once(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse(text)


def test_numbers_that_are_large_and_possible_are_taken():
    assert parse("IntegratedGradients(steps=1000000, quadrature='riemann')").steps == 10**6
    assert parse("IntegratedGradients(tolerance=0.02, max_steps=1000000000)").max_steps == 10**9
    assert parse("SmoothGrad(tolerance=0.02, max_samples=1000000000)").max_samples == 10**9
    assert parse("DWT('haar', levels=62)").levels == 62


def test_a_baseline_beyond_all_numbers_is_said():
    method = parse(f"IntegratedGradients(baseline=1{'0' * 400})")
    with pytest.raises(ValueError, match="baseline must be a finite number or a tensor; got 1000"):
        wl.attribute(lambda x: x.flatten(1), torch.ones(1, 1, 4), 0, domain=wl.DWT(), method=method)
