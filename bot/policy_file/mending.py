"""Mending: a file that is wrong in places, made sound around them, so that what else is wrong is said as well."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from bot.policy_file import rules, whole
from bot.policy_file.form import Document, Target
from bot.policy_file.problems import Finding, Path
from store.model import identity
from store.model.errors import Invalid

ROUNDS: Final = 8  # what is taken out may leave something too little, a few levels up
_ANYBODY: Final = {"users": ["U00"]}
# Stands in for what is missing or broken, and is therefore doubted.
_RULE: Final = {
    "name": "-",
    "targets": ["role:x"],
    "actions": ["access"],
    "requesters": _ANYBODY,
    "approvals": [{"from": _ANYBODY}],
}
_CONNECTOR: Final = {"type": "scim", "url": "https://connector.example.com", "credentials": "a/b"}
_HOOK: Final = {"name": "stands-in", "url": "https://hook.example.com"}
_TOP: Final = {"version": "1", "owners": _ANYBODY, "targets": {}, "policies": [_RULE]}
_LEANS_ON: Final = {"remind": ("request_ttl",), "escalate": ("request_ttl",), "actions": ("targets",)}


def further(tree: Any, broken: set[Path]) -> Iterator[Finding]:
    """What is certainly wrong besides what is `broken`: nothing that may only follow from it."""
    for _ in range(ROUNDS):
        mended = _Mended(broken)
        try:
            document = Document.model_validate(mended.tree(tree))
        except ValidationError as error:
            broken = broken | {mended.written(_at(detail)) for detail in error.errors(include_url=False)}
            continue
        for finding in (*rules.of_parts(document), *whole.misfits(document)):
            path = mended.written(finding.path)
            if not finding.warning and not doubted(path, broken):
                yield Finding(path, finding.sentence, at_key=finding.at_key)
        return


def _at(detail: Any) -> Path:
    """Where a key is missing, what it is missing from is of no use."""
    path: Path = tuple(step for step in detail["loc"] if step != "[key]")
    return path[:-1] if detail["type"] == "missing" else path


@dataclass
class _Mended:
    """`kept`: of each list, the places its items had."""

    broken: set[Path]
    kept: dict[Path, list[int]] = field(default_factory=dict)

    def tree(self, tree: Any) -> Any:
        found = self._node(tree, ())
        top = found if isinstance(found, dict) else {}
        if top and ("organization",) not in self.broken:  # which may be there under a name that is misspelled
            meant = get_close_matches("organization", [key for key in tree if (key,) in self.broken], n=1)
            top = {"organization": tree[meant[0]], **top} if meant else top
        return _filled(top, _TOP)

    def _node(self, node: Any, path: Path) -> Any:
        if isinstance(node, dict):
            inside = {
                key: self._node(each, (*path, key)) for key, each in node.items() if (*path, key) not in self.broken
            }
            if path and path[0] == "targets" and len(path) == 1:
                inside |= {name: {} for name in node if name not in inside}
            if path and path[0] == "connectors" and len(path) == 1:
                meant = {str(name).lower() for name in node if name not in inside}
                inside |= {
                    name: dict(_CONNECTOR)
                    for name in sorted(meant - inside.keys())
                    if re.fullmatch(identity.WORD, name)
                }
            if len(path) == 2 and path[0] in ("policies", "connectors"):
                inside = _filled(inside, _RULE if path[0] == "policies" else _CONNECTOR)
            if len(path) == 4 and path[2] == "hooks":
                inside = _filled(inside, _HOOK)
            return inside
        if isinstance(node, list):
            keep = [index for index in range(len(node)) if (*path, index) not in self.broken]
            self.kept[path] = keep
            return [self._node(node[index], (*path, index)) for index in keep]
        return node

    def written(self, path: Path) -> Path:
        """The path that this had in the file."""
        found: Path = ()
        for step in path:
            kept = self.kept.get(found, [])
            found = (*found, kept[step] if isinstance(step, int) and step < len(kept) else step)
        return found


def _filled(node: dict[str, Any], stub: dict[str, Any]) -> dict[str, Any]:
    return {**node, **{key: each for key, each in stub.items() if not node.get(key) and node.get(key) != {}}}


def doubted(path: Path, broken: Iterable[Path]) -> bool:
    return any(_leans(path, each) for each in broken)


def _leans(path: Path, broken: Path) -> bool:
    """May what was found at `path` only follow from what is broken?"""
    region = _region(broken)
    if path[: len(region)] == region:
        return True
    form = {
        "preset",
        "template",
        "ref",
        "credentials",
        "environment",
        "holder",
    }  # of the body of a hook: what the one lacks may be what is broken
    if broken[2:3] == ("hooks",) and path[:4] == broken[:4] and form & {*broken[4:5]} and {"url", *form} & {*path[4:5]}:
        return True
    if broken[:1] == ("allow_private",) and ("url" in path[-1:] or "webhooks" in path):
        return True
    if (
        broken[:1] == ("targets",)
        and len(broken) == 2
        and path[2:3] == ("targets",)
        and not _is_target(str(broken[1]).lower())
    ):
        return True  # whatever was meant by it may be what the rule means
    if broken == ("organization",):
        return path[0] == "policies" and ("targets" in path or "actions" in path)
    if broken == ("targets",):
        return "targets" in path or "actions" in path or path[0] == "connectors"
    if broken[:2] != path[:2]:
        return False
    if path[0] == "targets":  # a role that lacks what was broken
        known = len(broken) > 2 and broken[2] in Target.model_fields
        return len(path) == 2 and _is_target(path[1]) and (not known or broken[2] in ("connector", "group"))
    return len(path) > 2 and len(broken) > 2 and broken[2] in _LEANS_ON.get(str(path[2]), ())


def _is_target(name: str | int) -> bool:
    try:
        identity.Target.parse(str(name))
    except Invalid:
        return False
    return True


def _region(broken: Path) -> Path:
    """What cannot be judged where a part of it is broken: a list of targets or hooks can, item by item."""
    if broken[:1] == ("policies",) and broken[2:3] == ("targets",):
        return broken[:4]
    if broken[2:3] == ("hooks",):
        return broken[:5]
    return broken[:3] if broken[:1] in (("policies",), ("targets",), ("connectors",)) else broken[:2]
