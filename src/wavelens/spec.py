"""Domains and methods as text: `parse(repr(v)) == v`. Literals only, nothing is executed."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterable
from typing import Any

import pywt

from wavelens.domains import (
    DWT,
    STFT,
    ConstantQ,
    Cosine,
    DualTree,
    Fourier,
    GraphWavelets,
    Identity,
    Joint,
    Packets,
    Shifted,
    Stationary,
    TreeHaar,
)
from wavelens.methods import (
    Captum,
    ExpectedGradients,
    InputTimesGradient,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
    SquareGrad,
    VarGrad,
    Zennit,
)
from wavelens.untrusted import excerpt

DOMAINS = (
    DWT,
    Packets,
    Stationary,
    DualTree,
    Cosine,
    Fourier,
    STFT,
    ConstantQ,
    TreeHaar,
    GraphWavelets,
    Shifted,
    Identity,
)
METHODS = (
    Saliency,
    InputTimesGradient,
    SmoothGrad,
    IntegratedGradients,
    ExpectedGradients,
    VarGrad,
    SquareGrad,
    Captum,
    Zennit,
)
FORM = "a domain or method is written like DWT('db4', levels=3)"
MAX_CHARACTERS = 2000  # of a text: no number in it is too long to be shown, and no bracket too deep
NAMES: dict[str, type] = {cls.__name__: cls for cls in (*DOMAINS, *METHODS)}
FOR_FILES: dict[str, type] = {"Joint": Joint}  # nobody writes these by hand


def parse(text: str, also: Iterable[type] = ()) -> Any:
    """The value that `text` describes, such as `DWT('db4', levels=3)` or `SmoothGrad`; `ValueError` otherwise.

    The classes `also` may be written too. A text has at most `MAX_CHARACTERS`.
    """
    if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
        got = f"{len(text):,} characters" if isinstance(text, str) else type(text).__name__
        raise ValueError(f"{FORM}, a text of at most {MAX_CHARACTERS:,} characters; got {got}.")
    names = NAMES | FOR_FILES | {cls.__name__: cls for cls in also}
    text = text.strip()
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two: too many brackets
        raise ValueError(f"{FORM}; got {excerpt(text)!r}.") from None
    return _value(node, text, names)


def _value(node: ast.expr, text: str, names: dict[str, type]) -> Any:
    if isinstance(node, ast.Name):
        return _build(node.id, [], {}, text, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and all(k.arg for k in node.keywords):
        named = {str(k.arg): _argument(k.value, text, names) for k in node.keywords}
        return _build(node.func.id, [_argument(a, text, names) for a in node.args], named, text, names)
    raise ValueError(f"{FORM}; got {excerpt(text)!r}.")


def _argument(node: ast.expr, text: str, names: dict[str, type]) -> Any:
    if isinstance(node, ast.Call) or (isinstance(node, ast.Name) and node.id in names):
        return _value(node, text, names)
    if isinstance(node, ast.Tuple):
        return tuple(_argument(one, text, names) for one in node.elts)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        got = excerpt(ast.get_source_segment(text, node) or "")
        raise ValueError(f"arguments are numbers, texts in quotes or None; got {got} in {excerpt(text)}.") from None


def _build(name: str, given: list[Any], named: dict[str, Any], text: str, names: dict[str, type]) -> Any:
    if name not in names:
        small = {known.casefold(): known for known in names}
        small |= {wavelet: f"DWT({wavelet!r})" for wavelet in pywt.wavelist(kind="discrete")}
        near = difflib.get_close_matches(name.casefold(), small, 1, 0.5)
        hint = f" Did you mean {small[near[0]]}?" if near else ""
        known = ", ".join(name for name in names if name not in FOR_FILES)
        raise ValueError(f"the domains and methods are {known}; got {excerpt(name)!r}.{hint}")
    signature = inspect.signature(names[name])
    try:
        signature.bind(*given, **named)
        return names[name](*given, **named)
    except TypeError as error:
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        form = signature.replace(parameters=bare, return_annotation=signature.empty)
        raise ValueError(f"{name} is written {name}{form}; got {excerpt(text)} ({excerpt(str(error))}).") from None
