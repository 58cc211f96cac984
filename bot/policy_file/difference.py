"""Difference: what another policy set would change, rule by rule, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Any, Literal

from bot.policy_file.names import Name, names_in, policy_set, stand_in
from bot.policy_file.reading import PolicyFile
from bot.policy_file.writing import Tree, Words, flow, rule, text, tree
from store.model.policy import Circle, PolicySet


@dataclass(frozen=True, slots=True)
class Field:
    """One key, `access.max`, before and after; None: not there."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`about`: “rule”, “target”, “connector”, or a key at the top. `places` of a rule, from 1, before and after."""

    kind: Literal["added", "removed", "moved", "renamed", "changed"]
    about: str
    name: str
    fields: tuple[Field, ...] = ()
    places: tuple[int | None, int | None] = (None, None)
    before: str | None = None  # the name of a rule that was renamed


def read_like(file: PolicyFile, known: Mapping[str, str] | None = None) -> PolicySet:
    """The file's policies, nobody asked: a name that `known` (id -> name) has is that id; the others stand for themselves."""
    names = {name for _, name in names_in(file.document)}
    ids = {(_kind(one), called): one for one, called in (known or {}).items()}

    def id_of(name: Name) -> str:
        return name.text if name.is_id else ids.get((name.kind, name.shown), stand_in(name))

    called = {id_of(name): name.shown for name in names if not name.is_id}
    return policy_set(file.document, id_of, {**(known or {}), **called}, number=1)


def _kind(principal: str) -> str:
    return "user" if principal[0] in "UW" else "group" if principal[0] == "S" else "channel"


def differences(old: PolicySet, new: PolicySet) -> tuple[Difference, ...]:
    """In the order of the file. Nothing where the two mean the same, whatever their names for people are."""
    words = Words({**new.names, **old.names})
    before, after = (tree(each.model_copy(update={"policies": ()}), words, whole=True) for each in (old, new))
    return (*_top(before, after), *_rules(old, new, words))


def told(difference: Difference) -> tuple[str, tuple[str, ...]]:
    """What happened to it, and then key by key. It quotes the file as it is."""
    return _head(difference), tuple(_line(field, difference) for field in difference.fields)


def _head(difference: Difference) -> str:
    before, after = difference.places
    name = f"“{difference.name}”" if difference.about == "rule" else difference.name
    what = difference.about if difference.about == difference.name else f"{difference.about} {name}"
    match difference.kind:
        case "added":
            return f"{what}: added" + (f" as number {after}" if after is not None else "")
        case "removed":
            return f"{what}: removed" + (f" (was number {before})" if before is not None else "")
        case "moved":
            return f"{what}: moved from number {before} to number {after}"
        case "renamed":
            return f"{what}: renamed, was “{difference.before or ''}”"
        case "changed":
            return f"{what}: changed"


def _line(field: Field, difference: Difference) -> str:
    after = field.after if field.after is not None else "nothing"
    if difference.kind == "added":
        return f"{field.key}: {after}"
    return f"{field.key}: {field.before if field.before is not None else 'nothing'} → {after}"


def named(policies: PolicySet) -> frozenset[str]:
    """Every user and group that stands anywhere in them."""
    circles = [policies.owners]
    for each in policies.policies:
        circles += [each.requesters, each.bypassers, each.deployers or Circle()]
        circles += [*(threshold.circle for threshold in each.approvals), *(step.to for step in each.escalate)]
    return frozenset().union(*(circle.principals for circle in circles))


def unified(old: PolicySet, new: PolicySet, names: tuple[str, str]) -> Iterator[str]:
    """Lines as `diff -u` has them, of both written the same way."""
    words = Words({**new.names, **old.names})
    yield from unified_diff(
        text(old, words).splitlines(), text(new, words).splitlines(), names[0], names[1], lineterm=""
    )


def _top(before: Tree, after: Tree) -> Iterator[Difference]:
    for key in ("organization", "owners", "allow_private"):
        if fields := tuple(_fields(key, before.get(key), after.get(key))):
            yield Difference("changed", key, key, fields)
    for key, about in (("targets", "target"), ("connectors", "connector")):
        old, new = before.get(key, {}), after.get(key, {})
        for name in sorted({*old, *new}):
            if name not in old:
                yield Difference("added", about, name, tuple(_fields("", None, new[name])))
            elif name not in new:
                yield Difference("removed", about, name)
            elif fields := tuple(_fields("", old[name], new[name])):
                yield Difference("changed", about, name, fields)


def _rules(old: PolicySet, new: PolicySet, words: Words) -> Iterator[Difference]:
    before = {each.name: rule(each, words, whole=True) for each in old.policies}
    same = {each.name: each for each in old.policies}
    after = {
        each.name: before[each.name] if same.get(each.name) == each else rule(each, words, whole=True)
        for each in new.policies
    }
    renamed = _renamed(before, after)
    called = [renamed.get(name, name) for name in before]  # by what they are called in the end
    stay = _in_order(called, [*after])
    place_before = {name: place for place, name in enumerate(called, start=1)}
    for name in before:
        if renamed.get(name, name) not in after:
            yield Difference("removed", "rule", name, places=(place_before[name], None))
    origin = {end: start for start, end in renamed.items()}
    for place, name in enumerate(after, start=1):
        if name not in place_before:
            usual = tuple(_fields("", None, rule(new.policies[place - 1], words, whole=False)))
            yield Difference("added", "rule", name, usual, (None, place))
            continue
        places = (place_before[name], place)
        if name in origin:
            yield Difference("renamed", "rule", name, places=places, before=origin[name])
        if name not in stay:
            yield Difference("moved", "rule", name, places=places)
        if name not in origin and (fields := tuple(_fields("", before[name], after[name]))):
            yield Difference("changed", "rule", name, fields, places)


def _renamed(before: Mapping[str, Tree], after: Mapping[str, Tree]) -> dict[str, str]:
    """Old name -> new name, where nothing but the name is another."""
    come: dict[str, list[str]] = {}
    for name in after:
        if name not in before:
            come.setdefault(_nameless(after[name]), []).append(name)
    found: dict[str, str] = {}
    for name in before:
        if name not in after and (same := come.get(_nameless(before[name]))):
            found[name] = same.pop(0)
    return found


def _nameless(tree: Tree) -> str:
    return flow({key: value for key, value in tree.items() if key != "name" and value is not None})


def _in_order(before: list[str], after: list[str]) -> frozenset[str]:
    """The rules that kept their order; the others were moved."""
    old = [name for name in before if name in after]
    new = [name for name in after if name in before]
    blocks = SequenceMatcher(a=old, b=new, autojunk=False).get_matching_blocks()
    return frozenset(name for block in blocks for name in old[block.a : block.a + block.size])


def _fields(path: str, before: Any, after: Any) -> Iterator[Field]:
    """Mappings key by key; lists and single values as a whole. No value is as good as an empty one."""
    if before in (None, [], {}) and after in (None, [], {}):
        return
    if isinstance(before, dict | None) and isinstance(after, dict | None):
        old, new = before or {}, after or {}
        for key in [*old, *(key for key in new if key not in old)]:
            if key != "name" or path:
                yield from _fields(f"{path}.{key}" if path else key, old.get(key), new.get(key))
    elif before != after:
        yield Field(path, _shown(before), _shown(after))


def _shown(value: Any) -> str | None:
    return None if value in (None, [], {}) else flow(value)
