"""Whole data sets: the same results on any workers, after any death, and nothing bad without a word."""

import errno
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tasks import Deadly, Death, Odd, Spectrum, Uneven, Unloadable, drawn, lines
from wavelens import runs
from wavelens.metrics import Column
from wavelens.runs.executors.cluster import check_room
from wavelens.runs.executors.processes import interrupts_held
from wavelens.runs.executors.work_sharing import share
from wavelens.runs.progress import Progress
from wavelens.runs.statistics.comparison import compare
from wavelens.runs.store import shards
from wavelens.runs.store.manifest import describe, differences
from wavelens.runs.task import Lost, Report, Worker

ITEMS = range(23)


def same(found, expected):
    """Whether two results agree bit by bit."""
    assert found.names == expected.names
    assert found.failures == expected.failures
    assert found.values.keys() == expected.values.keys()
    return all(torch.equal(found.values[name], value) for name, value in expected.values.items())


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return runs.run(Spectrum(), ITEMS, tmp_path_factory.mktemp("expected"), shard_size=23).read()


def test_results_are_those_of_the_task_in_the_order_of_the_items(expected):
    assert expected.names == tuple(map(str, ITEMS))
    signals = torch.stack([drawn(item) for item in ITEMS])
    assert torch.equal(expected.values["mean"], torch.stack([x.mean() for x in signals]))
    assert expected.values["norm"].dtype == torch.float64
    torch.testing.assert_close(expected.values["bands"], torch.fft.rfft(signals).abs().pow(2)[:, :32])


@pytest.mark.parametrize("shard_size", [1, 4, 100])
def test_results_do_not_depend_on_the_size_of_shards(expected, tmp_path, shard_size):
    found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=shard_size)
    assert same(found.read(), expected)
    assert len(list((tmp_path / "shards").iterdir())) == -(-len(ITEMS) // shard_size)


def test_the_shards_of_parts_are_those_of_the_whole(expected, tmp_path):
    for i in (2, 0, 1):
        found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=4, part=(i, 3))
        assert set(found.missing()) == {shard for shard in range(6) if not found.path(shard).exists()}
    assert not found.missing()
    assert same(found.read(), expected)


def test_a_worker_computes_on_the_threads_that_were_asked_for_and_gives_them_back(tmp_path):
    before = torch.get_num_threads()
    found = runs.run(Spectrum(), range(2), tmp_path, threads=before + 1).read()
    assert found.values["threads"].tolist() == [before + 1] * 2
    assert torch.get_num_threads() == before


def test_what_is_there_is_not_computed_again(tmp_path):
    task = Spectrum(log=str(tmp_path / "log"))
    runs.run(task, ITEMS, tmp_path / "run", shard_size=4)
    runs.run(task, ITEMS, tmp_path / "run")  # the size of shards is that of the folder
    assert lines(task.log)[0] == list(ITEMS)
    (tmp_path / "run/shards/000000002.safetensors").unlink()
    runs.run(task, ITEMS, tmp_path / "run")
    assert lines(task.log)[0] == [*ITEMS, 8, 9, 10, 11]


def killed(log, after, moment, start):
    """Starts a process, kills it `moment` seconds after it has begun `after` more items; its exit code."""
    begun, process = len(lines(log)[0]), start()
    while process.poll() is None and len(lines(log)[0]) < begun + after:
        time.sleep(0.001)
    time.sleep(moment)
    process.kill()
    return process.wait()


def check_resumed(folder, log, items, size, repeats):
    """The results are those of a run that was never killed, and at most `repeats` items were computed twice."""
    found = runs.Run.open(folder)
    assert not found.missing()
    assert same(found.read(), runs.run(Spectrum(), items, folder.parent / "whole", shard_size=size).read())
    computed = lines(log)[0]
    assert set(computed) == set(items)
    assert len(computed) <= len(items) + repeats
    assert not list((folder / "shards").glob("*.part"))


class Forked:
    """A copy of this process that calls a function; no time goes into imports."""

    def __init__(self, function):
        self.process = multiprocessing.get_context("fork").Process(target=function)
        self.process.start()
        self.kill = self.process.kill

    def poll(self):
        return self.process.exitcode

    def wait(self):
        self.process.join()
        return self.process.exitcode


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_run_killed_at_any_moment_goes_on_and_repeats_a_shard_at_most(tmp_path):
    folder, log, items, moments = tmp_path / "run", tmp_path / "log", range(400), random.Random(0)
    log.touch()
    task = Spectrum(log=str(log))
    codes = [
        killed(
            log,
            after=moments.randrange(40),
            moment=moments.uniform(0, 0.002),
            start=lambda: Forked(lambda: runs.run(task, items, folder, shard_size=2)),
        )
        for _ in range(12)
    ]
    assert codes.count(-signal.SIGKILL) >= 8
    runs.run(task, items, folder)
    check_resumed(folder, log, items, 2, repeats=len(codes) * 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers_end_with_the_process_that_is_killed_and_no_shard_is_lost(tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    log.touch()
    task, executor = Spectrum(log=str(log), seconds=0.01), runs.Processes(2)
    start = partial(Forked, lambda: runs.run(task, range(100), folder, shard_size=8, executor=executor))
    assert killed(log, after=30, moment=0, start=start) == -signal.SIGKILL
    workers, deadline = set(lines(log)[1]), time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, workers))
    runs.run(Spectrum(log=str(log)), range(100), folder)
    check_resumed(folder, log, range(100), 8, repeats=16)


def alive(process):
    """Whether the process is there and no zombie, which only waits for its parent."""
    try:
        return b") Z" not in Path(f"/proc/{process}/stat").read_bytes()
    except FileNotFoundError:
        return False


def test_what_a_killed_process_left_beside_a_shard_is_removed_with_the_run(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/000000000.safetensors.0f.part").write_bytes(b"half")
    foreign = tmp_path / "shards/000000009.safetensors.0f.part"
    foreign.write_bytes(b"half")
    runs.run(Spectrum(), range(4), tmp_path)
    assert list((tmp_path / "shards").glob("*.part")) == [foreign]


@pytest.mark.parametrize("kept", [-7, 100, 0])
def test_a_shard_that_the_disk_lost_a_part_of_is_computed_again(tmp_path, expected, kept):
    found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=8)
    path = found.path(1)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"000000001.safetensors is a shard of a run; this one is damaged"):
        found.read()
    assert same(runs.run(Spectrum(), ITEMS, tmp_path, shard_size=8).read(), expected)


def rewritten(path, change, **tensors):
    """Writes a shard's file anew with another header and other tensors, whole as a file."""
    with safe_open(path, framework="pt") as stored:
        header = json.loads(stored.metadata()["wavelens"])
        values = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
    change(header)
    save_file(values | tensors, path, {"wavelens": json.dumps(header)})


def without_checksum(header):
    """The header of a shard of an earlier version."""
    header["format"] = "wavelens.shard/1"
    del header["sha256"]


def check_healed(found, expected):
    """A damaged shard is said, told to a watcher, and computed again."""
    with pytest.raises(
        ValueError, match=r"000000001.safetensors is a shard of a run; this one is damaged \(.*\)\. Remove"
    ):
        found.read()
    told = []
    again = runs.run(Spectrum(), ITEMS, found.folder, watch=lambda progress: told.append(progress.damaged))
    assert set(told) == {1}
    assert same(again.read(), expected)


def test_a_byte_that_is_flipped_anywhere_in_a_shard_is_found_and_the_shard_computed_again(tmp_path, expected):
    found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=8)
    whole = found.path(1).read_bytes()
    size = 8 + int.from_bytes(whole[:8], "little")
    places = random.Random(0).sample(range(8, size), 40) + random.Random(0).sample(range(size, len(whole)), 20)
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1
        found.path(1).write_bytes(changed)
        if changed[place : place + 1].isspace():
            continue  # the header's padding means nothing
        with pytest.raises(ValueError, match=r"000000001\.safetensors"):
            found.read()
    check_healed(found, expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["names"][3].__setitem__(1, "another"),
        lambda header: header["names"].reverse(),
        lambda header: header["names"].pop(),
        lambda header: header["names"].append(header["names"][0]),
        lambda header: header.pop("sha256"),
        lambda header: header.update(sha256=None),
        lambda header: header.update(format="wavelens.shard/1"),
        lambda header: header.update(format=["wavelens.shard/2"]),
        lambda header: header.update(failures=[{"index": 9}]),
        lambda header: header.update(failures=None),
        lambda header: header.clear(),
    ],
)
def test_a_changed_header_of_a_shard_is_found_and_the_shard_computed_again(tmp_path, expected, change):
    found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=8)
    rewritten(found.path(1), change)
    check_healed(found, expected)


def test_a_shard_copied_over_another_is_found_and_computed_again(tmp_path, expected):
    found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=8)
    found.path(1).write_bytes(found.path(0).read_bytes())
    check_healed(found, expected)


def test_a_shard_of_an_earlier_version_is_read_and_what_can_be_found_in_it_is_found(tmp_path, expected):
    found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=8)
    rewritten(found.path(1), without_checksum)
    assert [shard.verified for shard in found.shards()] == [True, False, True]
    before = found.path(1).read_bytes()
    assert same(runs.run(Spectrum(), ITEMS, tmp_path).read(), expected)
    assert found.path(1).read_bytes() == before
    rewritten(found.path(1), lambda header: header["names"][3].__setitem__(1, "another"))
    assert "another" in found.read().names  # its name is known to who has the data set alone
    assert same(runs.run(Spectrum(), ITEMS, tmp_path).read(), expected)
    rewritten(found.path(1), without_checksum, mean=torch.zeros(7))
    check_healed(found, expected)
    rewritten(found.path(0), without_checksum)
    found.path(1).write_bytes(found.path(0).read_bytes())
    check_healed(found, expected)


def test_a_shard_that_was_computed_again_after_failures_counts_no_damage(tmp_path, monkeypatch):
    runs.run(Odd(), ITEMS, tmp_path, shard_size=5)
    told = []
    runs.run(Odd(), ITEMS, tmp_path, retry=True, watch=lambda progress: told.append(progress.damaged))
    assert set(told) == {0}


def test_results_that_only_some_shards_have_are_said(tmp_path):
    found = runs.run(Spectrum(), ITEMS, tmp_path, shard_size=8)
    rewritten(found.path(1), without_checksum, other=torch.zeros(8))
    with pytest.raises(ValueError, match=r"every item of a run has results of the same shapes; those of .* differ"):
        found.read()


def run_and_kill(tmp_path, executor):
    """Runs into `run`, kills the process that computes by its id, and gives those that computed, item by item."""
    task, stop, victims = Spectrum(log=str(tmp_path / "log"), seconds=0.01), threading.Event(), []

    def kill():
        while not stop.wait(0.005) and not victims:
            if Path(task.log).exists() and len(lines(task.log)[0]) >= 7:
                victims.append(lines(task.log)[1][-1])
                os.kill(victims[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        runs.run(task, ITEMS, tmp_path / "run", shard_size=4, executor=executor)
    finally:
        stop.set()
        killer.join()
    computed, processes = lines(task.log)
    repeated = [item for item in ITEMS if computed.count(item) > 1]
    assert victims
    assert processes[computed.index(repeated[0])] == victims[0]
    assert {item // 4 for item in repeated} == {repeated[0] // 4}
    return processes


def same_files(folder, other):
    """Whether two runs wrote the same shards byte by byte."""
    files = [sorted((one / "shards").iterdir()) for one in (folder, other)]
    return [path.name for path in files[0]] == [path.name for path in files[1]] and all(
        a.read_bytes() == b.read_bytes() for a, b in zip(*files, strict=True)
    )


def test_a_worker_process_that_is_killed_is_replaced_and_files_are_the_local_ones(tmp_path):
    processes = run_and_kill(tmp_path, runs.Processes(2))
    assert len(set(processes)) >= 2
    assert os.getpid() not in processes
    runs.run(Spectrum(), ITEMS, tmp_path / "local", shard_size=4)
    assert same_files(tmp_path / "run", tmp_path / "local")


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot be held back here")
def test_a_worker_that_starts_is_not_interrupted_and_its_owner_is_afterwards():
    """Ctrl-C comes to all programs of a terminal; in a worker's imports it would print what nobody can use."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    started = []

    def start():
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)  # to this thread, as to a process that has no other
            started.append(subprocess.run([sys.executable, "-c", interrupt], capture_output=True, check=False))

    try:
        with pytest.raises(KeyboardInterrupt):
            start()
    finally:
        signal.signal(signal.SIGINT, before)
    assert [one.stdout.split() for one in started] == [[b"alive"]]


@pytest.mark.needs("ray")
def test_an_actor_of_ray_that_is_killed_is_replaced_and_files_are_the_local_ones(tmp_path):
    import ray

    processes = run_and_kill(tmp_path, runs.Ray(workers=2, num_cpus=0.5))
    assert len(set(processes)) >= 2
    assert os.getpid() not in processes
    assert not ray.is_initialized()
    runs.run(Spectrum(), ITEMS, tmp_path / "local", shard_size=4)
    assert same_files(tmp_path / "run", tmp_path / "local")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [(runs.Ray(num_gpus=3), "3 GPU; this Ray has 1"), (runs.Ray(num_cpus=9), "9 CPU; this Ray has 8")],
)
def test_a_worker_that_no_node_has_room_for_is_said(wanted, sentence):
    check_room(runs.Ray(workers=100, num_gpus=1, num_cpus=8), {"CPU": 8, "GPU": 1})
    with pytest.raises(ValueError, match=f"a worker needs {sentence} in all. Ask for less with num_"):
        check_room(wanted, {"CPU": 8, "GPU": 1})


class Pretended:
    """Workers in this process that end where a real one would: by `Death`, or before they are ready."""

    def __init__(self, workers, task, stillborn=0):
        self.workers, self.task, self.stillborn = workers, task, stillborn
        self.held, self.answers, self.started = {}, [], 0

    def start(self, worker):
        self.started += 1
        self.held[worker] = Worker(self.task, 1)
        self.answers.append(
            (worker, Lost("ended with code 7") if self.started <= self.stillborn else self.held[worker].load())
        )

    def give(self, worker, job):
        try:
            self.answers.append((worker, self.held[worker].compute(job)))
        except Death:
            self.answers.append((worker, Lost("ended by signal 9")))

    def answer(self):
        return self.answers.pop(0)

    def close(self):
        self.held.clear()


@dataclass(frozen=True)
class Pretend:
    """The executor over `Pretended`."""

    workers: int = 2
    stillborn: int = 0
    crews: list = field(default_factory=list)

    def __call__(self, task, threads, jobs):
        self.crews.append(Pretended(self.workers, task, self.stillborn))
        return share(self.crews[0], jobs)


@pytest.mark.parametrize("deadly", [(7,), (0, 1, 2, 22), tuple(range(8, 16)), tuple(ITEMS)], ids=str)
@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_that_ends_its_worker_is_listed_and_the_others_are_computed(expected, tmp_path, deadly, workers):
    executor = Pretend(workers)
    found = runs.run(Deadly(items=deadly), ITEMS, tmp_path, shard_size=8, executor=executor).read()
    assert [(f.index, f.name) for f in found.failures] == [(i, str(i)) for i in deadly]
    assert all("its worker ended twice while it was computed" in f.reason for f in found.failures)
    kept = torch.tensor([i for i in ITEMS if i not in deadly], dtype=torch.long)
    if len(kept):
        assert torch.equal(found.values["bands"], expected.values["bands"][kept])
    shards_hit = len({i // 8 for i in deadly})
    assert executor.crews[0].started == workers + 2 * len(deadly) + shards_hit
    assert not list((tmp_path / "shards").glob("*.at"))


def test_workers_that_end_before_they_are_ready_are_replaced_but_not_for_ever(tmp_path):
    assert not runs.run(Spectrum(), ITEMS, tmp_path / "some", executor=Pretend(2, stillborn=2)).missing()
    with pytest.raises(RuntimeError, match=r"3 workers ended one after the other; the last one: ended with code 7\."):
        runs.run(Spectrum(), ITEMS, tmp_path / "all", executor=Pretend(2, stillborn=99))


def test_workers_are_ended_when_the_caller_stops(tmp_path):
    executor = Pretend(2)

    def stop(progress):
        if progress.computed:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.run(Spectrum(), ITEMS, tmp_path, shard_size=4, executor=executor, watch=stop)
    assert not executor.crews[0].held


def test_an_item_that_raises_is_listed_and_the_others_are_computed(expected, tmp_path):
    seen = []
    found = runs.run(Odd(), ITEMS, tmp_path, shard_size=5, watch=lambda p: seen.extend(p.latest)).read()
    assert found.names == tuple(str(i) for i in ITEMS if i % 2 == 0)
    assert [(f.index, f.name, f.reason) for f in found.failures] == [
        (i, str(i), f"{i} is odd") for i in range(1, 23, 2)
    ]
    assert tuple(seen) == found.failures
    assert torch.equal(found.values["bands"], expected.values["bands"][::2])


def test_items_that_failed_are_tried_again_on_request_alone(tmp_path, monkeypatch):
    runs.run(Odd(), ITEMS, tmp_path, shard_size=5)
    monkeypatch.setattr(Odd, "of", Spectrum.of)  # what was missing is there now
    assert len(runs.run(Odd(), ITEMS, tmp_path).read().failures) == 11
    found = runs.run(Odd(), ITEMS, tmp_path, retry=True).read()
    assert not found.failures
    assert found.names == tuple(map(str, ITEMS))


def test_a_run_of_which_every_item_fails_has_failures_and_no_results(tmp_path):
    found = runs.run(Odd(), [1, 3, 5], tmp_path).read()
    assert (found.names, found.values, len(found.failures)) == ((), {}, 3)


@pytest.mark.parametrize("executor", [runs.Local(), Pretend()], ids=["Local", "a crew"])
def test_a_task_that_cannot_be_loaded_is_said(tmp_path, executor):
    with pytest.raises(RuntimeError, match=r"the task cannot be loaded: no such weights: net.pth"):
        runs.run(Unloadable(), ITEMS, tmp_path, executor=executor)


@pytest.mark.parametrize("shard_size", [23, 3])
def test_results_of_other_shapes_are_said(tmp_path, shard_size):
    with pytest.raises((RuntimeError, ValueError), match="Pad or reduce them in the task"):
        runs.run(Uneven(), ITEMS, tmp_path, shard_size=shard_size).read()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"task": Spectrum(power=1.0)}, "power is 2.0 there, 1.0 here"),
        ({"task": Odd()}, "task is Spectrum there, Odd here"),
        ({"dataset": range(24)}, "items is 23 there, 24 here"),
        ({"dataset": [*range(22), 40]}, "dataset is a list of other items there"),
        ({"shard_size": 5}, "shard_size is 4 there, 5 here"),
        ({"threads": 2}, "threads is 1 there, 2 here"),
    ],
)
def test_a_folder_holds_one_run(tmp_path, expected, change, sentence):
    first = {"task": Spectrum(), "dataset": ITEMS, "folder": tmp_path, "shard_size": 4}
    runs.run(**first)
    with pytest.raises(ValueError, match=f"holds another run: .*{sentence}.* Choose another folder"):
        runs.run(**first | change)
    assert same(runs.run(**first).read(), expected)


def test_what_differs_is_said_in_short():
    """Long texts from where they begin to differ; columns only where they do not follow from the task."""
    there = describe(Spectrum(), ITEMS, 4, 1)
    metrics = ", ".join(f"Curves(steps={k})" for k in range(40))
    old = replace(there, task={"task": "A", "metrics": f"[{metrics}, Road()]"}, columns=(Column("road"),))
    new = replace(there, task={"task": "A", "metrics": f"[{metrics}, Irof()]"}, columns=(Column("irof"),))
    (told,) = differences(old, new)
    assert "Road()] there, …" in told
    assert told.endswith("Irof()] here")
    assert len(told) < 120
    assert differences(old, replace(new, task=old.task))[0].startswith("column road is ")


def test_a_folder_holds_results_of_one_version(tmp_path, monkeypatch):
    runs.run(Spectrum(), ITEMS, tmp_path)
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    with pytest.raises(ValueError, match=r"version of torch is .* there, 9\.9\.9 here"):
        runs.run(Spectrum(), ITEMS, tmp_path)


def test_a_shard_of_another_run_is_refused(tmp_path):
    one, two = (runs.run(Spectrum(power), ITEMS, tmp_path / str(power), shard_size=8) for power in (1.0, 2.0))
    one.path(1).write_bytes(two.path(1).read_bytes())
    for use in (one.read, lambda: runs.run(Spectrum(1.0), ITEMS, tmp_path / "1.0")):
        with pytest.raises(ValueError, match=r"000000001.safetensors belongs to the run of its folder; this one is of"):
            use()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "its JSON is nested too deeply"),
        ("[]", "its JSON is a list, not an object"),
        ('{"format": "other"}', "its format is other"),
        ('{"format": "wavelens.run/1"}', "missing"),
    ],
)
def test_a_damaged_manifest_is_said(tmp_path, text, sentence):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=f"is the manifest of a run; this one cannot be read .*{sentence}"):
        runs.run(Spectrum(), ITEMS, tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"shard_size": 0}, "shard_size must be a whole number from 1, not 0"),
        ({"shard_size": -4}, "shard_size must be a whole number from 1, not -4"),
        ({"shard_size": None}, "shard_size must be a whole number from 1, not None"),
        ({"shard_size": 4.0}, r"shard_size must be a whole number from 1, not 4\.0"),
        ({"shard_size": True}, "shard_size must be a whole number from 1, not True"),
        ({"items": "23"}, "items must be a whole number from 1, not '23'"),
        ({"items": 0}, "items must be a whole number from 1, not 0"),
        ({"items": 10**15}, "it has 250000000000000 shards; at most 10000000 are read"),
        ({"threads": []}, r"threads must be a whole number from 1, not \[\]"),
        ({"versions": None}, "versions must be an object of texts, not None"),
        ({"versions": {"torch": 2}}, "versions must be an object of texts"),
        ({"task": "Spectrum"}, "task must be an object of texts, not 'Spectrum'"),
        ({"task": {}}, "dataset or task is no text"),
        ({"task": {"task": ["x"]}}, "task must be an object of texts"),
        ({"dataset": 7}, "dataset or task is no text"),
        ({"more": 1}, "unexpected keyword argument 'more'"),
    ],
    ids=str,
)
@pytest.mark.parametrize("use", ["run", "open", "compare"])
def test_a_manifest_with_other_values_is_said(tmp_path, change, sentence, use):
    runs.run(Spectrum(), ITEMS, tmp_path, shard_size=4)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    uses = {
        "run": lambda: runs.run(Spectrum(), ITEMS, tmp_path),
        "open": lambda: runs.Run.open(tmp_path),
        "compare": lambda: compare([tmp_path]),
    }
    with pytest.raises(ValueError, match=f"is the manifest of a run; this one cannot be read .*{sentence}"):
        uses[use]()


def test_a_folder_without_a_run_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a run: it has no manifest.json"):
        runs.Run.open(tmp_path)
    for name in ("ig", "en"):
        runs.run(Spectrum(), ITEMS, tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"it has no manifest.json; it holds the runs en, ig\. Name a folder"):
        runs.Run.open(tmp_path)


class Vague:
    def load(self):
        return lambda item: {"x": 1.0}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"task": Vague()}, "a task must be a value whose text says what it does; got value=<.*Vague object at 0x"),
        ({"dataset": []}, "a data set must have at least one item; got none"),
        ({"dataset": ["a", "b", "a"]}, r"str\(item\) names one item; 3 items have 2 names"),
        ({"shard_size": 0}, "shard_size must be a whole number from 1; got shard_size=0"),
        ({"threads": 0}, "threads must be a whole number from 1; got threads=0"),
        ({"part": (3, 3)}, r"part must be \(i, n\) with i from 0 to n - 1; got \(3, 3\)"),
        ({"part": (-1, 3)}, r"part must be \(i, n\) with i from 0 to n - 1; got \(-1, 3\)"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_written(tmp_path, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        runs.run(**{"task": Spectrum(), "dataset": ITEMS, "folder": tmp_path / "run"} | change)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("executor", "wrong"), [(runs.Processes, {"workers": 0}), (runs.Ray, {"num_gpus": -1})])
def test_executors_without_workers_are_said(executor, wrong):
    with pytest.raises(ValueError, match=r"workers must be a whole number from 1"):
        executor(**wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_write_that_the_system_refuses_ends_with_a_line_and_nothing_half_written(tmp_path):
    resource = pytest.importorskip("resource")
    said = tmp_path / "said"
    said.touch()

    def run():
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
        try:
            runs.run(Spectrum(), range(64), tmp_path / "run", shard_size=60)
        except RuntimeError as error:
            said.write_text(str(error))

    assert Forked(run).wait() == 0
    assert "000000000.safetensors could not be written: file too large. Finished shards are whole" in said.read_text()
    assert not list((tmp_path / "run/shards").iterdir())


def test_a_full_disk_ends_a_run_that_goes_on_once_there_is_room(tmp_path, expected, monkeypatch):
    room, sync = iter(range(3)), os.fsync

    def full(handle):
        if os.fstat(handle).st_size and next(room, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(shards.os, "fsync", full)
    with pytest.raises(RuntimeError, match=r"safetensors could not be written: no space left on device\. Finished"):
        runs.run(Spectrum(), ITEMS, tmp_path, shard_size=4)
    monkeypatch.undo()
    left = sorted(path.name for path in (tmp_path / "shards").iterdir())
    assert left
    assert all(name.endswith(".safetensors") and len(load_file(tmp_path / "shards" / name)) == 4 for name in left)
    assert same(runs.run(Spectrum(), ITEMS, tmp_path).read(), expected)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot create the folder .* for the run: not a directory\. Choose"):
        runs.run(Spectrum(), ITEMS, tmp_path / "file" / "run")


def test_progress_counts_what_was_there_and_rates_what_was_not():
    now = iter([100.0, 110.0, 130.0])
    progress = Progress(total=100, pending=60, clock=lambda: next(now))
    assert (progress.done, progress.rate, progress.left) == (40, None, None)
    progress.add(Report(3, 10))
    assert (progress.done, progress.rate, progress.left) == (50, 1.0, 50.0)
    progress.add(Report(4, 35))
    assert (progress.done, progress.rate, progress.left) == (85, 1.5, 10.0)


@pytest.mark.parametrize("executor", [runs.Local(), runs.Processes(1)], ids=["local", "processes"])
def test_progress_is_told_item_by_item_from_what_is_there(tmp_path, executor):
    runs.run(Spectrum(), ITEMS, tmp_path, shard_size=10, part=(1, 3))
    seen = []
    runs.run(Spectrum(), ITEMS, tmp_path, executor=executor, watch=lambda p: seen.append((p.done, p.kept, p.total)))
    first = [(done, 10, 23) for done in range(10, 21)]
    assert seen == [*first, (20, 20, 23), *((done, 20, 23) for done in range(21, 24)), (23, 23, 23)]
