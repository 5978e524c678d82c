"""A few lines of tensor code, run statement by statement: the expression evaluator, grown by what makes graphs dynamic.

Statements: assignments (also to several names and to `a[…]`), `+=` and its kin (in place, as PyTorch does them),
`if` on values, bounded `for … in range(…)` and `while`, and `with torch.no_grad():`. Every expression in them
goes through `models.expressions`, which alone decides which names exist.
"""

from __future__ import annotations

import ast
import functools
import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models import expressions, torch_errors
from models.core.spec import SpecError


class ProgramError(SpecError):
    """A program that cannot run, in a learner's words, at the learner's own line (from 1).

    Attributes:
        line: the line it is about; text: that line as written.
    """

    def __init__(
        self, message: str, line: int, text: str = "", detail: str = "", field: str = "program"
    ) -> None:
        super().__init__(f"Line {line}: {message}" if line else message, field, detail)
        self.line = line
        self.text = text


@dataclass(frozen=True)
class Program:
    """Checked source: its lines, its statements, and the names it assigns, in order."""

    text: str
    body: tuple[ast.stmt, ...]
    assigned: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def random(self) -> bool:
        """Whether it draws random numbers."""
        return any(
            isinstance(n, ast.Attribute) and n.attr in expressions.RANDOM
            for statement in self.body
            for n in ast.walk(statement)
        )


MAX_STATEMENTS = 3000  # run, loops included
MAX_SECONDS = 8.0
MAX_BYTES = 256 * 2**20  # of all values a recording keeps
MAX_DEPTH = 6
# what a lesson about gradients needs of a tensor beyond plain arithmetic
ATTRIBUTES = frozenset({"grad", "data", "requires_grad_", "retain_grad", "detach_"})
CONTEXTS: dict[str, Callable[[], Any]] = {
    "torch.no_grad": torch.no_grad,
    "torch.enable_grad": torch.enable_grad,
    "torch.inference_mode": torch.inference_mode,
}


def parse(text: str, field: str = "program") -> Program:
    """The statements of a program, with everything refused that the language does not have.

    Raises:
        ProgramError: a syntax error, or a statement or name that is not offered, with its line.
    """
    lines = text.split("\n")
    _check_brackets(lines, field)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        line = min(error.lineno or 1, len(lines))
        shown = lines[line - 1].strip()
        raise ProgramError(
            f"Python cannot read “{shown[:60]}”: {error.msg}. Check brackets, colons, commas and the indentation.",
            line, shown, str(error), field,
        ) from None  # fmt: skip
    except (ValueError, MemoryError, RecursionError) as error:
        raise ProgramError(
            "this cannot be read as a program.", 1, detail=str(error), field=field
        ) from None
    checker = _Checker(lines, field)
    checker.block(tree.body, 0)
    return Program(text, tuple(tree.body), tuple(dict.fromkeys(checker.assigned)))


class Interpreter:
    """Runs one program. `line` is the learner's line that runs now, for a recorder's `where`.

    Args:
        names: what exists before the first line.
        functions: further functions the program may call by name.
        started: told the number of each line that starts.
        named: told each name and value that an assignment makes.
        bytes_kept: how much memory a recording of this run holds so far.
    """

    def __init__(
        self,
        names: Mapping[str, Any] | None = None,
        *,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        started: Callable[[int], None] = lambda line: None,
        named: Callable[[str, Any], None] = lambda name, value: None,
        bytes_kept: Callable[[], int] = lambda: 0,
    ) -> None:
        self.names: dict[str, Any] = dict(names or {})
        self.functions = dict(functions or {})
        self.line = 0
        self.last = ""
        self.notes: dict[str, int] = {}  # what ran and is seldom meant → its line
        self._started = started
        self._named = named
        self._bytes_kept = bytes_kept
        self._statements = 0
        self._loops: list[int] = []  # lines of the loops that are open
        self._lines: list[str] = []
        self._field = "program"

    def run(self, program: Program, field: str = "program") -> dict[str, Any]:
        """Every name and its value after the last line.

        Raises:
            ProgramError: a line that PyTorch refused, or a loop that does not end, at its line.
        """
        self._lines, self._field = program.lines, field
        warm()
        self._until = (
            time.thread_time() + MAX_SECONDS
        )  # of work: a busy machine is not the learner's loop
        self._block(program.body)
        self.line = 0
        return self.names

    def _block(self, body: Any) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        self._begin(statement)
        match statement:
            case ast.Assign(targets=targets, value=value):
                made = self._value(value)
                for target in targets:
                    self._assign(target, made)
            case ast.AugAssign(target=target, op=op, value=value):
                self._augment(target, op, value)
            case ast.Expr(value=value):
                self._value(value)
            case ast.If(test=test, body=body, orelse=orelse):
                self._block(body if self._truth(test) else orelse)
            case ast.While(test=test, body=body):
                self._loop(statement.lineno, self._turns(statement, test), body)
            case ast.For(target=target, iter=iterable, body=body):
                self._loop(statement.lineno, self._range(statement, target, iterable), body)
            case ast.With(items=items, body=body):
                with ExitStack() as stack:
                    for item in items:
                        stack.enter_context(CONTEXTS[_dotted(item.context_expr.func)]())  # type: ignore[attr-defined]  # the checker lets only calls pass
                    self._block(body)
            case ast.Break():
                raise _Break
            case ast.Continue():
                raise _Continue

    def _loop(self, line: int, turns: Iterator[None], body: list[ast.stmt]) -> None:
        self._loops.append(line)
        for _ in turns:
            try:
                self._block(body)
            except _Continue:
                continue
            except _Break:
                break
        self._loops.pop()

    def _turns(self, statement: ast.stmt, test: ast.expr) -> Iterator[None]:
        while self._truth(test):
            yield
            self._begin(statement)

    def _range(self, statement: ast.stmt, target: ast.expr, iterable: ast.expr) -> Iterator[None]:
        arguments = [self._value(a) for a in iterable.args]  # type: ignore[attr-defined]  # the checker lets only range(…) pass
        numbers = [int(a) if isinstance(a, Tensor) and a.numel() == 1 else a for a in arguments]
        if not all(isinstance(a, int) for a in numbers):
            raise self._error("range takes whole numbers.")
        try:
            counted = range(*numbers)
        except (TypeError, ValueError) as error:
            raise self._error(f"range cannot count that: {error}.") from None
        for i in counted:
            self._begin(statement)
            self._assign(target, i)
            yield

    def _begin(self, statement: ast.stmt) -> None:
        self.line = statement.lineno
        self._statements += 1
        self._started(self.line)
        if self._statements > MAX_STATEMENTS or time.thread_time() > self._until:
            self.line = self._loops[-1] if self._loops else self.line
            raise self._error(
                f"{self._statements - 1} statements have run; a program may run {MAX_STATEMENTS} of them, for "
                f"{MAX_SECONDS:g} seconds. Does this loop ever end? Let it run fewer times."
            )
        if self._bytes_kept() > MAX_BYTES:
            raise self._error(
                f"the values of this run fill more than {expressions.show_bytes(MAX_BYTES)}. Use smaller tensors or fewer turns."
            )

    def _value(self, expression: ast.expr) -> Any:
        try:
            found = expressions.evaluate(
                expression,
                self.names,
                text=self._lines[expression.lineno - 1],
                attributes=ATTRIBUTES,
                functions=self.functions,
                seed=None,
                trace=False,
            )
        except expressions.ExpressionError as error:
            raise self._error(_sentence(error), error.detail) from None
        self.notes |= {note: self.line for note in found.notes if note not in self.notes}
        return found.value

    def _truth(self, test: ast.expr) -> bool:
        value = self._value(test)
        try:
            return bool(value)
        except RuntimeError as error:
            raise self._error(torch_errors.explain(error, [value]), str(error)) from None

    def _assign(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name(id=name):
                self.names[name] = value
                if isinstance(value, Tensor):
                    self.last = name
                    self._named(name, value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                try:
                    count = len(value)  # first: a million rows would be a million tensors
                except TypeError:
                    raise self._error(
                        f"a single value cannot be taken apart into {len(parts)} names."
                    ) from None
                if count != len(parts):
                    raise self._error(f"{count:,} values do not fit into {len(parts)} names.")
                for part, one in zip(parts, value, strict=True):
                    self._assign(part, one)
            case ast.Subscript(value=container, slice=index):
                owner, place = self._value(container), self._index(index)
                if not isinstance(owner, Tensor):
                    raise self._error("only a tensor's cells can be assigned with [ ].")
                with self._explained([owner]):
                    owner[place] = value

    def _augment(self, target: ast.expr, op: ast.operator, value: ast.expr) -> None:
        """`a += b` as Python does it: in place for a tensor, and for a cell read, changed in place and written back."""
        owner: Any = None
        place: Any = None
        if isinstance(target, ast.Subscript):
            owner, place = self._value(target.value), self._index(target.slice)
            if not isinstance(owner, Tensor):
                raise self._error("only a tensor's cells can be assigned with [ ].")
            with self._explained([owner]):
                before = owner[place]
        else:
            before = self._value(ast.copy_location(ast.Name(target.id, ast.Load()), target))  # type: ignore[attr-defined]  # the checker lets only names and cells pass
        method = _IN_PLACE.get(type(op))
        if isinstance(before, Tensor) and method:
            change = self._value(value)
            with self._explained([before, change]):
                after = getattr(before, method)(change)
        else:
            load = ast.copy_location(ast.Name(target.id, ast.Load()), target)  # type: ignore[attr-defined]  # a cell is a tensor
            after = self._value(ast.copy_location(ast.BinOp(load, op, value), target))
        if owner is None:
            self._assign(target, after)
        else:
            with self._explained([owner]):
                owner[place] = after

    def _index(self, index: ast.expr) -> Any:
        return self._value(index)

    @contextmanager
    def _explained(self, tensors: list[Any]) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            given = [t for t in tensors if isinstance(t, Tensor)]
            raise self._error(torch_errors.explain(error, given), str(error)) from None

    def _error(self, message: str, detail: str = "") -> ProgramError:
        shown = self._lines[self.line - 1].strip() if 0 < self.line <= len(self._lines) else ""
        return ProgramError(message, self.line, shown, detail, self._field)


@functools.cache
def warm() -> None:
    """PyTorch imports half of itself at the first dry run: not on the learner's clock."""
    importlib.import_module(
        "torch._dynamo"
    )  # the first operation under a dispatch mode asks for it
    expressions.evaluate("x @ x", {"x": torch.ones(1, 1)}, trace=False)


class _Break(Exception):
    """`break`."""


class _Continue(Exception):
    """`continue`."""


class _Checker:
    """Walks statements before anything runs."""

    def __init__(self, lines: list[str], field: str) -> None:
        self.lines = lines
        self.field = field
        self.assigned: list[str] = []

    def block(self, body: list[ast.stmt], depth: int, loop: bool = False) -> None:
        if depth > MAX_DEPTH:
            raise self.error(
                body[0], f"blocks are nested more than {MAX_DEPTH} deep. Flatten them."
            )
        for statement in body:
            self.statement(statement, depth, loop)

    def statement(self, statement: ast.stmt, depth: int, loop: bool) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                self.expression(value)
                for target in targets:
                    self.target(target)
            case ast.AugAssign(target=target, value=value):
                if isinstance(target, ast.Attribute):
                    raise self.error(target, "attributes cannot be assigned here.")
                self.expression(value)
                self.target(target)
            case ast.Expr(value=value):
                self.expression(value)
            case ast.If(test=test, body=body, orelse=orelse):
                self.expression(test)
                self.block(body, depth + 1, loop)
                self.block(orelse, depth + 1, loop)
            case ast.While(test=test, body=body, orelse=orelse):
                self.expression(test)
                self.block(body, depth + 1, True)
                self.no_else(orelse)
            case ast.For(target=target, iter=iterable, body=body, orelse=orelse):
                self.loop(iterable)
                self.target(target)
                self.block(body, depth + 1, True)
                self.no_else(orelse)
            case ast.With(items=items, body=body):
                for item in items:
                    name = (
                        _dotted(item.context_expr.func)
                        if isinstance(item.context_expr, ast.Call)
                        else ""
                    )
                    if name not in CONTEXTS or item.context_expr.args or item.optional_vars:  # type: ignore[attr-defined]  # a call, by its name
                        known = ", ".join(f"{n}()" for n in CONTEXTS)
                        raise self.error(statement, f"with works here with one of: {known}.")
                self.block(body, depth + 1, loop)
            case ast.Pass():
                pass
            case ast.Break() | ast.Continue():
                if not loop:
                    raise self.error(statement, "break and continue belong inside a loop.")
            case _:
                raise self.error(statement, _REFUSED.get(type(statement), _OTHER))

    def no_else(self, orelse: list[ast.stmt]) -> None:
        if orelse:
            raise self.error(orelse[0], "else after a loop is not offered here.")

    def loop(self, iterable: ast.expr) -> None:
        if not (
            isinstance(iterable, ast.Call)
            and _dotted(iterable.func) == "range"
            and not iterable.keywords
        ):
            raise self.error(iterable, "a for loop counts here: for i in range(n):.")
        for argument in iterable.args:
            self.expression(argument)

    def target(self, target: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                if name.startswith("_") or name in _RESERVED:
                    raise self.error(target, f"{name} cannot be assigned: choose another name.")
                self.assigned.append(name)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self.target(part)
            case ast.Subscript(value=value, slice=index):
                self.expression(value)
                self.expression(index)
            case ast.Attribute(attr=attr):
                hint = (
                    "Set the gradient box, or use detach() and no_grad()."
                    if attr in ("grad", "data")
                    else ""
                )
                raise self.error(target, f".{attr} cannot be assigned here. {hint}".strip())
            case _:
                raise self.error(target, "this cannot be assigned to.")

    def expression(self, expression: ast.expr) -> None:
        for node in ast.walk(expression):
            if isinstance(node, ast.Attribute) and node.attr in _BACKWARD:
                raise self.error(
                    node,
                    f"leave .{node.attr}() away: the page runs the backward pass of the last value (or of `loss`) itself, step by step.",
                )
        try:
            expressions.check(expression, self.lines[expression.lineno - 1])
        except expressions.ExpressionError as error:
            raise self.error(expression, _sentence(error)) from None

    def error(self, node: Any, message: str) -> ProgramError:
        line = getattr(node, "lineno", 1)
        return ProgramError(message, line, self.lines[line - 1].strip(), field=self.field)


def _check_brackets(lines: list[str], field: str) -> None:
    # deep nesting would exhaust the parser's own stack before any check runs
    depth = 0
    for number, line in enumerate(lines, 1):
        for letter in line.split("#")[0]:
            depth += (letter in "([{") - (letter in ")]}")
            if depth > expressions.LIMITS.depth:
                raise ProgramError(
                    f"brackets are nested more than {expressions.LIMITS.depth} deep. Split the expression.",
                    number, line.strip(), field=field,
                )  # fmt: skip
        if len(line) - len(line.lstrip()) > 80:
            raise ProgramError("the line is indented more than 80 columns.", number, field=field)


def _sentence(error: expressions.ExpressionError) -> str:
    text = str(error)
    return text[0].lower() + text[1:] if text.startswith("At character") else text


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


_RESERVED = frozenset(
    {"torch", "F", "nn", "math", "range", "abs", "len", "float", "int", "bool", "ctx"}
)
_BACKWARD = frozenset({"backward", "zero_grad", "register_hook", "step"})
_IN_PLACE: dict[type, str] = {
    ast.Add: "__iadd__",
    ast.Sub: "__isub__",
    ast.Mult: "__imul__",
    ast.Div: "__itruediv__",
    ast.FloorDiv: "__ifloordiv__",
    ast.Mod: "__imod__",
    ast.Pow: "__ipow__",
}
_OTHER = "only assignments, if, for, while and with torch.no_grad() are offered here."
_REFUSED: dict[type, str] = {
    ast.Import: "nothing can be imported; torch, F (torch.nn.functional) and math are there already.",
    ast.ImportFrom: "nothing can be imported; torch, F (torch.nn.functional) and math are there already.",
    ast.FunctionDef: "functions cannot be defined here (so nothing recurses); write the lines out, or use a loop.",
    ast.ClassDef: "classes cannot be defined here; own autograd Functions have their own section below.",
    ast.Return: "leave return away: the last assigned value, or `loss`, is the result.",
    ast.Delete: "del is not offered here.",
    ast.Assert: "assert is not offered here; use if.",
    ast.Raise: "raise is not offered here.",
    ast.Try: "try is not offered here.",
    ast.Global: "global is not offered here.",
    ast.AnnAssign: "type hints are not offered here; write name = value.",
}
