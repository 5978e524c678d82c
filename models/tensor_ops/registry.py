"""Every operation of the Tensors page: its signature, what it does, an example that shows its point, and one call that fails.

An entry is written around PyTorch's own signature: `"torch.sum(input, dim=None, keepdim=False)"`. What kind of
value a parameter takes follows from its name (`KINDS`), so that one line gives the widgets, the code and the link.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from models.core.spec import SpecError

Kind = Literal[
    "tensor",
    "tensors",
    "dim",
    "dims",
    "int",
    "float",
    "bool",
    "sizes",
    "dtype",
    "choice",
    "index",
    "text",
]


@dataclass(frozen=True)
class Param:
    """One parameter of an operation.

    Attributes:
        name: PyTorch's name; kind: what it takes; help: one line in a learner's words.
        default: source text of PyTorch's own default, left out of the code; None when it must be given.
        choices: the values of a menu, as source text.
        star: its numbers are written one after the other (`view(2, 3)`).
    """

    name: str
    kind: Kind
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    star: bool = False

    @property
    def title(self) -> str:
        """The parameter in plain words: `Keep the dimension` for `keepdim`."""
        return WORDS.get(self.name) or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Failure:
    """A call that PyTorch refuses: other shelf lines, other parameters, and words of the message a learner reads."""

    params: str
    says: str
    shelf: str = ""


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        form: the call with its parameters as `{name}`, or "" for an ordinary call of `function`.
        function: "torch.sum", "Tensor.view", "F.pad", or an operator or index form's nearest relative.
        example: parameter values, as `name=value, …`, of the default example; `shelf`: its tensors.
        writes: changes its first tensor in place.
        triangle: reads only the lower triangle of its matrix, taking the upper one as its mirror.
    """

    name: str
    family: str
    function: str
    sentence: str
    params: tuple[Param, ...]
    shelf: str
    example: str
    fails: Failure
    form: str = ""
    writes: bool = False
    triangle: bool = False

    @property
    def docs(self) -> str:
        """The page of PyTorch's documentation."""
        path = _DOCUMENTED.get(self.function, self.function)
        path = path.replace("F.", "torch.nn.functional.").replace("Tensor.", "torch.Tensor.")
        if path == "indexing":
            return "https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops"
        return f"https://docs.pytorch.org/docs/stable/generated/{path}.html"

    def values(self, text: str = "", names: tuple[str, ...] = ()) -> dict[str, str]:
        """Every parameter's value as source text: the given ones, the example's, tensors of the shelf in order."""
        given = {**parse_params(self.example), **parse_params(text)}
        unknown = set(given) - {p.name for p in self.params}
        if unknown:
            takes = ", ".join(p.name for p in self.params)
            raise SpecError(
                f"{self.name} has no parameter {sorted(unknown)[0]!r}. It takes: {takes}.", "params"
            )
        names = names or shelf_names(self.shelf)
        out: dict[str, str] = {}
        place = 0
        for p in self.params:
            if p.name in given:
                out[p.name] = given[p.name]
            elif p.kind == "tensor" and p.default is None:
                out[p.name] = names[min(place, len(names) - 1)] if names else "a"
            elif p.kind == "tensors":
                out[p.name] = "[" + ", ".join(names[:2]) + "]"
            else:
                out[p.name] = p.default or ""
            place += p.kind == "tensor" and p.default is None
        return out

    def code(self, text: str = "", names: tuple[str, ...] = ()) -> str:
        """The call as one expression, such as `torch.sum(a, dim=1)`."""
        values = self.values(text, names)
        if self.form:
            return self.form.format(**values)
        method = self.function.startswith("Tensor.")
        shown: list[str] = []
        named = False  # after the first name=value every further argument needs its name too
        for i, p in enumerate(self.params):
            value = values[p.name]
            if (method and i == 0) or value in ("", p.default):
                continue
            if p.star:
                shown.append(_bare(value))
            elif p.default is None and p.kind in ("tensor", "tensors") and not named:
                shown.append(value)
            else:
                named = True
                shown.append(f"{p.name}={_sized(p, value)}")
        head = self.function
        if method:
            first = values[self.params[0].name]
            head = (first if first.isidentifier() else f"({first})") + self.function[6:]
        return f"{head}({', '.join(shown)})"


def parse_params(text: str) -> dict[str, str]:
    """`"dim=1, keepdim=True"` as {"dim": "1", "keepdim": "True"}.

    Raises:
        SpecError: it is not of that form.
    """
    if not text.strip():
        return {}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise SpecError(
            f"The parameters {text[:60]!r} cannot be read. Write them as name=value, separated by commas.",
            "params",
        ) from None
    if (
        not isinstance(call, ast.Call)
        or call.args
        or not isinstance(call.func, ast.Name)
        or any(k.arg is None for k in call.keywords)
    ):
        raise SpecError(
            f"The parameters {text[:60]!r} need their names: name=value, separated by commas.",
            "params",
        )
    found = {}
    for k in call.keywords:
        segment = ast.get_source_segment(f"f({text})", k.value) or ""
        quoted = isinstance(k.value, ast.Constant) and isinstance(k.value.value, str)
        found[str(k.arg)] = (
            k.value.value if quoted and k.arg in _UNQUOTED else segment  # type: ignore[union-attr]  # a Constant
        )
    return found


def join_params(values: Mapping[str, str]) -> str:
    """The text that `parse_params` reads back."""
    return ", ".join(
        f"{name}={value!r}" if name in _UNQUOTED else f"{name}={value}"
        for name, value in values.items()
        if value != ""
    )


@cache
def shelf_names(shelf: str) -> tuple[str, ...]:
    """The names of a shelf's lines, in order."""
    return tuple(
        line.split("=", 1)[0].strip() for line in shelf.splitlines() if "=" in line and line.strip()
    )


def find(words: str) -> tuple[Op, ...]:
    """Operations whose name, family or sentence holds every word, best first."""
    parts = words.lower().replace("torch.", "").split()

    def rank(op: Op) -> tuple[int, str]:
        return (
            0
            if op.name == " ".join(parts)
            else 1
            if parts and op.name.startswith(parts[0])
            else 2
            if parts and parts[0] in op.name
            else 3,
            op.name,
        )

    hits = [
        op
        for op in OPS.values()
        if all(w in f"{op.name} {op.family} {op.function} {op.sentence}".lower() for w in parts)
    ]
    return tuple(sorted(hits, key=rank)) if parts else tuple(hits)


def families() -> dict[str, tuple[Op, ...]]:
    """Operations by family, in the order of the registry."""
    found: dict[str, list[Op]] = {}
    for op in OPS.values():
        found.setdefault(op.family, []).append(op)
    return {k: tuple(v) for k, v in found.items()}


def _bare(value: str) -> str:
    value = value.strip()
    return value[1:-1].rstrip(",") if value[:1] in "([" and value[-1:] in ")]" else value


def _sized(p: Param, value: str) -> str:
    """Sizes typed as `2, 3` become the tuple that a keyword needs."""
    many = p.kind in ("sizes", "dims") and "," in value and value.strip()[0] not in "(["
    return f"({value})" if many else value


def _entry(
    family: str,
    signature: str,
    sentence: str,
    shelf: str,
    example: str,
    fails: tuple[str, ...],
    *,
    form: str = "",
    **kinds: tuple[Kind, str] | tuple[Kind, str, tuple[str, ...]],
) -> tuple[str, str, str, str, str, tuple[str, ...], str, Mapping[str, tuple]]:
    return (family, signature, sentence, shelf, example, fails, form, kinds)


def _build(name: str, entry: tuple) -> Op:
    family, signature, sentence, shelf, example, fails, form, kinds = entry
    call = ast.parse(signature, mode="eval").body
    assert isinstance(call, ast.Call)  # written in this file, tested
    params = []
    asked = [(a, None) for a in call.args] + [
        (ast.Name(k.arg or ""), k.value) for k in call.keywords
    ]
    for node, default in asked:
        star = isinstance(node, ast.Starred)
        inner = node.value if isinstance(node, ast.Starred) else node
        assert isinstance(inner, ast.Name)  # written in this file, tested
        kind, help, *choices = kinds.get(inner.id) or KINDS[inner.id]
        params.append(
            Param(
                inner.id,
                kind,
                help,
                None if default is None else ast.unparse(default),
                tuple(choices[0]) if choices else (),
                star,
            )
        )
    return Op(
        name,
        family,
        ast.unparse(call.func),
        sentence,
        tuple(params),
        shelf,
        example,
        Failure(*fails),
        form,
        writes=ast.unparse(call.func).endswith("_"),
        triangle=name in ("cholesky", "eigvalsh"),
    )


# functions whose documentation stands under another name
_DOCUMENTED = {
    "torch.masked_fill": "Tensor.masked_fill",
    "torch.index_fill": "Tensor.index_fill",
    "torch.log_softmax": "F.log_softmax",
    "torch.relu": "F.relu",
    "Tensor.relu_": "F.relu_",
}

_UNQUOTED = ("index", "dims_text")

_DTYPES = (
    "torch.float32", "torch.float64", "torch.float16", "torch.bfloat16", "torch.int64", "torch.int32", "torch.int16",
    "torch.int8", "torch.uint8", "torch.bool",
)  # fmt: skip

# parameter name → what it is called in plain words, where its own name is none
WORDS = {
    "A": "Matrix",
    "B": "Right-hand side",
    "alpha": "Factor of the other",
    "approximate": "Approximation",
    "atol": "Absolute tolerance",
    "batch1": "Left batch",
    "batch2": "Right batch",
    "beta": "Factor of the input",
    "chunks": "Pieces",
    "correction": "Correction of N",
    "dim": "Dimension",
    "dim0": "First dimension",
    "dim1": "Second dimension",
    "dims": "Dimensions",
    "dtype": "Kind of number",
    "end_dim": "Last dimension",
    "indices_or_sections": "Pieces or places",
    "k": "How many",
    "keepdim": "Keep the dimension",
    "mat1": "Left matrix",
    "mat2": "Right matrix",
    "max": "Highest",
    "min": "Lowest",
    "minlength": "Least bins",
    "n": "Times",
    "nan": "In place of NaN",
    "num_classes": "Classes",
    "ord": "Order of the norm",
    "p": "Order of the norm",
    "pad": "Padding",
    "q": "Share below",
    "reduce": "Reduction",
    "rtol": "Relative tolerance",
    "self": "Tensor",
    "split_size_or_sections": "Size or sizes",
    "src": "Source",
    "start_dim": "First dimension",
    "tensor1": "First factor",
    "tensor2": "Second factor",
    "vec": "Vector",
    "vec2": "Second vector",
    "x1": "First points",
    "x2": "Second points",
}

# parameter name → what it takes, in a learner's words
KINDS: dict[str, tuple] = {
    "input": ("tensor", "The tensor it works on."),
    "self": ("tensor", "The tensor whose method is called."),
    "other": ("tensor", "The second tensor, or a number."),
    "tensors": ("tensors", "The tensors to join, in order."),
    "tensor1": ("tensor", "The first factor."),
    "tensor2": ("tensor", "The second factor."),
    "mat2": ("tensor", "The right-hand matrix."),
    "mat1": ("tensor", "The left-hand matrix."),
    "batch1": ("tensor", "The left-hand batch of matrices."),
    "batch2": ("tensor", "The right-hand batch of matrices."),
    "vec": ("tensor", "The vector."),
    "vec2": ("tensor", "The second vector."),
    "A": ("tensor", "The matrix."),
    "B": ("tensor", "The right-hand side."),
    "x1": ("tensor", "Points, one per row."),
    "x2": ("tensor", "Points, one per row."),
    "condition": ("tensor", "True where the first is taken, False where the second."),
    "mask": ("tensor", "True marks the cells that are meant."),
    "index": ("tensor", "Whole numbers that say which place along dim."),
    "indices": ("tensor", "Whole numbers that say which place along dim."),
    "src": ("tensor", "Where the written values come from."),
    "source": ("tensor", "Where the written values come from."),
    "end": ("tensor", "The tensor at weight 1."),
    "elements": ("tensor", "The numbers that are looked up."),
    "test_elements": ("tensor", "The numbers that are searched."),
    "sorted_sequence": ("tensor", "Rising numbers: the borders."),
    "boundaries": ("tensor", "Rising numbers: the borders."),
    "dim": ("dim", "Which dim it runs along; None takes all cells."),
    "dim0": ("dim", "The first of the two dims."),
    "dim1": ("dim", "The second of the two dims."),
    "start_dim": ("dim", "The first dim that is merged."),
    "end_dim": ("dim", "The last dim that is merged."),
    "source_dim": ("dim", "Where the dim is."),
    "destination": ("dim", "Where the dim goes."),
    "keepdim": ("bool", "Keep the reduced dim with size 1, so that the result still broadcasts."),
    "descending": ("bool", "Largest first."),
    "stable": ("bool", "Equal values keep their order."),
    "largest": ("bool", "The largest, or the smallest."),
    "sorted": ("bool", "In order."),
    "unbiased": ("bool", "Divide by N − 1."),
    "right": ("bool", "On a tie go to the right."),
    "correction": ("int", "Divide by N minus this."),
    "k": ("int", "How many, or which one."),
    "diagonal": ("int", "Which diagonal: 0 the main one, positive above it."),
    "offset": ("int", "Which diagonal: 0 the main one, positive above it."),
    "chunks": ("int", "Into how many pieces."),
    "length": ("int", "How many places."),
    "start": ("int", "The first place."),
    "n": ("int", "How often."),
    "size": ("sizes", "Sizes, or how many places in one window."),
    "step": ("int", "How far from one window to the next."),
    "num_classes": ("int", "How many classes; -1 counts them."),
    "minlength": ("int", "At least this many bins."),
    "bins": ("int", "How many bins."),
    "decimals": ("int", "How many decimals are kept."),
    "repeats": ("sizes", "How often each dim is repeated."),
    "shape": ("sizes", "The new sizes; one may be -1."),
    "sizes": ("sizes", "The new sizes."),
    "split_size_or_sections": ("sizes", "The size of a piece, or a list of sizes."),
    "shifts": ("int", "How far."),
    "dims": ("dims", "Which dims."),
    "pad": ("sizes", "Cells before and after, the last dim first."),
    "exponent": ("float", "The power."),
    "alpha": ("float", "Factor of the second tensor."),
    "beta": ("float", "Factor of the input."),
    "value": ("float", "The number that is written."),
    "fill_value": ("float", "The number that is written."),
    "weight": ("float", "0 gives the first, 1 the second."),
    "min": ("float", "The lowest number that stays."),
    "max": ("float", "The highest number that stays."),
    "p": ("float", "Which norm: 1 sums sizes, 2 is the length, inf the largest."),
    "ord": ("float", "Which norm: 1 sums sizes, 2 is the length."),
    "q": ("float", "The share below, from 0 to 1."),
    "nan": ("float", "What a NaN becomes."),
    "rtol": ("float", "Relative tolerance."),
    "atol": ("float", "Absolute tolerance."),
    "negative_slope": ("float", "Slope left of zero."),
    "eps": ("float", "Keeps the division away from zero."),
    "dtype": ("dtype", "The kind of number.", _DTYPES),
    "equation": ("text", "One letter per dim; letters missing after -> are summed."),
    "mode": ("choice", "What the new cells hold.", ("'constant'", "'reflect'", "'replicate'", "'circular'")),
    "reduce": ("choice", "How values that meet are combined.", ("'sum'", "'prod'", "'mean'", "'amax'", "'amin'")),
    "rounding_mode": ("choice", "How the quotient is rounded.", ("None", "'trunc'", "'floor'")),
    "approximate": ("choice", "The exact curve or its tanh approximation.", ("'none'", "'tanh'")),
}  # fmt: skip

# shelves of the examples
_GRID = "a = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])"
_SIGNED = "a = torch.tensor([[-2.0, -0.5, 0.0], [0.5, 1.5, 3.0]])"
_ROW = _GRID + "\nb = torch.tensor([10.0, 20.0, 30.0])"
_PAIR = "a = torch.tensor([[1.0, 5.0, 3.0], [4.0, 2.0, 6.0]])\nb = torch.tensor([[2.0, 2.0, 3.0], [4.0, 4.0, 4.0]])"
_INTS = "a = torch.tensor([12, 10, 7])\nb = torch.tensor([10, 6, 2])"
_BOOLS = "a = torch.tensor([[True, True], [False, False]])\nb = torch.tensor([True, False])"
_MIXED = "a = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])"
_MATS = "a = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])\nb = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])"
_VECS = "a = torch.tensor([1.0, 2.0, 3.0])\nb = torch.tensor([4.0, 0.0, -1.0])"
_SQUARE = "a = torch.tensor([[2.0, 1.0], [1.0, 3.0]])"
_CUBE = "a = torch.arange(12.0).reshape(2, 2, 3)  # sheet, row, column"
_LINE = "a = torch.tensor([1.0, 2.0, 4.0, 7.0, 11.0])"
_NANS = "a = torch.tensor([[1.0, torch.nan, 3.0], [torch.inf, -torch.inf, 0.0]])"
_BATCH = "a = torch.arange(8.0).reshape(2, 2, 2)  # batch, row, column\nb = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])"
_PICK = _MIXED + "\nb = torch.tensor([[0, 2], [1, 1]])"
_WRITE = "a = torch.zeros(2, 3)\nb = torch.tensor([[0, 2], [1, 0]])\nc = torch.tensor([[1.0, 2.0], [3.0, 4.0]])"
_LIST = ("input=[1.0, 2.0]", "not a list")
_FAR = ("dim=3", "dim 3 does not exist")
_LONG = ("", "don't broadcast", "b = torch.ones(4)")

_ARITHMETIC, _MATHS, _COMPARE, _LOGIC, _ROUND = (
    "arithmetic",
    "maths",
    "comparison",
    "logic",
    "rounding",
)
_MATMUL, _REDUCE, _CUMULATE, _SHAPE, _JOIN = (
    "matrix products",
    "reductions",
    "running totals",
    "shape",
    "joining and splitting",
)
_INDEX, _SORT, _LINALG, _ACTIVATE, _PAD = (
    "indexing",
    "sorting and searching",
    "linear algebra",
    "softmax family",
    "padding and windows",
)
_INPLACE, _CAST = "in-place", "dtypes"

_ENTRIES = {
    # arithmetic
    "add": _entry(_ARITHMETIC, "torch.add(input, other, alpha=1)", "Adds cell by cell; the smaller shape is stretched to fit.", _ROW, "", _LONG),
    "sub": _entry(_ARITHMETIC, "torch.sub(input, other, alpha=1)", "Subtracts cell by cell.", _ROW, "", _LONG),
    "mul": _entry(_ARITHMETIC, "torch.mul(input, other)", "Multiplies cell by cell; this is no matrix product.", _ROW, "", _LONG),
    "div": _entry(_ARITHMETIC, "torch.div(input, other, rounding_mode=None)", "Divides cell by cell; whole numbers give decimals, x/0 gives inf.", _ROW, "", _LONG),
    "floor_divide": _entry(_ARITHMETIC, "torch.floor_divide(input, other)", "Divides and rounds down.", _INTS, "", ("", "divided by zero", "b = torch.tensor([1, 0, 2])")),
    "remainder": _entry(_ARITHMETIC, "torch.remainder(input, other)", "What is left after division, with the sign of the divisor (Python's %).", _INTS, "", ("", "divided by zero", "b = torch.tensor([1, 0, 2])")),
    "fmod": _entry(_ARITHMETIC, "torch.fmod(input, other)", "What is left after division, with the sign of the dividend (C's %).", "a = torch.tensor([-7.0, 7.0, 5.5])\nb = torch.tensor([3.0, -3.0, 2.0])", "", _LONG),
    "pow": _entry(_ARITHMETIC, "torch.pow(input, exponent)", "Raises every cell to a power.", _GRID, "exponent=2", ("exponent=-1", "negative power", "a = torch.tensor([1, 2])")),
    "neg": _entry(_ARITHMETIC, "torch.neg(input)", "Turns every sign around.", _SIGNED, "", ("", "no minus", "a = torch.tensor([True, False])")),
    "reciprocal": _entry(_ARITHMETIC, "torch.reciprocal(input)", "One divided by every cell; 1/0 is inf.", _SIGNED, "", _LIST),
    "lerp": _entry(_ARITHMETIC, "torch.lerp(input, end, weight)", "Mixes two tensors: weight 0 is the first, 1 the second.", _PAIR, "weight=0.25", ("weight=0.5", "don't broadcast", "b = torch.ones(4)")),
    "addcmul": _entry(_ARITHMETIC, "torch.addcmul(input, tensor1, tensor2, value=1)", "Adds a product: input + value × tensor1 × tensor2.", _PAIR + "\nc = torch.tensor([1.0, 0.0, -1.0])", "value=2.0", ("", "don't broadcast", "c = torch.ones(4)")),
    "addcdiv": _entry(_ARITHMETIC, "torch.addcdiv(input, tensor1, tensor2, value=1)", "Adds a quotient: input + value × tensor1 / tensor2.", _PAIR + "\nc = torch.tensor([1.0, 2.0, -1.0])", "value=0.5", ("", "don't broadcast", "c = torch.ones(4)")),
    # maths
    "abs": _entry(_MATHS, "torch.abs(input)", "The size without the sign.", _SIGNED, "", _LIST),
    "exp": _entry(_MATHS, "torch.exp(input)", "e to the power of every cell.", _SIGNED, "", _LIST),
    "expm1": _entry(_MATHS, "torch.expm1(input)", "exp(x) − 1, exact also for tiny x.", "a = torch.tensor([0.0, 1e-6, 0.5, 1.0])", "", _LIST),
    "log": _entry(_MATHS, "torch.log(input)", "The natural logarithm: log 0 is −inf, of a negative number NaN.", "a = torch.tensor([-1.0, 0.0, 1.0, 2.718281828])", "", _LIST),
    "log1p": _entry(_MATHS, "torch.log1p(input)", "log(1 + x), exact also for tiny x.", "a = torch.tensor([0.0, 1e-6, 1.0])", "", _LIST),
    "log2": _entry(_MATHS, "torch.log2(input)", "How often to double 1 to get there.", "a = torch.tensor([1.0, 2.0, 8.0, 10.0])", "", _LIST),
    "log10": _entry(_MATHS, "torch.log10(input)", "How many zeros a number has.", "a = torch.tensor([1.0, 10.0, 1000.0])", "", _LIST),
    "sqrt": _entry(_MATHS, "torch.sqrt(input)", "The square root; of a negative number it is NaN.", "a = torch.tensor([-1.0, 0.0, 2.0, 9.0])", "", _LIST),
    "rsqrt": _entry(_MATHS, "torch.rsqrt(input)", "One over the square root.", "a = torch.tensor([0.25, 1.0, 4.0])", "", _LIST),
    "square": _entry(_MATHS, "torch.square(input)", "Every cell times itself.", _SIGNED, "", _LIST),
    "sin": _entry(_MATHS, "torch.sin(input)", "The sine, in radians.", "a = torch.linspace(0, 2 * torch.pi, 9)", "", _LIST),
    "cos": _entry(_MATHS, "torch.cos(input)", "The cosine, in radians.", "a = torch.linspace(0, 2 * torch.pi, 9)", "", _LIST),
    "tan": _entry(_MATHS, "torch.tan(input)", "The tangent, in radians.", "a = torch.linspace(-1, 1, 5)", "", _LIST),
    "atan2": _entry(_MATHS, "torch.atan2(input, other)", "The angle of the point (other, input), in radians.", "a = torch.tensor([0.0, 1.0, -1.0])\nb = torch.tensor([1.0, 1.0, 0.5])", "", _LONG),
    "hypot": _entry(_MATHS, "torch.hypot(input, other)", "The long side of a right triangle.", "a = torch.tensor([3.0, 5.0])\nb = torch.tensor([4.0, 12.0])", "", _LONG),
    "tanh": _entry(_MATHS, "torch.tanh(input)", "Squeezes any number into −1 to 1.", _SIGNED, "", _LIST),
    "erf": _entry(_MATHS, "torch.erf(input)", "The error function of the bell curve.", _SIGNED, "", _LIST),
    "sign": _entry(_MATHS, "torch.sign(input)", "−1, 0 or 1.", _SIGNED, "", _LIST),
    "nan_to_num": _entry(_MATHS, "torch.nan_to_num(input, nan=0.0)", "Replaces NaN, and inf by the largest number there is.", _NANS, "", _LIST),
    # rounding
    "round": _entry(_ROUND, "torch.round(input, decimals=0)", "To the nearest whole number; halves go to the even one.", "a = torch.tensor([0.5, 1.5, 2.5, -1.7, 3.14159])", "", _LIST),
    "floor": _entry(_ROUND, "torch.floor(input)", "Down to the next whole number.", _SIGNED, "", _LIST),
    "ceil": _entry(_ROUND, "torch.ceil(input)", "Up to the next whole number.", _SIGNED, "", _LIST),
    "trunc": _entry(_ROUND, "torch.trunc(input)", "Cuts the decimals off.", _SIGNED, "", _LIST),
    "frac": _entry(_ROUND, "torch.frac(input)", "Only the decimals.", "a = torch.tensor([1.25, -2.75, 3.0])", "", _LIST),
    "clamp": _entry(_ROUND, "torch.clamp(input, min=None, max=None)", "Cuts every number to the range from min to max.", _SIGNED, "min=-1.0, max=1.0", ("min=None, max=None", "at least one")),
    # comparison
    "eq": _entry(_COMPARE, "torch.eq(input, other)", "True where the cells are equal.", _PAIR, "", _LONG),
    "ne": _entry(_COMPARE, "torch.ne(input, other)", "True where the cells differ.", _PAIR, "", _LONG),
    "gt": _entry(_COMPARE, "torch.gt(input, other)", "True where the first is greater: a > b.", _PAIR, "", _LONG),
    "ge": _entry(_COMPARE, "torch.ge(input, other)", "True where the first is greater or equal: a >= b.", _PAIR, "", _LONG),
    "lt": _entry(_COMPARE, "torch.lt(input, other)", "True where the first is less: a < b.", _PAIR, "", _LONG),
    "le": _entry(_COMPARE, "torch.le(input, other)", "True where the first is less or equal: a <= b.", _PAIR, "", _LONG),
    "maximum": _entry(_COMPARE, "torch.maximum(input, other)", "The larger of the two, cell by cell.", _PAIR, "", _LONG),
    "minimum": _entry(_COMPARE, "torch.minimum(input, other)", "The smaller of the two, cell by cell.", _PAIR, "", _LONG),
    "isclose": _entry(_COMPARE, "torch.isclose(input, other, rtol=1e-05, atol=1e-08)", "True where the cells are equal but for rounding.", "a = torch.tensor([1.0, 1.0, 0.0])\nb = torch.tensor([1.0000001, 1.1, 1e-9])", "", ("", "same kind of number", "b = torch.tensor([1, 1, 0])")),
    "isnan": _entry(_COMPARE, "torch.isnan(input)", "True where the cell is not a number.", _NANS, "", _LIST),
    "isinf": _entry(_COMPARE, "torch.isinf(input)", "True where the cell is inf or −inf.", _NANS, "", _LIST),
    "isfinite": _entry(_COMPARE, "torch.isfinite(input)", "True where the cell is an ordinary number.", _NANS, "", _LIST),
    "isin": _entry(_COMPARE, "torch.isin(elements, test_elements)", "True where a cell occurs anywhere in the second tensor.", "a = torch.tensor([[1, 2], [3, 4]])\nb = torch.tensor([2, 4, 8])", "", ("elements=[1]", "not a list")),
    "equal": _entry(_COMPARE, "torch.equal(input, other)", "One answer: same shape and every cell equal?", _PAIR, "", _LIST),
    # logic
    "logical_and": _entry(_LOGIC, "torch.logical_and(input, other)", "True where both are.", _BOOLS, "", _LONG),
    "logical_or": _entry(_LOGIC, "torch.logical_or(input, other)", "True where at least one is.", _BOOLS, "", _LONG),
    "logical_xor": _entry(_LOGIC, "torch.logical_xor(input, other)", "True where exactly one is.", _BOOLS, "", _LONG),
    "logical_not": _entry(_LOGIC, "torch.logical_not(input)", "True becomes False; of numbers, 0 becomes True.", _BOOLS, "", _LIST),
    "bitwise_and": _entry(_LOGIC, "torch.bitwise_and(input, other)", "The bits that both numbers have: a & b.", _INTS, "", ("", "decimal numbers", "b = torch.tensor([1.0, 2.0, 3.0])")),
    "bitwise_or": _entry(_LOGIC, "torch.bitwise_or(input, other)", "The bits that at least one has: a | b.", _INTS, "", ("", "decimal numbers", "b = torch.tensor([1.0, 2.0, 3.0])")),
    "bitwise_xor": _entry(_LOGIC, "torch.bitwise_xor(input, other)", "The bits that exactly one has: a ^ b.", _INTS, "", ("", "decimal numbers", "b = torch.tensor([1.0, 2.0, 3.0])")),
    "bitwise_not": _entry(_LOGIC, "torch.bitwise_not(input)", "Every bit turned around; of a mask, the opposite: ~a.", _INTS, "", ("", "decimal numbers", "a = torch.tensor([1.0, 2.0])")),
    "where": _entry(_LOGIC, "torch.where(condition, input, other)", "Chooses cell by cell: from the first where True, from the second where False.", "m = torch.tensor([[True, False, True], [False, True, False]])\n" + _ROW, "condition=m, input=a, other=b", ("condition=a, input=a, other=b", "True and False")),
    # matrix products
    "matmul": _entry(_MATMUL, "torch.matmul(input, other)", "Matrix product: every output cell is a row times a column, summed. Extra dims in front are batches.", _MATS, "", ("other=a", "columns of the first")),
    "@": _entry(_MATMUL, "torch.matmul(input, other)", "The operator for matmul.", _MATS, "", ("other=a", "columns of the first"), form="{input} @ {other}"),
    "mm": _entry(_MATMUL, "torch.mm(input, mat2)", "Matrix product of exactly two matrices, no batches, no stretching.", _MATS, "", ("mat2=a", "columns of the first")),
    "bmm": _entry(_MATMUL, "torch.bmm(input, mat2)", "One matrix product for each pair in the batch.", _BATCH, "", ("", "batches don't match", "b = torch.ones(2, 3, 2)")),
    "mv": _entry(_MATMUL, "torch.mv(input, vec)", "Matrix times vector.", _ROW, "", ("", "3 columns", "b = torch.ones(4)")),
    "dot": _entry(_MATMUL, "torch.dot(input, other)", "Two vectors: multiply cell by cell, add everything up.", _VECS, "", ("", "same length", "b = torch.ones(4)")),
    "outer": _entry(_MATMUL, "torch.outer(input, vec2)", "Every cell of the first with every cell of the second.", _VECS, "", ("", "1-D", "b = torch.ones(2, 2)")),
    "kron": _entry(_MATMUL, "torch.kron(input, other)", "A copy of the second matrix for every cell of the first.", _SQUARE + "\nb = torch.tensor([[0.0, 1.0]])", "", _LIST),
    "einsum": _entry(_MATMUL, "torch.einsum(equation, tensors)", "Any sum of products, spelled with one letter per dim.", _MATS, "equation='ij,jk->ik', tensors=[a, b]", ("equation='ij,kj->ik'", "einsum equation"), form="torch.einsum({equation}, {tensors})"),
    "addmm": _entry(_MATMUL, "torch.addmm(input, mat1, mat2, beta=1, alpha=1)", "A matrix product plus a bias: what a linear layer does.", "a = torch.tensor([0.5, -0.5])\nb = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])\nc = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])", "", ("mat2=b", "columns of the first")),
    "baddbmm": _entry(_MATMUL, "torch.baddbmm(input, batch1, batch2, beta=1, alpha=1)", "A batch of matrix products plus a bias.", "a = torch.zeros(2, 2, 2)\n" + _BATCH.replace("b = ", "c = ").replace("a = ", "b = "), "beta=0.5", ("", "batches don't match", "c = torch.ones(2, 3, 2)")),
    "tensordot": _entry(_MATMUL, "torch.tensordot(input, other, dims=2)", "Sums over the last dims of the first with the first dims of the second.", _MATS, "dims=1", ("dims=2", "sizes must be equal"), dims=("int", "How many dims are summed over.")),
    "cdist": _entry(_MATMUL, "torch.cdist(x1, x2, p=2.0)", "The distance from every row of the first to every row of the second.", "a = torch.tensor([[0.0, 0.0], [3.0, 4.0]])\nb = torch.tensor([[0.0, 1.0], [3.0, 0.0], [1.0, 1.0]])", "", ("", "same number of columns", "b = torch.ones(2, 3)")),
    "cross": _entry(_MATMUL, "torch.linalg.cross(input, other)", "The vector at right angles to both.", "a = torch.tensor([1.0, 0.0, 0.0])\nb = torch.tensor([0.0, 2.0, 0.0])", "", ("", "length 3", "a = torch.ones(2)\nb = torch.ones(2)")),
    # reductions
    "sum": _entry(_REDUCE, "torch.sum(input, dim=None, keepdim=False)", "Adds up: along dim, or everything.", _GRID, "dim=1", _FAR),
    "mean": _entry(_REDUCE, "torch.mean(input, dim=None, keepdim=False)", "The average along dim, or of everything.", _GRID, "dim=0", ("dim=None", "decimal numbers", "a = torch.tensor([1, 2])")),
    "std": _entry(_REDUCE, "torch.std(input, dim=None, correction=1, keepdim=False)", "How far the numbers typically are from their average (divides by N − 1).", _GRID, "dim=1", ("dim=None", "decimal numbers", "a = torch.tensor([1, 2])")),
    "var": _entry(_REDUCE, "torch.var(input, dim=None, correction=1, keepdim=False)", "The average squared distance from the average (divides by N − 1).", _GRID, "dim=1", ("dim=None", "decimal numbers", "a = torch.tensor([1, 2])")),
    "prod": _entry(_REDUCE, "torch.prod(input, dim, keepdim=False)", "Multiplies everything along dim.", _GRID, "dim=1", _FAR),
    "max": _entry(_REDUCE, "torch.max(input, dim, keepdim=False)", "The largest along dim, and where it stands.", _MIXED, "dim=1", _FAR),
    "min": _entry(_REDUCE, "torch.min(input, dim, keepdim=False)", "The smallest along dim, and where it stands.", _MIXED, "dim=1", _FAR),
    "amax": _entry(_REDUCE, "torch.amax(input, dim=(), keepdim=False)", "The largest value; equals share the gradient.", _MIXED, "dim=1", ("dim=0", "nothing to reduce", "a = torch.zeros(0, 2)")),
    "amin": _entry(_REDUCE, "torch.amin(input, dim=(), keepdim=False)", "The smallest value; equals share the gradient.", _MIXED, "dim=1", ("dim=0", "nothing to reduce", "a = torch.zeros(0, 2)")),
    "argmax": _entry(_REDUCE, "torch.argmax(input, dim=None, keepdim=False)", "Where the largest stands.", _MIXED, "dim=1", ("dim=None", "nothing to reduce", "a = torch.zeros(0)")),
    "argmin": _entry(_REDUCE, "torch.argmin(input, dim=None, keepdim=False)", "Where the smallest stands.", _MIXED, "dim=1", ("dim=None", "nothing to reduce", "a = torch.zeros(0)")),
    "median": _entry(_REDUCE, "torch.median(input, dim, keepdim=False)", "The middle one (the lower of two), and where it stands.", _MIXED, "dim=1", _FAR),
    "mode": _entry(_REDUCE, "torch.mode(input, dim=-1, keepdim=False)", "The most frequent value, and where it stands.", "a = torch.tensor([[1, 2, 2], [3, 3, 1]])", "", _FAR),
    "norm": _entry(_REDUCE, "torch.linalg.vector_norm(input, ord=2, dim=None, keepdim=False)", "The length of a vector; ord chooses how it is measured.", "a = torch.tensor([[3.0, 4.0], [6.0, 8.0]])", "dim=1", ("", "decimal numbers", "a = torch.tensor([[3, 4]])")),
    "any": _entry(_REDUCE, "torch.any(input, dim=None, keepdim=False)", "Is at least one True?", _BOOLS, "dim=1", _FAR),
    "all": _entry(_REDUCE, "torch.all(input, dim=None, keepdim=False)", "Are all True?", _BOOLS, "dim=1", _FAR),
    "count_nonzero": _entry(_REDUCE, "torch.count_nonzero(input, dim=None)", "How many cells are not 0.", "a = torch.tensor([[0.0, 1.0, 0.0], [2.0, 3.0, 0.0]])", "dim=1", _FAR),
    "logsumexp": _entry(_REDUCE, "torch.logsumexp(input, dim, keepdim=False)", "log of the sum of exp, without overflowing: a soft maximum.", "a = torch.tensor([[1.0, 2.0, 3.0], [1000.0, 1001.0, 999.0]])", "dim=1", _FAR),
    "nansum": _entry(_REDUCE, "torch.nansum(input, dim=None, keepdim=False)", "Adds up, treating NaN as 0.", "a = torch.tensor([[1.0, torch.nan, 3.0], [4.0, 5.0, 6.0]])", "dim=1", _FAR),
    "nanmean": _entry(_REDUCE, "torch.nanmean(input, dim=None, keepdim=False)", "The average of what is not NaN.", "a = torch.tensor([[1.0, torch.nan, 3.0], [4.0, 5.0, 6.0]])", "dim=1", _FAR),
    "quantile": _entry(_REDUCE, "torch.quantile(input, q, dim=None, keepdim=False)", "The value with a share q of the numbers below it.", _LINE, "q=0.25", ("q=1.5", "between 0 and 1")),
    # running totals
    "cumsum": _entry(_CUMULATE, "torch.cumsum(input, dim)", "The total so far.", _GRID, "dim=1", _FAR),
    "cumprod": _entry(_CUMULATE, "torch.cumprod(input, dim)", "The product so far.", _GRID, "dim=1", _FAR),
    "cummax": _entry(_CUMULATE, "torch.cummax(input, dim)", "The largest so far, and where it stood.", _MIXED, "dim=1", _FAR),
    "cummin": _entry(_CUMULATE, "torch.cummin(input, dim)", "The smallest so far, and where it stood.", _MIXED, "dim=1", _FAR),
    "logcumsumexp": _entry(_CUMULATE, "torch.logcumsumexp(input, dim)", "log of the running sum of exp.", _GRID, "dim=1", _FAR),
    "diff": _entry(_CUMULATE, "torch.diff(input, n=1, dim=-1)", "From each cell to the next.", _LINE, "", _FAR),
    # shape
    "reshape": _entry(_SHAPE, "torch.reshape(input, shape)", "The same numbers in order under another shape; -1 is worked out.", _GRID, "shape=(3, 2)", ("shape=(4, 2)", "6 elements")),
    "view": _entry(_SHAPE, "Tensor.view(self, *shape)", "Another shape over the same memory; refuses when a copy would be needed.", _GRID, "shape=(3, 2)", ("self=a.T, shape=(6,)", "not contiguous")),
    "permute": _entry(_SHAPE, "torch.permute(input, dims)", "Puts the dims into another order without moving memory.", _CUBE, "dims=(2, 0, 1)", ("dims=(0, 1)", "every dim named once")),
    "transpose": _entry(_SHAPE, "torch.transpose(input, dim0, dim1)", "Swaps two dims without moving memory.", _GRID, "dim0=0, dim1=1", ("dim1=2", "dim 2 does not exist")),
    "t": _entry(_SHAPE, "torch.t(input)", "Rows become columns.", _GRID, "", ("", "2 dims", "a = torch.zeros(2, 2, 2)")),
    "squeeze": _entry(_SHAPE, "torch.squeeze(input, dim=None)", "Drops dims of size 1.", "a = torch.arange(6.0).reshape(1, 3, 1, 2)", "dim=0", ("dim=4", "dim 4 does not exist"), dim=("dim", "Which dim is dropped if its size is 1; None drops all of them.")),
    "unsqueeze": _entry(_SHAPE, "torch.unsqueeze(input, dim)", "Inserts a dim of size 1.", "a = torch.tensor([1.0, 2.0, 3.0])", "dim=1", _FAR, dim=("dim", "Where the new dim stands.")),
    "flatten": _entry(_SHAPE, "torch.flatten(input, start_dim=0, end_dim=-1)", "Merges dims into one.", _CUBE, "start_dim=1", ("start_dim=2, end_dim=1", "start_dim")),
    "unflatten": _entry(_SHAPE, "torch.unflatten(input, dim, sizes)", "Splits one dim into several.", "a = torch.arange(12.0)", "dim=0, sizes=(3, 4)", ("sizes=(5, 2)", "size of dim")),
    "expand": _entry(_SHAPE, "Tensor.expand(self, *size)", "Repeats dims of size 1 without copying: their stride becomes 0.", "a = torch.tensor([[1.0], [2.0]])", "size=(2, 3)", ("size=(3, 3)", "dim 0 has size 2")),
    "repeat": _entry(_SHAPE, "Tensor.repeat(self, *repeats)", "Copies the whole tensor side by side.", "a = torch.tensor([[1.0, 2.0]])", "repeats=(2, 2)", ("repeats=(2,)", "every dim")),
    "repeat_interleave": _entry(_SHAPE, "torch.repeat_interleave(input, repeats, dim=None)", "Repeats each element in place.", "a = torch.tensor([1.0, 2.0, 3.0])", "repeats=2", ("repeats=-1", "negative"), repeats=("int", "How often each element is repeated.")),
    "movedim": _entry(_SHAPE, "torch.movedim(input, source, destination)", "Moves one dim to another place.", _CUBE, "source=2, destination=0", ("source=3", "dim 3 does not exist"), source=("dim", "Where the dim is.")),
    "broadcast_to": _entry(_SHAPE, "torch.broadcast_to(input, size)", "Stretches a tensor as an operation would.", "a = torch.tensor([1.0, 2.0, 3.0])", "size=(2, 3)", ("size=(2, 4)", "dim 1 has size 3")),
    "flip": _entry(_SHAPE, "torch.flip(input, dims)", "Turns the order around.", _GRID, "dims=(1,)", ("dims=(2,)", "dim 2 does not exist")),
    "roll": _entry(_SHAPE, "torch.roll(input, shifts, dims)", "Pushes cells along; what falls out comes in at the other end.", _GRID, "shifts=1, dims=1", ("dims=2", "dim 2 does not exist"), dims=("dim", "Which dim is pushed.")),
    "rot90": _entry(_SHAPE, "torch.rot90(input, k=1, dims=(0, 1))", "Turns by k quarter turns.", _GRID, "", ("dims=(0, 2)", "does not exist")),
    "tile": _entry(_SHAPE, "torch.tile(input, dims)", "Copies side by side; missing dims count as 1.", "a = torch.tensor([1.0, 2.0])", "dims=(2, 2)", ("dims=(-1,)", "negative"), dims=("sizes", "How often each dim is repeated.")),
    "contiguous": _entry(_SHAPE, "Tensor.contiguous(self)", "Copies a view so that neighbours lie next to each other in memory.", _GRID + "\nb = a.T", "self=b", ("self=[1.0]", "not a list")),
    "diagonal": _entry(_SHAPE, "torch.diagonal(input, offset=0)", "The cells from the top left down, as a view.", "a = torch.arange(9.0).reshape(3, 3)", "", ("", "dim 1 does not exist", "a = torch.ones(3)")),
    "diag": _entry(_SHAPE, "torch.diag(input, diagonal=0)", "A vector becomes a diagonal matrix, a matrix gives its diagonal.", "a = torch.tensor([1.0, 2.0, 3.0])", "", ("", "1-D or 2-D", "a = torch.ones(2, 2, 2)")),
    "tril": _entry(_SHAPE, "torch.tril(input, diagonal=0)", "Keeps the lower triangle, zeros above: the causal mask of attention.", "a = torch.arange(1.0, 10.0).reshape(3, 3)", "", ("", "2 dims", "a = torch.ones(3)")),
    "triu": _entry(_SHAPE, "torch.triu(input, diagonal=0)", "Keeps the upper triangle, zeros below.", "a = torch.arange(1.0, 10.0).reshape(3, 3)", "diagonal=1", ("", "2 dims", "a = torch.ones(3)")),
    # joining and splitting
    "cat": _entry(_JOIN, "torch.cat(tensors, dim=0)", "Joins along a dim that exists.", _GRID + "\nb = torch.tensor([[7.0, 8.0, 9.0]])", "", ("dim=1", "cat joins along dim 1")),
    "stack": _entry(_JOIN, "torch.stack(tensors, dim=0)", "Joins along a new dim.", _VECS, "", ("", "one shape", "b = torch.ones(4)"), dim=("dim", "Where the new dim stands.")),
    "hstack": _entry(_JOIN, "torch.hstack(tensors)", "Joins side by side.", _PAIR, "", ("", "cat joins along dim 1", "b = torch.ones(3, 3)")),
    "vstack": _entry(_JOIN, "torch.vstack(tensors)", "Joins one below the other.", _ROW, "", ("", "cat joins along dim 0", "b = torch.ones(4)")),
    "split": _entry(_JOIN, "torch.split(tensor, split_size_or_sections, dim=0)", "Pieces of a given size, as views; the last may be smaller.", _LINE, "split_size_or_sections=2", ("split_size_or_sections=[2, 2]", "add up"), tensor=("tensor", "The tensor to split.")),
    "chunk": _entry(_JOIN, "torch.chunk(input, chunks, dim=0)", "A given number of pieces, as views.", _LINE, "chunks=2", ("chunks=0", "chunks")),
    "unbind": _entry(_JOIN, "torch.unbind(input, dim=0)", "One piece for each place along dim, without that dim.", _GRID, "", _FAR),
    "tensor_split": _entry(_JOIN, "torch.tensor_split(tensor, indices_or_sections, dim=0)", "A given number of pieces, as even as possible.", _LINE, "indices_or_sections=3", ("indices_or_sections=0", "larger than 0"), form="torch.tensor_split({tensor}, {indices_or_sections}, dim={dim})", indices_or_sections=("sizes", "How many pieces, or where to cut."), tensor=("tensor", "The tensor to split.")),
    # indexing
    "index": _entry(_INDEX, "indexing(input, index)", "Slices, numbers, lists, None and … in brackets: a[1:, ::2].", _GRID, "index='1:, ::2'", ("index='5'", "0 to 1"), form="{input}[{index}]", index=("index", "What stands in the brackets: 0, 1:, ::2, None, ..., [0, 2]")),
    "mask": _entry(_INDEX, "torch.masked_select(input, mask)", "A mask in brackets picks the cells where it is True, as one row.", _MIXED + "\nm = a > 2", "mask=m", ("mask=a[0] > 2", "mask"), form="{input}[{mask}]"),
    "masked_select": _entry(_INDEX, "torch.masked_select(input, mask)", "The cells where the mask is True, as one row.", _MIXED + "\nm = a > 2", "mask=m", ("mask=a", "True and False")),
    "masked_fill": _entry(_INDEX, "torch.masked_fill(input, mask, value)", "Writes one number where the mask is True.", _MIXED + "\nm = a > 2", "mask=m, value=-1.0", ("mask=a", "True and False")),
    "gather": _entry(_INDEX, "torch.gather(input, dim, index)", "Each output cell names the place along dim that it takes.", _PICK, "dim=1, index=b", ("index=b + 2", "0 to 2")),
    "take_along_dim": _entry(_INDEX, "torch.take_along_dim(input, indices, dim)", "Like gather, with broadcasting: made for what argsort returns.", _MIXED + "\nb = a.argsort(dim=1)", "indices=b, dim=1", ("indices=a", "whole numbers")),
    "index_select": _entry(_INDEX, "torch.index_select(input, dim, index)", "Whole rows or columns, in any order.", _GRID + "\nb = torch.tensor([2, 0, 0])", "dim=1, index=b", ("index=b + 5", "past the end")),
    "take": _entry(_INDEX, "torch.take(input, index)", "Counts through the flattened tensor.", _MIXED + "\nb = torch.tensor([0, 4, 5])", "index=b", ("index=b + 5", "past the end")),
    "scatter": _entry(_INDEX, "torch.scatter(input, dim, index, src)", "The opposite of gather: each source cell names the place it is written to.", _WRITE, "dim=1, index=b, src=c", ("index=b + 2", "0 to 2")),
    "scatter_add": _entry(_INDEX, "torch.scatter_add(input, dim, index, src)", "Like scatter, but cells that meet are added.", _WRITE.replace("[1, 0]", "[1, 1]"), "dim=1, index=b, src=c", ("index=b + 2", "0 to 2")),
    "scatter_reduce": _entry(_INDEX, "torch.scatter_reduce(input, dim, index, src, reduce)", "Like scatter, with a choice how cells that meet are combined.", _WRITE.replace("[1, 0]", "[1, 1]"), "dim=1, index=b, src=c, reduce='amax'", ("reduce='median'", "reduce")),
    "index_add": _entry(_INDEX, "torch.index_add(input, dim, index, source)", "Adds whole rows into the named places.", "a = torch.zeros(3, 2)\nb = torch.tensor([0, 2, 0])\nc = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])", "dim=0, index=b, source=c", ("index=b + 3", "0 to 2")),
    "index_fill": _entry(_INDEX, "torch.index_fill(input, dim, index, value)", "Writes one number into whole rows or columns.", _GRID + "\nb = torch.tensor([0, 2])", "dim=1, index=b, value=-1.0", ("index=b + 2", "0 to 2")),
    "index_copy": _entry(_INDEX, "torch.index_copy(input, dim, index, source)", "Writes whole rows into the named places.", "a = torch.zeros(3, 2)\nb = torch.tensor([2, 0])\nc = torch.tensor([[1.0, 2.0], [3.0, 4.0]])", "dim=0, index=b, source=c", ("index=b + 2", "0 to 2")),
    "narrow": _entry(_INDEX, "torch.narrow(input, dim, start, length)", "A stretch of places along dim, as a view.", _GRID, "dim=1, start=1, length=2", ("length=3", "start + length")),
    "select": _entry(_INDEX, "torch.select(input, dim, index)", "One place along dim, without that dim.", _GRID, "dim=0, index=1", ("index=2", "0 to 1"), index=("int", "Which place.")),
    "nonzero": _entry(_INDEX, "torch.nonzero(input)", "Where the cells are that are not 0, one row of indices each.", "a = torch.tensor([[0.0, 3.0], [5.0, 0.0], [0.0, 1.0]])", "", _LIST),
    "one_hot": _entry(_INDEX, "F.one_hot(input, num_classes=-1)", "Each class number becomes a row with a single 1.", "a = torch.tensor([0, 2, 1])", "num_classes=3", ("num_classes=2", "class number")),
    # sorting and searching
    "sort": _entry(_SORT, "torch.sort(input, dim=-1, descending=False)", "In order along dim, and where each came from.", _MIXED, "", _FAR),
    "argsort": _entry(_SORT, "torch.argsort(input, dim=-1, descending=False)", "Only where each would come from.", _MIXED, "", _FAR),
    "topk": _entry(_SORT, "torch.topk(input, k, dim=-1, largest=True)", "The k largest along dim, and where they stand.", _MIXED, "k=2", ("k=4", "k is larger")),
    "kthvalue": _entry(_SORT, "torch.kthvalue(input, k, dim=-1, keepdim=False)", "The k-th smallest along dim.", _MIXED, "k=2", ("k=4", "k is larger")),
    "unique": _entry(_SORT, "torch.unique(input)", "Every value once, in order.", "a = torch.tensor([[3, 1, 3], [2, 1, 1]])", "", _LIST),
    "searchsorted": _entry(_SORT, "torch.searchsorted(sorted_sequence, input, right=False)", "Where each number would be inserted to keep the order.", "a = torch.tensor([1.0, 3.0, 5.0, 7.0])\nb = torch.tensor([0.0, 3.0, 6.0])", "", ("sorted_sequence=[1.0]", "not a list")),
    "bucketize": _entry(_SORT, "torch.bucketize(input, boundaries, right=False)", "Which bin each number falls into.", "a = torch.tensor([[0.5, 3.0], [9.0, 4.5]])\nb = torch.tensor([1.0, 3.0, 5.0])", "", ("boundaries=torch.ones(2, 2)", "1 dim")),
    "bincount": _entry(_SORT, "torch.bincount(input, minlength=0)", "How often each whole number occurs.", "a = torch.tensor([0, 1, 1, 3, 1])", "", ("", "whole numbers from 0", "a = torch.tensor([-1, 2])")),
    "histc": _entry(_SORT, "torch.histc(input, bins=100, min=0, max=0)", "How many cells fall into each of equal bins.", "a = torch.tensor([0.1, 0.4, 0.45, 0.9, 0.95, 0.99])", "bins=4, min=0.0, max=1.0", ("bins=0", "bins")),
    # linear algebra
    "det": _entry(_LINALG, "torch.linalg.det(A)", "By how much the matrix stretches area; 0 means it flattens.", _SQUARE, "", ("", "square matrix", "a = torch.ones(2, 3)")),
    "inv": _entry(_LINALG, "torch.linalg.inv(A)", "The matrix that undoes it.", _SQUARE, "", ("", "no inverse", "a = torch.ones(2, 2)")),
    "pinv": _entry(_LINALG, "torch.linalg.pinv(A)", "The nearest thing to an inverse, for any shape.", _GRID, "", ("", "matrices", "a = torch.ones(2)")),
    "solve": _entry(_LINALG, "torch.linalg.solve(A, B)", "The x for which A @ x is B.", _SQUARE + "\nb = torch.tensor([3.0, 5.0])", "", ("", "no inverse", "a = torch.ones(2, 2)")),
    "trace": _entry(_LINALG, "torch.trace(input)", "The sum of the diagonal.", "a = torch.arange(9.0).reshape(3, 3)", "", ("", "matri", "a = torch.ones(3)")),
    "matrix_power": _entry(_LINALG, "torch.linalg.matrix_power(A, n)", "The matrix product with itself, n times.", _SQUARE, "n=3", ("", "square matrix", "a = torch.ones(2, 3)")),
    "cholesky": _entry(_LINALG, "torch.linalg.cholesky(A)", "The lower triangle L with L @ L.T = A.", _SQUARE, "", ("", "positive-definite", "a = torch.tensor([[1.0, 2.0], [2.0, 1.0]])")),
    "eigvalsh": _entry(_LINALG, "torch.linalg.eigvalsh(A)", "The eigenvalues of a symmetric matrix, rising.", _SQUARE, "", ("", "square matrix", "a = torch.ones(2, 3)")),
    "svdvals": _entry(_LINALG, "torch.linalg.svdvals(A)", "How much the matrix stretches in its main directions.", _GRID, "", ("", "matrices", "a = torch.ones(2)")),
    "matrix_rank": _entry(_LINALG, "torch.linalg.matrix_rank(A)", "How many rows are independent of each other.", "a = torch.tensor([[1.0, 2.0], [2.0, 4.0], [0.0, 1.0]])", "", ("", "matrices", "a = torch.ones(2)")),
    # softmax family
    "softmax": _entry(_ACTIVATE, "torch.softmax(input, dim)", "Shares that add up to 1 along dim; larger numbers get larger shares.", "a = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]])", "dim=1", _FAR),
    "log_softmax": _entry(_ACTIVATE, "torch.log_softmax(input, dim)", "The logarithm of softmax, without overflow.", "a = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 1000.0]])", "dim=1", _FAR),
    "softmin": _entry(_ACTIVATE, "F.softmin(input, dim)", "Shares that add up to 1; smaller numbers get larger shares.", _GRID, "dim=1", _FAR),
    "sigmoid": _entry(_ACTIVATE, "torch.sigmoid(input)", "Squeezes any number into 0 to 1.", _SIGNED, "", _LIST),
    "logit": _entry(_ACTIVATE, "torch.logit(input)", "Undoes sigmoid.", "a = torch.tensor([0.1, 0.5, 0.9])", "", _LIST),
    "relu": _entry(_ACTIVATE, "torch.relu(input)", "Negative numbers become 0.", _SIGNED, "", _LIST),
    "leaky_relu": _entry(_ACTIVATE, "F.leaky_relu(input, negative_slope=0.01)", "Negative numbers become small instead of 0.", _SIGNED, "negative_slope=0.1", _LIST),
    "gelu": _entry(_ACTIVATE, "F.gelu(input, approximate='none')", "A smooth relu: x times the share of a bell curve below x.", _SIGNED, "", _LIST),
    "softplus": _entry(_ACTIVATE, "F.softplus(input)", "A smooth relu that is never 0.", _SIGNED, "", _LIST),
    "silu": _entry(_ACTIVATE, "F.silu(input)", "x times sigmoid(x).", _SIGNED, "", _LIST),
    "normalize": _entry(_ACTIVATE, "F.normalize(input, p=2.0, dim=1)", "Scales each row to length 1.", "a = torch.tensor([[3.0, 4.0], [6.0, 8.0]])", "", _FAR),
    # padding and windows
    "pad": _entry(_PAD, "F.pad(input, pad, mode='constant', value=None)", "Adds cells around; the numbers start with the last dim.", _GRID, "pad=(1, 1, 1, 0), value=0.0", ("pad=(1, 1, 1, 1, 1, 1)", "padding"), value=("float", "What the new cells hold.")),
    "unfold": _entry(_PAD, "Tensor.unfold(self, dimension, size, step)", "Sliding windows, as a view: cells appear in several of them.", _LINE, "dimension=0, size=3, step=1", ("size=6", "window"), form="{self}.unfold({dimension}, {size}, {step})", dimension=("dim", "Which dim the window slides along."), size=("int", "How many places one window holds.")),
    "reflect_pad": _entry(_PAD, "F.pad(input, pad, mode='constant')", "Mirrored, repeated or wrapped edges.", "a = torch.arange(5.0).reshape(1, 5)", "pad=(2, 2), mode='reflect'", ("pad=(5, 5), mode='reflect'", "padding")),
    # in-place
    "add_": _entry(_INPLACE, "Tensor.add_(self, other, alpha=1)", "Adds into the first tensor: everyone who shares its memory sees it.", _GRID + "\nb = a[0]\nc = torch.tensor([10.0, 20.0, 30.0])", "self=a, other=c", ("self=a.int(), other=c", "do not fit")),
    "mul_": _entry(_INPLACE, "Tensor.mul_(self, other)", "Multiplies into the first tensor.", _GRID + "\nb = a.T", "self=a, other=10", ("self=a, other=torch.ones(4)", "don't broadcast")),
    "fill_": _entry(_INPLACE, "Tensor.fill_(self, value)", "Writes one number into every cell; through a view only into the part it shows.", _GRID + "\nb = a[:, 1]", "self=b, value=0.0", ("self=a.expand(2, 2, 3), value=[1.0]", "not a list")),
    "zero_": _entry(_INPLACE, "Tensor.zero_(self)", "Writes 0 into every cell.", _GRID + "\nb = a[::1, ::2]", "self=b", ("self=[1.0]", "not a list")),
    "copy_": _entry(_INPLACE, "Tensor.copy_(self, src)", "Copies another tensor's numbers in, broadcasting and casting them.", _GRID + "\nb = torch.tensor([7, 8, 9])", "self=a, src=b", ("self=a, src=torch.ones(4)", "don't broadcast"), form="{self}.copy_({src})"),
    "relu_": _entry(_INPLACE, "Tensor.relu_(self)", "Overwrites negative numbers with 0.", _SIGNED, "", ("self=[1.0]", "not a list")),
    "clamp_": _entry(_INPLACE, "Tensor.clamp_(self, min=None, max=None)", "Cuts every number to the range, in place.", _SIGNED, "min=0.0, max=1.0", ("min=None, max=None", "at least one")),
    "masked_fill_": _entry(_INPLACE, "Tensor.masked_fill_(self, mask, value)", "Writes where the mask is True, in place.", _MIXED + "\nm = a > 2", "self=a, mask=m, value=0.0", ("mask=a", "True and False"), form="{self}.masked_fill_({mask}, {value})"),
    # dtypes
    "to": _entry(_CAST, "Tensor.to(self, dtype)", "Another kind of number; decimals are cut off, not rounded, and too large ones wrap around.", "a = torch.tensor([1.9, -1.9, 0.0, 300.0])", "dtype=torch.int8", ("dtype='int8'", "device"), form="{self}.to({dtype})"),
    "float": _entry(_CAST, "Tensor.float(self)", "To float32, the usual kind for learning.", "a = torch.tensor([1, 2, 3])", "", ("self=[1]", "not a list")),
    "long": _entry(_CAST, "Tensor.long(self)", "To int64, the kind that indices need.", "a = torch.tensor([1.9, -1.9, 2.5])", "", ("self=[1]", "not a list")),
    "bool": _entry(_CAST, "Tensor.bool(self)", "0 becomes False, everything else True (also NaN).", _NANS, "", ("self=[1]", "not a list")),
    "half": _entry(_CAST, "Tensor.half(self)", "To float16: half the memory, about 3 digits, nothing above 65504.", "a = torch.tensor([0.1, 2049.0, 70000.0])", "", ("self=[1]", "not a list")),
    "bfloat16": _entry(_CAST, "Tensor.bfloat16(self)", "To bfloat16: half the memory, the range of float32 with about 2 digits.", "a = torch.tensor([0.1, 257.0, 70000.0])", "", ("self=[1]", "not a list")),
    "promotion": _entry(_CAST, "torch.add(input, other)", "Two kinds of number meet: the result takes the one that holds both.", "a = torch.tensor([1, 2, 3])\nb = torch.tensor([0.5, 0.5, 0.5])", "", _LONG, form="{input} + {other}"),
}  # fmt: skip

OPS: dict[str, Op] = {name: _build(name, entry) for name, entry in _ENTRIES.items()}
