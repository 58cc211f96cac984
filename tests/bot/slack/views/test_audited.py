"""The audit log in Slack: people by name, moments in the reader's zone, lengths in words, and what was typed as it is."""

from typing import Any

from bot.slack import samples as s
from bot.slack.views.audited import entries
from store.model.audit import Audit


def told(**fields: Any) -> list[dict[str, Any]]:
    entry = Audit.model_validate({"event": "grant.extended", "actor": s.BEN, "at_ms": s.NOW_MS, **fields})
    message = entries([(7, entry)], None, more=False)
    [listed] = [block for block in message.blocks if block["type"] == "rich_text"]
    elements: list[dict[str, Any]] = listed["elements"][0]["elements"][0]["elements"]
    return elements


def words(elements: list[dict[str, Any]]) -> str:
    return "".join(each.get("text") or f"<{each['type']}>" for each in elements if each["type"] != "date")


def test_people_are_named_and_moments_and_lengths_are_no_numbers() -> None:
    found = told(details={"by": f"{s.BEN} {s.EVE}", "longer_ms": 1_800_000, "until_ms": s.NOW_MS})
    assert [each["user_id"] for each in found if each["type"] == "user"] == [s.BEN, s.BEN, s.EVE]
    assert "longer: 30 min; until: " in words(found)
    assert s.NOW_MS // 1000 in [each["timestamp"] for each in found if each["type"] == "date"]
    assert str(s.NOW_MS) not in words(found)


def test_a_reason_names_nobody_though_it_looks_like_one() -> None:
    found = told(details={"reason": s.EVE})
    assert [each["user_id"] for each in found if each["type"] == "user"] == [s.BEN]
    assert f"reason: {s.EVE}" in words(found)


def test_of_a_hash_as_much_is_shown_as_tells_it_from_another() -> None:
    said = words(told(event="policy.changed", details={"version": 2, "content": "093c38b214fd" + 52 * "a"}))
    assert "version: 2; content: 093c38b214fd…" in said
    assert "a" * 20 not in said
    assert "reason: 093c38b214fd" + 51 * "a" in words(told(details={"reason": "093c38b214fd" + 51 * "a"}))


def test_who_was_refused_did_not_refuse() -> None:
    assert "attempt refused, made by <user>" in words(told(event="attempt.refused"))
