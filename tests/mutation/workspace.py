"""Workspace: a copy of `store/model` that holds every mutant behind a switch, the tests of the model beside it, and what came of it."""

import ast
import contextlib
import difflib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from mutmut.mutation.file_mutation import mutate_file_contents

MODEL: Final = Path("store/model")
TESTS: Final = (Path("tests/store/model"), Path("tests/builders.py"), Path("tests/github/gates.py"))
HERE: Final = Path(__file__).parent
RESULTS: Final = "results.jsonl"
BARE: Final = "_mutable_"  # before the name of a function whose decorator was moved

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Verdict: TypeAlias = Literal["killed", "survived", "no test", "timeout", "odd"]
VERDICTS: Final[Mapping[int | None, Verdict]] = {
    0: "survived",
    1: "killed",
    None: "no test",
    -24: "timeout",  # SIGXCPU
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name` is what mutmut calls it, `line` where it starts in `file`. `change`: the lines that went, and those that came."""

    name: str
    file: str
    line: int
    function: str
    change: str


def lay_out(root: Path, at: Path, files: Sequence[str]) -> list[Mutant]:
    """Makes `at` anew, but for the results that are there. Answers with every mutant of these files, or of all, by file and line."""
    found: list[Mutant] = []
    at.mkdir(exist_ok=True)
    for name in ("store", "tests"):
        shutil.rmtree(at / name, ignore_errors=True)
    for path in TESTS:
        copy = shutil.copytree if (root / path).is_dir() else shutil.copy
        (at / path).parent.mkdir(parents=True, exist_ok=True)
        copy(root / path, at / path)
    shutil.copy(HERE / "loop.py", at / "tests/conftest.py")
    shutil.copy(HERE / "mutmut.toml", at / "pyproject.toml")
    with contextlib.chdir(at):  # where mutmut reads its settings
        for path in sorted((root / MODEL).rglob("*.py")):
            file = path.relative_to(root).as_posix()
            source = path.read_text(encoding="utf-8")
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            if files and file not in files:
                shutil.copy(path, file)
                continue
            mutated = mutate_file_contents(file, undecorated(source))
            Path(file).write_text(mutated.code, encoding="utf-8")
            spans = {name: (span.start, span.end) for name, span in mutated.line_span_by_function_name.items()}
            found += _found(file, source, mutated.code, mutated.mutant_names, spans)
    (at / "store/__init__.py").touch()
    return sorted(found, key=lambda each: (each.file, each.line, each.name))


def run(at: Path, names: Sequence[str], processes: int) -> dict[str, Verdict]:
    """Raises `CalledProcessError` where the tests do not pass without any mutant, after pytest has said why."""
    (at / "to_run.json").write_text(json.dumps({"names": names, "processes": processes}), encoding="utf-8")
    (at / RESULTS).write_text("", encoding="utf-8")
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    subprocess.run([sys.executable, "-P", "-m", "pytest"], cwd=at, env=outside, check=True)
    lines = (at / RESULTS).read_text(encoding="utf-8").splitlines()
    return {name: VERDICTS.get(code, "odd") for name, code in map(json.loads, lines)}


def undecorated(source: str) -> str:
    """`@property def f` as `def _mutable_f` and `f = property(_mutable_f)`: mutmut passes over what is decorated."""
    lines = source.splitlines(keepends=True)
    for function in sorted(_decorated(ast.parse(source)), key=lambda each: -each.lineno):
        (decorator,) = function.decorator_list
        indent = " " * function.col_offset
        last, first = function.end_lineno or 0, function.lineno - 1
        lines.insert(last, f"{indent}{function.name} = {ast.unparse(decorator)}({BARE}{function.name})\n")
        lines[first] = lines[first].replace(f"def {function.name}(", f"def {BARE}{function.name}(", 1)
        del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "".join(lines)


def _decorated(module: ast.Module) -> Iterator[Function]:
    for _, function in _functions(module):
        names = {ast.unparse(decorator) for decorator in function.decorator_list}
        if names and not names & {"classmethod", "staticmethod"}:  # mutmut knows these two
            yield function


def _functions(module: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in module.body:
        if isinstance(node, Function):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, Function))


def _found(
    file: str, source: str, code: str, names: Sequence[str], spans: Mapping[str, tuple[int, int]]
) -> Iterator[Mutant]:
    text = code.splitlines()
    starts = {name: function.lineno for name, function in _functions(ast.parse(source))}
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    for name in names:
        mangled = name.partition("__mutmut_")[0]
        function = mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".").replace(BARE, "")
        before, after = (_lines(text, spans[each], each) for each in (f"{mangled}__mutmut_orig", name))
        parting = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), 0)
        yield Mutant(f"{module}.{name}", file, starts[function] + parting, function, _change(before, after))


def _lines(text: Sequence[str], span: tuple[int, int], name: str) -> list[str]:
    """From `def` on, the name taken out."""
    lines = [line.replace(name, "") for line in text[span[0] - 1 : span[1]]]
    return list(itertools.dropwhile(lambda line: "def " not in line, lines))


def _change(before: Sequence[str], after: Sequence[str]) -> str:
    changes = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changes if not line.startswith("@@"))
