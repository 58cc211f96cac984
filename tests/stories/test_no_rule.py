"""Where no rule covers a request any more nobody decides it, and the owners hear of it."""

from typing import Any

from playground import seed
from playground.house import House
from playground.slack.sight import text_of
from store.model.effect import ShowCard, Tell
from store.redis.commit import Commit
from tests.stories.people import ask, card, late, own_card, press, quiet, request_of, says, seen, told

PROD = "open payments/prod for 15m because INC-7"


async def without(house: House, *names: str) -> None:
    """The next policies are those of now without these rules."""
    policies = await house.app.policies.current()
    await enact(house, policies=tuple(rule for rule in policies.policies if rule.name not in names))


async def enact(house: House, **changed: Any) -> None:
    """The policies of now, but for this."""
    app = house.app
    policies = await app.policies.current()
    after = policies.model_copy(update={"number": policies.number + 1, **changed})
    keys = app.audit._keys
    commit = Commit(keys, f"enact:{after.number}")
    commit.write(keys.policy_head, policies.number, "")
    commit.set(keys.policy(after.number), after.to_json())
    assert (await commit.run(app.relay._outbox._scripts, 0)).status == "ok"


def news(house: House, user: str) -> list[str]:
    return [text for text in map(text_of, house.workspace.dm(user)) if "*Nobody can decide:*" in text]


async def test_who_tries_to_decide_is_told_why_not_and_the_owners_are_told_once(house: House) -> None:
    await ask(house, seed.ROSA, PROD)
    waiting = await card(house, "Waiting for approval", "INC-7")
    await quiet(house)
    shown = seen(waiting)
    await without(house, "open production")
    assert news(house, seed.ANA) == []
    await press(house, seed.BEN, waiting, "approve")
    await told(house, seed.BEN, "No rule covers “open” for payments/prod any more, so nobody can decide it.")
    await own_card(house, seed.ANA, "*Nobody can decide:*", "An owner must add a rule to the policies")
    await late(house, seed.INES, shown, "approve")
    await told(house, seed.INES, "No rule covers “open” for payments/prod any more")
    await quiet(house)
    assert len(news(house, seed.ANA)) == 1
    assert len(news(house, seed.ROSA)) == 1
    assert news(house, seed.BEN) == []


async def test_a_card_that_is_drawn_again_without_a_rule_tells_the_owners_too(house: House) -> None:
    """Nobody has tried to decide it."""
    await ask(house, seed.ROSA, PROD)
    waiting = await card(house, "Waiting for approval", "INC-7")
    await quiet(house)
    await without(house, "open production")
    await house.app.relay._outbox.put([ShowCard(request=request_of(waiting))], command_id="again")
    house.app.clock.nudge()
    await own_card(house, seed.ANA, "*Nobody can decide:*")
    await says(house, waiting, "No rule covers this any more, so nobody can decide it.")


async def test_what_is_not_so_any_more_is_not_told(house: House) -> None:
    await ask(house, seed.ROSA, PROD)
    request = request_of(await card(house, "Waiting for approval", "INC-7"))
    await quiet(house)
    before = len(house.workspace.dm(seed.ANA))
    covered = Tell(request=request, news="no_rule", to=seed.ANA, at_ms=1)
    opened = Tell(request=request, news="channel_closed", to=seed.ANA, at_ms=1, detail=seed.APPROVALS)
    await house.app.relay._outbox.put([covered, opened], command_id="late")
    await quiet(house)
    assert len(house.workspace.dm(seed.ANA)) == before
