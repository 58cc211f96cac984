"""`countersign cards`: the storybook."""

import json

import click


@click.command("cards")
def command() -> None:
    """Print every card, modal and Home view in every state as JSON lines.

    Each line is {"name", "kind": "message" or "view", "payload"}: paste a payload into Slack's Block Kit Builder to see it.
    """
    from bot.slack.storybook import stories

    for story in stories():
        click.echo(json.dumps(story, ensure_ascii=False))
