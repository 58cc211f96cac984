"""Which of Slack's Web API methods the bot calls, read from its source: the manifest must ask for their scopes alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient

BOT = Path(__file__).parent.parent / "bot"


def called(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr=name) if "_" in name and not name.startswith("_") and hasattr(AsyncWebClient, name):
                yield name.replace("_", ".")
            case ast.Call(func=ast.Attribute(attr="api_call" | "call"), args=[ast.Constant(value=str() as name), *_]):
                yield name


print(",".join(sorted({name for path in BOT.rglob("*.py") for name in called(path)} - {"api.call"})))
