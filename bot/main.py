"""Main: the only place that constructs. One `build` for the program and for the tests."""

import asyncio
import random
import secrets
import time
from typing import Final

import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import App
from bot.asking import Asking
from bot.condition import Condition
from bot.holders import Keeping, configured
from bot.http.addresses import Addresses
from bot.http.api import Api, Operation
from bot.http.auth import Auth
from bot.http.deploys import DeployOperations
from bot.http.environments import EnvironmentOperations, Kept
from bot.http.filed import Filing
from bot.http.github_events import PATH as EVENTS_OF_GITHUB
from bot.http.github_events import GitHubEvents
from bot.http.health import Check, Health
from bot.http.login import LoginOperations
from bot.http.pace import Pace
from bot.http.requests import RequestOperations
from bot.http.secrets import SecretOperations
from bot.http.server import HttpServer
from bot.http.signed import Signatures
from bot.http.slack_events import PATH, SlackEvents
from bot.http.tokens import TokenOperations
from bot.http.waiting import Waiting
from bot.knocking import Knocking
from bot.letters import letter
from bot.logging_in import LoggingIn
from bot.outside import Outside, github_app
from bot.policies import Bootstrap
from bot.settings import Mode, Settings
from bot.slack.app import Identity, Running, bolt
from bot.slack.conversation import Conversation
from bot.slack.deleting import Deleting
from bot.slack.delivery import Delivery
from bot.slack.directory import SlackDirectory
from bot.slack.extending import Extending
from bot.slack.filling import Filling
from bot.slack.forms import Forms
from bot.slack.homes import Homes
from bot.slack.listeners import Listeners
from bot.slack.lookup import SlackLookup
from bot.slack.pages import pages
from bot.slack.pictures import Pictures
from bot.slack.recoveries import Recoveries
from bot.slack.replies import Replies
from bot.slack.rollbacks import Rollbacks
from bot.slack.rulebook import Rulebook
from bot.slack.sight import Sight
from bot.slack.signing_in import SignedInPage, SigningIn, TokenNews
from bot.slack.slash import Slash
from bot.slack.sockets import Sockets
from bot.slack.trying import Trying
from bot.slack.unlocking import Unlocking
from bot.slack.wire import Slack
from bot.watch import Watch
from scheduler.clock import Clock
from scheduler.custody import Custody
from scheduler.expiries import Expiries
from scheduler.gates import Gates
from scheduler.gauges import Gauges
from scheduler.grants import Grants
from scheduler.leavers import Leavers
from scheduler.mail import Mailing
from scheduler.metrics import Metrics
from scheduler.notices import Notices
from scheduler.relay import Performer, Relay
from scheduler.retention import Retaining
from scheduler.sweep import Sweep
from scheduler.webhooks import Webhooks
from store.model.effect import (
    Align,
    Announce,
    Count,
    Depart,
    Entrust,
    Fire,
    Knock,
    Mail,
    MailApprovers,
    Post,
    Recovered,
    Redeploy,
    Retire,
    ShowCard,
    Signal,
    Tell,
    TellToken,
)
from store.model.secret import Secret
from store.redis.audit import AuditLog
from store.redis.blobs import Blobs
from store.redis.cards import Cards
from store.redis.cautions import Cautions
from store.redis.channels import Channels
from store.redis.client import Client, connect
from store.redis.clock import Dial, Skew, no_skew
from store.redis.deletions import Deletions
from store.redis.deliveries import Deliveries
from store.redis.embedded import EmbeddedServer
from store.redis.environments import Environments
from store.redis.facts import Facts
from store.redis.heard import Heard
from store.redis.hooks import Hooks
from store.redis.inspection import Inspection
from store.redis.installation import installation_id
from store.redis.keys import Keys
from store.redis.locks import Locks
from store.redis.logins import Logins
from store.redis.older import Older
from store.redis.outbox import Outbox
from store.redis.places import Places
from store.redis.policies import Policies
from store.redis.pulse import Pulse
from store.redis.quarantine import Quarantine
from store.redis.requests import Requests
from store.redis.retention import Retention
from store.redis.scripts import Scripts
from store.redis.timers import Timers
from store.redis.tokens import Tokens
from store.redis.turns import Turns
from store.redis.uses import Uses
from store.redis.versions import Versions

# In the data folder: a file for each environment, of its versions that are not kept any more.
EXPORTS: Final = "exports"

log = structlog.stdlib.get_logger(__name__)


async def build(settings: Settings, *, skew: Skew = no_skew) -> App:
    """Connects to Redis (and starts the embedded server where no address is given). Raises `AccessError`."""
    embedded = None
    if settings.redis_url is None:
        embedded = EmbeddedServer(settings.data / "redis")
        url = await embedded.start()
    else:
        url = settings.redis_url.reveal().decode()
    redis = connect(url)
    try:
        installation = await installation_id(redis, secrets.token_bytes)
        return await _assemble(settings, skew, embedded, redis, Keys(installation))
    except BaseException:
        await redis.aclose()
        if embedded is not None:
            await embedded.stop()
        raise


async def _assemble(settings: Settings, skew: Skew, embedded: EmbeddedServer | None, redis: Client, keys: Keys) -> App:
    scripts, dial = Scripts(redis), Dial(redis, skew, time.monotonic)
    metrics = Metrics()
    holders = await configured(settings, secrets.token_bytes, make=not await redis.exists(keys.roster))
    keeping = Keeping.of(holders, redis, keys, scripts, secrets.token_bytes, skew)
    ring, policies, rosters = keeping.ring, keeping.policies, keeping.rosters
    custody = Custody(rosters, keeping.epochs, ring, policies, metrics)

    watch = Watch(redis, dial, metrics, custody.look)
    slack = Slack.at(settings.slack_api_url, _plain(settings.slack_bot_token))
    identity = Identity(slack, _plain(settings.slack_bot_token))
    directory = SlackDirectory(slack, Facts(redis, keys), team_id=lambda: identity.team_id, now_ms=dial.now_ms)

    environments = Environments(redis, keys, scripts, ring, skew, secrets.token_bytes, watch.fit)
    versions, blobs = (
        Versions(redis, keys, environments),
        Blobs(redis, keys, scripts, environments, skew, secrets.token_bytes),
    )
    requests = Requests(
        redis, keys, scripts, policies, directory, environments.sign, skew, dial.now_ms, watch.fit, rosters
    )
    deliveries = Deliveries(redis, keys, scripts, skew)
    outbox, timers = Outbox(redis, keys, scripts, skew=skew), Timers(redis, keys, scripts, skew)
    tokens, uses = Tokens(redis, keys, scripts, skew), Uses(redis, keys, dial.now_ms)
    logging_in = LoggingIn(
        Logins(redis, keys, scripts, skew), tokens, directory, secrets.token_bytes, dial.now_ms, settings.session_ms
    )
    outside, gates = Outside(policies, environments), Gates(github_app(settings.github), directory)
    locks = Locks(redis, keys, scripts, policies, directory, skew, dial.now_ms)
    pictures = Pictures(
        requests,
        policies,
        environments,
        deliveries,
        directory,
        Cautions(environments, secrets.token_bytes),
        dial.now_ms,
    )
    rulebook, channels = Rulebook(slack, policies, directory), Channels(redis, keys)
    homes = Homes(
        pages(
            pictures=pictures,
            requests=requests,
            locks=locks,
            held=environments,
            versions=versions,
            channels=channels,
            look=lambda: condition.look(),  # noqa: PLW0108 - it is made further down
            rules=rulebook.draw,
            signed_in=SignedInPage(tokens, uses, dial.now_ms).draw,
            now_ms=dial.now_ms,
        ),
        Places(redis, keys),
        requests,
        policies,
        directory,
    )
    replies, cards = Replies(slack, homes), Cards(redis, keys, scripts)
    delivery = Delivery(
        slack,
        cards,
        channels,
        pictures,
        requests,
        directory,
        outbox,
        replies.drawn,
        locks,
    )
    quarantine, turns = Quarantine(redis, keys, scripts), Turns(keys, scripts, secrets.token_bytes)
    hooks = Hooks(
        redis,
        keys,
        scripts,
        skew,
        dial.now_ms,
        policies=policies,
        environments=environments,
        deliveries=deliveries,
        requests=requests,
        directory=directory,
    )
    webhooks = Webhooks(
        hooks,
        deliveries,
        environments,
        policies,
        outside.outgoing,
        metrics,
        random.random,
        time.monotonic,
        settings.public_url,
        gates,
    )
    mailing = Mailing(settings.mail, letter, requests, directory, outbox, metrics, random.random, keys.installation)
    leavers = Leavers(requests, directory, outbox, tokens)
    asking = Asking(
        requests,
        environments,
        policies,
        directory,
        secrets.token_bytes,
        versions=versions,
        blobs=blobs,
        epochs=keeping.epochs,
    )
    performers: dict[type, Performer] = {
        ShowCard: delivery.show_card,
        Tell: delivery.tell,
        Announce: delivery.announce,
        Count: delivery.count,
        Align: Grants(requests, outside.connector, turns, quarantine, metrics, watch.fit).align,
        Depart: leavers.depart,
        Redeploy: webhooks.redeploy,
        Fire: webhooks.fire,
        Knock: Knocking(asking, policies, gates, outside.outgoing).knock,
        Retire: webhooks.retire,
        Post: delivery.post,
        Signal: Notices(requests, policies, environments, outside.outgoing, outbox, metrics, random.random).signal,
        Mail: mailing.mail,
        MailApprovers: mailing.approvers,
        TellToken: TokenNews(slack).told,
        Entrust: custody.entrust,
        Recovered: Recoveries(slack, policies, directory, outbox).told,
    }
    relay = Relay(outbox, performers, metrics, random.random, delivery.refused)
    clock = Clock(
        relay,
        Sweep(timers, requests, metrics),
        watch=watch.look,
        gauges=Gauges(relay, outbox, timers, metrics).measure,
        leavers=leavers.look,
        expiries=(expiries := Expiries(tokens, dial.now_ms)).look,
        retention=Retaining(
            Retention(redis, keys, scripts, skew, secrets.token_bytes),
            turns,
            settings.data / EXPORTS,
            settings.versions,
        ).look,
    )
    scripts.on_put = clock.nudge

    bootstrap = Bootstrap(settings.policies, policies, SlackLookup(slack), dial, skew)
    condition = Condition(
        redis=redis,
        inspection=Inspection(redis, keys),
        policies=policies,
        environments=environments,
        ring=ring,
        rosters=rosters,
        faults=holders.faults,
        outside=outside,
        bootstrap=bootstrap,
        clock=clock,
        metrics=metrics,
        disk=settings.data / "redis" if embedded is not None else None,
        versions=settings.versions,
        now_ms=dial.now_ms,
        monotonic_s=time.monotonic,
    )

    def counted(command: str, answer: str) -> None:
        metrics.commands.labels("slack", command, answer).inc()

    talk = Conversation(
        slack=slack,
        requests=requests,
        policies=policies,
        locks=locks,
        directory=directory,
        asking=asking,
        pictures=pictures,
        replies=replies,
        counted=counted,
    )
    sight, signing_in = Sight(talk, cards), SigningIn(talk, logging_in, tokens, dial.now_ms, settings.session_ms)
    filling, running = Filling(slack, replies), Running()
    forms = Forms(talk, filling=filling, environments=environments, sight=sight)
    deletions = Deletions(redis, keys, scripts, policies, requests, tokens, directory, skew)
    unlocking, extending, deleting = Unlocking(talk), Extending(talk), Deleting(talk, deletions)
    bolt_app = bolt(AsyncWebClient(base_url=settings.slack_api_url), identity, running)
    Listeners(
        talk,
        delivery=delivery,
        forms=forms,
        unlocking=unlocking,
        extending=extending,
        deleting=deleting,
        rollbacks=Rollbacks(talk, environments=environments, versions=versions, filling=filling),
        slash=Slash(
            talk,
            forms=forms,
            unlocking=unlocking,
            deleting=deleting,
            extending=extending,
            sight=sight,
            signing_in=signing_in,
            log=AuditLog(redis, keys),
        ),
        signing_in=signing_in,
        homes=homes,
        rulebook=rulebook,
        sight=sight,
        hooks=hooks,
        trying=Trying(
            talk,
            hooks,
            lambda named: webhooks.test(named, f"msg_test_{secrets.token_hex(8)}", dial.now_ms()),
        ),
        left=leavers.heard,
    ).register(bolt_app)

    deaf, waiting, addresses = asyncio.Event(), Waiting(Pulse(redis)), Addresses(settings.proxies)
    sockets, routes = _hearing(settings, bolt_app, deaf)
    routes += [
        *_health(watch, policies, identity, sockets, metrics),
        *_github(settings, policies, requests, outbox, dial),
    ]
    routes += Api(
        (
            *LoginOperations(logging_in, tokens, addresses, waiting).operations(),
            *_operations(
                talk,
                sight,
                cards,
                waiting,
                Kept(environments, versions, blobs),
                (tokens, uses),
                DeployOperations(
                    talk,
                    signatures=Signatures(requests, hooks, dial.now_ms),
                    heard=Heard(redis, keys),
                    tokens=tokens,
                    random=secrets.token_bytes,
                    now_ms=dial.now_ms,
                ),
            ),
        ),
        Auth(tokens, dial.now_ms),
        metrics,
        Pace(time.monotonic),
        lambda shown, request: uses.note(shown, addresses.of(request)),
    ).routes()
    return App(
        settings=settings,
        embedded=embedded,
        redis=redis,
        dial=dial,
        watch=watch,
        clock=clock,
        relay=relay,
        identity=identity,
        sockets=sockets,
        http=HttpServer(settings.http, routes),
        running=running,
        pictures=pictures,
        replies=replies,
        homes=homes,
        directory=directory,
        outside=outside,
        bootstrap=bootstrap,
        deaf=deaf,
        requests=requests,
        environments=environments,
        versions=versions,
        blobs=blobs,
        policies=policies,
        older=Older(redis, keys, scripts, skew),
        asking=asking,
        audit=AuditLog(redis, keys),
        metrics=metrics,
        keeping=keeping,
        slack=slack,
        deliveries=deliveries,
        hooks=hooks,
        outbox=outbox,
        tokens=tokens,
        uses=uses,
        expiries=expiries,
        logging_in=logging_in,
        waiting=waiting,
    )


def _operations(
    talk: Conversation,
    sight: Sight,
    cards: Cards,
    waiting: Waiting,
    kept: Kept,
    let_in: tuple[Tokens, Uses],
    deploys: DeployOperations,
) -> tuple[Operation, ...]:
    """What the API does for people and machines."""
    filing = Filing(talk, cards)
    return (
        *deploys.operations(),
        *RequestOperations(talk, sight=sight, filing=filing, waiting=waiting).operations(),
        *EnvironmentOperations(talk, kept).operations(),
        *SecretOperations(kept.environments, waiting).operations(),
        *TokenOperations(talk, *let_in, filing).operations(),
    )


def _hearing(settings: Settings, app: AsyncApp, deaf: asyncio.Event) -> tuple[Sockets | None, list[web.RouteDef]]:
    """How Slack is heard: over sockets of ours, or by a route of our site."""
    if settings.mode is Mode.SOCKET:
        return Sockets(app, _plain(settings.slack_app_token), settings.slack_api_url, deaf.set), []
    events = SlackEvents(app, settings.slack_signing_secret or Secret(b""), time.time)  # noqa: TID251 - Slack signs this machine's time
    events.prove()
    return None, [web.post(PATH, events.handle)]


def _github(
    settings: Settings, policies: Policies, requests: Requests, outbox: Outbox, dial: Dial
) -> list[web.RouteDef]:
    """Where GitHub delivers, if there is an App."""
    if settings.github is None:
        return []
    events = GitHubEvents(settings.github, policies, requests, outbox, dial.now_ms)
    return [web.post(EVENTS_OF_GITHUB, events.handle)]


def _health(
    watch: Watch, policies: Policies, identity: Identity, sockets: Sockets | None, metrics: Metrics
) -> list[web.RouteDef]:
    checks = {"redis": watch.redis, "policies": watch.policies(policies), "slack": _slack(identity, sockets)}
    return Health(checks, metrics.registry).routes()


def _plain(secret: Secret | None) -> str:
    return secret.reveal().decode() if secret is not None else ""


def _slack(identity: Identity, sockets: Sockets | None) -> Check:
    async def check() -> str | None:
        if not identity.known:
            return "Slack has not answered yet."
        if sockets is not None and not await sockets.connected():
            return "The socket to Slack is not connected."
        return None

    return check
