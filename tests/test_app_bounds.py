"""What strangers may send to the app, part by part and without a server: names, messages, passwords, files, pages."""

import asyncio
import io
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from picture_files import tiff_header
from wavelens.app import Limits, request_limits, visitors
from wavelens.app.addresses import OwnAddress, is_loopback
from wavelens.app.limits import check_upload
from wavelens.app.messages import checked_message
from wavelens.app.passwords import FREE_GUESSES, MAX_ADDRESSES, MAX_WAIT_SECONDS, Gatekeeper
from wavelens.app.refusals import RequestRefused
from wavelens.app.request_limits import Body, check_endpoint, declared_length
from wavelens.app.uploads import MAX_AT_ONCE, MAX_AT_ONCE_PER_VISITOR, Uploads, file_name
from wavelens.app.visitors import MAX_MESSAGES_PER_MINUTE, Visitors
from wavelens.explaining.kinds.photo import PHOTO

MEGABYTE = 2**20


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def ran(coroutine):
    """What a coroutine gives, in a thread of its own: a browser test may have left this one with a running loop."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, coroutine).result(20)


def status(headers, bound_to="127.0.0.1", allowed_hosts=(), method="GET"):
    """The status of a request with these headers; 200 if it comes through."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": encoded}
    ran(OwnAddress(app, bound_to, allowed_hosts)(scope, None, send))
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("name", "bound_to", "expected"),
    [
        ("127.0.0.1:7860", "127.0.0.1", 200),
        ("localhost:7860", "127.0.0.1", 200),
        ("LOCALHOST", "127.0.0.1", 200),
        ("localhost.:80", "127.0.0.1", 200),
        ("[::1]:7860", "::1", 200),
        ("127.0.0.1.elsewhere.example", "127.0.0.1", 400),
        ("elsewhere.example:7860", "127.0.0.1", 400),
        ("localhost@elsewhere.example", "127.0.0.1", 400),
        ("192.168.1.7:7860", "127.0.0.1", 400),
        ("", "127.0.0.1", 400),
        ("[::1", "127.0.0.1", 400),
        ("192.168.1.7:7860", "0.0.0.0", 200),
        ("[fe80::7]:7860", "::", 200),
        (f"{socket.gethostname()}:7860", "0.0.0.0", 200),
        ("elsewhere.example", "0.0.0.0", 400),
        ("lens.example", "0.0.0.0", 200),
        ("lens.example", "127.0.0.1", 200),
    ],
)
def test_an_app_answers_under_its_own_names_alone(name, bound_to, expected):
    assert status({"Host": name}, bound_to, ["Lens.example"]) == expected


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:7860"}, 200),
        ({"Origin": "http://127.0.0.1:7860", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "http://localhost:7860"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Origin": "https://lens.example"}, 200),
    ],
)
def test_only_the_apps_own_pages_are_answered(method, headers, expected):
    assert status({"Host": "127.0.0.1:7860"} | headers, allowed_hosts=["lens.example"], method=method) == expected


def test_a_link_from_elsewhere_opens_the_page_but_sends_nothing():
    link = {"Host": "localhost:7860", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (status(link), status(link, method="POST")) == (200, 403)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("gpu1", False),
    ],
)
def test_loopback_is_this_machine_alone(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", None),
        ("HEAD", "/", None),
        ("GET", "/assets/index-Dph_1.js", None),
        ("GET", "/gradio_api/heartbeat/8lpeqrsx5bb", None),
        ("GET", "/results/0RwdTNr3vWFnK-aVt24SpA/my photo é-sounds/heard.wav", None),
        ("POST", "/gradio_api/upload", None),
        ("PUT", "/", 405),
        ("OPTIONS", "/gradio_api/upload", 405),
        ("POST", "/", 404),
        ("POST", "/gradio_api/run/look", 404),
        ("GET", "/gradio_api/file=/etc/passwd", 404),
        ("GET", "/assets/../routes.py", 404),
        ("GET", "/results/0RwdTNr3vWFnK-aVt24SpA/../../uploads/a.png", 404),
        ("GET", "/gradio_api/heartbeat/A'", 404),
        ("GET", "/config", 404),
        ("GET", "//elsewhere.example", 404),
        ("GET", "/\n", 404),
    ],
)
def test_the_app_has_the_addresses_that_its_page_asks_for(method, path, expected):
    if expected is None:
        check_endpoint(method, path)
    else:
        with pytest.raises(RequestRefused) as caught:
            check_endpoint(method, path)
        assert caught.value.status == expected


@pytest.mark.parametrize("value", [b"-1", b"1e3", b"", b"9" * 16, b"\xb2"])
def test_a_length_is_a_number_of_bytes(value):
    with pytest.raises(RequestRefused, match="Content-Length is a number of bytes"):
        declared_length([(b"content-length", value)])


def received(chunks, most, pause=0.0):
    """The length of a body that comes in chunks, with a pause before each."""

    async def receive():
        await asyncio.sleep(pause)
        return chunks.pop(0) if chunks else {"type": "http.disconnect"}

    async def read():
        guarded, length, more = Body(receive, most).receive, 0, True
        while more:
            message = await guarded()
            length, more = length + len(message["body"]), message.get("more_body", False)
        return length, (await guarded())["type"]

    return ran(read())


def body(*lengths):
    last = len(lengths) - 1
    return [{"type": "http.request", "body": bytes(length), "more_body": k < last} for k, length in enumerate(lengths)]


def test_bodies_are_counted_as_they_come():
    assert received(body(4, 0, 6), 10) == (10, "http.disconnect")
    with pytest.raises(RequestRefused, match="at most 10 bytes") as caught:
        received(body(4, 7), 10)
    assert caught.value.status == 413


def test_a_body_that_comes_drop_by_drop_ends_and_one_that_comes_fast_has_its_time(monkeypatch):
    monkeypatch.setattr(request_limits, "GRACE_SECONDS", 0.05)
    with pytest.raises(RequestRefused, match="took too long") as caught:
        received(body(*[1] * 10_000), 20_000, pause=0.01)
    assert caught.value.status == 408
    monkeypatch.setattr(request_limits, "MIN_BYTES_PER_SECOND", 1)
    assert received(body(*[1000] * 20), 20_000, pause=0.01)[0] == 20_000


def test_the_rest_of_a_body_is_discarded_and_not_for_ever(monkeypatch):
    monkeypatch.setattr(request_limits, "LINGER_SECONDS", 0.05)

    async def discarded(chunks):
        async def receive():
            await asyncio.sleep(0.001)
            return chunks.pop(0) if chunks else body(1, 1)[0]

        found = Body(receive, 10)
        await found.discard()
        return found.complete

    assert ran(discarded(body(100, 100)))
    assert not ran(discarded([]))


GOOD = {"data": [{"path": "a/b.png", "url": "http://x"}, "net"], "fn_index": 0, "session_hash": "abc"}


def test_of_a_message_stays_what_its_event_takes():
    sent = GOOD | {"event_data": {"path": "/etc/passwd"}, "trigger_id": 5, "simple_format": True, "event_id": "x"}
    assert checked_message(json.dumps(sent).encode(), {0: 2}) == GOOD | {"data": ["a/b.png", "net"]}
    numbers = GOOD | {"data": [None, 0.5, -3, "×é"]}
    assert checked_message(json.dumps(numbers).encode(), {0: 4})["data"] == [None, 0.5, -3, "×é"]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 10_000,
        b'{"data": ' * 3000,
        b"9" * 6000,
        *(
            json.dumps(GOOD | wrong).encode()
            for wrong in (
                {"data": ["a"]},
                {"data": ["a"] * 1000},
                {"data": {"0": "a", "1": "b"}},
                {"data": ["a", ["b"]]},
                {"data": ["a", {"__type__": "update"}]},
                {"data": ["a", {"path": {"path": "b"}}]},
                {"data": ["a", True]},
                {"data": ["a", "b" * 401]},
                {"data": ["a", "line\nline"]},
                {"data": ["a", "\ud800"]},
                {"data": ["a", "\x1b[2J"]},
                {"data": ["a", float("nan")]},
                {"data": ["a", 10**30]},
                {"fn_index": 7},
                {"fn_index": True},
                {"fn_index": "0"},
                {"fn_index": [0]},
                {"session_hash": None},
                {"session_hash": ""},
                {"session_hash": "a" * 33},
                {"session_hash": "../x"},
                {"session_hash": {"a": 1}},
            )
        ),
        json.dumps(GOOD).replace('"net"', "1e999").encode(),
    ],
)
def test_a_message_is_nothing_else(sent):
    with pytest.raises(RequestRefused) as caught:
        checked_message(sent, {0: 2, 1: 0})
    assert caught.value.status == 400
    assert len(caught.value.sentence) < 100


def test_the_password_opens_and_guesses_have_to_wait_twice_as_long_each_time(clock):
    gate = Gatekeeper("correct horse é", clock)
    assert gate.admits("correct horse é", "10.0.0.1")
    for _ in range(FREE_GUESSES):
        assert not gate.admits("wrong", "10.0.0.1")
    waits = []
    for _ in range(12):
        with pytest.raises(RequestRefused, match="Too many wrong passwords") as caught:
            gate.admits("correct horse é", "10.0.0.1")
        waits.append(int(caught.value.headers["retry-after"]))
        clock.now += waits[-1]
        assert not gate.admits("wrong", "10.0.0.1")
    assert waits == [min(2**k, MAX_WAIT_SECONDS) for k in range(12)]
    assert gate.admits("correct horse é", "10.0.0.2"), "others wait for nobody"
    clock.now += MAX_WAIT_SECONDS
    assert gate.admits("correct horse é", "10.0.0.1")


def test_an_ipv6_network_guesses_as_one(clock):
    gate = Gatekeeper("right", clock)
    for k in range(FREE_GUESSES):
        assert not gate.admits("wrong", f"2001:db8::{k:x}")
    with pytest.raises(RequestRefused):
        gate.admits("right", "2001:db8::ffff")
    assert gate.admits("right", "2001:db8:0:1::1")


def test_guesses_from_everywhere_take_no_more_room(clock):
    gate = Gatekeeper("right", clock)
    for k in range(MAX_ADDRESSES + 50):
        gate.admits("wrong", f"10.0.{k // 256}.{k % 256}")
    assert len(gate._guesses) == MAX_ADDRESSES


def test_a_password_is_not_empty():
    with pytest.raises(ValueError, match="a password must have at least one character"):
        Gatekeeper("  ")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("my photo.png", "my photo.png"),
        ("Größe 大.nii.gz", "Größe 大.nii.gz"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.png", "a.png"),
        ("/abs/a.png", "a.png"),
        ("..", "upload"),
        ("", "upload"),
        (".png", "png"),
        ("a\x00b\n\x1b.png", "a_b__.png"),
        ("<img src=x>.png", "_img src=x_.png"),
        ("a.png. .", "a.png"),
        ("‮gnp.exe", "_gnp.exe"),
        ("a" * 300 + ".nii.gz", "a" * 120 + ".nii.gz"),
        ("大" * 300 + ".nii.gz", "大" * 40 + ".nii.gz"),
        ("v1." + "b" * 300 + ".png", "v1." + "b" * 117 + ".png"),
        ("a." + "b" * 300, "a." + "b" * 118),
    ],
)
def test_a_file_keeps_its_name_as_far_as_it_is_one(sent, kept):
    assert file_name(sent) == kept


@pytest.fixture
def store(tmp_path, clock):
    limits = Limits(megabytes=1, visitor_megabytes=3, total_megabytes=4, visitor_files=5)
    folder = tmp_path / "uploads"
    folder.mkdir()
    return Uploads(folder, limits), Visitors(limits, clock)


def stored(uploads, visitor, size=10, name="a.png"):
    upload = uploads.begin(visitor)
    uploads.grow(upload, size)
    return uploads.finish(upload, io.BytesIO(bytes(size)), name)


def test_an_upload_has_a_name_that_tells_nothing_and_opens_for_its_visitor_alone(store):
    uploads, known = store
    mine, other = known.admit(), known.admit()
    name = stored(uploads, mine, name="../../a.png")
    path = uploads.path(mine, name)
    assert path.read_bytes() == bytes(10)
    assert path.parent.parent == uploads.folder
    assert name == f"{path.parent.name}/a.png"
    assert stored(uploads, mine) != name
    for wrong in (name[1:], f"{name}/", f"{path.parent.name}/../a.png", str(path), "/etc/passwd", "", path.parent.name):
        assert uploads.path(mine, wrong) is None
    assert uploads.path(other, name) is None
    path.unlink()
    assert uploads.path(mine, name) is None


def test_a_visitors_files_are_bounded_in_number_and_size_and_count_while_they_are_there(store):
    uploads, known = store
    me, you = known.admit(), known.admit()
    names = [stored(uploads, me) for _ in range(5)]
    with pytest.raises(RequestRefused, match="A browser has at most 5 files here") as caught:
        uploads.begin(me)
    assert caught.value.status == 429
    stored(uploads, you)
    uploads.path(me, names[0]).unlink()
    upload = uploads.begin(me)
    for _ in range(2):
        uploads.grow(upload, MEGABYTE)
    with pytest.raises(RequestRefused, match="at most 3 MB of uploads from one browser") as caught:
        uploads.grow(upload, MEGABYTE)
    assert caught.value.status == 413
    uploads.drop(upload)
    stored(uploads, me)


def test_a_file_as_large_as_may_be_can_be_replaced(tmp_path, clock):
    limits = Limits(megabytes=2, visitor_megabytes=1, total_megabytes=1)
    uploads, me = Uploads(tmp_path, limits), Visitors(limits, clock).admit()
    stored(uploads, me, 2 * MEGABYTE)
    stored(uploads, me, 2 * MEGABYTE)
    with pytest.raises(RequestRefused, match="at most 4 MB of uploads from one browser"):
        stored(uploads, me)


def test_all_visitors_together_are_bounded(store, monkeypatch):
    uploads, known = store
    monkeypatch.setattr("wavelens.app.uploads.MAX_FILES", 5)
    for _ in range(4):
        stored(uploads, known.admit(), MEGABYTE - 20)
    upload = uploads.begin(known.admit())
    with pytest.raises(RequestRefused, match="at most 4 MB of uploads in all"):
        uploads.grow(upload, MEGABYTE)
    with pytest.raises(RequestRefused, match="The app holds at most 5 files"):
        uploads.begin(known.admit())
    uploads.drop(upload)
    uploads.begin(known.admit())


def test_so_many_uploads_arrive_at_once(store):
    uploads, known = store
    me = known.admit()
    arriving = [uploads.begin(me) for _ in range(MAX_AT_ONCE_PER_VISITOR)]
    with pytest.raises(RequestRefused, match="Too many files arrive"):
        uploads.begin(me)
    for _ in range(MAX_AT_ONCE - MAX_AT_ONCE_PER_VISITOR):
        uploads.begin(known.admit())
    with pytest.raises(RequestRefused, match="Too many files arrive"):
        uploads.begin(known.admit())
    uploads.drop(arriving[0])
    uploads.begin(me)


def test_a_page_belongs_to_the_browser_that_opened_it(clock):
    known = Visitors(Limits(), clock)
    me, you = known.admit(), known.admit()
    known.open(me, "page").heartbeats += 1
    known.open(me, "page")
    with pytest.raises(RequestRefused, match="This page belongs to another visitor"):
        known.open(you, "page")
    known.close(me, "page")
    known.open(you, "page")


def test_pages_are_bounded_and_end_with_their_heartbeat_or_when_idle(clock):
    known = Visitors(Limits(pages_per_visitor=2, pages=3, idle=60), clock)
    me, you = known.admit(), known.admit()
    for page in ("a", "b"):
        known.open(me, page).heartbeats += 1
    with pytest.raises(RequestRefused, match="A browser has at most 2 pages of the app open"):
        known.open(me, "c")
    known.open(you, "d")
    with pytest.raises(RequestRefused, match="The app has at most 3 pages open"):
        known.open(you, "e")
    clock.now += 61
    known.open(you, "e")
    with pytest.raises(RequestRefused, match="The app has at most 3 pages open"):
        known.open(you, "f")
    known.close(me, "a")
    known.open(me, "c")


def test_a_visitor_is_forgotten_when_idle_but_not_while_a_page_is_open(clock):
    known = Visitors(Limits(idle=60), clock)
    gone, stays = known.admit(), known.admit()
    known.open(stays, "page").heartbeats += 1
    clock.now += 61
    assert known.recognise(gone.key) is None
    assert known.recognise(stays.key) is stays
    assert known.recognise(None) is None
    assert known.recognise("x" * 32) is None


def test_visitors_are_bounded_and_those_with_open_pages_stay(clock, monkeypatch):
    monkeypatch.setattr(visitors, "MAX_VISITORS", 3)
    known = Visitors(Limits(), clock)
    working = known.admit()
    known.open(working, "page").heartbeats += 1
    clock.now += 1
    idle = known.admit()
    for _ in range(5):
        clock.now += 1
        known.admit()
    assert known.recognise(working.key) is working
    assert known.recognise(idle.key) is None
    assert len(known._visitors) == 3


def test_a_visitor_sends_so_many_messages_a_minute(clock):
    known = Visitors(Limits(), clock)
    me = known.admit()
    for _ in range(MAX_MESSAGES_PER_MINUTE):
        known.count_message(me)
    with pytest.raises(RequestRefused, match="Too many requests within a minute"):
        known.count_message(me)
    known.count_message(known.admit())
    clock.now += 60
    known.count_message(me)


def test_bands_beyond_the_colours_of_a_photo_count(tmp_path):
    """They are decoded with them."""
    many, few = np.zeros((40, 40, 64), np.uint16), np.zeros((40, 40, 3), np.uint16)
    for name, values in (("many.tif", many), ("few.tif", few)):
        tifffile.imwrite(tmp_path / name, values, photometric="rgb", planarconfig="contig")
    check_upload(tmp_path / "few.tif", PHOTO, (3, 8, 8), Limits(values=few.size))
    check_upload(tmp_path / "many.tif", PHOTO, (3, 8, 8), Limits(values=many.size // 2))
    with pytest.raises(ValueError, match=r"a photo has at most .* numbers here; many\.tif has 5\.12e\+04"):
        check_upload(tmp_path / "many.tif", PHOTO, (3, 8, 8), Limits(values=many.size // 2 - 1))


def test_a_photo_without_its_pixels_is_refused_by_its_header(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff_header(6600, 6600, 100, 16, compression=8))
    with pytest.raises(ValueError, match=r"a\.tif is larger than Pillow opens"):
        check_upload(tmp_path / "a.tif", PHOTO, (3, 8, 8), Limits())
    (tmp_path / "a.tif").write_bytes(tiff_header(600, 600, 100, 16, compression=8))
    with pytest.raises(ValueError, match=r"a\.tif could not be decoded: 1 of its 1 strips or tiles are missing"):
        check_upload(tmp_path / "a.tif", PHOTO, (3, 8, 8), Limits())
