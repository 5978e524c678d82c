"""The layout and its rules: who may import whom, nothing from outside, a test beside every module."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

TORCH = {"torch", "torchvision"}
DATA = {"numpy", "pandas", "PIL", "sklearn"}


@dataclass(frozen=True)
class Rule:
    """What the files of a folder may import beside the standard library.

    Attributes:
        always: packages, or dotted parts of this repository, at any place.
        lazily: only inside a function, because few need them or they are slow to import.
    """

    always: frozenset[str]
    lazily: frozenset[str] = frozenset()


def rule(*always: str, lazily: tuple[str, ...] = ()) -> Rule:
    return Rule(frozenset(always), frozenset(lazily))


_SELDOM = (
    *("torchinfo", "safetensors", "tensorboard", "nbformat", "psutil", "pyarrow"),
    *("charset_normalizer", "pillow_heif"),
)

# The longest matching folder or file decides.
RULES = {
    "models/core": rule(*TORCH, "numpy", "psutil", "models.core", lazily=_SELDOM),
    "models": rule(*TORCH, *DATA, "captum", "models", lazily=_SELDOM),
    "models/data/text_steps.py": rule(*TORCH, "tokenizers", "models"),
    "components/figures": rule("plotly", "numpy", "torch", "models", "components.figures"),
    "components": rule(
        "streamlit", "plotly", "numpy", "pandas", "torch", "segno", "components", "models"
    ),
    "pages": rule("streamlit", "components", "models"),
    "app": rule("streamlit", "starlette", "models.core", "app"),
    "app/routes.py": rule(
        "starlette", "plotly", "models.core", "app"
    ),  # hands out plotly's own file
    "app/uploads.py": rule("starlette", "models.core", "models.data.workspace", "app"),
    "app/middleware.py": rule("streamlit", "starlette", "models.data.owners", "app"),
    "app/main.py": rule("streamlit", "starlette", "models.core", "models.data.workspace", "app"),
    "app/ui.py": rule("streamlit", "models.data.workspace"),
    "app/__init__.py": rule(),
    "app/__main__.py": rule("app.bootstrap"),
    "app/bootstrap.py": rule(),
    "tests/__main__.py": rule("app.bootstrap", "tests.browser.harness"),
}


@dataclass(frozen=True)
class Import:
    """One imported name: its full dotted path, its line, and whether only a function's call reaches it."""

    name: str
    line: int
    lazy: bool


def imports(code: str, package: tuple[str, ...]) -> Iterator[Import]:
    """Every import of a file in `package`, relative ones resolved, dynamic ones with a literal name included."""
    tree = ast.parse(code)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def lazy(node: ast.AST) -> bool:
        while node := parents.get(node):  # type: ignore[assignment]  # None ends it
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                return True
        return False

    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            if _called(node) in ("import_module", "__import__") and isinstance(first, ast.Constant):
                names = [str(first.value)]
        yield from (Import(name, node.lineno, lazy(node)) for name in names)  # type: ignore[attr-defined]  # these nodes have a line


def broken(path: str, code: str) -> list[str]:
    """The imports of a file that its folder's rule forbids, each as "name (line n)"."""
    allowed = next((RULES[p] for p in _folders(path) if p in RULES), None)
    if allowed is None:
        return []
    package = Path(path).with_suffix("").parts[:-1]
    return [
        f"{found.name} (line {found.line})"
        for found in imports(code, package)
        if found.name.partition(".")[0] not in sys.stdlib_module_names
        and not _within(found.name, allowed.always)
        and not (found.lazy and _within(found.name, allowed.lazily))
    ]


def _folders(path: str) -> list[str]:
    """The path itself and every folder above it, the nearest first."""
    return [path, *(p.as_posix() for p in Path(path).parents)]


def _within(name: str, allowed: frozenset[str]) -> bool:
    return any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)


def project_files(*endings: str) -> list[str]:
    """Every file of the project with one of these endings, as git would take it, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = {f for f in listed.stdout.splitlines() if f.endswith(endings)}
    return sorted(f for f in files if (ROOT / f).is_file())


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_import_is_allowed_by_the_rule_of_its_folder() -> None:
    files = project_files(".py")
    assert len(files) > 20
    found = {path: forbidden for path in files if (forbidden := broken(path, text(path)))}
    assert found == {}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("models/x.py", "import streamlit"),
        ("models/x.py", "def f():\n    import streamlit as st"),
        ("models/x.py", "from plotly import graph_objects"),
        ("models/x.py", "import torchinfo"),
        ("models/core/x.py", "from models import training"),
        ("models/core/x.py", "from .. import training"),
        ("models/core/x.py", "import importlib\nimportlib.import_module('models.training')"),
        ("components/figures/x.py", "import streamlit"),
        ("components/figures/x.py", "from components import controls"),
        ("components/x.py", "import pages.home"),
        ("components/x.py", "from app import routes"),
        ("components/x.py", "import captum"),
        ("pages/x.py", "from pages import home"),
        ("pages/x.py", "import numpy as np"),
        ("app/x.py", "from components import controls"),
        ("app/x.py", "from models import training"),
        ("app/__main__.py", "import streamlit"),
        ("app/bootstrap.py", "import torch"),
    ],
)
def test_a_forbidden_import_is_seen(path: str, code: str) -> None:
    assert len(broken(path, code)) == 1


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("models/x.py", "import math, torch\nfrom PIL import Image\nfrom models.core import spec"),
        ("models/x.py", "def f():\n    import torchinfo"),
        ("models/core/x.py", "from . import spec\nfrom .spec import knob"),
        ("models/training/x.py", "from ..core import spec"),
        ("components/figures/x.py", "import plotly.graph_objects as go\nimport numpy as np"),
        ("components/x.py", "import streamlit as st\nfrom components.figures import curves"),
        ("pages/x.py", "import streamlit as st\nfrom components import controls\nimport models.x"),
        ("app/x.py", "from starlette.routing import Route\nfrom models.core import runs"),
        ("somewhere/x.py", "import anything"),
    ],
)
def test_an_allowed_import_is_let_pass(path: str, code: str) -> None:
    assert broken(path, code) == []


# Addresses: nothing is fetched from outside, so none stands where a program would use it.

ADDRESS = re.compile(r"https?://[^\s\"'`)>\]}]+")
OWN_MACHINE = re.compile(r"https?://(localhost|127\.0\.0\.1|\[?::1|192\.0\.2\.|$)")
NAMESPACE = re.compile(r"https?://www\.w3\.org/")  # names of SVG and the like, never fetched
DOCUMENTATION = re.compile(
    r"https://(docs\.pytorch\.org|www\.tensorflow\.org/guide|keras\.io|huggingface\.co/docs)/"
)


def addresses(path: str, code: str) -> list[str]:
    """The addresses of other hosts that this code could fetch, not merely show as a link or name in its docs."""
    if path.endswith(".py"):
        shown = "\n".join(_strings(code))
        shown = re.sub(r"\]\(https?://[^)\s]+\)|<https?://[^>\s]+>", "", shown)  # Markdown links
    else:
        shown = re.sub(r"/\*.*?\*/|(?<![:\w])//[^\n]*", "", code, flags=re.DOTALL)
    found = ADDRESS.findall(shown)
    harmless = (OWN_MACHINE, NAMESPACE, DOCUMENTATION)
    return [a for a in found if not any(kind.match(a) for kind in harmless)]


def _strings(code: str) -> Iterator[str]:
    """Every text that is neither a docstring nor the target of a link that a person has to click."""
    tree = ast.parse(code)
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(id(node.value))
        elif isinstance(node, ast.Call) and _called(node) in ("link_button", "page_link"):
            left_out |= {id(argument) for argument in node.args}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in left_out:
            yield str(node.value)


def _called(node: ast.Call) -> str:
    """The last name of what is called: `link_button` of `st.link_button(…)`."""
    return ast.unparse(node.func).rpartition(".")[2]


SHIPPED = ("app/", "components/", "models/", "pages/")


def test_no_shipped_code_holds_an_address_of_another_host() -> None:
    files = [f for f in project_files(".py", ".js", ".css", ".html") if f.startswith(SHIPPED)]
    found = {path: hosts for path in files if (hosts := addresses(path, text(path)))}
    assert found == {}


@pytest.mark.parametrize(
    ("path", "code", "seen"),
    [
        ("x.py", "get('https://cdn.example.org/a.js')", True),
        ("x.py", "f'https://{host}/x'", False),
        ("x.py", "f'https://example.org/{name}'", True),
        ("x.py", "'see [the docs](https://pytorch.org/docs)'", False),
        ("x.py", "st.link_button('Docs', 'https://pytorch.org')", False),
        ("x.py", "'''Source: https://pytorch.org.'''", False),
        ("x.py", "# https://pytorch.org\nx = 1", False),
        ("x.py", "'http://127.0.0.1:8501'", False),
        ("x.js", "import('https://cdn.example.org/a.js')", True),
        ("x.js", "// https://pytorch.org\nlet a = 1 /* http://b.org */", False),
        ("x.js", "document.createElementNS('http://www.w3.org/2000/svg', 'svg')", False),
        ("x.css", "@import url(https://fonts.example.org/a.css)", True),
    ],
)
def test_an_address_counts_where_a_program_would_use_it(path: str, code: str, seen: bool) -> None:
    assert bool(addresses(path, code)) is seen


# Everything in the repository.

WRITTEN = (".py", ".js", ".css", ".md", ".toml", ".txt", ".sh", ".ini", ".yml", "run")
MACHINE_PATHS = re.compile(
    "|".join(["/" + "home/(?!someone)", "/" + "root/", "/" + "Users/", "/" + "work/", "/" + "tmp/"])
)
MARKS = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]))
SKIPS = re.compile(r"\b(pytest\.(skip|xfail|importorskip)|mark\.(skip|skipif|xfail))\b")


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [f for f in project_files(*WRITTEN) if MACHINE_PATHS.search(text(f))] == []


def test_nothing_is_left_to_be_done_later() -> None:
    assert [f for f in project_files(*WRITTEN) if MARKS.search(text(f))] == []


def test_no_test_is_skipped() -> None:
    files = [f for f in project_files(".py") if f.startswith("tests/")]
    skipping = [f for f in files if SKIPS.search(text(f)) and f != "tests/test_architecture.py"]
    assert skipping == []


def test_every_module_is_under_test() -> None:
    files = project_files(".py")
    tests = [f for f in files if f.startswith("tests/")]
    stems = {Path(f).stem.removeprefix("test_") for f in tests}
    opening = [
        *tests,
        *(f for f in files if f.startswith("pages/")),
    ]  # every page is opened by tests
    used = {i.name for f in opening for i in imports(text(f), Path(f).with_suffix("").parts[:-1])}
    named = "".join(map(text, tests))
    untested = [
        f
        for f in files
        if f.startswith(SHIPPED) and not f.startswith("pages/") and _has_code(text(f))
        if not (_own_test(f, stems) or _imported(f, used) or f'"{f}"' in named)
    ]
    assert untested == []


def _own_test(path: str, stems: set[str]) -> bool:
    """Whether there is `test_<module>.py`, or `test_<folder>….py` for the folder it lies in."""
    _, *folders, _ = Path(path).parts
    kept = [f for f in folders if f != "core"]
    return Path(path).stem in stems or any(s.split("_")[0] == f for s in stems for f in kept)


def _imported(path: str, names: set[str]) -> bool:
    """Whether one of these imported names is the module, lies in it, or is the package that it is a part of."""
    module = ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
    return any(n == module.rpartition(".")[0] or f"{n}.".startswith(f"{module}.") for n in names)


def _has_code(code: str) -> bool:
    """Whether there is more than a docstring and imports."""
    body = ast.parse(code).body
    return any(not isinstance(n, (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign)) for n in body)


def test_every_module_says_first_what_it_is() -> None:
    files = [f for f in project_files(".py") if text(f).strip()]
    assert [f for f in files if not ast.get_docstring(ast.parse(text(f)))] == []


def test_every_page_has_one_place_in_the_page_table() -> None:
    table = text("app/ui.py")
    pages = [Path(f).stem for f in project_files(".py") if re.fullmatch(r"pages/[a-z]\w*\.py", f)]
    assert pages
    assert {page: table.count(f'("{page}",') for page in pages} == dict.fromkeys(pages, 1)


# The address has one owner: a widget that is bound to it, or code that writes it, would be a second one, and a part
# of a page that draws itself again without `address.fragment` leaves the address behind.
_ADDRESS = re.compile(r"bind\s*=\s*[\"']query|\.query_params\b|run_every\s*=|(@|\b)st\.fragment\b")


def _touches_the_address(path: str, code: str) -> bool:
    return path != "components/address.py" and bool(_ADDRESS.search(code))


def test_the_address_has_one_owner() -> None:
    ours = [f for f in project_files(".py") if f.startswith(("components/", "pages/"))]
    assert not [f for f in ours if _touches_the_address(f, text(f))]


@pytest.mark.parametrize(
    ("path", "code", "seen"),
    [
        ("components/x.py", 'st.slider("a", key="a", bind="query-params")', True),
        ("pages/x.py", 'st.query_params["run"]', True),
        ("components/x.py", "@st.fragment\ndef f(): ...", True),
        ("components/x.py", "st.fragment(f, run_every=2)", True),
        ("components/x.py", "@address.fragment\ndef f(): ...", False),
        ("components/x.py", "st.page_link(page, query_params={})", False),
        ("components/address.py", "st.query_params.from_dict({})", False),
    ],
)
def test_a_second_owner_of_the_address_is_seen(path: str, code: str, seen: bool) -> None:
    assert _touches_the_address(path, code) == seen


# What a learner sends is opened where it can be ended: in a worker, never in the server's own process.

SERVER = ("app/", "components/", "pages/")
READERS = frozenset(
    {
        *(
            f"pd.read_{kind}"
            for kind in ("csv", "excel", "fwf", "json", "parquet", "pickle", "table")
        ),
        *("Image.open", "zipfile.ZipFile", "ZipFile", "tarfile.open", "pq.ParquetFile"),
        *("torch.load", "np.load", "np.genfromtxt", "np.loadtxt", "pickle.load", "pickle.loads"),
        *("csv.reader", "safetensors.safe_open", "load_file", "read_image", "decode_image"),
        *("csv_files.read_csv", "decoded.profile", "images.decode", "images.opened"),
        *("archives.contents", "archives.read", "checkpoint.read", "checkpoint.read_weights"),
        *("looking.spec_of", "looking.state_dict", "looking.picture", "streaming.preview"),
        *("profiling.run", "opening.run", "previewing.run"),
    }
)


def readers(code: str) -> list[str]:
    """The readers of files that this code calls, each as "name (line n)"."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    named = [(".".join(ast.unparse(c.func).split(".")[-2:]), c.lineno) for c in calls]
    return [f"{name} (line {line})" for name, line in named if name in READERS]


def test_the_servers_own_folders_open_no_file_of_a_learner() -> None:
    files = [f for f in project_files(".py") if f.startswith(SERVER)]
    assert {path: found for path in files if (found := readers(text(path)))} == {}


@pytest.mark.parametrize(
    "code",
    [
        "pd.read_csv(x)",
        "f(images.decode(x))",
        "with zipfile.ZipFile(x) as z: pass",
        "torch.load(x)",
    ],
)
def test_a_reader_is_seen(code: str) -> None:
    assert len(readers(code)) == 1


# What the README promises.


def test_everything_the_readme_names_is_there() -> None:
    readme = text("README.md")
    tree = readme.partition("```text\n")[2].partition("```")[0]
    folder, missing = "", []
    for line in tree.splitlines():
        name = line.split()[0]
        path = f"{folder}{name}" if line.startswith(" ") else name
        folder = folder if line.startswith(" ") else name
        missing += [] if (ROOT / path).exists() else [path]
    assert missing == []
    pictures = re.findall(r"\]\((?!http)([^)#]+)\)", readme)
    assert [p for p in pictures if not (ROOT / p).exists()] == []


def test_every_limit_in_the_readme_is_one_and_has_its_default() -> None:
    from models.core.runs.limits import Limits

    limits = Limits.from_environment({})
    rows = re.findall(r"\| `PLAYGROUND_(\w+)` \| (\S+) ", text("README.md"))
    assert len(rows) > 5
    for name, default in rows:
        limit = hasattr(limits, name.lower())
        assert limit or any(f'"PLAYGROUND_{name}"' in text(f) for f in project_files(".py")), name
        if default.isdigit() and name != "PER_SERVER":
            assert getattr(limits, name.lower()) == int(default), name


# What computes a learner's own words, by the modules that pages can name; each is asked of an evaluator
# (components/evaluate.py) as a text.
EVALUATORS = {
    "models.expressions": ("evaluate", "function", "cost"),
    "models.autograd.language": ("Interpreter",),
    "models.autograd": ("run", "to_code"),
    "models.autograd.functions": ("run", "to_code"),
    "models.autograd.beyond": ("run", "to_code"),
    "models.autograd.shown": ("program", "function", "derivatives"),
    "models.autograd.tracing": ("backward_code",),
    "models.tensor_ops": ("run", "shelf", "tensors"),
    "models.tensor_ops.create": ("build", "changed", "line_for"),
    "models.tensor_ops.look": ("look", "shelf", "memory", "changed", "found"),
    "models.tensor_ops.search": ("find",),
}


def evaluations(path: str, code: str) -> list[str]:
    """Where a file names an evaluator of `EVALUATORS` directly, each as "name (line n)"."""
    tree = ast.parse(code)
    called: dict[str, str] = {}  # name in this file → dotted name
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            called |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            called |= {a.asname: a.name for a in node.names if a.asname}
    closed = {f"{module}.{name}" for module, names in EVALUATORS.items() for name in names}
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Attribute, ast.Name)):
            continue
        dotted = ast.unparse(node)
        first, _, rest = dotted.partition(".")
        whole = called.get(first, first) + (f".{rest}" if rest else "")
        if whole in closed:
            found.append(f"{whole} (line {node.lineno})")
    return found


def test_pages_evaluate_nothing_themselves() -> None:
    files = [f for f in project_files(".py") if f.startswith(("app/", "components/", "pages/"))]
    found = {path: calls for path in files if (calls := evaluations(path, text(path)))}
    assert found == {}


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("from models import tensor_ops\ntensor_ops.run(spec)", "models.tensor_ops.run (line 2)"),
        ("import models.expressions\nmodels.expressions.evaluate('a', {})", "models.expressions.evaluate (line 2)"),
        ("from models.tensor_ops.create import build as b\nb('a = 1')", "models.tensor_ops.create.build (line 2)"),
        ("from models import autograd as a\ncall = a.run", "models.autograd.run (line 2)"),
    ],
)  # fmt: skip
def test_an_evaluation_is_seen_however_it_is_named(code: str, whole: str) -> None:
    assert evaluations("pages/x.py", code) == [whole]


def test_every_evaluator_that_the_law_names_exists() -> None:
    for module, names in EVALUATORS.items():
        made = importlib.import_module(module)
        assert [n for n in names if not hasattr(made, n)] == []
