"""What owners read of the policies on App Home."""

from bot.slack import samples as s
from bot.slack.views import policies
from bot.slack.views.parts import Part
from bot.slack.views.policies import Members, PoliciesFacts, Rule, Version
from store.model.enactment import Enactment
from tests.bot.slack.pieces import buttons, mrkdwn, words

RULE = Rule(
    3, "payments", ("@devs may ask for open.", "1 of @leads must approve."), (Members(s.LEADS, (s.ANA, s.BEN)),)
)


def facts(**changed) -> PoliciesFacts:
    given = {"number": 4, "owners": s.policies(s.policy()).owners, "rules": Part((RULE,), 0, 1), **changed}
    return PoliciesFacts(**given)


def read(**changed) -> str:
    return words(policies.page(facts(**changed)))


def test_a_rule_is_told_in_its_sentences_with_who_is_in_its_groups_today():
    said = read()
    assert "3. payments" in said
    assert "1 of @leads must approve." in said
    assert "<!subteam^S0LEADS> is today <@U0ANA> and <@U0BEN>." in said


def test_a_group_that_is_nobody_or_not_known_is_said_to_be():
    said = read(owning=(Members(s.LEADS, ()), Members(s.SECURITY, None)))
    assert "<!subteam^S0LEADS> is nobody today." in said
    assert "<!subteam^S0SECURITY>: Slack has not told yet who is in it." in said


def test_a_lock_out_that_is_in_force_is_said_as_what_is_so():
    said = read(dangers=("unreachable", "no_owner"))
    assert "Nobody can change the policies: whoever asks for that" in said
    assert "There is no owner: nobody on that list" in said
    assert "After this" not in said


def test_the_history_says_who_asked_and_approved_and_what_came_without_an_approval():
    made = {"by": s.ANA, "at_ms": s.NOW_MS}
    versions = (
        Version(4, Enactment(how="recovered", restored=2, **made)),
        Version(3, Enactment(how="request", request=s.ID, approved_by=(s.BEN, s.CHO), **made)),
        Version(2),
        Version(1, Enactment(how="first", by="clock", at_ms=s.NOW_MS)),
    )
    page = policies.page(facts(versions=Part(versions, 0, 4)))
    said = mrkdwn(page)
    assert (
        ":warning: version 2 again, put into force by <@U0ANA> at the terminal of the machine, without an approval"
        in str(said)
    )
    assert f"asked by <@U0ANA>, approved by <@U0BEN> and <@U0CHO> · request `{s.ID}`" in str(said)
    assert "how it came into force is not known any more" in str(said)
    assert buttons(page).count("home_policy_changes") == 3, "the first version changed nothing"


def test_nothing_of_a_rule_is_left_out_without_saying_so():
    crowd = tuple(Members(f"S0{place:05}", ()) for place in range(20))
    said = read(rules=Part((Rule(1, "long", ("sentence",) * 30, crowd),), 0, 1))
    assert "and 14 more sentences" in said
    assert "and 8 more groups" in said


def test_what_the_file_says_is_never_read_as_markup():
    page = policies.page(facts(rules=Part((Rule(1, "<!channel>", ("*bold* <@U0ANA>\u202e",)),), 0, 1)))
    assert "<!channel>" not in str(mrkdwn(page))
    assert "*bold*" not in str(mrkdwn(page))
    assert "\u202e" not in words(page)
