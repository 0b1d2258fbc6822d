"""The view of a kind of its own (`ecg.py`), with its own script, in a real browser."""

import numpy as np
import torch
from test_report_page import entry, painted

import ecg
import wavelens as wl
from wavelens.reports import Entry, report


def ecg_entry():
    wave = torch.exp(-(((torch.arange(256.0) - 60) / 4) ** 2))
    x = torch.stack([wave, -wave / 2])[None]
    a = wl.attribute(ecg.Halves().eval(), x, 0, domain=wl.DWT("haar", levels=3), method=wl.IntegratedGradients(steps=2))
    return Entry(a, x, kind=ecg.ECG.view, grid=wl.grid.Grid((0.01,), ("s",)), name="a beat")


def test_a_view_of_its_own_is_drawn_and_follows_the_scale(opened, tmp_path):
    page = opened(report(ecg_entry(), tmp_path / "beat.html"))
    first, second, strip, _ = page.locator(".views canvas").all()
    assert (painted(first) != painted(second)).any()
    whole = painted(strip).sum(2)
    bright = np.flatnonzero(whole.max(0) > 60)
    left = whole.shape[1] - np.flatnonzero(whole.max(0) == 0).size
    assert bright.size
    assert left > 0
    page.locator("tr[data-row=d1]").click()
    assert (painted(strip).sum(2) != whole).any()


def test_views_stand_side_by_side_and_do_not_meet(opened, tmp_path):
    """Each script has its names to itself; a page has those of the views that it shows alone."""
    path = report([entry("photo"), ecg_entry(), entry("sound")], tmp_path / "three.html")
    page = opened(path)
    for number in range(3):
        page.locator(f".index a[data-number='{number}']").click()
        page.wait_for_selector(f"#entry-{number}[data-ready=true]")
        assert page.locator(f"#entry-{number} .views canvas").count() > 0
    assert "VIEWS.volume" not in path.read_text(encoding="utf-8")
