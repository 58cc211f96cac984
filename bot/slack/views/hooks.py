"""Hooks: what telling a receiver of a new version came to."""

from bot.slack import ids
from bot.slack.views import blocks as b
from bot.slack.views import buttons
from bot.slack.views.facts import Block, Message
from bot.slack.views.words import date, plural, spoken
from store.model.delivery import Delivery
from store.model.lifecycle.deploying import LOG_MOST
from store.model.request import CLOCK, Request, Run

SAID_MOST = 300
RETRIES_MOST = 5  # on a card; the thread has one for each


def lines(deliveries: tuple[Delivery, ...]) -> Block:
    """One line a hook, on the card."""
    parts = [b.line(b.text("Hooks", bold=True))]
    parts.append(
        b.bullets(
            [b.text(delivery.hook, code=True), b.text(f"{_told(delivery)}: {_result(delivery)}"), *_next(delivery)]
            for delivery in deliveries[:20]
        )
    )
    if len(deliveries) > 20:
        parts.append(b.line(b.text(f"and {len(deliveries) - 20} more")))
    return b.rich(*parts)


def reported(run: Run) -> list[Block]:
    """What the receiver has said of a deploy, as plain text."""
    said = [b.said("Stage", run.stage)] if run.stage else []
    said += [b.said("What the receiver said", run.said)] if run.said else []
    return [*said, *([b.said("Log", run.log, LOG_MOST)] if run.log else [])]


def progress_line(request: Request) -> Message | None:
    """How a deploy goes, by what its receiver said, in the card's thread. None: nothing yet."""
    run = request.run
    if run is None or run.said_ms is None:
        return None
    words = {"running": "Deploying", "succeeded": "Deployed", "failed": "Failed", "cancelled": "Cancelled"}
    how = words.get(request.state, "Deploying")
    silent = request.state == "failed" and request.ending is not None and request.ending.by == CLOCK
    by_another = silent or request.state == "cancelled"
    said = ". Its receiver was last heard of " if by_another else ", as its receiver said "
    line = b.line(b.text(how, bold=True), b.text(said), b.date_element(run.said_ms), b.text("."))
    return Message(f"{how}{said}{date(run.said_ms)}.", b.fresh([b.rich(line), *reported(run)]))


def retries(deliveries: tuple[Delivery, ...], request: Request) -> list[Block]:
    """On the card: those that were given up."""
    failed = {delivery.place: delivery for delivery in deliveries if delivery.state == "failed"}
    return [
        {
            **b.section(f"`{delivery.hook}` was not told: it was given up.", buttons.retry(request, delivery.hook)),
            "block_id": ids.retry_block(delivery.place, delivery.attempts),
        }
        for delivery in list(failed.values())[:RETRIES_MOST]
    ]


def hook_line(delivery: Delivery, request: Request) -> Message:
    """The result in the card's thread, with what the receiver said, and a way to tell it at once."""
    last = delivery.receipts[-1] if delivery.receipts else None
    first = b.line(
        b.text("Hook "),
        b.text(delivery.hook, code=True),
        b.text(f", {_about(delivery)}: {_result(delivery)}"),
        *_next(delivery),
        b.text("."),
    )
    blocks = [b.rich(first)]
    if last is not None and last.said.strip():
        taken = last.status is not None and 200 <= last.status < 300
        blocks.append(b.said("The receiver said" if taken else "What happened", last.said, SAID_MOST))
    if delivery.state == "failed" or _retrying(delivery):
        again = b.actions(buttons.retry(request, delivery.hook))
        blocks.append({**again, "block_id": ids.retry_block(delivery.place, delivery.attempts)})
    when = f" Next try {date(delivery.next_ms)}." if _retrying(delivery) and delivery.next_ms is not None else ""
    return Message(
        text=f"Hook `{delivery.hook}`, {_about(delivery)}: {_result(delivery)}.{when}",
        blocks=b.fresh(blocks),
    )


def tried(target: str, hook: str, status: int | None, latency_ms: int, why: str | None, said: str) -> Message:
    """What came of a test. `why`: a sentence, where it was not taken. `said`: by the receiver."""
    answered = f"status {status} in {spoken_ms(latency_ms)}" if status is not None else "no answer"
    how = f"Test of the hook `{hook}` of {target}: {'not taken' if why else 'taken'}, {answered}."
    quoted = [b.said("What happened", why, SAID_MOST)] if why else []
    quoted += [b.said("The receiver said", said, SAID_MOST)] if said.strip() else []
    return Message(how, b.fresh([b.section(how), *quoted]))


def _told(delivery: Delivery) -> str:
    """Of one of several events that a card may have told it of."""
    return {"access.granted": ", access begun", "access.ended": ", access ended"}.get(delivery.event, "")


def _about(delivery: Delivery) -> str:
    match delivery.event:
        case "change":
            return f"version {delivery.version} of {delivery.environment}"
        case "rollback":
            return f"rolled back by version {delivery.version} of {delivery.environment}"
        case "deploy":
            return f"deploy of {delivery.environment}"
        case "access.granted":
            return f"access to {delivery.environment} begun"
        case "access.ended":
            return f"access to {delivery.environment} ended"


def _result(delivery: Delivery) -> str:
    last = delivery.receipts[-1] if delivery.receipts else None
    tries = plural(delivery.attempts, "attempt")
    answered = f"status {last.status}" if last is not None and last.status is not None else "no answer"
    match delivery.state:
        case "delivered":
            took = f" in {spoken_ms(last.latency_ms)}, {answered}" if last is not None else ""
            return f"delivered{took}, {tries}"
        case "waiting" if delivery.attempts == 0:
            return "waiting to be sent"
        case "waiting":
            return f"not delivered yet, {answered}, {tries}"
        case "failed":
            return f"failed, {answered}, {tries}. It is not tried again"
        case "overtaken" if delivery.event == "deploy":
            return f"not told{f', {answered}, {tries}' if delivery.attempts else ''}, and not tried any more: the deploy is over"
        case "overtaken":
            return "not needed any more: a newer version was announced instead"


def _retrying(delivery: Delivery) -> bool:
    return delivery.state == "waiting" and delivery.attempts > 0


def _next(delivery: Delivery) -> list[b.Element]:
    if not _retrying(delivery) or delivery.next_ms is None:
        return []
    return [b.text(", next try "), b.date_element(delivery.next_ms)]


def spoken_ms(latency_ms: int) -> str:
    return f"{latency_ms} ms" if latency_ms < 10_000 else spoken(latency_ms)
