"""Names in the policy file, as Slack knows them."""

from typing import Final

from bot.slack.directory import GONE
from bot.slack.wire import Slack, SlackRefused

PAGE: Final = 200  # docs.slack.dev/reference/methods/users.conversations: no more is recommended


class SlackLookup:
    """Resolves e-mails, handles, channel ids, and names of channels that the bot is in. Lists are asked for once."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._groups: dict[str, tuple[str, str]] | None = None
        self.without_groups = False  # seen: this workspace's plan has none
        self._channels: dict[str, str] | None = None

    async def user(self, email_or_id: str, /) -> tuple[str, str] | None:
        try:
            if "@" in email_or_id:
                answer = await self._slack.call("users.lookupByEmail", email=email_or_id)
            else:
                answer = await self._slack.call("users.info", user=email_or_id)
        except SlackRefused as error:
            if error.error in GONE:
                return None
            raise
        user = answer["user"]
        return user["id"], user.get("profile", {}).get("real_name") or user["name"]

    async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
        if self._groups is None:
            self._groups = {name: pair for pair in await self._all_groups() for name in pair}
        return self._groups.get(handle_or_id.removeprefix("@"))

    async def channel(self, name_or_id: str, /) -> str | None:
        """A name only among the channels that the bot is in, where it can write: those of a workspace may be too many to list."""
        if name_or_id.startswith("#"):
            if self._channels is None:
                self._channels = await self._own_channels()
            return self._channels.get(name_or_id.removeprefix("#"))
        try:
            answer = await self._slack.call("conversations.info", channel=name_or_id)
        except SlackRefused as error:
            if error.error == "channel_not_found":
                return None
            raise
        found: str = answer["channel"]["id"]
        return found

    async def _all_groups(self) -> list[tuple[str, str]]:
        try:
            answer = await self._slack.call("usergroups.list")
        except SlackRefused as error:
            if error.error == "plan_upgrade_required":
                self.without_groups = True
                return []  # a plan without user groups: the file is told where it names one
            raise
        return [(group["id"], group["handle"]) for group in answer["usergroups"] if not group.get("date_delete")]

    async def _own_channels(self) -> dict[str, str]:
        """Name -> id. A name belongs to one channel of a workspace, archived ones left out."""
        found: dict[str, str] = {}
        cursor = ""
        while True:
            answer = await self._slack.call(
                "users.conversations",
                types="public_channel,private_channel",
                exclude_archived="true",
                limit=PAGE,
                cursor=cursor or None,
            )
            found |= {channel["name"]: channel["id"] for channel in answer["channels"]}
            cursor = answer.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                return found
