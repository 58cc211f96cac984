"""Forms: the modals in which people ask for something."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.slack import ids
from bot.slack.ids import Origin
from bot.slack.views import blocks as b
from bot.slack.views import holders, lengths, machines
from bot.slack.views.asked import who_is_asked
from bot.slack.views.change import NAMES_SHOWN, touched
from bot.slack.views.facts import Block, CardFacts, Prefill, Terms, View
from bot.slack.views.reading import typed
from bot.slack.views.status import action
from bot.slack.views.words import cut, date, mention, plural, spoken
from store.model.policy import HOUR, MINUTE
from store.model.request import REASON_MOST, Amendment, Change, Enrolling, Extending, Kind, Minting, Request

TICKET_MOST: Final = 200
VERSION_MOST: Final = 128
REF_MOST: Final = 149  # an algorithm of 20 letters, a colon, 128 digits
LONGER_MS: Final = 30 * MINUTE  # what an extension proposes by itself
NAME_VALUE_MOST: Final = b.OPTION_VALUE_MOST
TITLES: Final = {
    ids.ASK_OPEN: "Open an environment",
    ids.ASK_ACCESS: "Request access",
    ids.ASK_CHANGE: "Change secrets",
    ids.ASK_DEPLOY: "Request a deploy",
}
KINDS: Final[dict[str, Kind]] = {
    ids.ASK_OPEN: "open",
    ids.ASK_ACCESS: "access",
    ids.ASK_CHANGE: "change",
    ids.ASK_DEPLOY: "deploy",
}
DOES: Final = {
    "open": "Read an environment's secrets",
    "access": "Hold a role",
    "change": "Change secrets",
    "deploy": "Deploy a version",
}
WHAT: Final = {
    ids.ASK_OPEN: "Environment",
    ids.ASK_ACCESS: "Role",
    ids.ASK_CHANGE: "Environment",
    ids.ASK_DEPLOY: "Application or environment",
}


def ask_open(targets: Sequence[str], prefill: Prefill, terms: Terms | None) -> View:
    """`terms` None: no target is chosen yet; the form asks for it first. A choice arrives as action `target`."""
    return _form(ids.ASK_OPEN, targets, prefill, terms, _access(prefill, terms))


def ask_access(targets: Sequence[str], prefill: Prefill, terms: Terms | None) -> View:
    return _form(ids.ASK_ACCESS, targets, prefill, terms, _access(prefill, terms))


def _access(prefill: Prefill, terms: Terms | None) -> list[Block]:
    return _announced([*_lasting(prefill, terms), _whom(prefill)])


def ask_change(targets: Sequence[str], prefill: Prefill, terms: Terms | None) -> View:
    if terms is None or prefill.target is None:
        return _form(ids.ASK_CHANGE, targets, prefill, None, [])
    blocks = [*_setting(prefill.target, enters=terms.enters), *_removing(prefill.target, terms.names)]
    return _form(ids.ASK_CHANGE, targets, prefill, terms, blocks)


def ask_deploy(targets: Sequence[str], prefill: Prefill, terms: Terms | None) -> View:
    version = b.text_input(ids.VERSION, initial=prefill.version, placeholder="v1.2.3", most=VERSION_MOST)
    ref = b.text_input(ids.REF, initial=prefill.ref, placeholder="9f2c41d", most=REF_MOST)
    blocks = [
        b.entry("Version", ids.VERSION, version, hint="As people call it: a tag, or the number of a build."),
        b.entry(
            "Commit or digest",
            ids.REF,
            ref,
            hint="A tag can be moved. A commit like 9f2c41d or a digest like sha256:… names the same for ever.",
            optional=True,
        ),
    ]
    frozen = [freeze(*terms.frozen)] if terms is not None and terms.frozen is not None else []
    return _form(ids.ASK_DEPLOY, targets, prefill, terms, [*blocks, *frozen])


def freeze(until_ms: int, name: str) -> Block:
    """`name` is what the policies call that time."""
    called = [b.text(f" ({cut(name, 200)})")] if name else []
    later = "It can be asked for and approved now, and starts no earlier."
    return b.rich(b.line(b.text("Frozen until ", bold=True), b.date_element(until_ms), *called, b.text(f". {later}")))


def edit(facts: CardFacts, terms: Terms, origin: Origin) -> View:
    """What was asked, to ask it differently. For a stale change: once more, on what is there now, with the values that were sealed."""
    request = facts.request
    title, send = ("Ask again", "Ask again") if request.state == "stale" else ("Edit your request", "Save")
    about = [b.section(f"You asked to {action(request)}. {_decided_anew(request)}")]
    if terms.who.refusal is not None:
        refused = [*about, b.plain_section(f"This cannot be asked for. {terms.who.refusal}")]
        return b.modal(ids.EDIT_REQUEST, title, refused, origin=origin)
    prefill = Prefill(request.target, request.duration_ms, request.reason, request.ticket or "")
    if isinstance(request.payload, Change):
        kept = "The values are those that you sealed: nothing has to be typed again, only what is to be another."
        names = sorted(touch.name for touch in request.payload.touches)
        middle = [
            b.rich(*touched(request.payload, NAMES_SHOWN)),
            b.context(kept),
            *_setting(request.target, enters=terms.enters),
            *_removing(request.target, names if len(names) > 1 else (), "Leave out of this request"),
        ]
    elif isinstance(request.payload, Amendment):
        middle = [
            b.context(
                "The policies stay as they are asked for: `countersign policy apply FILE --request` brings others."
            )
        ]
    elif isinstance(request.payload, Enrolling):
        middle = holders.asked(request.payload)
    elif isinstance(request.payload, Minting):
        middle = machines.asked(request.payload)
    elif isinstance(request.payload, Extending):
        middle = [_longer(request.payload.duration_ms, terms.max_ms)]
    else:
        middle = _lasting(prefill, terms)
    besides = ("Time",) if isinstance(request.payload, Extending) else ()
    blocks = [
        *about,
        *middle,
        *_why(prefill, required=terms.reason_required),
        *_ticket(prefill, terms),
        *who_is_asked(terms.who, besides=besides),
    ]
    return b.modal(ids.EDIT_REQUEST, title, blocks, origin=origin, submit=send)


def _decided_anew(request: Request) -> str:
    votes = len(request.reviews)
    if request.state == "stale":
        return "Somebody else changed the same secrets meanwhile. It is asked again on top of what is there now, and everybody decides anew."
    if votes:
        return f"Everybody decides anew: {plural(votes, 'vote')} so far will be dropped."
    return "Nobody has voted yet."


def target_options(targets: Sequence[str], query: str) -> list[dict[str, Any]]:
    """What the external select is offered, once there are more targets than a plain one holds."""
    wanted = query.strip().lower()
    found = [target for target in targets if wanted in target and len(target) <= b.OPTION_VALUE_MOST]
    return [_target_option(target) for target in found[: b.OPTIONS_MOST]]


def chosen_target(values: Mapping[str, Any]) -> str | None:
    """What the form says so far, for drawing it again with this target's terms."""
    return typed(values, ids.TARGET) or None


def extend(facts: CardFacts, terms: Terms, prefill: Prefill, origin: Origin) -> View:
    """More time for what somebody has. `terms.max_ms` is how much can be added."""
    request = facts.request
    ends = f" until {date(request.lease.until_ms)}" if request.lease else ""
    about = b.section(f"{mention(request.beneficiary)} has `{request.target}`{ends}. If this is approved, it goes on.")
    if terms.who.refusal is not None:
        refused = [about, b.plain_section(f"This cannot be asked for. {terms.who.refusal}")]
        return b.modal(ids.EXTEND_TIME, "Extend", refused, origin=origin)
    wanted_ms = prefill.duration_ms or LONGER_MS
    over = f"You wanted {spoken(wanted_ms)}. " if prefill.duration_ms and prefill.duration_ms > terms.max_ms else ""
    blocks = [
        about,
        _longer(wanted_ms, terms.max_ms, over),
        *_why(prefill, required=terms.reason_required),
        *_ticket(prefill, terms),
        *who_is_asked(terms.who, besides=("Time",)),
    ]
    return b.modal(ids.EXTEND_TIME, "Extend", blocks, origin=origin, submit="Request")


def _longer(wanted_ms: int, room_ms: int, over: str = "") -> Block:
    options = [lengths.choice(length) for length in lengths.offered(room_ms, min(wanted_ms, room_ms))]
    initial = lengths.choice(min(wanted_ms, room_ms))
    longer = b.entry("How much longer", ids.DURATION, b.select(ids.DURATION, options, "Choose a time", initial=initial))
    hint = f"{over}{spoken(room_ms)} more are possible: all of it counts, from the first use."
    return {**longer, "hint": b.plain(hint, b.LABEL_MOST)}


def _form(callback: str, targets: Sequence[str], prefill: Prefill, terms: Terms | None, middle: list[Block]) -> View:
    origin = Origin(channel=prefill.channel)
    choose = _target_select(targets, prefill.target)
    what = WHAT[callback]
    kinds = _kinds(callback, prefill.kinds)
    if terms is not None and terms.who.refusal is not None:
        refused = [*kinds, _chooser(what, choose), b.plain_section(f"This cannot be asked for. {terms.who.refusal}")]
        return b.modal(callback, TITLES[callback], refused, origin=origin)
    # A role is no environment, nor is an application: where what one asks for changes, what was chosen before is not kept.
    kept_apart = {ids.ASK_ACCESS: ":role", ids.ASK_DEPLOY: ":deploy"}
    block_id = f"{ids.TARGET}{kept_apart.get(callback, '')}"
    [asks] = _announced([b.entry(what, block_id, choose)])
    if terms is None:
        blocks = [
            *kinds,
            asks,
            *middle,
            *_why(prefill, required=False),
            b.context("Choose first: then this form says who is asked."),
        ]
        return b.modal(callback, TITLES[callback], blocks, origin=origin, submit="Request")
    blocks = [
        *kinds,
        asks,
        *middle,
        *_why(prefill, required=terms.reason_required),
        *_ticket(prefill, terms),
        *who_is_asked(terms.who),
    ]
    return b.modal(callback, TITLES[callback], blocks, origin=origin, submit="Request")


def _kinds(callback: str, kinds: Sequence[str]) -> list[Block]:
    """What one may ask for, where there is a choice. It draws another form; what is asked is what that form is about."""
    if len(kinds) < 2:
        return []
    options = {kind: b.option(DOES[kind], kind) for kind in kinds}
    field = b.select(ids.KIND, list(options.values()), "Choose one", initial=options.get(KINDS[callback]))
    return [{**b.section("*What do you ask for?*", field), "block_id": ids.KIND}]


def _announced(fields: Sequence[Block]) -> list[Block]:
    """A choice is told at once, and the form is drawn again with what follows from it."""
    return [{**field, "dispatch_action": True} for field in fields]


def _target_select(targets: Sequence[str], chosen: str | None) -> b.Element:
    options = [_target_option(target) for target in targets if len(target) <= b.OPTION_VALUE_MOST]
    initial = next((option for option in options if option["value"] == chosen), None)
    if 0 < len(options) <= b.OPTIONS_MOST:
        return b.select(ids.TARGET, options, "Choose one", initial=initial)
    found: b.Element = {
        "type": "external_select",
        "action_id": ids.TARGET,
        "min_query_length": 0,
        "placeholder": b.plain("Type a part of its name", b.PLACEHOLDER_MOST),
    }
    return found if initial is None else {**found, "initial_option": initial}


def _target_option(target: str) -> b.Element:
    half = b.OPTION_MOST // 2
    label = target if len(target) <= b.OPTION_MOST else f"{target[:half]}…{target[-half:]}"
    return b.option(label, target)


def _chooser(what: str, select: b.Element) -> Block:
    """A choice in a form that has nothing to send."""
    return {**b.section(f"*{what}*", select), "block_id": f"{ids.TARGET}:shown"}


def _lasting(prefill: Prefill, terms: Terms | None) -> list[Block]:
    """How long. Another target has other lengths, so its field is another one."""
    if terms is None and prefill.duration_ms is None:
        return []
    most_ms = terms.max_ms if terms else max(8 * HOUR, prefill.duration_ms or 0)
    default_ms = terms.default_ms if terms else HOUR
    wanted_ms = min(prefill.duration_ms or default_ms, most_ms)
    options = [lengths.choice(length) for length in lengths.offered(most_ms, default_ms, prefill.duration_ms)]
    field = b.select(ids.DURATION, options, "Choose a time", initial=lengths.choice(wanted_ms))
    over = prefill.duration_ms is not None and prefill.duration_ms > most_ms
    hint = f"You wanted {spoken(prefill.duration_ms or 0)}: {spoken(most_ms)} is the most there is." if over else ""
    block_id = f"{ids.DURATION}:{prefill.target}" if terms and prefill.target else ids.DURATION
    return [b.entry("Access duration", block_id, field, hint=hint or "It runs from the first use.")]


def _whom(prefill: Prefill) -> Block:
    field: b.Element = {
        "type": "users_select",
        "action_id": ids.WHOM,
        "placeholder": b.plain("For me", b.PLACEHOLDER_MOST),
        **({"initial_user": prefill.whom} if prefill.whom else {}),
    }
    hint = "Leave it empty to ask for yourself. Whom it is for activates it; the rule must let them ask as well."
    return b.entry("For whom", ids.WHOM, field, hint=hint, optional=True)


def _why(prefill: Prefill, *, required: bool) -> list[Block]:
    field = b.text_input(ids.REASON, initial=prefill.reason, most=REASON_MOST, multiline=True)
    hint = "The people who decide read this. No secrets here: it stays on the card."
    return [b.entry("Reason", ids.REASON, field, hint=hint, optional=not required)]


def words_of(terms: Terms, reason: str) -> list[Block]:
    """The fields for reason and ticket, as the rule asks for them."""
    prefill = Prefill(reason=reason)
    return [*_why(prefill, required=terms.reason_required), *_ticket(prefill, terms)]


def _ticket(prefill: Prefill, terms: Terms) -> list[Block]:
    if terms.ticket is None:
        return []
    field = b.text_input(ids.TICKET, initial=prefill.ticket, most=TICKET_MOST)
    hint = f"It must match the pattern {cut(terms.ticket.pattern, 200)}"
    return [b.entry("Ticket", ids.TICKET, field, hint=hint, optional=not terms.ticket.required)]


def _setting(target: str, *, enters: bool) -> list[Block]:
    seal = f"`countersign seal {target}` at your terminal"
    if not enters:
        field = b.text_input(ids.SET, placeholder="NAME=sealed:7Q2M4XK9TB", multiline=True)
        hint = "One NAME=sealed:… a line. A reference works once, within an hour, and only for you."
        about = f"Values of `{target}` are not entered in Slack, so this takes references only: {seal} reads a value or a file, seals it, and prints one. An owner of the policies can allow values here."
    else:
        field = b.text_input(ids.SET, placeholder="NAME=value", multiline=True)
        hint = f"One NAME=value a line, taken exactly as it is typed; {b.INPUT_MOST:,} characters in all are the limit."
        about = f"Slack has no password field: what you type here can be seen on your screen and passes through Slack. It is never shown on a card. For what is longer, a file, or to keep it out of Slack: {seal} prints a reference to paste in place of the value."
    return [b.entry("Secrets to set", f"{ids.SET}:{target}", field, hint=hint, optional=True), b.context(about)]


def _removing(target: str, names: Sequence[str], label: str = "Secrets to remove") -> list[Block]:
    """A list to pick from, as long as Slack can hold it; else a field."""
    if not names:
        return []
    block_id = f"{ids.REMOVE}:{target}"
    if len(names) > b.OPTIONS_MOST or any(len(name) > NAME_VALUE_MOST for name in names):
        field = b.text_input(ids.REMOVE, multiline=True)
        hint = f"One name a line. There are {plural(len(names), 'name')} in {target}."
        return [b.entry(label, block_id, field, hint=hint, optional=True)]
    options = [b.option(name, name) for name in names]
    field = {**b.select(ids.REMOVE, options, "Choose names"), "type": "multi_static_select"}
    return [b.entry(label, block_id, field, optional=True)]
