"""Marginal accounts: how far shares and places hang on the wavelet and on where its grid begins."""

import pytest
import torch

import wavelens as wl
from cases import Net, relative, signal
from wavelens import maps
from wavelens.grid import Grid
from wavelens.marginal import common_scales

SHIFTS = [wl.Shifted(wl.DWT("haar", 2), (k,)) for k in range(4)]


def test_a_marginal_account_is_the_mean_over_domains():
    x = signal((8, 12))
    domains = [*SHIFTS, wl.DWT("db4", 2), wl.Stationary("haar", 2)]
    several = wl.attribute(Net((8, 12)), x, 1, domain=domains, method=wl.IntegratedGradients(steps=3))
    found = maps.marginal(several)
    shares = torch.stack([maps.profile(one).share for one in several])
    assert relative(found.share, shares.mean(0)) < 1e-14
    assert relative(found.share_spread, shares.var(0).sqrt()) < 1e-12
    assert relative(found.share.sum(1), torch.ones(3)) < 1e-12
    assert relative(found.place.sum((1, 2)), torch.ones(3)) < 1e-12
    places = [heat / heat.sum((1, 2), keepdim=True) for heat in map(maps.spatial_map, several)]
    assert relative(found.place_spread, torch.stack(places).var(0).sqrt()) < 1e-12
    assert found.names == ("a2", "d2", "d1")


def test_a_shift_moves_the_shares_of_the_dwt_and_not_of_the_stationary_transform():
    x = signal((32,))
    assert maps.marginal([one.analysis(x) for one in SHIFTS]).share_spread.min() > 1e-3
    still = [wl.Shifted(wl.Stationary("haar", 2), (k,)) for k in range(4)]
    found = maps.marginal([one.analysis(x) for one in still])
    assert found.share_spread.max() < 1e-14
    assert found.place_spread.max() < 1e-14


def test_a_marginal_account_of_nothing_is_zero():
    found = maps.marginal([one.analysis(torch.zeros(1, 1, 8)) for one in SHIFTS])
    assert not any(t.any() for t in (found.share, found.share_spread, found.place, found.place_spread))


def test_scales_that_differ_are_added_up_until_all_domains_have_them():
    x = signal((8000,))
    domains = [
        wl.DWT("db4", 5),
        wl.ConstantQ(per_octave=3, octaves=7),
        wl.Packets("db4", levels=6),
        wl.STFT("hann", 512),
    ]
    several = wl.attribute(Net((8000,)), x, 1, domain=domains, method=wl.IntegratedGradients(steps=2))
    account = maps.marginal(several)
    assert account.names == ("a5", "d5", "d4", "d3", "d2", "d1")
    assert [extent[0].high for extent in account.extents] == [2.0**-k for k in (6, 5, 4, 3, 2, 1)]
    assert relative(account.shares[0], maps.profile(several[0]).share) < 1e-14
    for k, c in enumerate(several):
        profile = maps.profile(c)
        for j, extent in enumerate(account.extents):
            inside = [
                number
                for number, scale in enumerate(c.layout.scales().values())
                if extent[0].low - 1e-9 <= scale.extent[0].low and scale.extent[0].high <= extent[0].high + 1e-9
            ]
            assert relative(account.shares[k][:, j], profile.share[:, inside].sum(1)) < 1e-12
    assert relative(account.signed.sum(1), torch.stack([c.data.sum((1, 2)) for c in several]).mean(0)) < 1e-10


def test_a_marginal_account_names_what_is_one_scale_in_no_domain_by_its_ends():
    layouts = [wl.Packets("haar", levels=4).layout((64,)), wl.ConstantQ(per_octave=2, octaves=4).layout((64,))]
    scales = common_scales(layouts)
    assert [scale.name for scale in scales] == ["p4.0", "p4.1", "p4.2–p4.3", "p4.4–p4.7", "p4.8–p4.15"]
    for k, layout in enumerate(layouts):
        assert [number for scale in scales for number in scale.parts[k]] == list(range(len(layout.scales())))


def test_an_item_has_the_same_marginal_account_alone():
    x = signal((8, 12))
    domains = [wl.DWT("haar", 2), wl.DualTree(levels=3)]
    whole = maps.marginal([domain.analysis(x) for domain in domains])
    alone = maps.marginal([domain.analysis(x[1:2]) for domain in domains])
    for field in ("share", "share_spread", "signed", "signed_spread", "place", "place_spread"):
        assert relative(getattr(alone, field)[0].nan_to_num(), getattr(whole, field)[1].nan_to_num()) < 1e-12


def test_complex_gradients_have_shares_and_no_signs():
    x = signal((32,))
    several = wl.attribute(Net((32,)), x, 1, domain=[wl.STFT("hann", 8), wl.DWT("haar", 2)], method=wl.Saliency())
    account = maps.marginal(several)
    assert account.signed.isnan().all()
    assert relative(account.share.sum(1), torch.ones(3)) < 1e-12


def test_what_has_no_marginal_account():
    x = signal((8, 8))
    with pytest.raises(ValueError, match="takes two attributions or more; got 1"):
        maps.marginal([wl.DWT("haar", 2).analysis(x)])
    for other in (wl.Identity(), wl.ConstantQ(per_octave=3)):
        with pytest.raises(ValueError, match=r"tell the same scales apart; got .* Give each domain as many levels"):
            maps.marginal([wl.DWT("haar", 2).analysis(x), other.analysis(x)])
    with pytest.raises(ValueError, match=r"of the same signals; got axes \(8, 8\) and \(8, 9\)"):
        maps.marginal([wl.DWT("haar", 2).analysis(x), wl.DWT("haar", 2).analysis(signal((8, 9)))])


def test_the_domain_that_has_no_scale_in_common_is_named():
    x = signal((32, 32), batch=1)
    domains = [wl.DWT("haar", 3), wl.Shearlets(3), wl.ConstantQ(2, 1)]
    with pytest.raises(ValueError, match=r"got DWT\(.* and ConstantQ\(.* or leave out what has no scale in common"):
        maps.marginal([domain.analysis(x) for domain in domains])
    assert maps.marginal([domain.analysis(x) for domain in domains[:2]]).names == ("a3", "d3", "d2", "d1")


def test_a_figure_over_time_has_round_places_in_the_unit_of_its_grid():
    x = signal((60,), batch=1)
    figure = wl.plots.marginal(
        [one.analysis(x) for one in (wl.DWT("haar", 2), wl.DWT("db2", 2))], x, grid=Grid.sound(30)
    )
    ticks = {label.get_text(): label.get_position()[0] for label in figure.axes[0].get_xticklabels()}
    assert ticks == {"0 s": 0, "0.5 s": 15, "1 s": 30, "1.5 s": 45, "2 s": 60}
