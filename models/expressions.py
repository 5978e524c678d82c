"""One line of tensor arithmetic, evaluated by a strict whitelist, with every intermediate kept.

`evaluate("(a @ b.T).softmax(dim=-1)", {"a": a, "b": b})` knows the names it was given, a fixed list of
PyTorch functions, methods and constants, and nothing else: no imports, no attributes beyond the list, no
file, no process. Every call runs on `device="meta"` first, so that a result that would be too large is
refused before anything is allocated.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpleeval
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

from models import torch_errors
from models.core import seeding
from models.core.spec import SpecError


class ExpressionError(SpecError):
    """An expression that cannot be evaluated, in a learner's words.

    Attributes:
        start, end: the characters of the text it is about.
        words: the message without that place.
    """

    def __init__(
        self, message: str, start: int = 0, end: int = 0, detail: str = "", words: str = ""
    ) -> None:
        super().__init__(message, "expression", detail)
        self.start = start
        self.end = end
        self.words = words or message


@dataclass(frozen=True)
class Limits:
    """What one expression may use; refused before anything is computed or allocated.

    Attributes:
        characters, nodes, depth: size of the text and of its syntax tree.
        items: entries of all written lists and tuples together.
        step_bytes, total_bytes: memory of one result, and of all results of the expression.
        operations: floating-point operations of one step (products of matrices and convolutions).
    """

    characters: int = 1000
    nodes: int = 400
    depth: int = 40
    items: int = 1000
    step_bytes: int = 128 * 2**20
    total_bytes: int = 512 * 2**20
    operations: float = 3e10


LIMITS = Limits()


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
    """The value of an expression, and its steps in the order they ran (the last one is the value)."""

    value: Any
    steps: tuple[Step, ...]


def parse(text: str, limits: Limits = LIMITS) -> ast.expr:
    """The syntax tree of one expression, with everything refused that is not a tensor expression.

    Raises:
        ExpressionError: not an expression, too large, or holding something that is not on the list.
    """
    if not text.strip():
        raise ExpressionError("The expression is empty. Try: a + b")
    if len(text) > limits.characters:
        raise ExpressionError(
            f"The expression has {len(text)} characters; the most is {limits.characters}. Shorten it."
        )
    depth = 0
    for i, letter in enumerate(text):
        depth += letter in "([{"
        depth -= letter in ")]}"
        if depth > limits.depth:
            raise ExpressionError(
                f"Brackets are nested more than {limits.depth} deep. Split the expression.",
                i,
                i + 1,
            )
    flat = text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    lead = len(flat) - len(flat.lstrip())
    try:
        tree = ast.parse(flat.strip(), mode="eval").body
    except SyntaxError as error:
        at = max(0, (error.offset or 1) - 1) + lead
        raise ExpressionError(_syntax(flat, at, error), at, at + 1, str(error)) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(
            "This cannot be read as an expression.", 0, len(text), str(error)
        ) from None
    if lead:
        for node in ast.walk(tree):
            if hasattr(node, "col_offset"):
                node.col_offset += lead  # type: ignore[attr-defined]  # expr nodes have offsets
                node.end_col_offset += lead  # type: ignore[attr-defined]
    check(tree, flat, limits)
    return tree


def check(tree: ast.AST, text: str = "", limits: Limits = LIMITS) -> None:
    """Refuse every node of an expression's tree that is not on the list; for callers that parsed themselves.

    Raises:
        ExpressionError: what is not allowed, and where.
    """
    count = items = 0
    stack: list[tuple[ast.AST, int]] = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        count += 1
        if depth > limits.depth:
            raise _error(
                node,
                text,
                f"The expression is nested more than {limits.depth} levels deep. Split it.",
            )
        if count > limits.nodes:
            raise _error(
                tree, text, f"The expression has more than {limits.nodes} parts. Split it."
            )
        if isinstance(node, (ast.List, ast.Tuple)):
            items += len(node.elts)
            if items > limits.items:
                raise _error(
                    node, text, f"The lists hold more than {limits.items} entries. Use fewer."
                )
        if type(node) not in _NODES:
            raise _error(
                node, text, _REFUSED.get(type(node), f"{type(node).__name__} is not offered here.")
            )
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            raise _error(node, text, f"Names that start with an underscore ({node.id}) are closed.")
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            raise _error(
                node,
                text,
                f".{node.attr} is closed: names that start with an underscore are Python's inside.",
            )
        if isinstance(node, ast.Constant):
            _check_constant(node, text)
        if isinstance(node, ast.keyword) and node.arg is None:
            raise _error(node, text, "** is not offered here: write each argument as name=value.")
        # an attribute chain or a call chain (a.T.sum().relu()) is a pipeline, not nesting
        for child in ast.iter_child_nodes(node):
            chain = isinstance(node, (ast.Attribute, ast.Call)) and child in (
                getattr(node, "func", None),
                getattr(node, "value", None),
            )
            stack.append((child, depth if chain else depth + 1))


def evaluate(
    source: str | ast.expr,
    names: Mapping[str, Any],
    *,
    text: str = "",
    limits: Limits = LIMITS,
    attributes: frozenset[str] = frozenset(),
    functions: Mapping[str, Callable[..., Any]] | None = None,
    seed: int | None = 0,
    trace: bool = True,
) -> Evaluation:
    """The value of one expression over named tensors, with its intermediate steps.

    Args:
        source: the text, or a tree that `check` has passed (then `text` is its line, for positions).
        names: what the expression may use; tensors are used as they are, so an in-place method changes them.
        attributes: further attributes and methods of a tensor to allow (a gradient lesson allows "grad").
        functions: further functions by the (dotted) name they are called with.
        seed: for expressions that draw random numbers; None when the caller has seeded.
        trace: keep the steps.

    Raises:
        ExpressionError: the expression is refused, or PyTorch refused the numbers.
    """
    if isinstance(source, str):
        text, tree = source, parse(source, limits)
    else:
        tree = source
        check(tree, text, limits)
    evaluator = _Evaluator(names, text, limits, attributes, trace, writes(tree), functions)
    with nullcontext() if seed is None or not is_random(tree) else seeding.seeded(seed):
        value = evaluator.eval(text, tree)
    return Evaluation(value, tuple(evaluator.steps))


def is_random(tree: ast.AST) -> bool:
    """Whether a function that draws random numbers stands in it."""
    return any(isinstance(n, ast.Attribute) and n.attr in RANDOM for n in ast.walk(tree))


def function(source: str | ast.expr, text: str = "") -> Callable[[Mapping[str, Any]], Any]:
    """The expression as a function of its names, for running one that `evaluate` accepted many times over.

    The whitelist stays; sizes are not looked at again, so the names must keep their shapes.
    """
    if isinstance(source, str):
        text, tree = source, parse(source)
    else:
        tree = source
        check(tree, text)
    evaluator = _Evaluator({}, text, LIMITS, frozenset(), trace=False, writes=False)
    evaluator.measured = False

    def run(names: Mapping[str, Any]) -> Any:
        evaluator.names = names
        return evaluator.eval(text, tree)

    return run


def cost(call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Cost:
    """What a call would make, found on `device="meta"`: nothing is computed or allocated.

    Raises whatever PyTorch raises for these shapes; NotImplementedError where the shape depends on values.
    """
    meter = _Meter()
    busy = (
        torch._C._len_torch_dispatch_stack()
    )  # someone is recording: our meta calls are not theirs
    apart = _disable_current_modes() if busy else nullcontext()
    with apart, torch._C.DisableTorchFunction(), torch.no_grad():
        made, kept = tree_map(_to_meta, (tuple(args), dict(kwargs)))
        with meter:
            out = call(*made, **kept)
    result = [t for t in tree_flatten(out)[0] if isinstance(t, torch.Tensor)]
    return Cost(tuple(tuple(t.shape) for t in result), meter.bytes, meter.largest, meter.operations)


@dataclass(frozen=True)
class Cost:
    """Shapes of the results, bytes of everything allocated on the way (and of the largest), operations."""

    shapes: tuple[tuple[int, ...], ...]
    bytes: int
    largest: int
    operations: float


def show_bytes(count: float) -> str:
    """A size as people say it: 512 B, 1.5 KB, 64 MB, 4 TB."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.0f} PB"


class _Meter(TorchDispatchMode):
    """Adds up what kernels would allocate and multiply."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return (
            False  # PyTorch's default wraps the method below and imports torch._dynamo for it: 3 s
        )

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.largest = 0
        self.operations = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, torch.Tensor)]
        view = any(r.alias_info is not None for r in func._schema.returns)
        for made in tree_flatten(out)[0]:
            if isinstance(made, torch.Tensor) and not view:
                size = made.numel() * made.element_size()
                self.bytes += size
                self.largest = max(self.largest, size)
                self.operations += _operations(
                    func.overloadpacket._qualified_op_name, tensors, made
                )
        return out


def _operations(name: str, tensors: list[torch.Tensor], made: torch.Tensor) -> float:
    short = name.split("::")[-1]
    if short in ("mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "matmul") and len(tensors) > 1:
        inner = tensors[-2].shape[-1] if tensors[-2].dim() else 1
        return 2.0 * made.numel() * inner
    if short in ("convolution", "_convolution") and len(tensors) > 1:
        return 2.0 * made.numel() * tensors[1][0].numel()
    if short.startswith(("linalg_", "_linalg_", "cholesky", "linalg", "_cdist")) and tensors:
        widest = max(max(t.shape, default=1) for t in tensors)
        return 25.0 * max(t.numel() for t in tensors) * widest
    return 10.0 * max([made.numel(), *(t.numel() for t in tensors)])


def _to_meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    return value


def _to_meta_but_numbers(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return value.detach().item()
    return value


class _Evaluator(simpleeval.SimpleEval):
    """simpleeval with this file's functions, attributes and operators only, recording each step."""

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
        allowed: dict[type, Any] = {
            torch.Tensor: ATTRIBUTES | attributes,
            torch.nn.Parameter: ATTRIBUTES | attributes,
            torch.Size: frozenset({"numel"}),
            **_RETURN_TYPES,
        }
        super().__init__(
            operators=_OPERATORS,
            functions={**FUNCTIONS, **(functions or {})},
            names=dict(names),
            allowed_attrs=allowed,
        )
        self.ATTR_INDEX_FALLBACK = False
        ours = {
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
            ast.List: lambda node: self._items(node.elts),
            ast.Tuple: lambda node: tuple(self._items(node.elts)),
        }
        self.nodes = ours
        self.text = text
        self.limits = limits
        self.trace = trace
        self.writes = writes
        self.spent = 0
        self.measured = True
        self.steps: list[Step] = []
        self._open: list[list[int]] = [[]]  # steps that the node being evaluated has taken so far

    # simpleeval calls this for every node
    def _eval(self, node: ast.AST) -> Any:
        if not self.trace or not isinstance(node, _TRACED) or self._is_function(node):
            return super()._eval(node)
        self._open.append([])
        try:
            value = super()._eval(node)
        finally:
            inputs = self._open.pop()
        if (
            not inputs
            and isinstance(node, (ast.Name, ast.UnaryOp))
            and not isinstance(value, torch.Tensor)
        ):
            return value
        self._open[-1].append(len(self.steps))
        start, end = _span(node, self.text)
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
        raise self._error(node, _unknown("name", node.id, self.names, "Known are"))

    def _eval_constant(self, node: ast.Constant) -> Any:
        return node.value

    def _eval_unaryop(self, node: ast.UnaryOp) -> Any:
        return self._operate(node, _OPERATORS[type(node.op)], self._eval(node.operand))

    def _eval_binop(self, node: ast.BinOp) -> Any:
        left, right = self._eval(node.left), self._eval(node.right)
        return self._operate(node, _OPERATORS[type(node.op)], left, right)

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
            result = self._operate(node, _OPERATORS[type(kind)], left, right)
            left = right
        return result

    def _truth(self, node: ast.AST, value: Any) -> bool:
        try:
            return bool(value)
        except RuntimeError as error:
            raise self._torch_error(node, error, [value]) from None

    def _eval_call(self, node: ast.Call) -> Any:
        dotted = _dotted(node.func)
        if dotted and dotted.split(".")[0] not in self.names:
            call = self.functions.get(dotted)
            if call is None:
                raise self._error(
                    node.func, _unknown("function", dotted, self.functions, "Near to it")
                )
        elif isinstance(node.func, ast.Attribute):
            call = self._eval_attribute(node.func, called=True)
            dotted = node.func.attr
        else:
            raise self._error(node.func, "Only functions and methods by their name can be called.")
        args = self._items(node.args)
        kwargs = dict(self._eval_keyword(k) for k in node.keywords)
        if not callable(call):
            raise self._error(
                node.func, f".{dotted} is a property, not a method: leave the brackets away."
            )
        owner = getattr(call, "__self__", None)
        if isinstance(owner, torch.Tensor):  # the method unbound, so that its tensor is dry-run too
            args, call = [owner, *args], _method(dotted)
        if dotted.split(".")[-1].rstrip("_") in ("div", "divide"):
            try:
                _check_quotient(*args[:2], **kwargs)
            except SpecError as error:
                raise self._error(node, str(error)) from None
        guard = GUARDS.get(dotted.split(".")[-1])
        if guard and self.measured:
            try:
                guard(*args, **kwargs)
            except SpecError as error:
                raise self._error(node, str(error)) from None
            except (TypeError, ValueError, RuntimeError, IndexError):
                pass  # PyTorch's own words for it follow from the call itself
        return self._run(node, dotted, call, args, kwargs)

    def _eval_subscript(self, node: ast.Subscript) -> Any:
        container = self._eval(node.value)
        if not isinstance(container, (torch.Tensor, tuple, list)):
            raise self._error(node, f"A {type(container).__name__} cannot be indexed with [ ].")
        return self._run(node, "[]", operator.getitem, [container, self._eval(node.slice)], {})

    def _eval_attribute(self, node: ast.Attribute, called: bool = False) -> Any:
        dotted = _dotted(node)
        if dotted and dotted.split(".")[0] not in self.names:
            if dotted in CONSTANTS:
                return CONSTANTS[dotted]
            if dotted in self.functions:
                raise self._error(node, f"{dotted} is a function: call it, {dotted}(…).")
            if dotted.split(".")[0] in _ROOTS:
                raise self._error(
                    node, _unknown("name", dotted, {**CONSTANTS, **self.functions}, "Near to it")
                )
        try:
            value = super()._eval_attribute(node)
        except simpleeval.InvalidExpression as error:
            owner = (
                str(error).partition("attribute access not allowed on '<class '")[2].split("'")[0]
            )
            if owner and node.attr in ATTRIBUTES:
                raise self._error(
                    node,
                    f".{node.attr} belongs to a tensor, and what stands before it is a {owner}: "
                    f"it works on a tensor, not a {owner}. Make one with torch.tensor(…).",
                    detail=str(error),
                ) from None
            raise self._error(
                node,
                _unknown(
                    f"{'method' if called else 'attribute'} of a tensor",
                    node.attr,
                    ATTRIBUTES,
                    "Near to it",
                ),
                detail=str(error),
            ) from None
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
            self._afford(node, name, call, args, kwargs)
            value = call(*args, **kwargs)
        except ExpressionError:
            raise
        except SpecError as error:  # a function of this project's own already says it well
            raise self._error(node, str(error), error.detail) from None
        except Exception as error:  # PyTorch raises many kinds; each becomes a sentence here
            raise self._torch_error(node, error, tensors) from None
        known = {_memory(t)[0] for t in tensors}
        for made in tree_flatten(value)[0]:
            if isinstance(made, torch.Tensor) and _memory(made)[0] not in known:
                self.spent += _memory(made)[1]
        if self.spent > self.limits.total_bytes:
            raise self._over(node, self.spent)
        if isinstance(value, (list, tuple)) and len(value) > self.limits.items:
            raise self._error(
                node, f"{name} gives {len(value)} pieces; the most is {self.limits.items}."
            )
        if not isinstance(value, _VALUES):
            raise self._error(
                node, f"{name} gives a {type(value).__name__}, which has no place here."
            )
        return value

    def _afford(
        self,
        node: ast.AST,
        name: str,
        call: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> None:
        short = name.split(".")[-1]
        if short not in _GROWING and _tiny((args, kwargs)):
            return  # nothing large can come of it; PyTorch's Python meta kernels take 3 s to import
        if name.startswith("torch.") and short in _FACTORIES:
            kwargs = {**kwargs, "device": "meta"}
        try:
            price = cost(call, args, kwargs)
        except Exception:  # the shape depends on values, or the shapes don't fit
            if short not in _GROWING:
                return
            args, kwargs = tree_map(_to_meta_but_numbers, (list(args), kwargs))
            price = cost(call, args, kwargs)
        limit = self.limits
        if price.largest > limit.step_bytes or price.bytes > limit.total_bytes:
            size = max(price.largest, price.bytes)
            shapes = ", ".join(map(str, price.shapes[:2]))
            raise self._error(
                node,
                f"{name} would make {shapes}: {show_bytes(size)}, and one step may use "
                f"{show_bytes(limit.step_bytes)}. Nothing was computed; use smaller sizes.",
            )
        if price.operations > limit.operations:
            raise self._error(
                node,
                f"{name} would take about {price.operations:.1e} operations; the most is {limit.operations:.0e}. Use smaller sizes.",
            )
        if self.spent + price.bytes > limit.total_bytes:
            raise self._over(node, self.spent + price.bytes)

    def _over(self, node: ast.AST, spent: int) -> ExpressionError:
        return self._error(
            node,
            f"All steps together would use {show_bytes(spent)}; the most is "
            f"{show_bytes(self.limits.total_bytes)}. Use smaller sizes.",
        )

    def _is_function(self, node: ast.AST) -> bool:
        dotted = _dotted(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""
        return bool(dotted) and dotted.split(".")[0] not in self.names

    def _error(self, node: ast.AST, message: str, detail: str = "") -> ExpressionError:
        return _error(node, self.text, message, detail)

    def _torch_error(
        self, node: ast.AST, error: BaseException, tensors: list[Any]
    ) -> ExpressionError:
        given = [t for t in tensors if isinstance(t, torch.Tensor)]
        return self._error(node, torch_errors.explain(error, given), detail=str(error))


def _memory(tensor: torch.Tensor) -> tuple[int, int]:
    """Which memory a tensor stands on, and its bytes; inside torch.func a wrapped tensor shows none of its own."""
    try:
        storage = tensor.untyped_storage()
    except NotImplementedError:
        return id(tensor), tensor.numel() * tensor.element_size()
    return storage._cdata, storage.nbytes()


def _error(node: ast.AST, text: str, message: str, detail: str = "") -> ExpressionError:
    start, end = _span(node, text)
    words = message
    if end > start:
        shown = text[start:end] if end - start <= 40 else text[start : start + 39] + "…"
        message = f"At character {start + 1}, {shown}: {message}"
    return ExpressionError(message, start, end, detail, words)


def _span(node: ast.AST, text: str) -> tuple[int, int]:
    """Characters of a node in its (first) line; ast counts UTF-8 bytes."""
    start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0) or 0
    raw = text.encode()
    return len(raw[:start].decode(errors="ignore")), len(raw[:end].decode(errors="ignore"))


def _dotted(node: ast.AST) -> str:
    """ "torch.linalg.norm" for that chain of names, "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _step_name(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _dotted(node.func) or getattr(node.func, "attr", "")
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return "[]"
    kind = getattr(node, "op", None) or (getattr(node, "ops", None) or [None])[0]
    return _SIGNS.get(type(kind), "")


def writes(tree: ast.AST) -> bool:
    """Whether an in-place method or an out= argument stands in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.endswith("_"):
            return True
        if isinstance(node, ast.keyword) and node.arg in ("out", "inplace"):
            return True
    return False


def _tiny(values: Any) -> bool:
    """Whether even the product of all sizes (an outer product of everything) stays small."""
    sizes = [max(t.numel(), 1) for t in tree_flatten(values)[0] if isinstance(t, torch.Tensor)]
    return max(sizes, default=1) <= 4096 and math.prod(sizes) <= 2**22


def _method(name: str) -> Callable[..., Any]:
    def call(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, name)(*args, **kwargs)

    return call


def _syntax(text: str, at: int, error: SyntaxError) -> str:
    place = f"At character {at + 1}"
    words = text.split()
    if words and words[0] in (
        "import",
        "from",
        "def",
        "class",
        "lambda",
        "del",
        "with",
        "for",
        "while",
    ):
        return f"{place}: '{words[0]}' is a Python statement; only one expression over tensors works here, such as a + b."
    if "=" in text and "==" not in text and "(" not in text.split("=")[0]:
        return (
            f"{place}: an assignment is no expression. Write only what stands right of the = sign."
        )
    return f"{place}: this cannot be read as an expression ({error.msg}). Check brackets, commas and operators."


def _unknown(kind: str, name: str, known: Any, intro: str) -> str:
    near = difflib.get_close_matches(name, list(known), 3, 0.6) or (
        sorted(known)[:8] if len(known) < 12 else []
    )
    hint = f" {intro}: {', '.join(near)}." if near else ""
    return f"{name!r} is no {kind} that this page offers.{hint}"


def _check_constant(node: ast.Constant, text: str) -> None:
    value = node.value
    if isinstance(value, bytes):
        raise _error(node, text, "Bytes have no place here.")
    if isinstance(value, str) and len(value) > 100:
        raise _error(node, text, "The text is longer than 100 characters. Shorten it.")
    if isinstance(value, str) and value.split(":")[0].strip() == "meta":
        # a product of a meta and a CPU tensor returns memory as it was found: perhaps another learner's
        raise _error(
            node, text, "Tensors on the meta device have no numbers, so it is closed here."
        )
    if isinstance(value, int) and abs(value) >= 2**63:
        raise _error(node, text, "The whole number is larger than 63 bits. Use a decimal number.")


def _check_quotient(
    input: Any = None, other: Any = None, *, rounding_mode: Any = None, **_: Any
) -> None:
    """The one quotient that stops the whole process: the smallest whole number by -1, cut off."""
    if rounding_mode is None or not isinstance(input, torch.Tensor) or input.is_floating_point():
        return
    if input.is_complex() or input.dtype == torch.bool:
        return
    lowest = bool((input == torch.iinfo(input.dtype).min).any())
    if lowest and bool((torch.as_tensor(other) == -1).any()):
        raise SpecError(
            f"The smallest {str(input.dtype).removeprefix('torch.')} divided by -1 is too large for its kind. "
            "Change one of the numbers, or convert with .double()."
        )


def _guard_one_hot(tensor: torch.Tensor, num_classes: int = -1) -> None:
    largest = int(tensor.max()) + 1 if num_classes == -1 and tensor.numel() else num_classes
    if largest * max(tensor.numel(), 1) * 8 > LIMITS.step_bytes:
        raise SpecError(
            f"one_hot would make {largest} columns: {show_bytes(largest * tensor.numel() * 8)}. Use smaller class numbers."
        )


def _guard_eye(n: int, m: int | None = None, **_: Any) -> None:
    size = int(n) * int(n if m is None else m) * 8
    if size > LIMITS.step_bytes:
        raise SpecError(f"eye would make ({n}, {m or n}): {show_bytes(size)}. Use smaller sizes.")


def _guard_diag(tensor: torch.Tensor, offset: int = 0, *_: Any, **named: Any) -> None:
    away = abs(int(named.get("diagonal", offset)))
    made = (max(tensor.shape, default=1) + away) ** 2 * tensor.element_size()
    if tensor.dim() < 2 and made > LIMITS.step_bytes:
        raise SpecError(f"A diagonal matrix would take {show_bytes(made)}. Use smaller sizes.")


def _guard_bincount(tensor: torch.Tensor, weights: Any = None, minlength: int = 0) -> None:
    largest = max(int(tensor.max()) + 1 if tensor.numel() else 0, minlength)
    if largest * 8 > LIMITS.step_bytes:
        raise SpecError(
            f"bincount would make {largest} bins: {show_bytes(largest * 8)}. Use smaller values."
        )


def _guard_repeat_interleave(
    tensor: torch.Tensor, repeats: Any, dim: int | None = None, **_: Any
) -> None:
    times = repeats.max() if isinstance(repeats, torch.Tensor) and repeats.numel() else repeats
    made = int(times) * tensor.numel() * tensor.element_size()
    if made > LIMITS.step_bytes:
        raise SpecError(
            f"repeat_interleave would make up to {show_bytes(made)}. Use fewer repeats."
        )


def _guard_histc(tensor: torch.Tensor, bins: int = 100, *_: Any, **__: Any) -> None:
    if bins > 100_000:
        raise SpecError(f"histc was asked for {bins} bins; the most is 100000.")


def _guard_tensor(data: Any, **_: Any) -> None:
    if isinstance(data, str):
        raise SpecError("torch.tensor takes numbers and lists of numbers, not a text.")


def _empty(*size: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> torch.Tensor:
    """`torch.empty` as PyTorch fills it under deterministic algorithms: NaN, or the largest whole number.

    Memory that is truly left as it was found could hold another learner's numbers.
    """
    made = torch.empty(*size, dtype=dtype, **kwargs)
    if made.is_floating_point() or made.is_complex():
        return made.fill_(math.nan)
    return made.fill_(True if made.dtype == torch.bool else torch.iinfo(made.dtype).max)


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
_OPERANDS = (torch.Tensor, bool, int, float, complex)
_VALUES = (
    torch.Tensor,
    torch.Size,
    torch.dtype,
    torch.device,
    torch.layout,
    np.ndarray,  # only where a caller offers functions that make one; nothing of it can be called
    bool,
    int,
    float,
    complex,
    tuple,
    list,
    type(None),
)
_ROOTS = ("torch", "F", "nn", "math")

_NODES = frozenset(
    {
        ast.Name, ast.Load, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.Call, ast.keyword, ast.Subscript,
        ast.Attribute, ast.Slice, ast.Constant, ast.List, ast.Tuple, ast.Starred,
        ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd, ast.Invert,
        ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult,
        ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift,
        ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    }
)  # fmt: skip

_REFUSED: dict[type, str] = {
    ast.Lambda: "lambda makes a function, and only PyTorch's own functions work here.",
    ast.ListComp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.SetComp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.DictComp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.GeneratorExp: "Comprehensions (loops inside brackets) are not offered; PyTorch works on whole tensors at once.",
    ast.NamedExpr: "An assignment (:=) is not offered inside an expression.",
    ast.IfExp: "if … else is not offered; torch.where(condition, a, b) chooses cell by cell.",
    ast.JoinedStr: "f-strings are not offered here.",
    ast.Dict: "Dictionaries are not offered here; use lists or tensors.",
    ast.Set: "Sets are not offered here; use lists or tensors.",
    ast.Await: "await is not offered here.",
    ast.Yield: "yield is not offered here.",
    ast.YieldFrom: "yield is not offered here.",
    ast.In: "'in' is not offered; torch.isin(a, b) asks it cell by cell.",
    ast.NotIn: "'not in' is not offered; ~torch.isin(a, b) asks it cell by cell.",
    ast.Is: "'is' is not offered; compare values with ==.",
    ast.IsNot: "'is not' is not offered; compare values with !=.",
}

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SIGNS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.USub: "-", ast.UAdd: "+", ast.Invert: "~", ast.Not: "not", ast.And: "and", ast.Or: "or",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip

# methods and properties of a tensor; nothing here reads or writes outside its own memory
_PROPERTIES = """
shape ndim dtype device layout T mT H mH real imag itemsize nbytes requires_grad is_leaf is_sparse
"""
_METHODS = """
abs absolute acos acosh add addcdiv addcmul addmm addmv addr all allclose amax amin aminmax angle any arccos arcsin
arctan arctan2 argmax argmin argsort argwhere asin asinh atan atan2 atanh baddbmm bfloat16 bincount bitwise_and
bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bmm bool broadcast_to byte ceil char cholesky
chunk clamp clamp_max clamp_min clip clone conj contiguous copysign corrcoef cos cosh count_nonzero cov cpu cross cummax
cummin cumprod cumsum deg2rad det detach diag diagonal diff digamma dim dist div divide dot double dsplit
element_size eq equal erf erfc erfinv exp exp2 expand expand_as expm1 fix flatten flip fliplr flipud float
float_power floor floor_divide fmax fmin fmod frac gather ge gcd geqrf ger greater greater_equal gt half heaviside
histc hsplit hypot index_add index_copy index_fill index_put index_select inner int inverse isclose isfinite
isinf isnan isneginf isposinf isreal is_complex is_contiguous is_floating_point is_nonzero is_signed item kron
kthvalue lcm ldexp le lerp less less_equal lgamma log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp
logdet logical_and logical_not logical_or logical_xor logit logsumexp long lt masked_fill masked_scatter masked_select
matmul matrix_exp matrix_power max maximum mean median min minimum mm mode moveaxis movedim mul multiply mv
nan_to_num nanmean nanmedian nanquantile nansum narrow ndimension ne neg negative nelement new_full new_ones new_tensor
new_zeros nonzero norm not_equal numel nextafter outer permute pinverse positive pow prod qr quantile rad2deg ravel
reciprocal relu remainder renorm repeat repeat_interleave reshape reshape_as resolve_conj roll rot90 round rsqrt
scatter scatter_add scatter_reduce select select_scatter sgn short sigmoid sign signbit sin sinc sinh size slogdet slice_scatter
softmax sort split split_with_sizes sqrt square squeeze std storage_offset stride sub subtract sum svd swapaxes swapdims
t take take_along_dim tan tanh tensor_split tile to topk trace transpose tril triu true_divide trunc type_as unbind unflatten
unfold unique unique_consecutive unsqueeze var vdot view view_as vsplit where xlogy is_same_size is_set_to
as_strided
abs_ add_ addcdiv_ addcmul_ clamp_ clamp_max_ clamp_min_ copy_ cos_ cumsum_ div_ divide_ eq_ exp_ fill_ floor_ ge_ gt_ index_add_
index_copy_ index_fill_ le_ log_ lt_ masked_fill_ mul_ multiply_ neg_ pow_ reciprocal_ relu_ round_ rsqrt_ scatter_
scatter_add_ sigmoid_ sin_ sqrt_ square_ sub_ subtract_ tanh_ transpose_ t_ unsqueeze_ squeeze_ zero_ fill_diagonal_
ceil_ trunc_ tril_ triu_ bernoulli_ normal_ uniform_ random_ lerp_ remainder_ fmod_ bitwise_and_ bitwise_or_ bitwise_xor_
logical_not_ nan_to_num_ swapdims_
"""
_TORCH = """
abs absolute acos acosh add addcdiv addcmul addmm addmv addr all allclose amax amin aminmax angle any arange arccos arcsin arctan
argmax argmin argsort argwhere as_tensor asin asinh atan atan2 atanh atleast_1d atleast_2d atleast_3d baddbmm bernoulli bincount
bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor block_diag bmm broadcast_shapes
broadcast_tensors broadcast_to bucketize can_cast cat cdist ceil celu chunk clamp clamp_max clamp_min clip clone column_stack complex
concat conj copysign corrcoef cos cosh count_nonzero cov cross cummax cummin cumprod cumsum cumulative_trapezoid deg2rad
det diag diagflat diagonal diff digamma dist div divide dot dsplit dstack einsum empty eq equal erf erfc erfinv exp exp2 eye
expm1 fix flatten flip fliplr flipud float_power floor floor_divide fmax fmin fmod frac full full_like gather gcd ge
greater greater_equal gt heaviside histc hsplit hstack hypot index_add index_copy index_fill index_select inner inverse
is_complex is_floating_point isclose isfinite isin isinf isnan isneginf isposinf isreal kron kthvalue lcm ldexp le lerp less
less_equal lgamma linspace log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp logdet logical_and logical_not
logical_or logical_xor logit logspace logsumexp lt masked_fill masked_select matmul matrix_exp matrix_power max maximum mean median
meshgrid min minimum mm mode moveaxis movedim mul multinomial multiply mv nan_to_num nanmean nanmedian nanquantile nansum narrow ne
neg negative nextafter nonzero norm normal not_equal numel ones ones_like outer permute pinverse poisson polar positive pow prod
promote_types quantile rad2deg rand rand_like randint randint_like randn randn_like randperm ravel reciprocal relu remainder
repeat_interleave reshape result_type roll rot90 round row_stack rsqrt scatter scatter_add scatter_reduce searchsorted select selu
sgn sigmoid sign signbit sin sinc sinh slogdet softmax sort split sqrt square squeeze stack std std_mean sub subtract sum svd
swapaxes swapdims t take take_along_dim tan tanh tensor tensor_split tensordot tile topk trace transpose trapezoid tril triu
true_divide trunc unbind unflatten unique unique_consecutive unsqueeze vander var var_mean vdot view_as_complex view_as_real vsplit vstack
where xlogy zeros zeros_like
"""
_FUNCTIONAL = """
relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign softmin softmax log_softmax gumbel_softmax sigmoid tanh
hardtanh hardsigmoid hardswish hardshrink softshrink tanhshrink threshold logsigmoid glu prelu normalize linear bilinear
layer_norm rms_norm cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy
binary_cross_entropy_with_logits kl_div hinge_embedding_loss margin_ranking_loss cosine_similarity pairwise_distance
cosine_embedding_loss triplet_margin_loss poisson_nll_loss gaussian_nll_loss pad one_hot conv1d conv2d conv3d conv_transpose1d
conv_transpose2d max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d
unfold fold pixel_shuffle pixel_unshuffle interpolate dropout embedding scaled_dot_product_attention logit batch_norm group_norm
"""
_LINALG = """
norm vector_norm matrix_norm det slogdet inv pinv solve lstsq eigh eigvalsh eig eigvals svd svdvals qr cholesky matrix_rank
matrix_power matrix_exp cross multi_dot cond diagonal vecdot matmul tensorinv
"""
_SPECIAL = (
    "erf erfc expit exp2 expm1 gammaln log1p logit logsumexp softmax log_softmax sinc xlogy entr"
)


def _words(text: str) -> list[str]:
    return text.split()


def _listed(module: Any, names: str, prefix: str) -> dict[str, Callable[..., Any]]:
    return {f"{prefix}.{n}": getattr(module, n) for n in names.split() if hasattr(module, n)}


ATTRIBUTES = frozenset(n for n in (_PROPERTIES + _METHODS).split() if hasattr(torch.Tensor, n))

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_listed(torch, _TORCH, "torch"),
    **_listed(F, _FUNCTIONAL, "F"),
    **_listed(F, _FUNCTIONAL, "torch.nn.functional"),
    **_listed(F, _FUNCTIONAL, "nn.functional"),
    **_listed(torch.linalg, _LINALG, "torch.linalg"),
    **_listed(torch.special, _SPECIAL, "torch.special"),
    **_listed(math, "sqrt exp log log2 log10 sin cos tan tanh floor ceil prod", "math"),
    "torch.empty": _empty,
    "abs": abs,
    "len": len,
    "float": float,
    "int": int,
    "bool": bool,
}  # fmt: skip

CONSTANTS: dict[str, Any] = {
    **{
        f"torch.{n}": getattr(torch, n)
        for n in _words(
            "float16 bfloat16 float32 float64 float double half uint8 int8 int16 int32 int64 int long short bool complex64 complex128 "
            "pi e inf nan newaxis strided preserve_format contiguous_format"
        )
        if hasattr(torch, n)
    },
    **{f"math.{n}": getattr(math, n) for n in ("pi", "e", "inf", "nan", "tau")},
}

GUARDS: dict[str, Callable[..., None]] = {
    "one_hot": _guard_one_hot,
    "bincount": _guard_bincount,
    "repeat_interleave": _guard_repeat_interleave,
    "histc": _guard_histc,
    "eye": _guard_eye,
    "diag": _guard_diag,
    "diagflat": _guard_diag,
    "tensor": _guard_tensor,
    "as_tensor": _guard_tensor,
}

_FACTORIES = frozenset(
    _words("arange empty full linspace logspace ones rand randint randn randperm zeros")
)
# functions whose result can be larger than any product of their inputs' sizes: no call without a known size
_GROWING = _FACTORIES | frozenset(
    _words(
        "normal repeat expand tile pad broadcast_to as_strided unfold fold interpolate new_full new_ones new_zeros vander multinomial "
        "matrix_power adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d conv1d conv2d conv3d "
        "conv_transpose1d conv_transpose2d max_pool1d max_pool2d avg_pool1d avg_pool2d block_diag"
    )
)
RANDOM = frozenset(
    _words(
        "rand randn randint randperm rand_like randn_like randint_like normal bernoulli multinomial poisson dropout gumbel_softmax "
        "normal_ uniform_ random_ bernoulli_ scaled_dot_product_attention"
    )
)


def _named_results() -> dict[type, frozenset[str]]:
    """torch.return_types.* (values and indices of max, sort, topk, …)."""
    found = {}
    for name in dir(torch.return_types):
        kind = getattr(torch.return_types, name)
        if isinstance(kind, type) and issubclass(kind, tuple) and kind is not tuple:
            fields = [
                f
                for f in dir(kind)
                if not f.startswith(("_", "n_")) and f not in ("count", "index")
            ]
            found[kind] = frozenset(fields)
    return found


_RETURN_TYPES = _named_results()
