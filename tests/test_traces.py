"""From a series to a network's input: channels by name, rates, windows, scales, and what is refused."""

import pytest
import torch

import wavelens as wl
from wavelens.frontends import Series, resample
from wavelens.models import Traces
from wavelens.models.preparations.series import as_series


def series(channels=3, samples=400, rate=100.0, names=("XX.AAA..HHE", "XX.AAA..HHN", "XX.AAA..HHZ")):
    x = torch.randn(1, channels, samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Series(x + torch.arange(channels)[:, None], rate, names)


def test_channels_are_taken_by_name_or_ending_in_the_networks_order():
    one = series()
    taken = Traces((2, 400), channels=("z", "XX.AAA..HHE"))
    torch.testing.assert_close(taken(one), one.data[:, [2, 0]], rtol=0, atol=0)
    assert taken.names(one) == ("z", "XX.AAA..HHE")
    bare = Series(one.data, one.rate)
    torch.testing.assert_close(Traces((3, 400), channels=("E", "N", "Z"))(bare), one.data, rtol=0, atol=0)
    assert Traces((3, 400)).names(bare) == ("channel 1", "channel 2", "channel 3")


def test_a_window_begins_where_it_is_said_in_seconds_or_samples():
    one = series()
    torch.testing.assert_close(Traces((3, 50), start=1.5)(one), one.data[..., 150:200], rtol=0, atol=0)
    unknown = Series(one.data, None)
    torch.testing.assert_close(Traces((3, 50), start=150)(unknown), one.data[..., 150:200], rtol=0, atol=0)
    torch.testing.assert_close(Traces((3, 50), fit="whole")(one), one.data, rtol=0, atol=0)
    torch.testing.assert_close(as_series(one)(one), one.data, rtol=0, atol=0)


@pytest.mark.parametrize(("rate", "to", "up", "down"), [(100.0, 250, 5, 2), (62.5, 31.25, 1, 2), (0.5, 0.2, 2, 5)])
def test_another_rate_is_resampled(rate, to, up, down):
    one = series(rate=rate)
    x = Traces((3, 100), rate=to, fit="whole")(one)
    torch.testing.assert_close(x, resample(one.data, down, up), rtol=0, atol=0)
    assert Traces((3, 100), rate=to).grid(one).spacing[0] * (to if to > 1 else 1) == pytest.approx(
        1 if to > 1 else 1 / to
    )


def test_scales_are_of_each_channel_in_its_window():
    one = series()
    x = Traces((3, 50), start=1.5, scaling="standard")(one)
    torch.testing.assert_close(x.mean(-1), torch.zeros(1, 3, dtype=x.dtype), rtol=0, atol=1e-12)
    torch.testing.assert_close(x.square().mean(-1), torch.ones(1, 3, dtype=x.dtype))
    dead = Series(torch.cat([one.data, torch.full_like(one.data[:, :1], 5)], 1), one.rate)
    torch.testing.assert_close(Traces((4, 50), start=1.5, scaling="standard")(dead)[:, :3], x)
    assert not Traces((4, 50), scaling="standard")(dead)[:, 3].any()
    for value in (0.1, -3.7e5):  # whose mean is rounded
        dead = Series(torch.cat([torch.rand(1, 1, 3001), torch.full((1, 1, 3001), value)], 1), 100.0)
        assert not any(Traces((2, 3001), scaling=one)(dead)[:, 1].any() for one in ("standard", "peak", "median-peak"))
    for scaling, centre in {"peak": torch.mean, "median-peak": lambda data, axis: data.median(axis).values}.items():
        x = Traces((3, 51), scaling=scaling)(one)
        torch.testing.assert_close(centre(x, -1), torch.zeros(1, 3, dtype=x.dtype), rtol=0, atol=1e-12)
        assert x.abs().amax(-1).tolist() == [[1, 1, 1]]


def test_it_is_a_value():
    taken = Traces((3, 3000), rate=100, channels=("E", "N", "Z"), scaling="standard", start=2.0)
    assert eval(repr(taken)) == taken
    assert taken.rated(50).given_rate == 50
    assert taken.kind == "series"


@pytest.mark.parametrize(
    ("taken", "one", "message"),
    [
        (Traces((3, 10), rate=100), series(rate=None), "100 samples per second, and the series does not say"),
        (Traces((3, 10)).rated(50), series(), r"this one says 100 Hz, and 50 Hz was given"),
        (Traces((2, 10)), series(), r"takes 2 channels; the series has 3: XX\.AAA\.\.HHE, "),
        (Traces((2, 10), channels=("V1", "Z")), series(), r"takes the channels V1, Z; the series lacks V1 and has"),
        (Traces((1, 10), channels=("HH",)), series(), "lacks HH"),
        (Traces((3, 500)), series(), r"takes 500 samples \(5 s\); the series has 400 samples \(4 s\)"),
        (Traces((3, 100), start=3.5), series(), r"takes 450 samples \(4\.5 s\) from the start"),
        (Traces((3, 10), rate=1e-3), series(), "at most 10000 times the network's rate; got 100 and 0.001 Hz"),
        (
            Traces((2, 10), scaling="peak"),
            Series(torch.ones(1, 2, 10), 1.0, ("a", "b")),
            "a, b are constant where the network looks",
        ),
    ],
)  # fmt: skip
def test_a_series_that_does_not_fit_is_one_line(taken, one, message):
    with pytest.raises(ValueError, match=message):
        taken(one)


def test_wrong_options_are_one_line():
    for options, message in {
        ("shape",): r"shape must be \(channels, samples\); got \(0, 5\)",
        ("rate",): "rate must be in Hz, finite and above 0; got -1",
        ("channels",): "channels must name each of 2 channels; got 1",
        ("scaling",): "scaling must be one of none, standard, peak, median-peak",
        ("start",): "start must be in seconds from the series' first sample",
    }.items():
        wrong = {"shape": (0, 5), "rate": -1, "channels": ("a",), "scaling": "some", "start": -1.0}
        given = {"shape": (2, 5)} | {name: wrong[name] for name in options}
        with pytest.raises(ValueError, match=message):
            Traces(**given)
    with pytest.raises(TypeError, match="a series must be a Series, which knows its rate; got Tensor"):
        Traces((1, 4))(torch.zeros(1, 1, 4))
    with pytest.raises(ValueError, match=r"\(1, channel, samples\) and not empty"):
        Series(torch.zeros(1, 0, 4))
    with pytest.raises(ValueError, match="rate must be in Hz, finite and above 0, or None"):
        Series(torch.zeros(1, 1, 4), float("nan"))
    with pytest.raises(ValueError, match="units must have one entry per channel; got 2 for 1"):
        Series(torch.zeros(1, 1, 4), units=("V", "V"))
    assert wl.models.Traces is Traces
