"""Import rules: app -> pipeline -> library packages -> foundation, train -> dermnote, and no cycles."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
DERMNOTE = sorted((REPOSITORY / "dermnote").rglob("*.py"))
TRAIN = sorted((REPOSITORY / "train").rglob("*.py"))
APP_FOLDER = REPOSITORY / "dermnote" / "app"
APP = [REPOSITORY / "app.py", *sorted(APP_FOLDER.rglob("*.py"))]
LIBRARY = [path for path in DERMNOTE if APP_FOLDER not in path.parents]
FOUNDATION = {f"dermnote.{name}" for name in ("errors", "storage", "config", "taxonomy", "metadata")}


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def type_checking_blocks(tree: ast.AST) -> set[ast.AST]:
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            inside.update(child for statement in node.body for child in ast.walk(statement))
    return inside


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Every module a file imports; `from a import b` counts as `a` and as `a.b`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = type_checking_blocks(tree)
    if top_level_only:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                skipped.update(ast.walk(node))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(REPOSITORY).parts[: -node.level]
                base = ".".join([*package, base] if base else package)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def imports_package(path: Path, package: str, **options: bool) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in imports_of(path, **options))


@pytest.mark.parametrize("path", LIBRARY, ids=module_name)
def test_library_imports_nothing_above_it(path: Path) -> None:
    for above in ("gradio", "train", "dermnote.app", "app", "tests", "accelerate"):
        assert not imports_package(path, above), f"{path} imports {above}"


@pytest.mark.parametrize("path", TRAIN, ids=module_name)
def test_train_does_not_import_the_app(path: Path) -> None:
    for above in ("gradio", "dermnote.app", "app", "tests"):
        assert not imports_package(path, above), f"{path} imports {above}"


@pytest.mark.parametrize("path", TRAIN, ids=module_name)
def test_train_imports_itself_relatively(path: Path) -> None:
    """So that the folder also works installed as `dermnote.train`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level or (node.module or "").split(".")[0] != "train", f"{path}:{node.lineno} names train"
            depth = len(path.relative_to(REPOSITORY).parts) - 1
            assert node.level <= depth, f"{path}:{node.lineno} climbs above train"
        elif isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "train" for alias in node.names), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", APP, ids=module_name)
def test_app_does_not_know_how_models_are_trained(path: Path) -> None:
    for other in ("train", "tests", "faiss", "huggingface_hub", "openai"):
        assert not imports_package(path, other), f"{path} imports {other}"


@pytest.mark.parametrize(
    ("package", "home"),
    [("faiss", "dermnote/index/"), ("huggingface_hub", "dermnote/hub/"), ("openai", "dermnote/llm/")],
)
def test_each_service_library_is_imported_in_one_package(package: str, home: str) -> None:
    users = {path.relative_to(REPOSITORY).as_posix() for path in [*DERMNOTE, *TRAIN] if imports_package(path, package)}
    assert users and all(user.startswith(home) for user in users), users


def unit(module: str) -> str:
    """The package or top-level module that a module of ours belongs to, such as "dermnote.audit" or "train.fit"."""
    return ".".join(module.split(".")[:2])


def package_graph(paths: list[Path], top: str) -> dict[str, set[str]]:
    modules = {module_name(path) for path in paths}
    graph: dict[str, set[str]] = {}
    for path in paths:
        own = unit(module_name(path))
        for name in imports_of(path):
            if name.startswith(f"{top}.") and (name in modules) and unit(name) != own:
                graph.setdefault(own, set()).add(unit(name))
    graph.pop(top, None)  # the package's own __init__, which only re-exports
    return graph


def cycles(graph: dict[str, set[str]]) -> set[tuple[str, ...]]:
    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for other in graph.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    reached = {name: reach(name) for name in graph}
    return {tuple(sorted(o for o in reached[n] if n in reached.get(o, ()))) for n in graph if n in reached[n]}


@pytest.mark.parametrize(("paths", "top"), [(DERMNOTE, "dermnote"), (TRAIN, "train")], ids=["dermnote", "train"])
def test_packages_import_each_other_one_way(paths: list[Path], top: str) -> None:
    assert not cycles(package_graph(paths, top))


def test_only_the_package_itself_and_the_app_import_the_pipeline() -> None:
    users = {module_name(path) for path in LIBRARY if imports_package(path, "dermnote.pipeline")}
    assert users <= {"dermnote"}


@pytest.mark.parametrize("name", sorted(FOUNDATION))
def test_the_foundation_imports_nothing_but_itself(name: str) -> None:
    path = REPOSITORY / (name.replace(".", "/") + ".py")
    ours = {found for found in imports_of(path) if found.startswith("dermnote.")}
    assert {".".join(found.split(".")[:2]) for found in ours} <= FOUNDATION


@pytest.mark.parametrize("step", ["train.fit", "train.evaluate"])
def test_training_loads_on_a_machine_without_app_and_index(step: str) -> None:
    """A GPU node has torch, transformers and accelerate, often nothing of the app's or the index's packages."""
    absent = ("faiss", "gradio", "openai", "datasets")
    code = (
        "import sys\n"
        f"sys.modules.update({{name: None for name in {absent!r}}})\n"  # None makes `import name` fail
        f"import {step}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, dermnote\n"
        "heavy = {'torch', 'transformers', 'faiss'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_unpickles_or_runs_remote_code() -> None:
    for path in [*DERMNOTE, *TRAIN, *APP]:
        assert not {"pickle", "cloudpickle", "dill", "joblib"} & imports_of(path), f"{path} imports a pickler"
        text = path.read_text(encoding="utf-8")
        for forbidden in ("torch.load(", "trust_remote_code=True", "allow_pickle=True"):
            assert forbidden not in text, f"{path} has {forbidden}"
