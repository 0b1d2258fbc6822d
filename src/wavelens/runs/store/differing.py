"""What differs between two values that are known by their texts, part by part: 'steps is 16 there, 8 here'."""

from __future__ import annotations

import ast
import itertools
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping

from wavelens.spec import as_expression
from wavelens.untrusted import excerpt

MAX_VALUE = 80  # characters of a value
NOT_GIVEN = "not given"
METHOD, DOMAIN, OPTIONS = "--method", "--domain", "--…"  # names of options; of many a value has one each


def differing(name: str, old: str, new: str) -> list[str]:
    """What differs between two texts of what is called `name`; values of different classes are named by these."""
    there, here = _tree(old), _tree(new)
    if there is None or here is None:
        return [_is(name, *_brief(old, new))]
    if name == OPTIONS:
        return [_is(f"--{key.replace('_', '-')}", *texts) for key, *texts in _leaves(there, here)]
    if name == METHOD:
        return _of_explainers(there, here)
    if isinstance(there, ast.Tuple) and isinstance(here, ast.Tuple):
        return list(_of_several(name, there.elts, here.elts))
    return _of_values(name, there, here)


def _of_explainers(there: ast.expr, here: ast.expr) -> list[str]:
    """Of methods and of the domains in which they are read."""
    (old, old_domain), (new, new_domain) = _method_and_domain(there), _method_and_domain(here)
    told = [] if _text(old) == _text(new) else _of_values(METHOD, old, new)
    if old_domain is not None and new_domain is not None and _text(old_domain) != _text(new_domain):
        told += _of_values(DOMAIN, old_domain, new_domain)
    return told or [_is(METHOD, *_brief(_text(there), _text(here)))]


def _method_and_domain(node: ast.expr) -> tuple[ast.expr, ast.expr | None]:
    """An explainer without the domain in which it is read, if it is one that the command gives it."""
    options = _options(node) or {}
    domain = options.get("domain")
    if _name(node) == "FromMethod" and "method" in options:
        return options["method"], domain
    if domain is None or not isinstance(node, ast.Call):
        return node, None
    rest = [one for one in node.keywords if one.arg != "domain"]
    return ast.copy_location(ast.Call(node.func, node.args, rest), node), domain


def _of_several(name: str, there: list[ast.expr], here: list[ast.expr]) -> Iterator[str]:
    """Values in any order: those of one class are compared in turn, others are named."""
    sides = ((there, here), (here, there))
    old, new = ([one for one in own if _text(one) not in map(_text, other)] for own, other in sides)
    classes: dict[str, tuple[list[ast.expr], list[ast.expr]]] = defaultdict(lambda: ([], []))
    for side, values in enumerate((old, new)):
        for value in values:
            classes[_shown(value)][side].append(value)
    left: tuple[list[str], list[str]] = [], []
    for cls, pair in classes.items():
        for one, other in itertools.zip_longest(*pair):
            if one is not None and other is not None:
                yield from _of_values(name, one, other)
            else:
                left[other is not None].append(cls)
    if all(left):
        yield _is(name, " and ".join(left[0]), " and ".join(left[1]))
    elif any(left):
        yield f"{name} {' and '.join(left[0] or left[1])} is only {'there' if left[0] else 'here'}"
    elif not classes:
        yield f"{name} has its values in another order there"


def _of_values(name: str, there: ast.expr, here: ast.expr) -> list[str]:
    """Of two values of one class its options that differ, else their classes."""
    if _shown(there) != _shown(here):
        return [_is(name, _shown(there), _shown(here))]
    leaves = list(_leaves(there, here))
    if not all(key for key, *_ in leaves):
        return [_is(name, *_brief(_text(there), _text(here)))]
    return [f"{name} {_shown(there)}: {', '.join(_is(*leaf) for leaf in leaves)}"]


def _leaves(there: ast.expr, here: ast.expr, path: str = "") -> Iterator[tuple[str, str, str]]:
    """The options that differ, as 'domain.levels', with both texts."""
    old, new = _options(there), _options(here)
    if old is None or new is None or _name(there) != _name(here):
        shown = _shown(there), _shown(here)
        yield path, *(shown if shown[0] != shown[1] else _brief(_text(there), _text(here)))
        return
    for key in {**old, **new}:
        one, other, deeper = old.get(key), new.get(key), f"{path}.{key}" if path else key
        if one is None or other is None:
            there_text, here_text = (NOT_GIVEN if value is None else _shown(value) for value in (one, other))
            yield deeper, there_text, here_text
        elif _text(one) != _text(other):
            yield from _leaves(one, other, deeper)


def _is(name: str, there: str, here: str) -> str:
    return f"{name} is {there} there, {here} here"


def _tree(text: str) -> ast.expr | None:
    """The expression of a value with options, or of several values; None of any other text."""
    try:
        node = ast.parse(as_expression(text), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    return node if isinstance(node, ast.Tuple) or _options(node) is not None else None


def _called(node: ast.expr) -> ast.expr:
    """What is called in module:Name(…)."""
    return node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) else node


def _options(node: ast.expr) -> Mapping[str, ast.expr] | None:
    """The options of Name(option=value, …); None of anything else."""
    call = _called(node)
    if not isinstance(call, ast.Call) or call.args or not all(one.arg for one in call.keywords):
        return None
    return {str(one.arg): one.value for one in call.keywords}


def _name(node: ast.expr) -> str | None:
    call = _called(node)
    return _text(call.func) if isinstance(call, ast.Call) else None


def _text(node: ast.expr) -> str:
    """Its text, with the colon of module:Name."""
    return ast.unparse(node).replace(" @ ", ":")


def _shown(node: ast.expr) -> str:
    """The class of a value, else the value."""
    return _name(node) or excerpt(_text(node), characters=MAX_VALUE)


def _brief(old: str, new: str) -> tuple[str, str]:
    """Both texts as they are if they are short, else from a little before the place where they begin to differ."""
    if max(len(old), len(new)) <= MAX_VALUE:
        return old, new
    same = next((k for k, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(same - MAX_VALUE // 4, 0)
    there, here = ("…" * bool(start) + excerpt(text[start:], characters=MAX_VALUE) for text in (old, new))
    return there, here
