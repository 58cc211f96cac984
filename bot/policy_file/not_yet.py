"""Not yet: what a sound file asks for and this version does not do, so that nobody counts on it."""

from collections.abc import Iterator

from bot.policy_file import form
from bot.policy_file.problems import Finding, Key


def missing(document: form.Document) -> Iterator[Finding]:
    """Warnings, each beginning with “not there yet”."""
    for index, policy in enumerate(document.policies):
        if "deploy" in policy.actions:
            place = policy.actions.index("deploy")
            yield _finding("policies", index, "actions", place, sentence="nobody can ask for a deploy.")
        if policy.deployers is not None:
            yield _finding("policies", index, "deployers", sentence="there is no Deploy to press.", at_key=True)


def _finding(*path: Key, sentence: str, at_key: bool = False) -> Finding:
    return Finding(path, f"not there yet: {sentence}", warning=True, at_key=at_key)
