"""Marginal accounts: how far shares and places hang on the wavelet and on where its grid begins."""

import pytest
import torch

import wavelens as wl
from cases import Net, relative, signal
from wavelens import maps

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


def test_what_has_no_marginal_account():
    x = signal((8, 8))
    one, deeper = wl.DWT("haar", 2).analysis(x), wl.DWT("haar", 3).analysis(x)
    with pytest.raises(ValueError, match="takes two attributions or more; got 1"):
        maps.marginal([one])
    with pytest.raises(
        ValueError, match=r"domains with the same scales; got .* and .* Give each domain as many levels"
    ):
        maps.marginal([one, deeper])
