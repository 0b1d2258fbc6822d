"""The statistics of benchmarks/domains on known answers; the runs themselves need data that is not shipped."""

import math

import pytest
import torch

import wavelens as wl


@pytest.fixture
def study(scripts, monkeypatch, tmp_path):
    """Imports a script of benchmarks/domains; no data is at hand."""
    monkeypatch.setenv("WAVELENS_DATA", str(tmp_path / "nothing"))
    return scripts("domains", "paper")


@pytest.fixture
def measures(study):
    return study("measures")


def signal(*axes: int) -> torch.Tensor:
    return torch.randn(2, 3, *axes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("domain", "axes", "octaves"),
    [
        (wl.DWT("db4", 3), (64,), [4, 3, 2, 1]),
        (wl.Stationary("haar", 3), (16, 16), [4, 3, 2, 1]),
        (wl.Shifted(wl.DWT("haar", 3), (0, 5)), (64,), [4, 3, 2, 1]),
        (wl.Packets("haar", 3), (64,), [4, 3, 2, 2, 1, 1, 1, 1]),
        (wl.ConstantQ(2, octaves=4), (4096,), [4, 4, 4, 3, 3, 2, 2, 1, 1]),
        (wl.Identity(), (16,), [1]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, wl.core.Domain) else "",
)
def test_each_scale_is_in_the_octave_of_its_upper_edge(measures, domain, axes, octaves):
    scales = domain.scales(domain.layout(axes))
    assert [measures.octave(scale, 3) for scale in scales] == octaves


def test_shares_and_sums_by_octave_are_those_of_the_scales_in_it(measures):
    c = wl.Packets("haar", 2).analysis(signal(16))
    profile = wl.maps.profile(c)
    for found, of in ((measures.octave_shares(c, 2), profile.share), (measures.octave_sums(c, 2), profile.signed)):
        torch.testing.assert_close(found, torch.stack([of[:, 0], of[:, 1], of[:, 2] + of[:, 3]], 1))


def test_the_shares_that_moved(measures):
    a, b = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]), torch.tensor([[0.3, 0.5, 0.2], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(measures.total_variation(a, b), torch.tensor([0.2, 1.0]))


@pytest.mark.parametrize(("part", "count"), [(0.35, 1), (0.5, 2), (0.7, 2), (0.71, 3), (1.0, 4)])
def test_the_coefficients_that_hold_a_part(measures, part, count):
    c = wl.Identity().analysis(torch.tensor([[[1.0, -4.0, 2.0, 3.0]]]))
    assert measures.coefficients_for(c, part).item() == count / 4


def test_a_complex_coefficient_counts_as_two_numbers(measures):
    c = wl.Fourier().analysis(torch.ones(1, 1, 16))  # all of it in the first of nine
    assert measures.coefficients_for(c, 0.9).item() == 2 / 16


def test_shuffled_coefficients_stay_in_their_bands_and_keep_their_channels_together(measures):
    c = wl.DWT("haar", 2).analysis(signal(16, 16))
    other = wl.DWT("haar", 2).analysis(measures.shuffled(c, 3))
    for (_, before), (_, after) in zip(c, other, strict=True):
        torch.testing.assert_close(before.flatten(2).sum(1).sort(-1).values, after.flatten(2).sum(1).sort(-1).values)
    assert (c.data - other.data).abs().max() > 0.1
    torch.testing.assert_close(measures.shuffled(c, 3), measures.shuffled(c, 3), rtol=0, atol=0)


@pytest.mark.parametrize("domain", [wl.DWT("db2", 2), wl.Fourier(), wl.Stationary("haar", 2)], ids=repr)
def test_scores_along_an_order_are_those_of_the_curves(measures, domain):
    x, weights = signal(32)[:1], torch.randn(96, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(96, 4, bias=False)).double().eval()
    net[1].weight.data = weights.T / 4
    order = wl.attribute(net, x, 1, domain=domain, method=wl.IntegratedGradients(steps=2))
    start = torch.full_like(x, 0.3)
    curves = wl.metrics.curves(net, x, 1, order, steps=4, baseline=start)
    inserted, deleted = measures.scores_along(net, x, 1, order, (0.25, 0.5, 0.75), start)
    torch.testing.assert_close(inserted, curves.insertion[0, 1:-1])
    torch.testing.assert_close(deleted, curves.deletion[0, 1:-1])


def test_areas_are_mean_heights(measures):
    assert measures.area(torch.tensor([0.0, 1.0]), (0.0, 4.0)) == 0.5
    assert measures.area(torch.tensor([1.0, 1.0, 0.0]), (0.0, 0.75, 1.0)) == 0.875
    log = [math.log(f) for f in (0.01, 0.1, 1.0)]  # two decades
    assert measures.area(torch.tensor([0.0, 0.0, 1.0]), log) == pytest.approx(0.25)


def test_shares_of_a_marginal_account_are_those_of_the_library(measures):
    several = [wl.Shifted(wl.DWT("haar", 2), (k,)).analysis(signal(16)) for k in range(3)]
    account = wl.maps.marginal(several)
    share, spread = measures.marginal_shares(several)
    torch.testing.assert_close(share, account.share)
    torch.testing.assert_close(spread, account.share_spread)


def test_a_window_is_moved_over_the_photo(study, monkeypatch):
    items = study("at_items")
    photo = torch.arange(160.0 * 160).reshape(1, 1, 160, 160).expand(1, 3, -1, -1)
    monkeypatch.setattr(items, "larger_photo", lambda name, size: photo)
    first, second = items.windows("photo", "a.jpg")
    down, right = divmod(int(second[0, 0, 0] - first[0, 0, 0]), 160)
    assert 1 <= down <= 15
    assert 1 <= right <= 15
    torch.testing.assert_close(second[:, :-down, :-right], first[:, down:, right:])  # nothing wraps


def test_the_loudest_window_of_a_clip(study):
    items = study("at_items")
    clip = torch.zeros(1, 1, 20000)
    clip[..., 8000:9000] = 1
    assert items._loudest(clip, 1500, 100) == 7500


SHARES = {"wavelet": [[0.5, 0.5], [0.7, 0.3], [0.5, 0.5]], "account": [[0.6, 0.4], [0.6, 0.4], [0.6, 0.4]]}


def photo_row(**more):
    cell = {"shares": SHARES, "spreads": {"account": [[0.04, 0.04]] * 3}}
    return {"readings": {"WAM-IG": cell}, "signed": {"wavelet": [[1, 2], [2, 0], [1, 2]]}, "rises": [-4], **more}


def test_what_moved_from_the_first_window(study):
    shift = study("shift")
    assert shift.moved(photo_row(), "wavelet") == pytest.approx([0.2, 0])
    assert shift.swings(photo_row(), "wavelet") == pytest.approx([0.75, 0])


def test_what_moved_is_the_mean_over_shifts_within_a_period(study, monkeypatch):
    shift = study("shift")
    monkeypatch.setattr(shift, "SHIFTS", (0, 1, 16))
    cell = shift._cell([photo_row()] * 6, shift.moved, "wavelet")
    assert cell["mean"] == pytest.approx([0.2] * 3)  # the last shift is a whole period
    assert list(cell["by shift"].values()) == pytest.approx([0.2, 0])


def test_how_often_an_error_bar_covers_the_shares(study):
    cover = study("shift").coverage([photo_row()], "WAM-IG", "account", "wavelet")
    assert cover["within two spreads"][0] == 0  # 0.5 and 0.7 lie outside 0.6 ± 0.08
    assert cover["deviation over windows ÷ spread"][0] == pytest.approx(math.sqrt(0.02) / 0.04, abs=1e-4)


def test_differences_to_the_energy_order_are_paired(study):
    def cell(*areas):
        names = ("zero insertion", "zero deletion", "shuffled insertion", "shuffled deletion", "gini")
        return dict(zip(names, (*areas, 0.5), strict=True))

    rows = [
        {"scores": {"D": {"WAM-IG": cell(0.9, 0.1, 0.5, 0.4), "energy order": cell(0.8, 0.1, 0.5, 0.2)}}},
        {"scores": {"D": {"WAM-IG": cell(0.5, 0.1, 0.1, 0.1), "energy order": cell(0.2, 0.1, 0.4, 0.4)}}},
    ]
    table = study("choice").summary(rows)["D"]
    assert table["WAM-IG"]["zero faithfulness over energy"][0] == pytest.approx(0.2)
    assert table["WAM-IG"]["shuffled faithfulness over energy"][0] == pytest.approx(-0.1)
    assert table["WAM-IG"]["zero insertion"][0] == pytest.approx(0.7)
    assert "zero faithfulness over energy" not in table["energy order"]


def test_a_mask_that_keeps_all_changes_no_figure(study):
    masks = study("sound_masks")
    time = torch.arange(2048, dtype=torch.float64)
    heard = masks.sound.Mixture(torch.sin(0.3 * time)[None, None], 0.5 * torch.cos(1.1 * time)[None, None])
    z = wl.ConstantQ(3, octaves=4).analysis(heard.sum)
    found = masks.figures(wl.masks.Mask(torch.ones(1, 1, z.layout.size, dtype=torch.float64), z.layout), heard)
    assert found["kept"] == found["kept_corruption"] == 1
    assert found["ratio"] == pytest.approx(6.02, abs=0.02)  # half the amplitude
    assert found["si_sdr"] == pytest.approx(-found["si_sdr_corruption"], abs=0.05)


def test_stems_of_a_constant_q_transform_end_within_an_octave_and_those_of_wavelets_do_not(study):
    leakage = study("sound_masks").leakage
    x = torch.randn(1, 1, 4096, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = [leakage(d.analysis(x)) for d in (wl.DWT("haar", 5), wl.DWT("db16", 5), wl.ConstantQ(3, octaves=5))]
    haar, long, q = (leak["octave_away"] for leak in found)
    assert q < 1e-12 < long < haar / 100
    assert all(leak["outside"] > leak["octave_away"] for leak in found)


def test_a_table_is_put_under_its_mark_and_takes_the_place_of_the_one_before(study):
    tables = study("tables")
    page = "One.\n\n<!-- table: a -->\n\n| old |\n| --- |\n\nTwo.\n\n<!-- table: b -->\n\nThree.\n\n<!-- table: b -->\n"
    made = {"a": tables.guides.table(["x", "y"], [["1", "2"]]), "b": "| b |"}
    once = tables.guides.filled(page, made)
    assert once == (
        "One.\n\n<!-- table: a -->\n\n| x | y |\n| --- | --: |\n| 1 | 2 |\n\nTwo.\n\n"
        "<!-- table: b -->\n\n| b |\n\nThree.\n\n<!-- table: b -->\n\n| b |\n"
    )
    assert tables.guides.filled(once, made) == once
    with pytest.raises(KeyError):
        tables.guides.filled("<!-- table: c -->\n\n", made)


def test_a_number_has_its_interval(study):
    number = study("tables").number
    assert number([0.123, 0.1, 0.2]) == "0.12 [0.10, 0.20]"
    assert number([0.123, 0.1, 0.2], 1, 100, interval=False) == "12.3"
    assert number(0.5) == "0.50"
    assert number([-0.001, -0.01, 0.01]) == "0.00 [-0.01, 0.01]"


def test_the_pages_have_the_tables_of_the_records(study):
    tables = study("tables")
    marks = 0
    for name in tables.PAGES:
        page = (tables.DOCS / name).read_text("utf-8")
        marks += page.count("<!-- table: ")
        assert tables.guides.filled(page, tables.tables()) == page
    assert marks
