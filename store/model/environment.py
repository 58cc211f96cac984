"""Environment: what is known under a name. The name may be used again, the id never."""

from store.model.identity import TargetId
from store.model.record import Record
from store.model.sealed import MintedId, Number


class Environment(Record):
    """`epoch` is the number of the key that seals what comes next."""

    id: MintedId
    target: TargetId
    epoch: Number = 1
    secure: bool = False
