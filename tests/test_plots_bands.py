"""Figures and reports of rasters: cells add up to the account, and colours are those of the bands."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

import wavelens as wl
from wavelens import plots, reports
from wavelens.core import Coefficients
from wavelens.grid import Grid

NAMES = ("B02", "B03", "B04", "B08")
METRES = Grid((10.0, 10.0), ("m", "m"))


HAAR = wl.DWT("haar", levels=2)


def explained(domain=HAAR, channels=4):
    x = torch.rand(1, channels, 16, 24, generator=torch.Generator().manual_seed(0))
    layout = domain.layout((16, 24))
    dtype = torch.cfloat if layout.is_complex else torch.float32
    data = torch.randn(1, channels, layout.size, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return Coefficients(data, layout), x


def test_the_panel_names_bands_scales_in_metres_and_both_colours():
    a, x = explained()
    figure = plots.bands(a, x, grid=METRES, channels=NAMES, title="a scene")
    FigureCanvasAgg(figure).draw()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "true colour · B04 B03 B02"
    assert "false colour · B08 B04 B03" in titles
    cells = figure.axes[-1]
    assert [text.get_text() for text in cells.get_yticklabels()] == list(NAMES)
    assert [text.get_text().split("\n")[1] for text in cells.get_xticklabels()] == ["> 40", "20–40", "10–20"]
    written = np.array([float(text.get_text().replace("−", "-")) for text in cells.texts]).reshape(4, 3)
    torch.testing.assert_close(
        torch.from_numpy(written), wl.maps.profile(a, by_channel=True).signed[0].double(), atol=0.06, rtol=0.02
    )
    with pytest.raises(ValueError, match="channels must name each of 4 bands; got 2"):
        plots.bands(a, x, channels=("a", "b"))


@pytest.mark.parametrize("domain", [wl.DWT("haar", levels=2), wl.Identity(), wl.Fourier()], ids=repr)
def test_a_report_has_sums_by_band_and_pictures_of_the_bands(domain):
    a, x = explained(domain)
    entry = reports.Entry(a, x, kind="photo", grid=METRES, channels=NAMES)
    payload = entry.view.show(entry, 10**5).payload
    expected = wl.maps.profile(a).share if a.data.is_complex() else wl.maps.profile(a).signed
    torch.testing.assert_close(torch.tensor(payload["sums"]).sum(0), expected[0], rtol=2e-3, atol=2e-3)
    assert [look["name"] for look in payload["looks"]] == ["true colour · B04 B03 B02", "false colour · B08 B04 B03"]
    assert payload["noun"] == "band"
    plain = reports.Entry(a, x, kind="photo")
    assert "sums" not in plain.view.show(plain, 10**5).payload
