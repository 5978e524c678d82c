"""Laws of the browser views' pure functions, run in Node where the machine has it; Chromium runs the same ones."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NODE = shutil.which("node")


def broken(laws: str, view: str, folder: Path, cases: Any = None) -> str:
    """What `broken` of tests/js/<laws>.js finds wrong with components/views/<view>; empty when all holds.

    Args:
        folder: an empty one; the modules run on a copy, whose package.json says that .js files are modules.
        cases: handed to `broken` as its second argument.
    """
    shutil.copytree(ROOT / "components" / "views" / view, folder / view)
    shutil.copy(ROOT / "tests" / "js" / f"{laws}.js", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "main.js").write_text(
        f'import {{ broken }} from "./{laws}.js";\n'
        f"const found = await broken((path) => import(`./${{path}}`), {json.dumps(cases)});\n"
        'console.log(found.slice(0, 20).join("\\n"));\n'
    )
    done = subprocess.run(
        [NODE or "node", "main.js"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    return (done.stdout + done.stderr).strip()
