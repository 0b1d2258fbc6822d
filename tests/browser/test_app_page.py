"""The app in a browser: drop a file, explain, look, download; nothing is asked of any other place."""

import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.app import Limits, Served, Service, application
from wavelens.app import server as servers
from wavelens.explaining.kinds import PHOTO, SOUND
from wavelens.frontends.audio import Clip, write_audio
from wavelens.models import Geometry, LoadedModel
from wavelens.models.preparations.audio import Sampling

PATIENCE = 40_000  # milliseconds
HOSTILE = "<b>left"  # a class that is only a name


class Sides(torch.nn.Module):
    """How bright the left and the right side are; as slow as it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.pause = 0, 0.0

    def forward(self, x):
        self.calls += 1
        time.sleep(self.pause)
        left, right = x.chunk(2, -1)
        return torch.stack([left.pow(2).mean((1, 2, 3)), right.pow(2).mean((1, 2, 3))], 1)


class Halves(torch.nn.Module):
    """How loud the first and the second half are."""

    def forward(self, x):
        return torch.stack([half.pow(2).sum((1, 2)) for half in x[..., : x.shape[-1] // 2 * 2].chunk(2, -1)], 1)


@contextmanager
def running(folder, **options):
    """The address of a running app, its service, and its photo model."""
    net = Sides().eval()
    labels = (HOSTILE, "right")
    photo = Served(LoadedModel(net, labels, Geometry((32, 32), (32, 32), squash=True), "sides"), PHOTO)
    sound = Served(LoadedModel(Halves().eval(), ("early", "late"), Sampling(8000), "halves"), SOUND)
    with closing(Service([photo, sound], folder, limits=Limits(megabytes=0.5, seconds=2))) as service:
        listening = servers._socket("127.0.0.1", 0)
        server = servers.server_of(application(service, **options))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", service, net
        server.should_exit = True
        thread.join(20)
    assert not folder.exists()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    pytest.importorskip("gradio")
    with running(tmp_path_factory.mktemp("app") / "service") as found:
        yield found


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """An app with a password."""
    pytest.importorskip("gradio")
    with running(tmp_path_factory.mktemp("locked") / "service", password="open sesame") as found:
        yield found


@pytest.fixture
def visit(app, browser):
    """`visit(**context)` opens the app; requests to other places and errors fail the test."""
    address, contexts, heard = app[0], [], []

    def go(**options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: heard.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
        page.on(
            "request", lambda r: None if r.url.startswith((f"{address}/", "data:", "blob:")) else heard.append(r.url)
        )
        page.goto(address)
        page.wait_for_selector("#wl-upload input[type=file]", state="attached")
        return page

    yield go
    for context in contexts:
        context.close()
    assert heard == []


@pytest.fixture
def photo(tmp_path):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16] = 255
    path = tmp_path / "white left.png"
    Image.fromarray(pixels).save(path)
    return path


def drop(page, path):
    page.set_input_files("#wl-upload input[type=file]", path)


def explain(page, path):
    drop(page, path)
    page.wait_for_selector("#wl-seen p")
    page.click("#wl-start")
    page.wait_for_selector("#wl-shown iframe")
    return page.frame_locator("#wl-shown iframe")


def fetched(page, name):
    """The bytes behind a link; the browser's own click on it is tested once."""
    return page.request.get(page.url + page.locator(f".wl-files a:text-is('{name}')").get_attribute("href")).body()


def test_a_photo_is_dropped_explained_seen_and_kept(app, visit, photo, tmp_path):
    page = visit()
    report = explain(page, photo)
    assert page.inner_text("#wl-seen").startswith(f"In white left.png the model sees: {HOSTILE} ")
    report.locator("article[data-ready=true]").wait_for()
    assert HOSTILE in report.locator(".sentence").inner_text()
    assert (
        report.locator("canvas").first.evaluate(
            "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        )
        > 9
    )
    link = page.locator(".wl-files a").last
    link.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    with page.expect_download() as caught:
        link.dispatch_event("click")
    summary = json.loads(caught.value.path().read_text())
    assert caught.value.suggested_filename == "white left.json"
    assert summary["photo"] == "white left.png"
    path = tmp_path / "a.safetensors"
    path.write_bytes(fetched(page, "white left.safetensors"))
    a = wl.Attribution.load(path)
    assert float(a.data.sum()) == pytest.approx(1.0, abs=0.02)
    assert "default-src 'self'" in page.request.get(page.url).headers["content-security-policy"]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(urllib.request.Request(page.url, headers={"Host": "elsewhere.example"}))
    policy = page.request.get(page.url + link.get_attribute("href")).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src data: 'unsafe-inline'" in policy
    assert "sandbox allow-scripts allow-downloads" in policy
    assert page.request.get(f"{page.url}results/{'x' * 22}/a.json").status == 404


def test_a_sound_finds_its_model_and_can_be_heard(visit, tmp_path):
    tone = 0.5 * torch.sin(2 * torch.pi * 700 * torch.arange(8000) / 8000) * (torch.arange(8000) < 3000)
    write_audio(tmp_path / "tone.wav", Clip(tone[None, None], 8000))
    page = visit()
    report = explain(page, tmp_path / "tone.wav")
    assert page.input_value("#wl-model input") == "halves"
    report.locator("audio").first.wait_for(state="attached")
    loaded = "a => new Promise(done => { a.onloadeddata = () => done(a.duration); a.load() })"
    assert report.locator("audio").first.evaluate(loaded) == pytest.approx(1.0, abs=0.01)
    assert fetched(page, "tone-sounds/heard.wav")[:4] == b"RIFF"


def test_wrong_files_are_sentences(visit, tmp_path):
    page = visit()
    (tmp_path / "a.png").write_text("no picture")
    drop(page, tmp_path / "a.png")
    page.wait_for_selector("#wl-seen .wl-said")
    assert "a.png is not an image file" in page.inner_text("#wl-seen")
    assert page.is_disabled("#wl-start")
    page = visit()
    write_audio(tmp_path / "long.ogg", Clip(torch.zeros(1, 1, 30_000), 8000))
    drop(page, tmp_path / "long.ogg")
    page.wait_for_selector("text=a sound lasts at most 2 seconds here; long.ogg lasts 4")


def test_the_passes_end_when_the_page_goes(app, visit, photo, monkeypatch):
    _, service, net = app
    monkeypatch.setattr(net, "pause", 0.3)
    monkeypatch.setattr("wavelens.engine.memory.CPU_ACTIVATIONS", 1)
    monkeypatch.setattr("wavelens.engine.memory.CPU_ROWS", 1)
    page = visit()
    drop(page, photo)
    page.wait_for_selector("#wl-seen p")
    page.click("#wl-start")
    page.wait_for_selector("#wl-status progress")
    assert service.queue.pending
    page.close()
    before = time.monotonic()
    while service.queue.pending and time.monotonic() - before < 30:
        time.sleep(0.05)
    assert not service.queue.pending
    made = net.calls
    time.sleep(0.5)
    assert net.calls == made
    while service._sessions and time.monotonic() - before < 30:
        time.sleep(0.05)
    assert not list(service._results.iterdir())


def test_stop_ends_it(app, visit, photo, monkeypatch):
    _, _, net = app
    monkeypatch.setattr(net, "pause", 0.3)
    monkeypatch.setattr("wavelens.engine.memory.CPU_ACTIVATIONS", 1)
    monkeypatch.setattr("wavelens.engine.memory.CPU_ROWS", 1)
    page = visit()
    drop(page, photo)
    page.wait_for_selector("#wl-seen p")
    page.click("#wl-start")
    page.wait_for_selector("#wl-status progress")
    page.click("#wl-end")
    page.wait_for_selector("text=Stopped.")
    page.wait_for_selector("#wl-start:enabled")


def test_a_refused_upload_is_told_in_a_sentence(app, browser, photo, monkeypatch):
    monkeypatch.setattr("wavelens.app.uploads.MAX_AT_ONCE_PER_VISITOR", 0)
    page = browser.new_page()
    page.goto(app[0])
    page.wait_for_selector("#wl-upload input[type=file]", state="attached")
    drop(page, photo)
    page.wait_for_selector("text=Too many files arrive at the same time; try again in a while.")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_password_opens_the_page(locked, browser, photo, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(locked[0])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.activeElement.id") == "password"
    assert (sum(shade(page)) < 200) == (scheme == "dark")
    page.keyboard.type("open")
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").inner_text() == "This is not the password."
    page.get_by_label("Password").fill("open sesame")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#wl-upload input[type=file]", state="attached")
    assert page.url == f"{locked[0]}/"
    report = explain(page, photo)
    report.locator("article[data-ready=true]").wait_for()
    context.close()


def shade(page):
    """Red, green and blue of the background."""
    colour = "getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)"
    return page.evaluate(colour)


def test_on_a_phone_what_is_wrong_with_a_file_is_in_view(visit, tmp_path):
    page = visit(viewport={"width": 390, "height": 800})
    (tmp_path / "a.png").write_text("no picture")
    drop(page, tmp_path / "a.png")
    place = page.locator(".wl-said").bounding_box()
    assert place["y"] + place["height"] < 800


def test_on_a_phone_preview_and_result_come_into_view(visit, photo):
    page = visit(viewport={"width": 390, "height": 800})
    drop(page, photo)
    page.wait_for_selector("#wl-seen p")
    assert page.locator("#wl-seen img").bounding_box()["y"] < 800
    page.click("#wl-start")
    page.wait_for_selector("#wl-shown iframe")
    top = "document.querySelector('#wl-shown iframe').getBoundingClientRect().top"
    page.wait_for_function(f"{top} < 400")


def test_wavelet_and_levels_stand_in_line_and_name_the_default(visit):
    page = visit(viewport={"width": 390, "height": 800})
    boxes = [page.locator(f"#{name} input").bounding_box() for name in ("wl-levels", "wl-wavelet")]
    assert boxes[0]["y"] == pytest.approx(boxes[1]["y"], abs=1)
    assert page.input_value("#wl-levels input").startswith("default (")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_its_width(visit, width, scheme):
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (sum(shade(page)) < 200) == (scheme == "dark")
