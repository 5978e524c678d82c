"""The shelf: named tensors, one line each, made the way PyTorch makes them.

`a = torch.arange(6.0).reshape(2, 3)` and below it `b = a.T`: a line may use the names above it, so views and
shared memory come about as they do in a program. Besides PyTorch's functions a line may use a few of NumPy's
(`torch.from_numpy(np.array([1, 2]))` shares its memory) and the bundled data below.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from models import expressions
from models.core.spec import SpecError
from models.data import images, workspace
from models.data.naming import FreeNames

MAX_TENSORS = 8
MAX_GRID = 400  # cells typed by hand
LIMITS = expressions.Limits(characters=4000, nodes=4000)  # a line may hold a typed tensor
_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")
_TAKEN = frozenset({"torch", "nn", "math", "np", "abs", "len", "float", "int", "bool", "result"})


def lines(text: str) -> list[tuple[str, str]]:
    """(name, expression) of every line of a shelf.

    Raises:
        SpecError: a line is not of the form `name = expression`, or there are too many.
    """
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, expression = (part.strip() for part in line.partition("="))
        if not equals or not expression or expression.startswith("="):
            raise SpecError(
                f"Line {number} of the shelf, {line.strip()[:40]!r}, makes no tensor. Write it as name = expression, "
                "for example a = torch.zeros(2, 3).",
                "shelf",
            )
        if not _NAME.fullmatch(name) or name in _TAKEN:
            raise SpecError(
                f"{name[:20]!r} cannot be a tensor's name here. Use small letters, digits and _, starting with a letter"
                + (" (this name is taken)." if name in _TAKEN else "."),
                "shelf",
            )
        found.append((name, expression))
    if not found:
        raise SpecError(
            "The shelf is empty. Add a line, for example a = torch.zeros(2, 3).", "shelf"
        )
    if len(found) > MAX_TENSORS:
        raise SpecError(
            f"The shelf has {len(found)} lines; the most is {MAX_TENSORS}. Remove some.", "shelf"
        )
    return found


def comment(expression: str) -> str:
    """What stands behind the # of a line, "" without one."""
    for found in re.finditer("#", expression):
        quotes = expression[: found.start()]
        if quotes.count("'") % 2 == quotes.count('"') % 2 == 0:
            return expression[found.end() :].strip()
    return ""


def build(text: str) -> dict[str, Any]:
    """The shelf's tensors (and NumPy arrays) by name; draws from the default generator.

    Raises:
        SpecError: a line cannot be evaluated; its message names the line.
    """
    names: dict[str, Any] = {}
    for name, expression in lines(text):
        try:
            value = expressions.evaluate(
                expression, names, functions=FUNCTIONS, limits=LIMITS, seed=None, trace=False
            ).value
        except expressions.ExpressionError as error:
            raise SpecError(f"On the shelf, {name}: {error}", "shelf", error.detail) from None
        if not isinstance(value, (torch.Tensor, np.ndarray)):
            try:
                value = torch.as_tensor(value)
            except (TypeError, ValueError, RuntimeError) as error:
                raise SpecError(
                    f"On the shelf, {name} is a {type(value).__name__}, not a tensor. "
                    "Make it one with torch.tensor(…), or pick one of its parts with [0].",
                    "shelf",
                    str(error),
                ) from None
        names[name] = value
    return names


def needs(text: str) -> list[str]:
    """The import lines and function sources that a script with this text needs, in order."""
    found = []
    if "np." in text:
        found.append("import numpy as np")
    if re.search(r"\bF\.", text):
        found.append("from torch.nn import functional as F")
    if re.search(r"\bnn\.", text):
        found.append("from torch import nn")
    if re.search(r"\bmath\.", text):
        found.append("import math")
    found += [
        f"\n\n{inspect.getsource(f).rstrip()}\n" for n, f in BUNDLED.items() if f"{n}(" in text
    ]
    if "torch.empty(" in text:
        found.append(
            "# fill new memory with NaN (or the largest whole number) instead of what it held before\n"
            "torch.use_deterministic_algorithms(True)"
        )
    return found


def digit(index: int) -> torch.Tensor:
    """One of scikit-learn's 1797 handwritten digits: (8, 8), grey values 0 to 16."""
    import torch
    from sklearn.datasets import load_digits

    pixels, _ = load_digits(return_X_y=True)
    return torch.tensor(pixels[index], dtype=torch.float32).reshape(8, 8)


def photo(name: str, size: int = 16) -> torch.Tensor:
    """scikit-learn's photo "china" or "flower": (3, size, size), values 0 to 1."""
    import torch
    from sklearn.datasets import load_sample_image
    from torch.nn import functional as F

    pixels = torch.tensor(load_sample_image(f"{name}.jpg")).permute(2, 0, 1) / 255
    return F.interpolate(pixels[None], (size, size), mode="area")[0]


def table(name: str, rows: int = 6) -> torch.Tensor:
    """The first rows of scikit-learn's "iris", "wine" or "diabetes": (rows, columns)."""
    import torch
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")().data
    return torch.tensor(data[:rows], dtype=torch.float32)


def image(file: str, size: int = 16) -> torch.Tensor:
    """A picture from a file: (3, size, size), values 0 to 1."""
    import numpy as np
    import torch
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(Image.open(file))
    if picture.mode[0] in "IF":  # 16 or 32 bits: its own darkest and brightest become 0 and 255
        values = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0, neginf=0)
        scaled = (values - values.min()) * 255 / (np.ptp(values) or 1)
        picture = Image.fromarray(scaled.round().astype(np.uint8))
    picture = picture.convert("RGB").resize((size, size))
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


def csv(file: str, rows: int = 6) -> torch.Tensor:
    """The number columns of a table's first rows: (rows, columns)."""
    import pandas as pd
    import torch

    with open(file, encoding="utf-8-sig", errors="replace") as lines:
        head = lines.readline()
    separator = max(",;\t", key=head.count)
    numbers = pd.read_csv(file, nrows=rows, sep=separator).select_dtypes("number")
    return torch.tensor(numbers.to_numpy(), dtype=torch.float32)


def npy(file: str) -> torch.Tensor:
    """A NumPy file, numbers only: pickled objects are refused."""
    import numpy as np
    import torch

    return torch.from_numpy(np.load(file, allow_pickle=False))


def _upload(call: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A loader that takes the id of an uploaded file in place of its name."""

    def load(file: str, number: int | None = None) -> torch.Tensor:
        about = workspace.about(str(file))
        path = workspace.get(str(file))
        shown = workspace.display_name(about.name)
        if number is not None and (not isinstance(number, int) or not 1 <= number <= 512):
            raise SpecError("The size, or the number of rows, goes from 1 to 512.")
        if call is image:
            images.decode(path.read_bytes(), shown, longest=64)  # refuses what is no picture
        if call is npy:
            _check_npy(path, shown)
        try:
            made = call(path) if number is None else call(path, number)  # type: ignore[arg-type]  # a path is a file name
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            raise SpecError(
                f"{shown} cannot be read as numbers. Choose another file, or save it again as .npy, .csv or .png.",
                "shelf",
                str(error),
            ) from None
        if not made.numel():
            raise SpecError(f"{shown} holds no column of numbers.", "shelf")
        return made

    return load


def _check_npy(path: Any, shown: str) -> None:
    """Its shape and kind, before anything of its numbers is read."""
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            size, _, kind = read(file)
    except (ValueError, OSError, SyntaxError) as error:
        raise SpecError(f"{shown} is no NumPy file.", "shelf", str(error)) from None
    if kind.hasobject:
        raise SpecError(
            f"{shown} holds pickled Python objects, which could run any program when read. Save plain numbers.",
            "shelf",
        )
    if math.prod(size) * kind.itemsize > LIMITS.step_bytes:
        raise SpecError(
            f"{shown} holds {size}: {expressions.show_bytes(math.prod(size) * kind.itemsize)}, more than "
            f"{expressions.show_bytes(LIMITS.step_bytes)}. Save a part of it.",
            "shelf",
        )


def line_for(id: str, taken: tuple[str, ...]) -> str:
    """A shelf line that loads an upload, under a free name.

    Raises:
        SpecError: the file's ending says that it is no picture, table or NumPy file, or it cannot be read.
    """
    ending = workspace.about(id).name.lower().rpartition(".")[2]
    name = free_name(taken)
    if ending == "npy":
        line = f'{name} = npy("{id}")'
    elif ending in ("csv", "tsv", "txt"):
        line = f'{name} = csv("{id}", 6)  # row, column'
    else:
        line = f'{name} = image("{id}", 8)  # channel, row, column'
    build(line)
    return line


def free_name(taken: tuple[str, ...]) -> str:
    """The first letter that no tensor on the shelf has, or t2, t3, … where all have one."""
    letter = next((c for c in "abcdeghijkopqrstuvwxyz" if c not in taken), "t")
    return FreeNames(taken).take(letter, lambda number: f"{letter}{number}")


def for_script(text: str) -> str:
    """Shelf lines with the names of the uploaded files in place of their ids."""

    def named(found: re.Match[str]) -> str:
        try:
            about = workspace.about(found[2])
        except SpecError:
            return found[0]  # not on this server: the id is all that is known
        ending = "." + (about.name.rpartition(".")[2].lower() or "bin")
        return f'{found[1]}("{workspace.file_name(about.name, ending)}"'

    return re.sub(r'\b(npy|csv|image)\("([0-9a-f]{64})"', named, text)


def literal(tensor: torch.Tensor) -> str:
    """A line's expression that writes every number of a tensor out."""
    kind = (
        ""
        if tensor.dtype in (torch.float32, torch.int64, torch.bool)
        else f", dtype={tensor.dtype}"
    )
    if tensor.dtype == torch.float32:
        values: Any = _rounded(tensor.tolist())
    else:
        values = tensor.tolist()
    return f"torch.tensor({_written(values)}{kind})"


def _rounded(value: Any) -> Any:
    """float32 numbers as short as they can be told apart."""
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return (
        float(np.format_float_positional(np.float32(value), unique=True))
        if math.isfinite(value)
        else value
    )


def _written(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "torch.nan" if math.isnan(value) else "torch.inf" if value > 0 else "-torch.inf"
    return repr(value)


def changed(text: str, name: str, tensor: torch.Tensor, cell: int, typed: str) -> str:
    """The shelf's text with one cell of one tensor set to what was typed.

    Raises:
        SpecError: it is no number of the tensor's kind.
    """
    try:
        number = expressions.evaluate(
            typed.strip().replace("−", "-"),
            {
                "nan": math.nan,
                "inf": math.inf,
                "true": True,
                "false": False,
                "True": True,
                "False": False,
            },
        ).value
    except expressions.ExpressionError:
        number = None
    if isinstance(number, (torch.Tensor, tuple)) or not isinstance(number, (int, float)):
        raise SpecError(
            f"{typed[:20]!r} is no number. Write one such as 2.5, -1, nan or inf.", "shelf"
        )
    whole = not tensor.is_floating_point() and tensor.dtype != torch.bool
    if whole and (not math.isfinite(number) or number != int(number)):
        raise SpecError(
            f"{name} holds whole numbers ({str(tensor.dtype).removeprefix('torch.')}); {typed[:20]} is none.",
            "shelf",
        )
    if whole and not torch.iinfo(tensor.dtype).min <= number <= torch.iinfo(tensor.dtype).max:
        raise SpecError(f"{typed[:20]} does not fit into {tensor.dtype}.", "shelf")
    new = tensor.detach().clone().contiguous()
    new.view(-1)[cell] = number
    return rewritten(text, name, literal(new))


def rewritten(text: str, name: str, expression: str) -> str:
    """The shelf's text with another expression for one tensor, or with a new tensor below; comments stay."""
    found = lines(text) if text.strip() else []
    places = [i for i, (n, _) in enumerate(found) if n == name]
    note = comment(found[places[-1]][1]) if places else ""
    line = (name, f"{expression}  # {note}" if note else expression)
    found = [*found, line] if not places else [*found[: places[-1]], line, *found[places[-1] + 1 :]]
    return "\n".join(f"{n} = {e}" for n, e in found)


def grid(text: str, name: str, rows: Sequence[Any], kind: torch.dtype = torch.float32) -> str:
    """The shelf's text with a tensor of these numbers, typed row by row, under this name.

    Args:
        rows: a list of numbers, or a list of such lists; NaN is an empty cell.

    Raises:
        SpecError: a cell is empty; there are no cells, or more than `MAX_GRID`.
    """
    cells = [list(row) if isinstance(row, (list, tuple)) else [row] for row in rows]
    count = sum(map(len, cells))
    if not 0 < count <= MAX_GRID:
        raise SpecError(f"A grid here has 1 to {MAX_GRID} cells, not {count}.", "shelf")
    for i, row in enumerate(cells):
        for j, value in enumerate(row):
            if value is None or value != value:
                raise SpecError(
                    f"The cell in row {i}, column {j} is empty. Write a number into it, or remove the row.",
                    "shelf",
                )
    return rewritten(text, name, literal(torch.tensor(rows).to(kind)))


def _checked_digit(index: int) -> torch.Tensor:
    if not isinstance(index, int) or not 0 <= index < 1797:
        raise SpecError(f"digit takes a number from 0 to 1796, not {index!r}.")
    return digit(index)


def _checked_photo(name: str, size: int = 16) -> torch.Tensor:
    if name not in ("china", "flower") or not isinstance(size, int) or not 1 <= size <= 256:
        raise SpecError('photo takes "china" or "flower" and a size from 1 to 256.')
    return photo(name, size)


def _checked_table(name: str, rows: int = 6) -> torch.Tensor:
    if name not in ("iris", "wine", "diabetes") or not isinstance(rows, int) or rows < 1:
        raise SpecError('table takes "iris", "wine" or "diabetes" and a number of rows.')
    return table(name, rows)


def _numpy(call: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function that refuses more than a million elements before it makes them."""

    def guarded(*args: Any, **kwargs: Any) -> Any:
        sizes = [a for a in args if isinstance(a, (int, float))]
        sizes += [n for a in args if isinstance(a, (tuple, list)) for n in _flat(a)]
        if call is not np.array and math.prod(max(abs(s), 1) for s in sizes) > 1e6:
            raise SpecError("NumPy arrays here hold at most a million elements. Use smaller sizes.")
        return call(*args, **kwargs)

    return guarded


def _flat(values: Any) -> list[float]:
    return [n for v in values for n in (_flat(v) if isinstance(v, (tuple, list)) else [v])]


def _from_numpy(array: np.ndarray) -> torch.Tensor:
    if not isinstance(array, np.ndarray):
        raise SpecError("torch.from_numpy takes a NumPy array, such as np.array([1, 2, 3]).")
    return torch.from_numpy(array)


BUNDLED: Mapping[str, Callable[..., Any]] = {
    "digit": digit, "photo": photo, "table": table, "image": image, "csv": csv, "npy": npy,
}  # fmt: skip

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "digit": _checked_digit,
    "photo": _checked_photo,
    "table": _checked_table,
    "image": _upload(image),
    "csv": _upload(csv),
    "npy": _upload(npy),
    "torch.from_numpy": _from_numpy,
    **{
        f"np.{name}": _numpy(getattr(np, name))
        for name in ("array", "arange", "zeros", "ones", "linspace", "eye")
    },
}

# ways to make a tensor, as the menu offers them: name → (line, what to say)
WAYS: dict[str, tuple[str, str]] = {
    "tensor": ("torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])", "from numbers you write"),
    "zeros": ("torch.zeros(2, 3)", "all 0"),
    "ones": ("torch.ones(2, 3)", "all 1"),
    "full": ("torch.full((2, 3), 7.0)", "all the same number"),
    "arange": ("torch.arange(0, 12, 2)", "from, up to (left out), step"),
    "linspace": ("torch.linspace(0, 1, 5)", "a given number of even steps, ends included"),
    "eye": ("torch.eye(3)", "the identity matrix: 1 on the diagonal"),
    "rand": ("torch.rand(2, 3)", "random, even between 0 and 1"),
    "randn": ("torch.randn(2, 3)", "random, from the bell curve around 0"),
    "randint": ("torch.randint(0, 10, (2, 3))", "random whole numbers"),
    "empty": ("torch.empty(2, 3)", "memory that nobody has written yet: any value (shown as NaN)"),
    "from_numpy": ("torch.from_numpy(np.array([[1.0, 2.0], [3.0, 4.0]]))", "shares its memory with the NumPy array"),
    "digit": ("digit(0)  # row, column", "a bundled handwritten digit, 8 by 8"),
    "photo": ('photo("china", 16)  # channel, row, column', "a bundled photo, 3 colours"),
    "table": ('table("iris", 6)  # flower, measure', "rows of a bundled table"),
}  # fmt: skip
