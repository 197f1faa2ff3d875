"""Rules for our own source that no other tool knows. Each finding says where it is."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate import errors
from tidegate.errors import TidegateError

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tidegate"
MODULES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

MAY_PRINT = (
    "cli/",
    "lab/",
    "main/",
    # A program that becomes Envoy; what it prints is the head of Envoy's log.
    "drivers/traffic/envoy_boot.py",
)
SHELLS = frozenset({"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"})


def where(path: Path, node: ast.AST) -> str:
    """Return where *node* stands, as an editor opens it."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def each(kind: type[ast.AST]) -> Iterator[tuple[Path, ast.AST]]:
    """Yield every node of *kind* in our source with the file it is in."""
    for path, tree in TREES.items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kind))


def test_every_init_holds_only_a_docstring() -> None:
    """Parents are loaded with the child: nothing may happen there."""
    found = [
        where(path, tree)
        for path, tree in TREES.items()
        if path.name == "__init__.py"
        and not (len(tree.body) == 1 and ast.get_docstring(tree) is not None)
    ]

    assert found == []


def test_every_module_opens_with_a_docstring() -> None:
    """Whoever opens a file is told why it exists."""
    found = [where(path, tree) for path, tree in TREES.items() if not ast.get_docstring(tree)]

    assert found == []


def test_no_module_reads_a_clock_of_its_own() -> None:
    """Time comes in as a value, or from the clock port; the exceptions are named in the tool."""
    done = _clock_tool(SOURCE)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "import time\nbegan = time.monotonic()",
        "from time import time as now_s\nbegan = now_s()",
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "from datetime import date\ntoday = date.today",
    ],
)
def test_the_clock_tool_finds_a_reading(line: str, tmp_path: Path) -> None:
    """The check above could fail."""
    (tmp_path / "module.py").write_text(line, encoding="utf-8")

    done = _clock_tool(tmp_path)

    assert done.returncode == 1
    assert "module.py:2: reads a clock" in done.stdout


def test_the_clock_tool_takes_a_named_escape(tmp_path: Path) -> None:
    """An escape counts with its reason, and not without one."""
    reading = "import time\nbegan = time.monotonic()  # lint-skip: clock"
    (tmp_path / "reasoned.py").write_text(f"{reading} - told to nobody", encoding="utf-8")
    (tmp_path / "bare.py").write_text(reading, encoding="utf-8")

    done = _clock_tool(tmp_path)

    assert "bare.py:2" in done.stdout
    assert "reasoned.py" not in done.stdout


def test_a_broad_except_raises_again_or_gives_its_reason() -> None:
    """What isn't expected isn't swallowed; where it has to be, the line says why."""
    found = []
    for path, node in each(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        line = path.read_text(encoding="utf-8").splitlines()[node.lineno - 1]
        reason = line.partition("#")[2].replace("noqa: BLE001", "").strip(" -")
        if _is_broad(node) and not reason and not isinstance(node.body[-1], ast.Raise):
            found.append(where(path, node))

    assert found == []


def test_nothing_prints_but_what_talks_to_a_person() -> None:
    """Standard output is the command line's; everything else logs or returns."""
    found = [
        where(path, node)
        for path, node in each(ast.Call)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "print"
        and not path.relative_to(SOURCE).as_posix().startswith(MAY_PRINT)
    ]

    assert found == []


def test_no_process_is_started_through_a_shell() -> None:
    """A version's name or a path can't become a command."""
    found = [
        where(path, node)
        for path, node in each(ast.Call)
        if isinstance(node, ast.Call)
        and (
            getattr(node.func, "attr", "") in SHELLS
            or any(word.arg == "shell" and _is_true(word.value) for word in node.keywords)
        )
    ]

    assert found == []


def test_every_error_is_defined_in_one_place() -> None:
    """Codes can be checked to be unique only where all of them are seen."""
    ours = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, TidegateError)
    }
    found = [
        where(path, node)
        for path, node in each(ast.ClassDef)
        if isinstance(node, ast.ClassDef)
        and path != SOURCE / "errors.py"
        and any(getattr(base, "id", getattr(base, "attr", "")) in ours for base in node.bases)
    ]

    assert found == []


def test_what_others_build_on_is_pinned() -> None:
    """
    A name, a parameter or a code that others rely on doesn't change unseen.

    Write it again: `python tools/lint/public_names.py > tests/architecture/public_names.txt`.
    """
    pinned = (Path(__file__).parent / "public_names.txt").read_text(encoding="utf-8")

    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "lint" / "public_names.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.splitlines() == pinned.splitlines()


def _clock_tool(folder: Path) -> "subprocess.CompletedProcess[str]":
    tool = ROOT / "tools" / "lint" / "clock.py"
    command = [sys.executable, tool, folder]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in kinds
    )


def _is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True
