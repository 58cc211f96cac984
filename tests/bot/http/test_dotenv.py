"""Dotenv: what is written is read back by `sh` and by python-dotenv, or it is refused in words."""

import contextlib
import io
import shutil
import subprocess

import dotenv as reader
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.http import dotenv
from store.model.errors import Invalid

ODD = st.text(alphabet="""ab '"\\$`{}:-#=!~*;&|<>()\n\t\r %é…\u2028x""", max_size=12)


def by_sh(lines: list[str], names: list[str]) -> list[str]:
    sh = shutil.which("sh")
    assert sh is not None
    told = "".join(f'printf "%s\\0" "${name}"\n' for name in names)
    script = "".join(f"{line}\n" for line in lines) + told
    said = subprocess.run([sh], input=script.encode(), capture_output=True, check=True, timeout=20)
    assert said.stderr == b""
    return said.stdout.decode().split("\0")[:-1]


def by_dotenv(lines: list[str]) -> dict[str, str | None]:
    return reader.dotenv_values(stream=io.StringIO("".join(f"{line}\n" for line in lines)))


@given(st.lists(ODD | st.text(max_size=20), min_size=1, max_size=40))
@example(
    [
        "",
        "plain",
        "${HOME}",
        "${:-x}",
        "a b",
        "it's",
        'say "x"',
        "a\\b",
        "a\\\\b",
        "end\\",
        "$HOME",
        "two\nlines",
        "#no",
        " edge ",
        "`id`",
        "~",
        "a=b",
    ]
)
def test_what_is_written_is_read_back(values: list[str]) -> None:
    written = {}
    for number, value in enumerate(values):
        try:
            encoded = value.encode()
        except UnicodeEncodeError:
            continue
        with contextlib.suppress(Invalid):
            written[f"N{number}"] = (dotenv.line(f"N{number}", encoded), value)
    lines = [line for line, _ in written.values()]
    meant = {name: value for name, (_, value) in written.items()}
    assert dict(zip(meant, by_sh(lines, list(meant)), strict=True)) == meant
    assert by_dotenv(lines) == meant


@pytest.mark.parametrize(
    "value", [b"a\0b", b"\xff\xfe", b"two\r\nlines", b"${HOME}", b"a ${X:-y} b", b"it's $5", b"it's `id`", b"\\\\$x"]
)
def test_what_they_would_not_read_alike_is_refused(value: bytes) -> None:
    with pytest.raises(Invalid, match="NAME cannot be told as dotenv"):
        dotenv.line("NAME", value)


@pytest.mark.parametrize(
    "value",
    [b"", b"x", b"it's", b'"', b"$5", b"a\\b", b"a\nb", b"p\xc3\xa4ss", b"-----BEGIN-----\nAA==\n-----END-----\n"],
)
def test_what_most_values_are_is_never_refused(value: bytes) -> None:
    assert dotenv.line("NAME", value).startswith("NAME=")
