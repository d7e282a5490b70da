"""Check which packages import which: findimg ← findimg_jobs, findimg_bot."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
FORBIDDEN = {
    "shared/findimg": {"findimg_jobs", "findimg_bot"},
    "jobs/findimg_jobs": {"findimg_bot"},
    "bot/findimg_bot": {"findimg_jobs"},
}


def imported_packages(source: str) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    packages = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            packages.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            packages |= {
                str(ast.literal_eval(arg)).partition(".")[0] for arg in node.args if isinstance(arg, ast.Constant)
            }
    return packages


@pytest.mark.parametrize("package", FORBIDDEN)
def test_package_imports_only_allowed_packages(package: str) -> None:
    modules = sorted((PROJECT / package).rglob("*.py"))
    assert modules
    for module in modules:
        wrong = imported_packages(module.read_text()) & FORBIDDEN[package]
        assert not wrong, f"{module.relative_to(PROJECT)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize(
    "source",
    [
        "import findimg_jobs",
        "import numpy, findimg_jobs.indexing.plan as plan",
        "from findimg_jobs.indexing import plan",
        "def f():\n    from findimg_jobs.indexing.plan import Plan",
        "if TYPE_CHECKING:\n    from findimg_jobs.indexing.plan import Plan",
        "import_module('findimg_jobs.indexing.plan')",
        "importlib.import_module('findimg_jobs.indexing.plan')",
    ],
)
def test_every_kind_of_import_is_detected(source: str) -> None:
    assert "findimg_jobs" in imported_packages(source)
