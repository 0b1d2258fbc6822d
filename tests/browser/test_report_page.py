"""Reports in a real browser: opened from the disk, looked at, listened to, and used with the keyboard."""

import base64
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

import cases
import wavelens as wl
from wavelens.plots.parts import MAGNITUDE
from wavelens.reports import Chance, Entry, report, section, write_page

HOSTILE = """<img src=x onerror="alert(1)">'&</script><script>alert(2)</script>.jpg"""

SIGNALS = {
    "photo": ((32, 48), 3, None, wl.DWT("haar", levels=3)),
    "sound": ((4000,), 1, wl.grid.Grid.sound(8000), wl.DWT("db4", levels=4)),
    "volume": ((8, 9, 10), 1, wl.grid.Grid((1.0, 1.0, 2.0), ("mm", "mm", "mm")), wl.DWT("haar", levels=2)),
    "video": ((4, 12, 16), 3, wl.grid.Grid((0.1, 1.0, 1.0), ("s", "px", "px")), wl.DWT("haar", levels=(1, 2, 2))),
}


def entry(kind, still=False, **fields):
    shape, channels, grid, domain = SIGNALS[kind]
    x = torch.rand(1, channels, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = x[:, :, :1].expand_as(x) if still else x
    x = x - 0.5 if kind == "sound" else x
    a = wl.attribute(cases.Net(shape, channels), x, 1, domain=domain, method=wl.IntegratedGradients(steps=4))
    return Entry(a, x, kind=kind, grid=grid, **{"name": f"a {kind}", "label": "one, first", **fields})


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report with an entry of each kind."""
    chances = [Chance(k, label, p, 0.0) for k, label, p in [(1, "one, first", 0.7), (0, "two", 0.3)]]
    file = tmp_path_factory.mktemp("page") / "report.html"
    return report([entry(kind, classes=chances) for kind in SIGNALS], file)


def shown(page, kind):
    """The article of a kind, shown and ready."""
    number = list(SIGNALS).index(kind)
    page.locator(f".index a[data-number='{number}']").click()
    found = page.locator(f"#entry-{number}")
    page.wait_for_selector(f"#entry-{number}[data-ready=true]")
    return found


def pixels(canvas):
    """What is painted, as text; anew after what has been asked for was drawn."""
    canvas.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return canvas.evaluate("(one) => one.toDataURL()")


def painted(canvas):
    """What is painted, `(height, width, 3)` in bytes."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(pixels(canvas).split(",")[1]))).convert("RGB"))


def slide(article, field, value):
    article.locator(f"input[data-field={field}]").fill(str(value))


@pytest.mark.parametrize("kind", SIGNALS)
def test_each_slider_changes_what_is_seen(kind, path, opened):
    article = shown(opened(path), kind)
    canvas = article.locator(".panes canvas" if kind == "sound" else ".stage canvas").nth(1 if kind == "sound" else 0)
    seen = [pixels(canvas)]
    for field, value in (("scale", 2), ("threshold", 60), ("brightness", 4), ("opacity", 35)):
        slide(article, field, value)
        seen.append(pixels(canvas))
    article.locator("input[data-field=signed]").check()
    seen.append(pixels(canvas))
    assert len(set(seen)) == len(seen)
    for field in ("scale", "threshold", "brightness"):
        slide(article, field, 0)
    slide(article, "opacity", 90)
    article.locator("input[data-field=signed]").uncheck()
    assert pixels(canvas) == seen[0]


def test_without_opacity_the_input_is_seen_and_with_all_of_it_the_panels_glow(path, opened):
    """The canvas against the picture, and against the formula of the plots at the centres of the pixels."""
    article = shown(opened(path), "photo")
    a, x = (one := entry("photo")).attribution, one.x
    canvas = article.locator(".stage canvas")
    slide(article, "opacity", 0)
    found = painted(canvas)
    k = found.shape[1] // 48
    smooth = torch.nn.functional.interpolate(x, scale_factor=k, mode="bilinear")[0].movedim(0, -1).numpy()
    assert abs(found / 255 - smooth).mean() < 0.02 < abs(found / 255 - smooth.mean()).mean()
    slide(article, "opacity", 100)
    strength = (wl.maps.spatial_map(a)[0] / wl.plots.common_scale(a)).sqrt().clamp(0, 1).numpy()
    glow = (
        0.6 * x[0].mean(0).numpy()[..., None] * (1 - strength[..., None])
        + MAGNITUDE(strength)[..., :3] * strength[..., None]
    )
    centres = painted(canvas)[k // 2 :: k, k // 2 :: k] / 255
    assert np.corrcoef(centres.ravel(), glow.ravel())[0, 1] > 0.98
    assert abs(centres - glow).mean() < 0.03


def test_sounds_load_play_one_at_a_time_and_move_the_line(path, opened):
    page = opened(path)
    article = shown(page, "sound")
    page.wait_for_function("() => [...document.querySelectorAll('audio')].every((one) => one.readyState >= 3)")
    lengths = article.locator("audio").evaluate_all("(all) => all.map((one) => one.duration)")
    names = article.locator(".player b").all_inner_texts()
    assert names == ["clip", "heard", "d1", "residue"]
    assert article.get_by_text("4 scales are silent in what was kept").is_visible()
    assert lengths == pytest.approx([0.5] * len(names), abs=0.01)
    assert article.locator("audio").evaluate_all("(all) => all.every((one) => one.src.startsWith('data:audio/flac'))")
    article.get_by_role("button", name="play d1").click()
    page.wait_for_function("() => [...document.querySelectorAll('audio')][2].currentTime > 0")
    assert article.locator("[data-row=d1]").get_attribute("class") == "chosen"
    page.wait_for_selector(".playhead:not([hidden])")
    article.locator("audio").nth(2).evaluate(
        "(one) => { one.loop = true; return one.play(); }"
    )  # does not end by itself
    article.get_by_role("button", name="play clip").click()
    page.wait_for_function("() => document.querySelectorAll('audio')[2].paused")
    article.get_by_label("place in heard").fill("0.5")
    page.wait_for_function("() => Math.abs([...document.querySelectorAll('audio')][1].currentTime - 0.25) < 0.02")


def test_slices_move_together(path, opened):
    article = shown(opened(path), "volume")
    slices = article.locator(".trio canvas")
    article.locator("input[data-field=at0]").fill("0")
    article.locator("input[data-field=at1]").fill("0")
    before = [pixels(slices.nth(k)) for k in range(3)]
    box = slices.nth(2).bounding_box()  # rightwards axis 1, upwards axis 2
    slices.nth(2).click(position={"x": box["width"] * 0.8, "y": box["height"] * 0.2})
    after = [pixels(slices.nth(k)) for k in range(3)]
    assert all(old != new for old, new in zip(before, after, strict=True))
    values = [int(article.locator(f"input[data-field=at{k}]").input_value()) for k in range(3)]
    assert values[:2] == [6, 7]
    assert "7 of 8, 6.5\N{NO-BREAK SPACE}mm" in article.locator("label", has_text="Slice across axis 1").inner_text()


def test_frames_move_and_run(path, opened):
    page = opened(path)
    article = shown(page, "video")
    canvas = article.locator(".stage canvas")
    slide(article, "frame", 0)
    first = pixels(canvas)
    slide(article, "frame", 3)
    assert pixels(canvas) != first
    assert "4 of 4, 0.30\N{NO-BREAK SPACE}s" in article.locator("label", has_text="Frame").inner_text()
    article.get_by_role("button", name="play the frames").click()
    page.wait_for_function("() => document.querySelector('[data-field=frame]').value !== '3'")
    article.get_by_role("button", name="stop the frames").click()


@pytest.mark.parametrize(("width", "times"), [(1280, "0 0.1 0.2 0.3 0.4"), (380, "0 0.2 0.4")])
def test_times_are_round_numbers(width, times, tmp_path, opened):
    page = opened(report(entry("video"), tmp_path / "a.html"))
    page.evaluate(
        "() => { window.said = []; const write = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (...a) { said.push(a[0]); write.apply(this, a); } }"
    )
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("article input[type=range]").first.press("ArrowRight")
    page.wait_for_timeout(500)
    said = page.evaluate("said.filter(text => text.endsWith(' s'))")
    assert said[-len(times.split()) :] == [f"{time} s" for time in times.split()]


def test_each_frame_has_its_own_picture_and_its_own_map(tmp_path, opened):
    for still, opacity in ((False, 0), (True, 100)):
        page = opened(report(entry("video", still), tmp_path / "report.html"))
        article, seen = page.locator("article"), []
        slide(article, "opacity", opacity)
        for frame in range(4):
            slide(article, "frame", frame)
            seen.append(pixels(article.locator(".stage canvas")))
        assert len(set(seen)) == 4


def test_the_keyboard_is_enough(path, opened):
    page = opened(path)
    page.keyboard.press("Tab")  # the index
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#entry-1[data-ready=true]")
    assert page.locator("#entry-0").is_hidden()
    page.locator("#entry-1 input[data-field=scale]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#entry-1 [data-row=a4].chosen")
    page.locator("#entry-1 [data-scale=d2]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#entry-1 [data-row=d2].chosen")
    assert (
        page.locator("#entry-1 input[data-field=scale]").get_attribute("aria-valuetext")
        == "d2 · 1000–2000\N{NO-BREAK SPACE}Hz"
    )
    focusable = "a[href], button, input, [tabindex='0']"
    unnamed = page.locator(f"#entry-1 :is({focusable})").evaluate_all(
        "(all) => all.filter((one) => !(one.labels?.length || one.ariaLabel || one.textContent.trim())).length"
    )
    assert unnamed == 0


def test_hostile_texts_are_only_texts(tmp_path, opened):
    fields = {"label": HOSTILE, "note": HOSTILE, "command": HOSTILE, "facts": {HOSTILE: HOSTILE}, "start": HOSTILE}
    hostile = entry("photo", name=HOSTILE, classes=[Chance(0, HOSTILE, 0.5, 0.0)], **fields)
    page = opened(report([hostile, hostile], tmp_path / f"{'<img src=x onerror=alert(3)>'}.html", title=HOSTILE))
    assert page.title() == HOSTILE
    assert page.locator("#entry-0 h2").inner_text() == HOSTILE
    assert page.locator(".command").first.inner_text() == HOSTILE
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 4  # the colours, two payloads and the page's own


def test_the_policy_stops_what_would_leave_the_page(tmp_path, browser):
    page = browser.new_page()
    page.goto(report(entry("photo"), tmp_path / "report.html").as_uri())
    asked = (
        """async () => { try { await fetch("https://example.org"); return "sent"; } catch (e) { return e.name; } }"""
    )
    assert page.evaluate(asked) == "TypeError"
    blocked = page.evaluate("""() => new Promise((done) => {
        document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
        document.body.append(Object.assign(new Image(), { src: "https://example.org/a.png" }));
    })""")
    assert blocked == "img-src"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_fits_a_phone(scheme, path, opened):
    page = opened(path, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    light = page.evaluate("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] > 128")
    assert light == (scheme == "light")
    for kind in SIGNALS:
        article = shown(page, kind)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, kind
        cut = article.locator("*").evaluate_all(
            "(all) => all.filter((one) => one.getClientRects().length && one.getBoundingClientRect().right > 391)"
            ".map((one) => one.outerHTML.slice(0, 80))"
        )
        assert cut == [], kind


@pytest.mark.parametrize("width", [390, 880, 1280])
def test_tables_stay_in_their_cards(width, path, opened):
    page = opened(path, viewport={"width": width, "height": 844})
    for kind in SIGNALS:
        over = (
            shown(page, kind)
            .locator(".card table")
            .evaluate_all("""(all) => all.map((one) =>
            one.getBoundingClientRect().right - one.closest(".card").getBoundingClientRect().right)""")
        )
        assert max(over) < 0, kind


def test_long_names_and_many_inputs_stay_in_their_index(tmp_path, opened):
    found = [entry("photo", name=f"{k} {'long ' * 40}") for k in range(12)]
    for width in (1280, 390):
        page = opened(report(found, tmp_path / "report.html"), viewport={"width": width, "height": 844})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        widths = page.locator(".index li").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().width)")
        assert widths == pytest.approx([112] * 12)
        assert page.locator(".index").bounding_box()["height"] < 400


def test_signals_with_many_axes_have_their_numbers(tmp_path, opened):
    x = torch.rand(1, 1, 3, 4, 5, 6, dtype=torch.float64)
    a = wl.attribute(cases.Net((3, 4, 5, 6), 1), x, 1, domain=wl.DWT("haar", levels=1), method=wl.Saliency())
    page = opened(report(Entry(a, x), tmp_path / "report.html"))
    assert page.locator("[data-row]").count() == 2
    assert page.locator(".views").count() == 0


def test_what_is_printed_has_no_controls_and_no_dark(path, opened):
    page = opened(path, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("article:not([hidden]) .control").first.is_hidden()
    assert page.locator(".index").is_hidden()
    assert shown_in_print(page, "video").locator(".play").is_hidden()
    assert shown_in_print(page, "sound").get_by_role("heading", name="Listen").count() == 0  # hidden
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def shown_in_print(page, kind):
    """The article of a kind, whose link in the index is not printed."""
    number = list(SIGNALS).index(kind)
    page.evaluate(f"() => {{ location.hash = 'entry-{number}'; }}")
    page.wait_for_selector(f"#entry-{number}[data-ready=true]")
    return page.locator(f"#entry-{number}")


INKS = """(one) => {
    const copy = canvas(one.width, one.height).getContext("2d"), inks = [];
    copy.drawImage(one, 0, 0);
    const found = copy.getImageData(0, 0, one.width, one.height).data;
    for (let k = 0; k < found.length; k += 4) if (found[k + 3] > 60) inks.push(found[k]);
    return inks.reduce((sum, ink) => sum + ink, 0) / inks.length;
}"""


def test_canvases_are_dark_on_paper_and_pale_again_after(path, opened):
    page = opened(path, color_scheme="dark")
    wave = shown(page, "sound").locator(".panes canvas").first
    pixels(wave)  # once it is drawn
    assert wave.evaluate(INKS) > 200
    page.evaluate(f"""() => addEventListener("beforeprint", () => {{
        window.printed = ({INKS})(document.querySelector("#entry-1 .panes canvas"));
    }})""")
    page.pdf()
    assert page.evaluate("() => window.printed") < 60
    assert wave.evaluate(INKS) > 200


def test_without_room_for_sounds_the_panes_are_still_pressed(tmp_path, opened):
    page = opened(write_page([section(entry("sound"), 6_000_000)], tmp_path / "report.html"))
    page.locator(".panes").click()
    assert page.locator(".player").count() == 0
    assert page.locator(".players").count() == 0
    assert page.get_by_text("sounds are too long for this page").is_visible()


def test_a_volume_with_one_long_axis_has_tiles(tmp_path, opened):
    x = torch.rand(1, 1, 400, 1, 8, dtype=torch.float64)
    a = wl.attribute(
        cases.Net((400, 1, 8), 1), x, 1, domain=wl.DWT("haar", levels=(2, 0, 1)), method=wl.InputTimesGradient()
    )
    page = opened(report(Entry(a, x), tmp_path / "report.html"))
    page.locator("input[data-field=signed]").check()
    sizes = page.locator(".strip canvas").evaluate_all("(all) => all.map((one) => [one.width, one.height])")
    each = page.locator("[data-row]").count() + 1  # how much, then for and against
    assert sizes == [[160, 1]] * 2 * each


def test_frames_whose_maps_were_reduced_have_the_map_of_their_time(tmp_path, opened):
    page = opened(write_page([section(entry("video"), 500_000)], tmp_path / "report.html"))
    article, seen = page.locator("article"), []
    assert page.evaluate("() => read('data-0').maps.shape[0]") < 4
    slide(article, "opacity", 100)
    glowing = []
    for frame in (0, 3):
        slide(article, "frame", frame)
        seen.append(painted(article.locator(".stage canvas")).astype(int))
        glowing.append(abs(seen[-1][..., 0] - seen[-1][..., 1]).max())
    assert min(glowing) > 20


@pytest.mark.parametrize("hertz", [125, 1000, 3000])
@pytest.mark.parametrize("axis", [{"low": 62.5, "high": 4000, "log": True}, {"low": 0, "high": 4000, "log": False}])
def test_the_spectrogram_lies_on_the_axis_of_the_frequencies(axis, hertz, path, opened):
    """A tone, 8000 samples per second, at its place on a logarithmic and on a linear axis."""
    bins = np.zeros((257, 3), "u1")
    bins[round(hertz / 15.625)] = 255
    spectrum = {"shape": [257, 3], "u8": base64.b64encode(bins.tobytes()).decode(), "step": 15.625}
    loud = opened(path).evaluate(
        """([spectrum, axis]) => {
            const found = overScales(spectrum, axis);
            const { data } = found.getContext("2d").getImageData(0, 0, 1, found.height);
            return Array.from({ length: found.height }, (_, y) => data[4 * y] / found.height);
        }""",
        [spectrum, axis],
    )
    part = math.log(hertz / axis["low"], 64) if axis["log"] else hertz / 4000
    places = (np.arange(len(loud)) + 0.5) / len(loud)
    assert np.average(places, weights=loud) == pytest.approx(1 - part, abs=0.01)


@pytest.mark.parametrize("log", [True, False])
def test_rows_lie_over_their_frequencies_and_those_over_the_same_add_up(log, path, opened):
    rows = [
        {"scale": 0, "from": 0, "to": 1000},
        {"scale": 1, "from": 1000, "to": 4000},
        {"scale": 1, "from": 2000, "to": 4000},
    ]
    seen = opened(path).evaluate(
        """([rows, axis]) => {
            const one = new Rows({ rows, axis, shape: [3, 1], scales: [{}, {}, {}], magnitude: [{}] }, 1);
            one.known.set("magnitude", Float32Array.of(1, 2, 4));
            const values = Array.from({ length: STEPS }, (_, y) =>
                one.lines[y].map((over) => over.reduce((sum, row) => sum + one.values(0)[row], 0)));
            return [values.map((sums) => Math.max(...sums)), one.middles().map(({ place }) => place)];
        }""",
        [rows, {"low": 500 if log else 0, "high": 4000, "log": log}],
    )
    edges = [1 - math.log(f / 500, 8) if log else 1 - f / 4000 for f in (4000, 2000, 1000, 500 if log else 0)]
    expected = [value for value, high, low in zip((6, 2, 1), edges, edges[1:], strict=False)
                for _ in range(round(288 * (low - high)))]  # fmt: skip
    assert seen[0] == expected
    assert seen[1] == pytest.approx([(1 + edges[2]) / 2, edges[2] / 2])


def test_a_browser_that_cannot_inflate_the_maps_says_so_and_shows_the_numbers(path, browser):
    page = browser.new_page()
    page.add_init_script("delete self.DecompressionStream")
    page.goto(path.resolve().as_uri())
    page.get_by_text("The maps need a browser of 2023 or later; this one is older.").wait_for()
    assert page.locator("#entry-0 .sentence").is_visible()
    page.close()


def test_without_scripts_every_entry_can_be_read(path, opened):
    page = opened(path, java_script_enabled=False)
    for k in range(len(SIGNALS)):
        assert page.locator(f"#entry-{k} .sentence").is_visible()


def test_without_scripts_the_numbers_and_a_picture_are_there(path, opened):
    page = opened(path, java_script_enabled=False)
    article = page.locator("#entry-0")
    assert article.locator(".still").is_visible()
    assert article.locator("[data-row]").count() == 4
    assert "one" in article.locator(".sentence").inner_text()
