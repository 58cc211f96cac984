"""The runner itself, on a tree of two guards: what is caught, and everything that only looks like it."""

from pathlib import Path
from typing import Final

import pytest

from tests.sabotage import runner
from tests.sabotage.runner import Edit, NotGreen, Result

pytestmark = pytest.mark.slow

TREE: Final = {
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
    "door.py": """
LEAST = 3


def enters(age: int) -> bool:
    if age < LEAST:
        return False
    if age > 99:
        return False
    return True
""",
    "script.lua": "if late then return 'late' end\nreturn 'ok'\n",
    "test_door.py": """
import sys
import time

import pytest

from door import enters


@pytest.fixture
def guest():
    return enters(5)


def test_the_young_stay_outside():
    assert [enters(age) for age in (2, 3)] == [False, True]


def test_a_guest_enters(guest):
    assert guest


def test_it_is_quick(guest):
    until = time.monotonic() + 60
    while not guest and time.monotonic() < until:
        guest = enters(3)


def test_byte_code_is_written_of_the_tree_as_it_is():
    assert sys.dont_write_bytecode is not enters(5)


@pytest.mark.skip(reason="there is no such server here")
def test_elsewhere():
    pass
""",
}
YOUNG: Final = "test_door.py::test_the_young_stay_outside"
LIMIT_S: Final = 20


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its pytest knows no plugin but the one that the runner needs: to start the others takes longer than the tests."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "pytest_timeout")
    for name, text in TREE.items():
        (tmp_path / name).write_text(text)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "python").symlink_to(tmp_path / "upgraded")  # cannot be copied
    return tmp_path


def edit(old: str, new: str, test: str = YOUNG, file: str = "door.py") -> Edit:
    return Edit(guards="Nobody young enters.", rows=(1,), file=file, old=old, new=new, test=test)


def tried(tree: Path, *edits: Edit, limit_s: float = LIMIT_S) -> list[Result]:
    before = {path.name: path.read_text() for path in tree.iterdir() if path.is_file()}
    found = list(runner.run(edits, tree, limit_s=limit_s))
    assert {path.name: path.read_text() for path in tree.iterdir() if path.is_file()} == before
    assert [result.edit for result in found] == list(edits)
    return found


def test_each_edit_gets_its_verdict_and_leaves_nothing_behind(tree):
    found = tried(
        tree,
        edit("if age < LEAST:", "if False:"),
        edit("if age > 99:", "if False:"),
        edit("if age < LEAST:", "if age <= LEAST:"),
        edit("if age < 4:", "if False:"),
        edit("return False", "return True"),
        edit("LEAST", "LEAST", file="gate.py"),
        edit("if age < LEAST:", "if age < :"),
        edit("if late then return 'late' end", "if late then", file="script.lua"),
        edit("LEAST = 3", "MOST = 3"),
    )
    assert [result.verdict for result in found] == [
        "caught",
        "not caught",
        "caught",
        "rotten",
        "rotten",
        "rotten",
        "broken",
        "broken",
        "broken",
    ]
    assert [found[at].why for at in (3, 4, 5)] == [
        "Its old text stands 0 times in door.py, not once.",
        "Its old text stands 2 times in door.py, not once.",
        "There is no gate.py any more.",
    ]
    assert "cannot be read" in found[6].why
    assert "cannot be read" in found[7].why
    assert "NameError" in found[8].why


def test_a_test_that_was_not_reached_has_caught_nothing(tree):
    raising, importing = tried(
        tree,
        edit("if age < LEAST:", "if age // 0:", "test_door.py::test_a_guest_enters"),
        edit("LEAST = 3", "LEAST = 3 // 0"),
    )
    for result in (raising, importing):
        assert result.verdict == "broken"
        assert "did not run" in result.why


def test_a_test_that_does_not_end_has_caught_nothing(tree):
    (result,) = tried(tree, edit("if age < LEAST:", "if True:", "test_door.py::test_it_is_quick"), limit_s=5)
    assert result.verdict == "broken"


def test_no_edit_is_kept_as_byte_code(tree):
    """Another edit of the same length, made within the same second, would be taken for it."""
    (result,) = tried(tree, edit("age > 99", "age > 0", "test_door.py::test_byte_code_is_written_of_the_tree_as_it_is"))
    assert result.verdict == "not caught"


@pytest.mark.parametrize("test", ["test_door.py::test_elsewhere", "test_door.py::test_nowhere", "test_no_door.py"])
def test_what_does_not_pass_by_itself_stops_everything(tree, test):
    with pytest.raises(NotGreen):
        tried(tree, edit("if age < LEAST:", "if False:"), edit("if age > 99:", "if False:", test))


def test_what_fails_by_itself_stops_everything(tree):
    (tree / "door.py").write_text(TREE["door.py"].replace("LEAST = 3", "LEAST = 2"))
    with pytest.raises(NotGreen, match=r"FAILED test_door\.py::test_the_young_stay_outside"):
        tried(tree, edit("if age < LEAST:", "if False:"))
