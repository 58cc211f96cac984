"""A policy set written as a file, and read again."""

import asyncio
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from bot.policy_file import parse, resolve
from bot.policy_file.difference import read_like
from bot.policy_file.writing import text
from store.model.policy import PolicySet
from tests.bot.policy_file.policy_sets import NAMES, Directory, policy_sets

SOUND = (Path(__file__).parent / "sound.yml").read_bytes()


@given(policy_sets())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_written_reads_back_to_the_same(policies: PolicySet):
    again = asyncio.run(resolve(parse(text(policies).encode()), Directory()))
    assert again.model_copy(update={"names": NAMES}) == policies


def test_it_is_short_and_in_the_words_of_its_people():
    class Anybody(Directory):
        async def user(self, email_or_id: str, /) -> tuple[str, str] | None:
            return f"U0{email_or_id[:3].upper()}", email_or_id

        async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
            return f"S0{handle_or_id.upper()}", handle_or_id

        async def channel(self, name_or_id: str, /) -> str | None:
            return name_or_id if name_or_id.startswith("C") else "C0AUDIT1"

    written = text(asyncio.run(resolve(parse(SOUND), Anybody())))
    assert "- {count: 2, from: {users: [ana@example.com, ben@example.com]}}" in written
    assert "owners: {groups: [admins]}" in written
    assert 'notify: {channels: ["#audit"]}' in written
    for usual in ("denials", "merge", "grant_expiration", "self_approval", "reason"):
        assert usual not in written
    assert max(map(len, written.splitlines())) <= 110


def test_what_other_readers_of_yaml_would_not_take_for_text_is_quoted():
    file = SOUND.replace(b"name: roles", b"name: no").replace(b"name: ourselves", b"name: Off")
    written = text(read_like(parse(file)))
    for quoted in ('- name: "no"', '- name: "Off"', '"on": [change]'):
        assert quoted in written
