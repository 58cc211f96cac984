"""The GitHub App, as the environment names it."""

import re
import stat
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.mail_settings import read_secret
from store.model.secret import Secret

API_URL: Final = "https://api.github.com"
NAMES: Final = (
    *("COUNTERSIGN_GITHUB_APP_ID", "COUNTERSIGN_GITHUB_PRIVATE_KEY_FILE", "COUNTERSIGN_GITHUB_API_URL"),
    *("COUNTERSIGN_GITHUB_WEBHOOK_SECRET", "COUNTERSIGN_GITHUB_WEBHOOK_SECRET_FILE"),
)
SECRET_LENGTH: Final = 20  # characters: nobody finds it by trying
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_APP_ID: Final = re.compile(r"[0-9]{1,20}|Iv[A-Za-z0-9.]{10,60}")  # a number, or the client id
_API: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")

Problem = Callable[[str], None]


class GitHubAccess(NamedTuple):
    """`key`: the file of the App's private key, read at each use. `secret`: what its webhooks are signed with."""

    app_id: str
    key: Path
    secret: Secret
    api: str = API_URL  # without a slash at its end

    @property
    def pages(self) -> str:
        """Where people look at it: https://github.com, or the host of an enterprise."""
        return "https://github.com" if self.api == API_URL else self.api.removesuffix("/api/v3")


def read_github(get: Callable[[str], str], problem: Problem, warn: Problem) -> GitHubAccess | None:
    """`get` answers a variable, empty where it is not set. Says each fault, without a secret, and answers None then."""
    app_id = get("COUNTERSIGN_GITHUB_APP_ID")
    if not app_id:
        for name in NAMES[1:]:
            if get(name):
                warn(f"{name}: it does nothing without COUNTERSIGN_GITHUB_APP_ID.")
        return None
    faults: list[str] = []
    if find_spec("gidgethub") is None:
        faults.append(
            "COUNTERSIGN_GITHUB_APP_ID: the package gidgethub is not installed; it comes with the extra github."
        )
    if not _APP_ID.fullmatch(app_id):
        faults.append("COUNTERSIGN_GITHUB_APP_ID: the App ID on the page of your App is meant, a number.")
    api = (get("COUNTERSIGN_GITHUB_API_URL") or API_URL).rstrip("/")
    if not _API.fullmatch(api):
        faults.append(
            f"COUNTERSIGN_GITHUB_API_URL: a URL is meant, like {API_URL} or https://github.example.com/api/v3."
        )
    key = Path(get("COUNTERSIGN_GITHUB_PRIVATE_KEY_FILE"))
    faults += [f"COUNTERSIGN_GITHUB_PRIVATE_KEY_FILE: {fault}" for fault in _key_faults(key)]
    secret = read_secret("COUNTERSIGN_GITHUB_WEBHOOK_SECRET", get, faults.append)
    if secret is None and not (get(NAMES[3]) or get(NAMES[4])):
        faults.append("COUNTERSIGN_GITHUB_WEBHOOK_SECRET: it is not set; or set …_SECRET_FILE.")
    if secret is not None and len(secret.reveal()) < SECRET_LENGTH:
        sentence = f"it has {len(secret.reveal())} characters; make one of {SECRET_LENGTH} at least, like openssl rand -hex 32."
        faults.append(f"COUNTERSIGN_GITHUB_WEBHOOK_SECRET: {sentence}")
    for fault in faults:
        problem(fault)
    return GitHubAccess(app_id, key, secret, api) if secret is not None and not faults else None


def _key_faults(path: Path) -> list[str]:
    """Of the file of a private key, which nobody else reads."""
    if path == Path():
        return ["it is not set; it names the .pem that the page of your App gives you once."]
    try:
        mode, pem = path.stat().st_mode, path.read_bytes()
    except OSError:
        return [f"{path} cannot be read."]
    if mode & OTHERS:
        return [f"others can read {path}; chmod 600 {path}."]
    try:
        found = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return [f"{path} holds no private key that can be used; copy the .pem again."]
    return (
        [] if isinstance(found, RSAPrivateKey) else [f"{path} holds another kind of key than GitHub's, which are RSA."]
    )
