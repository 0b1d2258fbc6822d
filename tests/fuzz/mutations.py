"""Ways to damage a file: bytes of any format, fields of JSON headers, and what lies inside of containers."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

INTEGERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 2.5, 1e308, float("nan"), float("inf"), 2**31, 2**63, 10**12, 10**30, "", "x", "x" * 5000,
    "\x1b[2J\n\0", "DWT('haar', levels=60)", "DWT('db38', levels=1, mode='zero')", "Identity()", "SmoothGrad",
    "=1+1", "../../x", [], {}, [[]], [0], [2] * 22, [1] * 70, [10**6, 10**6], [-1, 4], ["x"], {"x": None},
)  # fmt: skip
TOKENS = (
    "(", ")", ",", "=", "'", '"', "-", "+", "*", "**", "[", "]", "{", "}", ":", ".", "#", "\\", "\n", "\0", "é", "𝒙",
    "lambda: ", "None", "True", "nan", "1e999", "1" * 400, "9" * 5000, "0x" + "f" * 900, "10**9", "1000000000", "-1",
    "0", "0.5", "1j", "(1,2)", "(100000000000,1)", "'haar'", "'db38'", "levels=", "samples=", "steps=", "sigma=",
    "seed=", "tolerance=", "baseline=", "mode='zero'", "DWT(", "Identity", "SmoothGrad(", "Zennit('GuidedBackprop', ",
    "f'{1}'", "...", "(" * 150, "[" * 250, "-" * 700, "+1" * 700, "x" * 20000,
)  # fmt: skip


def any_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to eight changes anywhere, more of them near the start, where headers are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not changed:
            break
        rng.choice(CHANGES)(changed, _place(changed, rng), rng)
    return bytes(changed)


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(min(len(data), rng.choice((16, 64, 400, len(data)))))


def _flip(data: bytearray, at: int, rng: random.Random) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, at: int, rng: random.Random) -> None:
    data[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def _number(data: bytearray, at: int, rng: random.Random) -> None:
    """An integer or a float of 2, 4 or 8 bytes in either order."""
    order, form = rng.choice("<>"), rng.choice("HIQfd")
    value = rng.choice(INTEGERS) if form in "HIQ" else rng.choice((0.0, -1.0, 1e30, float("inf"), float("nan")))
    limit = 2 ** (8 * struct.calcsize(form))
    data[at : at + struct.calcsize(form)] = struct.pack(order + form, value % limit if form in "HIQ" else value)


def _remove(data: bytearray, at: int, rng: random.Random) -> None:
    del data[at : at + rng.choice((1, 2, 4, 16, len(data)))]


def _insert(data: bytearray, at: int, rng: random.Random) -> None:
    data[at:at] = rng.choice((b"\0" * 64, b"\xff" * 16, rng.randbytes(rng.randrange(1, 200)), data[: at + 1]))


def _repeat(data: bytearray, at: int, rng: random.Random) -> None:
    piece = data[at : at + rng.randrange(1, 64)]
    data[at:at] = piece * rng.choice((1, 2, 50))


CHANGES = (_flip, _flip, _byte, _byte, _number, _number, _number, _remove, _insert, _repeat)


def text_tokens(data: bytes, rng: random.Random) -> bytes:
    """Tokens put in, taken out or exchanged in a text, or nested in itself."""
    text = data.decode("utf-8", "replace")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((0, 0, 1, 4, 9)))
        text = text[:at] + rng.choice((*TOKENS, text)) + text[end:]
    return text.encode("utf-8", "replace")


def json_tree(data: bytes, rng: random.Random) -> bytes:
    """A value somewhere in a JSON text exchanged, a key taken out, or the text itself damaged."""
    if rng.random() < 0.1:
        return rng.choice((b"[" * 100_000, b'{"a":' * 20_000, b"1" * 10_000, b"null", b"[]", b"\xff\xfe"))
    tree = json.loads(data)
    for _ in range(rng.choice((1, 1, 2))):
        tree = _changed(tree, rng)
    return json.dumps(tree).encode()


def _changed(node: Any, rng: random.Random) -> Any:
    if not node or not isinstance(node, dict | list) or rng.random() < 0.15:
        return rng.choice(NASTY)
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key, way = rng.choice(keys), rng.random()
    if way < 0.1:
        del node[key]
    elif way < 0.15 and isinstance(node, dict):
        node[rng.choice(("x", "", "__class__", "data"))] = node.pop(key)
    else:
        node[key] = _changed(node[key], rng)
    return node


def safetensors_header(data: bytes, rng: random.Random) -> bytes:
    """The JSON before the tensors, or the JSON that is a text in it, with its length set right."""
    size = struct.unpack("<Q", data[:8])[0]
    header, tensors = json.loads(data[8 : 8 + size]), data[8 + size :]
    own = header.get("__metadata__", {})
    if own and rng.random() < 0.7:
        name = rng.choice(list(own))
        own[name] = json_tree(own[name].encode(), rng).decode("utf-8", "replace")
        text = json.dumps(header).encode()
    else:
        text = json_tree(json.dumps(header).encode(), rng)
    return struct.pack("<Q", len(text)) + text + tensors


def npy_header(data: bytes, rng: random.Random) -> bytes:
    """The text before an array, with its length set right."""
    size = struct.unpack("<H", data[8:10])[0]
    text = data[10 : 10 + size].decode("latin1")
    for old, new in rng.sample(NPY, 2):
        text = text.replace(old, new)
    return data[:8] + struct.pack("<H", len(text)) + text.encode("latin1") + data[10 + size :]


NPY = [
    ("<f4", "|O"), ("<f4", "<f8"), ("<f4", "<c16"), ("<f4", "|S9999999"), ("<f4", "<U9"), ("<f4", "|V0"), ("<f4", "x"),
    ("5,", "-5,"), ("5,", "50000000000,"), ("5,", "99999,"), ("(", "("), ("(", "(((("), ("False", "True"), ("{", "{{"),
    ("'shape'", "'shap'"), ("}", ""), ("4,", "4, 100000, 100000,"), ("}", "+1" * 3000 + "}"), ("False", "9" * 5000),
]  # fmt: skip


def in_gzip(inner: Mutation) -> Mutation:
    return lambda data, rng: gzip.compress(inner(gzip.decompress(data), rng), mtime=0)


def in_zip(inner: Mutation) -> Mutation:
    def mutate(data: bytes, rng: random.Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(list(members))
        members[name] = inner(members[name], rng)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for own, content in members.items():
                archive.writestr(rng.choice((own, own, own, own.replace(".npy", ""))), content)
        return written.getvalue()

    return mutate
