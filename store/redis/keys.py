"""Every key, its type and its meaning.

All of them begin with `countersign:{installation}:`; the braces are Redis Cluster's hash tag, so one installation lives on one node.

    key                     type    holds
    countersign:installation string the installation id, minted once (the only key without the prefix)
    request:R               hash    body, version; projected: kind state until holder environment touches say kin
    debt:R                  hash    body, version
    lock:U                  hash    body, version: whether U may break the glass
    payload:R:V             hash    entry id -> sealed entry of revision V, until it is merged, edited or the request ends;
                                    for a change of the policies: policies -> the whole new set, until it is merged or edited
    policy                  hash    version: the number of the policy set in force
    policy:N                string  policy set N, never changed
    policy:N:enactment         string  when and how set N came into force, never changed
    environment:T           hash    body, version: what is known under the name T
    head:E                  hash    body, version: the newest manifest; projected: entries (their ids)
    head:deploys:T          hash    body, version: the slots of environment T
    manifest:E:N            string  manifest N, never changed
    entries:E               hash    entry id -> sealed entry
    epoch:E:N               string  the wraps of environment key N
    delivery:R:H            hash    body, version: how telling hook H of request R's version goes
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
    index:open:U            zset    those of index:mine:U that are not over, and by which U holds nothing now, by creation
    index:waiting:P         zset    pending requests that the user or group P may decide, by deadline
    index:member:M          zset    requests that hold the membership M, by creation
    index:touch:E:NAME      zset    undecided changes of NAME in E, by creation; touch:policy:main: of the policies
    index:debts             zset    requests whose glass was broken and not yet looked at, by when it is due
    index:locks             zset    users whose break-glass is locked, by since when
    index:hook:E/H          zset    requests whose version hook H has not heard of yet, by version
    index:dead              zset    target#H of hooks that were given up, by when; out again when it hears of a version
    turn:NAME               string  who has the turn, for the length of a lease
    quarantine:C/G          string  until when, ms, nobody writes to group G of connector C, and why
    facts:ID                string  what Slack said of a user or group, for 30 seconds
    place:U                 string  where U is on App Home, for an hour
"""

from dataclasses import dataclass
from typing import Final

INSTALLATION: Final = "countersign:installation"


@dataclass(frozen=True, slots=True)
class Keys:
    installation: str

    @property
    def prefix(self) -> str:
        return f"countersign:{{{self.installation}}}:"

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

    def entries(self, environment: str) -> str:
        return f"{self.prefix}entries:{environment}"

    def epoch(self, environment: str, number: int) -> str:
        return f"{self.prefix}epoch:{environment}:{number}"

    def delivery(self, request: str, hook: str) -> str:
        return f"{self.prefix}delivery:{request}:{hook}"

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
