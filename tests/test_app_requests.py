"""Hostile requests to a running app, and what its own page sends; all against this machine alone."""

import contextlib
import html
import http.client
import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from wavelens.app import Limits, Served, Service, application, connections, request_limits, server
from wavelens.app.passwords import FREE_GUESSES
from wavelens.cli import commands
from wavelens.explaining.kinds import PHOTO
from wavelens.models import Geometry, LoadedModel

pytestmark = pytest.mark.needs("gradio")
JOIN, DATA, UPLOAD = "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/upload"
LOOK = 1  # the number of an event of a page of photos, which has an example
MARK = "mark-of-a-body"


def photo_bytes():
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(file, format="PNG")
    return file.getvalue()


@contextmanager
def running(folder, model=None, **options):
    """The address of an app, and its service."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2)).eval()
    sky = Served(LoadedModel(net, ("day", "night"), Geometry((8, 8), (8, 8), squash=True), "sky"), PHOTO)
    with closing(Service([model or sky], folder, limits=Limits(megabytes=0.5, visitor_files=3))) as service:
        listening = server._socket("127.0.0.1", 0)
        serving = server.server_of(application(service, **options))
        thread = threading.Thread(target=serving.run, args=([listening],))
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}", service
        finally:
            serving.should_exit = True
            thread.join(20)
            listening.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with running(tmp_path_factory.mktemp("app") / "service") as found:
        yield found


class Browser:
    """A visitor with its cookies, which sends what it is told to send."""

    def __init__(self, address):
        import httpx

        self.address, self.page = address, os.urandom(6).hex()
        self.client = httpx.Client(base_url=f"http://{address}", timeout=20)

    def __enter__(self):
        self.client.get("/").raise_for_status()
        return self

    def __exit__(self, *error):
        self.client.close()

    def upload(self, content=None, name="sky.png", **options):
        files = {"files": (name, content if content is not None else photo_bytes())}
        return self.client.post(UPLOAD, files=files, **options)

    def join(self, data, event=LOOK, page=None, **options):
        message = {"data": data, "fn_index": event, "session_hash": page or self.page}
        return self.client.post(JOIN, json=message, **options)

    def answers(self, page=None):
        """What the queue says until the event is complete."""
        with self.client.stream("GET", DATA, params={"session_hash": page or self.page}) as stream:
            lines = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")]
        return [json.loads(line) for line in lines]

    def explained(self, *values):
        """What the page shows of an explanation, by no prompt and against nothing."""
        return self.asked([*values, "", "", ""])

    def asked(self, data):
        """The values of the first event that takes as many as `data` has."""
        page = self.client.get("/").text.partition("window.gradio_config = ")[2]
        events = json.JSONDecoder().raw_decode(page)[0]["dependencies"]
        joined = self.join(data, next(event["id"] for event in events if len(event["inputs"]) == len(data)))
        assert joined.status_code == 200, joined.text
        return next(one for one in self.answers() if one["msg"] == "process_completed")["output"]["data"]


@pytest.fixture
def browser(app):
    with Browser(app[0]) as found:
        yield found


def files_in(service):
    """All that visitors or Gradio have left on the disk."""
    return sorted(name for _, _, names in os.walk(service.uploads.parent) for name in names)


def emptied(service):
    """Waits until nothing of any upload or result is left, and no folder of theirs."""
    for _ in range(400):
        if not files_in(service) and not os.listdir(service.uploads):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(autouse=True)
def nothing_left(request):
    """Each test begins and ends with an empty service."""
    yield
    if "app" in request.fixturenames:
        service = request.getfixturevalue("app")[1]
        for page in list(service._sessions):
            service.leave(page)
        for name in os.listdir(service.uploads):
            for file in (service.uploads / name).iterdir():
                service._remove(file)


def test_a_visitor_uploads_looks_explains_and_fetches(app, browser):
    name = browser.upload().json()[0]
    chosen, _, classes, answer, *_ = browser.asked([{"path": name, "meta": {"_type": "gradio.FileData"}}, "sky"])
    assert chosen == "sky"
    assert "In <bdi>sky.png</bdi> the model sees" in answer
    assert sorted(index for _, index in classes["choices"]) == [0, 1]
    shown = browser.explained({"path": name}, "sky", 0, "haar", 0, "saliency", 50)[1]
    address = "/results/" + shown.partition('src="results/')[2].partition('"')[0]
    report = browser.client.get(address)
    assert report.status_code == 200
    assert "sandbox allow-scripts" in report.headers["content-security-policy"]
    shown = browser.asked([{"path": name}, "sky", 0, "haar", 0, "saliency", 50, "", "next", ""])[1]
    address = "/results/" + shown.partition('src="results/')[2].partition('"')[0]
    assert browser.client.get(address.replace("-report.html", ".json")).json()["against"]["index"] == 1
    fetched = browser.client.get(f"/gradio_api/file={name}")
    assert fetched.content == photo_bytes()
    assert fetched.headers["content-disposition"].startswith("attachment")


def test_no_answer_names_a_folder_of_the_server(app, browser):
    _, service = app
    uploaded = browser.upload(name="../../../tmp/sky.png")
    assert uploaded.json()[0].partition("/")[2] == "sky.png"
    broken = browser.upload(b"no picture", name="broken.png").json()[0]
    texts = [browser.client.get("/").text, uploaded.text, json.dumps(browser.asked([{"path": broken}, "sky"]))]
    texts += [browser.client.get(path).text for path in ("/theme.css", "/results/" + "x" * 22 + "/a.png")]
    for text in texts:
        for folder in (
            str(service.uploads),
            str(service.uploads.parent),
            os.path.dirname(server.__file__),
            "site-packages",
        ):
            assert folder not in text
    assert "broken.png is not an image file" in texts[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {"Host": "elsewhere.example"},
    ],
)
def test_a_page_of_another_site_stores_and_asks_nothing(app, browser, headers):
    _, service = app
    assert browser.upload(headers=headers).status_code in (400, 403)
    assert browser.join([None, "sky"], headers=headers).status_code in (400, 403)
    assert not files_in(service)
    own = {"Origin": f"http://{browser.address}", "Sec-Fetch-Site": "same-origin"}
    assert browser.upload(headers=own).status_code == 200


def test_who_has_not_opened_the_page_stores_and_asks_nothing(app):
    import httpx

    address, service = app
    with httpx.Client(base_url=f"http://{address}", cookies={"wavelens-0": "x", "a b": '"'}) as stranger:
        answers = [
            stranger.post(UPLOAD, files={"files": ("a.png", photo_bytes())}),
            stranger.post(JOIN, json={"data": [None, "sky"], "fn_index": LOOK, "session_hash": "abc"}),
            stranger.get(DATA, params={"session_hash": "abc"}),
            stranger.get("/gradio_api/heartbeat/abc"),
            stranger.get(f"{UPLOAD}_progress"),
            stranger.get(f"/gradio_api/file={'x' * 22}/a.png"),
        ]
    assert [answer.status_code for answer in answers] == [403] * 6
    assert {answer.text for answer in answers[:1] + answers[2:]} == {
        "Load the app's page first; if it is open, load it again."
    }
    assert not files_in(service)


def test_nobody_reads_or_writes_in_anothers_name(app, browser):
    name = browser.upload().json()[0]
    browser.asked([{"path": name}, "sky"])
    with Browser(app[0]) as other:
        assert other.client.get(DATA, params={"session_hash": browser.page}).status_code == 403
        assert other.client.get(f"/gradio_api/heartbeat/{browser.page}").status_code == 403
        assert other.join([None, "sky"], page=browser.page).status_code == 403
        assert other.client.get(f"/gradio_api/file={name}").status_code == 404
        assert "no longer on the server" in other.asked([{"path": name}, "sky"])[3]
        explained = other.explained({"path": name}, "sky", 0, "haar", 0, "saliency", 50)
        assert "no longer on the server" in explained[0]
    assert browser.client.get(f"/gradio_api/file={name}").status_code == 200


def raw(address, head, body=b"", wait=20.0):
    """The status of an answer to bytes on a socket; 0 where the connection ends without one."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        with contextlib.suppress(ConnectionError):  # the app may have answered before the end
            connection.sendall(head + body)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
                answer += part
    return int(answer.split()[1]) if answer else 0


def head_of(browser, path, **headers):
    cookies = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    lines = [f"POST {path} HTTP/1.1", f"Host: {browser.address}", f"Cookie: {cookies}"]
    return "\r\n".join([*lines, *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()), "", ""]).encode()


def chunks(content, size=65536):
    parts = [content[k : k + size] for k in range(0, len(content), size)]
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


@pytest.fixture
def logged(caplog, capfd):
    """What has been logged or printed until now."""
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text + "".join(capfd.readouterr())


def test_long_messages_are_refused_whatever_length_they_name_and_not_logged(app, browser, logged):
    long = json.dumps({"data": [MARK * 300_000, "sky"], "fn_index": LOOK, "session_hash": browser.page}).encode()
    named = head_of(browser, JOIN, Content_Type="application/json", Content_Length=len(long))
    unnamed = head_of(browser, JOIN, Content_Type="application/json", Transfer_Encoding="chunked")
    begun = head_of(browser, JOIN, Content_Type="application/json", Content_Length=10**12)
    assert raw(app[0], named, long) == 413
    assert raw(app[0], unnamed, chunks(long)) == 413
    assert raw(app[0], begun) == 413, "nothing is waited for"
    assert browser.client.post("/login", content=long).status_code == 413
    assert MARK not in logged()


@pytest.mark.parametrize(
    "data",
    [
        [MARK],
        [{"path": {"path": MARK}}, "sky"],
        [{"__type__": MARK}, "sky"],
        [[{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}], "sky"],
        [f"{MARK}\n2026 ERROR forged", "sky"],
        {MARK: 1},
    ],
)
def test_other_messages_are_refused_in_a_sentence_and_not_logged(browser, logged, data):
    answer = browser.join(data)
    assert answer.status_code == 400
    assert len(answer.json()["detail"]) < 100
    assert MARK not in answer.text + logged()


@pytest.mark.parametrize("data", [[MARK, "sky"], ["a.png", MARK], [7, "sky"], [MARK, None], [MARK, -0.5]])
def test_values_that_are_not_offered_are_refused_in_a_sentence_and_not_logged(browser, logged, data):
    assert 'class="wl-said"' in browser.asked(data)[3]
    said = logged()
    assert MARK not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (["0", "haar", 0, "saliency", 50], "a class of sky must be an index from 0 to 1; got '0'."),
        ([0, None, 0, "saliency", 50], "a wavelet must be one of"),
        ([0, "haar", "2", "saliency", 50], "levels must be 1 to 12; got '2'."),
        ([0, "haar", 0, 3, 50], "the methods are"),
        ([0, "haar", 0, "saliency", 50.5], "a method takes 10 to 256 gradients here; got 50.5."),
        ([None] * 5, "the methods are"),
    ],
)
def test_choices_of_another_type_are_refused_in_a_sentence(browser, logged, wish, sentence):
    name = browser.upload().json()[0]
    assert sentence in html.unescape(browser.explained({"path": name}, "sky", *wish)[0])
    assert "Traceback" not in logged()


def test_the_server_fetches_no_address_and_copies_no_file(app, browser, tmp_path):
    _, service = app
    secret = tmp_path / "secret.png"
    secret.write_bytes(photo_bytes())
    with closing(socket.create_server(("127.0.0.1", 0))) as elsewhere:
        elsewhere.settimeout(0.3)
        for path in (f"http://127.0.0.1:{elsewhere.getsockname()[1]}/a.png", str(secret), f"file://{secret}"):
            file = {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}}
            assert "no longer on the server" in browser.asked([file, "sky"])[3]
        with pytest.raises(TimeoutError):
            elsewhere.accept()
    assert not files_in(service)


NEEDED = {"/", "/login", "/favicon.ico", "/theme.css", DATA, JOIN, UPLOAD, f"{UPLOAD}_progress"}
NEEDED |= {"/gradio_api/heartbeat/x", "/static/x", "/assets/x"}


def routes_of(router):
    """Path and method of each route, with x for what a path leaves open."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included)
        for method in getattr(route, "methods", None) or ():
            yield re.sub(r"\{[^}]*\}", "x", route.path), method


def test_of_gradios_other_addresses_none_answers(browser):
    """No route of this version of Gradio is reached that the page does not need."""
    import gradio

    routes = set(routes_of(gradio.routes.App.create_app(gradio.Blocks())))
    assert len(routes) > 50
    answered = set()
    for path, method in routes:
        with browser.client.stream(method, path) as answer:
            if answer.status_code not in (404, 405):
                answered.add(path)
    assert answered <= NEEDED


def multipart(*parts, end=True):
    """A body of parts, each with a head and content."""
    body = b"".join(b"--limit\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts)
    return body + b"--limit--\r\n" * end


FILE = b'Content-Disposition: form-data; name="files"; filename="a.png"'
FORM = "multipart/form-data; boundary=limit"


@pytest.mark.parametrize(
    "body",
    [
        multipart(*[(FILE, b"x")] * 3000),
        multipart(*[(b'Content-Disposition: form-data; name="f%d"' % k, b"x") for k in range(3000)]),
        multipart((b'Content-Disposition: form-data; name="files"', b"text")),
        multipart((b'Content-Disposition: form-data; name="other"; filename="a.png"', b"x")),
        multipart((FILE + b"\r\nX-More: " + b"y" * 100_000, b"x")),
        multipart((FILE, b"half of a file"), end=False)[:-2],
        multipart(),
        b"no form",
        b"",
    ],
)
def test_an_upload_is_one_whole_file(app, browser, body):
    _, service = app
    answer = browser.client.post(UPLOAD, content=body, headers={"Content-Type": FORM})
    assert answer.status_code == 400, answer.text
    assert not files_in(service)
    for kind in ("multipart/form-data", "application/json", "text/plain"):
        assert browser.client.post(UPLOAD, content=body, headers={"Content-Type": kind}).status_code == 400
    assert browser.upload().status_code == 200


def test_uploads_end_at_the_limit_whatever_length_they_name(app, browser):
    _, service = app
    long = multipart((FILE, bytes(2_000_000)))
    named = head_of(browser, UPLOAD, Content_Type=FORM, Content_Length=len(long))
    unnamed = head_of(browser, UPLOAD, Content_Type=FORM, Transfer_Encoding="chunked")
    assert raw(app[0], named, long) == 413
    assert raw(app[0], unnamed, chunks(long)) == 413
    assert not files_in(service)
    assert emptied(service)


def test_a_visitors_uploads_have_a_quota(app, browser):
    _, service = app
    assert [browser.upload().status_code for _ in range(5)] == [200] * 3 + [429] * 2
    assert "A browser has at most 3 files here" in browser.upload().text
    assert len(files_in(service)) == 3


def test_a_slow_upload_ends_and_leaves_nothing(app, browser, monkeypatch):
    address, service = app
    monkeypatch.setattr(request_limits, "GRACE_SECONDS", 0.3)
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.putrequest("POST", UPLOAD)
    connection.putheader("Cookie", "; ".join(f"{k}={v}" for k, v in browser.client.cookies.items()))
    connection.putheader("Content-Type", FORM)
    connection.putheader("Content-Length", "100000")
    connection.endheaders(multipart((FILE, b"beginning"), end=False))
    assert connection.getresponse().status == 408
    connection.close()
    assert emptied(service)
    assert raw(address, head_of(browser, JOIN, Content_Length=50), b"{") == 408


def test_an_upload_that_breaks_off_leaves_nothing_and_does_not_count(app, browser):
    address, service = app
    host, port = address.split(":")
    for _ in range(4):
        with socket.create_connection((host, int(port))) as connection:
            head = head_of(browser, UPLOAD, Content_Type=FORM, Content_Length=100_000)
            connection.sendall(head + multipart((FILE, bytes(50_000)), end=False))
            time.sleep(0.05)
    assert emptied(service)
    for _ in range(100):
        answer = browser.upload()
        if answer.status_code == 200:
            break
        time.sleep(0.02)
    assert answer.status_code == 200


def test_a_connection_without_a_request_ends(app, monkeypatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    assert raw(app[0], b"") == 0
    assert raw(app[0], b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") == 0


@pytest.mark.parametrize("method", ["HEAD", "GET", "POST"])
def test_a_body_that_is_none_ends_the_connection_and_is_not_logged(app, logged, method):
    head = f"{method} /login HTTP/1.1\r\nHost: {app[0]}\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(app[0], head.encode(), f"{MARK}\r\n".encode()) in (0, 303, 405)
    said = logged()
    assert MARK not in said
    assert "Traceback" not in said


def test_a_page_that_waits_for_nothing_has_no_messages(browser, logged):
    (only,) = browser.answers()
    assert (only["msg"], only["session_not_found"]) == ("unexpected_error", True)
    assert "Traceback" not in logged()


def test_a_websocket_is_not_opened(app):
    head = f"GET / HTTP/1.1\r\nHost: {app[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    assert raw(app[0], head.encode()) != 101


def test_the_disk_is_cleaned_when_a_page_closes(app, browser):
    _, service = app
    with browser.client.stream("GET", f"/gradio_api/heartbeat/{browser.page}") as heartbeat:
        lines = heartbeat.iter_lines()
        assert next(lines) == "data: ALIVE"
        name = browser.upload().json()[0]
        browser.asked([{"path": name}, "sky"])
        browser.explained({"path": name}, "sky", 0, "haar", 0, "saliency", 50)
        assert len(files_in(service)) > 3
    assert emptied(service)
    assert browser.client.get(f"/gradio_api/file={name}").status_code == 404


def test_a_file_that_another_replaces_goes_at_once(app, browser):
    _, service = app
    for k in range(6):
        name = browser.upload(name=f"{k}.png").json()[0]
        browser.asked([{"path": name}, "sky"])
        assert files_in(service) == [f"{k}.png"]
        assert len(os.listdir(service.uploads)) == 1


def test_open_pages_and_messages_are_bounded(app, browser):
    for k in range(Limits.pages_per_visitor):
        assert browser.join([None, "sky"], page=f"page{k}").status_code == 200
    refused = browser.join([None, "sky"], page="another")
    assert refused.status_code == 429
    assert "pages of the app open" in refused.json()["detail"]
    codes = [browser.join([None, "sky"], page="page0").status_code for _ in range(80)]
    assert codes[0] == 200
    assert codes[-1] == 429


@pytest.fixture
def locked(tmp_path):
    with running(tmp_path / "service", password="open sesame") as found:
        yield found


def test_with_a_password_nothing_is_answered_before_it(locked):
    import httpx

    address, service = locked
    with httpx.Client(base_url=f"http://{address}", timeout=20) as stranger:
        page = stranger.get("/")
        assert 'type="password"' in page.text
        assert "wl-upload" not in page.text
        assert not stranger.cookies
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for path in (DATA, "/gradio_api/heartbeat/abc", f"/results/{'x' * 22}/a.png", f"/gradio_api/file={'x' * 22}/a"):
            assert stranger.get(path).status_code == 401
        assert stranger.post(UPLOAD, files={"files": ("a.png", photo_bytes())}).status_code == 401
        assert stranger.post(JOIN, json={"data": [], "fn_index": 0, "session_hash": "a"}).status_code == 401
        many = b"&".join([b"password=open+sesame"] * 100)
        for wrong in (b"password=Open+sesame", b"password=", b"username=open+sesame", b"password=%ff", many):
            refused = stranger.post("/login", content=wrong)
            assert refused.status_code == 403
            assert "This is not the password." in refused.text
        assert stranger.get(f"/login?password={'open sesame'}").status_code == 303
        assert stranger.get("/").text == page.text
    assert not files_in(service)


def test_the_password_opens_the_app(locked):
    with Browser(locked[0]) as visitor:
        answer = visitor.client.post("/login", data={"username": "anyone", "password": "open sesame"})
        assert (answer.status_code, answer.headers["location"]) == (303, "./")
        assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
        assert "wl-upload" in visitor.client.get("/").text
        name = visitor.upload().json()[0]
        assert "sky.png" in visitor.asked([{"path": name}, "sky"])[3]


def test_behind_a_proxy_with_https_the_cookie_is_for_https_alone(app):
    import httpx

    answer = httpx.get(f"http://{app[0]}/", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["set-cookie"].endswith("; Secure")


def test_who_guesses_has_to_wait(locked):
    with Browser(locked[0]) as visitor:
        codes = []
        for k in range(FREE_GUESSES + 3):
            forged = {"X-Forwarded-For": f"10.0.0.{k}"}
            codes.append(visitor.client.post("/login", data={"password": f"{k}"}, headers=forged).status_code)
        assert codes == [403] * FREE_GUESSES + [429] * 3
        right = visitor.client.post("/login", data={"password": "open sesame"})
        assert right.status_code == 429
        assert "Too many wrong passwords" in right.text
        assert int(right.headers["retry-after"]) >= 1


class Recorded:
    """In place of uvicorn's server."""

    def run(self, sockets):
        pass


@pytest.mark.parametrize(
    ("host", "password", "warned"),
    [("127.0.0.1", None, False), ("localhost", None, False), ("0.0.0.0", None, True), ("0.0.0.0", "sesame", False)],
)
def test_an_open_address_without_a_password_is_warned_of(monkeypatch, caplog, host, password, warned):
    monkeypatch.setattr(server, "server_of", lambda app: Recorded())
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2)).eval()
    model = Served(LoadedModel(net, ("day", "night"), Geometry((8, 8), (8, 8)), "sky"), PHOTO)
    server.serve([model], host=host, port=0, password=password)
    assert ("anyone who reaches 0.0.0.0 can use this app, without a password" in caplog.text) == warned


def started(monkeypatch, arguments, typed=""):
    """What `wavelens app` gives to `serve`."""
    calls = []
    monkeypatch.setattr("wavelens.app.serve", lambda models, **options: calls.append(options))
    monkeypatch.setattr("wavelens.models.load", lambda name, *args, **options: Loaded())
    done = CliRunner().invoke(commands.app, ["app", *arguments], input=typed)
    return calls[0] if calls else done


class Loaded:
    preprocess = Geometry((8, 8), (8, 8))


def test_the_password_is_given_asked_for_or_read(monkeypatch):
    assert started(monkeypatch, [])["password"] is None
    assert started(monkeypatch, ["--password", "sesame"])["password"] == "sesame"
    monkeypatch.setenv("WAVELENS_PASSWORD", "of the environment")
    assert started(monkeypatch, [])["password"] == "of the environment"
    monkeypatch.delenv("WAVELENS_PASSWORD")
    options = started(monkeypatch, ["--password", "-", "--allowed-host", "lens.example"], "of a pipe \r\n")
    assert (options["password"], options["allowed_hosts"]) == ("of a pipe ", ["lens.example"])
    monkeypatch.setattr("wavelens.cli.serve.getpass", lambda prompt: "typed")
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("wavelens.cli.serve.sys", terminal)
    assert started(monkeypatch, ["--password", "-"])["password"] == "typed"


def test_gradio_is_imported_once_its_settings_are_made():
    """It reads them when it is imported, and makes a folder that stays where it is not told of another."""
    code = (
        "import sys; from wavelens.cli import main; main(['app', '--model', 'x:y']); sys.exit('gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, "x:y" in done.stderr) == (0, True), done.stderr


def test_an_empty_password_is_an_error_before_anything_is_loaded(monkeypatch):
    done = started(monkeypatch, ["--password", " ", "--model", "nowhere:nothing"])
    assert isinstance(done.exception, ValueError)
    assert "a password must have at least one character" in str(done.exception)
