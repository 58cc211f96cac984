"""Table: each door of the program, what guards it, and the test that fails when that guard is taken away.

A new door is a new row here: its name as `tests/doors/listing.py` gives it, then `guarded` or `harmless`. The test of a `guarded` door is one that
`tests/sabotage/edits.toml` names, so `make sabotage` has seen it fail. A door is `harmless` that decides nothing and shows nobody more than they may know
anyway; its test says so. What holds for every door of Slack is tried on each of them, new ones too, by `tests/doors/test_probes.py`.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """`by`: who may, and what is checked, in words. `test`: a pytest node id, without its parameters."""

    by: str
    test: str
    sabotaged: bool


def guarded(by: str, test: str) -> Row:
    return Row(by, f"tests/{test}", sabotaged=True)


def harmless(why: str, test: str) -> Row:
    return Row(why, f"tests/{test}", sabotaged=False)


REVIEW: Final = "store/model/test_reviews.py::test_who_may_not_review_is_told_why"
ASK: Final = "store/model/test_asking.py::test_what_is_wrong_is_refused_with_a_sentence"
BREAK: Final = "store/model/test_break_glass.py::test_who_may_not_break_it"
DEBT: Final = "store/model/test_break_glass.py::test_who_does_not_look_at_a_debt"
OLD: Final = "store/model/test_reviews.py::test_a_verdict_on_another_content_is_none"
EDIT: Final = "store/model/test_editing.py::test_it_is_checked_as_if_it_were_asked_now"
END: Final = "store/model/test_lifecycle.py::test_who_may_end_access"
USE: Final = "store/model/test_lifecycle.py::test_only_for_whom_it_was_approved_can_activate"
MERGE: Final = "store/model/test_merging.py::test_who_may_merge_by_hand"
WITHDRAW: Final = "store/model/test_lifecycle.py::test_who_asked_or_for_whom_may_withdraw"
UNLOCK: Final = "store/model/test_locking.py::test_who_is_not_known_to_be_an_owner_unlocks_nobody"
SEEN: Final = "stories/test_commands.py::test_what_waits_what_is_mine_and_why"
TABLE: Final = "store/model/test_lifecycle.py::test_each_state_answers_each_command"
DUE: Final = "store/model/test_lifecycle.py::test_the_clock_is_believed_no_earlier_than_the_deadline"
FORM: Final = "stories/test_commands.py::test_a_shortcut_opens_the_form_or_says_why_not"
OWNER_OF_MACHINE: Final = "Whoever may run programs as this machine's owner; it reads Redis and starts nothing."
LONGER: Final = "store/model/test_extending.py::test_what_is_no_extension_of_this_is_refused"
MORE_TIME: Final = "stories/test_extend.py::test_nobody_opens_the_form_for_more_of_what_somebody_else_holds"
POLICIES: Final = "stories/test_policies.py::test_who_is_no_owner_does_not_read_them_also_by_an_owners_button"
PAGES: Final = "stories/test_home.py::test_somebody_else_is_refused_an_owners_page_also_when_they_press_its_button"
CHOICE: Final = "stories/test_filling.py::test_every_choice_draws_it_again_and_keeps_what_was_typed"
MENU: Final = "stories/test_open.py::test_a_menu_shows_a_request_to_whom_it_concerns_or_where_its_card_stands"
ENDS_OTHERS: Final = "stories/test_login.py::test_nobody_ends_what_is_somebody_elses_also_by_their_button"
OWNERS_TOKENS: Final = "stories/test_machine_tokens.py::test_who_does_not_own_neither_sees_nor_revokes_it"
POLLS: Final = "bot/test_logging_in.py::test_who_only_knows_the_login_fetches_nothing"
TYPED: Final = "bot/test_logging_in.py::test_a_code_is_of_whoever_types_it_first"
LIVE: Final = "bot/http/test_auth.py::test_a_dead_token_is_nobody"
SENT_PLAIN: Final = "bot/cli/test_credentials.py::test_no_token_goes_where_others_can_read_it"
CONCERNED: Final = "stories/test_http.py::test_what_is_somebody_elses_is_not_there"
LISTED: Final = "stories/test_http.py::test_what_is_there_is_listed_for_whom_it_is"
READING: Final = "store/redis/test_reading.py::test_the_record_decides_whatever_the_index_says"
DEPLOY: Final = "store/model/test_deploying.py::test_who_may_deploy"
CANCEL: Final = "store/model/test_deploying.py::test_others_and_those_without_a_reason_cancel_nothing"
REPORT: Final = "store/model/test_deploying.py::test_what_the_receiver_says_is_kept_and_its_end_ends_it"
BACK: Final = "stories/test_environment.py::test_who_is_named_nowhere_sees_no_names_and_goes_nowhere_back"
CI: Final = "stories/test_deploy_ci.py::test_a_machine_asks_only_for_what_it_was_let_and_sees_only_what_it_asked_for"
LOOKING: Final = "bot/cli/test_operator.py::test_looking_starts_nothing"

DOORS: Final[dict[str, Row]] = {
    # -- HTTP --------------------------------------------------------------------------------------------------------------
    "route POST /slack/events": guarded(
        "Slack alone: its signature over the raw bytes, five minutes at most",
        "bot/http/test_slack_events.py::test_what_slack_has_not_signed_is_401_and_never_an_error_of_ours",
    ),
    "route POST /github/events": guarded(
        "GitHub alone, where an App is set: its signature over the raw bytes; it asks for an environment that the policies name, and calls back where they say",
        "stories/test_github.py::test_what_is_not_signed_or_not_ours_asks_nobody_and_calls_nobody",
    ),
    "route GET /healthz": harmless("It says that the process runs.", "bot/http/test_health.py::test_it_is_alive_whatever_it_lacks"),
    "route GET /readyz": harmless("It says what is lacking, by no name.", "bot/http/test_health.py::test_it_is_ready_when_nothing_is_lacking"),
    "route GET /metrics": harmless("Numbers, by no person's name.", "bot/http/test_health.py::test_numbers"),
    "route POST /v1/login": guarded(
        "Anybody with two usable keys, ten times in ten minutes and network; it gives nothing",
        "bot/test_logging_in.py::test_logins_are_bounded_by_address_and_the_log_is_not_filled",
    ),
    "route POST /v1/login/{login}": guarded("The computer that asked, by its secret, once", POLLS),
    "route POST /v1/login/{login}/withdraw": guarded("The computer that asked, by its secret", POLLS),
    "route POST /v1/login/renew": guarded(
        "The computer that logged in, by a proof that is new, for who is active", "bot/test_logging_in.py::test_only_the_computer_that_logged_in_renews"
    ),
    "route DELETE /v1/login": guarded("Whose live token is shown", LIVE),
    "route GET /v1/whoami": guarded("Whose live token is shown", LIVE),
    "route GET /v1/tokens": guarded("A person, their own; an owner, those of machines too", OWNERS_TOKENS),
    "route POST /v1/tokens": guarded(
        "An owner; a request like any other, which its approvers decide", "store/model/test_minting.py::test_only_owners_ask_and_who_is_not_known_to_be_one_is_none"
    ),
    "route DELETE /v1/tokens/{token}": guarded("A person, their own; an owner, those of machines too", OWNERS_TOKENS),
    "route GET /openapi.json": harmless("It describes the API.", "bot/http/test_openapi.py::test_it_is_a_description_of_every_operation"),
    "route POST /v1/requests": guarded("A person's token; a requester of the rule, by the corridor", ASK),
    "route GET /v1/requests": guarded("A person's token: what is theirs, or waits for their word", LISTED),
    "route GET /v1/requests/{id}": guarded("Requester, beneficiary, approver, owner; for the rest it is not there", CONCERNED),
    "route POST /v1/requests/{id}/withdraw": guarded("Requester or beneficiary", WITHDRAW),
    "route POST /v1/requests/{id}/activate": guarded("The beneficiary", USE),
    "route POST /v1/requests/{id}/end": guarded("Requester, beneficiary, approver or owner", END),
    "route POST /v1/requests/{id}/extend": guarded("Requester or beneficiary of what is held now", LONGER),
    "route POST /v1/requests/{id}/deploy": guarded("A deployer of the rule", DEPLOY),
    "route POST /v1/requests/{id}/cancel": guarded("Requester, or the machine that asked; approver, deployer or owner", CANCEL),
    "route POST /v1/deploys/{id}/status": guarded(
        "The receiver of a hook that was told of it, by its signature, once; or a machine that may report on it",
        "stories/test_deploy_ci.py::test_a_report_that_is_not_signed_as_it_should_be_is_not_heard",
    ),
    "route POST /v1/deploys/{id}/token": guarded(
        "The same, while it runs: it reads that version of that environment, and ends with the deploy",
        "stories/test_deploy_ci.py::test_the_job_reads_what_is_deployed_in_its_version_while_it_runs",
    ),
    "route GET /v1/environments": harmless("It names what the caller may ask for, or holds.", LISTED),
    "route GET /v1/environments/{project}/{env}": guarded("Requester, approver, owner, holder, or a machine that may read it", CONCERNED),
    "route GET /v1/environments/{project}/{env}/versions": guarded("Requester, approver, owner, holder, or a machine that may read it", CONCERNED),
    "route GET /v1/environments/{project}/{env}/diff": guarded("Requester, approver, owner, holder, or a machine that may read it", CONCERNED),
    "route POST /v1/environments/{project}/{env}/blobs": guarded("A requester of a change of it", CONCERNED),
    "route GET /v1/environments/{project}/{env}/secrets": guarded("The holder of an active grant, or a machine that may read it, in one script", READING),
    # -- buttons -----------------------------------------------------------------------------------------------------------
    "action approve": guarded("An approver of both policies, not for themselves", REVIEW),
    "action deny": guarded("It opens the form on what is asked now; the form decides", OLD),
    "action break_glass": guarded("It opens the form on what is asked now; the form decides", BREAK),
    "action countersign": guarded("An approver who neither asked nor broke it", DEBT),
    "action dispute": guarded("It opens the form; the form decides", DEBT),
    "action approve_and_deploy": guarded("An approver of both policies, not for themselves; it starts only where they may deploy", REVIEW),
    "action deploy": guarded("A deployer of both policies, or who broke the glass for it", DEPLOY),
    "action cancel": guarded("It opens the form; the form decides", CANCEL),
    "action deploy_again": harmless(
        "It opens a form to whom it concerns, and where its card stands; sending it off decides.", "stories/test_deploy.py::test_back_to_the_last_that_succeeded"
    ),
    "action retry_hook": guarded(
        "Who asked, an approver, a deployer or an owner", "stories/test_deploy.py::test_a_hook_that_was_given_up_is_told_again_by_a_button"
    ),
    "action roll_back": guarded("Who may know the names: requesters and approvers of its rules, owners; the form decides", BACK),
    "action activate": guarded("The beneficiary", USE),
    "action end": guarded("Requester, beneficiary, approver or owner", END),
    "action end_now": guarded("It opens the form; the form decides", END),
    "action extend": guarded("Requester or beneficiary of what is held now", MORE_TIME),
    "action merge": guarded("Requester, beneficiary or approver", MERGE),
    "action withdraw": guarded("Requester or beneficiary", WITHDRAW),
    "action edit": guarded("Requester or beneficiary, on what is asked now", "stories/test_edit.py::test_only_who_asked_opens_the_form"),
    "action show_values": guarded(
        "The holder of an active grant, where the target says so",
        "stories/test_open.py::test_a_target_that_keeps_values_out_of_slack_says_so",
    ),
    "action more": guarded("What each choice of the menu says", "bot/slack/test_ids.py::test_anything_else_is_refused"),
    "action kind": harmless("It draws the form again; sending it off decides.", CHOICE),
    "action target": harmless("It draws the form again; sending it off decides.", CHOICE),
    "action duration": harmless("It draws the form again; sending it off decides.", CHOICE),
    "action whom": harmless("It draws the form again; sending it off decides.", CHOICE),
    "action home_ask_open": harmless("It opens a form; sending it off decides.", FORM),
    "action home_ask_access": harmless("It opens a form; sending it off decides.", FORM),
    "action home_ask_change": harmless("It opens a form; sending it off decides.", FORM),
    "action home_ask_deploy": harmless("It opens a form; sending it off decides.", FORM),
    "action home_unlock": guarded("An owner", UNLOCK),
    "action home_test_hook": guarded("An owner", "scheduler/test_hooks.py::test_a_test_is_sent_by_owners_once_a_press"),
    "action home_revoke": guarded("Whose session it is; of a machine's token, an owner", ENDS_OTHERS),
    "action home_sign_out": guarded("A person, all their own", ENDS_OTHERS),
    "action login_deny": guarded("Who has typed its code", TYPED),
    "action home_go_[a-z0-9_]+": guarded("Each to their own pages; an owner's page to owners", PAGES),
    "action home_policy_changes": guarded("An owner", POLICIES),
    "action home_roll_back": guarded(
        "Who may know the names: requesters and approvers of its rules, owners; the form decides",
        "stories/test_environment.py::test_who_is_named_nowhere_sees_no_names_and_goes_nowhere_back",
    ),
    "action .*": guarded("Nobody: a button of another version is told so", "bot/slack/test_doors.py::test_what_is_no_click_of_ours"),
    "menu approve_less": guarded("It opens the form on what is asked now; the form decides", OLD),
    "menu details": guarded("Whoever it concerns, and whoever clicks its card where it stands", MENU),
    "menu why": guarded("Whoever it concerns, and whoever clicks its card where it stands", MENU),
    # -- forms -------------------------------------------------------------------------------------------------------------
    "view ask_open": guarded("A requester of the rule, a reachable quorum, a target that is listed", ASK),
    "view ask_access": guarded("The same, and the membership that the policies name", ASK),
    "view ask_change": guarded(
        "The same, and values only where the target takes them in Slack",
        "stories/test_change.py::test_a_form_that_was_made_up_brings_such_a_target_no_values",
    ),
    "view ask_deploy": guarded("A requester of the rule, a reachable quorum, a target that a hook deploys", ASK),
    "view cancel_reason": guarded("Who asked, an approver, a deployer or an owner, with a reason", CANCEL),
    "view edit_request": guarded("Requester or beneficiary, checked as if it were asked now", EDIT),
    "view deny_reason": guarded("An approver of both policies, not for themselves", REVIEW),
    "view approve_less": guarded("An approver of both policies, not for themselves", REVIEW),
    "view break_reason": guarded("A bypasser of both policies, who is not locked, with a reason", BREAK),
    "view end_reason": guarded("Requester, beneficiary, approver or owner", END),
    "view extend_time": guarded("Requester or beneficiary of what is active, on the end that was seen", LONGER),
    "view dispute_reason": guarded("An approver who neither asked nor broke it", DEBT),
    "view roll_back_to": guarded("A requester of the rule for changes, as of any change", ASK),
    "view delete_environment": guarded(
        "An owner, of what the policies do not name and nobody holds, who types its name",
        "store/redis/test_deletions.py::test_only_an_owner",
    ),
    "view unlock_reason": guarded("An owner, and not their own", UNLOCK),
    "view login": guarded("Who has typed its code, as an active person of the workspace", TYPED),
    "options target": harmless("Targets that this person may ask for.", "stories/test_home.py::test_an_empty_home_says_what_would_stand_there_and_what_can_be_asked"),
    # -- shortcuts, the slash command, events ------------------------------------------------------------------------------
    "shortcut open_environment": harmless("It opens a form; sending it off decides.", FORM),
    "shortcut request_access": harmless("It opens a form; sending it off decides.", FORM),
    "shortcut change_secrets": harmless("It opens a form; sending it off decides.", FORM),
    "shortcut request_deploy": harmless("It opens a form; sending it off decides.", FORM),
    "shortcut ask_about": harmless(
        "It opens a form; sending it off decides.", "stories/test_commands.py::test_a_message_is_asked_about_with_a_link_to_it"
    ),
    "command /countersign": guarded("What each of its words says", "bot/slack/test_grammar.py::test_a_mistake_gets_a_helpful_answer"),
    "slash Ask": harmless("It opens a form; sending it off decides.", FORM),
    "slash Login": guarded(
        "An active person of the workspace, five wrong codes in ten minutes", "bot/test_logging_in.py::test_wrong_codes_are_counted_by_person_and_only_for_a_while"
    ),
    "slash Audit": guarded("An owner", "stories/test_commands.py::test_owners_read_what_was_done_and_of_one_request"),
    "slash Pending": guarded("What this person may decide", SEEN),
    "slash Mine": guarded("What this person asked for or holds", SEEN),
    "slash Help": harmless("How to use it.", "stories/test_commands.py::test_whatever_is_typed_is_answered_with_a_sentence"),
    "slash Mistake": guarded("What was typed is only text", "bot/slack/test_sender_replies.py::test_what_somebody_typed_is_only_text"),
    "slash Show": guarded("Requester, beneficiary, approver, owner; for the rest it is not there", SEEN),
    "slash Why": guarded("Requester, beneficiary, approver, owner; for the rest it is not there", SEEN),
    "slash WhyAsk": guarded(
        "An active person of the workspace, about oneself",
        "stories/test_commands.py::test_who_may_nothing_here_is_told_that_and_not_who_could_approve",
    ),
    "slash Cancel": guarded("Requester or beneficiary; of a deploy an approver, a deployer or an owner too", WITHDRAW),
    "slash Extend": guarded("Requester or beneficiary of what is held now", MORE_TIME),
    "slash Done": guarded("Requester, beneficiary, approver or owner", END),
    "slash Delete": guarded("An owner, of what the policies do not name", "store/redis/test_deletions.py::test_only_an_owner"),
    "slash Unlock": guarded("An owner, and not their own", UNLOCK),
    "event app_home_opened": guarded(
        "Each sees their own; health is the owners'", "stories/test_home.py::test_who_is_an_owner_no_longer_is_where_everybody_begins"
    ),
    "event user_change": guarded(
        "Slack alone; it makes us ask again and is not believed: who left is asked of Slack before they lose anything",
        "stories/test_who_counts.py::test_slack_tells_of_the_change_and_the_very_next_click_knows_it",
    ),
    "event subteam_updated": guarded(
        "Slack alone; it makes us ask again and is not believed",
        "stories/test_who_counts.py::test_slack_tells_of_the_change_and_the_very_next_click_knows_it",
    ),
    "event subteam_members_changed": guarded(
        "Slack alone; it makes us ask again and is not believed",
        "stories/test_who_counts.py::test_slack_tells_of_the_change_and_the_very_next_click_knows_it",
    ),
    "event app_uninstalled": harmless("It is logged.", "doors/test_probes.py::test_news_of_slack_changes_nothing"),
    "event tokens_revoked": harmless("It is logged.", "doors/test_probes.py::test_news_of_slack_changes_nothing"),
    "event member_left_channel": harmless("It is logged.", "doors/test_probes.py::test_news_of_slack_changes_nothing"),
    # -- the corridor ------------------------------------------------------------------------------------------------------
    "lifecycle submit": guarded("A requester of the rule, who may act here", ASK),
    "lifecycle Approve": guarded("An approver of both policies, not for themselves", REVIEW),
    "lifecycle Deny": guarded("An approver of both policies, not for themselves", REVIEW),
    "lifecycle Break": guarded("A bypasser of both policies, who is not locked", BREAK),
    "lifecycle Countersign": guarded("An approver who neither asked nor broke it", DEBT),
    "lifecycle Dispute": guarded("An approver who neither asked nor broke it", DEBT),
    "lifecycle Edit": guarded("Requester or beneficiary, checked as if it were asked now", EDIT),
    "lifecycle Withdraw": guarded("Requester or beneficiary, while it is not used", WITHDRAW),
    "lifecycle Activate": guarded("The beneficiary", USE),
    "lifecycle Merge": guarded("Requester, beneficiary or approver", MERGE),
    "lifecycle Deploy": guarded("A deployer of both policies, or who broke the glass for it", DEPLOY),
    "lifecycle Cancel": guarded("Who asked, an approver, a deployer or an owner, with a reason", CANCEL),
    "lifecycle Report": guarded("Its receiver, while it runs", REPORT),
    "lifecycle End": guarded("Requester, beneficiary, approver or owner", END),
    "lifecycle Leave": guarded(
        "Only where Slack says by itself that somebody concerned is gone",
        "store/model/test_leaving.py::test_nobody_loses_anything_while_everybody_is_there",
    ),
    "lifecycle Unlock": guarded("An owner, and not their own", UNLOCK),
    "lifecycle Tally": guarded("The relay; votes as they count now", "store/model/test_reviews.py::test_every_vote_is_checked_again_at_the_deciding_moment"),
    "lifecycle Due": guarded("The clock, at the very moment that the record names", DUE),
    "lifecycle Overdue": guarded("The clock, at the debt's own hour", "store/model/test_break_glass.py::test_a_debt_is_not_overdue_by_another_hour_than_its_own"),
    "lifecycle Present": guarded("The relay, of what it read back", "store/model/test_lifecycle.py::test_revoking_ends_by_nothing_but_absence"),
    "lifecycle Absent": guarded("The relay, of what it read back", "store/model/test_lifecycle.py::test_revoking_ends_by_nothing_but_absence"),
    "lifecycle Refused": guarded("The relay", "store/model/test_lifecycle.py::test_a_refusal_that_may_have_left_something_is_taken_back"),
    "lifecycle Trouble": guarded("The relay; it moves no state", "store/model/test_lifecycle.py::test_trouble_is_told_once"),
    # -- the terminal ------------------------------------------------------------------------------------------------------
    "cli serve": guarded(
        "Settings and a Redis that are fit",
        "bot/test_settings.py::test_each_fault_is_one_line_that_says_what_would_be_right",
    ),
    "cli login": guarded("It gives nothing: Slack does; and it asks nobody unencrypted", SENT_PLAIN),
    "cli whoami": guarded("Whose live token is shown", LIVE),
    "cli logout": guarded("Whose live token is shown", LIVE),
    "cli token create": guarded(
        "An owner; a request like any other, which its approvers decide", "store/model/test_minting.py::test_only_owners_ask_and_who_is_not_known_to_be_one_is_none"
    ),
    "cli token ls": guarded("A person, their own; an owner, those of machines too", OWNERS_TOKENS),
    "cli token revoke": guarded("A person, their own; an owner, those of machines too", OWNERS_TOKENS),
    "cli doctor": harmless(OWNER_OF_MACHINE, "bot/test_doctor.py::test_where_all_is_well_it_says_so_of_every_part_and_changes_nothing"),
    "cli cards": harmless("Made up requests.", "bot/cli/test_program.py::test_cards_prints_the_storybook"),
    "cli audit tail": harmless(OWNER_OF_MACHINE, LOOKING),
    "cli deploy": guarded("The server: a requester of the rule, or a machine that was let ask for it", CI),
    "cli request ls": harmless(OWNER_OF_MACHINE, LOOKING),
    "cli request show": harmless(OWNER_OF_MACHINE, "bot/cli/test_operator.py::test_no_value_is_in_what_is_shown"),
    "cli request withdraw": guarded("The server: requester or beneficiary", WITHDRAW),
    "cli request activate": guarded("The server: the beneficiary", USE),
    "cli request end": guarded("The server: requester, beneficiary, approver or owner", END),
    "cli request extend": guarded("The server: requester or beneficiary of what is held now", LONGER),
    "cli run": guarded(
        "The server: the holder of an active grant, or a machine that was let in; a token goes to the server that is meant alone",
        READING,
    ),
    "cli env open-request": guarded("The server: a requester of the rule", ASK),
    "cli env open": guarded(
        "The server: the holder of an active grant; it begins one only where it is told to", "stories/test_command_line.py::test_an_environment_is_asked_for_begun_and_printed"
    ),
    "cli env ls": harmless(
        "What this person may ask for or holds, by name.", "stories/test_command_line.py::test_an_environment_is_asked_for_begun_and_printed"
    ),
    "cli secrets set": guarded("The server: a requester of the rule; it is a request like any other", ASK),
    "cli secrets unset": guarded("The server: a requester of the rule; it is a request like any other", ASK),
    "cli secrets import": guarded("The server: a requester of the rule; it is a request like any other", ASK),
    "cli secrets submit": guarded("The server: a requester of the rule, and whoever sealed the values", ASK),
    "cli secrets rollback": guarded("The server: a requester of the rule; it is a request like any other", ASK),
    "cli secrets draft": harmless(
        "Names and references in a file of one's own, never a value.", "stories/test_command_line.py::test_several_edits_are_gathered_and_asked_for_once"
    ),
    "cli secrets names": guarded("The server: whom the environment concerns", CONCERNED),
    "cli secrets diff": guarded("The server: whom the environment concerns", CONCERNED),
    "cli secrets history": guarded("The server: whom the environment concerns", CONCERNED),
    "cli seal": guarded("The server: who may ask to change it", CONCERNED),
    "cli hooks secret": guarded(
        "Who may read the key file; showing it is audited",
        "bot/cli/test_operator.py::test_a_hooks_secret_is_what_its_deliveries_are_signed_with_and_showing_it_is_noted",
    ),
    "cli hooks ls": harmless(OWNER_OF_MACHINE, LOOKING),
    "cli hooks show": harmless(OWNER_OF_MACHINE, LOOKING),
    "cli hooks schema": harmless("It is what the documentation says.", "bot/cli/test_hooks.py::test_the_schema_is_one"),
    "cli hooks test": guarded(
        "Whoever has the machine; audited, it goes only where the outgoing client may, and its receipt repeats no secret",
        "scheduler/test_hooks.py::test_a_receipt_never_holds_the_token_or_the_secret_that_a_receiver_repeats",
    ),
    "cli hooks retry": guarded(
        "Whoever has the machine; audited, and no older version after a newer one",
        "scheduler/test_hooks.py::test_an_older_version_that_was_delivered_is_not_sent_again",
    ),
    "cli hooks replay": guarded(
        "Whoever has the machine; audited, and no older version after a newer one",
        "scheduler/test_hooks.py::test_an_older_version_that_was_delivered_is_not_sent_again",
    ),
    "cli hooks pause": guarded("Whoever has the machine, audited; in Slack an owner", "scheduler/test_hooks.py::test_who_may_not_hold_a_hook_or_replace_its_secret"),
    "cli hooks resume": guarded("The same", "scheduler/test_hooks.py::test_who_may_not_hold_a_hook_or_replace_its_secret"),
    "cli hooks rotate": guarded("The same", "scheduler/test_hooks.py::test_who_may_not_hold_a_hook_or_replace_its_secret"),
    "cli hooks notice-secret": guarded(
        "Who may read the key file; showing it is audited",
        "bot/cli/test_operator.py::test_the_secret_of_a_receiver_under_notify_is_what_its_notices_are_signed_with",
    ),
    "cli keys list": harmless(OWNER_OF_MACHINE, "bot/cli/test_keys.py::test_the_list_says_who_holds_what_and_where_a_last_copy_is"),
    "cli keys add": guarded(
        "Somebody whom the rule for policy:main names as a requester; it is a request like any other, and given keys is only whom the settings name too",
        "store/redis/test_rosters.py::test_what_cannot_be_added",
    ),
    "cli keys remove": guarded("The same; neither the last one that works nor the last copy of anything", "store/redis/test_rosters.py::test_the_last_that_works_stays"),
    "cli keys recover": guarded(
        "Whoever has the machine, as an active person, and only where no holder of the roster gives its key; every owner is told",
        "store/redis/test_rosters.py::test_a_roster_whose_holders_are_all_lost_is_begun_anew_and_not_before",
    ),
    "cli keys rotate": guarded(
        "Who may ask the key holders, under the newest roster; no value is opened", "store/redis/test_epochs.py::test_a_key_that_was_made_under_an_older_roster_is_not_taken"
    ),
    "cli keys drill": harmless(OWNER_OF_MACHINE, "store/redis/test_epochs.py::test_a_drill_lets_each_holder_open_each_key_and_changes_nothing"),
    "cli keys identity": harmless("A certificate is no secret.", "bot/cli/test_keys.py::test_the_identity_is_the_same_each_time"),
    "cli keyserver serve": guarded(
        "Callers whose certificate was allowed, under the newest roster it was told of",
        "keyserver/test_rosters.py::test_who_follows_an_older_one_or_none_gets_no_key_and_the_ledger_tells",
    ),
    "cli keyserver show": harmless("A pin is no secret.", "keyserver/test_commands.py::test_the_pin_is_shown_and_stays"),
    "cli keyserver allow": harmless("Whoever owns the key server's machine.", "keyserver/test_commands.py::test_a_caller_is_allowed_listed_and_forgotten"),
    "cli keyserver forget": harmless("Whoever owns the key server's machine.", "keyserver/test_commands.py::test_a_caller_is_allowed_listed_and_forgotten"),
    "cli keyserver callers": harmless("Whoever owns the key server's machine.", "keyserver/test_commands.py::test_a_caller_is_allowed_listed_and_forgotten"),
    "cli keyserver ledger": harmless("Whoever owns the key server's machine.", "keyserver/test_commands.py::test_the_ledger_is_printed_line_by_line"),
    "cli policy apply": guarded(
        "Somebody whom the rule for policy:main names as a requester; it is a request like any other, which its approvers decide", ASK
    ),
    "cli policy history": harmless(OWNER_OF_MACHINE, "bot/cli/test_policy_apply.py::test_a_file_is_asked_for_and_the_history_says_who_and_when"),
    "cli policy recover": guarded(
        "Whoever holds the key files, as an active person, with a reason; every owner is told", "stories/test_policies.py::test_the_machine_without_its_keys_recovers_nothing"
    ),
    "cli policy check": harmless("It reads a file.", "bot/cli/test_policy.py::test_a_sound_file_is_told_in_words"),
    "cli policy diff": harmless("It reads files.", "bot/cli/test_policy.py::test_two_files_are_compared_in_words"),
    "cli policy explain": harmless(OWNER_OF_MACHINE, "bot/cli/test_operator.py::test_a_question_is_answered_by_the_policies_in_force_and_the_people_of_now"),
    "cli policy export": harmless(OWNER_OF_MACHINE, "bot/cli/test_operator.py::test_what_is_exported_is_accepted_and_means_the_same"),
    "cli policy schema": harmless("It is the same for everybody.", "bot/cli/test_policy.py::test_the_schema_is_one"),
}  # fmt: skip
