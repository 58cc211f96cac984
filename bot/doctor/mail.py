"""The mail server: does it take us, and do the policies count on one that is not there."""

from collections.abc import AsyncIterator

from bot.doctor.finding import Finding, fail, ok
from bot.letters import trial
from scheduler.connectors import smtp
from scheduler.connectors.smtp import MailServer
from store.model.errors import AccessError
from store.model.policy import PolicySet

UNSET = "set COUNTERSIGN_SMTP and COUNTERSIGN_SMTP_FROM"


async def mail(
    server: MailServer | None, policies: PolicySet | None, trial_to: str | None, *, identity: str, date: str
) -> AsyncIterator[Finding]:
    """Connects and signs in; sends nothing but a test to `trial_to`, where one is given."""
    rules = [rule.name for rule in policies.policies if rule.notify.email] if policies is not None else []
    if server is None:
        for name in rules:
            yield fail("mail", f"“{name}” mails its decisions, and there is no mail server: {UNSET}.")
        if trial_to is not None:
            yield fail("mail", f"There is no mail server to send a test by: {UNSET}.")
        elif not rules:
            yield ok("mail", "No mail server is set: of a broken glass the approvers hear in Slack alone.")
        return
    try:
        await smtp.check(server)
    except AccessError as error:
        yield fail("mail", error.sentence)
        return
    sealed = {"starttls": "by STARTTLS", "tls": "by TLS", "plain": "unencrypted"}[server.security]
    known = f", signed in as {server.user}" if server.user is not None else ""
    yield ok("mail", f"{server} answers {sealed}{known}; mail comes from {server.sender}.")
    if trial_to is None:
        return
    try:
        message = smtp.compose(server, trial_to, trial(str(server)), identity=identity, date=date)
        await smtp.send(server, trial_to, message)
    except AccessError as error:
        yield fail("mail", f"The test did not leave. {error.sentence}")
    else:
        yield ok("mail", f"A test is on its way to {trial_to}.")
