"""The page of a volume, in Chromium: all of it within the width of a telephone, and scales that are chosen."""

import pytest

from test_plots import explained
from wavelens import plots
from wavelens.domains import DWT
from wavelens.grid import Grid

TEXTS = ".gtitle, .gtitle-subtitle, .updatemenu-header, .updatemenu-button, .slider-group, .colorbar text"


@pytest.mark.needs("plotly")
@pytest.mark.parametrize("width", [390, 1280])
def test_everything_lies_within_the_page(browser, tmp_path, width):
    a, x = explained((12, 10, 8), 1, DWT("haar", levels=2))
    grid = Grid((1.5, 0.75, 0.75), ("mm",) * 3)
    file = tmp_path / "scan.html"
    file.write_text(plots.scene(a, x, title="a scan with a rather long name.nii.gz: its class", grid=grid), "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(file.as_uri())
    assert page.title() == "a scan with a rather long name.nii.gz: its class"
    page.locator(".updatemenu-header").first.click()
    page.wait_for_selector(".updatemenu-dropdown-button")
    boxes = page.eval_on_selector_all(TEXTS, "found => found.map(e => e.getBoundingClientRect().toJSON())")
    assert len(boxes) >= 9
    assert all(box["left"] >= 0 and box["right"] <= width for box in boxes)
    page.locator(".updatemenu-dropdown-button").last.click()
    shown = "document.querySelector('.js-plotly-plot').data.filter(t => t.visible !== false).map(t => t.name).join()"
    page.wait_for_function(f"{shown} === 'input,d1,inside'")
    page.close()
