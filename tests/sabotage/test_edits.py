"""The list of edits: none has rotted, and every threat that it is about has one."""

from collections import Counter
from typing import Final

import pytest

from tests.sabotage import runner
from tests.sabotage.__main__ import EDITS, ROOT
from tests.sabotage.runner import Edit

LIST: Final = runner.read(EDITS)
# The threats that the lifecycle, the policies, the store's scripts and the doors stand against. Not among them: 30, for nothing gives out tokens yet.
ROWS: Final = {1, 2, 3, 4, 11, 12, 13, 14, 15, 22, 23, 24, 25, 26, 32}


@pytest.mark.parametrize("edit", LIST, ids=lambda edit: edit.guards)
def test_it_can_still_be_made(edit: Edit):
    assert runner.rot(edit, ROOT) == ""
    assert edit.new != edit.old
    assert (ROOT / edit.test.partition("::")[0]).is_file()
    assert edit.guards.endswith(".")


def test_every_threat_has_its_edits():
    assert {row for edit in LIST for row in edit.rows} >= ROWS
    assert len(LIST) >= 40


def test_no_edit_stands_twice():
    for what in (lambda edit: edit.guards, lambda edit: (edit.file, edit.old, edit.new)):
        assert [one for one, times in Counter(map(what, LIST)).items() if times > 1] == []
