"""Texts of a user's own domains, methods and metrics: there and back, from the command imported, from files never."""

import json
import pickle
import sys
from pathlib import Path

import pytest
import torch

import wavelens as wl
from own_file import NAME, own
from wavelens.baselines import parse_explainer
from wavelens.cli import main
from wavelens.cli.options import domain_of, method_of
from wavelens.metrics.measures import METRICS, parse_metric
from wavelens.own import own_classes, text_of
from wavelens.spec import parse, parse_own


@pytest.mark.parametrize(
    "text",
    ["Halved()", "Halved", "Halved(factor=0.25)", "Halved(0.25)", "Halved(inner=DWT('haar', levels=2))", "Twice(3)"],
)
def test_a_text_is_the_value_and_the_value_its_text(own_folder, text):
    value = parse_own(own(text))
    assert type(value).__module__ == NAME
    assert text_of(value).startswith(own(text.partition("(")[0]))
    assert parse_own(text_of(value)) == value
    assert parse(text_of(value), also=own_classes(value)) == value
    assert parse(repr(value), also=own_classes(value)) == value
    assert wl.parse(text_of(value), also=own_classes(value)) == value
    assert pickle.loads(pickle.dumps(value)) == value


def test_values_may_lie_in_one_another(own_folder):
    nested = parse_own(f"FromMethod(method={own('Twice(times=4)')}, domain=Shifted({own('Halved()')}, (0, 2)))",
                       wl.baselines.EXPLAINERS)  # fmt: skip
    assert nested.method.times == 4
    assert nested.domain.domain.factor == 0.5
    assert [cls.__name__ for cls in own_classes(nested)] == ["Twice", "Halved"]
    again = wl.parse(text_of(nested), also=own_classes(nested))
    assert again == nested
    inner = parse_own(own(f"Halved(inner={own('Halved(2.0)')})"))
    assert inner.inner.factor == 2.0
    assert parse(text_of(inner), also=own_classes(inner)) == inner


@pytest.mark.parametrize("value", [wl.DWT("db2", 3), wl.Captum("Saliency"), wl.Shifted(), *(cls() for cls in METRICS)])
def test_a_value_of_the_library_is_written_as_its_repr(value):
    assert text_of(value) == repr(value)
    assert text_of((value, 1)) == repr((value, 1))
    assert own_classes(value) == ()


def test_a_module_may_lie_in_a_package():
    assert parse_own("wavelens.domains.dwt:DWT('haar', levels=2)") == wl.DWT("haar", levels=2)
    assert parse_own("Shifted(wavelens.domains:DWT('haar'))") == wl.Shifted(wl.DWT("haar"))


def test_colons_in_texts_are_texts(own_folder):
    assert parse_explainer("GradCAM(layer='own:layer')").layer == "own:layer"
    assert NAME not in sys.modules


@pytest.mark.parametrize(
    "text",
    [
        "own @ Lifted()",
        "own@Lifted()",
        "DWT() @ DWT()",
        "own : Lifted()",
        "own:Lifted().x",
        "own:Lifted()()",
        "a:b:c()",
        "own:",
        ":Lifted()",
        "(own):Lifted()",
        "f():Lifted()",
        "lambda x:x",
        "{own:Lifted}",
        "DWT()[a:b]",
    ],
)
def test_only_a_module_and_a_name_are_a_class_of_ones_own(text, monkeypatch):
    monkeypatch.setattr("wavelens.spec.imported", lambda name: pytest.fail(f"{name} was imported"))
    with pytest.raises(ValueError, match=r"a domain or method is written like|arguments are numbers"):
        parse_own(text)


WRONG = {
    "absent_module:Halved()": r"there is no module absent_module for absent_module:Halved\. Put absent_module\.py into",
    own("Absent()"): rf"{NAME}:Absent cannot be found: .*Check the name",
    own("Loose()"): r"Loose is no frozen dataclass, so no text says what it does\. Make it one",
    own("Fails()"): r"Fails\(\) raises KeyError: 'broken on purpose'",
    own("thing"): r"thing is a int, not a class",
    own("summed()"): r"summed is a function, not a class\. Name a class",
    own("Halved(factor=1, factors=2)"): r"Halved is written mine_own:Halved\(factor=0\.5, inner=Identity\(\)\); got",
    own("Halved(factor=x)"): r"arguments must be numbers, texts in quotes or None; got x",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_names_are_one_line(own_folder, text, capsys):
    with pytest.raises(ValueError, match=WRONG[text]):
        parse_own(text)
    assert main(["explain", "photos/a.png", "--model", own("net"), "--domain", text]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    for option in ("--method", "--domain"):
        assert main(["evaluate", "photos", "--model", own("net"), "--out", "run", option, text]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import absent_package", "broken_own cannot be imported: No module named 'absent_package'. Install what it"),
        ("def f(:", "broken_own cannot be imported, and broken_own:Mine is in it: SyntaxError"),
        ("raise KeyError('x')", "is in it: KeyError: 'x'. Mend the module."),
    ],
)
def test_a_module_that_fails_is_one_line(own_folder, code, sentence, capsys):
    (own_folder / "broken_own.py").write_text(code)
    for option in ("--domain", "--method", "--metric"):
        assert main(["evaluate", "photos", "--model", own("net"), "--out", "run", option, "broken_own:Mine()"]) == 2
        printed = capsys.readouterr().err
        assert sentence in printed
        assert len(printed.splitlines()) == 1


def test_each_option_takes_its_own_kind(own_folder):
    for text in ("Twice()", "Copied()", "Both()"):
        with pytest.raises(ValueError, match=r"--domain takes a domain, such as DWT\('db4', levels=3\); got "):
            domain_of(own(text))
    for text in ("Halved()", "Copied()", "Both()", "Grey()"):
        with pytest.raises(ValueError, match=r"--method takes a method, such as SmoothGrad.*got "):
            method_of(own(text))
    for text in ("Halved()", "Both()", "Grey()"):
        with pytest.raises(ValueError, match=r"a method must be one such as SmoothGrad.*One of your own is called as"):
            parse_explainer(own(text))
    for text in ("Halved()", "Twice()", "Copied()"):
        with pytest.raises(ValueError, match=r"a metric must be one of Curves, .*or your own, such as own:kept"):
            parse_metric(own(text))
    with pytest.raises(ValueError, match=r"a metric is a function \(model, x, target, attribution"):
        parse_metric(own("net"))
    with pytest.raises(ValueError, match=r"summed is summed\(model, .*got an unexpected keyword argument 'powers'"):
        parse_metric(own("summed(powers=2)"))
    with pytest.raises(ValueError, match=r"needy is needy\(model, .*missing a required argument: 'k'"):
        parse_metric(own("needy"))
    with pytest.raises(ValueError, match=r"the options of mine_own:summed must have names; got mine_own:summed\(2\)"):
        parse_metric(own("summed(2)"))


def saved():
    """An attribution in a domain of one's own, in a file; nothing of the module is left in this process."""
    x = torch.rand(2, 1, 4, 6, generator=torch.Generator().manual_seed(0))
    domain = parse_own(own("Halved(0.25)"))
    a = wl.attribute(lambda x: x.flatten(1).square(), x, 3, domain=domain, method=parse_own(own("Twice()")))
    a.save("a.safetensors")
    sys.modules.pop(NAME)
    return a


def test_a_file_stores_the_name_of_a_class_and_never_imports_it(own_folder, monkeypatch):
    a = saved()
    assert a.method == own("Twice(times=2.0)")
    monkeypatch.setattr("importlib.import_module", lambda name, *_: pytest.fail(f"{name} was imported"))
    refusal = (
        r"^a\.safetensors holds coefficients in mine_own:Halved, a class of your own, and no file imports code\. "
        r"Pass the class: Attribution\.load\(path, also=\[Halved\]\)\.$"
    )
    with pytest.raises(ValueError, match=refusal):
        wl.Attribution.load("a.safetensors")
    with pytest.raises(ValueError, match="no file imports code"):
        wl.Attribution.load("a.safetensors", also=[wl.DWT])
    assert NAME not in sys.modules
    again = wl.Attribution.load("a.safetensors", also=[type(a.domain)])
    assert again.domain == a.domain
    assert torch.equal(again.data, a.data)


def test_several_signals_are_stored_in_domains_of_ones_own(own_folder):
    halved = parse_own(own("Halved()"))
    signals = {"image": torch.rand(1, 1, 4, 4), "text": torch.rand(1, 2, 6)}
    both = wl.attribute(
        lambda image, text: image.flatten(1).sum(1, keepdim=True) + text.flatten(1),
        signals,
        0,
        domain={"image": halved, "text": wl.DWT("haar", 1)},
        method=wl.Saliency(),
    )
    both.save("both.safetensors")
    with pytest.raises(ValueError, match="no file imports code"):
        wl.Attributions.load("both.safetensors")
    again = wl.Attributions.load("both.safetensors", also=[type(halved)])
    assert again["image"].domain == halved
    assert torch.equal(again.joint.data, both.joint.data)


@pytest.mark.parametrize("domain", ["os:system('touch hostile')", f"{NAME}:Halved()", "DWT(wavelet=os:system)"])
def test_hostile_files_do_not_import(own_folder, domain, monkeypatch):
    from safetensors import safe_open
    from safetensors.torch import save_file

    wl.attribute(lambda x: x.flatten(1), torch.rand(1, 1, 4), 0, domain=wl.Identity(), method=wl.Saliency()).save("a")
    with safe_open("a", framework="pt") as stored:
        header = json.loads(stored.metadata()["wavelens"])
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    save_file(tensors, "hostile.safetensors", {"wavelens": json.dumps(header | {"domain": domain})})
    monkeypatch.setattr("importlib.import_module", lambda name, *_: pytest.fail(f"{name} was imported"))
    with pytest.raises(ValueError, match="no file imports code"):
        wl.Attribution.load("hostile.safetensors")
    assert not Path("hostile").exists()
    assert NAME not in sys.modules
