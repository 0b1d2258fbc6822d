"""Domains and methods as text: `parse(repr(v)) == v`. Literals only, nothing is executed.

A user's own class is written with its module, `own:TwoEnds()`. `parse` knows it where the class itself is passed along.
`parse_own` imports the module: it is for what a user types, never for the text of a file.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import io
import tokenize
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pywt

from wavelens.domains import (
    DWT,
    STFT,
    ConstantQ,
    Cosine,
    DualTree,
    Fourier,
    FrequencyBands,
    GraphWavelets,
    Identity,
    Joint,
    Packets,
    Shearlets,
    Shifted,
    Stationary,
    TextHaar,
    TreeHaar,
)
from wavelens.methods import (
    HSIC,
    RISE,
    BlurredPath,
    Captum,
    CoarseToFine,
    DecisionGradients,
    ExpectedGradients,
    HierarchicalShapley,
    ImportantDirections,
    InputTimesGradient,
    IntegratedGradients,
    KernelSHAP,
    Lxt,
    Owen,
    Saliency,
    ScaleShapley,
    SmoothGrad,
    Sobol,
    SquareGrad,
    VarGrad,
    Zennit,
)
from wavelens.models.named_functions import imported
from wavelens.own import is_own_method
from wavelens.shapes import SHAPES
from wavelens.untrusted import excerpt

DOMAINS = (
    DWT,
    Packets,
    Stationary,
    DualTree,
    Shearlets,
    Cosine,
    Fourier,
    STFT,
    ConstantQ,
    FrequencyBands,
    TreeHaar,
    TextHaar,
    GraphWavelets,
    Shifted,
    Identity,
)
METHODS = (
    Saliency,
    InputTimesGradient,
    SmoothGrad,
    IntegratedGradients,
    CoarseToFine,
    BlurredPath,
    DecisionGradients,
    ImportantDirections,
    ExpectedGradients,
    VarGrad,
    SquareGrad,
    ScaleShapley,
    Owen,
    HierarchicalShapley,
    KernelSHAP,
    RISE,
    Sobol,
    HSIC,
    Captum,
    Zennit,
    Lxt,
)
FORM = "a domain or method is written like DWT('db4', levels=3)"
DOMAIN_OR_METHOD = "domain or method"
MAX_CHARACTERS = 2000  # of a text: no number in it is too long to be shown, and no bracket too deep
NAMES: dict[str, type] = {cls.__name__: cls for cls in (*DOMAINS, *METHODS, *SHAPES)}
FOR_FILES: dict[str, type] = {"Joint": Joint}  # nobody writes these by hand


OfFunction = Callable[[str, Callable[..., Any], dict[str, Any]], Any]  # (name, function, options) -> value


class UnknownOwnClass(ValueError):
    """A text names a class of a user's own that was not passed along with it."""

    def __init__(self, name: str) -> None:
        bare = name.rpartition(":")[2]
        super().__init__(f"{name} is a class of your own, and no text imports code. Pass the class: also=[{bare}].")
        self.name = name


def parse(text: str, also: Iterable[type] = ()) -> Any:
    """The value that `text` describes, such as `DWT('db4', levels=3)` or `SmoothGrad`; `ValueError` otherwise.

    The classes `also` may be written too, by their names or as `module:Name`; nothing is imported. A text has at most
    `MAX_CHARACTERS`.
    """
    return _Reader(text, tuple(also)).value()


def parse_own(
    text: str,
    also: Iterable[type] = (),
    of_function: OfFunction | None = None,
    *,
    what: str = DOMAIN_OR_METHOD,
    choices: Sequence[type] = (),
) -> Any:
    """As `parse`, and for `module:Name(…)` the module is imported, from the working folder last: its code runs.

    `of_function` makes the value of a whole text that names a function; without it a function is a `ValueError`.
    `what` the text stands for, and the classes that are `choices` for it, are named to who writes another.
    """
    return _Reader(text, tuple(also), True, of_function, what, tuple(choices)).value()


def is_method(value: Any) -> bool:
    """Whether a value is a method: one of the library's, or a user's own that is called as `(ask, lifts, baseline)`."""
    return isinstance(value, METHODS) or is_own_method(value)


@dataclass(frozen=True)
class _Reader:
    """A text and the classes that it may name."""

    given: str
    also: tuple[type, ...]
    imports: bool = False
    of_function: OfFunction | None = None
    what: str = DOMAIN_OR_METHOD
    choices: tuple[type, ...] = ()

    @property
    def text(self) -> str:
        return self.given.strip()

    @cached_property
    def names(self) -> dict[str, type]:
        return NAMES | FOR_FILES | {cls.__name__: cls for cls in self.also}

    def value(self) -> Any:
        if not isinstance(self.given, str) or len(self.given) > MAX_CHARACTERS:
            form = f"{FORM}, a text of at most {MAX_CHARACTERS:,} characters"
            if not isinstance(self.given, str):
                raise ValueError(f"{form}; got {type(self.given).__name__}.")
            raise ValueError(
                f"{form}; got {len(self.given):,} characters. Keep a tree, edges or a basis of that length in a class "
                "of your own, as the default of a field(repr=False)."
            )
        try:
            node = ast.parse(as_expression(self.text), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError, tokenize.TokenError):  # of too many brackets, too
            raise ValueError(f"{FORM}; got {excerpt(self.text)!r}.") from None
        return self._value(node, self.of_function)

    def _value(self, node: ast.expr, of_function: OfFunction | None = None) -> Any:
        module, called = _split(node)
        if isinstance(called, ast.Name):
            return self._built(module, called.id, [], {}, of_function)
        if isinstance(called, ast.Call) and isinstance(called.func, ast.Name) and all(k.arg for k in called.keywords):
            named = {str(k.arg): self._argument(k.value) for k in called.keywords}
            return self._built(module, called.func.id, [self._argument(a) for a in called.args], named, of_function)
        raise ValueError(f"{FORM}; got {excerpt(self.text)!r}.")

    def _argument(self, node: ast.expr) -> Any:
        is_name = isinstance(node, ast.Name) and node.id in self.names
        if is_name or isinstance(node, ast.Call) or _split(node)[0]:
            return self._value(node)
        if isinstance(node, ast.Tuple):
            return tuple(self._argument(one) for one in node.elts)
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, RecursionError):
            got, text = excerpt(ast.get_source_segment(self.text, node) or ""), excerpt(self.text)
            raise ValueError(f"arguments must be numbers, texts in quotes or None; got {got} in {text}.") from None

    def _built(
        self, module: str | None, name: str, given: list[Any], named: dict[str, Any], of_function: OfFunction | None
    ) -> Any:
        if module is None:
            return self._made(name, self.names[name] if name in self.names else self._unknown(name), given, named)
        name = f"{module}:{name}"
        cls = self._own(name)
        if isinstance(cls, type):
            if not (params := getattr(cls, "__dataclass_params__", None)) or not params.frozen:
                raise ValueError(f"{name} is no frozen dataclass, so no text says what it does. Make it one.")
            return self._own_made(name, cls, given, named)
        if of_function is None or not callable(cls):
            raise ValueError(
                f"{name} is a {type(cls).__name__}, not a class. Name a class, such as own:Mine(samples=3)."
            )
        if given:
            raise ValueError(f"the options of {name} must have names; got {excerpt(self.text)}. Write name=value.")
        return of_function(name, cls, named)

    def _own(self, name: str) -> Any:
        """The class `module:Name`, of those passed along or imported; by its name alone where the module is another."""
        exact = [cls for cls in self.also if f"{cls.__module__}:{cls.__name__}" == name]
        if exact:
            return exact[0]
        if self.imports:
            return imported(name)
        alike = [cls for cls in self.also if cls.__name__ == name.rpartition(":")[2]]
        if not alike:
            raise UnknownOwnClass(excerpt(name))
        return alike[0]

    def _own_made(self, name: str, cls: type, given: list[Any], named: dict[str, Any]) -> Any:
        try:
            return self._made(name, cls, given, named)
        except ValueError:
            raise
        except Exception as error:  # a user's own code raises anything
            raise ValueError(f"{excerpt(self.text)} raises {type(error).__name__}: {excerpt(str(error))}") from error

    def _unknown(self, name: str) -> type:
        whole = self.text.partition("(")[0].strip() == name  # else it is an argument
        chosen = [cls.__name__ for cls in self.choices] if whole else []
        what = self.what if chosen else DOMAIN_OR_METHOD
        classes = chosen or [known for known in self.names if known not in FOR_FILES]
        initials = {"".join(filter(str.isupper, known)): known for known in reversed(classes)}
        small = {known.casefold(): known for known in classes}
        if "DWT" in classes:
            small |= {wavelet: f"DWT({wavelet!r})" for wavelet in pywt.wavelist(kind="discrete")}
        near = difflib.get_close_matches(initials.get(name, name).casefold(), small, 1, 0.5)
        if near:
            raise ValueError(f"there is no {what} {excerpt(name)!r}. Did you mean {small[near[0]]}?")
        known = ", ".join(classes)
        own = " One of your own is written with its module, own:Mine()." if self.imports else ""
        raise ValueError(f"there is no {what} {excerpt(name)!r}. Choose one of {known}.{own}")

    def _made(self, name: str, cls: type, given: list[Any], named: dict[str, Any]) -> Any:
        signature = inspect.signature(cls)
        try:
            signature.bind(*given, **named)
            return cls(*given, **named)
        except TypeError as error:
            bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
            form = signature.replace(parameters=bare, return_annotation=signature.empty)
            got = f"{excerpt(self.text)} ({excerpt(str(error))})"
            raise ValueError(f"{name} is written {name}{form}; got {got}.") from None


def _split(node: ast.expr) -> tuple[str | None, ast.expr]:
    """The module of `module:Name(…)`, or None, and the rest."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        module = ast.unparse(node.left)
        if all(part.isidentifier() for part in module.split(".")):
            return module, node.right
    return None, node


def as_expression(text: str) -> str:
    """The text with the colon of each `module:Name` as the operator @, which no text may have; as long as it was.

    `SyntaxError` or `tokenize.TokenError` for what is no expression.
    """
    if not set(":@") & set(text):
        return text
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    lines = [list(line) for line in text.splitlines(keepends=True)]
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.string == "@":
            raise SyntaxError("@ is no part of a value")
        joined = before.end == token.start and token.end == after.start
        if token.string == ":" and joined and before.type == after.type == tokenize.NAME:
            lines[token.start[0] - 1][token.start[1]] = "@"
    return "".join("".join(line) for line in lines)
