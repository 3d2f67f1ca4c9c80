"""The imports run one way: app -> face -> dermnote, train -> dermnote, pipeline -> rest -> config, errors."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
DERMNOTE = sorted((REPOSITORY / "dermnote").rglob("*.py"))
TRAIN = sorted((REPOSITORY / "train").rglob("*.py"))
FACE = [REPOSITORY / "app.py", *sorted((REPOSITORY / "face").rglob("*.py"))]
# Leaves of the package: what everything may import imports nothing of ours but these.
FOUNDATION = {f"dermnote.{name}" for name in ("errors", "settings", "storage", "config", "taxonomy", "case")}


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
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def imports_package(path: Path, package: str, **options: bool) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in imports_of(path, **options))


@pytest.mark.parametrize("path", DERMNOTE, ids=module_name)
def test_dermnote_never_imports_the_faces_above_it(path: Path) -> None:
    for above in ("gradio", "train", "face", "app", "tests", "accelerate"):
        assert not imports_package(path, above), f"{path} imports {above}"


@pytest.mark.parametrize("path", TRAIN, ids=module_name)
def test_train_never_imports_the_app(path: Path) -> None:
    for above in ("gradio", "face", "app", "tests"):
        assert not imports_package(path, above), f"{path} imports {above}"


@pytest.mark.parametrize("path", FACE, ids=module_name)
def test_the_face_knows_models_and_not_how_they_are_trained(path: Path) -> None:
    for other in ("train", "tests", "faiss", "huggingface_hub"):
        assert not imports_package(path, other), f"{path} imports {other}"


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("faiss", "dermnote/faiss_index.py"),
        ("huggingface_hub", "dermnote/hub/"),
        ("openai", "dermnote/notes/writer.py"),
    ],
)
def test_each_outside_service_has_one_home(package: str, home: str) -> None:
    users = {path.relative_to(REPOSITORY).as_posix() for path in [*DERMNOTE, *TRAIN] if imports_package(path, package)}
    assert all(user.startswith(home) for user in users), users


def test_only_the_package_itself_imports_the_pipeline() -> None:
    users = {module_name(path) for path in DERMNOTE if imports_package(path, "dermnote.pipeline")}
    assert users <= {"dermnote"}


@pytest.mark.parametrize("name", sorted(FOUNDATION))
def test_the_foundation_rests_on_nothing_but_itself(name: str) -> None:
    path = REPOSITORY / (name.replace(".", "/") + ".py")
    ours = {found for found in imports_of(path) if found.startswith("dermnote.")}
    assert {".".join(found.split(".")[:2]) for found in ours} <= FOUNDATION


@pytest.mark.parametrize("step", ["train.fit", "train.evaluate"])
def test_training_loads_on_a_machine_without_the_face_and_the_index(step: str) -> None:
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
    for path in [*DERMNOTE, *TRAIN, *FACE]:
        assert not {"pickle", "cloudpickle", "dill", "joblib"} & imports_of(path), f"{path} imports a pickler"
        text = path.read_text(encoding="utf-8")
        for forbidden in ("torch.load(", "trust_remote_code=True", "allow_pickle=True"):
            assert forbidden not in text, f"{path} has {forbidden}"
