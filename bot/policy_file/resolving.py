"""A policy file's names looked up, all of them, into the records that the store keeps."""

from typing import Protocol

from bot.policy_file.names import Name, names_in, policy_set, threshold
from bot.policy_file.problems import Finding, Path, PolicyFileInvalid
from bot.policy_file.reading import PolicyFile
from bot.policy_file.rules import unmeetable
from store.model.policy import PolicySet


class Lookup(Protocol):
    """Names into ids. None: there is no such thing. `Unavailable` is raised where that cannot be told."""

    async def user(self, email_or_id: str, /) -> tuple[str, str] | None:
        """Id and name. Guests and deactivated people too: whether somebody may vote is asked when they do."""
        ...

    async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
        """Id and handle, both without @."""
        ...

    async def channel(self, name_or_id: str, /) -> str | None:
        """An id; the name comes with its #."""
        ...


async def resolve(file: PolicyFile, lookup: Lookup, *, number: int = 1) -> PolicySet:
    """Version `number` of the policies. Raises `PolicyFileInvalid` with every name that stands for nothing."""
    wanted = list(names_in(file.document))
    found: dict[Name, tuple[str, str] | None] = {}
    for _, name in wanted:  # one after another: Slack allows few look-ups a minute
        if name not in found:
            found[name] = await _look(lookup, name)
    findings = [Finding(path, _UNKNOWN[name.kind].format(name.shown)) for path, name in wanted if found[name] is None]
    ids = {name: known[0] for name, known in found.items() if known is not None}
    findings = findings or _same(wanted, ids) or _too_few(file, ids)
    if findings:
        raise PolicyFileInvalid(file.places.problems(findings))
    words = {known[0]: _word(name, known[1]) for name, known in found.items() if known is not None}
    return policy_set(file.document, ids.__getitem__, words, number)


_UNKNOWN = {
    "user": "Slack knows nobody as “{}”; check the address, or write the person's user id.",
    "group": "Slack knows no user group “{}”; check the handle, or write the group's id.",
    "channel": "the channel “{}” cannot be found; write its id, which Slack shows at the end of the channel's details.",
}


async def _look(lookup: Lookup, name: Name) -> tuple[str, str] | None:
    match name.kind:
        case "user":
            return await lookup.user(name.text)
        case "group":
            return await lookup.group(name.text)
        case "channel":
            channel = await lookup.channel(name.text)
            return (channel, name.text) if channel is not None else None


def _word(name: Name, known: str) -> str:
    """How the file called it; what Slack calls it where the file gave an id."""
    if name.kind == "group":
        return f"@{known}"
    return known if name.is_id else name.text


def _same(wanted: list[tuple[Path, Name]], ids: dict[Name, str]) -> list[Finding]:
    """One person under two names in one list would look like two."""
    first: dict[tuple[Path, str], Name] = {}
    findings = []
    for path, name in wanted:
        earlier = first.setdefault((path[:-1], ids[name]), name)
        if earlier != name:
            findings.append(
                Finding(path, f"“{name.shown}” is “{earlier.shown}” under another name; list one of the two.")
            )
    return findings


def _too_few(file: PolicyFile, ids: dict[Name, str]) -> list[Finding]:
    return [
        Finding(("policies", index, "approvals"), "different names here are the same people, and too few; list more.")
        for index, policy in enumerate(file.document.policies)
        if unmeetable([threshold(each, ids.__getitem__) for each in policy.approvals])
    ]
