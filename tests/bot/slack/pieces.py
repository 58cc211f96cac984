"""Pieces of a payload, for tests: its buttons, its words, its places for mrkdwn."""

from collections.abc import Iterator
from typing import Any


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in it."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def buttons(blocks: Any) -> list[str]:
    """Action ids, in the order one sees them."""
    return [node["action_id"] for node in walk(blocks) if node.get("type") in ("button", "overflow")]


def mrkdwn(blocks: Any) -> list[str]:
    return [node["text"] for node in walk(blocks) if node.get("type") == "mrkdwn"]


def words(blocks: Any) -> str:
    """Everything that is read, one piece a line."""
    return "\n".join(node["text"] for node in walk(blocks) if isinstance(node.get("text"), str))


def quotes(blocks: Any) -> list[str]:
    """What is shown as somebody else's words."""
    quoted = [node for node in walk(blocks) if node.get("type") == "rich_text_quote"]
    return ["".join(piece.get("text", "") for piece in quote["elements"]) for quote in quoted]


def menu(blocks: Any) -> list[str]:
    """Options of the overflow menu."""
    menus = [node for node in walk(blocks) if node.get("type") == "overflow"]
    return [option["text"]["text"] for one in menus for option in one["options"]]
