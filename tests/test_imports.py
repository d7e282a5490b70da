"""Test the structure of the packages: imports, cycles, size of folders, and no changes on import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = {"findimg": "shared", "findimg_jobs": "jobs", "findimg_bot": "bot"}
FORBIDDEN = {
    "findimg": {"findimg_jobs", "findimg_bot"},
    "findimg_jobs": {"findimg_bot"},
    "findimg_bot": {"findimg_jobs"},
}
MOST_MODULES = 13  # in a folder, without __init__.py


def modules(package: str) -> dict[str, Path]:
    """Return the modules of a package by their full name."""
    top = PROJECT / PACKAGES[package]
    found = {}
    for path in sorted((top / package).rglob("*.py")):
        parts = path.relative_to(top).with_suffix("").parts
        if "migrations" in parts:
            continue  # Alembic runs these files, and nothing imports them
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_packages(source: str) -> set[str]:
    """Return the top-level packages that a module imports, anywhere in it."""
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


def imports_at_start(source: str, known: set[str]) -> set[str]:
    """Return the modules, out of `known`, that are imported when the module itself is imported.

    Imports inside functions and for type checkers do not count.
    """
    found: set[str] = set()
    for node in _at_start(ast.parse(source).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # `from package import module` needs the module, and from the package itself only that it is a package.
            found |= {
                name if (name := f"{node.module}.{each.name}") in known else str(node.module) for each in node.names
            }
    return found & known


def folder_of(module: str) -> str:
    """Return the folder of a package that holds a module, such as `findimg.search` for one of its evidence sources."""
    return ".".join(module.split(".")[:2])


def _at_start(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _at_start(node.orelse)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        else:
            yield node
            for field in ("body", "orelse", "finalbody"):
                yield from _at_start(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from _at_start(handler.body)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_only_what_the_design_allows(package: str) -> None:
    found = modules(package)
    assert found
    for name, path in found.items():
        wrong = imported_packages(path.read_text()) & FORBIDDEN[package]
        assert not wrong, f"{name} imports {', '.join(sorted(wrong))}"


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    found = {name: path for package in PACKAGES for name, path in modules(package).items()}
    graph = {name: imports_at_start(path.read_text(), set(found)) - {name} for name, path in found.items()}
    assert sum(map(len, graph.values())) > len(found), "imports are recognised"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_of_a_package_do_not_import_each_other_in_a_circle(package: str) -> None:
    found = modules(package)
    graph: dict[str, set[str]] = {}
    for name, path in found.items():
        if path.parent != PROJECT / PACKAGES[package] / package:
            graph.setdefault(folder_of(name), set()).update(
                folder_of(each)
                for each in imports_at_start(path.read_text(), set(found))
                if found[each].parent != PROJECT / PACKAGES[package] / package
            )
    for folder in graph:
        graph[folder] -= {folder}
    assert any(graph.values()), "imports are recognised"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_has_too_many_modules(package: str) -> None:
    folders: dict[Path, int] = {}
    for path in modules(package).values():
        folders[path.parent] = folders.get(path.parent, 0) + (path.name != "__init__.py")
    crowded = {str(folder.relative_to(PROJECT)): number for folder, number in folders.items() if number > MOST_MODULES}
    assert not crowded


@pytest.mark.parametrize(
    "source",
    [
        "import findimg_jobs",
        "import numpy, findimg_jobs.store.plan as plan",
        "from findimg_jobs.indexing import plan",
        "def f():\n    from findimg_jobs.store.plan import Plan",
        "if TYPE_CHECKING:\n    from findimg_jobs.store.plan import Plan",
        "import_module('findimg_jobs.store.plan')",
        "importlib.import_module('findimg_jobs.store.plan')",
    ],
)
def test_direction_check_sees_every_kind_of_import(source: str) -> None:
    assert "findimg_jobs" in imported_packages(source)


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("import a.b", True),
        ("from a import b", True),
        ("from a.b import c", True),
        ("try:\n    import a.b\nexcept ImportError:\n    pass", True),
        ("try:\n    pass\nexcept ImportError:\n    import a.b", True),
        ("class C:\n    import a.b", True),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import a.b", True),
        ("def f():\n    import a.b", False),
        ("if TYPE_CHECKING:\n    import a.b", False),
    ],
)
def test_cycle_check_counts_the_imports_of_the_start(source: str, counts: bool) -> None:
    assert ("a.b" in imports_at_start(source, {"a.b"})) is counts


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_every_module_changes_no_global_setting(package: str) -> None:
    names = [name for name in modules(package) if not name.endswith("__main__")]
    code = (
        "import importlib, logging, os, sys, warnings\n"
        "import PIL.Image, PIL.ImageFile\n"
        "def state():\n"
        "    return {\n"
        # Ray sets variables of its own, and its telemetry must be off before it is imported.
        "        'environment': {name: os.environ[name] for name in os.environ if not name.startswith('RAY_')},\n"
        "        'logging': (logging.root.level, list(logging.root.handlers)),\n"
        "        'pillow': (PIL.Image.MAX_IMAGE_PIXELS, PIL.ImageFile.LOAD_TRUNCATED_IMAGES),\n"
        # Other libraries add filters for their own modules.
        "        'warnings': [each for each in warnings.filters if 'PIL' in f'{each[2].__module__} {each[3]}'],\n"
        "        'streams': (sys.stderr, sys.stdout),\n"
        "    }\n"
        "before = state()\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "after = state()\n"
        "for part in before:\n"
        "    if before[part] != after[part]:\n"
        "        print(part, before[part], after[part])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert done.stdout == ""
