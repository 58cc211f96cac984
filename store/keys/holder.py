"""Holder: the contract of whatever keeps environment keys safe."""

import hmac
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from store.model.errors import Unavailable
from store.model.roster import Roster
from store.model.secret import Secret

Random = Callable[[int], bytes]  # so many bytes, from a cryptographic source

KEY_BYTES: Final = 32
MAX_WRAPPED_BYTES: Final = 8 * 1024
MAX_CONTEXT_BYTES: Final = 512
UNKNOWN_ROSTER: Final = "unknown_roster"  # the code of a holder that was told of another roster, or of none


class Holder(Protocol):
    """One that can wrap and unwrap environment keys: a key file, a key server, a cloud's key service.

    What every kind keeps:

    - `wrap` is authenticated encryption: only who can use the holder's key can make a blob that `unwrap` accepts.
      A public key alone is not enough.
    - `unwrap(wrap(key, context), context) == key`, byte for byte, for as long as the fingerprint stays, also in another
      process and after the holder has rotated its own key. `wrap` may answer differently each time.
    - `context` is bound to the blob, never kept secret and never stored by the holder: another context is refused.
    - Sizes: a key has 32 bytes, a context at most 512, a wrapped key at most 8 KiB. A wrapped key is opaque bytes.
    - Errors are `Unavailable` and nothing else: with the code `tampered` when the holder answered and refuses the blob or
      its context, with any other code when it does not answer or may not be used now. A sentence names the holder and holds
      no bytes of a key. A caller sets the time limit and may cancel at any await.
    - Nothing is done when it is constructed: `name` and `fingerprint` are known without asking anybody.
    - Not every use needs a call outside, but none may be answered from memory of an earlier one: a holder that has lost its
      key must fail.

    How the kinds to come fit: a key server authenticates its caller by mutual TLS, takes the context as AAD, and its
    fingerprint is over its pinned public key. Vault and OpenBao Transit take the context as `associated_data` and answer
    ASCII (`vault:v1:…`), which is the blob; fingerprint over address, mount and key name. AWS KMS takes it, in base64, as
    one pair of the encryption context; fingerprint over the key's ARN.
    """

    @property
    def name(self) -> str:
        """For people, as configured; see `HolderName`. May change."""
        ...

    @property
    def fingerprint(self) -> str:
        """Which key this is: 32 lower-case hex digits, the same for ever, and telling nothing of the key."""
        ...

    async def wrap(self, key: bytes, context: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes: ...

    async def challenge(self) -> None:
        """Proves that it works now, by wrapping and unwrapping a random value (`prove`). Raises `Unavailable`."""
        ...


@runtime_checkable
class Introduced(Protocol):
    """A holder that keeps in mind which roster it was told of last, and answers for no other one."""

    def meet(self, roster: Roster, wrapped: bytes, installation: str) -> None:
        """It is told of this one from now on. `wrapped`: the key that authenticates it, as this holder wrapped it."""
        ...


async def prove(holder: Holder, key: Secret, context: bytes) -> bytes:
    """`key` wrapped by `holder`, and seen to come back. Raises `Unavailable`, without the holder's own traceback."""
    try:
        wrapped = await holder.wrap(key.reveal(), context)
        back = Secret(await holder.unwrap(wrapped, context))
    except Unavailable as error:
        raise Unavailable(error.sentence, code=error.detail, retry_after_ms=error.retry_after_ms) from None
    if not hmac.compare_digest(back.reveal(), key.reveal()) or len(wrapped) > MAX_WRAPPED_BYTES:
        raise Unavailable(f"The key holder {holder.name} does not give back what it was given.", code="holder_lies")
    return wrapped
