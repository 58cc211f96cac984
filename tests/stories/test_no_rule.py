"""Where no rule covers a request any more nobody decides it, and the owners hear of it."""

from playground import seed
from playground.house import House
from playground.slack.sight import text_of
from store.redis.commit import Commit
from tests.stories.people import ask, card, late, modal, own_card, press, quiet, seen, told

PROD = "open payments/prod for 15m because INC-7"


async def without(house: House, *names: str) -> None:
    """The next policies are those of now without these rules."""
    app = house.app
    policies = await app.policies.current()
    kept = tuple(rule for rule in policies.policies if rule.name not in names)
    after = policies.model_copy(update={"number": policies.number + 1, "policies": kept})
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
    """A deny opens its form; nothing was decided, and the card is not clicked at all."""
    await ask(house, seed.ROSA, PROD)
    waiting = await card(house, "Waiting for approval", "INC-7")
    await quiet(house)
    await press(house, seed.BEN, waiting, "deny")
    await without(house, "open production")
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "No."}})
    await own_card(house, seed.ANA, "*Nobody can decide:*")
