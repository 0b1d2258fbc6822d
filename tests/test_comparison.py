"""Runs side by side: paired intervals against closed forms and scipy, ranks, and tables that say it."""

import csv
import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from wavelens import plots, runs
from wavelens.cli import main
from wavelens.metrics import Column
from wavelens.runs.statistics.comparison import compare
from wavelens.runs.statistics.intervals import bootstrap
from wavelens.runs.statistics.tables import caption, comma_separated, latex, lines, markdown

LEVELS = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.3, 5.8, 9.7, 9.3, 2.3, 8.4])


@dataclass(frozen=True)
class Scores:
    """Known scores: `scale · level + shift`; item `gap` is not a number."""

    model: str = "net"
    scale: float = 1.0
    shift: float = 0.0
    gap: int = -1

    def load(self):
        return self.of

    def of(self, item):
        level = float("nan") if item == self.gap else self.scale * LEVELS[item] + self.shift
        curve = torch.linspace(0, 1, 5) * self.scale
        return {"insertion": level, "deletion(steps=8)": -level, "ff": level, "insertion curve": curve, "target": 3.0}


@pytest.fixture
def made(tmp_path):
    """A function that makes a run of scores in a folder of its own."""

    def make(name, task, items=range(12)):
        runs.run(task, items, tmp_path / name, shard_size=5)
        return tmp_path / name

    return make


def test_values_are_means_and_medians_and_a_constant_distance_has_no_width(made):
    found = compare([made("a", Scores()), made("b", Scores(shift=-0.25))])
    assert found.metrics == ("insertion", "deletion(steps=8)", "ff")
    assert found.row("insertion", "a").value.value == pytest.approx(LEVELS.mean(), abs=1e-12)
    assert found.row("ff", "a").value.value == np.median(LEVELS)
    for metric, sign in {"insertion": -1, "deletion(steps=8)": 1, "ff": -1}.items():
        far = found.row(metric, "b").difference
        assert [far.value, far.low, far.high] == pytest.approx([0.25 * sign] * 3, abs=1e-12)
        best = found.row(metric, "a").difference
        assert (best.value, best.low, best.high) == (0, 0, 0)
        assert [found.row(metric, run).rank.value for run in "ab"] == [1, 2]
        assert (found.row(metric, "b").rank.low, found.row(metric, "b").rank.high) == (2, 2)


@dataclass(frozen=True)
class Controlled(Scores):
    """Scores of an explainer with a name."""

    explainer: str = "Saliency()"


def test_floors_and_ceilings_are_marked_and_a_ceiling_is_not_ranked(made):
    a = made("a", Controlled())
    floor = made("energy", Controlled(shift=-1.0, explainer="EnergyOrder(domain=Identity(), baseline=0.0)"))
    ceiling = made(
        "pursuit", Controlled(shift=2.0, explainer="PursuitOrder(domain=Identity(), steps=25, baseline=0.0)")
    )
    found = compare([ceiling, a, floor])
    assert found.roles == {"pursuit": "ceiling", "energy": "floor"}
    assert found.row("insertion", "pursuit").rank is None
    assert found.row("deletion(steps=8)", "pursuit").rank is None  # least, and not the best
    assert [found.row("insertion", run).rank.value for run in ("a", "energy")] == [1, 2]
    assert found.row("insertion", "pursuit").difference.value == pytest.approx(2)
    assert found.row("insertion", "energy").difference.value == pytest.approx(-1)
    assert found.row("deletion(steps=8)", "pursuit").difference.value == pytest.approx(-2)
    for text in (markdown(found), latex(found), "\n".join(line[1] for line in lines(found))):
        assert "pursuit (ceiling)" in text
        assert "energy (floor)" in text
    assert (
        "floors know nothing of the model; a ceiling is made for insertion, explains nothing and has no rank"
        in caption(found)
    )
    alone = compare([ceiling])
    assert alone.roles == {}
    assert alone.row("insertion", "pursuit").rank.value == 1


def test_ranks_of_runs_that_cannot_be_told_apart_say_so(made):
    found = compare([made("a", Scores(scale=-1, shift=2 * LEVELS.mean() + 0.1)), made("b", Scores())])
    ranks = [found.row("insertion", run).rank for run in "ab"]
    assert [rank.value for rank in ranks] == [1, 2]
    assert {(rank.low, rank.high) for rank in ranks} == {(1, 2)}


@pytest.mark.needs("scipy")
def test_intervals_are_those_of_scipy(made):
    from scipy.stats import bootstrap as theirs

    table = np.stack([LEVELS, LEVELS[::-1] ** 0.5])
    ours = np.diff(bootstrap(table, np.mean, 9000, seed=0), axis=0)[0]
    expected = theirs(
        (table[1], table[0]),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=9000,
        rng=np.random.default_rng(1),
    )
    width = expected.confidence_interval.high - expected.confidence_interval.low
    np.testing.assert_allclose(np.percentile(ours, [2.5, 97.5]), expected.confidence_interval, atol=0.03 * width)
    assert ours.std() == pytest.approx((table[1] - table[0]).std() / len(LEVELS) ** 0.5, rel=0.03)


def test_only_items_of_all_runs_count_and_those_left_out_are_said(made):
    folders = [made("a", Scores(gap=2)), made("b", Scores(shift=1), range(1, 12)), made("c", Scores(), range(11))]
    found = compare(folders)
    assert (found.items, found.of, found.left_out["insertion"]) == (10, 12, 1)
    kept = np.delete(LEVELS, [0, 2, 11])
    assert found.row("insertion", "c").items == 9
    assert found.row("insertion", "c").value.value == pytest.approx(kept.mean(), abs=1e-12)
    assert found.row("insertion", "b").value.value == pytest.approx(kept.mean() + 1, abs=1e-12)
    text = markdown(found)
    assert "10 items; 95 % intervals by paired bootstrap, too narrow as a rule below 20 items; " in text
    assert "; left out: 2 items that some run lacks; left out of insertion: 1" in text


def test_the_same_seed_gives_the_same_intervals_and_more_items_narrower_ones(made):
    folders = [made("a", Scores())]
    one, two, other = (compare(folders, seed=seed).rows for seed in (0, 0, 1))
    assert one == two != other


def test_tables_hold_the_numbers(made):
    found = compare([made("a_b", Scores()), made("b|c", Scores(scale=2, shift=-9))])
    rows = list(csv.DictReader(io.StringIO(comma_separated(found))))
    assert [(row["metric"], row["run"], int(row["items"])) for row in rows] == [
        (r.metric, r.run, 12) for r in found.rows
    ]
    for row, expected in zip(rows, found.rows, strict=True):
        assert float(row["value"]) == expected.value.value
        assert float(row["difference_high"]) == expected.difference.high
        assert float(row["rank_low"]) == expected.rank.low
    first = markdown(found).splitlines()
    assert first[0] == "| run | insertion ↑ | deletion ↓ | ff ↑ |"
    assert first[2].startswith(f"| a_b | **{LEVELS.mean():.4g} [")
    assert first[3].startswith(r"| b\|c | ")
    assert all(line.count("|") - line.count(r"\|") == 5 for line in first[:4])
    text = latex(found)
    assert r"a\_b & $\mathbf{5.158}$ $[" in text
    assert r"run & insertion $\uparrow$ & deletion $\downarrow$ & ff $\uparrow$ \\" in text
    assert text.count("&") == 9


def test_the_names_of_runs_are_shown_in_tables_and_never_obeyed(made):
    found = compare([made("=1+1", Scores()), made("<b>[x](http:evil)\n| %", Scores(shift=-9))])
    rows = list(csv.DictReader(io.StringIO(comma_separated(found))))
    assert {row["run"] for row in rows} == {"'=1+1", "<b>[x](http:evil) | %"}
    assert min(float(row["difference_low"]) for row in rows) < 0
    lines = markdown(found).splitlines()
    assert lines[3].startswith(r"| &lt;b>\[x\](http:evil) \| % | ")
    assert all(line.count("|") - line.count(r"\|") == 5 for line in lines[:4])
    assert r"<b>[x](http:evil) | \% & $" in latex(found)


def test_bold_is_the_best_that_stays_the_best(made):
    near = compare([made("a", Scores(scale=-1, shift=2 * LEVELS.mean() + 0.1)), made("b", Scores())])
    far = compare([made("c", Scores()), made("d", Scores(shift=-0.1))])
    assert "**" not in markdown(near)
    assert "mathbf" not in latex(near)
    assert [line.count("**") for line in markdown(far).splitlines()[2:4]] == [6, 0]
    assert latex(far).count("mathbf") == 3


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (["a", "z"], "over the items that all have, by name; a has 12 items, such as 0; z has 2 items, such as -1"),
        (["a", "a"], "each run can be compared only once; got "),
    ],
)
def test_runs_that_cannot_be_compared_are_said(made, folders, sentence):
    made("a", Scores())
    folder = made("z", Scores(), range(3))
    runs.run(Scores(), [-1, -2], folder.parent / "y")
    named = [folder.parent / (name if name != "z" else "y") for name in folders]
    with pytest.raises(ValueError, match=sentence.replace("z", "y")):
        compare(named)


def test_runs_are_told_apart_by_the_last_parts_of_their_paths(made, tmp_path):
    """No folder of the machine stands in a table or a figure."""
    folders = [made(name, Scores()) for name in ("one/ig", "two/ig")]
    assert compare(folders).runs == ("one/ig", "two/ig")
    assert str(tmp_path) not in markdown(compare(folders))


def test_a_figure_has_a_line_for_each_run_and_its_area(made):
    found = compare([made("a", Scores()), made("b", Scores(scale=0.5))])
    figure = plots.mean_curves(found.curves)
    (axes,) = figure.axes
    assert (axes.get_title(), axes.get_xlabel()) == ("insertion curve", "part of the coefficients")
    logarithmic = plots.mean_curves({"a": {"insertion curve(fractions='log')": np.ones(5)}})
    assert logarithmic.axes[0].get_xlabel() == "steps from none to all of the coefficients"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a: 0.500", "b: 0.250"]
    np.testing.assert_allclose(axes.lines[1].get_xydata(), np.stack([np.linspace(0, 1, 5), np.linspace(0, 0.5, 5)], 1))
    with pytest.raises(
        ValueError, match=r"mean_curves draws the curves of runs; none of these has any\. Evaluate with --metric Cu"
    ):
        plots.mean_curves({"a": {}})


def test_the_command_prints_the_table_and_writes_it_in_every_form(made, tmp_path, capsys):
    folders = [str(made("a", Scores())), str(made("b", Scores(shift=-0.25)))]
    assert main(["compare", *folders, "--out", str(tmp_path / "found")]) == 0
    printed = capsys.readouterr().out
    assert "12 items; 95 % intervals by paired bootstrap, too narrow as a rule below 20 items; " in printed
    assert "ff: medians, all others means; deletion: steps=8." in printed
    assert f"a: net, \nb: net, \nwrote {tmp_path}/found/comparison.md" in printed
    found = compare(folders)
    assert (tmp_path / "found/comparison.md").read_text() == markdown(found)
    assert (tmp_path / "found/comparison.tex").read_text() == latex(found)
    assert (tmp_path / "found/comparison.csv").read_text() == comma_separated(found)
    assert (tmp_path / "found/curves.png").stat().st_size > 5000
    assert main(["compare", str(tmp_path)]) == 2
    assert "is not a run: it has no manifest.json" in capsys.readouterr().err


@pytest.mark.parametrize("name", [r"$\frac{$", "_hidden", "a$b$c", "x\x1b[1m"], ids=repr)
def test_curves_of_runs_with_any_name_are_drawn_with_it(name):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = plots.mean_curves({name: {"insertion curve": np.linspace(0, 1, 5)}, "b": {"insertion curve": np.ones(5)}})
    FigureCanvasAgg(figure).draw()
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    shown = name.replace("$", r"\$").replace("\x1b", "\N{REPLACEMENT CHARACTER}")
    assert [text.strip() for text in texts] == [f"{shown}: 0.500", "b: 1.000"]


def test_a_long_title_takes_several_lines():
    name = "insertion curve(steps=8, fractions='log', fill='shuffled', samples=2, score='logit')"
    title = plots.mean_curves({"a": {name: np.ones(5)}}).axes[0].get_title()
    assert " ".join(title.splitlines()) == name
    assert max(map(len, title.splitlines())) <= 50


def test_the_title_of_a_long_curve_is_within_its_panel():
    name = "insertion curve(steps=8, fractions='log', fill='shuffled', samples=2, score='logit')"
    figure = plots.mean_curves({"a": {name: np.ones(5), f"{name} again": np.ones(5)}})
    figure.draw_without_rendering()
    for ax in figure.axes:
        box, title = ax.get_tightbbox(), ax.title.get_window_extent()
        assert title.width <= figure.bbox.width / 2
        assert 0 <= title.x0 < title.x1 <= figure.bbox.width, (box, title)


def test_curves_of_logits_are_drawn_below_zero():
    below = plots.mean_curves({"a": {"insertion curve(score='logit')": np.linspace(-3, 1, 5)}})
    above = plots.mean_curves({"a": {"insertion curve": np.linspace(0.2, 1, 5)}})
    assert below.axes[0].get_ylim()[0] <= -3
    assert above.axes[0].get_ylim()[0] == 0


@dataclass(frozen=True)
class Other:
    """Another metric of the same items."""

    def load(self):
        return lambda item: {"sparsity": float(LEVELS[item]), "target": 3.0}


@dataclass(frozen=True)
class Empty:
    """A metric that is a number for no item."""

    def load(self):
        return lambda item: {"insertion": float("nan")}


def test_runs_without_a_common_metric_are_an_error_that_names_what_differs(made, capsys):
    folders = [made("a", Scores()), made("b", Other())]
    assert main(["compare", *map(str, folders)]) == 2
    said = capsys.readouterr().err
    assert "by metrics that all have; a has insertion, deletion(steps=8), insertion curve, ff; b has sparsity." in said
    assert said.count("\n") == 1
    with pytest.raises(ValueError, match="compared by numbers; insertion has none, for any item"):
        compare([made("c", Empty()), made("d", Empty())])


def test_unfinished_runs_are_named_with_how_far_they_are(made, capsys):
    folders = [made("a", Scores()), made("b", Scores(shift=1))]
    (folders[1] / "shards/000000001.safetensors").unlink()  # five of twelve items
    assert main(["compare", *map(str, folders)]) == 0
    assert "note: b is unfinished: 7 of 12 files have been evaluated." in capsys.readouterr().err
    assert compare(folders).unfinished == {"b": (7, 12)}


def test_few_files_are_warned_of_and_three_have_no_interval(made, capsys):
    folders = [str(made(name, Scores(shift=shift), range(3))) for name, shift in (("a", 0), ("b", 1))]
    assert main(["compare", *folders]) == 0
    said = capsys.readouterr()
    assert "[" not in said.out.partition("items;")[0].partition("\n")[2]
    few = "3 items; too few for intervals, which take at least 6 and are too narrow as a rule below 20"
    assert few in " ".join(said.out.split())
    assert "few" not in said.err
    assert all(few in text(compare(folders)) for text in (markdown, latex))
    rows = list(csv.DictReader(io.StringIO(comma_separated(compare(folders)))))
    assert {row["value_low"] for row in rows} == {row["p"] for row in rows} == {""}
    assert main(["compare", str(made("c", Scores()))]) == 0
    assert "bootstrap, too narrow as a rule below 20 items" in " ".join(capsys.readouterr().out.split())


def test_a_difference_is_marked_after_holms_correction(made):
    """A constant difference of twelve items is one; of runs that swap places nothing is."""
    far = compare([made("c", Scores()), made("d", Scores(shift=-0.1))])
    assert {row.run: row.differs for row in far.rows} == {"c": False, "d": True}
    assert "*" in {line[1]: line[3] for line in lines(far)}["d"]
    assert "after Holm's correction" in caption(far)
    near = compare([made("a", Scores(scale=-1, shift=2 * LEVELS.mean() + 0.1)), made("b", Scores())])
    assert not any(row.differs for row in near.rows)
    assert all(row.p is None or row.p > 0.05 for row in near.rows)


@pytest.mark.parametrize("resamples", [0, -1, 10**12])
def test_resamples_that_memory_cannot_hold_are_refused(made, resamples):
    with pytest.raises(ValueError, match=rf"resamples must be a whole number from 1 to 1,000,000; got {resamples}\."):
        compare([made("a", Scores())], resamples=resamples)


@dataclass(frozen=True)
class Own:
    """Numbers of a task that is no evaluation, with what is known of some of them."""

    columns: tuple[Column, ...] = ()

    def load(self):
        return lambda item: {"loss": LEVELS[item], "spread": LEVELS[item] / 2, "bands": torch.ones(3), "score": 1.0}


def test_every_number_of_any_task_is_compared_and_ranked_where_its_direction_is_known(made):
    columns = (Column("loss", "less", middle="median"),)
    found = compare([made("a", Own(columns)), made("b", Own(columns))])
    assert found.metrics == ("loss", "spread")
    assert found.row("loss", "a").value.value == np.median(LEVELS)
    assert (found.row("loss", "a").rank.value, found.row("spread", "a").rank) == (1, None)
    assert found.columns["loss"] == columns[0]


def test_an_explainer_is_said_in_words_and_one_of_ones_own_as_it_is(made, capsys):
    texts = ("FromMethod(method=Saliency(times_input=False), domain=DWT(wavelet='haar', levels=2))", "own:Mine(a=1)")
    folders = [str(made(name, Controlled(explainer=text))) for name, text in zip("ab", texts, strict=True)]
    assert main(["compare", *folders]) == 0
    printed = capsys.readouterr().out
    assert "a: net, saliency in DWT, haar, 2 levels\n" in printed
    assert "b: net, own:Mine(a=1)\n" in printed


def test_runs_that_mean_other_things_by_one_name_are_not_compared(made):
    folders = [made(name, Own((Column("loss", better),))) for name, better in {"a": "less", "b": "more"}.items()]
    with pytest.raises(
        ValueError, match=r"runs are compared by columns of one meaning; b has Column\(name='loss', better"
    ):
        compare(folders)


def test_a_column_of_another_shape_is_said(made):
    with pytest.raises(ValueError, match=r"the column bands is \(items,\); a run has \(12, 3\)\. Evaluate it again"):
        compare([made("a", Own((Column("bands", "more"),)))])


def test_a_manifest_without_columns_is_that_of_earlier_versions(made):
    """The digest of a run is of its text, so runs that record nothing of columns are read as before."""
    folder = made("a", Scores())
    assert "columns" not in (folder / "manifest.json").read_text()
    assert runs.Run.open(folder).read().names


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ([{"name": "loss", "better": "most"}], "better must be 'more', 'less' or None; got 'most' for loss"),
        ([{"name": "loss", "code": "import os"}], "unexpected keyword argument 'code'"),
        ([{"name": "loss"}, {"name": "loss"}], "two of its columns have one name"),
        ({"loss": "less"}, "cannot be read"),
        (3, "cannot be read"),
    ],
)
def test_a_manifest_with_columns_that_mean_nothing_is_said(made, columns, sentence):
    folder = made("a", Own((Column("loss", "less"),)))
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | {"columns": columns}))
    with pytest.raises(ValueError, match=f"is the manifest of a run; this one cannot be read.*{sentence}|{sentence}"):
        compare([folder])
