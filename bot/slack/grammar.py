"""Grammar: what may follow `/countersign`."""

import difflib
import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from bot.policy_file import durations
from bot.slack import meant
from store.model.errors import Invalid
from store.model.identity import REQUEST_ID_LENGTH, Target, parse_request_id, shown
from store.model.login import parse_login_code
from store.model.request import Kind, deployment


@dataclass(frozen=True, slots=True)
class Ask:
    """What is missing is asked for in the modal, also what to do with it. `target` is canonical; `whom` None: for who asks."""

    kind: Kind | None = None
    target: str | None = None
    duration_ms: int | None = None
    reason: str = ""
    whom: str | None = None
    version: str = ""  # of a deploy
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """For owners. `id` None: the newest entries of everything."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    pass


@dataclass(frozen=True, slots=True)
class Mine:
    pass


@dataclass(frozen=True, slots=True)
class Help:
    pass


@dataclass(frozen=True, slots=True)
class Show:
    id: str


@dataclass(frozen=True, slots=True)
class Why:
    id: str


@dataclass(frozen=True, slots=True)
class WhyAsk:
    """Before asking. `target` is canonical."""

    kind: Kind
    target: str
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    id: str
    reason: str = ""  # of a deploy


@dataclass(frozen=True, slots=True)
class Done:
    """Without an id: the only thing this person holds, if it is only one."""

    id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Extend:
    """Without an id: the only thing this person holds, if it is only one. What is missing is asked for in the modal."""

    id: str | None = None
    duration_ms: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unlock:
    """For owners. `user` None: who is locked. What is missing is asked for in the modal."""

    user: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """`code` None: how it is done."""

    code: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """For owners. `target` is canonical."""

    target: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """Not understood, and what would be right. `target`: what stands where one should, if it is that."""

    sentence: str
    target: str = ""


Parsed: TypeAlias = (
    Ask
    | Audit
    | Pending
    | Mine
    | Help
    | Show
    | Why
    | WhyAsk
    | Cancel
    | Done
    | Extend
    | Unlock
    | Login
    | Delete
    | Mistake
)


_EXAMPLE: Final = "/countersign request open payments/prod for 2h because INC-41"
_UNLOCK_EXAMPLE: Final = "Name one person, and why: /countersign unlock @omar because we talked about INC-7"
_DELETE_EXAMPLE: Final = (
    "Name the environment, which must not stand in the policies any more: /countersign delete payments/old"
)
_EXTEND_EXAMPLE: Final = "/countersign extend ID for 30m because …"
_DEPLOY_EXAMPLE: Final = "/countersign request deploy payments/prod#api v1.2.3 because …"
_WHY_EXAMPLE: Final = "/countersign why open payments/prod for 2h"
_KINDS: Final[dict[str, Kind]] = {"open": "open", "access": "access", "change": "change", "deploy": "deploy"}
_ALONE: Final[dict[str, Parsed]] = {"pending": Pending(), "mine": Mine(), "help": Help()}
_WITH_ID: Final[dict[str, Callable[[str], Parsed]]] = {"show": Show, "why": Why}
_WORDS: Final = (
    *("request", *_KINDS, *_ALONE, *_WITH_ID, "cancel", "audit", "done", "end", "extend", "unlock"),
    *("login", "delete"),
)
_UNITS: Final = (("hours?|hrs?", "h"), ("minutes?|mins?", "m"), ("seconds?|secs?", "s"))
_PERSON: Final = re.compile(r"<@([UW][A-Z0-9]{2,20})(?:\|[^<>]*)?>|([UW][A-Z0-9]{2,20})")
_FOR_WHOM: Final = re.compile(r"(?<!\S)for\s+<@([UW][A-Z0-9]{2,20})(?:\|[^<>]*)?>(?!\S)", re.IGNORECASE)
_BECAUSE: Final = re.compile(r"(?<!\S)because(?!\S)", re.IGNORECASE)
_LINK: Final = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")


def parse(text: str, *, organization: str | None = None) -> Parsed:
    """What was typed after `/countersign`, as Slack sends it with `should_escape`. It never raises."""
    words = unescaped(text).split()
    if not words:
        return Help()
    first, rest = words[0].lower(), words[1:]
    if first == "request" or first in _KINDS:  # "open payments/prod" says enough
        left, whom = _for_whom(text)
        words = unescaped(left).split()
        asked = _ask(words[1:] if first == "request" else words, organization)
        return asked if whom is None else _asked_for(asked, whom)
    if first in _ALONE:
        return _ALONE[first]
    if first == "why" and not _like_an_id(rest):
        return _why(rest, organization)
    if first in _WITH_ID:
        return _about(first, rest)
    if first in ("done", "end"):
        return _done(first, rest)
    if first == "cancel":
        return _cancel(rest)
    if first == "extend":
        return _extend(rest)
    if first == "unlock":
        return _unlock(text)
    if first == "login":
        return _login(rest)
    if first == "delete":
        return _delete(rest, organization)
    if first == "audit":
        return _about(first, rest) if rest else Audit()
    if _like_a_target(words[0]):
        return _ask(words, organization)
    if first in meant.ON_A_CARD:
        return Mistake(
            f"{shown(words[0])} is a button of the card: /countersign pending lists what waits for you, /countersign show ID shows one."
        )
    return _unknown(words[0], _WORDS, "/countersign help lists what there is.", "/countersign ")


def unescaped(text: str) -> str:
    """People, channels and links as they were typed, and `&amp;` as `&`."""

    def typed(found: re.Match[str]) -> str:
        about, label = found[1], found[2]
        if about[:1] in ("@", "#", "!"):
            return f"{about[0]}{label}" if label and about[0] != "!" else about
        return about

    return html.unescape(_LINK.sub(typed, text))


def _ask(words: list[str], organization: str | None) -> Parsed:
    kind = _KINDS.get(words[0].lower()) if words else None
    if kind is None and (not words or _like_a_target(words[0]) or words[0].lower() in ("for", "because")):
        asked = _ask(["open", *words], organization)
        return replace(asked, kind=None) if isinstance(asked, Ask) else asked
    if kind is None:
        return _unknown(
            words[0],
            _KINDS,
            f"One can request open, access, change or deploy. For example: {_EXAMPLE}",
            "/countersign request ",
        )
    if kind == "deploy":
        return _deploy(words[1:], organization)
    before, _, reason = _split(words[1:], "because")
    about, wanted, length = _split(before, "for")
    if wanted and not about and length and _like_a_target(length[-1]):  # “for 2h payments/prod”
        about, length = length[-1:], length[:-1]
    if len(about) > 1:
        if (missing := _without_a_word(about, kind, wanted)) is not None:
            return Mistake(f"Did you mean /countersign request {missing}?")
        return Mistake(
            f"{shown(' '.join(about[1:]))} is one word too many. Write “for” before a duration and “because” before a reason, as in {_EXAMPLE}"
        )
    if length and length[0].startswith("@"):
        return Mistake(
            f"{shown(length[0])} is nobody I know. Pick the person from the list that Slack offers after “@”."
        )
    if wanted and kind == "change":
        return Mistake(
            "A change has no duration: leave out “for”. For example: /countersign request change payments/prod because …"
        )
    try:
        target = Target.parse(_small(about[0]), organization=organization).id if about else None
    except Invalid as error:
        return Mistake(error.sentence, about[0])
    try:
        duration_ms = _duration(length) if wanted else None
    except ValueError as error:
        return Mistake(f"After “for” stands a duration. {str(error)[:200]}")
    return Ask(kind, target, duration_ms, " ".join(reason))


def _deploy(words: list[str], organization: str | None) -> Parsed:
    """`payments/prod#api v1.2.3 9f2c41d because …`, or `v1.2.3 to payments/prod#api`."""
    before, _, reason = _split(words, "because")
    what, to, where = _split(before, "to")
    if to:
        before = [*where[:1], *what, *where[1:]]
    if "for" in (word.lower() for word in before):
        return Mistake(f"A deploy has no duration: leave out “for”. For example: {_DEPLOY_EXAMPLE}")
    target, version, ref, *more = [*before, "", "", ""]
    if not _like_a_target(target) and _like_a_target(version):  # “v1.2.3 payments/prod#api”
        target, version = version, target
    if any(more):
        return Mistake(f"{shown(' '.join(more).strip())} is too much. For example: {_DEPLOY_EXAMPLE}")
    try:
        asked = Target.parse(_small(target), organization=organization) if target else None
    except Invalid as error:
        return Mistake(error.sentence, target)
    if asked is not None and asked.environment is None:
        return Mistake(
            f"{asked} cannot be deployed: an environment can, or an application in it. For example: {_DEPLOY_EXAMPLE}"
        )
    try:
        if version:
            deployment(version, ref or None)
    except Invalid as error:
        return Mistake(f"{error.sentence} For example: {_DEPLOY_EXAMPLE}")
    return Ask("deploy", asked.id if asked else None, None, " ".join(reason), version=version, ref=ref)


def _like_a_target(word: str) -> bool:
    return "/" in word or ":" in word


def _without_a_word(about: list[str], kind: Kind, wanted: bool) -> str | None:  # noqa: FBT001 - as `_split` answers it
    """The line with the “for” or “because” that was left out, where the rest of it can be said."""
    first, rest = about[0], about[1:]
    if not _like_a_target(first):
        return None
    if len(rest) > 1 and (near := difflib.get_close_matches(rest[0].lower(), ("for", "because"), n=1)):
        return f"{kind} {_bare(first)} {near[0]} {_bare(' '.join(rest[1:]))}"
    try:
        _duration(rest)
    except ValueError:
        ticket = len(rest) == 1 and any(letter.isdigit() for letter in rest[0])
        return f"{kind} {_bare(first)} because {_bare(rest[0])}" if ticket and not wanted else None
    return None if wanted or kind == "change" else f"{kind} {_bare(first)} for {_bare(' '.join(rest))}"


def _bare(text: str) -> str:
    return shown(text).strip("“”")


def _for_whom(text: str) -> tuple[str, str | None]:
    """The text as Slack sends it without `for @somebody`, and who that is. What stands after “because” is a reason."""
    because = _BECAUSE.search(text)
    end = because.start() if because else len(text)
    found = _FOR_WHOM.search(text, 0, end)
    return (text, None) if found is None else (f"{text[: found.start()]} {text[found.end() :]}", found[1])


def _asked_for(asked: Parsed, whom: str) -> Parsed:
    if not isinstance(asked, Ask):
        return asked
    if asked.kind in ("change", "deploy"):
        return Mistake(f"A {asked.kind} is for nobody in particular: leave out “for”, and say the rest in the reason.")
    return replace(asked, whom=whom)


def _like_an_id(words: list[str]) -> bool:
    """One word of an id's length, or one that is neither a target nor an action: its answer says what an id looks like."""
    if len(words) != 1 or words[0].lower() in _KINDS or _like_a_target(words[0]):
        return False
    return len(words[0].strip("`")) == REQUEST_ID_LENGTH or not meant.word(words[0], _KINDS)


def _why(words: list[str], organization: str | None) -> Parsed:
    """`why open payments/prod for 2h`: what would become of it."""
    if not words:
        return Mistake(f"Say which request: /countersign why ID. Or say what you would ask for: {_WHY_EXAMPLE}")
    if words[0].lower() not in _KINDS:
        if _like_a_target(words[0]):
            kind = "access" if words[0].lower().startswith("role:") else "open"
            return Mistake(f"Say what you would do with {shown(words[0])} too, for example: /countersign why {kind} …")
        otherwise = f"One can ask why of an ID, open, access, change or deploy. For example: {_WHY_EXAMPLE}"
        return _unknown(words[0], _KINDS, otherwise, "/countersign why ")
    match _ask(words, organization):
        case Ask(kind=str() as asked, target=str() as target, duration_ms=length):
            return WhyAsk(asked, target, length)
        case Ask():
            return Mistake(f"Say which target too, for example: {_WHY_EXAMPLE}")
        case mistake:
            return mistake


def _small(word: str) -> str:
    """A telephone begins a line with a capital. Letters that only look like ours stay what they are, and are refused."""
    return word.lower() if word.isascii() else word


def _split(words: list[str], at: str) -> tuple[list[str], bool, list[str]]:
    for place, word in enumerate(words):
        if word.lower() == at:
            return words[:place], True, words[place + 1 :]
    return words, False, []


def _duration(words: list[str]) -> int:
    """Also “2 hours” and “1 h 30 min”. Raises `ValueError`."""
    text = "".join(words).lower().replace("and", "")
    for spelled, unit in _UNITS:
        text = re.sub(rf"(?<=[0-9])(?:{spelled})(?![a-z])", unit, text)
    try:
        return durations.parse(text)
    except ValueError as error:
        near = meant.duration(text)
        raise ValueError(f"Did you mean {near}? {error}" if near else str(error)) from None


def _about(word: str, rest: list[str]) -> Parsed:
    if not rest:
        return Mistake(f"Say which request: /countersign {word} ID. The id stands at the bottom of its card.")
    if len(rest) > 1:
        return Mistake(f"One request at a time: /countersign {word} ID.")
    try:
        about = parse_request_id(rest[0].strip("`"))
        return Audit(about) if word == "audit" else Cancel(about) if word == "cancel" else _WITH_ID[word](about)
    except Invalid as error:
        return Mistake(error.sentence)


def _done(word: str, words: list[str]) -> Parsed:
    about, _, reason = _split(words, "because")
    if len(about) > 1:
        return Mistake(f"One request at a time: /countersign {word} ID.")
    try:
        return Done(parse_request_id(about[0].strip("`")) if about else None, " ".join(reason))
    except Invalid as error:
        return Mistake(error.sentence)


def _cancel(words: list[str]) -> Parsed:
    about, _, reason = _split(words, "because")
    found = _about("cancel", about)
    return replace(found, reason=" ".join(reason)) if isinstance(found, Cancel) else found


def _extend(words: list[str]) -> Parsed:
    before, _, reason = _split(words, "because")
    about, wanted, length = _split(before, "for")
    if len(about) > 1:
        return Mistake(f"{shown(' '.join(about[1:]))} is one word too many. For example: {_EXTEND_EXAMPLE}")
    try:
        request = parse_request_id(about[0].strip("`")) if about else None
        return Extend(request, _duration(length) if wanted else None, " ".join(reason))
    except Invalid as error:
        return Mistake(error.sentence)
    except ValueError as error:
        return Mistake(f"After “for” stands a duration. {str(error)[:200]}")


def _unlock(text: str) -> Parsed:
    """From the text as Slack sends it: there, a person is an id."""
    words = text.split(maxsplit=2)[1:]
    if not words:
        return Unlock()
    person = _PERSON.fullmatch(words[0])
    if person is None:
        return Mistake(f"{shown(unescaped(words[0]))} is nobody I know. {_UNLOCK_EXAMPLE}")
    reason = unescaped(words[1]).split() if len(words) > 1 else []
    if reason and reason[0].lower() == "because":
        reason = reason[1:]
    return Unlock(person[1] or person[2], " ".join(reason))


def _login(words: list[str]) -> Parsed:
    try:
        return Login(parse_login_code("".join(words)) if words else None)
    except Invalid as error:
        return Mistake(error.sentence)


def _delete(rest: list[str], organization: str | None) -> Parsed:
    if len(rest) != 1:
        return Mistake(_DELETE_EXAMPLE)
    try:
        return Delete(Target.parse(rest[0].strip("`"), organization=organization).id)
    except Invalid as error:
        return Mistake(f"{error.sentence} {_DELETE_EXAMPLE}")


def _unknown(word: str, known: Iterable[str], otherwise: str, before: str) -> Mistake:
    if near := meant.word(word, known):
        return Mistake(f"{shown(word)} is not a word I know. Did you mean {before}{near}?")
    return Mistake(f"{shown(word)} is not a word I know. {otherwise}")
