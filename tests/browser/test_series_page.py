"""The view of time series in a real browser: traces, one window in time for all panes, and sums that choose a scale."""

import numpy as np
import torch
from test_report_page import painted

import wavelens as wl
from wavelens.grid import Grid
from wavelens.reports import Entry, report


def series_entry():
    """A beat at 1 s of 4 s in the first of two channels."""
    t = torch.arange(400.0) / 100
    x = torch.stack([torch.exp(-(((t - 1) / 0.05) ** 2)), 0.1 * torch.sin(6 * t)])[None]

    class Loud(torch.nn.Module):
        def forward(self, x):
            return x.square().mean(-1)

    a = wl.attribute(Loud().eval(), x, 0, domain=wl.DWT("db4", levels=4), method=wl.IntegratedGradients(steps=2))
    return Entry(a, x, kind="series", grid=Grid.sound(100), channels=("I", "II"), marks=[(100, 101)], name="a beat")


def coloured(canvas):
    """The columns of a pane in which anything but grey is painted."""
    pixels = painted(canvas)[..., :3].astype(int)
    return np.flatnonzero((pixels.max(2) - pixels.min(2) > 40).any(0))


def test_traces_zoom_together_and_sums_choose_a_scale(opened, tmp_path):
    page = opened(report(series_entry(), tmp_path / "beat.html"))
    first, second, *_ = page.locator(".views canvas").all()
    before = coloured(first)
    assert before.size
    assert not coloured(second).size
    page.locator("[data-field=zoom]").fill("4")
    page.locator("[data-field=position]").fill("0")
    page.wait_for_timeout(300)
    after = coloured(first)
    assert np.ptp(after) > 2 * np.ptp(before)
    page.get_by_role("button", name="Whole series").click()
    page.wait_for_timeout(300)
    assert np.array_equal(coloured(first), before)
    button = page.locator(".sums thead button").first
    button.click()
    page.wait_for_timeout(300)
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator(".sums tbody tr").count() == 2


def test_a_phone_shows_it_whole(opened, tmp_path):
    page = opened(report(series_entry(), tmp_path / "beat.html"), viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
