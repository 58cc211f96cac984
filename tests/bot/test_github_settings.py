"""The GitHub App in the environment: what is right, what is wrong in one line, and no secret in any of them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot import github_settings
from bot.github_settings import GitHubAccess
from bot.settings import BadSettings, Settings
from tests.github.fake import environ

SECRET = "canaryCANARYcanaryCANARY"


def read(**changed: str) -> Settings:
    return Settings.read({"HOME": "/home/ana", **changed}, slack=False)


def access(folder: Path, **changed: str) -> GitHubAccess:
    found = read(**{**environ(folder), **changed}).github
    assert found is not None
    return found


def test_without_an_app_there_is_none(tmp_path: Path):
    assert read().github is None
    found = read(COUNTERSIGN_GITHUB_WEBHOOK_SECRET=SECRET)
    assert found.github is None
    assert found.warnings == ("COUNTERSIGN_GITHUB_WEBHOOK_SECRET: it does nothing without COUNTERSIGN_GITHUB_APP_ID.",)


def test_where_it_is_and_where_people_look_at_it(tmp_path: Path):
    assert (access(tmp_path).api, access(tmp_path).pages) == ("https://api.github.com", "https://github.com")
    other = access(tmp_path, COUNTERSIGN_GITHUB_API_URL="https://hub.example.com/api/v3/")
    assert (other.api, other.pages) == ("https://hub.example.com/api/v3", "https://hub.example.com")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    file = {"COUNTERSIGN_GITHUB_WEBHOOK_SECRET": "", "COUNTERSIGN_GITHUB_WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}
    assert access(tmp_path, **file).secret.reveal().decode() == SECRET
    assert SECRET not in repr(access(tmp_path, **file))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("APP_ID", "countersign", "APP_ID: the App ID on the page of your App is meant, a number."),
        ("API_URL", "ftp://x", "API_URL: a URL is meant, like https://api.github.com or"),
        ("WEBHOOK_SECRET", "", "WEBHOOK_SECRET: it is not set; or set …_SECRET_FILE."),
        ("WEBHOOK_SECRET", "canary", "WEBHOOK_SECRET: it has 6 characters; make one of 20 at least"),
        ("WEBHOOK_SECRET_FILE", "/nowhere", "WEBHOOK_SECRET: COUNTERSIGN_GITHUB_WEBHOOK_SECRET_FILE is set too"),
        ("PRIVATE_KEY_FILE", "", "PRIVATE_KEY_FILE: it is not set; it names the .pem"),
        ("PRIVATE_KEY_FILE", "/nowhere", "PRIVATE_KEY_FILE: /nowhere cannot be read."),
        ("PRIVATE_KEY_FILE", "FOLDER/open.pem", "open.pem; chmod 600 "),
        ("PRIVATE_KEY_FILE", "FOLDER/no.pem", "no.pem holds no private key that can be used"),
        ("PRIVATE_KEY_FILE", "FOLDER/other.pem", "other.pem holds another kind of key than GitHub's, which are RSA."),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_nothing_starts(name: str, value: str, said: str, tmp_path: Path):
    right = environ(tmp_path)
    pem = (tmp_path / "app.pem").read_bytes()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    other = Ed25519PrivateKey.generate().private_bytes(*form)
    for file, content, mode in (("open", pem, 0o640), ("no", b"canary", 0o600), ("other", other, 0o600)):
        (tmp_path / f"{file}.pem").write_bytes(content)
        (tmp_path / f"{file}.pem").chmod(mode)
    with pytest.raises(BadSettings) as raised:
        read(**{**right, f"COUNTERSIGN_GITHUB_{name}": value.replace("FOLDER", str(tmp_path))})
    (line,) = raised.value.problems
    assert said in line
    assert "canary" not in line.lower()


def test_its_library_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(github_settings, "find_spec", lambda _: None)
    with pytest.raises(BadSettings, match="the package gidgethub is not installed; it comes with the extra github"):
        read(**environ(tmp_path))
