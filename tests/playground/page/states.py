"""What the canned workspace holds: people, cards of an approval bot, and every block and element that the page draws."""

import copy
from typing import Any

ANA, BEN, GUS, EVE = "U0ANA", "U0BEN", "U0GUS", "U0EVE"
GENERAL, PAYMENTS, DM = "C0GEN", "C0PAY", "D0BOT"
NOW_MS = 1_741_014_000_000  # 2025-03-03 15:00 UTC
CARD_TS, EPHEMERAL_TS, EVERYTHING_TS = "1741013000.000100", "1741013500.000100", "1741013600.000100"

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": True}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def option(value: str, text: str | None = None, description: str | None = None) -> Json:
    return {"text": plain(text or value), "value": value} | ({"description": plain(description)} if description else {})


def section(text: str, block_id: str, **more: Any) -> Json:
    return {"type": "section", "block_id": block_id, "text": mrkdwn(text), **more}


def button(action_id: str, text: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": "R7K2M:1:9f3a", **more}


def confirm(title: str, text: str, yes: str, **more: Any) -> Json:
    return {"title": plain(title), "text": mrkdwn(text), "confirm": plain(yes), "deny": plain("Not now"), **more}


def an_input(block_id: str, label: str, element: Json, **more: Any) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(label),
        "element": {"action_id": "value", **element},
        **more,
    }


OPTIONS = [option("1h", "1 hour"), option("2h", "2 hours"), option("4h", "4 hours")]

CARD = [
    {"type": "header", "block_id": "title", "text": plain("Ana Lima asks to open payments/prod")},
    {
        "type": "section",
        "block_id": "facts",
        "fields": [
            mrkdwn("*State*\nwaiting for 1 of 2 approvals"),
            mrkdwn("*For*\n2 hours from the first use"),
            mrkdwn("*Ends by*\n<!date^1741028400^{date_short_pretty} at {time}|2025-03-03 19:00 UTC>"),
            mrkdwn("*Who may decide*\n<!subteam^S0LEADS> and <!subteam^S0SEC>"),
        ],
    },
    {
        "type": "rich_text",
        "block_id": "reason",
        "elements": [
            {
                "type": "rich_text_quote",
                "elements": [
                    {"type": "text", "text": "PAY-412: the refund job hangs, I need to see its queue settings."}
                ],
            }
        ],
    },
    {"type": "divider", "block_id": "line"},
    {
        "type": "context",
        "block_id": "votes",
        "elements": [mrkdwn(":white_check_mark: <@U0BEN> approved, <!date^1741013400^{ago}|2025-03-03 14:50 UTC>")],
    },
    {
        "type": "actions",
        "block_id": "decide",
        "elements": [
            button("approve", "Approve", style="primary", accessibility_label="Approve request R7K2M"),
            button("deny", "Deny", style="danger"),
            button(
                "break_glass",
                "Break glass",
                confirm=confirm(
                    "Break the glass?", "Everybody in *#payments-approvals* is told.", "Break it", style="danger"
                ),
            ),
            {
                "type": "overflow",
                "action_id": "more",
                "options": [option("why", "Why these people?"), option("withdraw", "Withdraw")],
            },
        ],
    },
]

EVERYTHING = [
    section(
        "*bold* _italic_ ~strike~ `code` <https://example.com/a?b=1&amp;c=2|a link> <@U0ANA> <#C0PAY> <!channel> snake_case_name\n> quoted\n```pre <b>x</b>```",
        "mrkdwn",
    ),
    {
        "type": "rich_text",
        "block_id": "rich",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "text", "text": "both", "style": {"bold": True, "italic": True}},
                    {"type": "text", "text": " plain "},
                    {"type": "user", "user_id": BEN},
                    {"type": "usergroup", "usergroup_id": "S0LEADS"},
                    {"type": "channel", "channel_id": PAYMENTS},
                    {"type": "date", "timestamp": 1741028400, "format": "{date_num} {time}", "fallback": "later"},
                    {"type": "link", "url": "https://example.com/docs", "text": "docs"},
                    {"type": "emoji", "name": "rocket"},
                    {"type": "hologram"},
                ],
            },
            {
                "type": "rich_text_list",
                "style": "ordered",
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "first"}]}],
            },
            {
                "type": "rich_text_list",
                "style": "bullet",
                "indent": 1,
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "deeper"}]}],
            },
            {
                "type": "rich_text_preformatted",
                "elements": [{"type": "text", "text": "DATABASE_URL changed\nAPI_KEY      new"}],
            },
        ],
    },
    {
        "type": "image",
        "block_id": "picture",
        "alt_text": "a chart of approvals",
        "image_url": "https://example.com/a.png",
        "title": plain("Approvals"),
    },
    section(
        "Pick how long",
        "pick",
        accessory={"type": "static_select", "action_id": "hours", "placeholder": plain("How long"), "options": OPTIONS},
    ),
    section("Remind", "remind", accessory={"type": "datepicker", "action_id": "day", "initial_date": "2025-03-04"}),
    {
        "type": "actions",
        "block_id": "links",
        "elements": [button("docs", "Read the policy", url="https://example.com/policy")],
    },
    {"type": "video", "block_id": "film"},
    {"type": "actions", "block_id": "odd", "elements": [{"type": "hologram_button", "action_id": "x"}]},
]

HOSTILE = "<!channel|x> &lt;img src=x onerror=alert(1)&gt; <javascript:alert(1)|click> <https://example.com/&quot;onclick=|ok>"

REQUEST_VIEW = {
    "id": "V0REQ",
    "hash": "1",
    "type": "modal",
    "callback_id": "open_request",
    "title": plain("Open an environment"),
    "submit": plain("Ask"),
    "close": plain("Cancel"),
    "blocks": [
        section("You ask for *payments/prod*. Two people decide.", "intro"),
        an_input(
            "reason",
            "Reason",
            {
                "type": "plain_text_input",
                "multiline": True,
                "min_length": 5,
                "max_length": 300,
                "placeholder": plain("Why now?"),
            },
            hint=plain("Approvers see this."),
        ),
        an_input(
            "duration", "For how long", {"type": "static_select", "options": OPTIONS, "initial_option": OPTIONS[0]}
        ),
        an_input("ticket", "Ticket", {"type": "plain_text_input"}, optional=True),
        an_input("people", "Also tell", {"type": "multi_users_select", "max_selected_items": 2}, optional=True),
    ],
}

FORM_VIEW = {
    "id": "V0FORM",
    "hash": "1",
    "type": "modal",
    "callback_id": "form",
    "title": plain("Every field"),
    "submit": plain("Send"),
    "blocks": [
        an_input("text", "Text", {"type": "plain_text_input", "initial_value": "hello"}),
        an_input(
            "number",
            "Number",
            {
                "type": "number_input",
                "is_decimal_allowed": False,
                "min_value": "1",
                "max_value": "9",
                "initial_value": "3",
            },
        ),
        an_input("day", "Day", {"type": "datepicker", "initial_date": "2025-03-04"}),
        an_input("time", "Time", {"type": "timepicker", "initial_time": "08:30"}),
        an_input("moment", "Moment", {"type": "datetimepicker", "initial_date_time": 1741028400}),
        an_input("one", "One", {"type": "radio_buttons", "options": OPTIONS, "initial_option": OPTIONS[1]}),
        an_input(
            "some",
            "Some",
            {
                "type": "checkboxes",
                "options": [option("a", "Tell me", "in a direct message"), option("b", "Tell all")],
                "initial_options": [option("a", "Tell me", "in a direct message")],
            },
        ),
        an_input(
            "several", "Several", {"type": "multi_static_select", "options": OPTIONS, "initial_options": [OPTIONS[2]]}
        ),
        an_input("person", "Person", {"type": "users_select", "initial_user": BEN}),
        an_input("channel", "Channel", {"type": "conversations_select", "initial_conversation": PAYMENTS}),
        an_input(
            "target",
            "Target",
            {"type": "external_select", "min_query_length": 2, "placeholder": plain("Search targets")},
        ),
        an_input(
            "live",
            "Live",
            {"type": "plain_text_input", "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]}},
            dispatch_action=True,
            optional=True,
        ),
    ],
}

PUSHED_VIEW = {
    "id": "V0PUSH",
    "hash": "1",
    "type": "modal",
    "callback_id": "values",
    "title": plain("Values of payments/prod"),
    "close": plain("Done"),
    "blocks": [
        section("These values are yours until 19:00.", "note"),
        {
            "type": "rich_text",
            "block_id": "values",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "API_KEY=canary"}]}],
        },
    ],
}

HOME = {
    "type": "home",
    "id": "V0HOME",
    "blocks": [
        {"type": "header", "block_id": "h1", "text": plain("Waiting for you")},
        section(
            "*payments/prod* for <@U0ANA>, 2 hours\n_PAY-412: the refund job hangs_",
            "w1",
            accessory=button("open_card", "Review"),
        ),
        {"type": "divider", "block_id": "d1"},
        {"type": "header", "block_id": "h2", "text": plain("Your grants")},
        section(
            "*role:aws-admin* ends <!date^1741017600^{ago}|at 16:00 UTC>",
            "g1",
            accessory=button("end", "I'm done", style="danger"),
        ),
        {"type": "context", "block_id": "c1", "elements": [mrkdwn("Nothing else is open.")]},
    ],
}


def message(ts: str, user: str, text: str, **more: Any) -> Json:
    return {
        "ts": ts,
        "user": user,
        "text": text,
        "blocks": None,
        "edited": False,
        "thread_ts": None,
        "reply_count": 0,
        "ephemeral": False,
        **more,
    }


def everyone() -> dict[str, Json]:
    """The state of each person: shared things the same, `me` and ephemeral messages their own."""
    return {user: copy.deepcopy(state(user)) for user in (ANA, BEN, GUS, EVE)}


def state(me: str) -> Json:
    people = [
        {
            "id": ANA,
            "name": "ana",
            "real_name": "Ana Lima",
            "email": "ana@example.com",
            "tz": "America/Sao_Paulo",
            "kind": "member",
            "groups": ["payments-dev"],
        },
        {
            "id": BEN,
            "name": "ben",
            "real_name": "Ben Okafor",
            "email": "ben@example.com",
            "tz": "Europe/Berlin",
            "kind": "member",
            "groups": ["payments-leads", "security"],
        },
        {
            "id": GUS,
            "name": "gus",
            "real_name": "Gus Park",
            "email": "gus@example.org",
            "tz": "Asia/Seoul",
            "kind": "guest",
            "groups": [],
        },
        {
            "id": EVE,
            "name": "eve",
            "real_name": "Eve Marsh",
            "email": "eve@example.net",
            "tz": "UTC",
            "kind": "stranger",
            "groups": [],
        },
    ]
    replies = [
        message("1741013300.000100", BEN, "Is the job still running?", thread_ts=CARD_TS),
        message("1741013400.000100", ANA, "Yes, since noon.", thread_ts=CARD_TS),
    ]
    said = [
        message(
            "1740930000.000100", BEN, "Morning! Deploys are *open* again, see <https://example.com/status|status>."
        ),
        message(CARD_TS, "bot", "Ana Lima asks to open payments/prod", blocks=CARD, edited=True, reply_count=2),
        *replies,
    ]
    if me == ANA:
        said.append(message(EPHEMERAL_TS, "bot", "You cannot review your own request.", ephemeral=True))
    return {
        "me": me,
        "team": {"name": "Northwind", "id": "T0"},
        "bot": {"id": "B0CS", "name": "Countersign"},
        "people": people,
        "groups": [
            {"id": "S0LEADS", "handle": "payments-leads", "name": "Leads", "users": [BEN]},
            {"id": "S0SEC", "handle": "security", "name": "Security", "users": [BEN]},
        ],
        "channels": [
            {"id": PAYMENTS, "name": "payments-approvals", "kind": "channel", "archived": False, "unread": 0},
            {"id": GENERAL, "name": "general", "kind": "channel", "archived": False, "unread": 2},
            {"id": DM, "name": "Countersign", "kind": "im", "archived": False, "unread": 0},
        ],
        "messages": {
            PAYMENTS: said,
            GENERAL: [
                message(EVERYTHING_TS, "bot", "Everything", blocks=EVERYTHING),
                message("1741013700.000100", EVE, HOSTILE),
            ],
            DM: [],
        },
        "home": HOME,
        "modals": [],
        "commands": [
            {
                "command": "/countersign",
                "usage_hint": "request open TARGET for 2h because …",
                "description": "Ask for something, or see what waits",
            }
        ],
        "shortcuts": [
            {"name": "Open an environment", "callback_id": "open_environment", "type": "global"},
            {"name": "Request access", "callback_id": "request_access", "type": "global"},
            {"name": "Why was this allowed?", "callback_id": "why", "type": "message"},
        ],
        "panels": [
            {
                "title": "Hook deliveries",
                "kind": "hooks",
                "rows": [
                    {
                        "time_ms": NOW_MS - 60_000,
                        "name": "api",
                        "event": "environment.merged",
                        "status": 202,
                        "verified": True,
                        "body": '{"environment": "payments/prod", "version": 4}',
                    },
                    {
                        "time_ms": NOW_MS - 90_000,
                        "name": "api",
                        "event": "environment.merged",
                        "status": 500,
                        "verified": False,
                        "body": "{}",
                    },
                ],
            },
            {
                "title": "SCIM groups",
                "kind": "groups",
                "rows": [
                    {"group": "aws-admins", "members": ["ana@example.com", "ben@example.com"]},
                    {"group": "db-admins", "members": []},
                ],
            },
        ],
        "clock": {"now_ms": NOW_MS, "skew_ms": 4_500_000, "can_advance": True},
        "bot_connected": True,
        "notice": None,
    }
