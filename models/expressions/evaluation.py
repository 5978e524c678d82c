"""A checked tree, evaluated node by node, with every intermediate kept."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_flatten

from models import torch_errors
from models.core.spec import SpecError
from models.expressions import notes, price, refusals
from models.expressions.names import ATTRIBUTES, CONSTANTS, FUNCTIONS, OPEN, OPERATORS, ROOTS, SIGNS
from models.expressions.parsing import dotted
from models.expressions.price import Limits, memory
from models.expressions.refusals import ExpressionError, no_attribute, no_function, span, unknown


@dataclass(frozen=True)
class Step:
    """One sub-expression and what it came to.

    Attributes:
        text: as written; start, end: its characters in the whole expression.
        name: the function, method or operator ("matmul", "softmax", "@", "[]"); "" for a name.
        value: a tensor, a number, a tuple or a shape, as it was right after this step.
        inputs: indices of the steps whose values it took.
    """

    text: str
    start: int
    end: int
    name: str
    value: Any
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """The value of an expression, and its steps in the order they ran (the last one is the value).

    Attributes:
        notes: what ran and is seldom meant: PyTorch's own warnings, whole numbers that wrapped around.
    """

    value: Any
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


class Evaluator:
    """Evaluates a tree with the functions, attributes and operators of `names` only, recording each step."""

    def __init__(
        self,
        names: Mapping[str, Any],
        text: str,
        limits: Limits,
        attributes: frozenset[str],
        trace: bool,
        writes: bool,
        functions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.names: Mapping[str, Any] = dict(names)
        self.functions = {**FUNCTIONS, **(functions or {})}
        tensor = ATTRIBUTES | attributes
        self.allowed = {torch.Tensor: tensor, torch.nn.Parameter: tensor, **OPEN}
        self.nodes: dict[type, Callable[[Any], Any]] = {
            ast.Name: self._eval_name,
            ast.UnaryOp: self._eval_unaryop,
            ast.BinOp: self._eval_binop,
            ast.BoolOp: self._eval_boolop,
            ast.Compare: self._eval_compare,
            ast.Call: self._eval_call,
            ast.keyword: self._eval_keyword,
            ast.Subscript: self._eval_subscript,
            ast.Attribute: self._eval_attribute,
            ast.Slice: self._eval_slice,
            ast.Constant: self._eval_constant,
            ast.List: self._eval_list,
            ast.Tuple: lambda node: tuple(self._eval_list(node)),
        }
        self.text = text
        self.limits = limits
        self.trace = trace
        self.writes = writes
        self.spent = 0
        self.measured = True
        self.notes: list[str] = []
        self.steps: list[Step] = []
        self._open: list[list[int]] = [[]]  # steps that the node being evaluated has taken so far

    def eval(self, tree: ast.expr) -> Any:
        """The value of a checked tree."""
        return self._eval(tree)

    def _eval(self, node: ast.AST) -> Any:
        evaluated = self.nodes[type(node)]
        if not self.trace or not isinstance(node, _TRACED) or self._is_function(node):
            return evaluated(node)
        self._open.append([])
        try:
            value = evaluated(node)
        finally:
            inputs = self._open.pop()
        if (
            not inputs
            and isinstance(node, (ast.Name, ast.UnaryOp))
            and not isinstance(value, torch.Tensor)
        ):
            return value
        self._open[-1].append(len(self.steps))
        start, end = span(node, self.text)
        kept = value.clone() if self.writes and isinstance(value, torch.Tensor) else value
        self.steps.append(
            Step(self.text[start:end], start, end, _step_name(node), kept, tuple(inputs))
        )
        return value

    def _eval_name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return self.names[node.id]
        if node.id in FUNCTIONS:
            raise self._error(node, f"{node.id} is a function: call it, {node.id}(…).")
        raise self._error(node, unknown("name", node.id, self.names, "Known are"))

    def _eval_constant(self, node: ast.Constant) -> Any:
        return node.value

    def _eval_unaryop(self, node: ast.UnaryOp) -> Any:
        return self._operate(node, OPERATORS[type(node.op)], self._eval(node.operand))

    def _eval_binop(self, node: ast.BinOp) -> Any:
        left, right = self._eval(node.left), self._eval(node.right)
        return self._operate(node, OPERATORS[type(node.op)], left, right)

    def _eval_boolop(self, node: ast.BoolOp) -> Any:
        value: Any = None
        for part in node.values:
            value = self._eval(part)
            if self._truth(part, value) is isinstance(node.op, ast.Or):
                break
        return value

    def _eval_compare(self, node: ast.Compare) -> Any:
        left = self._eval(node.left)
        result: Any = True
        for i, (kind, part) in enumerate(zip(node.ops, node.comparators, strict=True)):
            if i and not self._truth(node, result):
                break
            right = self._eval(part)
            result = self._operate(node, OPERATORS[type(kind)], left, right)
            left = right
        return result

    def _truth(self, node: ast.AST, value: Any) -> bool:
        try:
            return bool(value)
        except RuntimeError as error:
            raise self._torch_error(node, error, [value]) from None

    def _eval_call(self, node: ast.Call) -> Any:
        name = dotted(node.func)
        if name and name.split(".")[0] not in self.names:
            call = self.functions.get(name)
            if call is None:
                raise self._error(node.func, no_function(name, self.functions))
        elif isinstance(node.func, ast.Attribute):
            call = self._eval_attribute(node.func, called=True)
            name = node.func.attr
        elif isinstance(node.func, ast.Call) and dotted(node.func.func) in _VMAP:
            call, name = self._mapped(node.func), "vmap"
        else:
            raise self._error(node.func, "Only functions and methods by their name can be called.")
        args = self._items(node.args)
        kwargs = dict(self._eval_keyword(k) for k in node.keywords)
        if not callable(call):
            raise self._error(
                node.func, f".{name} is a property, not a method: leave the brackets away."
            )
        owner = getattr(call, "__self__", None)
        if isinstance(owner, torch.Tensor):  # the method unbound, so that its tensor is dry-run too
            args, call = [owner, *args], _method(name)
        if name.split(".")[-1].rstrip("_") in ("div", "divide"):
            try:
                price.check_quotient(*args[:2], **kwargs)
            except SpecError as error:
                raise self._error(node, str(error)) from None
        guard = price.GUARDS.get(name.split(".")[-1])
        if guard and self.measured:
            try:
                guard(*args, **kwargs)
            except SpecError as error:
                raise self._error(node, str(error)) from None
            except (TypeError, ValueError, RuntimeError, IndexError):
                pass  # PyTorch's own words for it follow from the call itself
        return self._run(node, name, call, args, kwargs)

    def _mapped(self, node: ast.Call) -> Callable[..., Any]:
        """`torch.vmap(torch.dot, in_dims=…)`: a function of the list, over one more dim."""
        inner = dotted(node.args[0]) if len(node.args) == 1 else ""
        call = self.functions.get(inner)
        if call is None:
            raise self._error(
                node,
                "vmap takes one function by its name here, as in torch.vmap(torch.dot)(a, b); "
                "a function of your own would be a lambda.",
            )
        return torch.vmap(call, **dict(self._eval_keyword(k) for k in node.keywords))

    def _eval_subscript(self, node: ast.Subscript) -> Any:
        container = self._eval(node.value)
        if not isinstance(container, (torch.Tensor, tuple, list)):
            raise self._error(node, f"A {type(container).__name__} cannot be indexed with [ ].")
        return self._run(node, "[]", operator.getitem, [container, self._eval(node.slice)], {})

    def _eval_attribute(self, node: ast.Attribute, called: bool = False) -> Any:
        name = dotted(node)
        if name and name.split(".")[0] not in self.names:
            if name in CONSTANTS:
                return CONSTANTS[name]
            if name in self.functions:
                raise self._error(node, f"{name} is a function: call it, {name}(…).")
            if name.split(".")[0] in ROOTS:
                raise self._error(node, no_function(name, {**CONSTANTS, **self.functions}, "name"))
        owner = self._eval(node.value)
        if node.attr not in self.allowed.get(type(owner), ()):
            kind = type(owner).__name__
            if node.attr in ATTRIBUTES and not isinstance(owner, torch.Tensor):
                raise self._error(
                    node,
                    f".{node.attr} belongs to a tensor, and what stands before it is a {kind}: "
                    f"it works on a tensor, not a {kind}. Make one with torch.tensor(…).",
                )
            raise self._error(node, no_attribute(node.attr, owner, called, ATTRIBUTES))
        try:
            value = getattr(owner, node.attr)
        except RuntimeError as error:
            if not self.measured:
                raise
            raise self._torch_error(node, error, []) from None
        if callable(value) and not called and not isinstance(value, (torch.Tensor, torch.Size)):
            raise self._error(node, f".{node.attr} is a method: add brackets, .{node.attr}().")
        return value

    def _eval_slice(self, node: ast.Slice) -> Any:
        parts = [node.lower, node.upper, node.step]
        return slice(*(None if p is None else self._eval(p) for p in parts))

    def _eval_keyword(self, node: ast.keyword) -> tuple[str, Any]:
        return str(node.arg), self._eval(node.value)

    def _eval_list(self, node: ast.List | ast.Tuple) -> list[Any]:
        made = self._items(node.elts)
        if not _bounded(made, self.limits):
            raise self._error(
                node,
                f"This list holds more than {self.limits.items} entries, those of the lists in it included, or is "
                f"nested more than {self.limits.depth} deep. Use a tensor, or fewer entries.",
            )
        return made

    def _items(self, nodes: Sequence[ast.expr]) -> list[Any]:
        out: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self._eval(node.value)
                if not isinstance(value, (list, tuple)):
                    raise self._error(node, "* unpacks a shape or a list only.")
                out.extend(value)
            else:
                out.append(self._eval(node))
        return out

    def _operate(self, node: ast.AST, call: Callable[..., Any], *values: Any) -> Any:
        for value in values:
            if not isinstance(value, _OPERANDS):
                raise self._error(
                    node,
                    f"Operators work on tensors and numbers, not on a {type(value).__name__}. "
                    "Make a tensor of it with torch.tensor([…]).",
                )
        if not any(isinstance(v, torch.Tensor) for v in values):
            return self._number(node, call, values)
        return self._run(node, _step_name(node), call, list(values), {})

    def _number(self, node: ast.AST, call: Callable[..., Any], values: Sequence[Any]) -> Any:
        if call in (operator.pow, operator.lshift) and any(abs(v) > 1000 for v in values):
            raise self._error(
                node, "Numbers this large are refused: keep base and exponent below 1000."
            )
        try:
            value = call(*values)
        except (ArithmeticError, TypeError, ValueError) as error:
            words = torch_errors.explain(error)
            raise self._error(node, words, detail=str(error)) from None
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
            raise self._error(
                node, "The whole number is larger than 63 bits. Use a decimal number."
            )
        return value

    def _run(
        self,
        node: ast.AST,
        name: str,
        call: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        """Dry run, then the call itself."""
        if not self.measured:
            return call(*args, **kwargs)
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        try:
            try:
                refused = price.afford(name, call, args, kwargs, self.limits, self.spent)
            except NotImplementedError:
                raise
            except Exception:  # the real call says it in better words
                refused = ""
            if refused:
                raise self._error(node, refused)
            value = call(*args, **kwargs)
            self.notes += notes.about(name, call, args, kwargs, value)
        except ExpressionError:
            raise
        except SpecError as error:  # a function of this project's own already says it well
            raise self._error(node, str(error), error.detail) from None
        except Exception as error:  # PyTorch raises many kinds; each becomes a sentence here
            raise self._torch_error(node, error, tensors) from None
        known = {memory(t)[0] for t in tensors}
        for made in tree_flatten(value)[0]:
            if isinstance(made, torch.Tensor) and memory(made)[0] not in known:
                self.spent += memory(made)[1]
        if self.spent > self.limits.total_bytes:
            raise self._error(node, price.over(self.spent, self.limits))
        if isinstance(value, (list, tuple)) and len(value) > self.limits.items:
            raise self._error(
                node, f"{name} gives {len(value)} pieces; the most is {self.limits.items}."
            )
        if not isinstance(value, _VALUES):
            raise self._error(
                node, f"{name} gives a {type(value).__name__}, which has no place here."
            )
        return value

    def _is_function(self, node: ast.AST) -> bool:
        name = dotted(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""
        return bool(name) and name.split(".")[0] not in self.names

    def _error(self, node: ast.AST, message: str, detail: str = "") -> ExpressionError:
        return refusals.error(node, self.text, message, detail)

    def _torch_error(
        self, node: ast.AST, error: BaseException, tensors: list[Any]
    ) -> ExpressionError:
        given = [t for t in tensors if isinstance(t, torch.Tensor)]
        return self._error(node, torch_errors.explain(error, given), detail=str(error))


def _bounded(value: list[Any], limits: Limits) -> bool:
    """Whether a list is small however it was nested: thirty times `x = [x, x]` is a thousand million entries."""
    count = 0
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        level, depth = stack.pop()
        count += len(level)
        if count > limits.items or depth > limits.depth:
            return False
        stack += [(v, depth + 1) for v in level if isinstance(v, (list, tuple))]
    return True


def _step_name(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return dotted(node.func) or getattr(node.func, "attr", "")
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return "[]"
    kind = getattr(node, "op", None) or (getattr(node, "ops", None) or [None])[0]
    return SIGNS.get(type(kind), "")


def _method(name: str) -> Callable[..., Any]:
    def call(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, name)(*args, **kwargs)

    return call


_TRACED = (
    ast.Name,
    ast.UnaryOp,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.Call,
    ast.Subscript,
    ast.Attribute,
)
_VMAP = ("torch.vmap", "torch.func.vmap")
_OPERANDS = (torch.Tensor, bool, int, float, complex)
_VALUES = (
    torch.Tensor,
    torch.Size,
    torch.dtype,
    torch.device,
    torch.layout,
    torch.finfo,
    torch.iinfo,
    np.ndarray,  # only where a caller offers functions that make one; nothing of it can be called
    bool,
    int,
    float,
    complex,
    tuple,
    list,
    type(None),
)
