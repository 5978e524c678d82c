"""`python3 -m benchmarks [name …]`: runs these measurements, or lists what there is."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

from app import bootstrap

HERE = Path(__file__).parent


def names() -> dict[str, str]:
    """Every measurement (a module here with a `main`) and the first line of what it says about itself."""
    found: dict[str, str] = {}
    for path in sorted(HERE.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
        if "main" in functions and not path.stem.startswith("__"):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main(chosen: list[str]) -> int:
    """Run the chosen measurements one after another; without any, list them."""
    known = names()
    chosen = [name for name in chosen if name not in ("-h", "--help")]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        print(f"There is no measurement called {', '.join(unknown)}.", file=sys.stderr)
    if unknown or not chosen:
        width = max(map(len, known), default=0)
        print("python3 -m benchmarks NAME [NAME …]\n")
        print("\n".join(f"  {name:<{width}}  {about}" for name, about in known.items()))
        return 1 if unknown else 0
    try:
        python = bootstrap.environment("requirements-dev.txt")
    except bootstrap.BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    if python != sys.executable:
        return bootstrap.hand_over([python, "-m", "benchmarks", *chosen], {})
    for name in chosen:
        print(f"\n{name}: {known[name]}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
