"""The policy file: what people write, checked, and turned into the records that the store keeps."""

from bot.policy_file.problems import Place, PolicyFileInvalid, Problem
from bot.policy_file.reading import PolicyFile, Report, check, parse, read
from bot.policy_file.resolving import Lookup, resolve
from bot.policy_file.schema import json_schema
from bot.policy_file.words import describe

__all__ = [
    "Lookup",
    "Place",
    "PolicyFile",
    "PolicyFileInvalid",
    "Problem",
    "Report",
    "check",
    "describe",
    "json_schema",
    "parse",
    "read",
    "resolve",
]
