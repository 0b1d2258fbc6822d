"""Outlines over a picture in a report: the explained one in orange, gone once outlines are switched off."""

import numpy as np
import pytest
from test_report_page import entry, painted

from wavelens.outlines import box_outline
from wavelens.reports import Detected, report

ORANGE = np.array([0xB9, 0x47, 0x00])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    outlines = (box_outline(((2, 12), (4, 20)), "dog#1 0.90"), box_outline(((10, 30), (24, 44)), "car#1 0.80", True))
    objects = (Detected("dog#1", 0.9, "4, 2 to 20, 12"), Detected("car#1", 0.8, "24, 10 to 44, 30", True))
    return report(entry("photo", outlines=outlines, objects=objects), tmp_path_factory.mktemp("page") / "report.html")


def orange(canvas):
    """Where the picture is orange, `(height, width)`."""
    return np.abs(painted(canvas).astype(int) - ORANGE).max(-1) < 24


def test_boxes_are_drawn_at_their_places_and_can_be_switched_off(path, opened):
    page = opened(path)
    page.wait_for_selector("#entry-0[data-ready=true]")
    canvas = page.locator(".stage canvas").first
    outlined = orange(canvas)
    page.locator("input[data-field=outlined]").uncheck()
    rows, columns = np.nonzero(outlined & ~orange(canvas))  # the map has orange places too
    height, width = outlined.shape
    assert np.allclose([rows.min() / height, rows.max() / height], [10 / 32, 30 / 32], atol=0.02)
    assert np.allclose([columns.min() / width, columns.max() / width], [24 / 48, 44 / 48], atol=0.02)
    assert page.locator(".answer tr.explained th").first.inner_text().startswith("car#1")
