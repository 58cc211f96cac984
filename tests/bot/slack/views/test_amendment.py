"""What a change of the policies says on its card, and what it leaves to the whole of it."""

import pytest

from bot.slack import samples as s
from bot.slack.views import amendment
from bot.slack.views.card import for_approvers
from bot.slack.views.facts import Block, Said
from store.model.lockout import Danger
from tests.bot.slack.pieces import buttons, menu, mrkdwn, words


def card(**fields) -> list[Block]:
    return for_approvers(s.facts(s.request("policy"), proposed=s.proposed(**fields))).blocks


def test_a_short_change_is_all_there():
    said = words(card())
    assert "to version 41: owners changed, 1 rule changed, 1 rule removed" in said
    assert "access.max: 4h → 2h" in said
    assert "*Named anew:* <@U0BEN>." in said
    assert "*No longer named:* <!subteam^S0STAGING>." in said
    assert "more" not in said
    assert "Show all of it" not in menu(card())


def test_what_is_left_out_is_counted_and_a_removal_does_not_hide():
    said = words(card(rules=20))
    assert "and 2 more keys\nand 17 more: 16 rules changed, 1 rule removed" in said
    assert "Show all of it" in menu(card(rules=20))


def test_a_long_line_is_cut_on_the_card_and_whole_behind_its_menu():
    names = ", ".join(f"person{number}@example.com" for number in range(200))
    changes = (Said("changed", "owners", "owners: changed", (f"owners.users: [] → [{names}]",)),)
    assert "person199@" not in words(card(changes=changes))
    assert "Show all of it" in menu(card(changes=changes))
    whole = "".join(words(amendment.whole(s.proposed(changes=changes))).split("\n"))
    assert names in whole


def test_the_whole_of_more_than_a_modal_holds_says_how_much_is_left():
    said = words(amendment.whole(s.proposed(rules=200)))
    assert "`countersign policy diff` shows them at a terminal." in said
    assert "and 112 more: 111 rules changed, 1 rule removed" in said


@pytest.mark.parametrize("danger", ["no_rule", "no_requester", "unreachable"])
def test_a_lock_out_names_the_way_back(danger: Danger):
    said = words(card(dangers=(danger,)))
    assert f":warning: *{amendment.DANGERS[danger]}*" in said
    assert "The only way back is then at the terminal of the machine" in said


@pytest.mark.parametrize("danger", ["alone", "no_owner", "unknown"])
def test_what_locks_nobody_out_is_a_warning_all_the_same(danger: Danger):
    said = words(card(dangers=(danger,)))
    assert f":warning: *{amendment.DANGERS[danger]}*" in said
    assert "way back" not in said


def test_what_was_overtaken_or_altered_says_so():
    assert "Version 42 of the policies is in force by now" in words(card(now=42))
    unread = for_approvers(s.facts(s.request("policy"), proposed=None)).blocks
    assert "What it would change cannot be read, so it cannot be approved." in words(unread)
    assert [each for each in buttons(unread) if each != "more"] == ["deny"]
    assert [each for each in buttons(card(now=42)) if each != "more"] == ["approve", "deny"]


def test_what_the_file_says_is_never_read_as_markup():
    typed = (Said("added", "rule", "rule “<!channel>\u202e”: added", ("targets: [<@U0ANA>]",)),)
    blocks = card(changes=typed)
    assert "<!channel>" not in str(mrkdwn(blocks))
    assert "targets: [<@U0ANA>]" not in str(mrkdwn(blocks))
    assert "\u202e" not in words(blocks)
