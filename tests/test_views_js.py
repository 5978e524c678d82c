"""The views' pure functions, in Node where there is one; tests/browser/test_views.py runs the same laws in Chromium."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODE = shutil.which("node")


def _laws(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the laws on a copy whose package.json says that .js files are modules."""
    shutil.copytree(ROOT / "components" / "views" / "shared", folder / "shared")
    shutil.copy(ROOT / "tests" / "js" / "laws.js", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "main.js").write_text(
        'import { broken } from "./laws.js";\n'
        "const found = await broken((path) => import(`./${path}`));\n"
        'console.log(found.join("\\n"));\n'
        "process.exit(found.length ? 1 : 0);\n"
    )
    return subprocess.run(
        [NODE or "node", "main.js"], cwd=folder, capture_output=True, text=True, timeout=60
    )


if NODE:  # the browser test holds the same laws on machines without Node

    def test_scales_ticks_numbers_thinning_wire_and_rows_hold_their_laws(tmp_path: Path) -> None:
        done = _laws(tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_view_has_a_module_beside_its_function_and_fetches_nothing_foreign() -> None:
    views = ROOT / "components" / "views"
    folders = {p.parent.name for p in views.glob("*/__init__.py")}
    assert folders == {p.stem for p in views.glob("*/*.js") if p.parent.name == p.stem}
    for module in views.rglob("*.js"):
        text = module.read_text(encoding="utf-8")
        assert "http://" not in text.replace("http://www.w3.org", ""), module
        assert "https://" not in text, module
        assert "innerHTML" not in text, module
