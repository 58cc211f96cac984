"""Deleting: the form by which an owner says that an environment is to be forgotten."""

from collections.abc import Mapping
from typing import Any

from bot.slack import ids
from bot.slack.views import blocks as b
from bot.slack.views.facts import View
from bot.slack.views.modals import read_reason
from bot.slack.views.reading import BadForm, block_of, typed
from bot.slack.views.words import plural
from store.model.request import REASON_MOST


def confirm(target: str, newest: int) -> View:
    """What is deleted is what the owner sees here: a version of later is another."""
    told = (
        f"*`{target}` and {plural(newest, 'version')} of it are deleted for good:* values, names and keys. Nobody can bring them back, "
        "not from a version and not with a key holder; a backup of Redis may still hold them. The audit log stays, and so does the fact that it was deleted."
    )
    name = b.text_input(ids.CONFIRM, placeholder=target, most=200)
    reason = b.text_input(ids.REASON, most=REASON_MOST, multiline=True)
    blocks = [
        b.section(told),
        b.entry("Its name, to confirm", ids.CONFIRM, name),
        b.entry("Why?", ids.REASON, reason, hint="The audit log keeps it."),
    ]
    about = ids.version_reference(target, newest)
    return b.modal(ids.DELETE_ENVIRONMENT, "Delete an environment", blocks, about=about, submit="Delete for good")


def read(values: Mapping[str, Any], target: str) -> str:
    """The reason. Raises `BadForm` unless the name was typed."""
    if typed(values, ids.CONFIRM).strip() != target:
        raise BadForm({block_of(values, ids.CONFIRM): f"Type {target} to confirm."})
    return read_reason(values)
