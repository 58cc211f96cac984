"""Two kinds of import contract that import-linter lacks: what a package may import, and who may import a package.

`lint-imports` reads them from [tool.importlinter] in pyproject.toml. A name stands for the module and all below it.
"""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph

OUR_ROOMS = ("bot", "keyserver", "scheduler", "store", "playground")


def within(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def imports(graph: "ImportGraph") -> Iterable[tuple[str, str]]:
    """(importer, imported) for every import that stands in one of our modules."""
    for importer in sorted(graph.modules):
        if within(importer, OUR_ROOMS):
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                yield importer, imported


class _Arrows(Contract):
    def wrong(self, importer: str, imported: str) -> bool:
        raise NotImplementedError

    def check(self, graph: "ImportGraph", verbose: bool) -> ContractCheck:  # noqa: FBT001  # import-linter's signature
        broken = [(a, b) for a, b in imports(graph) if self.wrong(a, b)]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported}", bold=False)

    def _names(self, field: str) -> list[str]:
        return cast("list[str]", cast("Any", self).__dict__.get(field) or [])


class Only(_Arrows):
    """`who` imports the standard library, itself and what `may_import` names, and nothing that `never` names."""

    type_name = "only"
    who = fields.StringField()
    may_import = fields.ListField(subfield=fields.StringField())
    never = fields.ListField(subfield=fields.StringField(), required=False)

    def wrong(self, importer: str, imported: str) -> bool:
        who = cast("str", self.who)
        if not within(importer, [who]) or within(imported, [who]) or within(who, [imported]):
            return False  # a parent's __init__ runs anyway
        if within(imported, self._names("may_import")):
            return False
        standard = imported.partition(".")[0] in sys.stdlib_module_names
        return not standard or within(imported, self._names("never"))


class Reserved(_Arrows):
    """`what` is imported by the modules that `to` names, and by nobody else."""

    type_name = "reserved"
    what = fields.ListField(subfield=fields.StringField())
    to = fields.ListField(subfield=fields.StringField())

    def wrong(self, importer: str, imported: str) -> bool:
        what = self._names("what")
        return within(imported, what) and not within(importer, [*what, *self._names("to")])
