"""The list of edits: none has rotted, and every threat that it is about has one."""

import re
from collections import Counter
from typing import Final

import pytest

from tests.sabotage import runner
from tests.sabotage.__main__ import EDITS, ROOT
from tests.sabotage.runner import Edit

LIST: Final = runner.read(EDITS)
# The threats that the lifecycle, the policies, the store's scripts and the doors stand against.
ROWS: Final = {1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 22, 23, 24, 25, 26, 27, 28, 30, 32}
PAGE: Final = ROOT / "docs/assurance.md"


@pytest.mark.parametrize("edit", LIST, ids=lambda edit: edit.guards)
def test_it_can_still_be_made(edit: Edit):
    assert runner.rot(edit, ROOT) == ""
    assert edit.new != edit.old
    assert (ROOT / edit.test.partition("::")[0]).is_file()
    assert edit.guards.endswith(".")


def test_every_threat_has_its_edits():
    assert {row for edit in LIST for row in edit.rows} >= ROWS
    assert len(LIST) >= 40


def test_the_page_counts_them():
    told = re.findall(r"^\| (\d+) \| .* \| (\d+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    there = Counter(row for edit in LIST for row in edit.rows)
    assert {int(row): int(count) for row, count in told} == there, (
        f"Put these into the table of docs/assurance.md: {sorted(there.items())}"
    )
    assert f"**{len(LIST)} of {len(LIST)} caught**" in PAGE.read_text(encoding="utf-8")


def test_no_edit_stands_twice():
    for what in (lambda edit: edit.guards, lambda edit: (edit.file, edit.old, edit.new)):
        assert [one for one, times in Counter(map(what, LIST)).items() if times > 1] == []
