"""Versions: what is another between two of them, by name, and what makes the newest hold again what an older one held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.errors import Conflict, Invalid
from store.model.request import Change, Request, Touch
from store.model.sealed import Held, Manifest
from store.model.versions import VersionInfo, back, difference, merged
from tests.builders import NOW, REQ, request

names = st.sampled_from(["A", "B", "C", "D"])
entries = st.dictionaries(
    names,
    st.builds(
        Held,
        entry_id=st.sampled_from(["e1", "e2", "e3"]),
        ciphertext_hash=st.sampled_from(["0" * 64, "1" * 64]),
        mode=st.sampled_from([None, 0o600]),
    ),
)


def held(entry: str, mode: int | None = None) -> Held:
    return Held(entry_id=entry, ciphertext_hash="0" * 64, mode=mode)


def manifest(number: int, **of: Held) -> Manifest:
    previous = "0" * 64 if number > 1 else None
    return Manifest(environment_id="e", number=number, previous_mac=previous, entries=of, mac="1" * 64)


def test_what_is_another() -> None:
    old = {"A": held("a"), "B": held("b"), "C": held("c"), "D": held("d")}
    new = {"A": held("a"), "B": held("b2"), "D": held("d", 0o600), "E": held("e")}
    assert difference(old, new) == {
        "A": "unchanged", "B": "changed", "C": "removed", "D": "changed", "E": "new",
    }  # fmt: skip
    assert list(difference(new, old)) == sorted(old | new)


@given(entries, entries)
def test_the_way_back_leads_back(now: dict[str, Held], then: dict[str, Held]) -> None:
    head, old = manifest(5, **now), manifest(2, **then)
    if now == then:
        with pytest.raises(Conflict):
            back(head, old)
        return
    touches = back(head, old)
    after = dict(now)
    for touch in touches:
        assert touch.base == (now[touch.name].entry_id if touch.name in now else None)
        after.pop(touch.name, None)
        if touch.entry is not None:
            after[touch.name] = touch.entry
    assert after == then
    assert all(now.get(touch.name) != touch.entry for touch in touches)
    assert [touch.name for touch in touches] == sorted(touch.name for touch in touches)


def test_the_way_back_of_some_names() -> None:
    head, old = manifest(5, A=held("a2"), B=held("b2"), C=held("c")), manifest(2, A=held("a"), B=held("b"), C=held("c"))
    assert [(touch.name, touch.word) for touch in back(head, old, ["B"])] == [("B", "changed")]
    for name in ("C", "Z"):
        with pytest.raises(Invalid, match=f"^“{name}” is what it was in version 2, or was never there.$") as refusal:
            back(head, old, ["B", name])
        assert refusal.value.detail == "nothing_to_change"


def test_nothing_to_go_back_to() -> None:
    with pytest.raises(Conflict) as refusal:
        back(manifest(3, A=held("a")), manifest(2, A=held("a")))
    assert refusal.value.sentence == "It holds what it held in version 2: there is nothing to roll back."
    assert refusal.value.detail == "nothing_to_change"


@pytest.mark.parametrize("count", [100, 101])
def test_a_request_goes_back_a_hundred_names(count: int) -> None:
    many = {f"N{number:03}": held("x") for number in range(count)}
    if count == 100:
        assert len(back(manifest(3), manifest(2, **many))) == 100
        return
    with pytest.raises(Invalid) as refusal:
        back(manifest(3), manifest(2, **many))
    assert refusal.value.detail == "too_many_entries"
    assert refusal.value.sentence == (
        "To version 2 101 names would change, and a request changes at most 100. Roll back in steps: name which."
    )


def test_a_way_back_that_no_environment_could_hold() -> None:
    """Of some names only, a file may come to stand where a folder is by now."""
    head = Manifest.model_construct(
        environment_id="e", number=3, previous_mac="0" * 64, entries={"a": held("x", 0o600)}, mac="1" * 64
    )
    old = manifest(2, **{"a/b": held("y", 0o600)})
    with pytest.raises(Invalid, match="a file is no folder"):
        back(head, old, ["a/b"])


def changing(*touches: Touch, back_to: int | None = None) -> Request:
    payload = Change(environment_id="e", touches=touches, back_to=back_to)
    return request("change").model_copy(update={"payload": payload})


def test_how_a_version_came_about() -> None:
    touches = (
        Touch(name="N", entry=held("n")),
        Touch(name="C", base="c", entry=held("c2")),
        Touch(name="S", base="s", entry=held("s2"), same=True),
        Touch(name="R", base="r"),
        Touch(name="A", entry=held("a")),
    )
    asked = changing(*touches, back_to=2)
    assert merged(asked, 7, NOW) == VersionInfo(
        number=7, at_ms=NOW, by=REQ, request=asked.id, added=("A", "N"), changed=("C",), removed=("R",), back_to=2
    )
    assert merged(request("open"), 7, NOW).added == ()
