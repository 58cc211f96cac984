"""Values as people bring them; and where something is wrong, its place, and never the value."""

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from bot.cli.reading import dotenv, json_file, yaml_file
from bot.cli.reading.source import MOST_READ, folder, given, imported
from bot.http.dotenv import line
from store.model.errors import AccessError, Invalid

CANARY = "hunter2canary"


def plain(entries) -> dict[str, str]:
    return {entry.name: entry.value.reveal().decode() for entry in entries}


DOTENV = [
    ("A=b", {"A": "b"}),
    ("\ufeffexport A = b c  # comment\r\n\n# more\nB=", {"A": "b c", "B": ""}),
    ("A=b#c", {"A": "b#c"}),
    ("A= # nothing", {"A": ""}),
    ("A='it''s' ".replace("''", ""), {"A": "its"}),
    ("A='$HOME \\n' # x", {"A": "$HOME \\n"}),
    ('A="two\\nlines \\"x\\" \\$5 \\d"', {"A": 'two\nlines "x" $5 \\d'}),
    ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
    ("A=postgres://u:p@h/d?x=y", {"A": "postgres://u:p@h/d?x=y"}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "values"), DOTENV)
def test_dotenv_is_read(text: str, values: dict[str, str]):
    assert plain(dotenv.read(text, "f")) == values


@given_any(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_what_the_server_writes_as_dotenv_is_read_back(value: str):
    try:
        written = line("A", value.encode())
    except Invalid:
        return  # it writes no such value
    assert plain(dotenv.read(written, "f")) == {"A": value}


def test_json_is_read_with_numbers_as_they_stand_and_files():
    text = '{"A": "b", "N": 1.50, "T": true, "tls/key.pem": {"base64": "AP8=", "mode": "0640"}}'
    a, n, t, key = json_file.read(text, "f")
    assert [a.value.reveal(), n.value.reveal(), t.value.reveal()] == [b"b", b"1.50", b"true"]
    assert (key.name, key.value.reveal(), key.mode) == ("tls/key.pem", b"\x00\xff", 0o640)


def test_yaml_is_read_as_it_is_written():
    text = "A: on\nB: 010\nC: 'x'\nD: |\n  two\n  lines\ntls/key.pem: {base64: AP8=, mode: '0640'}\n"
    *values, key = yaml_file.read(text, "f")
    assert plain(values) == {"A": "on", "B": "010", "C": "x", "D": "two\nlines\n"}
    assert (key.value.reveal(), key.mode) == (b"\x00\xff", 0o640)


WRONG = [
    (dotenv.read, f"A=b\n  {CANARY}\n", "f:2:3:"),
    (dotenv.read, f'A=b\nB="{CANARY}\n', "f:2:3:"),
    (dotenv.read, f"A='x'{CANARY}", "f:1:6:"),
    (dotenv.read, f"A=$HOME/{CANARY}", "f:1:3:"),
    (dotenv.read, f'A="{CANARY}${{X}}"', f"f:1:{4 + len(CANARY)}:"),
    (dotenv.read, f"A={CANARY}\nB=\nA=x", "f:3:1: A stands in line 1 already"),
    (json_file.read, f'["{CANARY}"]', "f:1:1:"),
    (json_file.read, f'{{"A": "{CANARY}",\n "B": null}}', "f:2:7:"),
    (json_file.read, f'{{"A": {{"{CANARY}": 1}}}}', "f:1:7:"),
    (json_file.read, f'{{"A": "{CANARY}" "B": "x"}}', f"f:1:{10 + len(CANARY)}:"),
    (json_file.read, f'{{"A": "{CANARY}",}}', f"f:1:{10 + len(CANARY)}:"),
    (json_file.read, f'{{"A": "{CANARY}\n"}}', f"f:1:{8 + len(CANARY)}:"),
    (json_file.read, f'{{"A": "{CANARY}",\n"A": ""}}', "f:2:1: A stands in line 1 already"),
    (json_file.read, f'{{"a b": "{CANARY}"}}', "f:1:2:"),
    (json_file.read, "[" * 100_000, "f:1:1:"),
    (yaml_file.read, f"A: {CANARY}\nB: [x]\n", "f:2:4:"),
    (yaml_file.read, f"A: {CANARY}\nA: x\n", "f:2:1: A stands in line 1 already"),
    (yaml_file.read, f"A: {CANARY}\n\tB: x\n", "f:2:1:"),
    (yaml_file.read, f"A: {CANARY}: x\n", f"f:1:{4 + len(CANARY)}:"),
    (yaml_file.read, f"- {CANARY}\n", "f:1:1:"),
    (yaml_file.read, f"A: &a {CANARY}\nB: *c\n", "f:2:4:"),
]


@pytest.mark.parametrize(("read", "text", "place"), WRONG)
def test_what_is_wrong_is_told_with_its_place_and_without_the_value(read, text: str, place: str):
    with pytest.raises(Invalid) as refused:
        read(text, "f")
    assert refused.value.sentence.startswith(place)
    assert CANARY not in refused.value.sentence


def test_a_folder_is_its_files_with_their_modes(tmp_path: Path):
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "key.pem").write_bytes(b"\x00\xff")
    (tmp_path / "tls" / "key.pem").chmod(0o440)
    (tmp_path / "a.conf").write_text("x")
    found = imported(str(tmp_path))
    assert [(entry.name, entry.value.reveal(), entry.mode) for entry in found][1] == ("tls/key.pem", b"\x00\xff", 0o440)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="Links are not followed"):
        folder(tmp_path)


def test_the_form_is_seen_from_the_name_or_said(tmp_path: Path):
    path = tmp_path / "secrets.txt"
    path.write_text("A=b")
    with pytest.raises(Invalid, match="Say --format"):
        imported(str(path))
    assert plain(imported(str(path), "dotenv")) == {"A": "b"}
    with pytest.raises(AccessError, match="cannot be read: No such file"):
        imported(str(tmp_path / "none.env"))
    path.write_bytes(b"A=b\nB=\xff")
    with pytest.raises(Invalid, match=":2: This is not UTF-8"):
        imported(str(path), "dotenv")


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_values_come_from_a_pipe_a_file_and_with_a_warning_from_the_line(tmp_path: Path, monkeypatch, capsys):
    pipe(monkeypatch, b"piped\n")
    path = tmp_path / "value"
    path.write_bytes(b"of a file\n")
    assert plain(given(["A=-", f"B=@{path}", f"C={CANARY}"], as_files=False)) == {
        "A": "piped",
        "B": "of a file",
        "C": CANARY,
    }
    warned = capsys.readouterr().err
    assert "C stood on the command line" in warned
    assert CANARY not in warned


def test_a_pipe_is_read_whole_or_not_at_all(monkeypatch):
    pipe(monkeypatch, b"A=b\n" + b"#" * (MOST_READ - 3) + b"\nC=d")
    with pytest.raises(Invalid, match=f"more than {MOST_READ:,} bytes"):
        imported("-", "dotenv")


def test_a_value_of_several_lines_is_kept_as_it_is(tmp_path: Path):
    path = tmp_path / "key"
    path.write_bytes(b"one\ntwo\n")
    path.chmod(0o400)
    [value] = given([f"A=@{path}"], as_files=False)
    assert (value.value.reveal(), value.mode) == (b"one\ntwo\n", None)
    [file] = given([f"tls/key.pem=@{path}"], as_files=False)
    assert (file.value.reveal(), file.mode) == (b"one\ntwo\n", 0o400)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["A"], "“A” has no value"),
        (["A=-", "A=@x"], "A is given twice"),
        (["A=-", "B=-"], "Only one value can come from a pipe"),
        (["a b=@/dev/null"], "is not a path for a file"),
        (["A=@/none/there"], "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], said: str, monkeypatch):
    pipe(monkeypatch, b"")
    with pytest.raises(AccessError, match=said):
        given(words, as_files=False)


def test_json_that_we_write_we_read(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"A": 'q"\n'}))
    assert plain(imported(str(path))) == {"A": 'q"\n'}
