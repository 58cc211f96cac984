"""What an administrator does, each with the event Slack would send for it."""

from playground.slack.delivery import Delivery
from playground.slack.payloads import event_payload
from playground.slack.records import Json, Kind
from playground.slack.shapes import group_object, user_object
from playground.slack.state import State


class Administration(State):
    delivery: Delivery

    def set_group(self, group_id: str, users: list[str]) -> None:
        """Membership of a user group: subteam_members_changed and subteam_updated."""
        group = self.groups[group_id]
        before, group.users = list(group.users), list(users)
        previous, group.updated = group.updated, self.clock() // 1000
        added, removed = [user for user in users if user not in before], [user for user in before if user not in users]
        self._emit(
            {
                "type": "subteam_members_changed",
                "subteam_id": group.id,
                "team_id": self.team_id,
                "date_previous_update": previous,
                "date_update": group.updated,
                "added_users": added,
                "added_users_count": len(added),
                "removed_users": removed,
                "removed_users_count": len(removed),
            }
        )
        self._emit({"type": "subteam_updated", "subteam": group_object(self, group, users=True)})

    def set_kind(self, user: str, kind: Kind) -> None:
        """Deactivate somebody, make them a guest or bring them back: user_change."""
        self.person(user).kind = kind
        self._user_changed(user)

    def rename(
        self, user: str, *, name: str | None = None, real_name: str | None = None, email: str | None = None
    ) -> None:
        person = self.person(user)
        person.name, person.real_name, person.email = (
            name or person.name,
            real_name or person.real_name,
            email or person.email,
        )
        self._user_changed(user)

    def archive(self, channel_id: str) -> None:
        self.channels[channel_id].archived = True
        self._emit({"type": "channel_archive", "channel": channel_id, "user": self.bot_user_id})

    def remove_bot(self, channel_id: str) -> None:
        channel = self.channels[channel_id]
        channel.bot_is_member = False
        self._emit(
            {
                "type": "member_left_channel",
                "user": self.bot_user_id,
                "channel": channel_id,
                "channel_type": "G" if channel.kind == "private" else "C",
                "team": self.team_id,
            }
        )

    def add_bot(self, channel_id: str) -> None:
        self.channels[channel_id].bot_is_member = True
        self._emit(
            {
                "type": "member_joined_channel",
                "user": self.bot_user_id,
                "channel": channel_id,
                "channel_type": "C",
                "team": self.team_id,
            }
        )

    def revoke_tokens(self) -> None:
        """The bot token stops working: tokens_revoked."""
        self._emit({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self.bot_user_id]}})
        self.bot_token = ""

    def delete_message(self, channel_id: str, ts: str) -> None:
        """As an administrator may: the app then gets message_not_found."""
        if (message := self.find_message(channel_id, ts)) is not None:
            self.remove(message)

    def _user_changed(self, user: str) -> None:
        person = self.person(user)
        person.updated = self.clock() // 1000
        shape = user_object(self, person, email="users:read.email" in self.manifest.scopes)
        self._emit({"type": "user_change", "user": shape, "cache_ts": person.updated})

    def _emit(self, event: Json) -> None:
        self.changed()
        if event["type"] in self.manifest.events:
            self.delivery.send_event(event_payload(self, event | {"event_ts": self.next_ts()}))
