"""The rules of the code base, checked by `ast`; every rule is also shown a snippet that breaks it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import vfe
from tests.support.clips import Clip, write_clip
from tests.support.paths import ROOT

FOLDERS = ("vfe", "training", "nodes", "benchmarks", "editors", "tests")
FILE_LINES, FUNCTION_LINES = 400, 60
TEST_NAME_LENGTH = 59

# A folder of vfe is a layer, and so is each module that lies in vfe itself. Layers import layers with a smaller number.
LAYERS = {
    "types": 0,
    "luma": 1,
    "config": 1,
    "own_process": 1,
    "device": 1,
    "files": 1,
    "options": 1,
    "quants": 1,
    "models": 2,
    "tensor_io": 2,
    "video": 2,
    "face": 3,
    "degradations": 3,
    "pipeline": 3,
    "weights": 4,
    "perceptual": 4,
    "library": 5,
    "text": 5,
    "loading": 6,
    "report": 6,
    "restore": 7,
    "jobs": 8,
    "vapoursynth": 8,  # beside the jobs: it has the frames of its host, not files
    "live": 8,  # beside the jobs: what is restored while it is filmed
    "batch": 9,  # above the jobs of single files
    "timeline": 10,  # above the batch, of which it has the record of results
    "curation": 10,  # above the batch, of which it has its processes and the walk over folders
    "cluster": 10,
    "score": 10,  # beside the cluster; it takes the clips of folders as batch finds them
    "cli": 11,
    "nodes": 11,
    "training": 6,  # beside loading, so that a training stage builds its networks from weights itself
}
FRONT_DOORS = {"vfe", "vfe.__init__", "vfe.__main__"}  # they may name anything
COMFY = {"comfy", "comfy_api", "comfy_extras", "folder_paths", "nodes"}
HEAVY = {"torchvision", "facexlib", "diffusers", "cv2", "skimage", "accelerate", "comfy", "comfy_api", "folder_paths"}


def files() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [*found, ROOT / "__init__.py", ROOT / "quickstart.py"]


def name_of(path: Path) -> str:
    """vfe/models/dit/model.py -> vfe.models.dit.model"""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(source: str, module: str) -> Iterator[tuple[str, bool]]:
    """(absolute name, written relatively) of what a module imports, at any depth of its code.

    `from .video import read` gives vfe.video and vfe.video.read: either may be the module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(module.split(".")[: -node.level]) if node.level else ""
            base = ".".join(part for part in (package, node.module) if part)
            yield base, bool(node.level)
            yield from ((f"{base}.{alias.name}", bool(node.level)) for alias in node.names)


def layer_of(module: str) -> str | None:
    """The layer of a module: vfe.models.dit.rope -> models, training.train -> training; None outside of the layers."""
    top, _, rest = module.partition(".")
    if top in ("nodes", "training"):
        return top
    part = rest.partition(".")[0]
    return part if top == "vfe" and part in LAYERS else None


def layering_errors(source: str, module: str) -> list[str]:
    own = layer_of(module)
    if own is None:
        return []
    errors = []
    for target, _ in imports(source, module):
        other = layer_of(target)
        # A name that a module defines is in its layer too: vfe.pipeline.one_step.WindowConfig is in pipeline.
        if other is not None and other != own and LAYERS[other] >= LAYERS[own]:
            errors.append(f"{module} ({own}) imports {target} ({other})")
    return errors


def import_errors(source: str, module: str) -> list[str]:
    """Who may import comfy, nodes, training, benchmarks and editors, and that packages import themselves relatively."""
    top = module.partition(".")[0]
    errors = []
    for target, relative in imports(source, module):
        other = target.partition(".")[0]
        if top == "__init__" and relative and other == "nodes":
            continue  # the door by which ComfyUI comes in
        if other in COMFY and top not in ("nodes", "tests") and not (relative and top == "nodes"):
            errors.append(f"{module} imports {target}: only nodes may")
        if other in ("training", "benchmarks") and top not in (other, "tests", "benchmarks"):
            errors.append(f"{module} imports {target}: only tests and benchmarks may")
        if other == "editors" and top not in (other, "tests"):
            errors.append(f"{module} imports {target}: only tests may")
        if top == "editors" and other in ("vfe", "torch"):
            errors.append(f"{module} imports {target}: the Python of an editor has none")
        if other == top and top in ("vfe", "nodes") and not relative:
            errors.append(f"{module} imports {target} absolutely: loaded as a node pack, that would be another module")
    return errors


def size_errors(source: str, module: str) -> list[str]:
    lines = len(source.splitlines())
    errors = [f"{module} has {lines} lines, at most {FILE_LINES}"] if lines > FILE_LINES else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            span = (node.end_lineno or node.lineno) - node.lineno + 1
            if span > FUNCTION_LINES:
                errors.append(f"{module}.{node.name} has {span} lines, at most {FUNCTION_LINES}")
    return errors


def broad_except_errors(source: str, module: str) -> list[str]:
    """Handlers of everything, except those that tidy up and end with a bare `raise`."""
    errors = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {c.id for c in caught if isinstance(c, ast.Name)}
        last = node.body[-1]
        passed_on = isinstance(last, ast.Raise) and last.exc is None
        if (None in caught or names & {"Exception", "BaseException"}) and not passed_on:
            errors.append(f"{module}:{node.lineno} catches everything")
    return errors


def print_errors(source: str, module: str) -> list[str]:
    programs = ("quickstart", "tests.comfy_suite", "tests.mypy_nodes", "editors.blender.make_zip",
                "editors.installing")  # fmt: skip
    if module.startswith(("vfe.cli", "training.", "benchmarks.", "editors.resolve.vfe_resolve.")) or module in programs:
        return []
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [f"{module}:{c.lineno} prints" for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


def is_test_module(module: str) -> bool:
    return module.startswith("tests.") and module.rpartition(".")[2].startswith("test_")


def errors_of_test_modules(source: str, module: str) -> list[str]:
    """Test modules take what they share from tests/support, and say in short names what they test."""
    if not module.startswith("tests."):
        return []
    errors = [f"{module} imports {target}: shared helpers go to tests/support"
              for target, _ in imports(source, module) if is_test_module(target)]  # fmt: skip
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and len(node.name) > TEST_NAME_LENGTH:
            errors.append(f"{module}.{node.name} has {len(node.name)} letters, at most {TEST_NAME_LENGTH}")
    return errors


def joined_assert_errors(source: str, module: str) -> list[str]:
    """Tests assert one thing at a time: of `assert a and b` a failure does not say which of them broke."""
    if not module.startswith("tests."):
        return []
    asserts = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert))
    return [f"{module}:{node.lineno} asserts several things at once" for node in asserts if is_conjunction(node.test)]


def is_conjunction(test: ast.expr) -> bool:
    """`a and b`, also as `not (a or b)`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return isinstance(test.operand, ast.BoolOp) and isinstance(test.operand.op, ast.Or)
    return isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)


Rule = Callable[[str, str], list[str]]
RULES: tuple[Rule, ...] = (
    layering_errors,
    import_errors,
    size_errors,
    broad_except_errors,
    print_errors,
    errors_of_test_modules,
    joined_assert_errors,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    errors = [error for path in files() for error in rule(path.read_text(encoding="utf-8"), name_of(path))]
    assert not errors, "\n".join(errors)


def test_every_module_of_vfe_has_a_layer() -> None:
    modules = {name_of(path) for path in files() if name_of(path).startswith("vfe.")}
    assert sorted(name for name in modules - FRONT_DOORS if layer_of(name) is None) == []


LONG = "def long() -> int:\n" + "    x = 1\n" * FUNCTION_LINES


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (layering_errors, "vfe.models.dit.model", "from ...pipeline.one_step import OneStepPipeline"),
        (layering_errors, "vfe.models.dit.model", "from ...video.read import Frame"),
        (layering_errors, "vfe.video.read", "def f() -> None:\n    from .. import restore"),
        (layering_errors, "vfe.types", "from .models import dit"),
        (layering_errors, "vfe.pipeline.one_step", "import vfe.restore.restorer"),
        (layering_errors, "vfe.restore.restorer", "from ..cli import main"),
        (layering_errors, "vfe.restore.restorer", "from ..batch.given import GivenOptions"),
        (layering_errors, "vfe.batch.presets", "from ..cli.text import say"),
        (layering_errors, "training.train", "from vfe.cli import main"),
        (layering_errors, "training.stages.lite", "from vfe.restore.restorer import Restorer"),
        (layering_errors, "training.stages.lite", "def f() -> None:\n    from vfe.loading.lite import load_lite"),
        (import_errors, "vfe.device", "import comfy.model_management"),
        (import_errors, "training.train", "from folder_paths import get_full_path"),
        (import_errors, "vfe.restore.restorer", "from nodes import host"),
        (import_errors, "vfe.restore.restorer", "import training.losses.terms"),
        (import_errors, "nodes.loader", "from training import losses"),
        (import_errors, "vfe.restore.restorer", "from vfe.pipeline.one_step import OneStepPipeline"),
        (import_errors, "quickstart", "import training.demo"),
        (import_errors, "quickstart", "import benchmarks.speed"),
        (import_errors, "vfe.cli.enhance", "from editors.resolve import install"),
        (import_errors, "editors.resolve.install", "from vfe.types import VFEError"),
        (size_errors, "vfe.types", "x = 1\n" * (FILE_LINES + 1)),
        (size_errors, "vfe.types", LONG),
        (broad_except_errors, "vfe.types", "try:\n    pass\nexcept:\n    pass"),
        (broad_except_errors, "vfe.types", "try:\n    pass\nexcept (OSError, Exception):\n    pass"),
        (broad_except_errors, "vfe.types", "try:\n    pass\nexcept BaseException as e:\n    raise OSError from e"),
        (print_errors, "vfe.pipeline.one_step", "def f() -> None:\n    print('x')"),
        (errors_of_test_modules, "tests.video.test_read", "from tests.video.test_write import copy"),
        (errors_of_test_modules, "tests.nodes.test_lite", "from tests.pipeline import test_one_step"),
        (errors_of_test_modules, "tests.video.test_read", f"def test_{'x' * TEST_NAME_LENGTH}() -> None:\n    pass"),
        (joined_assert_errors, "tests.video.test_read", "def test_it() -> None:\n    assert a == 1 and b"),
        (joined_assert_errors, "tests.support.clips", "assert a and b, c"),
        (joined_assert_errors, "tests.video.test_read", "assert not (a or b)"),
    ],
)
def test_a_violation_is_found(rule: Rule, module: str, source: str) -> None:
    assert rule(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "vfe.restore.restorer",
            "from ..pipeline.windows import split\nfrom ..video.read import Frame\nfrom ..types import Progress",
        ),
        ("vfe.models.dit.model", "from ...types import VideoShape\nfrom .rope import rotate\nimport torch"),
        ("vfe.cli.enhance", "from ..restore.restorer import load\nprint('x')"),
        (
            "training.train",
            "from vfe.pipeline.one_step import OneStepPipeline\nfrom training.losses.terms import terms",
        ),
        ("nodes.restore", "import comfy\nfrom .host import to_video\nfrom ..vfe.restore.restorer import load"),
        ("tests.test_train", "from training.losses.terms import terms"),
        ("tests.video.test_read", "from tests.support.clips import Clip\nfrom vfe.video import test_pattern"),
        ("tests.test_train", "assert a or b\nassert all(x and y for x in z)\nassert a, b and c"),
        ("vfe.types", "try:\n    pass\nexcept OSError:\n    pass"),
        ("vfe.video.write", "try:\n    pass\nexcept BaseException:\n    discard()\n    raise"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert [error for rule in RULES for error in rule(source, module)] == []


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after `code`."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_vfe_does_not_wait_for_torch() -> None:
    assert "torch" not in modules_after("import vfe, vfe.cli")


@pytest.mark.slow
def test_restoring_with_lite_imports_only_its_own_dependencies(tmp_path: Path) -> None:
    """What is installed beside them may be broken: the versions of torchvision and torch often do not fit."""
    clip, restored = write_clip(tmp_path / "clip.mp4", Clip(frames=2, width=32, height=32)), tmp_path / "restored.mp4"
    loaded = modules_after(f"import vfe; vfe.load('lite', 'cpu').restore_file({str(clip)!r}, {str(restored)!r})")
    assert restored.exists()
    assert "einops" in loaded
    assert not loaded & HEAVY
    assert "sympy" not in loaded, "what torch imports for its compiler takes a second"


def test_heavy_imports_would_be_seen() -> None:
    assert "skimage" in modules_after("import skimage")


def test_the_version_is_the_one_of_the_distribution() -> None:
    assert f'\nversion = "{vfe.__version__}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_ignored_paths_are_anchored() -> None:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith(("#", "/"))] == []
