"""The copy of the model that is mutated is tested by what lies beside it, in an environment that has little else."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def test_the_copy_holds_all_that_the_tests_of_the_model_import() -> None:
    # Read, not imported: mutmut is in an environment of its own.
    source = (ROOT / "tests/mutation/workspace.py").read_text(encoding="utf-8")
    copied = re.findall(r'Path\("(tests/[\w/.]+)"\)', source)
    imported = {
        module.replace(".", "/")
        for copy in copied
        for path in ([ROOT / copy] if copy.endswith(".py") else (ROOT / copy).rglob("*.py"))
        for module in re.findall(r"^from (tests\.[\w.]+) import", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert "tests/builders" in imported
    assert {module for module in imported if not any(f"{module}.py".startswith(copy) for copy in copied)} == set()
