"""Not yet: what a sound file asks for and this version does not do, so that nobody counts on it."""

from collections.abc import Iterator

from bot.policy_file import form
from bot.policy_file.names import plain_pattern
from bot.policy_file.problems import Finding, Key
from store.model.errors import Invalid
from store.model.identity import Target
from store.model.policy import covers


def missing(document: form.Document) -> Iterator[Finding]:
    """Warnings, each beginning with “not there yet”."""
    for name, target in document.targets.items():
        yield from _values(document, name, target)


def _values(document: form.Document, name: str, target: form.Target) -> Iterator[Finding]:
    """Of an environment that rules let people change or open. Modals in Slack are the only way in and out so far."""
    try:
        environment = Target.parse(name, organization=document.organization)
    except Invalid:
        return
    if environment.kind != "environment":
        return
    actions = {
        action
        for policy in document.policies
        if any(covers(plain_pattern(text, document.organization), environment) for text in policy.targets)
        for action in policy.actions
    }
    setting = target.values_in_slack
    key = (name, "values_in_slack") if "values_in_slack" in target.model_fields_set else (name,)
    if setting == "none" and actions & {"change", "open"}:
        right = "enter_and_show" if "open" in actions else "enter"
        instead = f"write values_in_slack: {right}{' instead of secure: true' if target.secure else ''}"
        sentence = f"with values_in_slack none, as here, values have no way in or out; until the command line has one, {instead}."
        yield _finding("targets", *key, sentence=sentence, at_key=True)
    elif setting == "enter" and "open" in actions:
        sentence = "with values_in_slack enter, who opens this sees no values; until the command line shows them, write enter_and_show."
        yield _finding("targets", *key, sentence=sentence, at_key=True)


def _finding(*path: Key, sentence: str, at_key: bool = False) -> Finding:
    return Finding(path, f"not there yet: {sentence}", warning=True, at_key=at_key)
