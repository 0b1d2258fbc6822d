"""Checkpoints: the state dict in any wrapping becomes the network's own numbers, and nothing in a file is run."""

import argparse
import collections
import datetime
import json
import os
import pathlib
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wavelens.explaining.records import model_summary
from wavelens.models import CheckpointWarning
from wavelens.models.checkpoints import Unread, read_checkpoint
from wavelens.models.weights import fill_from


class Net(nn.Module):
    """Two numbered layers, a norm and a head."""

    def __init__(self, classes=5, seed=None):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed or 0)
            self.layer1, self.layer2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
            self.norm, self.fc = nn.BatchNorm2d(4), nn.Linear(4, classes)
            self.norm.running_mean.normal_()

    def forward(self, x):
        return self.fc(self.norm(self.layer2(self.layer1(x).relu())).mean((2, 3)))


def state(seed=1, prefix="", change=str):
    return {prefix + change(name): value for name, value in Net(seed=seed).state_dict().items()}


def save(tmp_path, content, **options):
    torch.save(content, tmp_path / "net.pth", **options)
    return tmp_path / "net.pth"


def filled(path):
    net = Net()
    fill_from(net, path)
    return net


def assert_is(net, seed=1):
    torch.testing.assert_close(net.state_dict(), Net(seed=seed).state_dict(), rtol=0, atol=0)


KEYS = (
    "model model_state_dict state_dict state_dict_ema model_ema net network ema module weights params teacher".split()
)


@pytest.mark.parametrize("key", KEYS)
def test_one_state_dict_is_found_under_any_key_beside_other_records(tmp_path, key):
    optimizer = {"state": {0: {"exp_avg": torch.ones(4)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    assert_is(filled(save(tmp_path, {"epoch": 3, "optimizer": optimizer, key: state(), "loss": torch.ones(())})))


@pytest.mark.parametrize("order", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model."])
@pytest.mark.parametrize("within", [(), ("state_dict",), ("checkpoint", "model", "state_dict")])
def test_prefixes_in_any_order_and_nesting_are_taken_off(tmp_path, order, within):
    content = state(prefix=order)
    for key in reversed(within):
        content = {key: content}
    assert_is(filled(save(tmp_path, content)))


def test_wrappers_of_inner_layers_are_taken_off(tmp_path):
    inner = state(change=lambda name: name.replace("layer1.", "layer1.module.").replace("layer2.", "layer2._orig_mod."))
    assert_is(filled(save(tmp_path, inner)))


def test_a_wrapped_network_is_filled_from_a_plain_file(tmp_path):
    net = nn.DataParallel(Net())
    fill_from(net, save(tmp_path, state()))
    assert_is(net.module)


def test_the_names_as_they_are_come_before_the_same_with_a_prefix(tmp_path):
    linear = nn.Linear(4, 2)
    own, loss = (
        {"weight": torch.ones(2, 4), "bias": torch.zeros(2)},
        {"weight": torch.zeros(2, 4), "bias": torch.ones(2)},
    )
    fill_from(linear, save(tmp_path, own | {f"loss.{name}": value for name, value in loss.items()}))
    torch.testing.assert_close(dict(linear.state_dict()), own, rtol=0, atol=0)


def test_sixteen_bits_become_what_the_network_computes_in(tmp_path):
    half = {name: value.half() if value.is_floating_point() else value for name, value in state().items()}
    net = filled(save(tmp_path, half))
    assert net.fc.weight.dtype == torch.float32
    torch.testing.assert_close(net.fc.weight, half["fc.weight"].float(), rtol=0, atol=0)


def loaded(tmp_path, content, monkeypatch):
    """Through `load`, which says what it leaves out."""
    import wavelens as wl

    monkeypatch.setitem(sys.modules, "own_net", types.SimpleNamespace(net=Net))
    return wl.models.load("own_net:net", weights=save(tmp_path, content))


def test_a_record_names_given_weights_by_their_file_and_a_digest_and_no_folder(tmp_path, monkeypatch):
    record = model_summary(loaded(tmp_path, state(), monkeypatch))
    assert record["weights"] == "net.pth"
    assert len(record["weights_digest"]) == 64
    assert str(tmp_path) not in str(record)
    other = {name: value + 1 if value.is_floating_point() else value for name, value in state().items()}
    assert model_summary(loaded(tmp_path, other, monkeypatch))["weights_digest"] != record["weights_digest"]


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        ({"loss.weight": torch.ones(5)}, r"net\.pth holds tensors beside those of the model; left out: loss\.weight\."),
        ({f"ema.{k}": torch.ones(1) for k in "abcde"}, r"left out: ema\.a, ema\.b, ema\.c and 2 more\.$"),
        ({"model.fc.position_ids": torch.arange(3)}, r"left out: model\.fc\.position_ids\."),
    ],
)
def test_tensors_beside_the_network_are_told_and_left_out(tmp_path, monkeypatch, beside, sentence):
    with pytest.warns(CheckpointWarning, match=sentence):
        model = loaded(tmp_path, {"state_dict": state(prefix="model.") | beside}, monkeypatch)
    assert_is(model.module)


@pytest.mark.parametrize("name", ["layer1.2.weight", "layer3.weight", "fc.gamma", "norm2.weight"])
def test_layers_that_the_network_lacks_are_no_surplus(tmp_path, name):
    with pytest.raises(ValueError, match=rf"net\.pth does not fit the model: 1 is unknown, such as '{name}'\."):
        filled(save(tmp_path, state() | {name: torch.ones(4)}))


def test_several_state_dicts_are_chosen_among_by_key(tmp_path):
    path = save(tmp_path, {"state_dict": state(1), "state_dict_ema": state(2), "epoch": 1})
    with pytest.raises(
        ValueError,
        match=r"has 2 state dicts that fit the model, 'state_dict', 'state_dict_ema'\. Choose one: .*::state_dict_ema$",
    ):
        filled(path)
    assert_is(filled(f"{path}::state_dict"), 1)
    assert_is(filled(f"{path}::state_dict_ema"), 2)
    with pytest.raises(ValueError, match=r"no state dict called 'ema'\. It has 'state_dict', 'state_dict_ema'\."):
        filled(f"{path}::ema")


def test_counters_of_batches_do_not_choose(tmp_path):
    averaged = {name: value for name, value in state(2).items() if not name.endswith("num_batches_tracked")}
    with pytest.raises(ValueError, match="'net', 'ema'"):
        filled(save(tmp_path, {"net": state(1), "ema": averaged}))


def test_networks_side_by_side_in_one_state_dict_are_chosen_among_by_prefix(tmp_path):
    path = save(tmp_path, {"state_dict": state(1, "student.net.") | state(2, "teacher.net.")})
    with pytest.raises(ValueError, match=r"'state_dict\.student\.net', 'state_dict\.teacher\.net'\. Choose one"):
        filled(path)
    assert_is(filled(f"{path}::state_dict.teacher"), 2)
    assert_is(filled(f"{path}::state_dict.student.net"), 1)


def test_copies_of_one_state_dict_are_no_choice(tmp_path):
    assert_is(filled(save(tmp_path, {"model": state(), "best": {"state_dict": state()}})))


class Dangerous:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def timm_like(**more):
    return {"state_dict": state(), "args": argparse.Namespace(model="net", lr=0.1, path=pathlib.Path("/data")), **more}


RECORDS = {
    "when": datetime.datetime(2026, 1, 2),
    "took": datetime.timedelta(3),
    "best": np.float64(0.5),
    "history": np.arange(3),
    "counts": collections.defaultdict(list, {"a": [1]}),
    "kinds": {1, 2},
    "space": types.SimpleNamespace(a=1),
    "version": torch.__version__,
}


@pytest.mark.parametrize("zipped", [True, False])
def test_settings_and_records_are_left_unread(tmp_path, zipped):
    path = save(tmp_path, timm_like(**RECORDS), _use_new_zipfile_serialization=zipped)
    assert_is(filled(path))
    assert list(read_checkpoint(path).states) == ["state_dict"]


def test_nothing_of_a_class_that_is_left_unread_is_built(tmp_path, monkeypatch):
    from wavelens.models.checkpoints import _unpickled

    path = save(tmp_path, timm_like())
    monkeypatch.setattr(argparse, "Namespace", None)  # building one would fail
    assert type(_unpickled(path)["args"]) is Unread
    assert (Unread, "argparse.Namespace") not in torch.serialization.get_safe_globals()


def class_of_another_library(monkeypatch, name, base):
    package, _, short = name.rpartition(".")
    parts = package.split(".")
    for k in range(len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[: k + 1]), types.ModuleType(parts[k]))
    made = type(short, (base,), {"__module__": package, "__qualname__": short})
    setattr(sys.modules[package], short, made)
    return made


def test_containers_of_settings_from_other_libraries_are_left_unread(tmp_path):
    """As Lightning and hydra write them, from classes of the same names, which are not there when they are read."""
    with pytest.MonkeyPatch.context() as patched:
        config = class_of_another_library(patched, "omegaconf.dictconfig.DictConfig", object)()
        config.content = {"lr": 0.1}
        settings = class_of_another_library(patched, "lightning.fabric.utilities.data.AttributeDict", dict)
        path = save(tmp_path, {"state_dict": state(), "hyper_parameters": settings(lr=0.1, config=config)})
    assert_is(filled(path))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (lambda marker: {"state_dict": state(), "other": Dangerous(marker)}, r"(posix|nt)\.mkdir"),
        (lambda marker: {"state_dict": state(), "other": Net()}, r"test_checkpoints\.Net"),
        (lambda marker: Net(), r"test_checkpoints\.Net"),
    ],
)
def test_other_classes_are_refused_by_name_and_run_nothing(tmp_path, zipped, content, named):
    path = save(tmp_path, content(tmp_path / "marker"), _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        ValueError,
        match=rf"net\.pth holds more than weights, and reading it would run code of ({named})\. Where you trust .*"
        r'torch\.load\(path, weights_only=False\); torch\.save\(checkpoint\["state_dict"\], "weights\.pth"\)',
    ):
        filled(path)
    assert not (tmp_path / "marker").exists()


def test_the_dangerous_object_is_dangerous(tmp_path):
    pickle.loads(pickle.dumps(Dangerous(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


def test_a_torchscript_file_is_no_checkpoint(tmp_path):
    torch.jit.trace(Net().eval(), torch.zeros(1, 3, 8, 8)).save(tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"net\.pt is a TorchScript model\. Give it as the model itself\."):
        filled(tmp_path / "net.pt")


@pytest.mark.parametrize("content", [b"hello", pickle.dumps([1, 2]), b"\x10" + bytes(7) + b"{broken"])
def test_what_is_no_checkpoint_is_one_sentence(tmp_path, content):
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"^weights must be a state dict[^\n]*net\.pth[^\n]*$"):
        filled(tmp_path / "net.pth")


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64], ids=str)
def test_weights_of_another_kind_of_number_are_refused(tmp_path, dtype):
    stored = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state().items()}
    torch.save(stored, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=rf"is {dtype} in the file and torch\.float32 in the model\. Save the weights"):
        filled(tmp_path / "net.pth")


def test_weights_beside_a_number_are_found_in_a_tuple(tmp_path):
    torch.save((state(), 7), tmp_path / "net.pth")
    assert list(read_checkpoint(tmp_path / "net.pth").states) == ["0"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", "is a pointer of Git LFS, not the"),
        (b"PK\x03\x04cut", "which begins as one and cannot be read. Get a fresh copy"),
    ],
)
def test_what_stands_in_the_place_of_weights_is_told(tmp_path, content, sentence):
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_checkpoint(tmp_path / "net.pth")


def test_an_empty_checkpoint_is_told(tmp_path):
    (tmp_path / "net.pth").touch()
    with pytest.raises(ValueError, match=r"net\.pth is empty, so it is not a file of weights"):
        filled(tmp_path / "net.pth")


def test_safetensors_are_known_by_their_content(tmp_path):
    save_file(state(), tmp_path / "net.pth")
    assert_is(filled(tmp_path / "net.pth"))
    torch.save(state(), tmp_path / "net.safetensors")
    assert_is(filled(tmp_path / "net.safetensors"))


def test_a_folder_has_its_weights_whole_or_in_parts(tmp_path):
    whole = state(prefix="module.")
    names = list(whole)
    parts = {"model-1-of-2.safetensors": names[:5], "model-2-of-2.safetensors": names[5:]}
    for file, own in parts.items():
        save_file({name: whole[name] for name in own}, tmp_path / file)
    index = {"weight_map": {name: file for file, own in parts.items() for name in own}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_is(filled(tmp_path))
    assert_is(filled(tmp_path / "model.safetensors.index.json"))
    save_file(state(2), tmp_path / "model.safetensors")
    assert_is(filled(tmp_path), 2)


@pytest.mark.parametrize(
    "index", ["{}", "[]", "no JSON", '{"weight_map": {"a": "../a.safetensors"}}', '{"weight_map": 3}']
)
def test_an_index_names_files_beside_it(tmp_path, index):
    save_file(state(), tmp_path / "a.safetensors")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ValueError, match="an index of weights has a weight_map from tensors to the files beside it"):
        filled(tmp_path / "parts")


def test_what_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such weights: .*absent\.pth\."):
        filled(tmp_path / "absent.pth")
    with pytest.raises(FileNotFoundError, match=r"no such weights: .*absent\.pth\."):
        filled(f"{tmp_path}/absent.pth::ema")
    with pytest.raises(FileNotFoundError, match=r"holds one of model\.safetensors, .* has none of them"):
        filled(tmp_path)
