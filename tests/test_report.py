"""The report: its numbers are those of the maps, it is one file, and texts in it are only texts."""

import base64
import io
import json
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

import cases
import wavelens as wl
from wavelens.plots.scalogram import spectrum
from wavelens.reports import Chance, Entry, entries, page, report, section
from wavelens.reports.numerals import unbroken
from wavelens.wording import target_in_words

HOSTILE = """<img src=x onerror="alert(1)">'&</script><!--<script>\u202e\udc80\x07.jpg"""


def explained(shape=(32, 48), channels=3, domain=None, method=None, target=1, batch=1, seed=1):
    """An attribution and its signal, in [0, 1]."""
    x = torch.rand(batch, channels, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    method = method or wl.IntegratedGradients(steps=5)
    net = cases.Net(shape, channels)
    return wl.attribute(net, x, target, domain=domain or wl.DWT("haar", levels=3), method=method), x


def written(path):
    """The page's text and the payload of its first entry."""
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data-0">(.*?)</script>', text, re.DOTALL)
    return text, json.loads(found)


def unpacked(packed):
    """What the page's script makes of packed numbers."""
    most = 4095 if "u12" in packed else 2047
    content = np.frombuffer(zlib.decompress(base64.b64decode(packed.get("u12") or packed["i12"])), "u1")
    low, high = content.reshape(2, -1).astype(int)
    q = np.cumsum((low + 256 * high + 2**15) % 2**16 - 2**15).astype(np.float64)
    return np.sign(q) * (q / most) ** 2 * packed["top"]


class Seen(HTMLParser):
    """Elements with their attributes, and the texts outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.inside = [], [], ""
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        self.inside = name

    def handle_endtag(self, name):
        self.inside = ""

    def handle_data(self, text):
        if self.inside not in ("script", "style"):
            self.texts.append(text)


def test_the_payload_of_a_photo_has_the_numbers_of_the_maps(tmp_path):
    a, x = explained()
    _, payload = written(report(Entry(a, x), tmp_path / "report.html"))
    names = [scale["name"] for scale in payload["maps"]["scales"]]
    assert names == ["all scales", "a3", "d3", "d2", "d1"]
    for kind, sign in (("magnitude", False), ("signed", True)):
        expected = {"all scales": wl.maps.spatial_map(a, signed=sign), **wl.maps.scale_maps(a, signed=sign)}
        for name, packed in zip(names, payload["maps"][kind], strict=True):
            found, wanted = unpacked(packed).reshape(32, 48), expected[name][0].numpy()
            root = np.sign(wanted) * np.abs(wanted) ** 0.5
            np.testing.assert_allclose(
                np.sign(found) * np.abs(found) ** 0.5, root, atol=3e-4 * np.abs(root).max(), err_msg=name
            )
        room = [len(packed.get("u12") or packed["i12"]) for packed in payload["maps"][kind]]
        assert room[1] < 0.7 * room[-1]  # a smooth map takes less than a rough one
        assert max(room) < 0.85 * 32 * 48 * 2 * 4 / 3  # and that less than 16 bits in base64
    mosaic = unpacked(payload["mosaic"]).reshape(payload["mosaic"]["shape"])
    wanted = wl.maps.mosaic(wl.maps.density(a))[0, 0].numpy()
    np.testing.assert_allclose(mosaic**0.5, wanted**0.5, atol=3e-4 * wanted.max() ** 0.5)
    assert payload["end"] == pytest.approx(wl.plots.common_scale(a))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_strongest_coefficients_of_a_photo_are_shown_alone(dtype):
    a, x = explained(channels=1)
    rebuilt = section(Entry(a, x.to(dtype))).payload["rebuilt"]
    assert [one["part"] for one in rebuilt] == [0.01, 0.05, 0.2]
    for one in rebuilt:
        found = np.asarray(Image.open(io.BytesIO(base64.b64decode(one["input"].split(",")[1])))) / 255
        wanted = wl.masks.top(a, one["part"]).apply(x)[0, 0].clamp(0, 1).numpy()
        np.testing.assert_allclose(found, wanted, atol=0.5 / 255 + 1e-6)
    assert section(Entry(a, x * 3)).payload["rebuilt"] == []


def test_the_profile_and_the_account_stand_in_the_page(tmp_path):
    a, x = explained()
    text, _ = written(report(Entry(a, x, label="cat, feline"), tmp_path / "report.html"))
    texts = " ".join(Seen(text).texts)
    profile = wl.maps.profile(a)
    for name, share, signed in zip(profile.names, profile.share[0].tolist(), profile.signed[0].tolist(), strict=True):
        assert name in texts
        assert f"{100 * share:.1f}\N{NO-BREAK SPACE}%" in texts
        assert f"{signed:+.4g}".replace("-", "−") in texts
    rise = (a.score - a.baseline_score).item()
    assert f"{rise:+.4g}".replace("-", "−") in texts
    assert f"{a.gap.item():+.4g}".replace("-", "−") in texts
    for part in ("cat", unbroken("> 8 px"), a.method, repr(a.domain), torch.__version__, wl.__version__):
        assert part in texts


def test_a_page_is_complete_and_says_that_nothing_may_be_loaded(tmp_path):
    a, x = explained()
    path = report([Entry(a, x, name=str(k)) for k in range(3)], tmp_path / "report.html")
    seen = Seen(path.read_text(encoding="utf-8"))
    assert "3 explanations" in seen.texts
    alone = Seen(page([section(Entry(a, x, name="left.png"))]))
    assert [[name for name, _ in one.elements].count("h1") for one in (seen, alone)] == [1, 1]
    assert alone.texts.count("left.png") == 2  # the title and the heading
    loads = [
        v for _, found in seen.elements for k, v in found.items() if k in ("src", "href", "srcset", "data", "action")
    ]
    assert loads
    assert all(v.startswith(("data:", "#")) for v in loads)
    assert not [name for name, _ in seen.elements if name in ("link", "iframe", "object", "embed", "base", "form")]
    (policy,) = [
        found["content"] for name, found in seen.elements if found.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert not re.search(r"url\(|@import|https?://", path.read_text(encoding="utf-8"))


def test_texts_are_only_texts(tmp_path):
    a, x = explained()
    entry = Entry(
        a,
        x,
        name=HOSTILE,
        label=HOSTILE,
        classes=[Chance(0, HOSTILE, 0.5, 1.0)],
        start=HOSTILE,
        note=HOSTILE,
        command=HOSTILE,
        facts={HOSTILE: HOSTILE},
    )
    calm = Entry(
        a,
        x,
        name="n",
        label="n",
        classes=[Chance(0, "n", 0.5, 1.0)],
        start="n",
        note="n",
        command="n",
        facts={"n": "n"},
    )
    hostile, expected = (
        Seen(report([one, one], tmp_path / "report.html", title=one.name).read_text(encoding="utf-8"))
        for one in (entry, calm)
    )
    assert [name for name, _ in hostile.elements] == [name for name, _ in expected.elements]
    assert [list(found) for _, found in hostile.elements] == [list(found) for _, found in expected.elements]
    shown = "".join(hostile.texts)
    assert """<img src=x onerror="alert(1)">'&</script><!--<script>\ufffd\ufffd\ufffd.jpg""" in shown
    assert "\u202e" not in shown


def test_nothing_in_a_payload_ends_its_block():
    from wavelens.reports.markup import data

    block = data("data-0", {"</script><b>": "<!-- & \u2028"})
    assert block.count("<") == 2
    assert json.loads(block[block.index(">") + 1 : -len("</script>")]) == {"</script><b>": "<!-- & \u2028"}


def test_a_photo_takes_less_than_five_megabytes_and_many_take_less_each(tmp_path):
    source = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 352, 480, generator=source)
    domain = wl.DWT("haar", levels=5)
    a = wl.attribute(lambda x: (x**2).sum((1, 2, 3)), x, None, domain=domain, method=wl.InputTimesGradient())
    one = len(page([section(Entry(a, x))]))
    assert one < 5e6
    assert len(json.dumps(section(Entry(a, x), 40).payload)) < one / 3


def test_reduced_maps_keep_their_means():
    from wavelens.reports.packing import reduced

    values = torch.rand(2, 60, 90, 40, dtype=torch.float64)
    small = reduced(values, 7000, (1.0, 1.0, 1.0))
    assert 3000 < small[0].numel() <= 7000
    assert small.shape[1] == pytest.approx(small.shape[2] / 1.5, abs=1)
    assert small.mean().item() == pytest.approx(values.mean().item(), rel=5e-3)
    assert reduced(values, 60 * 90 * 40, (1.0, 1.0, 1.0)) is values
    assert reduced(values, 60 * 50, (1e6, 1.0, 1.0)).shape[1] == 60


def test_a_batch_and_several_targets_give_an_entry_each():
    a, x = explained(batch=2, target=wl.targets.Several(0, 3))
    found = entries(a, x, names=["left", "right"], labels=["first", "second"])
    assert [(e.name, e.label) for e in found] == [(n, t) for n in ("left", "right") for t in ("first", "second")]
    assert torch.equal(found[3].attribution.data, a.data[1, 1:2])
    assert torch.equal(found[3].attribution.gap, a.gap[1, 1:2])
    assert torch.equal(found[3].x, x[1:2])
    with pytest.raises(
        ValueError, match="names must have one text for each of 2 items and labels one for each of 2 targets"
    ):
        entries(a, x, names=["left"])


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ([0, 3], ["0", "3"]),
        ((2, 1), ["2", "1"]),
        (np.array([1, 1]), ["1", "1"]),
        (torch.tensor([4]), ["4", "4"]),
        (np.int64(2), ["2", "2"]),
        (wl.targets.Contrast([0, 3], 2), ["Contrast(target=0, against=2)", "Contrast(target=3, against=2)"]),
        (wl.targets.Several([0, 3], 1), ["0", "1", "3", "1"]),
        (
            wl.targets.Several(wl.targets.Contrast(0, 1), 2),
            ["Contrast(target=0, against=1)", "2", "Contrast(target=0, against=1)", "2"],
        ),
    ],
)
def test_an_entry_names_its_own_target(target, told):
    a, x = explained(batch=2, target=target)
    found = entries(a, x)
    assert [e.attribution.target for e in found] == told
    assert [e.index for e in found] == [int(one) if one.isdigit() else None for one in told]
    for one, wanted in zip(found, told, strict=True):
        made = section(one)
        assert made.name == made.answer == f"target {target_in_words(wanted)}"
        assert f"target={wanted}, domain" in "".join(Seen(made.html).texts)


def test_the_text_of_a_function_stays_as_it_is():
    def target(output):
        return output[:, 0]

    target.__qualname__ = "detection([1], box)"
    assert [e.attribution.target for e in entries(*explained(target=target))] == ["detection([1], box)"]


def test_the_window_of_one_explanation_names_its_class():
    a, x = explained(target=1)
    classes = [Chance(1, "cheetah, chetah", 0.75, 2.0), Chance(2, "egret", 0.1, 0.0)]
    made = page([section(Entry(a, x, name="photo.jpg", label="cheetah, chetah", classes=classes))])
    assert "<title>photo.jpg: cheetah (75.0\N{NO-BREAK SPACE}%)</title>" in made
    assert "<title>photo.jpg</title>" in page([section(Entry(a, x, name="photo.jpg"))])


def test_classes_that_share_their_name_are_told_apart():
    crane = [Chance(0, "crane", 0.6, 2.0), Chance(1, "crane", 0.3, 1.0), Chance(2, "egret", 0.1, 0.0)]
    made = section(Entry(*explained(target=1), label="crane", classes=crane))
    rows = re.findall(r'<tr( class="explained")?><th scope="row" title="(?:crane|egret)">', made.html)
    assert rows == ["", ' class="explained"', ""]
    told = "".join(Seen(made.html).texts)
    assert unbroken("The model's answer is crane (60.0 %). The score of crane (30.0 %) is") in told
    named = section(Entry(*explained(target=lambda out: out[:, 2]), label="egret", classes=crane)).html
    assert 'class="explained"><th scope="row" title="egret">' in named
    assert "(10.0\N{NO-BREAK SPACE}%)" in named


def test_what_no_report_can_show_is_refused(tmp_path):
    a, x = explained(batch=2)
    with pytest.raises(ValueError, match="an entry must be one item and one target"):
        Entry(a, x)
    with pytest.raises(ValueError, match="x must be the explained signal"):
        Entry(a.item(0), x)
    with pytest.raises(ValueError, match="for three; got 'film' for 2"):
        Entry(a.item(0), x[:1], kind="film")
    with pytest.raises(
        ValueError, match=r"sound, series, cloud or text for one axis, photo for two, .* got 'video' for 2"
    ):
        Entry(a.item(0), x[:1], kind="video")
    with pytest.raises(ValueError, match="a grid must have the axes of its signal"):
        Entry(a.item(0), x[:1], grid=wl.frontends.Clip(torch.zeros(1, 1, 8), 8).grid)
    with pytest.raises(ValueError, match="finite; got NaN or infinity"):
        Entry(a.item(0), x[:1] * float("nan"))
    with pytest.raises(TypeError, match=r"a report shows entries, reports.Entry\(attribution, x, …\); got tuple"):
        report(a, tmp_path / "report.html")
    with pytest.raises(ValueError, match="a report must show at least one entry; got none"):
        report([], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


RATE = 8000


def heard(method=None, channels=1, domain=None):
    """A sound of half a second explained: a click in noise."""
    shape = (RATE // 2,)
    x = 0.05 * torch.randn(1, channels, *shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    x[..., 1000:1040] += 0.5
    domain = domain or wl.DWT("db4", levels=4)
    a = wl.attribute(cases.Net(shape, channels), x, 1, domain=domain, method=method or wl.IntegratedGradients(steps=9))
    return a, x, wl.grid.Grid.sound(RATE)


TONES = [wl.DWT("db4", levels=4), wl.STFT("hann", 64), wl.ConstantQ(3), wl.Packets("db4", levels=4)]


@pytest.mark.parametrize("domain", TONES, ids=repr)
def test_the_payload_of_a_sound_has_the_numbers_of_the_maps(domain, tmp_path):
    a, x, grid = heard(domain=domain)
    _, payload = written(report(Entry(a, x, grid=grid), tmp_path / "report.html"))
    rows, scales, axis = payload["maps"]["rows"], payload["maps"]["scales"][1:], payload["maps"]["axis"]
    assert payload["maps"]["shape"] == [len(rows), 800]
    assert (axis["high"], axis["log"]) == (RATE / 2, isinstance(domain, wl.DWT | wl.ConstantQ))
    for kind, sign in (("magnitude", False), ("signed", True)):
        placed = wl.maps.time_frequency(a, signed=sign)
        assert [scales[row["scale"]]["name"] for row in rows] == list(placed.scales)
        assert [(row["from"], row["to"]) for row in rows] == [
            (RATE * one.low, RATE * one.high) for one in placed.extents
        ]
        found = unpacked(payload["maps"][kind][0]).reshape(len(rows), 800)
        wanted = placed.values[0].numpy()
        np.testing.assert_allclose(
            np.sign(found) * np.abs(found) ** 0.5,
            np.sign(wanted) * np.abs(wanted) ** 0.5,
            atol=3e-4 * np.abs(wanted).max() ** 0.5,
        )
    assert [scale["label"] for scale in payload["maps"]["scales"][1:]] == [
        *map(unbroken, grid.labels(a.layout).values())
    ]
    decibels = np.frombuffer(base64.b64decode(payload["spectrum"]["u8"]), "u1").reshape(payload["spectrum"]["shape"])
    wanted, _, _ = spectrum(x[0].numpy(), RATE)
    np.testing.assert_allclose(decibels / 255, (1 + wanted / 80).clip(0, 1), atol=2.1e-3)


def test_a_photo_has_the_rose_of_its_lines_where_there_is_no_mosaic():
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for domain, has_rose in ((wl.Shearlets(2), True), (wl.Fourier(), False), (wl.DWT("haar", levels=2), False)):
        a = wl.attribute(cases.Net((32, 32), 3), x, 1, domain=domain, method=wl.IntegratedGradients(steps=2))
        payload = section(Entry(a, x)).payload
        assert len(payload["parts"]) == (0 if wl.maps.has_places(a.layout) else 1 + len(a.layout.scales()))
        packed = payload["rose"]
        assert (packed is not None) == has_rose
        if packed is not None:
            expected = wl.maps.rose(a)
            assert packed["names"] == list(expected.names)
            np.testing.assert_allclose(packed["share"], expected.share[0].numpy(), atol=1e-6)
            assert len(set(packed["shades"])) == len(expected.names)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_sounds_of_a_report_are_those_of_the_command_and_add_up(channels, monkeypatch):
    monkeypatch.setattr(sys.modules["wavelens.reports.views.sound"], "BLOCK_VALUES", 1000)  # several blocks
    a, x, grid = heard(channels=channels)
    payload = section(Entry(a, x, grid=grid)).payload
    found, wanted = {}, dict(wl.reports.sounds(a, x, RATE))
    assert [sound["name"] for sound in payload["sounds"]] == ["clip", "heard", "a4", "d4", "d3", "d2", "d1", "residue"]
    quiet = {sound["name"] for sound in payload["sounds"] if sound.get("silent")}
    stems = {name: sound for name, sound in wanted.items() if name not in ("clip", "heard", "residue")}
    assert quiet == {name for name, sound in stems.items() if sound.abs().max() <= 1e-4 * x.abs().max()}
    for sound in (one for one in payload["sounds"] if one["name"] not in quiet):
        kind, content = sound["source"].split(",")
        assert kind == "data:audio/flac;base64"
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), always_2d=True)
        assert (rate, samples.shape) == (RATE, (RATE // 2, channels))
        found[sound["name"]] = samples.T * (sound["peak"] / 0.99)
    for name, samples in found.items():
        np.testing.assert_allclose(samples, wanted[name][0].numpy(), atol=2e-5, err_msg=name)
    rest = 1e-4 * (1 + len(quiet) * float(x.abs().max()))
    np.testing.assert_allclose(sum(v for k, v in found.items() if k not in ("clip", "heard")), x[0].numpy(), atol=rest)
    np.testing.assert_allclose(found["heard"] + found["residue"], x[0].numpy(), atol=5e-5)


def test_silence_and_sounds_for_which_there_is_no_room_are_told():
    a, x, grid = heard()
    silent = wl.attribute(cases.Net((RATE // 2,), 1), 0 * x, 1, domain=a.domain, method=wl.IntegratedGradients(steps=2))
    payload = section(Entry(silent, 0 * x, grid=grid)).payload
    sounds = payload["sounds"]
    assert not any(base64.b64decode(payload["spectrum"]["u8"]))
    assert [sound["name"] for sound in sounds if sound.get("silent")] == ["a4", "d4", "d3", "d2", "d1"]
    given = [sound for sound in sounds if not sound.get("silent")]
    assert [sound["name"] for sound in given] == ["clip", "heard", "residue"]
    assert {sound["peak"] for sound in given} == {0.0}
    assert all(sound["source"] for sound in given)
    few = section(Entry(a, x, grid=grid), 6000).payload["sounds"]
    assert few[0]["source"]
    assert not few[-1]["source"]
    sizes = [
        len(base64.b64decode(sound["source"].split(",")[1])) for sound in sounds_of(a, x, grid) if "source" in sound
    ]
    room = (sizes[0] + min(sizes[2:])) // 8 + 1  # numbers: for the clip and the smallest of the others
    made = section(Entry(a, x, grid=grid), 6_000_000 // room).payload["sounds"]
    fits = [bool(sound["source"]) for sound in made if "source" in sound]
    assert fits == [k in (0, 2 + sizes[2:].index(min(sizes[2:]))) for k in range(len(sizes))]


def sounds_of(a, x, grid):
    return section(Entry(a, x, grid=grid)).payload["sounds"]


@pytest.mark.parametrize(("channels", "rate"), [(9, RATE), (1, 1_000_000), (1, 0.1)])
def test_what_no_player_can_hold_is_shown_but_not_heard(channels, rate):
    a, x, _ = heard(channels=channels)
    payload = section(Entry(a, x, grid=wl.grid.Grid.sound(rate))).payload
    assert payload["sounds"] == []
    assert (payload["axis"], payload["rate"]) == ("s", pytest.approx(rate))
    assert payload["spectrum"]["ends"][1] == pytest.approx(RATE / 2 / rate, rel=0.2)


def test_a_series_without_a_rate_is_shown_but_not_heard():
    a, x, _ = heard()
    payload = section(Entry(a, x)).payload
    assert (payload["view"], payload["sounds"], payload["spectrum"], payload["axis"]) == ("sound", [], None, "samples")


def test_the_payload_of_a_volume_has_the_numbers_of_the_maps():
    a, x = explained((12, 14, 16), 1, wl.DWT("haar", levels=2))
    grid = wl.grid.Grid((1.0, 1.0, 2.0), ("mm", "mm", "mm"))
    payload = section(Entry(a, x, grid=grid)).payload
    for (name, wanted), packed in zip(
        {"all scales": wl.maps.spatial_map(a), **wl.maps.scale_maps(a)}.items(),
        payload["maps"]["magnitude"],
        strict=True,
    ):
        found = unpacked(packed).reshape(12, 14, 16)
        root = wanted[0].numpy() ** 0.5
        np.testing.assert_allclose(found**0.5, root, atol=3e-4 * root.max(), err_msg=name)
    assert (payload["view"], payload["size"], payload["step"]) == ("volume", [12, 14, 16], [1.0, 1.0, 2.0])
    whole = wl.maps.spatial_map(a)[0]
    assert payload["at"] == [int(whole.sum(tuple({0, 1, 2} - {k})).argmax()) for k in range(3)]


def test_the_payload_of_a_video_has_every_frame_and_the_courses():
    a, x = explained((4, 16, 24), 3, wl.DWT("haar", levels=(2, 1, 1)))
    payload = section(Entry(a, x, grid=wl.grid.Grid((0.1, 1, 1), ("s", "px", "px")))).payload
    assert (payload["view"], payload["size"], payload["axis"]) == ("video", [4, 16, 24], "s")
    frames = [Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) for uri in payload["frames"]]
    found = np.stack([np.asarray(frame) for frame in frames]) / 255
    np.testing.assert_allclose(found, x[0].permute(1, 2, 3, 0).numpy(), atol=0.5 / 255 + 1e-9)
    courses = wl.maps.courses(a, 0)
    assert [course["name"] for course in payload["courses"]] == list(courses)
    for course in payload["courses"]:
        assert course["values"] == pytest.approx(courses[course["name"]][0].tolist())
    assert [course["label"] for course in payload["courses"]] == [
        "what stays",
        unbroken("0.2–0.4 s"),
        unbroken("0.1–0.2 s"),
    ]


@pytest.mark.parametrize("shape", [(1, 1), (1,), (7,), (1, 1, 1), (3, 4, 5, 6)])
def test_the_smallest_signals_and_those_with_many_axes_are_reported(shape):
    a, x = explained(shape, 1, wl.Identity())
    made = section(Entry(a, x, grid=wl.grid.Grid.sound(RATE) if shape == (7,) else None))
    assert f"{a.data.sum().item():+.4g}".replace("-", "−") in "".join(Seen(made.html).texts)
    assert bool(made.payload.get("sounds")) == (shape == (7,))


def test_an_attribution_of_nothing_is_reported():
    a, x = explained()
    made = section(Entry(replace(a, data=0 * a.data), x))
    assert not any(unpacked(made.payload["maps"]["magnitude"][0]))
    assert "total0completeness" in "".join(Seen(made.html).texts)


def test_gradients_beside_a_tolerance_are_said_to_be_as_many_as_it_needs():
    """Not the number of steps that the method names."""
    shown = {}
    for tolerance in (None, 0.02):
        a, x = explained(method=wl.IntegratedGradients(steps=25, tolerance=tolerance))
        shown[tolerance] = " ".join(Seen(section(Entry(a, x)).html).texts)
        told = f"gradients {int(a.spent.max())}, as many as the tolerance needs (at most 256)"
        assert (told in shown[tolerance]) == (tolerance is not None)
    assert "gradients 25" in shown[None]


def test_a_sampled_method_comes_with_its_standard_error(tmp_path):
    a, x = explained(method=wl.SmoothGrad(samples=8, sigma=0.3))
    texts = " ".join(Seen(report(Entry(a, x), tmp_path / "report.html").read_text(encoding="utf-8")).texts)
    assert f"± {100 * a.standard_error[0, 0].item():.2g}" in texts
    assert "completeness gap" not in texts
    assert "passes in the fastest equivalent form of the model gradients" in texts
    assert "This is what it is sensitive to" in texts


def test_one_sample_has_no_standard_error():
    a, x = explained(method=wl.SmoothGrad(samples=1, sigma=0.3))
    assert a.standard_error.isnan().all()
    told = "".join(Seen(section(Entry(a, x)).html).texts)
    assert "nan" not in told
    assert "±" not in told
    assert "standard error" not in told


NAMES = ["it's.png", "a\u202f7.png", "\u3000\u200d.png", 'say "hi" $HOME.png', "it's\u202eup\\\x07.png", "\udce9b.png"]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_names_the_file_whatever_its_letters(name):
    from wavelens.explaining.report import _quoted
    from wavelens.reports.markup import printable

    shown = printable(_quoted(name))
    assert "\N{REPLACEMENT CHARACTER}" not in shown
    told = subprocess.run(["bash", "-c", f"printf %s {shown}".encode()], capture_output=True, check=True).stdout
    assert told == name.encode("utf-8", "surrogateescape")


def test_the_command_is_quoted_as_one_would_write_it():
    from wavelens.explaining.report import _quoted

    assert _quoted("DWT(wavelet='db4', levels=3)") == """"DWT(wavelet='db4', levels=3)\""""
