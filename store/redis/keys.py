"""Every key, its type and its meaning.

All of them begin with `countersign:{installation}:`; the braces are Redis Cluster's hash tag, so one installation lives on one node.

    key                     type    holds
    countersign:installation string the installation id, minted once (the only key without the prefix)
    request:R               hash    body, version; projected: kind state until holder target environment touches say kin
    debt:R                  hash    body, version
    lock:U                  hash    body, version: whether U may break the glass
    payload:R:V             hash    entry id -> sealed entry of revision V, until it is merged, edited or the request ends;
                                    for a change of the policies: policies -> the whole new set, until it is merged or edited
    policy                  hash    version: the number of the policy set in force
    policy:N                string  policy set N, never changed
    policy:N:enactment         string  when and how set N came into force, never changed
    environment:T           hash    body, version: what is known under the name T; projected: id
    head:E                  hash    body, version: the newest manifest; projected: number mac entries (their ids); epoch, once it was rotated
    head:deploys:T          hash    body, version: the slots of environment T
    manifest:E:N            string  manifest N, never changed
    version:E:N             string  how version N came about, never changed
    oldest:E                hash    version, body: the number of the first version that is still kept, where that is not 1
    entries:E               hash    entry id -> sealed entry; hook:H -> what deliveries to hook H are signed with, hook:H.former -> what they were
                                    signed with before, as long as it signs along
    epoch:E:N               string  the wraps of environment key N; of E = roster, of the key that authenticates roster N
    tombstone:E             hash    version, body: of an environment that was deleted
    blob:B                  hash    version, body: a value that somebody sealed, until it is taken, for an hour
    roster                  hash    body, version: who was approved to hold keys
    roster:N                string  roster N, never changed
    delivery:R:H            hash    body, version: how telling hook H of request R's version goes; delivery:R:H:EVENT of another event
    hook:T/H                hash    body, version: what is known of hook H of T beside the policies: paused, a former secret
    due                     zset    R/timer -> when, ms
    lane:L                  zset    effect -> next attempt, ms
    lane:L:fence            string  the last fence that was given in this lane
    effect:L:K              hash    body, generation, attempts, fence, since; leased: until when it is in hand, ms
    audit                   stream  N-0 -> entry
    audit:number            string  N of the newest entry
    command:C               hash    fingerprint, answer; request: the one that it asked for; for 24 hours
    cards:R                 hash    place -> where the card is and what it shows
    closed                  hash    channel -> why it is closed to us, since when, ms, and whether the owners know
    index:mine:U            zset    requests that U asked for or that are for U, by creation
    index:live              zset    requests by which anybody holds something now, by creation
    index:live:U            zset    requests by which U holds something now, by creation
    index:open:U            zset    those of index:mine:U that are not over, and by which U holds nothing now, and deploys that U started and that run, by creation
    index:reads:U:T         zset    active requests by which U may read the secrets of T, by when they end
    index:waiting:P         zset    pending requests that the user or group P may decide, and approved deploys that P may start, by deadline
    index:running           zset    deploys that run, by when their report must have come
    index:silent            zset    deploys of which no report came in time, by when that was
    index:member:M          zset    requests that hold the membership M, by creation
    index:touch:E:NAME      zset    undecided changes of NAME in E, by creation; touch:policy:main: of the policies
    index:debts             zset    requests whose glass was broken and not yet looked at, by when it is due
    index:environments      zset    targets that have an environment, by when it was made
    index:rotating          zset    targets whose key was rotated, by when all data keys had moved, ms; 0: not yet
    index:locks             zset    users whose break-glass is locked, by since when
    index:hook:E/H          zset    R/H of requests whose version hook H has not heard of yet, by version
    index:told:E            zset    hook -> the highest version that it has taken
    index:fires:T/H         zset    R/H:EVENT of what hook H of target T has not heard of yet, by when it happened
    index:deleted           zset    environments that were deleted, by when
    index:blobs:U           zset    B/bytes of what U has sealed, by when it ends
    index:dead              zset    target#H of hooks that were given up, by when; out again when it hears of a version. `fire R/H:EVENT T` of other events
    heard:HASH              string  a message of a hook's receiver that was refused, for a quarter of an hour
    turn:NAME               string  who has the turn, for the length of a lease
    quarantine:C/G          string  until when, ms, nobody writes to group G of connector C, and why
    facts:ID                string  what Slack said of a user or group, for 30 seconds
    place:U                 string  where U is on App Home, for an hour
    token:K                 hash    body, version; projected: kind holder hash until epoch targets actions; goes a day after its end
    used:K                  string  when token K was last shown, ms, and from which address; until a day after its end
    login:L                 hash    body, version: a computer that asked to log in, for ten minutes
    login:code:C            string  the login whose code is C, as long
    count:NAME              string  how often somebody has tried, for the length of a window
    sessions:U              hash    version: counts how often all sessions of U were ended at once
    index:expiring          zset    tokens of machines, by when who asked for them is told of their end
    index:tokens:U          zset    tokens of U that were not revoked, by creation; tokens:machines: those of all machines
"""

from dataclasses import dataclass, field
from typing import Final

INSTALLATION: Final = "countersign:installation"


@dataclass(frozen=True, slots=True)
class Keys:
    installation: str
    prefix: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", f"countersign:{{{self.installation}}}:")  # each delivery names sixteen

    def request(self, request: str) -> str:
        return f"{self.prefix}request:{request}"

    def debt(self, request: str) -> str:
        return f"{self.prefix}debt:{request}"

    def lock(self, user: str) -> str:
        return f"{self.prefix}lock:{user}"

    def payload(self, request: str, revision: int) -> str:
        return f"{self.prefix}payload:{request}:{revision}"

    @property
    def policy_head(self) -> str:
        return f"{self.prefix}policy"

    def policy(self, number: int) -> str:
        return f"{self.prefix}policy:{number}"

    def enactment(self, number: int) -> str:
        return f"{self.prefix}policy:{number}:enactment"

    def environment(self, target: str) -> str:
        return f"{self.prefix}environment:{target}"

    def head(self, environment: str) -> str:
        return f"{self.prefix}head:{environment}"

    def manifest(self, environment: str, number: int) -> str:
        return f"{self.prefix}manifest:{environment}:{number}"

    def version(self, environment: str, number: int) -> str:
        return f"{self.prefix}version:{environment}:{number}"

    def oldest(self, environment: str) -> str:
        return f"{self.prefix}oldest:{environment}"

    def tombstone(self, environment: str) -> str:
        return f"{self.prefix}tombstone:{environment}"

    def blob(self, blob: str) -> str:
        return f"{self.prefix}blob:{blob}"

    def entries(self, environment: str) -> str:
        return f"{self.prefix}entries:{environment}"

    def epoch(self, environment: str, number: int) -> str:
        return f"{self.prefix}epoch:{environment}:{number}"

    @property
    def roster(self) -> str:
        return f"{self.prefix}roster"

    def roster_of(self, number: int) -> str:
        return f"{self.prefix}roster:{number}"

    def delivery(self, request: str, place: str) -> str:
        return f"{self.prefix}delivery:{request}:{place}"

    def hook(self, target: str, hook: str) -> str:
        return f"{self.prefix}hook:{target}/{hook}"

    def heard(self, digest: str) -> str:
        return f"{self.prefix}heard:{digest}"

    @property
    def due(self) -> str:
        return f"{self.prefix}due"

    def lane(self, lane: str) -> str:
        return f"{self.prefix}lane:{lane}"

    def fence(self, lane: str) -> str:
        return f"{self.prefix}lane:{lane}:fence"

    def effect(self, lane: str, key: str) -> str:
        return f"{self.prefix}effect:{lane}:{key}"

    @property
    def audit(self) -> str:
        return f"{self.prefix}audit"

    @property
    def audit_number(self) -> str:
        return f"{self.prefix}audit:number"

    def command(self, command: str) -> str:
        return f"{self.prefix}command:{command}"

    def cards(self, request: str) -> str:
        return f"{self.prefix}cards:{request}"

    @property
    def closed(self) -> str:
        return f"{self.prefix}closed"

    def index(self, name: str) -> str:
        return f"{self.prefix}index:{name}"

    def turn(self, name: str) -> str:
        return f"{self.prefix}turn:{name}"

    def quarantine(self, group: str) -> str:
        return f"{self.prefix}quarantine:{group}"

    def facts(self, principal: str) -> str:
        return f"{self.prefix}facts:{principal}"

    def place(self, user: str) -> str:
        return f"{self.prefix}place:{user}"

    def token(self, token: str) -> str:
        return f"{self.prefix}token:{token}"

    def sessions(self, actor: str) -> str:
        return f"{self.prefix}sessions:{actor}"

    def used(self, token: str) -> str:
        return f"{self.prefix}used:{token}"

    def login(self, login: str) -> str:
        return f"{self.prefix}login:{login}"

    def login_code(self, code: str) -> str:
        return f"{self.prefix}login:code:{code}"

    def count(self, name: str) -> str:
        return f"{self.prefix}count:{name}"
