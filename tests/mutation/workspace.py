"""Workspace: the copy of `store/model` and its tests in which mutmut works, and what it left there."""

import ast
import difflib
import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

MODEL: Final = Path("store/model")
TESTS: Final = Path("tests/store/model")
COPIED: Final = (Path("tests/builders.py"),)
HERE: Final = Path(__file__).parent
BARE: Final = "_mutable_"  # before the name of a function whose decorator was moved

Verdict: TypeAlias = Literal["killed", "survived", "timeout", "no test", "odd"]
# Of a pytest process, and of mutmut about one: 1 a test failed, 3 pytest itself did; a mutant nobody runs is 33.
VERDICTS: Final[dict[int | None, Verdict]] = {0: "survived", 1: "killed", 3: "killed", 5: "no test", 33: "no test"}
LATE: Final = (24, -24, 36, 152, 255)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name` is what mutmut calls it, `line` where it starts in `file`. `change`: the lines that went, and those that came."""

    name: str
    file: str
    line: int
    function: str
    verdict: Verdict
    change: str


def lay_out(root: Path, at: Path, files: Sequence[str]) -> None:
    """Makes `at` anew. `files`: those of the model to change; none is all of them."""
    shutil.rmtree(at, ignore_errors=True)
    for path in (root / MODEL).rglob("*.py"):
        copy = at / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(undecorated(path.read_text(encoding="utf-8")), encoding="utf-8")
    (at / "store/__init__.py").touch()
    settings = (HERE / "mutmut.toml").read_text(encoding="utf-8")
    if files:
        settings = settings.replace('["store/model/*"]', json.dumps(list(files)))
    (at / "pyproject.toml").write_text(settings, encoding="utf-8")
    lay_tests(root, at)


def lay_tests(root: Path, at: Path) -> None:
    """The tests as they are now."""
    shutil.copytree(root / TESTS, at / TESTS, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in COPIED:
        shutil.copy(root / path, at / path)
    shutil.copy(HERE / "profile.py", at / "tests/conftest.py")


def undecorated(source: str) -> str:
    """`@property def f` as `def _mutable_f` and `f = property(_mutable_f)`: mutmut passes over what is decorated.

    Lines outside of such functions stay where they are, those inside go up by one.
    """
    lines = source.splitlines(keepends=True)
    for function in sorted(_decorated(ast.parse(source)), key=lambda each: -each.lineno):
        (decorator,) = function.decorator_list
        indent = " " * function.col_offset
        last, first = function.end_lineno or 0, function.lineno - 1
        lines.insert(last, f"{indent}{function.name} = {ast.unparse(decorator)}({BARE}{function.name})\n")
        lines[first] = lines[first].replace(f"def {function.name}(", f"def {BARE}{function.name}(", 1)
        del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "".join(lines)


def _decorated(module: ast.Module) -> Iterator[ast.FunctionDef]:
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    for body in (module.body, *(each.body for each in classes)):
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                names = {ast.unparse(decorator) for decorator in node.decorator_list}
                if not names & {"classmethod", "staticmethod"}:  # mutmut knows these two
                    yield node


def mutants(root: Path, at: Path) -> list[Mutant]:
    """What became of each, by file and line."""
    found = [mutant for path in (at / "mutants" / MODEL).rglob("*.meta") for mutant in _of_file(root, at, path)]
    return sorted(found, key=lambda each: (each.file, each.line, each.name))


def _of_file(root: Path, at: Path, meta: Path) -> Iterator[Mutant]:
    made = meta.with_suffix("")
    file = made.relative_to(at / "mutants").as_posix()
    spans = json.loads(made.with_name(f"{made.name}.spans").read_text(encoding="utf-8"))["spans"]
    text = made.read_text(encoding="utf-8").splitlines()
    starts = dict(_functions(ast.parse((root / file).read_text(encoding="utf-8"))))
    for name, code in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
        own = name.rpartition(".")[2]
        mangled = own.partition("__mutmut_")[0]
        function = mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".").replace(BARE, "")
        before, after = (_lines(text, spans[each], each) for each in (f"{mangled}__mutmut_orig", own))
        yield Mutant(
            name, file, starts[function] + _parting(before, after), function, _verdict(code), _change(before, after)
        )


def _functions(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in module.body:
        match node:
            case ast.FunctionDef():
                yield node.name, node.lineno
            case ast.ClassDef():
                for each in node.body:
                    if isinstance(each, ast.FunctionDef):
                        yield f"{node.name}.{each.name}", each.lineno
            case _:
                pass


def _lines(text: Sequence[str], span: tuple[int, int], name: str) -> list[str]:
    """From `def` on, the name taken out."""
    lines = [line.replace(name, "") for line in text[span[0] - 1 : span[1]]]
    return list(itertools.dropwhile(lambda line: "def " not in line, lines))


def _parting(before: Sequence[str], after: Sequence[str]) -> int:
    return next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), 0)


def _change(before: Sequence[str], after: Sequence[str]) -> str:
    changes = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changes if not line.startswith("@@"))


def _verdict(code: int | None) -> Verdict:
    return "timeout" if code in LATE else VERDICTS.get(code, "odd")
