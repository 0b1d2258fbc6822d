"""The statistics of benchmarks/planted on known rows, a row of each study on a small network, and the tables."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

import wavelens as wl
from wavelens import planted
from wavelens.methods.partitions import partition

TASK = replace(planted.TASKS["pitch"], axes=(64,))
CUT = {"pitch": 64, "both": 8, "planes": 4}  # cells along an axis of one, two, three
SMALL = {"DWT haar": wl.DWT("haar", levels=3), "Identity": wl.Identity()}


@pytest.fixture
def study(scripts):
    """Imports a script of benchmarks/planted."""
    return scripts("planted")


@pytest.fixture
def small(study, monkeypatch):
    """An untrained network in place of each verified one, and two domains."""
    module = planted.train(TASK, "convolutions, max", training=planted.Training(steps=1, batch=2))
    made = planted.PlantedNetwork(TASK, "convolutions, max", 0, module, planted.verification(module, TASK, signals=8))
    monkeypatch.setattr(planted, "network", lambda *_, **__: made)
    monkeypatch.setattr(study("common"), "domains_of", lambda task: SMALL)
    for effort in ("SmoothGrad", "SmoothGrad, little noise", "VarGrad", "SquareGrad", "expected gradients"):
        orders = study("orders")
        monkeypatch.setitem(orders.METHODS, effort, replace(orders.METHODS[effort], samples=2))
    return study


def lists(*precision):
    return {score: list(precision) for score in planted.Scores._fields}


def rows():
    def row(task, architecture, **orders):
        cells = {"DWT haar": {name: lists(*values) for name, values in orders.items()}}
        return {"key": {"task": task, "architecture": architecture, "seed": 0}, "seconds": 1.0, "scores": cells}

    return [
        row("orientation", "a", IG=[1.0, 0.0], SmoothGrad=[0.5, 1.0], energy=[0.0, 0.0], random=[1.0, 1.0]),
        row("texture", "a", IG=[0.0, 0.5], SmoothGrad=[0.5, 1.0], energy=[0.25, 0.5], random=[1.0, 1.0]),
        {"key": {"task": "texture", "architecture": "b", "seed": 0}, "seconds": 1.0, "refused": "no"},
    ]


def test_choices_are_made_on_one_kind_of_tasks_and_judged_on_the_other(study):
    find = study("find")
    results = find.summary(rows())
    assert results["choosing"]["Haar"]["IG"]["precision"][0] == 0.5
    assert results["judging"]["Haar"]["IG"]["precision"][0] == 0.25
    assert results["judging"]["Haar"]["IG"]["n"] == 1
    verdict = find.verdict(rows(), results)["Haar"]
    assert verdict["chosen"] == "SmoothGrad"  # the random order is better there, but is no method
    assert verdict["choosing"][0] == verdict["judging"][0] == 0.75
    assert verdict["less energy"][0] == 0.375
    assert verdict["less IG"] == [0.5, 0.5, 0.5]  # paired: the same for both items


def test_what_is_no_number_is_left_out(study):
    find = study("find")
    nan = math.nan
    scores = planted.Scores(*(torch.tensor([0.25, nan]) for _ in planted.Scores._fields))
    assert find.lists(scores)["mass"] == [0.25, None]
    assert find.interval([[0.25, None], [None, None]])[0] == 0.25
    assert find.interval([[None]]) is None


def test_a_row_has_every_order_in_every_domain(small):
    find, orders = small("find"), small("orders")
    row = find.row("pitch", "convolutions, max", 0, items=3)
    haar, samples = row["scores"]["DWT haar"], row["scores"]["Identity"]
    assert {
        "energy",
        "random",
        "saliency",
        "SmoothGrad × z, signed, contrast",
        "IG, signed",
        "Shapley by scale",
    } <= set(haar)
    assert set(haar) - set(samples) == {name for name in haar if name.startswith("Shapley")}  # one scale has no shares
    assert set(samples) - set(haar) == {"Grad-CAM", "Grad-CAM++", "Layer-CAM", "LRP", "SRD"} & set(samples)
    assert "Grad-CAM" in samples
    assert all(len(values) == 3 for cell in haar.values() for values in cell.values())
    assert not [name for name in haar if "VarGrad" in name and "signed" in name]
    times = {str(orders.Order(name, True, "signed")) for name in orders.GRADIENTS if name in orders.METHODS}
    assert times <= set(haar)


def test_further_orders_of_a_network_join_its_row(small):
    find = small("find")
    row = find.row("pitch", "convolutions, max", 0, items=3, methods=find.accounts)
    (cell,) = row["scores"].values()
    assert {"coarse to fine, signed", "Owen, signed, contrast", "SmoothGrad, band noise × z, signed"} <= set(cell)
    made = rows()
    further = [{"key": made[0]["key"], "scores": {"DWT haar": {"Owen": lists(1.0, 1.0)}}}, {"key": made[2]["key"]}]
    whole = find.merged(made, further)
    assert list(whole[0]["scores"]["DWT haar"])[-1] == "Owen"
    assert whole[1:] == made[1:]


def test_further_methods_tell_about_as_many_cells_apart_in_every_domain(study):
    orders, further, common = study("orders"), study("further"), study("common")
    for name in ("pitch", "both", "planes", "bump"):
        task = planted.TASKS[name]
        x = task.signals(1).x
        every = {which: further.methods(task, which) for which in further.ENDINGS}
        assert list(every["main"]) == [common.main_domain(task)]
        assert {*every["main"], *every["others"]} == set(common.domains_of(task))
        for domain, methods in (every["main"] | every["others"]).items():
            layout = common.domains_of(task)[domain].bind(x).layout(tuple(x.shape[2:]))
            blocks = {methods[name].blocks for name in ("Sobol", "HSIC", "KernelSHAP")}
            assert len(blocks) == 1
            assert len(partition(layout, x.shape[1], "cells", *blocks).names) <= orders.MOST_CELLS
            assert ("blurred path" in methods) == (not task.cloud)
    cut = [further.methods(planted.TASKS[name], "others")["Identity"]["Sobol"].blocks for name in CUT]
    assert cut == list(CUT.values())


def test_a_row_of_further_methods_has_every_domain_and_what_they_are_compared_with(small, monkeypatch):
    orders, further = small("orders"), small("further")
    cheap = {"RISE": wl.RISE(samples=4), "Sobol": wl.Sobol(samples=1, blocks=2), "IDGI": wl.ImportantDirections(2)}
    monkeypatch.setattr(orders, "further", lambda task, domain: cheap)
    asked = [partial(further.methods, which=which) for which in ("main", "others")]
    several = [small("find").row("pitch", "convolutions, max", 0, items=2, methods=methods) for methods in asked]
    assert [list(one["scores"]) for one in several] == [["DWT haar"], ["Identity"]]
    scores = several[0]["scores"] | several[1]["scores"]
    read = [
        "RISE", "RISE, signed", "RISE, signed, contrast", "Sobol", "IDGI", "IDGI, signed", "IDGI, signed, contrast",
    ]  # fmt: skip
    for cell in scores.values():
        assert list(cell) == ["IG", "IG, signed", "IG, signed, contrast", *read]
    made = [{"key": {"task": "pitch"}, "scores": scores}]
    (kept,) = further.apart(made)
    assert [list(cell) for cell in kept["scores"].values()] == [read, read]
    ahead = further.differences(made)["choosing"]
    assert list(ahead) == ["Haar", "Identity"]
    for domain, name in (("Haar", "DWT haar"), ("Identity", "Identity")):
        both = [torch.tensor(scores[name][order]["precision"]).mean() for order in ("RISE, signed", "IG, signed")]
        assert ahead[domain]["RISE, signed"]["precision"][0] == pytest.approx(float(both[0] - both[1]), abs=1e-3)
        assert ahead[domain]["RISE, signed"]["n"] == 1


def test_further_measures_have_numbers_and_stand_beside_the_others(small, monkeypatch):
    agreement, further, guide = small("agreement"), small("agreement_further"), small("guide")
    chosen = [agreement.Order("IG", reading="signed"), agreement.Order("saliency"), agreement.Order("energy")]
    monkeypatch.setattr(agreement, "ORDERS", chosen)
    row = agreement.row("pitch", "convolutions, max", 0, items=2, measured=further.measures)
    cells = row["measures"]
    assert set(cells["IG, signed"]) == {"truth", *further.SIGNS}
    assert set(cells["energy"]) == {"truth", "irof", "road", "transfer", "transfer, log"}
    row |= {"key": {"task": "pitch"}}
    del cells["saliency"]["truth"], cells["IG, signed"]["truth"], cells["energy"]["truth"]
    for truth, cell in enumerate(cells.values()):
        cell.update(truth=float(truth), road=-float(truth))
    results = agreement.summary([row], further.SIGNS)
    assert results["choosing"]["road"]["agreement"][0] == 1  # less is better
    own = {"networks": 4, "ff": {"agreement": [0.5, 0.4, 0.6]}, "truth": {"behind energy": [0.0, 0.0, 0.0]}}
    record = guide.joined({"results": {"choosing": own, "judging": {"networks": 0}}}, {"results": results})
    lines = guide.agreement(record).splitlines()
    assert "| road | `Road()` | +1.00 (n 1) | 100 % |" in lines
    assert "| ff | `FF()` | +0.50 [+0.40, +0.60] |  |" in lines


def test_gradient_times_z_is_that_of_the_method(small):
    orders = small("orders")
    x, model = TASK.signals(2).x, planted.network(TASK, "").module
    explain = orders.explainer(orders.Order("saliency", True, "signed"), SMALL["DWT haar"], TASK)
    own = wl.attribute(model, x, 1, domain=SMALL["DWT haar"], method=wl.InputTimesGradient())
    torch.testing.assert_close(explain(model, x, 1).data, own.data)
    sized = orders.explainer(orders.Order("saliency", True), SMALL["DWT haar"], TASK)
    torch.testing.assert_close(sized(model, x, 1).data, own.data.abs())


@pytest.mark.slow
def test_a_row_of_measures_has_a_number_for_every_order(small):
    agreement = small("agreement")
    row = agreement.row("pitch", "convolutions, max", 0, items=3)
    cells = row["measures"]
    assert list(cells) == list(map(str, agreement.ORDERS))
    assert set(cells["IG"]) == {"truth", *agreement.SIGNS}
    assert agreement.SENSITIVITY not in cells["energy"]


def test_agreement_is_a_rank_correlation_turned_so_that_one_is_best(study):
    agreement = study("agreement")
    orders = {"a": (0.1, 1.0), "b": (0.2, 2.0), "c": (0.3, 3.0), "energy": (0.0, 2.5), "random": (0.0, 0.0)}
    cells = {name: {"truth": t, "insertion": v, "deletion": -v, "complexity": v} for name, (t, v) in orders.items()}
    row = {"key": {"task": "orientation"}, "measures": cells}
    expected = wl.metrics.spearman(torch.tensor([[1.0, 2.0, 3.0, 2.5, 0.0]]), torch.tensor([[0.1, 0.2, 0.3, 0, 0]]))
    assert agreement.agreement(row, "insertion") == pytest.approx(expected.item(), abs=1e-6)
    assert agreement.agreement(row, "deletion") == agreement.agreement(row, "insertion")
    assert agreement.agreement(row, "complexity") == -agreement.agreement(row, "insertion")
    assert agreement.behind_energy(row, "insertion") == pytest.approx(2 / 3)
    assert agreement._behind(row) == 0


def test_networks_of_the_first_architectures_come_first(study):
    common = study("common")
    given = common.options("", ["--tasks", "pitch;orientation", "--architectures", "recurrent;convolutions, max"])
    assert [(key["task"], key["architecture"]) for key in common.keys(given)] == [
        ("pitch", "convolutions, max"),
        ("orientation", "convolutions, max"),
        ("pitch", "recurrent"),
        ("orientation", "recurrent"),
    ]


def test_the_other_class_is_the_one_with_the_largest_score_but_its_own(study):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Identity())
    x = torch.tensor([[[3.0, 2.0, 1.0]], [[3.0, 2.0, 1.0]]])
    assert study("common").others_of(model, x, torch.tensor([0, 2])) == [1, 0]


def test_groups_compare_architectures_on_tasks_that_several_learnt(study):
    find = study("find")
    orders = {name: [0.5, 0.5] for name in find.HEADLINE}

    def row(task, architecture, **more):
        cells = {"DWT haar": {name: lists(*values) for name, values in (orders | more).items()}}
        return {"key": {"task": task, "architecture": architecture, "seed": 0}, "scores": cells}

    made = [row("pitch", name, IG=[k, k]) for k, name in enumerate("abcd")] + [row("blob", "a", IG=[9.0, 9.0])]
    groups = find.groups(made)
    assert groups["architecture"]["a"]["IG"][0] == 0  # without the blob, which one architecture learnt
    assert groups["task"]["blob"] == {"n": 1, **dict.fromkeys(find.HEADLINE, [0.5] * 3), "IG": [9.0] * 3}
    assert groups["signals"]["one axis"]["IG"][0] == 1.5
    assert groups["signals"]["three axes"]["n"] == 1


def test_the_pages_have_the_tables_of_the_records(study):
    tables = study("tables")
    for name in tables.PAGES:
        page = (tables.DOCS / name).read_text("utf-8")
        assert page.count("<!-- planted: ") >= 1
        assert tables.guides.filled(page, tables.tables(), "planted") == page


@pytest.mark.slow
def test_the_code_of_the_page_runs(run_page, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run_page("planted.md")
    judged, energy = capsys.readouterr().out.split("magnitude: ")[1:]
    found = [float(text.split("precision ")[1][:4]) for text in (judged, energy)]
    assert found[0] > found[1] + 0.15


def test_what_the_page_says_of_its_tables_holds(study):
    tables = study("tables")
    find, agree = (tables.records.read(tables.RESULTS / f"{name}.json") for name in ("find", "agreement"))
    tasks, architectures = (find["groups"][field] for field in ("task", "architecture"))
    local = [name for name in tasks if name not in ("texture", "blob", "bump")]
    assert len(local) == 9
    assert (len([one for one in find["networks"] if "refused" not in one]), len(find["networks"])) == (52, 57)
    ends = [end(tasks[name][order][0] for name in local) for order in ("energy", "IG, signed") for end in (min, max)]
    assert [round(end, 2) for end in ends] == [0.07, 0.2, 0.38, 0.61]
    assert tasks["bump"]["energy"][0] > 0.8
    assert abs(tasks["texture"]["energy"][0] - tasks["texture"]["IG, signed"][0]) < 0.05
    assert [round(tasks["blob"][order][0], 1) for order in ("energy", "IG", "IG, signed")] == [0.2, 0.2, 0.2]
    contrast = {name: cell["IG, signed, contrast"][0] - cell["IG, signed"][0] for name, cell in tasks.items()}
    assert contrast.pop("blob") > 0.07
    assert max(map(abs, contrast.values())) < 0.035
    times = "SmoothGrad × z, signed, contrast"
    less = {name: cell["IG, signed"][0] - cell[times][0] for name, cell in architectures.items()}
    assert max(abs(less[name]) for name in ("convolutions, max", "convolutions, mean", "transformer")) < 0.05
    assert [round(less[name], 2) for name in ("recurrent", "residual")] == [0.08, 0.17]
    without = {
        name for name, one in find["verdict"].items() if one["chosen"] == "IG, signed" and one["less IG"][1] <= 0
    }
    assert without == {"Haar", "Cosine"}
    haar = find["results"]["choosing"]["Haar"]
    assert max(haar, key=lambda name: haar[name]["precision"][0]) == "IG, signed"  # find.py has no later methods
    assert haar["IG, signed"]["precision"][0] > haar["IG"]["precision"][0]
    named = [find["results"][use]["Haar"]["Shapley by scale, signed"]["scale"][0] for use in ("choosing", "judging")]
    assert [round(share, 2) for share in named] == [0.84, 0.74]
    assert haar["Shapley by scale, signed"]["precision"][0] < 0.25
    assert haar["Owen, signed"]["precision"][0] > 0.35
    assert haar["Owen, signed"]["scale"][0] > 0.75
    for purpose, leads in (("choosing", True), ("judging", False)):
        samples = find["results"][purpose]["Identity"]
        assert samples["Layer-CAM"]["precision"][0] > samples["IG, signed"]["precision"][0] - (0 if leads else 0.03)
        measures = agree["results"][purpose]
        value = {name: cell["agreement"][0] for name, cell in measures.items() if name not in ("networks", "truth")}
        assert value["faithfulness, log"] > value["faithfulness"]
        assert value["faithfulness, shuffled, log"] > value["faithfulness, shuffled"]
        assert abs(value["max_sensitivity"]) < 0.2
        assert measures["faithfulness"]["behind energy"][0] == pytest.approx(1 / 3, abs=0.08)
        assert value["faithfulness, shuffled, log"] < value["faithfulness, log"]
    measures = agree["results"]["choosing"]
    assert min(measures[name]["behind energy"][0] for name in ("deletion", "ff")) > 0.28
    assert measures["truth"]["behind energy"][0] < 0.1


def test_a_signal_of_many_scales_is_explained_without_shapley_values(study):
    torch.manual_seed(0)
    layers = torch.nn.Conv1d(1, 2, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(512, 2)
    net, deep = torch.nn.Sequential(*layers).eval(), {"DWT haar": wl.DWT("haar", levels=8)}
    found = [str(order) for _, order, _ in study("real").read(net, torch.randn(1, 1, 256), 0, deep)]
    assert "IG, signed" in found
    assert not any("Shapley" in name for name in found)


def test_what_the_page_says_of_further_methods_and_measures_holds(study):
    tables = study("tables")
    further, agree = (tables.records.read(tables.RESULTS / f"{name}.json") for name in ("further", "agreement-further"))
    for purpose, networks in (("choosing", 20), ("judging", 30)):
        ahead = {name: cell["precision"] for name, cell in further["less IG, signed"][purpose]["Haar"].items()}
        assert further["less IG, signed"][purpose]["Haar"]["RISE, signed"]["n"] == networks
        for name in ("IDG, signed", "blurred path, signed", "RISE, signed"):
            assert ahead[name][1] < 0 <= round(ahead[name][2], 2)
        assert (ahead["IDGI, signed"][2] < 0) == (purpose == "choosing")
        assert ahead["IG, shuffled start, signed"][2] < 0
        cells = [ahead[name] for name in ("Sobol", "HSIC", "KernelSHAP, signed", "hierarchical Shapley, signed")]
        assert all(cell[2] < -0.03 for cell in cells)
        value = {name: agree["results"][purpose][name]["agreement"][0] for name in study("agreement_further").SIGNS}
        assert value["transfer, log"] > max(value[name] for name in ("transfer", "irof", "road"))
        assert max(value["smooth_cascading"], value["complexity_rise"]) < 0.35
        _, low, high = agree["results"][purpose]["residual_correlation"]["agreement"]
        assert low < 0 < high
    assert [agree["results"][purpose]["networks"] for purpose in ("choosing", "judging")] == [4, 7]


def test_what_the_guide_to_choosing_says_of_samples_holds(study):
    tables = study("tables")
    further, find = (tables.records.read(tables.RESULTS / f"{name}.json") for name in ("further-domains", "find"))
    rows = [(further, "RISE, signed"), (find, "IG, signed")]
    parts = [
        f"{r['results']['choosing']['Identity'][order]['precision'][0]:.2f} and "
        f"{r['results']['judging']['Identity'][order]['precision'][0]:.2f}"
        for r, order in rows
    ]
    page = " ".join((tables.DOCS / "choosing.md").read_text(encoding="utf-8").split())
    assert f"alone, `RISE()` finds the most: {parts[0]}, integrated gradients {parts[1]}." in page


def test_what_the_page_says_of_further_methods_in_other_domains_holds(study):
    record = study("tables").records.read(study("tables").RESULTS / "further-domains.json")["less IG, signed"]

    def domains(purpose, order, sign):
        """Those in which an order is ahead (1) or behind (-1), of several networks."""
        cells = {name: cell[order]["precision"] for name, cell in record[purpose].items() if cell[order]["n"] > 2}
        return {name for name, (_, low, high) in cells.items() if (low > 0 if sign > 0 else high < 0)}

    assert domains("choosing", "RISE, signed", 1) == {"DWT db4", "Identity"}
    assert domains("judging", "RISE, signed", 1) == {"Stationary haar", "Identity"}
    assert domains("choosing", "IDG, signed", -1) == {"DualTree"}
    assert not domains("judging", "IDG, signed", -1)
    cells = ("Sobol", "HSIC", "KernelSHAP, signed", "hierarchical Shapley, signed")
    for purpose in ("choosing", "judging"):
        assert domains(purpose, "RISE, signed", -1) >= {"Cosine", "Packets db4"}
        assert domains(purpose, "blurred path, signed", -1) >= {"DualTree", "Shearlets"}
        assert domains(purpose, "IDGI, signed", -1) >= {"DWT db4", "Shearlets"}
        assert "Identity" not in domains(purpose, "IDGI, signed", -1)
        assert domains(purpose, "IG, shuffled start, signed", -1) >= {"DWT db4", "Packets db4", "Cosine"}
        for order in (*cells, "IDG, signed", "IDGI, signed", "blurred path, signed", "IG, shuffled start, signed"):
            assert not domains(purpose, order, 1)
        for order in cells:
            assert domains(purpose, order, -1) >= {"Stationary haar", "Packets db4", "DualTree", "Cosine"}
    assert not any("Identity" in domains("judging", order, -1) for order in cells)
    assert not any("Identity" in domains("choosing", order, -1) for order in cells[:2])
