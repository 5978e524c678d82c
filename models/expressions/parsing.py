"""From text to a checked syntax tree: everything that is no tensor expression is refused before it runs."""

from __future__ import annotations

import ast

from models.expressions.names import NODES, RANDOM, REFUSED
from models.expressions.price import LIMITS, Limits
from models.expressions.refusals import ExpressionError, error, syntax


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
        raise ExpressionError(syntax(flat, at, error), at, at + 1, str(error)) from None
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
            raise error(
                node,
                text,
                f"The expression is nested more than {limits.depth} levels deep. Split it.",
            )
        if count > limits.nodes:
            raise error(tree, text, f"The expression has more than {limits.nodes} parts. Split it.")
        if isinstance(node, (ast.List, ast.Tuple)):
            items += len(node.elts)
            if items > limits.items:
                raise error(
                    node, text, f"The lists hold more than {limits.items} entries. Use fewer."
                )
        if type(node) not in NODES:
            raise error(
                node, text, REFUSED.get(type(node), f"{type(node).__name__} is not offered here.")
            )
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            raise error(node, text, f"Names that start with an underscore ({node.id}) are closed.")
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            raise error(
                node,
                text,
                f".{node.attr} is closed: names that start with an underscore are Python's inside.",
            )
        if isinstance(node, ast.Constant):
            _check_constant(node, text)
        if isinstance(node, ast.keyword) and node.arg is None:
            raise error(node, text, "** is not offered here: write each argument as name=value.")
        # an attribute chain or a call chain (a.T.sum().relu()) is a pipeline, not nesting
        for child in ast.iter_child_nodes(node):
            chain = isinstance(node, (ast.Attribute, ast.Call)) and child in (
                getattr(node, "func", None),
                getattr(node, "value", None),
            )
            stack.append((child, depth if chain else depth + 1))


def is_random(tree: ast.AST) -> bool:
    """Whether a function that draws random numbers stands in it."""
    return any(isinstance(n, ast.Attribute) and n.attr in RANDOM for n in ast.walk(tree))


def writes(tree: ast.AST) -> bool:
    """Whether an in-place method or an out= argument stands in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.endswith("_"):
            return True
        if isinstance(node, ast.keyword) and node.arg in ("out", "inplace"):
            return True
    return False


def dotted(node: ast.AST) -> str:
    """ "torch.linalg.norm" for that chain of names, "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _check_constant(node: ast.Constant, text: str) -> None:
    value = node.value
    if isinstance(value, bytes):
        raise error(node, text, "Bytes have no place here.")
    if isinstance(value, str) and len(value) > 100:
        raise error(node, text, "The text is longer than 100 characters. Shorten it.")
    if isinstance(value, str) and value.split(":")[0].strip() == "meta":
        # a product of a meta and a CPU tensor returns memory as it was found: perhaps another learner's
        raise error(node, text, "Tensors on the meta device have no numbers, so it is closed here.")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise error(node, text, "The whole number is larger than 63 bits. Use a decimal number.")
