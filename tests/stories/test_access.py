"""A role: in an outside group for a time, and out of it again."""

import pytest

from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.policy import HOUR, MINUTE
from tests.stories.people import after, again, approved, asks, end_now, late, own_card, press, request_of, says, seen

pytestmark = pytest.mark.seeded

ROSA = "rosa@example.com"


def members(house: House) -> list[str]:
    return house.directory.members(seed.ROLE_GROUP)


async def asked_for(house: House, user: str = seed.ROSA, words: str = "for 15m because INC-7") -> Message:
    return await asks(house, user, f"access role:database-admin {words}")


async def joined(house: House, user: str = seed.ROSA, words: str = "for 15m because INC-7") -> Message:
    """The card in the channel, of a membership that the directory has confirmed."""
    asked = await asked_for(house, user, words)
    await approved(house, asked, seed.BEN)
    activate = await own_card(house, user, request_of(asked), button="activate")
    await press(house, user, activate, "activate")
    return await says(house, asked, "has access now")


async def test_a_developer_is_a_database_admin_for_a_quarter_of_an_hour(any_house: House) -> None:
    house = any_house
    asked = await joined(house)
    assert members(house) == [ROSA]
    await own_card(house, seed.ROSA, "*Active:* you may have `role:database-admin`")
    await house.advance(15 * MINUTE)
    await says(house, asked, "Ended by itself", "The outside system shows that they are no longer a member.")
    assert members(house) == []


async def test_the_card_claims_no_more_than_the_directory_has_confirmed(house: House) -> None:
    """The directory is away between approval and grant, and again at the end."""
    asked = await asked_for(house)
    await approved(house, asked, seed.BEN)
    port = away(house)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
    granting = await says(house, asked, "Approved, not confirmed yet", "has not shown <@U0ROSA> as a member")
    assert "has access now" not in text_of(granting)
    house.directory.start(port)
    await says(house, asked, "has access now")
    assert members(house) == [ROSA]

    port = away(house)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, "You have it", button="end"), "end")
    revoking = await says(house, asked, "Ending, not confirmed yet", "<@U0ROSA> may still be a member")
    assert actions_of(revoking) == []
    house.directory.start(port)
    await says(house, asked, "Ended by <@U0ROSA>")
    assert members(house) == []


def away(house: House) -> int:
    """Stops the directory; answers the port at which it comes back."""
    port = int(house.directory.url.rpartition(":")[2].partition("/")[0])
    house.directory.stop()
    return port


@pytest.mark.parametrize("user", [seed.ROSA, seed.BEN, seed.ANA], ids=["the member", "an approver", "the owner"])
async def test_it_is_ended_early_by(house: House, user: str) -> None:
    asked = await joined(house)
    if user == seed.ROSA:
        await press(house, user, await own_card(house, user, "You have it", button="end"), "end")
    else:
        assert (await end_now(house, user, again(house, asked), "INC-7 is over")).ok
        await says(house, asked, "Why it was ended", "INC-7 is over")
        await own_card(house, seed.ROSA, "*Ended:*", f"<@{user}>", "INC-7 is over")
    await says(house, asked, f"Ended by <@{user}>", "no longer a member")
    assert members(house) == []


async def test_the_end_of_one_grant_does_not_cut_another_short(house: House) -> None:
    short = await joined(house)
    long = await joined(house, words="for 1h because a longer look")
    await house.advance(15 * MINUTE)
    kept = await says(house, short, "Ended by itself", f"Still a member because of request {request_of(long)}.")
    assert "no longer a member" not in text_of(kept)
    assert members(house) == [ROSA]
    assert "has access now" in text_of(again(house, long))
    await house.advance(HOUR)
    await says(house, long, "Ended by itself", "no longer a member")
    assert members(house) == []


async def test_ending_one_by_hand_leaves_what_somebody_else_holds(house: House) -> None:
    hers = await joined(house)
    his = await joined(house, seed.OMAR)
    assert sorted(members(house)) == ["omar@example.com", ROSA]
    await end_now(house, seed.BEN, again(house, hers))
    await says(house, hers, "Ended by <@U0BEN>")
    assert members(house) == ["omar@example.com"]
    assert "has access now" in text_of(again(house, his))


async def test_who_has_no_account_in_the_directory_is_told_so_and_nothing_is_left(house: House) -> None:
    house.workspace.rename(seed.ROSA, email="rosa@elsewhere.example")
    asked = await asked_for(house)
    stale = seen(asked)
    await approved(house, asked, seed.BEN)
    await press(house, seed.ROSA, await own_card(house, seed.ROSA, button="activate"), "activate")
    failed = await says(house, asked, "Failed", "is not a member")
    assert "rosa@elsewhere.example" in text_of(failed)
    assert actions_of(failed) == []
    await own_card(house, seed.ROSA, "*Failed:* your request", "Show an owner what the outside system said")
    assert members(house) == []
    sentence = await after(house, seed.INES, late(house, seed.INES, stale, "approve"))
    assert sentence == "This could not be granted, and is over."


async def test_what_was_approved_and_not_used_in_time_joins_nothing(house: House) -> None:
    asked = await asked_for(house)
    await approved(house, asked, seed.BEN)
    await house.advance(HOUR)
    await says(house, asked, "Expired before it was used")
    assert members(house) == []
