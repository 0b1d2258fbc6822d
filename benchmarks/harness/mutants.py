"""Small faults of a module: one operator, number, condition, return value or statement of a function is another.

Not changed are defaults and class fields, which are choices and no logic, annotations, decorators, the texts of errors
and the docstrings.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

PAIRS: tuple[tuple[type[ast.AST], type[ast.AST]], ...] = (
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),
    (ast.Add, ast.Sub),
    (ast.Mult, ast.Div),
    (ast.BitAnd, ast.BitOr),
    (ast.LShift, ast.RShift),
    (ast.And, ast.Or),
)
OTHERS = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])} | {
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.USub: ast.UAdd,
}
BODIES = ("body", "orelse", "finalbody")
MAX_TEXT = 120  # characters


@dataclass(frozen=True)
class Change:
    """A place in a module and what is done to its tree there: as `kind` says, or as the text of `shown` tells it."""

    line: int
    kind: str
    apply: Callable[[], object]
    shown: ast.AST | None = None


def places(source: str) -> int:
    """How many mutants a module has."""
    return len(list(_changes(ast.parse(source))))


def mutated(source: str, number: int) -> tuple[ast.Module, int, str]:
    """The tree of a mutant, its line, and its text, 'comparison: a < b → a <= b'."""
    tree = ast.parse(source)
    change = list(_changes(tree))[number]
    before = "" if change.shown is None else ast.unparse(change.shown)
    change.apply()
    ast.fix_missing_locations(tree)
    text = change.kind if change.shown is None else f"{change.kind}: {before} → {ast.unparse(change.shown)}"
    return tree, change.line, " ".join(text.split())[:MAX_TEXT]


def _changes(tree: ast.Module) -> Iterator[Change]:
    """All changes in the functions of a module, in the order of the source."""
    for node in tree.body:
        for function in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(function, ast.FunctionDef):
                yield from _in_statements(function.body)


def _in_statements(statements: list[ast.stmt]) -> Iterator[Change]:
    for place, statement in enumerate(statements):
        if isinstance(statement, ast.Raise) or _is_text(statement):
            continue
        if isinstance(statement, ast.AugAssign) or (isinstance(statement, ast.Expr) and _is_call(statement.value)):
            drop = partial(statements.__setitem__, place, ast.Pass())
            yield Change(statement.lineno, f"dropped: {ast.unparse(statement)}", drop)
        if isinstance(statement, ast.FunctionDef):
            yield from _in_statements(statement.body)
            continue
        yield from _in_node(statement)
        for name in BODIES:
            yield from _in_statements(getattr(statement, name, []))
        for handler in getattr(statement, "handlers", []):
            yield from _in_statements(handler.body)


def _in_node(node: ast.AST) -> Iterator[Change]:
    """The changes of a node and of the expressions below it; statements below are told apart by their caller."""
    yield from _of(node)
    for name, value in ast.iter_fields(node):
        if (name in ("annotation", *BODIES) and isinstance(node, ast.stmt)) or name == "handlers":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr | ast.stmt):
                yield from _in_node(child)


def _of(node: ast.AST) -> Iterator[Change]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield Change(line, "comparison", partial(node.ops.__setitem__, 0, OTHERS[type(node.ops[0])]()), node)
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.AugAssign) and type(node.op) in OTHERS:
        yield Change(line, "operator", partial(setattr, node, "op", OTHERS[type(node.op)]()), node)
    if isinstance(node, ast.Constant):
        for value in _other_values(node.value):
            yield Change(line, "number", partial(setattr, node, "value", value), node)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield Change(line, f"negated: {ast.unparse(node.test)}", partial(setattr, node, "test", negated))
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield Change(line, "returned", partial(setattr, node, "value", ast.Constant(None)), node)


def _other_values(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    return [value + 1, value - 1] if isinstance(value, int | float) else []


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call)
