"""What is said when an expression cannot be evaluated: what happened, the numbers, what to change, and where."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from torch import Tensor

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


def error(node: ast.AST, text: str, message: str, detail: str = "") -> ExpressionError:
    start, end = span(node, text)
    words = message
    if end > start:
        shown = text[start:end] if end - start <= 40 else text[start : start + 39] + "…"
        message = f"At character {start + 1}, {shown}: {message}"
    return ExpressionError(message, start, end, detail, words)


def span(node: ast.AST, text: str) -> tuple[int, int]:
    """Characters of a node in its (first) line; ast counts UTF-8 bytes."""
    start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0) or 0
    raw = text.encode()
    return len(raw[:start].decode(errors="ignore")), len(raw[:end].decode(errors="ignore"))


def syntax(text: str, at: int, error: SyntaxError) -> str:
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


def unknown(kind: str, name: str, known: Any, intro: str) -> str:
    near = difflib.get_close_matches(name, list(known), 3, 0.6) or (
        sorted(known)[:8] if len(known) < 12 else []
    )
    hint = f" {intro}: {', '.join(near)}." if near else ""
    return f"{name!r} is no {kind} that this page offers.{hint}"


def no_attribute(name: str, owner: Any, called: bool, known: Any) -> str:
    """Why there is no such method or attribute here, with what to do instead where it is known."""
    what = "method" if called else "attribute"
    if name in _CLOSED:
        return f".{name} is not offered here: {_CLOSED[name]}"
    if isinstance(owner, list) and hasattr(owner, name):
        return f".{name} changes a list in place, which is not offered here; {_LISTS.get(name, 'write the list anew, as [*old, …].')}"
    if not isinstance(owner, Tensor):
        kind = type(owner).__name__
        return f"{name!r} is no {what} of a {kind}, and what stands before it is a {kind}, not a tensor."
    return unknown(f"{what} of a tensor", name, known, "Near to it")


def no_function(name: str, known: Any, kind: str = "function") -> str:
    """Why no function of this (dotted) name can be called, with what to do instead where it is known."""
    last = name.rpartition(".")[2]
    for closed, why in _NO_FUNCTION.items():
        if name == closed or (closed.endswith(".") and name.startswith(closed)):
            return f"{name} is not offered here: {why}"
    if len(last) < 3:
        return unknown(kind, name, known, "Near to it")
    near = [k for k in known if k.rpartition(".")[2] == last] or [
        k for k in known if difflib.get_close_matches(last, [k.rpartition(".")[2]], 1, 0.75)
    ]
    near.sort(key=lambda k: (k.count("."), k))
    hint = f" Near to it: {', '.join(near[:3])}." if near else ""
    return f"{name!r} is no {kind} that this page offers.{hint}"


_NO_FUNCTION = {
    "torch.autograd.": "the Autograd page runs the backward pass of a program and shows every gradient.",
    "nn.": "layers hold weights of their own. Use their functions: F.linear, F.conv2d, F.relu, F.layer_norm, …",
    "torch.nn.": "layers hold weights of their own. Use their functions: F.linear, F.conv2d, F.relu, F.layer_norm, …",
    "torch.save": "nothing is written from here.",
    "torch.load": "nothing is read from here; the shelf has a box for files.",
    "torch.compile": "it needs a function of your own; the Speed page compiles one.",
    "torch.manual_seed": "the page's own seed setting does it.",
    "torch.set_default_dtype": "it would change every page; give dtype= to what makes the tensor.",
    "torch.no_grad": "on the Autograd page, with torch.no_grad(): opens a block.",
    "print": "every step is shown below the picture.",
    "range": "torch.arange(n) counts, as a tensor.",
    "list": "[*t] makes a list, and a tensor needs none.",
    "tuple": "a tensor needs none; write the parts in brackets.",
    "sum": "torch.sum(x) or x.sum() adds up the cells of a tensor.",
    "max": "torch.maximum(a, b) compares cell by cell, x.max() finds the largest.",
    "min": "torch.minimum(a, b) compares cell by cell, x.min() finds the smallest.",
    "round": "torch.round(x) rounds every cell.",
    "type": "x.dtype says which kind of number a tensor holds.",
    "str": "texts have no cells.",
    "open": "nothing is read from here; the shelf has a box for files.",
    "np.": "only np.array, arange, zeros, ones, linspace and eye, and only on the shelf.",
}

# what people know from programs, and why it is not here
_CLOSED = {
    "backward": "the Autograd page runs the backward pass for you; its result is the last line or `loss`.",
    "register_hook": "a hook is a function of your own. The Autograd page shows every gradient that a hook would see, "
    "at its node.",
    "register_post_accumulate_grad_hook": "a hook is a function of your own. The Autograd page shows every gradient.",
    "numpy": "NumPy arrays have no cells here; the tensor itself shows them.",
    "cuda": "choose the device on the page; tensors here are made on the CPU.",
    "to_sparse": "sparse tensors have no cells to show here.",
    "apply_": "it calls a function of your own for every cell; write the arithmetic on the whole tensor.",
    "map_": "it calls a function of your own for every cell; write the arithmetic on the whole tensor.",
    "share_memory_": "nothing is shared between processes here.",
    "set_": "it would let a tensor look at memory that is not its own.",
    "resize_": "it would show memory that was never written.",
}
_LISTS = {
    "append": "write [*l, x] for a longer list, or torch.stack and torch.cat for tensors.",
    "extend": "write [*l, *more] for a longer list, or torch.cat for tensors.",
    "insert": "write [*l[:i], x, *l[i:]].",
    "pop": "write l[:-1] for the rest and l[-1] for the last.",
    "sort": "torch.tensor(l).sort() sorts.",
    "reverse": "l[::-1] is the list backwards.",
}
