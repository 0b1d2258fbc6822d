"""The app without a page: turns, limits, cancelling, what is thrown away, and errors as sentences."""

import asyncio
import gc
import json
import logging
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from test_dicom import dicom_slice, enhanced
from wavelens.app import Limits, Refused, Result, Served, Service, Step, Stopped, Wish, html, request_queue, server
from wavelens.app import service as services
from wavelens.app.choices import (
    FURTHER_DOMAINS,
    METHODS,
    METHODS_OF_VALUES,
    NO_WAVELET,
    methods_of,
    request_of,
    shown_name,
)
from wavelens.app.limits import check_upload
from wavelens.app.turns import Turns
from wavelens.engine import memory
from wavelens.explaining.kinds import PHOTO, SOUND, VIDEO, VOLUME
from wavelens.frontends.audio import Clip, write_audio
from wavelens.methods import averages
from wavelens.models import BlackBox, Geometry, LoadedModel, Options
from wavelens.models.preparations.audio import Sampling
from wavelens.models.preparations.video import VideoGeometry
from wavelens.models.preparations.volume import Voxels

SIDE = 32
CPU = torch.device("cpu")


class Watched(torch.nn.Module):
    """A small network that writes down who calls it, and can be held up at a call."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2), torch.nn.Tanh(), torch.nn.Flatten())
        self.head = torch.nn.Linear(4 * 15 * 15, 3)
        self.calls: list[str] = []
        self.inside = self.most_inside = 0
        self.hold_at, self.reached, self.go = 0, threading.Event(), threading.Event()

    def forward(self, x):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.calls.append(threading.current_thread().name)
        if len(self.calls) == self.hold_at:
            self.reached.set()
            assert self.go.wait(20)
        time.sleep(0)  # others may come in here, where they can
        out = self.head(self.inner(x))
        self.inside -= 1
        return out


class Broken(torch.nn.Module):
    def __init__(self, error, text):
        super().__init__()
        self.error, self.text = error, text

    def forward(self, x):
        raise self.error(self.text)


@pytest.fixture(autouse=True)
def one_row_at_a_time(monkeypatch):
    monkeypatch.setattr(memory, "CPU_ACTIVATIONS", 1)
    monkeypatch.setattr(memory, "CPU_ROWS", 1)
    monkeypatch.setattr(request_queue, "TICK", 0.01)


def served(module, name="net", kind=PHOTO, preparation=None):
    geometry = preparation or Geometry((SIDE, SIDE), (SIDE, SIDE), squash=True)
    return Served(LoadedModel(module.eval(), ("one", "two, second", "three"), geometry, name), kind)


def opened(tmp_path, *models, **limits):
    return closing(Service(models, tmp_path / "service", limits=Limits(**limits)))


def upload(service, name="photo.png", seed=0):
    """A photo as a page would have uploaded it."""
    path = service.uploads / f"{seed}" / name
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="PNG")
    return path


def result_of(steps):
    *before, last = steps
    assert all(isinstance(step, Step) for step in before)
    assert isinstance(last, Result)
    return last


def settled(service):
    """Waits until no request is being computed."""
    for _ in range(2000):
        if not service.queue.pending:
            return
        time.sleep(0.01)
    raise AssertionError("a request goes on")


def test_the_floor_goes_round_in_the_order_of_asking():
    turns, order = Turns(), []

    def work(name):
        with turns.held():
            for _ in range(3):
                order.append(name)
                turns.pass_on()

    with turns.held():
        threads = []
        for k, name in enumerate("ABC"):
            threads.append(threading.Thread(target=work, args=(name,)))
            threads[-1].start()
            while turns.waiting <= k:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert "".join(order) == "ABCABCABC"


def test_a_request_gives_what_the_library_gives_and_names_no_folder(tmp_path):
    with opened(tmp_path, served(Watched())) as service:
        path = upload(service, "my photo.png")
        classes = service.look("me", "net", path)
        assert sorted(row["index"] for row in classes) == [0, 1, 2]
        assert sum(row["probability"] for row in classes) == pytest.approx(1)
        assert [row["logit"] for row in classes] == sorted((row["logit"] for row in classes), reverse=True)
        wish = Wish(target=1, wavelet="db2", levels=2, method="SmoothGrad", gradients=10)
        found = result_of(service.explain("me", "net", path, wish))
        a = wl.Attribution.load(found.files["my photo.safetensors"])
        loaded = service.models["net"].loaded
        x = loaded.preprocess(wl.frontends.read_image(path))
        method = wl.SmoothGrad(samples=10, sigma=0.25)
        expected = wl.attribute(loaded.module, x, 1, domain=wl.DWT("db2", levels=2), method=method)
        assert torch.equal(a.data, expected.data)
        assert found.label == "two, second"
        summary = json.loads(found.files["my photo.json"].read_text())
        assert summary["photo"] == "my photo.png"
        assert next(iter(found.files)) == "my photo-report.html"
        for file in found.files.values():
            assert str(tmp_path).encode() not in file.read_bytes()
        assert service.file(found.token, "my photo.json") == found.files["my photo.json"]
        assert service.file(found.token, "../../uploads/0/my photo.png") is None
        assert service.file("x" * 22, "my photo.json") is None
        assert service.file("é" * 22, "my photo.json") is None
    assert not (tmp_path / "service").exists()


@pytest.mark.parametrize("way", ["closed", "stop", "leave", "another"])
def test_a_request_ends_between_two_passes_when_nobody_waits_for_it(tmp_path, way):
    net = Watched()
    net.hold_at = 5
    with opened(tmp_path, served(net)) as service:
        path = upload(service)
        steps = service.explain("me", "net", path, Wish(method="SmoothGrad", gradients=200))
        assert isinstance(next(steps), Step)
        assert net.reached.wait(20)
        if way == "closed":
            steps.close()
        elif way == "another":
            other = service.explain("me", "net", path, Wish(method="saliency"))
            next(other)
        else:
            getattr(service, way)("me")
        made = len(net.calls)
        net.go.set()
        if way != "closed":
            with pytest.raises(Stopped):
                list(steps)
        if way == "another":
            result_of(other)
            assert len(net.calls) < made + 10 + 2**6  # with the Shapley values of six scales
            made = len(net.calls)
        settled(service)
        assert len(net.calls) == made
        assert len(list(service._results.iterdir())) == (way == "another")


def test_a_cancelled_or_failed_request_keeps_no_tensors(tmp_path):
    def alive():
        averages._kept_draw.cache_clear()  # noise that all inputs of a shape share
        gc.collect()
        return [o for o in gc.get_objects() if type(o) is torch.Tensor and o.shape[-3:] == (3, SIDE, SIDE)]

    net = Watched()
    net.hold_at = 4
    assert not alive()
    with opened(tmp_path, served(net), served(Broken(ValueError, "odd"), "broken")) as service:
        path = upload(service)
        steps = service.explain("me", "net", path, Wish(method="SmoothGrad", gradients=100))
        next(steps)
        assert net.reached.wait(20)
        service.stop("me")
        net.go.set()
        with pytest.raises(Stopped):
            list(steps)
        assert not alive()
        with pytest.raises(Refused):
            service.look("me", "broken", path)
        assert not alive()


def test_two_users_share_the_machine_pass_by_pass(tmp_path):
    net = Watched()
    with opened(tmp_path, served(net)) as service:
        first, second = upload(service, seed=1), upload(service, seed=2)
        short = Wish(target=0, method="SmoothGrad", gradients=10)
        alone = result_of(service.explain("you", "net", second, short))
        expected = wl.Attribution.load(alone.files["photo.safetensors"]).data
        net.calls, net.hold_at, seen = [], 3, []
        long = service.explain("me", "net", first, Wish(target=1, method="SmoothGrad", gradients=250))
        next(long)
        assert net.reached.wait(20)
        you = threading.Thread(target=lambda: seen.extend(service.explain("you", "net", second, short)))
        you.start()
        while len(service.queue.pending) < 2 or not service.queue.turns.waiting:
            time.sleep(0.005)
        net.go.set()
        you.join(30)
        done = next(step for step in long if isinstance(step, Step)).done
        assert done < 125, "the short request waited for the long one"
        assert net.most_inside == 1
        both = wl.Attribution.load(seen[-1].files["photo.safetensors"]).data
        assert torch.equal(both, expected)
        long.close()


def test_more_wait_in_line_and_too_many_are_refused(tmp_path):
    net = Watched()
    net.hold_at = 3
    with opened(tmp_path, served(net), running=1, waiting=1) as service:
        path = upload(service)
        first = service.explain("a", "net", path, Wish(method="SmoothGrad", gradients=50))
        next(first)
        assert net.reached.wait(20)
        second = service.explain("b", "net", path, Wish(method="saliency"))
        assert next(second).ahead == 1
        with pytest.raises(Refused, match="2 requests are being served; try again in a while"):
            next(service.explain("c", "net", path, Wish(method="saliency")))
        net.go.set()
        first.close()
        result_of(second)
        result_of(service.explain("c", "net", path, Wish(method="saliency")))


def test_one_in_line_can_leave_it(tmp_path):
    net = Watched()
    net.hold_at = 3
    with opened(tmp_path, served(net), running=1) as service:
        path = upload(service)
        first = service.explain("a", "net", path, Wish(method="SmoothGrad", gradients=20))
        next(first)
        assert net.reached.wait(20)
        second = service.explain("b", "net", path, Wish(method="saliency"))
        next(second)
        service.stop("b")
        with pytest.raises(Stopped):
            list(second)
        net.go.set()
        result_of(first)
        settled(service)


def test_files_go_with_their_page_but_not_those_of_others(tmp_path, monkeypatch):
    with opened(tmp_path, served(Watched())) as service:
        shared, own = upload(service, seed=1), upload(service, seed=2)
        wish = Wish(method="saliency")
        mine = result_of(service.explain("me", "net", shared, wish))
        yours = result_of(service.explain("you", "net", shared, wish))
        again = result_of(service.explain("me", "net", own, wish))
        assert not mine.files["photo.png"].exists()
        assert service.file(mine.token, "photo.png") is None
        monkeypatch.setattr(services, "FRESH", -1)
        service.leave("me")
        assert not again.files["photo.png"].exists()
        assert yours.files["photo.png"].exists()
        assert (shared.exists(), own.exists()) == (True, False)
        service.leave("you")
        assert not shared.exists()
        assert not list(service._results.iterdir())
        service.leave("nobody")


def test_sessions_end_that_are_idle_for_too_long(tmp_path, monkeypatch):
    with opened(tmp_path, served(Watched()), idle=0.05) as service:
        path = upload(service)
        found = result_of(service.explain("me", "net", path, Wish(method="saliency")))
        monkeypatch.setattr(services, "FRESH", -1)
        time.sleep(0.1)
        service.sweep()
        assert not found.files["photo.png"].exists()
        assert not path.exists()


def test_a_session_that_has_left_does_not_come_back(tmp_path):
    with opened(tmp_path, served(Watched())) as service:
        steps = service.explain("me", "net", upload(service), Wish(method="SmoothGrad", gradients=20))
        assert isinstance(next(steps), Step)
        service._sessions["me"].work = None  # as for one that leaves when its result is there and not yet fetched
        service.leave("me")
        with pytest.raises(Stopped):
            list(steps)
        settled(service)
        assert not service._sessions
        assert not list(service._results.iterdir())


def test_of_a_sessions_uploads_the_latest_stays(tmp_path, monkeypatch):
    with opened(tmp_path, served(Watched())) as service:
        first, second = upload(service, seed=1), upload(service, seed=2)
        service.look("me", "net", first)
        service.look("me", "net", second)
        monkeypatch.setattr(services, "FRESH", -1)
        service.sweep()
        assert (first.exists(), second.exists()) == (False, True)


def test_files_that_are_no_uploads_stay(tmp_path):
    with opened(tmp_path, served(Watched())) as service:
        own = tmp_path / "own" / "photo.png"
        own.parent.mkdir()
        own.write_bytes(upload(service).read_bytes())
        service.look("me", "net", own)
        service.look("me", "net", upload(service))
        service.look("me", "net", own)
        service.leave("me")
        assert own.exists()


def test_two_sweeps_at_once_leave_each_other_alone(tmp_path, monkeypatch):
    with opened(tmp_path, served(Watched())) as service:
        path = upload(service)
        monkeypatch.setattr(services, "FRESH", -1)
        stat = Path.stat

        def and_gone(self, **options):
            os.unlink(self)
            return stat(self, **options)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "stat", lambda self, **o: and_gone(self, **o) if self == path else stat(self, **o))
            service.sweep()
        assert not path.exists()


def test_users_are_told_of_no_folder_of_the_server(tmp_path):
    weights = tmp_path / "secret" / "scans.safetensors"
    weights.parent.mkdir()
    script = weights.with_name("own.pt")
    script.touch()
    one = served(Watched(), str(script))
    with opened(tmp_path, Served(replace(one.loaded, options=Options(str(weights))), PHOTO)) as service:
        found = result_of(service.explain("me", "own.pt", upload(service), Wish(method="saliency")))
        for file in found.files.values():
            assert b"secret" not in file.read_bytes()
        summary = json.loads(found.files["photo.json"].read_text())
        assert (summary["model"], summary["weights"]) == ("own.pt", "scans.safetensors")
    with pytest.raises(ValueError, match="models must differ in name; got net, net"):
        Service([served(Watched()), served(Watched())], tmp_path / "twice")


SERVED = """
import sys
import torch
from wavelens.app import Served, serve
from wavelens.explaining.kinds import PHOTO
from wavelens.models import Geometry, LoadedModel

net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2)).eval()
model = LoadedModel(net, ("a", "b"), Geometry((8, 8), (8, 8)), "net")
serve([Served(model, PHOTO)], port=0, ready=lambda address: print(address, flush=True))
"""


@pytest.mark.needs("gradio")
def test_uploads_go_when_the_server_is_terminated(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", SERVED], env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    )
    address = child.stdout.readline().strip()
    for _ in range(200):
        try:
            urllib.request.urlopen(address).close()
            break
        except OSError:
            time.sleep(0.05)
    assert list(tmp_path.glob("wavelens-*/app/uploads"))
    child.terminate()
    assert child.wait(30) == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("wavelens-*"))


def test_the_sweeper_goes_on_after_a_fault(monkeypatch, caplog):
    class Faulty:
        swept = 0

        def sweep(self):
            self.swept += 1
            raise OSError("no such disk")

    async def live(service):
        async with server._sweeping(service)(None):
            while service.swept < 3:
                await asyncio.sleep(0.001)

    monkeypatch.setattr(server, "SWEEP", 0.001)
    with ThreadPoolExecutor(1) as apart:  # a browser test may have left this thread with a running loop
        apart.submit(asyncio.run, asyncio.wait_for(live(Faulty()), 10)).result()
    assert "a sweep failed" in caplog.text


def test_an_upload_that_no_session_has_named_yet_is_left_for_a_minute(tmp_path):
    with opened(tmp_path, served(Watched())) as service:
        path = upload(service)
        service.sweep()
        assert path.exists()
        old = time.time() - 2 * services.FRESH
        os.utime(path, (old, old))
        service.sweep()
        assert not path.exists()


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (Wish(target=3), "an index from 0 to 2; got 3"),
        (Wish(target=-1), "an index from 0 to 2; got -1"),
        (Wish(wavelet="dmey"), "a wavelet must be one of PyWavelets' discrete ones, but dmey; got 'dmey'"),
        (Wish(wavelet="../x"), "got '../x'"),
        (Wish(levels=0), "levels must be 1 to 12; got 0"),
        (Wish(levels=99), "levels must be 1 to 12; got 99"),
        (Wish(wavelet=next(iter(FURTHER_DOMAINS)), levels=13), "levels must be 1 to 12; got 13"),
        (Wish(method="Captum"), "the methods are integrated gradients, SmoothGrad"),
        (Wish(gradients=9), "10 to 256 gradients here; got 9"),
        (Wish(gradients=257), "10 to 256 gradients here; got 257"),
        (Wish(target=1, against=3), "an index from 0 to 2; got 3"),
        (Wish(target=1, against=1), "a class must be set against another one; got"),
    ],
)
def test_what_is_not_offered_is_refused_in_a_sentence(tmp_path, wish, sentence):
    net = Watched()
    with opened(tmp_path, served(net)) as service:
        with pytest.raises(Refused) as caught:
            list(service.explain("me", "net", upload(service), wish))
        assert sentence in str(caught.value)
        assert not net.calls


@pytest.mark.parametrize(
    ("error", "sentence", "logged"),
    [
        (ValueError, "the input is odd", False),
        (torch.OutOfMemoryError, "the input is odd", False),
        (KeyError, r"this went wrong inside wavelens \(KeyError\); the server's log says where", True),
    ],
)
def test_errors_are_sentences_and_only_ours_are_logged(tmp_path, caplog, error, sentence, logged):
    with opened(tmp_path, served(Broken(error, "the input\nis odd"))) as service, caplog.at_level(logging.ERROR):
        path = upload(service)
        for ask in (lambda: service.look("me", "net", path), lambda: list(service.explain("me", "net", path, Wish()))):
            with pytest.raises(Refused, match=sentence) as caught:
                ask()
            assert "\n" not in str(caught.value)
        assert [bool(record.exc_info) for record in caplog.records] == [True, True] * logged
        settled(service)


def test_a_file_that_is_none_is_refused_without_a_word_of_the_servers_folders(tmp_path):
    with opened(tmp_path, served(Watched())) as service:
        path = upload(service, "<img src=x>.png")
        path.write_text("no picture")
        gone = upload(service, "gone.png", 5)
        gone.unlink()
        for file, sentence in ((path, "<img src=x>.png is not an image file"), (gone, "gone.png")):
            with pytest.raises(Refused) as caught:
                service.look("me", "net", file)
            assert sentence in str(caught.value)
            assert "service" not in str(caught.value)
        with pytest.raises(Refused, match="the models are net; got 'other'"):
            service.look("me", "other", path)


def test_an_upload_goes_to_a_model_that_takes_it(tmp_path):
    sound = served(torch.nn.Identity(), "ears", SOUND, Sampling(8000))
    with opened(tmp_path, served(Watched()), sound) as service:
        assert service.suited("net", Path("a.wav")) == "ears"
        assert service.suited("ears", Path("a.PNG")) == "net"
        assert service.suited("ears", Path("a.flac")) == "ears"
        assert service.suited("net", Path("a.txt")) == "net"
        with pytest.raises(Refused, match=r"a photo must be a file ending in .*; got a\.txt"):
            service.look("me", "net", service.uploads / "a.txt")


def test_a_network_of_volumes_has_nothing_to_undo_after_two_users(tmp_path):
    net = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(2 * 6**3, 3))
    before = net[0].weight.detach().clone()
    with opened(tmp_path, served(net, "scans", VOLUME, Voxels((1, 8, 8, 8)))):
        assert net[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
        assert torch.equal(net[0].weight, before)
        assert not any(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_on_offer_stays_within_its_gradients(tmp_path, name):
    net = Watched()
    with opened(tmp_path, served(net)) as service:
        found = result_of(service.explain("me", "net", upload(service), Wish(method=name, gradients=12)))
        assert 1 <= wl.Attribution.load(found.files["photo.safetensors"]).spent.max() <= 12


@pytest.mark.parametrize("name", METHODS_OF_VALUES)
def test_a_model_without_gradients_is_offered_methods_of_values(tmp_path, name):
    net = Watched()
    inside = BlackBox(lambda array: net(torch.from_numpy(array)).detach().numpy())
    with opened(tmp_path, served(inside), served(net, "network")) as service:
        assert list(methods_of(service.models["net"].loaded)) == list(METHODS_OF_VALUES)
        assert list(methods_of(service.models["network"].loaded)) == list(METHODS)
        path = upload(service)
        found = result_of(service.explain("me", "net", path, Wish(method=name, gradients=12)))
        a = wl.Attribution.load(found.files["photo.safetensors"])
        assert a.spent.max() == 0
        assert a.gap is None or float(a.gap.abs()) < 1e-4
        with pytest.raises(Refused, match=r"the methods are Shapley values, RISE; got 'integrated gradients'"):
            list(service.explain("me", "net", upload(service), Wish()))


def test_an_onnx_file_is_called_by_its_own_name(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"")
    assert shown_name(f"{tmp_path}/net.onnx") == "net.onnx"
    assert shown_name(f"{tmp_path}/net.onnx::probs") == "net.onnx::probs"


def test_a_short_sound_has_the_octaves_that_it_can_have(tmp_path):
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool1d(3), torch.nn.Flatten(), torch.nn.Softsign())
    with opened(tmp_path, served(net, "ears", SOUND, Sampling(8000))) as service:
        path = upload(service, "short.wav")
        write_audio(path, Clip(torch.linspace(0.5, 1, 100)[None, None], 8000))
        found = result_of(service.explain("me", "ears", path, Wish(target=1)))
        assert wl.Attribution.load(found.files["short.safetensors"]).domain == wl.DWT("haar", levels=6)


def test_levels_go_as_deep_as_each_axis_allows():
    film = served(torch.nn.Identity(), "film", VIDEO, VideoGeometry(8, picture=Geometry((32, 32), (32, 32))))
    photo = served(torch.nn.Identity())

    def domain(one, **wish):
        (chosen,) = request_of(Wish(**wish), one.loaded, one.kind, Limits(), CPU).domains
        return chosen

    assert domain(film, levels=4) == wl.DWT("haar", levels=(3, 4, 4))
    assert domain(film) == wl.DWT("haar", levels=(3, 5, 5))
    assert domain(photo, levels=9, wavelet="db4") == wl.DWT("db4", levels=5)
    assert domain(photo, wavelet="sym8") == wl.DWT("sym8", levels=5)
    assert domain(photo, wavelet=NO_WAVELET, levels=3) == wl.Identity()


@pytest.mark.parametrize("name", FURTHER_DOMAINS)
def test_any_domain_of_the_list_is_computed_and_shown(tmp_path, name):
    clip = served(torch.nn.Sequential(torch.nn.AvgPool1d(500), torch.nn.Flatten()), "ears", SOUND, Sampling(500))
    photo = served(torch.nn.Identity())
    for one in (clip, photo):
        axes = one.loaded.preprocess.shape[1:]
        wish = Wish(wavelet=name, levels=2)
        if name.startswith("shearlets") and len(axes) == 1:
            with pytest.raises(ValueError, match="two axes"):
                request_of(wish, one.loaded, one.kind, Limits(), CPU)
            continue
        (domain,) = request_of(wish, one.loaded, one.kind, Limits(), CPU).domains
        assert len(domain.layout(axes).scales()) > 1 or ("semitones" in name and len(axes) == 2)  # 32 pixels have none
        assert wl.parse(repr(domain)) == domain
    net = Watched()
    with opened(tmp_path, served(net)) as service:
        wish = Wish(wavelet=name, levels=2, method="SmoothGrad", gradients=10)
        result = result_of(service.explain("me", "net", upload(service), wish))
        a = wl.Attribution.load(next(path for file, path in result.files.items() if file.endswith(".safetensors")))
        assert type(a.domain) is type(FURTHER_DOMAINS[name](2))


def picture(path, size=(8, 8), **options):
    Image.new("1", size).save(path, **options)
    return path


def promised(path, width, height):
    """The beginning of a PNG of that size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, b"IDAT")]
    return disguised(path, b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def sound(path, samples, rate=8000):
    write_audio(path, Clip(torch.zeros(1, 1, samples), rate))
    return path


def array(path, shape):
    np.save(path, np.zeros(shape, np.uint8))
    return path


def arrays(path, shape, dtype=np.uint8):
    np.savez_compressed(path, a=np.zeros(shape, dtype))
    return path


def disguised(path, content):
    path.write_bytes(content)
    return path


def lying(path):
    """An npy file whose header promises more than there is."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9000, 9000, 9000), }"
    return disguised(path, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


@pytest.mark.parametrize(
    ("kind", "make", "sentence"),
    [
        (PHOTO, lambda f: disguised(f / "a.png", b""), "a.png is empty, so it is not a photo"),
        (PHOTO, lambda f: promised(f / "a.png", 9000, 9000), r"at most 1e\+06 numbers here; a.png has 2.43e\+08"),
        (PHOTO, lambda f: promised(f / "a.png", 20000, 20000), "a.png is larger than Pillow opens"),
        (
            PHOTO,
            lambda f: disguised(f / "a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
            "the format EPS",
        ),
        (PHOTO, lambda f: picture(f / "a.tga"), "got a.tga"),
        (PHOTO, lambda f: disguised(f / "a.png", bytes(2_000_001)), "a file has at most 2 MB here; a.png has 2"),
        (SOUND, lambda f: sound(f / "a.flac", 90_000), "lasts at most 10 seconds here; a.flac lasts 11"),
        (SOUND, lambda f: sound(f / "a.flac", 1_100_000, 200_000), r"at most 1e\+06 numbers"),
        (SOUND, lambda f: sound(f / "a.wav", 10, 1_000_000_000), "up to 1000000 samples per second"),
        (SOUND, lambda f: sound(f / "a.wav", 10, 500), "1000 to 384000 samples per second"),
        (SOUND, lambda f: disguised(f / "a.wav", b"RIFF"), "a sound must be a file that libsndfile or FFmpeg decodes"),
        (VOLUME, lambda f: array(f / "a.npy", (1, 110, 110, 110)), r"a.npy has 1.33e\+06"),
        (VOLUME, lambda f: arrays(f / "a.npz", (110, 110, 110)), r"a.npz has 1.33e\+06"),
        (VOLUME, lambda f: lying(f / "a.npy"), "a.npy is damaged: its header promises 729 GB"),
        (VOLUME, lambda f: arrays(f / "a.npz", (80, 80, 100), np.float64), r"a.npz has 1.28e\+06"),
        (VOLUME, lambda f: arrays(f / "a.npz", (2, 2, 2), "S10000"), r"voxels must be real numbers; got \|S10000"),
        (VOLUME, lambda f: disguised(f / "a.npz", b"PK"), "a.npz is damaged: File is not a zip file"),
        (VOLUME, lambda f: disguised(f / "a.npy", b"\x93NUMPY\x09\x00"), r"version 1 or 2 of NumPy's format; .*a.npy"),
    ],
)
def test_what_a_file_unpacks_to_is_known_before_it_is_decoded(tmp_path, kind, make, sentence):
    limits = Limits(megabytes=2, values=1_000_000, seconds=10)
    with pytest.raises(ValueError, match=sentence):
        check_upload(make(tmp_path), kind, (1, 8, 8, 8), limits)


@pytest.mark.needs("nibabel")
def test_a_scan_is_measured_by_its_header(tmp_path):
    import nibabel

    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((110, 110, 110), np.uint8), np.eye(4)), path)
    check_upload(path, VOLUME, (1, 8, 8, 8), Limits())
    with pytest.raises(ValueError, match=r"a.nii.gz has 1.33e\+06"):
        check_upload(path, VOLUME, (1, 8, 8, 8), Limits(values=1_000_000))


@pytest.mark.needs("nibabel")
def test_all_that_a_scan_unpacks_to_counts(tmp_path):
    """Its type, what stands before its voxels, and nothing that is refused is unpacked first."""
    import nibabel

    voxels = np.zeros((50, 50, 50))
    limits = Limits(values=200_000)
    path = tmp_path / "a.nii.gz"

    def saved(image, extension=0):
        if extension:
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", bytes(extension)))
        nibabel.save(image, path)
        return path

    check_upload(saved(nibabel.Nifti1Image(voxels.astype(np.float32), np.eye(4))), VOLUME, (1, 8, 8, 8), limits)
    heavy = {
        r"a.nii.gz has 2.5e\+05": nibabel.Nifti1Image(voxels, np.eye(4)),
        "voxels must be real numbers; got complex128": nibabel.Nifti1Image(voxels.astype(complex), np.eye(4)),
    }
    for sentence, image in heavy.items():
        with pytest.raises(ValueError, match=sentence):
            check_upload(saved(image), VOLUME, (1, 8, 8, 8), limits)
    long = saved(nibabel.Nifti1Image(voxels.astype(np.uint8), np.eye(4)), extension=8_000_000)
    assert long.stat().st_size < 50_000
    with pytest.raises(ValueError, match=r"a.nii.gz has 2.03e\+06"):
        check_upload(long, VOLUME, (1, 8, 8, 8), limits)


def test_an_upload_names_no_other_file(tmp_path):
    header = "NDims = 3\nDimSize = 2 3 4\nElementType = MET_UCHAR\nElementDataFile = "
    (tmp_path / "data.raw").write_bytes(bytes(24))
    (tmp_path / "a.mha").write_text(header + "data.raw\n")
    with pytest.raises(ValueError, match=r"a.mha names another that holds its voxels\. Join them first"):
        check_upload(tmp_path / "a.mha", VOLUME, (1, 8, 8, 8), Limits())
    for name in ("a.mhd", "a.nhdr", "a.hdr", "a.img.gz"):
        (tmp_path / name).write_text(header + "data.raw\n")
        with pytest.raises(ValueError, match=f"a volume is one file here; {name} keeps its voxels in another"):
            check_upload(tmp_path / name, VOLUME, (1, 8, 8, 8), Limits())


@pytest.mark.needs("pydicom")
def test_dicom_is_measured_by_its_header_as_a_photo_and_as_a_volume(tmp_path):
    dicom_slice(0).save_as(tmp_path / "slice.dcm", enforce_file_format=True)
    enhanced(range(6)).save_as(tmp_path / "scan.dcm", enforce_file_format=True)
    for kind, name, shape in ((PHOTO, "slice.dcm", (3, 8, 8)), (VOLUME, "scan.dcm", (1, 8, 8, 8))):
        check_upload(tmp_path / name, kind, shape, Limits(values=3_000))
        with pytest.raises(ValueError, match=rf"{name} has \d+"):
            check_upload(tmp_path / name, kind, shape, Limits(values=300))


@pytest.mark.needs("av")
def test_a_video_is_measured_by_the_frames_that_the_model_takes(tmp_path):
    path = tmp_path / "a.mp4"
    wl.frontends.write_video(path, torch.zeros(1, 3, 20, 32, 32), 10)
    check_upload(path, VIDEO, (3, 16, 8, 8), Limits(values=3 * 16 * 32 * 32, seconds=2))
    with pytest.raises(ValueError, match=r"a.mp4 has 4.92e\+04"):
        check_upload(path, VIDEO, (3, 16, 8, 8), Limits(values=3 * 16 * 32 * 32 - 1))
    with pytest.raises(ValueError, match=r"lasts at most 1 seconds here; a\.mp4 lasts 2"):
        check_upload(path, VIDEO, (3, 16, 8, 8), Limits(seconds=1))


def test_good_files_pass_the_limits(tmp_path):
    check_upload(picture(tmp_path / "a.PNG"), PHOTO, (3, 8, 8), Limits())
    check_upload(sound(tmp_path / "a.ogg", 8000), SOUND, (1, 8000), Limits())
    check_upload(arrays(tmp_path / "a.npz", (8, 8, 8)), VOLUME, (1, 8, 8, 8), Limits())


def test_limits_are_above_zero():
    with pytest.raises(ValueError, match="limits must be above 0; got seconds=0"):
        Limits(seconds=0)
    with pytest.raises(ValueError, match="at least one model"):
        Service([], Path("nowhere"))


@pytest.mark.parametrize("kind", [PHOTO, SOUND, VIDEO, VOLUME], ids=lambda kind: kind.name)
def test_the_page_says_what_each_file_is(kind, tmp_path):
    names = ["a-report.html", "a-overlay.png", "a.png", *(f"a-more{suffix}" for suffix in kind.outputs)]
    for name in names:
        (tmp_path / name).touch()
    result = Result("token", "a", "label", "", {name: tmp_path / name for name in names}, kind.outputs)
    told = re.findall(r"<small> (.*?)</small>", html.result(result))
    first = ["the report: opens anywhere, without a server", "the map over the whole photo", "the panel"]
    assert told == [*first, *kind.outputs.values()]
