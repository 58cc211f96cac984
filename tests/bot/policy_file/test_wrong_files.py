"""What is wrong in a file: where, and in which sentence. Each row is the sound file with one piece replaced."""

import re
from pathlib import Path

import pytest

from bot.policy_file import PolicyFileInvalid, parse

SOUND = (Path(__file__).parent / "sound.yml").read_text(encoding="utf-8")

WRONG = [
    pytest.param(
        "organization: acme",
        "organization: @acme",
        [
            "2:15: this is not YAML (found character '@' that cannot start any token); put quotes around text that begins with @, *, &, %, ! or `."
        ],
        id="@ begins no value",
    ),
    pytest.param(
        "\norganization: acme",
        "\n\torganization: acme",
        [
            "2:1: this is not YAML (found character tab that cannot start any token); indent with spaces, never with tabs."
        ],
        id="a tab",
    ),
    pytest.param(
        "organization: acme",
        "organization: a: b",
        [
            "2:16: this is not YAML (mapping values are not allowed here); put quotes around text with a colon in it, and check the indentation."
        ],
        id="two colons",
    ),
    pytest.param(
        "organization: acme",
        "organization: 'acme",
        [
            '2:15: this is not YAML (a quote here is not closed); close it, and put quotes around text with a # in it, such as "#channel".'
        ],
        id="a quote left open",
    ),
    pytest.param(
        '["#audit"]',
        "[#audit]",
        [
            '32:3: this is not YAML (a [ or { here is not closed); close it, and put quotes around text with a # in it, such as "#channel".'
        ],
        id="a comment swallows a bracket",
    ),
    pytest.param(
        "organization: acme",
        "organization: acme\nfoo",
        ["3:1: this is not YAML (a : is missing); check the indentation of this line and the one before it."],
        id="a word without a colon",
    ),
    pytest.param(
        "organization: acme",
        "organization: \x07",
        ["2:15: a control character stands here; remove it."],
        id="a control character",
    ),
    pytest.param(
        "channel: C024BE91L",
        "channel: #payments",
        ["7:5: “channel” has no value; write one, or remove it. A # after a space begins a comment: put it in quotes."],
        id="a comment swallows a value",
    ),
    pytest.param(
        "targets: [payments/prod]",
        "targets: [*prod]",
        [
            "18:15: “*prod” is an alias, and aliases are not read here; write the value out, or put quotes around a name that begins with *."
        ],
        id="an alias",
    ),
    pytest.param(
        "targets: [payments/prod]",
        "targets: [*/*]",
        [
            "18:15: “*/*” is an alias, and aliases are not read here; write the value out, or put quotes around a name that begins with *."
        ],
        id="a glob without quotes",
    ),
    pytest.param(
        "owners: {",
        "owners: &o {",
        ["3:9: “&o” is an anchor, and anchors are not read here; remove it."],
        id="an anchor",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: !!str 8h",
        ["27:18: a tag (!) is not read here; remove it, or put quotes around the text."],
        id="a tag",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: 8h\n    request_ttl: 9h",
        ["28:5: “request_ttl” is here a second time (first on line 27); keep one of the two."],
        id="a key twice",
    ),
    pytest.param(
        "request_ttl: 8h",
        "? [a]\n    : b",
        ["27:7: a key must be a single word or name; write one in place of this."],
        id="a list as key",
    ),
    pytest.param(
        "organization: acme",
        "organization: acme\n---\na: b",
        ["3:1: a second document begins here; put everything into one, without ---."],
        id="a second document",
    ),
    pytest.param(
        "connectors: {}",
        "connectors:",
        [
            "12:3: “countersign/connectors” has no value; write one, or remove it. A # after a space begins a comment: put it in quotes."
        ],
        id="null",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: null",
        [
            "27:5: “request_ttl” has no value; write one, or remove it. A # after a space begins a comment: put it in quotes."
        ],
        id="null by name",
    ),
    pytest.param(
        "organization: acme",
        "organization: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        ["2:35: is nested more than 20 deep; nothing in a policy file is."],
        id="too deep",
    ),
    pytest.param("version: 1\n", "", ["1:1: “version” is missing; add version: 1."], id="no version"),
    pytest.param(
        "version: 1",
        "version: 2",
        ["1:10: “2” is no version this program reads; write version: 1."],
        id="another version",
    ),
    pytest.param(
        "organization: acme",
        "organisation: acme",
        ["2:1: “organisation” is not a key here; did you mean “organization”?"],
        id="an unknown key at the top",
    ),
    pytest.param(
        "request_ttl: 8h",
        "requestttl: 8h",
        ["27:5: “requestttl” is not a key here; did you mean “request_ttl”?"],
        id="an unknown key in a rule",
    ),
    pytest.param(
        "users: [ana@example.com",
        "zzz: [ana@example.com",
        ["23:27: “zzz” is not a key here; the keys here are groups, users."],
        id="an unknown key nothing is near to",
    ),
    pytest.param(
        "secure: true", "secure: on", ["8:13: “on” is neither; write true or false."], id="on is not a switch"
    ),
    pytest.param(
        "secure: true", "secure: no", ["8:13: “no” is neither; write true or false."], id="no is not a switch"
    ),
    pytest.param(
        "secure: true",
        "on: [change]",
        ["8:5: “on” is not a key here; the keys here are channel, connector, group, hooks, secure, values_in_slack."],
        id="on is not the key of a target",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: 22:30",
        ["27:18: “22:30” is not a duration; write one like 2h, 1h30m, 45m or 7200s."],
        id="a time of day is no duration",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: 8",
        ["27:18: “8” is not a duration; write one like 2h, 1h30m, 45m or 7200s."],
        id="a bare number is no duration",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: 2d",
        ["27:18: “2d” is not a duration; write one like 2h, 1h30m, 45m or 7200s."],
        id="days are no duration",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: 1h90m",
        ["27:18: “1h90m” has more than 59 minutes beside its hours; write 2h30m."],
        id="ninety minutes beside an hour",
    ),
    pytest.param(
        "request_ttl: 8h", "request_ttl: 0m", ["27:18: “0m” is no time at all; write at least 1s."], id="no time at all"
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: 9999h",
        ["27:18: “9999h” is longer than a year; write at most 8784h."],
        id="longer than a year",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: [8h]",
        ["27:18: here stands a list; write a single value."],
        id="a list for a duration",
    ),
    pytest.param(
        "request_ttl: 8h",
        "request_ttl: {h: 8}",
        ["27:18: here stands a mapping; write a single value."],
        id="a mapping for a duration",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: dev\n    approvals:\n",
        ["20:17: here stands text, not a mapping; write requesters: {groups: [payments-dev]}."],
        id="text for a circle",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "approvals:\n",
        ["17:5: “requesters” is missing; add requesters: {groups: [payments-dev]}."],
        id="no requesters",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: {}\n    approvals:\n",
        ["20:17: this names nobody; list users or groups."],
        id="requesters are nobody",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: {groups: []}\n    approvals:\n",
        ["20:17: this names nobody; list users or groups."],
        id="an empty list is nobody too",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: {groups: dev}\n    approvals:\n",
        ["20:26: here stands text, not a list; write groups: [payments-leads]."],
        id="text for a list",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: {groups: [[dev]]}\n    approvals:\n",
        ["20:27: here stands a list; write a single value."],
        id="a list in a list",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: {users: [dev]}\n    approvals:\n",
        ["20:26: “dev” is not a person; write an e-mail like ana@example.com or a Slack user id like U024BE7LH."],
        id="a handle as user",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        'requesters: {users: ["@dev"]}\n    approvals:\n',
        ["20:26: “@dev” is not a person; write an e-mail or a user id here, and groups under groups."],
        id="a group's handle as user",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: {groups: [ana@example.com]}\n    approvals:\n",
        ["20:27: “ana@example.com” is a person; list persons under users."],
        id="an address as group",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        "requesters: {groups: [the devs]}\n    approvals:\n",
        ["20:27: “the devs” is not a group; write a handle like payments-dev or a Slack group id like S0614TZR7."],
        id="spaces in a group",
    ),
    pytest.param(
        "requesters: {groups: [dev]}\n    approvals:\n",
        'requesters: {groups: [dev, "@dev"]}\n    approvals:\n',
        ["20:26: “dev” is listed 2 times; list it once."],
        id="a group twice",
    ),
    pytest.param(
        "count: 1,", "count: 0,", ["22:17: “0” is not a count; write a whole number from 1 to 20."], id="count 0"
    ),
    pytest.param(
        "count: 1,",
        "count: two,",
        ["22:17: “two” is not a count; write a whole number from 1 to 20."],
        id="count in words",
    ),
    pytest.param(
        "count: 1,",
        "count: 1.5,",
        ["22:17: “1.5” is not a count; write a whole number from 1 to 20."],
        id="half a person",
    ),
    pytest.param(
        "count: 2,",
        "count: 3,",
        ["23:9: asks for 3 people and lists 2; list more, or lower the count."],
        id="a count above the people listed",
    ),
    pytest.param(
        "- {count: 1, from: {groups: [leads]}}",
        "- {count: 1, from: {users: [ana@example.com]}}",
        ["22:7: no person counts twice, and these thresholds list too few different people; list more."],
        id="one person for two thresholds",
    ),
    pytest.param(
        "approvals: [{from: {groups: [leads]}}]",
        "approvals: []",
        ["36:16: the list is empty; name at least one."],
        id="no approvals",
    ),
    pytest.param(
        "approvals: [{from: {groups: [leads]}}]",
        "approvals: {from: {groups: [leads]}}",
        ["36:16: here stands a mapping, not a list; write approvals: [{count: 1, from: {groups: [payments-leads]}}]."],
        id="no list of approvals",
    ),
    pytest.param(
        "approvals: [{from: {groups: [leads]}}]",
        "approvals: [{from: {}}]",
        ["36:24: this names nobody; list users or groups."],
        id="approvals of nobody",
    ),
    pytest.param(
        "approvals: [{from: {groups: [leads]}}]",
        "approvals: [{count: 1}]",
        ["36:17: “from” is missing; add from: {groups: [security]}."],
        id="approvals without from",
    ),
    pytest.param(
        "request_ttl: 8h",
        "denials: 21",
        ["27:14: “21” is not a count; write a whole number from 1 to 20."],
        id="too many denials",
    ),
    pytest.param(
        "payments/prod:",
        "Payments/Prod:",
        [
            "6:3: “Payments/Prod” is not a target; targets look like payments/prod, payments/prod#api or role:aws-admin, in lower-case letters, digits and hyphens."
        ],
        id="capitals in a target",
    ),
    pytest.param(
        "payments/prod:",
        "payments:",
        [
            "6:3: “payments” is not a target; targets look like payments/prod, payments/prod#api or role:aws-admin, in lower-case letters, digits and hyphens."
        ],
        id="half a target",
    ),
    pytest.param(
        "payments/prod:",
        "other/payments/prod:",
        [
            "6:3: “other/payments/prod” is not a target; targets look like payments/prod, payments/prod#api or role:aws-admin, in lower-case letters, digits and hyphens."
        ],
        id="another organization's target",
    ),
    pytest.param(
        "targets: [payments/prod]",
        'targets: ["*"]',
        [
            "18:15: “*” matches no target; write one like payments/prod, payments/*, payments/prod#api or role:aws-admin (* never crosses / : #)."
        ],
        id="a star for everything",
    ),
    pytest.param(
        "targets: [payments/prod]",
        "targets: [payments/production]",
        ["18:15: no target matches “payments/production”; did you mean “payments/prod”?"],
        id="a rule for a target that is not there",
    ),
    pytest.param(
        "targets: [payments/prod]",
        "targets: [other/payments/prod]",
        ["18:15: “other” is not the organization, which is “acme”; write payments/prod."],
        id="a rule for another organization",
    ),
    pytest.param(
        "targets: [payments/prod]",
        "targets: []",
        ["18:14: the list is empty; name at least one."],
        id="a rule for nothing",
    ),
    pytest.param(
        "[access]",
        "[acces]",
        ["34:15: “acces” is not one of the choices; did you mean “access”?"],
        id="an unknown action",
    ),
    pytest.param(
        "[access]",
        "[open]",
        ["34:15: “open” is asked for environments, and this rule has none; remove it, or add such a target."],
        id="an action for no target of the rule",
    ),
    pytest.param(
        "[access]", "[access, access]", ["34:14: “access” is listed 2 times; list it once."], id="an action twice"
    ),
    pytest.param(
        "secure: true",
        "secure: true\n    values_in_slack: enter",
        ["9:22: a secure target keeps its values out of Slack; write none, or set secure: false."],
        id="secure and shown",
    ),
    pytest.param(
        "secure: true",
        "values_in_slack: show",
        ["8:22: “show” is not one of the choices; write one of none, enter, enter_and_show."],
        id="an unknown choice",
    ),
    pytest.param(
        "secure: true",
        "connector: okta",
        ["8:5: only a role has a connector; remove it, or name the target role:…."],
        id="a connector without a role",
    ),
    pytest.param(
        "{connector: okta, group: aws-admins}",
        "{group: aws-admins}",
        ["11:3: a role needs a connector; add connector: okta."],
        id="a role without connector",
    ),
    pytest.param(
        "{connector: okta, group: aws-admins}",
        "{connector: okta}",
        ["11:3: a role needs a group; add group: aws-admins."],
        id="a role without group",
    ),
    pytest.param(
        "{connector: okta, group: aws-admins}",
        "{connector: otka, group: aws-admins}",
        ["11:31: no connector is called “otka”; did you mean “okta”?"],
        id="a connector that is not defined",
    ),
    pytest.param(
        "{connector: okta, group: aws-admins}",
        "{connector: okta, group: aws-admins, secure: false}",
        ["11:56: “secure” is about values, which only environments have; remove it."],
        id="a secure role",
    ),
    pytest.param(
        "channel: C024BE91L",
        "channel: payments",
        ['7:14: “payments” is not a channel; write its id like C024BE91L, or its name in quotes like "#approvals".'],
        id="a channel without #",
    ),
    pytest.param(
        "on: [change]}",
        'on: [change]}\n      - {name: api, url: "https://b.example.com"}',
        ["11:16: this target has another hook called “api”; give each its own name."],
        id="two hooks of one name",
    ),
    pytest.param("on: [change]", "on: []", ["10:64: the list is empty; name at least one."], id="a hook for nothing"),
    pytest.param(
        "on: [change]",
        "on: change",
        ["10:64: here stands text, not a list; write on: [change, deploy]."],
        id="text for events",
    ),
    pytest.param(
        "name: api",
        "name: API",
        ["10:16: “API” is not a name; use lower-case letters, digits and hyphens."],
        id="a hook's name",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "http://deploy.example.com/api",
        ['10:26: http can be read on its way; write https://, or list "deploy.example.com:80" under allow_private.'],
        id="http",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "https://10.0.0.1/x",
        ['10:26: “10.0.0.1:443” is a private address; list "10.0.0.1:443" under allow_private if that is meant.'],
        id="a private address",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "https://2130706433/x",
        ['10:26: “2130706433:443” is a private address; list "2130706433:443" under allow_private if that is meant.'],
        id="a private address in disguise",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "https://[::ffff:127.0.0.1]/x",
        [
            '10:26: “[::ffff:127.0.0.1]:443” is a private address; list "[::ffff:127.0.0.1]:443" under allow_private if that is meant.'
        ],
        id="IPv4 inside IPv6",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "https://u:p@example.com/x",
        ["10:26: the URL holds a user name or password; keep credentials out of this file."],
        id="a password in a URL",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "ftp://example.com/x",
        ["10:26: “ftp://example.com/x” is not a URL; write one like https://deploy.example.com/hooks/api."],
        id="another scheme",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "https://example.com/x#y",
        ["10:26: the URL has a # part, which is never sent; remove it."],
        id="a fragment",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "https://[::1/x",
        ["10:26: “https://[::1/x” is not a URL; write one like https://deploy.example.com/hooks/api."],
        id="half an address",
    ),
    pytest.param(
        '["127.0.0.1:9000"]',
        '["127.0.0.1"]',
        ['4:17: “127.0.0.1” is not a host and port; write one like "127.0.0.1:9000".'],
        id="a private host without port",
    ),
    pytest.param(
        "credentials: countersign/connectors",
        "credentials: role:x",
        ["15:73: “role:x” is not an environment; write one like countersign/connectors."],
        id="credentials that are no environment",
    ),
    pytest.param(
        "type: scim",
        "type: ldap",
        ["15:16: “ldap” is not one of the choices; write one of scim."],
        id="an unknown type of connector",
    ),
    pytest.param(
        "  okta: {type",
        "  Okta: {type",
        ["15:3: “Okta” is not a name; use lower-case letters, digits and hyphens."],
        id="capitals in a connector",
    ),
    pytest.param(
        "default: 1h",
        "default: 5h",
        ["26:23: access.default (5h) is longer than access.max (4h); write a default of at most 4h."],
        id="default above max",
    ),
    pytest.param(
        "default: 1h, max: 4h",
        "max: 30m",
        ["26:19: access.default (1h) is longer than access.max (30m); write a default of at most 30m."],
        id="max below the default default",
    ),
    pytest.param(
        "remind: [15m, 1h]",
        "remind: [1h, 15m]",
        ["29:18: 15m does not come after 1h; write them in rising order: 15m, 1h."],
        id="reminders out of order",
    ),
    pytest.param(
        "[15m, 1h]",
        "[15m, 60m, 1h]",
        ["29:24: 1h does not come after 60m; write them in rising order: 15m, 1h."],
        id="the same reminder twice",
    ),
    pytest.param(
        "[15m, 1h]",
        "[9h]",
        ["29:14: 9h is not before the request expires; write less than request_ttl (8h)."],
        id="a reminder after the end",
    ),
    pytest.param(
        "after: 2h",
        "after: 8h",
        ["30:24: 8h is not before the request expires; write less than request_ttl (8h)."],
        id="an escalation at the end",
    ),
    pytest.param(
        '"^[A-Z]+-[0-9]+$"',
        '"([A-Z]+)+"',
        ["28:23: a repetition stands around another repetition or a choice; write it without the outer one."],
        id="nested repetition",
    ),
    pytest.param(
        '"^[A-Z]+-[0-9]+$"',
        '"[A-Z"',
        [
            "28:23: this is not a regular expression (unterminated character set at position 0); write one like ^[A-Z]+-[0-9]+$."
        ],
        id="no regular expression",
    ),
    pytest.param(
        '"^[A-Z]+-[0-9]+$"',
        '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
        ["28:23: the pattern has 201 characters; write one of 1 to 200."],
        id="a long pattern",
    ),
    pytest.param(
        '"^[A-Z]+-[0-9]+$"',
        '"(a|b)*"',
        ["28:23: a repetition stands around another repetition or a choice; write it without the outer one."],
        id="a repeated choice",
    ),
    pytest.param(
        '"^[A-Z]+-[0-9]+$"',
        '"a*a*a*a*"',
        ["28:23: the pattern has 4 of * + ? {n,m} and (a|b); write one with at most 3, so that it is quick."],
        id="many repetitions",
    ),
    pytest.param(
        '"^[A-Z]+-[0-9]+$"',
        '"(?=a)b"',
        ["28:23: “(?=” looks around, names or sets something; use plain groups ( ) or (?: ) only."],
        id="a look ahead",
    ),
    pytest.param(
        '"^[A-Z]+-[0-9]+$"',
        "'(a)\\1'",
        ["28:23: “\\1” refers back to a group; write out what it should match."],
        id="a reference back",
    ),
    pytest.param(
        "enforcement: soft",
        "enforcement: sofd",
        ["24:18: “sofd” is not one of the choices; did you mean “soft”?"],
        id="an unknown enforcement",
    ),
    pytest.param(
        "name: roles",
        "name: production",
        ["32:11: another rule is called “production”; give each its own name."],
        id="a rule's name twice",
    ),
    pytest.param(
        "name: roles",
        "name: ''",
        ["32:11: “” is not a name; write 1 to 80 characters on one line, without spaces at the ends."],
        id="a rule without name",
    ),
    pytest.param(
        "name: roles",
        "name: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        [
            "32:11: “xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…” is not a name; write 1 to 80 characters on one line, without spaces at the ends."
        ],
        id="a long name",
    ),
    pytest.param(
        "policy:main: {}",
        "policy:main: {}\n  acme/payments/prod: {}",
        ["14:3: this is the same target as “payments/prod”; keep one of the two."],
        id="the same target twice",
    ),
    pytest.param(
        "https://deploy.example.com/api",
        "https://deploy.example.com:0/x",
        ["10:26: “https://deploy.example.com:0/x” is not a URL; write one like https://deploy.example.com/hooks/api."],
        id="port 0",
    ),
    pytest.param(
        "name: roles",
        "name: ' roles'",
        ["32:11: “ roles” is not a name; write 1 to 80 characters on one line, without spaces at the ends."],
        id="spaces around a name",
    ),
    pytest.param(
        "name: roles",
        'name: "ro\\u202Eles"',
        ["32:11: “ro�les” is not a name; write 1 to 80 characters on one line, without spaces at the ends."],
        id="a letter that turns the line",
    ),
    pytest.param(
        "approvals: [{from: {groups: [leads]}}]",
        "approvals: [{from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}, {from: {groups: [leads]}}]",
        ["36:16: there are 11 items here; write at most 10."],
        id="eleven thresholds",
    ),
    pytest.param(
        '["127.0.0.1:9000"]',
        '["127.0.0.1:99999"]',
        ['4:17: “127.0.0.1:99999” is not a host and port; write one like "127.0.0.1:9000".'],
        id="a port too many",
    ),
]
WRONG_FREEZES = [
    ("{weekly: Fri 16:00 - Mon 8:00}", "is no part of a week; write one like Fri 16:00 - Mon 08:00."),
    ("{weekly: Fri 16:00 - Fri 16:00}", "is no time at all; write an end that differs from the start."),
    (
        "{weekly: Fri 16:00 - Mon 08:00, zone: Europe/Belin}",
        "is no time zone; write one like Europe/Berlin or UTC.",
    ),
    (
        "{weekly: Fri 16:00 - Mon 08:00, until: 2027-01-04T08:00:00Z}",
        "this freeze is each week already; remove weekly, or from and until.",
    ),
    (
        "{from: 2026-12-20T00:00:00Z}",
        "this freeze has no time; write weekly: Fri 16:00 - Mon 08:00, or both from and until.",
    ),
    ("{name: x}", "this freeze has no time; write weekly: Fri 16:00 - Mon 08:00, or both from and until."),
    (
        "{from: 2026-12-20, until: 2027-01-04T08:00:00Z}",
        "is no moment; write date, time and zone like 2026-12-20T00:00:00Z",
    ),
    (
        "{from: 2026-02-30T00:00:00Z, until: 2027-01-04T08:00:00Z}",
        "is no moment; write date, time and zone like 2026-12-20T00:00:00Z",
    ),
    (
        "{from: 2027-01-04T08:00:00Z, until: 2026-12-20T00:00:00+01:00}",
        "it ends before it begins (2027-01-04T08:00:00Z); write a later moment.",
    ),
    (
        "{from: 2026-12-20T00:00:00Z, until: 2027-01-04T08:00:00Z, zone: UTC}",
        "from and until say their zone themselves; remove this one.",
    ),
]


@pytest.mark.parametrize(("freeze", "expected"), WRONG_FREEZES)
def test_a_freeze_that_is_none_is_told(freeze, expected):
    quoted = re.sub(r"(\b(?:weekly|from|until): )([^,}]+)", r'\1"\2"', freeze)
    written = swapped("    request_ttl: 8h", f"    freeze:\n    - {quoted}\n    request_ttl: 8h")
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(written, "p.yml")
    (problem,) = raised.value.problems
    assert expected in problem.sentence
    assert str(problem).startswith("p.yml:28:")


WARNED = [
    pytest.param(
        "requesters: {groups: [admins]}\n    approvals: [{from: {groups: [admins]}}]",
        "requesters: {users: [ana@example.com, ben@example.com]}\n    approvals: [{count: 2, from: {users: [ana@example.com, ben@example.com]}}]",
        [
            "41:16: no request of anybody who may ask here can ever be approved, so everybody is locked out of changing this file: nobody approves their own, and too few others are listed; list more, or set self_approval: true."
        ],
        id="a rule whose requesters are its only approvers",
    ),
    pytest.param(
        "requesters: {groups: [admins]}\n    approvals: [{from: {groups: [admins]}}]",
        "requesters: {users: [ana@example.com], groups: [admins]}\n    approvals: [{from: {users: [ana@example.com]}}]",
        [
            "41:16: no request of ana@example.com can ever be approved: nobody approves their own, and too few others are listed; list more, or take ana@example.com from the requesters."
        ],
        id="a requester who is the only approver",
    ),
    pytest.param(
        "enforcement: soft",
        "enforcement: hard",
        ["25:5: enforcement is hard, so bypassers has no effect; remove it, or write enforcement: soft."],
        id="hard with bypassers",
    ),
    pytest.param(
        "    bypassers: {groups: [oncall]}\n",
        "",
        [
            "24:18: enforcement is soft, and no bypassers are listed, so nobody can pass; list some, or write enforcement: hard."
        ],
        id="soft without bypassers",
    ),
    pytest.param(
        "  - name: roles",
        "  - name: late\n    targets: [payments/prod#api]\n    actions: [open]\n    requesters: {groups: [dev]}\n    approvals: [{from: {groups: [leads]}}]\n  - name: roles",
        ["32:5: this rule never decides: “production” (line 17) comes first for all of it; move it up, or remove it."],
        id="a rule that never decides",
    ),
    pytest.param(
        "connectors: {}",
        "connectors: {}\n  spare/one: {}",
        ["13:3: no rule is for this target, so every request for it is refused; add a rule, or remove it."],
        id="a target without a rule",
    ),
    pytest.param(
        '    targets: ["policy:main", countersign/connectors]\n    actions: [policy, change]',
        "    targets: [countersign/connectors]\n    actions: [change]",
        [
            "13:3: no rule is for this target, so every request for it is refused; add a rule, or remove it.",
            "16:1: no rule has the action policy, so nobody can change this file by a request; list the target policy:main and add a rule.",
        ],
        id="no rule for the file itself",
    ),
    pytest.param(
        "credentials: countersign/connectors",
        "credentials: payments/tokens",
        ["15:73: “payments/tokens” is not listed, so nobody can ask to put the token there; add it under targets."],
        id="credentials that nobody can set",
    ),
    pytest.param(
        "requesters: {groups: [admins]}",
        "requesters: {groups: [admins]}\n    enforcement: soft\n    bypassers: {groups: [oncall]}",
        ["41:18: requests to change this file are always hard; give them a rule of their own."],
        id="soft for the file itself",
    ),
]


def swapped(old: str, new: str) -> bytes:
    assert SOUND.count(old) == 1
    return SOUND.replace(old, new).encode()


@pytest.mark.parametrize(("old", "new", "expected"), WRONG)
def test_says_where_and_what_would_be_right(old, new, expected):
    with pytest.raises(PolicyFileInvalid) as raised:
        parse(swapped(old, new), "p.yml")
    assert [str(problem) for problem in raised.value.problems] == [f"p.yml:{line}" for line in expected]


@pytest.mark.parametrize(("old", "new", "expected"), WARNED)
def test_warns_and_goes_on(old, new, expected):
    file = parse(swapped(old, new), "p.yml")
    assert [str(problem) for problem in file.warnings] == [f"p.yml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("payments/prod:", "acme/payments/prod:"),
        ("https://deploy.example.com/api", "http://127.0.0.1:9000/x"),
        ("targets: [payments/prod]", 'targets: ["acme/payments/*"]'),
        ("version: 1", "---\nversion: 1"),
        ("version: 1", "%YAML 1.1\n---\nversion: 1"),
        ("name: roles", "name: no"),
        ("channel: C024BE91L", 'channel: "#payments"'),
        ("request_ttl: 8h", "request_ttl: 28800s"),
    ],
)
def test_leaves_in_peace_what_is_sound(old, new):
    assert parse(swapped(old, new)).warnings == ()


def test_the_sound_file_is_sound():
    assert parse(SOUND.encode()).warnings == ()


OWNED = """\
version: 1
owners: {users: [ana@example.com]}
targets: {policy:main: {}}
policies:
  - {name: a, targets: ["policy:main"], actions: [policy], requesters: {users: [ben@example.com]}, approvals: [{from: {users: [ana@example.com]}}]}
"""


@pytest.mark.parametrize(
    ("old", "new", "warned"),
    [
        ("", "", True),
        ("[ben@example.com]", "[ben@example.com, ana@example.com]", False),
        ("{users: [ben@example.com]}", "{groups: [admins]}", False),
        ("owners: {users: [ana@example.com]}", "owners: {groups: [admins]}", False),
    ],
)
def test_warns_where_no_owner_may_ask_for_a_change_of_the_file(old, new, warned):
    said = [problem.sentence for problem in parse(OWNED.replace(old, new).encode()).warnings]
    assert any(sentence.startswith("no owner may ask for a change of this file") for sentence in said) is warned


def test_self_approval_makes_a_rule_of_one_person_possible():
    alone = OWNED.replace("ben@", "ana@")
    assert [problem.sentence[:30] for problem in parse(alone.encode()).warnings] == ["no request of anybody who may "]
    assert parse(alone.replace("name: a", "name: a, self_approval: true").encode()).warnings == ()
