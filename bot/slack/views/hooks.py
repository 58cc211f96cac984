"""Hooks: what telling a receiver of a new version came to."""

from bot.slack.views import blocks as b
from bot.slack.views.facts import Block, Message
from bot.slack.views.words import date, plural, spoken
from store.model.delivery import Delivery

SAID_MOST = 300


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


def hook_line(delivery: Delivery) -> Message:
    """The result in the card's thread, with what the receiver said."""
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
        blocks.append(b.said("The receiver said" if last.status is not None else "What happened", last.said, SAID_MOST))
    when = f" Next try {date(delivery.next_ms)}." if _retrying(delivery) and delivery.next_ms is not None else ""
    return Message(
        text=f"Hook `{delivery.hook}`, {_about(delivery)}: {_result(delivery)}.{when}",
        blocks=b.fresh(blocks),
    )


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
