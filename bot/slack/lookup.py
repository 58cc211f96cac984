"""Names in the policy file, as Slack knows them."""

from bot.slack.wire import Slack, SlackRefused


class SlackLookup:
    """Resolves e-mails, handles and channel ids. A channel given by #name is not looked up: no scope of ours lists channels."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._groups: dict[str, tuple[str, str]] | None = None

    async def user(self, email_or_id: str, /) -> tuple[str, str] | None:
        try:
            if "@" in email_or_id:
                answer = await self._slack.call("users.lookupByEmail", email=email_or_id)
            else:
                answer = await self._slack.call("users.info", user=email_or_id)
        except SlackRefused as error:
            if error.error in ("users_not_found", "user_not_found", "user_not_visible"):
                return None
            raise
        user = answer["user"]
        return user["id"], user.get("profile", {}).get("real_name") or user["name"]

    async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
        if self._groups is None:
            answer = await self._slack.call("usergroups.list")
            pairs = [(group["id"], group["handle"]) for group in answer["usergroups"] if not group.get("date_delete")]
            self._groups = {name: pair for pair in pairs for name in pair}
        return self._groups.get(handle_or_id.removeprefix("@"))

    async def channel(self, name_or_id: str, /) -> str | None:
        if name_or_id.startswith("#"):
            return None
        try:
            answer = await self._slack.call("conversations.info", channel=name_or_id)
        except SlackRefused as error:
            if error.error == "channel_not_found":
                return None
            raise
        found: str = answer["channel"]["id"]
        return found
