"""What a notebook shows of an attribution: its numbers, as a picture and in words; and of a sound."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

import cases
import wavelens as wl


def explained(shape=(16, 24), batch=1, target=1, method=None):
    x = cases.signal(shape, batch)
    method = method or wl.IntegratedGradients(steps=5)
    return wl.attribute(cases.Net(shape), x, target, domain=wl.DWT("haar", levels=2), method=method)


def picture(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_html_tells_the_profile_and_what_it_adds_up_to():
    a = explained()
    shown = a._repr_html_()
    profile = wl.maps.profile(a)
    (told,) = re.findall(r'alt="([^"]*)"', shown)
    wanted = [
        f"{name}: {100 * share:.1f}\N{NO-BREAK SPACE}% of |γ|, signed sum {f'{total:+.4g}'.replace('-', '−')}"
        for name, share, total in zip(profile.names, profile.share[0].tolist(), profile.signed[0].tolist(), strict=True)
    ]
    assert told.split("; ") == wanted
    assert f" by {abs(a.score - a.baseline_score).item():.4g}, and" in shown
    (source,) = re.findall(r'src="data:image/png;base64,([^"]*)"', shown)
    assert np.array_equal(picture(base64.b64decode(source)), picture(a._repr_png_()))


def test_the_picture_shows_the_attribution():
    a = explained()
    assert picture(a._repr_png_()).std() > 10
    other = explained(method=wl.Saliency())
    assert not np.array_equal(picture(a._repr_png_()), picture(other._repr_png_()))
    assert "the score rises" not in other._repr_html_()


@pytest.mark.parametrize("shape", [(64,), (8, 8, 8), (4, 4, 4, 4)])
def test_signals_with_any_number_of_axes_are_shown(shape):
    assert picture(explained(shape)._repr_png_()).std() > 5


def test_the_first_of_many_are_shown_and_the_others_counted():
    a = explained(batch=2, target=wl.targets.Several(0, 1))
    shown = a._repr_html_()
    assert shown.count("<img") == 3
    assert "and 1 more" in shown
    assert "target 0, item 2 of 2" in shown
    first = wl.maps.profile(wl.core.Coefficients(a.data[0], a.layout)).share[1, 0].item()
    assert f"a2: {100 * first:.1f}\N{NO-BREAK SPACE}%" in re.findall(r'alt="([^"]*)"', shown)[1]


def test_a_fall_is_told_as_one():
    a = explained()
    shown = dataclasses.replace(a, score=a.baseline_score - 2.5)._repr_html_()
    assert "the score falls by 2.5, and" in shown


def test_texts_of_targets_are_only_texts():
    def target(output):
        return output[:, 0]

    target.__qualname__ = "<script>"
    assert "<script>" not in explained(target=target)._repr_html_()


def test_figures_show_themselves_without_pyplot():
    a = explained()
    for figure in (wl.plots.thumbnail(a), wl.plots.panel(a, cases.signal((16, 24), 1))):
        assert picture(figure._repr_png_()).std() > 10


def test_a_profile_is_a_table_of_what_it_holds():
    profile = wl.maps.profile(explained(batch=2))
    shown = profile._repr_html_()
    assert shown.count("<tr>") == 3
    for k in range(2):
        for total, share in zip(profile.signed[k].tolist(), profile.share[k].tolist(), strict=True):
            assert f"{total:+.4g}".replace("-", "−") in shown
            assert f"{100 * share:.1f}\N{NO-BREAK SPACE}%" in shown or share < 0.001 or share >= 0.995
    many = wl.maps.Profile(
        profile.names,
        *(v[:1].expand(30, -1) for v in (profile.signed, profile.share)),
        (),
        *[profile.signed[:, :0]] * 2,
    )
    assert "and 10 more" in many._repr_html_()


def test_a_printed_profile_is_a_table_of_its_first_items():
    one = wl.maps.profile(explained(batch=1))
    head, *rows = str(one).splitlines()
    assert head.split() == ["scale", "signed", "sum", "share", "of", "|γ|"]
    assert [row.split()[0] for row in rows] == list(one.names)
    for row, total, share in zip(rows, one.signed[0].tolist(), one.share[0].tolist(), strict=True):
        assert row.split()[1:] == [f"{total:+.4g}".replace("-", "−"), f"{share:.1%}"]
    channels = wl.maps.profile(explained(batch=2), by_channel=True)
    assert str(channels).startswith("item 0")
    many = wl.maps.Profile(
        one.names, *(v.expand(30, -1) for v in (one.signed, one.share)), (), *[one.signed[:, :0]] * 2
    )
    assert repr(many).count("\n") == 3 * (2 + len(one.names))
    assert repr(many).endswith("… and 27 more; to_frame() has all.")
    complex_ones = wl.maps.profile(explained(batch=1).map(lambda data: data + 0j))
    assert "nan" not in str(complex_ones)


@pytest.mark.needs("pandas")
@pytest.mark.parametrize("by_channel", [False, True])
def test_a_profile_is_a_frame_with_every_number(by_channel):
    profile = wl.maps.profile(explained(batch=2), by_channel=by_channel)
    frame = profile.to_frame()
    assert len(frame) == profile.signed.numel()
    assert frame.signed.tolist() == profile.signed.flatten().tolist()
    assert frame.share.tolist() == profile.share.flatten().tolist()
    first = frame[(frame.item == 1) & (frame.scale == "d1")] if not by_channel else frame[frame.scale == "d1"]
    assert ("channel" in frame) == by_channel
    assert first.signed.tolist()[-1] == profile.signed[..., -1].flatten().tolist()[-1]


def test_verdicts_are_a_table_and_texts_in_them_only_texts():
    verdict = wl.checks.Verdict("precise", "warn", "off by <b>3 %</b>", "Ask in float64.")
    shown = verdict._repr_html_()
    assert "<b>3" not in shown
    assert all(text in shown for text in ("precise", "warn", "3 %", "Ask in float64."))
    assert wl.checks.Findings((verdict, verdict))._repr_html_().count("<tr>") == 3


def test_an_entry_shows_its_report_in_a_frame_that_can_do_nothing_else():
    a, x = explained(), cases.signal((16, 24), 1)
    entry = wl.reports.Entry(a, x, name="<i>a", label="one")
    shown = entry._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in shown
    assert "<article" not in shown  # it is inside of the attribute, escaped
    assert "&lt;article" in shown
    assert repr(entry) == "<Entry <i>a: one, (2, 16, 24) in DWT, haar, 2 levels>"


def test_a_model_is_told_in_three_lines():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 6))
    labels = ("cat, felid", "dog", "fox", "owl", "bat", "eel")
    model = wl.models.LoadedModel(module, labels, wl.models.Geometry((2, 2), (2, 2), squash=True), "own:net")
    first, second, third = repr(model).splitlines()
    assert first == "<LoadedModel own:net: Sequential, 78 parameters on cpu"
    assert second.startswith("  takes photo as (3, 2, 2), prepared by Geometry(")
    assert third == "  gives logits of 6 classes (softmax): cat, dog, fox, owl, …>"


@pytest.mark.parametrize(("loudest", "seconds"), [(0.5, 2), (4.0, 1), (1.0, 61)])
def test_a_clip_is_a_player_of_its_first_minute_at_full_scale_at_most(loudest, seconds):
    data = torch.rand(1, 2, 100 * seconds, generator=torch.Generator().manual_seed(0)) * 2 - 1
    data *= loudest / data.abs().max()
    shown = wl.frontends.Clip(data, rate=100)._repr_html_()
    (source,) = re.findall(r'^<audio controls src="data:audio/wav;base64,([^"]*)"></audio>$', shown)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(source)))
    assert rate == 100
    assert samples == pytest.approx(data[0, :, :6000].T.numpy() / max(1, loudest), abs=1e-4)
