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
from bot.holders import Holders, Keeping, configured
from bot.http.addresses import Addresses
from bot.http.api import Api
from bot.http.auth import Auth
from bot.http.deploys import DeployOperations
from bot.http.environments import EnvironmentOperations
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
from bot.slack.pages import Look, pages
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
from scheduler.circuit import Circuits
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
from store.model.errors import Invalid
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
    holders = await configured(settings, secrets.token_bytes, make=not await redis.exists(keys.roster))
    slack = Slack.at(settings.slack_api_url, _plain(settings.slack_bot_token))
    identity = Identity(slack, _plain(settings.slack_bot_token))
    store = _Store(skew, redis, keys, holders, slack, identity)
    shown = _Shown(store, slack, look=lambda: effects.condition.look())  # noqa: PLW0108 - these are made further down
    effects = _Effects(settings, store, shown, slack)
    doors = _Doors(settings, store, shown, effects, slack, identity)
    return App(
        settings=settings,
        embedded=embedded,
        redis=redis,
        dial=store.dial,
        watch=store.watch,
        clock=effects.clock,
        relay=effects.relay,
        identity=identity,
        sockets=doors.sockets,
        http=doors.http,
        running=doors.running,
        replies=shown.replies,
        homes=shown.homes,
        directory=store.directory,
        outside=effects.outside,
        bootstrap=effects.bootstrap,
        deaf=doors.deaf,
        requests=store.requests,
        environments=store.environments,
        blobs=store.blobs,
        policies=store.policies,
        older=store.older,
        asking=effects.asking,
        audit=store.audit,
        metrics=store.metrics,
        keeping=store.keeping,
        slack=slack,
        deliveries=store.deliveries,
        hooks=store.hooks,
        outbox=store.outbox,
        tokens=store.tokens,
        uses=store.uses,
        expiries=effects.expiries,
        logging_in=doors.logging_in,
        waiting=doors.waiting,
    )


class _Store:
    """What is true: all that lies in Redis, the keys that seal it, and the people it is decided by."""

    def __init__(
        self, skew: Skew, redis: Client, keys: Keys, holders: Holders, slack: Slack, identity: Identity
    ) -> None:
        self.redis, self.keys, self.skew = redis, keys, skew
        self.scripts = scripts = Scripts(redis)
        self.dial = dial = Dial(redis, skew, time.monotonic)
        self.metrics = Metrics()
        self.keeping = keeping = Keeping.of(holders, redis, keys, scripts, secrets.token_bytes, skew)
        self.policies = policies = keeping.policies
        self.custody = Custody(keeping.rosters, keeping.epochs, keeping.ring, policies, self.metrics)
        self.watch = watch = Watch(redis, dial, self.metrics, self.custody.look)
        self.directory = directory = SlackDirectory(
            slack, Facts(redis, keys), team_id=lambda: identity.team_id, now_ms=dial.now_ms
        )

        self.environments = environments = Environments(
            redis, keys, scripts, keeping.ring, skew, secrets.token_bytes, watch.fit
        )
        self.versions = Versions(redis, keys, environments)
        self.blobs = Blobs(redis, keys, scripts, environments, skew, secrets.token_bytes)
        self.cautions = Cautions(environments, secrets.token_bytes)
        self.requests = requests = Requests(
            redis, keys, scripts, policies, directory, environments.sign, skew, dial.now_ms, watch.fit, keeping.rosters
        )
        self.deliveries = deliveries = Deliveries(redis, keys, scripts, skew)
        self.hooks = Hooks(
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
        self.tokens, self.uses = Tokens(redis, keys, scripts, skew), Uses(redis, keys, dial.now_ms)
        self.logins, self.heard = Logins(redis, keys, scripts, skew), Heard(redis, keys)
        self.locks = Locks(redis, keys, scripts, policies, directory, skew, dial.now_ms)
        self.deletions = Deletions(redis, keys, scripts, policies, requests, self.tokens, directory, skew)
        self.retention = Retention(redis, keys, scripts, skew, secrets.token_bytes)
        self.outbox, self.timers = Outbox(redis, keys, scripts, skew=skew), Timers(redis, keys, scripts, skew)
        self.quarantine, self.turns = Quarantine(redis, keys, scripts), Turns(keys, scripts, secrets.token_bytes)
        self.cards, self.channels, self.places = Cards(redis, keys, scripts), Channels(redis, keys), Places(redis, keys)
        self.audit, self.older = AuditLog(redis, keys), Older(redis, keys, scripts, skew)
        self.inspection, self.pulse = Inspection(redis, keys), Pulse(redis)


class _Shown:
    """What people see in Slack, and how it gets there. `look`: at how the program is."""

    def __init__(self, store: _Store, slack: Slack, *, look: Look) -> None:
        requests, policies, directory = store.requests, store.policies, store.directory
        channels, locks, outbox, now_ms = store.channels, store.locks, store.outbox, store.dial.now_ms
        self.pictures = pictures = Pictures(
            requests, policies, store.environments, store.deliveries, directory, store.cautions, now_ms
        )
        self.rulebook = Rulebook(slack, policies, directory)
        home = pages(
            pictures=pictures,
            requests=requests,
            locks=locks,
            held=store.environments,
            versions=store.versions,
            channels=channels,
            look=look,
            rules=self.rulebook.draw,
            signed_in=SignedInPage(store.tokens, store.uses, now_ms).draw,
            now_ms=now_ms,
        )
        self.homes = Homes(home, store.places, requests, policies, directory)
        self.replies = replies = Replies(slack, self.homes)
        self.delivery = Delivery(
            slack, store.cards, channels, pictures, requests, directory, outbox, replies.drawn, locks
        )


class _Effects:
    """What happens later: the lanes and who performs what lies in them, deadlines, and what looks around."""

    def __init__(self, settings: Settings, store: _Store, shown: _Shown, slack: Slack) -> None:
        requests, policies, directory = store.requests, store.policies, store.directory
        self.outside = Outside(policies, store.environments)
        self.asking = Asking(
            requests,
            store.environments,
            policies,
            directory,
            secrets.token_bytes,
            versions=store.versions,
            blobs=store.blobs,
            epochs=store.keeping.epochs,
        )
        self.gates = Gates(github_app(settings.github), directory)
        self.circuits = Circuits(time.monotonic)
        self.webhooks = Webhooks(
            store.hooks,
            store.deliveries,
            store.environments,
            policies,
            self.outside.outgoing,
            store.metrics,
            random.random,
            self.circuits,
            settings.public_url,
            self.gates,
        )
        self.leavers = Leavers(requests, directory, store.outbox, store.tokens)
        performers = self._performers(settings, store, shown.delivery, slack)
        self.relay = Relay(store.outbox, performers, store.metrics, random.random, shown.delivery.refused)
        self.expiries = Expiries(store.tokens, store.dial.now_ms)
        self.clock = Clock(
            self.relay,
            Sweep(store.timers, requests, store.metrics),
            watch=store.watch.look,
            gauges=Gauges(self.relay, store.outbox, store.timers, store.metrics).measure,
            leavers=self.leavers.look,
            expiries=self.expiries.look,
            retention=Retaining(store.retention, store.turns, settings.data / EXPORTS, settings.versions).look,
        )
        store.scripts.on_put = self.clock.nudge

        self.bootstrap = Bootstrap(settings.policies, policies, SlackLookup(slack), store.dial, store.skew)
        self.condition = Condition(
            redis=store.redis,
            inspection=store.inspection,
            policies=policies,
            environments=store.environments,
            ring=store.keeping.ring,
            rosters=store.keeping.rosters,
            faults=store.keeping.holders.faults,
            outside=self.outside,
            bootstrap=self.bootstrap,
            clock=self.clock,
            metrics=store.metrics,
            disk=settings.data / "redis" if settings.redis_url is None else None,
            versions=settings.versions,
            now_ms=store.dial.now_ms,
            monotonic_s=time.monotonic,
        )

    def _performers(self, settings: Settings, store: _Store, delivery: Delivery, slack: Slack) -> dict[type, Performer]:
        requests, policies, directory, outbox = store.requests, store.policies, store.directory, store.outbox
        metrics, outgoing = store.metrics, self.outside.outgoing
        grants = Grants(requests, self.outside.connector, store.turns, store.quarantine, metrics, store.watch.fit)
        notices = Notices(
            requests, policies, store.environments, outgoing, outbox, metrics, random.random, self.circuits
        )
        mailing = Mailing(
            settings.mail, letter, requests, directory, outbox, metrics, random.random, store.keys.installation
        )
        return {
            ShowCard: delivery.show_card,
            Tell: delivery.tell,
            Announce: delivery.announce,
            Count: delivery.count,
            Align: grants.align,
            Depart: self.leavers.depart,
            Redeploy: self.webhooks.redeploy,
            Fire: self.webhooks.fire,
            Knock: Knocking(self.asking, policies, self.gates, outgoing).knock,
            Retire: self.webhooks.retire,
            Post: delivery.post,
            Signal: notices.signal,
            Mail: mailing.mail,
            MailApprovers: mailing.approvers,
            TellToken: TokenNews(slack).told,
            Entrust: store.custody.entrust,
            Recovered: Recoveries(slack, policies, directory, outbox).told,
        }


class _Doors:
    """Who is speaking: people in Slack, and programs over HTTP."""

    def __init__(
        self, settings: Settings, store: _Store, shown: _Shown, effects: _Effects, slack: Slack, identity: Identity
    ) -> None:
        def counted(command: str, answer: str) -> None:
            store.metrics.commands.labels("slack", command, answer).inc()

        self._talk = Conversation(
            slack=slack,
            requests=store.requests,
            policies=store.policies,
            locks=store.locks,
            directory=store.directory,
            asking=effects.asking,
            pictures=shown.pictures,
            replies=shown.replies,
            counted=counted,
        )
        self._sight = Sight(self._talk, store.cards)
        self.logging_in = LoggingIn(
            store.logins, store.tokens, store.directory, secrets.token_bytes, store.dial.now_ms, settings.session_ms
        )
        self.waiting, self.running, self.deaf = Waiting(store.pulse), Running(), asyncio.Event()
        app = bolt(AsyncWebClient(base_url=settings.slack_api_url), identity, self.running)
        self._listeners(settings, store, shown, effects).register(app)
        self.sockets, routes = _hearing(settings, app, self.deaf)
        routes += [
            *_health(store.watch, store.policies, identity, self.sockets, store.metrics),
            *_github(settings, store.policies, store.requests, store.outbox, store.dial),
            *self._api(settings, store).routes(),
        ]
        self.http = HttpServer(settings.http, routes)

    def _listeners(self, settings: Settings, store: _Store, shown: _Shown, effects: _Effects) -> Listeners:
        talk, sight, now_ms = self._talk, self._sight, store.dial.now_ms
        filling = Filling(talk.slack, talk.replies)
        forms = Forms(talk, filling=filling, environments=store.environments, sight=sight)
        unlocking, extending, deleting = Unlocking(talk), Extending(talk), Deleting(talk, store.deletions)
        signing_in = SigningIn(talk, self.logging_in, store.tokens, now_ms, settings.session_ms)
        return Listeners(
            talk,
            delivery=shown.delivery,
            forms=forms,
            unlocking=unlocking,
            extending=extending,
            deleting=deleting,
            rollbacks=Rollbacks(talk, environments=store.environments, versions=store.versions, filling=filling),
            slash=Slash(
                talk,
                forms=forms,
                unlocking=unlocking,
                deleting=deleting,
                extending=extending,
                sight=sight,
                signing_in=signing_in,
                log=store.audit,
            ),
            signing_in=signing_in,
            homes=shown.homes,
            rulebook=shown.rulebook,
            sight=sight,
            hooks=store.hooks,
            trying=Trying(
                talk,
                store.hooks,
                lambda named: effects.webhooks.test(named, f"msg_test_{secrets.token_hex(8)}", now_ms()),
            ),
            left=effects.leavers.heard,
        )

    def _api(self, settings: Settings, store: _Store) -> Api:
        """What programs may do, of people and of machines."""
        talk, waiting, now_ms = self._talk, self.waiting, store.dial.now_ms
        addresses, filing = Addresses(settings.proxies), Filing(talk, store.cards)
        deploys = DeployOperations(
            talk,
            signatures=Signatures(store.requests, store.hooks, now_ms),
            heard=store.heard,
            tokens=store.tokens,
            random=secrets.token_bytes,
            now_ms=now_ms,
        )
        environments = EnvironmentOperations(
            talk, environments=store.environments, versions=store.versions, blobs=store.blobs
        )
        return Api(
            (
                *LoginOperations(self.logging_in, store.tokens, addresses, waiting).operations(),
                *deploys.operations(),
                *RequestOperations(talk, sight=self._sight, filing=filing, waiting=waiting).operations(),
                *environments.operations(),
                *SecretOperations(store.environments, waiting).operations(),
                *TokenOperations(talk, store.tokens, store.uses, filing).operations(),
            ),
            Auth(store.tokens, now_ms),
            store.metrics,
            Pace(time.monotonic),
            lambda shown, request: store.uses.note(shown, addresses.of(request)),
        )


def _hearing(settings: Settings, app: AsyncApp, deaf: asyncio.Event) -> tuple[Sockets | None, list[web.RouteDef]]:
    """How Slack is heard: over sockets of ours, or by a route of our site. Raises `Invalid` where nothing tells Slack from others."""
    if settings.mode is Mode.SOCKET:
        return Sockets(app, _plain(settings.slack_app_token), settings.slack_api_url, deaf.set), []
    if settings.slack_signing_secret is None:
        raise Invalid("SLACK_SIGNING_SECRET: it is not set.", code="bad_settings")
    events = SlackEvents(app, settings.slack_signing_secret, time.time)  # noqa: TID251 - Slack signs this machine's time
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
