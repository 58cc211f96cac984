"""Notifying: the routes on which a rule has its decisions told and how its deploys ended, besides the card."""

from store.model.effect import Decided, Effect, Mail, MailApprovers, Post, Signal
from store.model.policy import PolicySet
from store.model.request import Request
from store.model.standing import Rules


def notices(
    request: Request, rules: Rules | None, news: Decided, at_ms: int, by: tuple[str, ...] = ()
) -> tuple[Effect, ...]:
    """One effect a route, so that one that is dead holds no other up. Without a rule there is no route."""
    if rules is None:
        return ()
    routes = rules.now.notify
    return (
        *(Post(request=request.id, news=news, at_ms=at_ms, by=by, channel=each) for each in routes.channels),
        *(Mail(request=request.id, news=news, at_ms=at_ms, by=by, address=each) for each in routes.email),
        *(Signal(request=request.id, news=news, at_ms=at_ms, by=by, url=each) for each in routes.webhooks),
    )


def mails(request: Request, at_ms: int, by: str) -> MailApprovers:
    """Of a broken glass every approver hears by e-mail too: a Slack that is silent keeps nobody from knowing."""
    return MailApprovers(request=request.id, news="broken", at_ms=at_ms, by=(by,))


def named(policies: PolicySet, notice: Post | Mail | Signal) -> bool:
    """Whether a rule still names this route. What was taken out of the policies hears nothing more."""
    routes = [rule.notify for rule in policies.policies]
    match notice:
        case Post():
            return any(notice.channel in each.channels for each in routes)
        case Mail():
            return notice.address is None or any(notice.address in each.email for each in routes)
        case Signal():
            return any(notice.url in each.webhooks for each in routes)
