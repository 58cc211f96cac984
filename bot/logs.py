"""Logs: what happened, for operators; never what a secret is, what somebody typed into one, or what a request held."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.settings import Log
from store.model.errors import AccessError
from store.model.secret import Secret

HIDDEN: Final = "…"
DEPTH: Final = 6
FRAMES: Final = 20
CUT: Final = 200

# A key with one of these words in it: `new_value`, `x-slack-signature`, `botToken`.
SECRET_WORDS: Final = frozenset(
    [
        "secret",
        "secrets",
        "token",
        "tokens",
        "password",
        "passwd",
        "passphrase",
        "authorization",
        "cookie",
        "signature",
        "ticket",
        "value",
        "values",
        "body",
        "payload",
        "plaintext",
        "blocks",
        "view",
        "metadata",
    ],
)
WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")

# What gives rights wherever it stands, and how much of it is left.
MASKS: Final = (
    (re.compile(r"\b(xox[a-z]|xapp|xwfp)[-.][\w.-]+"), rf"\1-{HIDDEN}"),
    (re.compile(r"\bwhsec_[\w+/=-]+"), f"whsec_{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"://[^/\s@]+@"), f"://{HIDDEN}@"),
    (re.compile(r"\bhttps://hooks\.slack\.com/\S+"), f"https://hooks.slack.com/{HIDDEN}"),
    (
        re.compile(
            r"(?i)\b(\w*(?:password|passwd|secret|token|ticket|authorization))(\W{1,3}[=:] ?|[=:] ?)[\"']?[^\s\"',;&)}]+"
        ),
        rf"\1\2{HIDDEN}",
    ),
)
# One word, in which nothing of that can be: what most of a line is made of, and looked at no further.
HARMLESS: Final = re.compile(r"(?!whsec_)[A-Za-z0-9_]{1,64}")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# These print request bodies, and errors with what was in them: Bolt logs a whole body at INFO when a signature is
# wrong, slack_sdk every payload at DEBUG, asyncio the repr of an exception that nobody fetched. Their loggers are known
# by where they stand in the file system: Bolt names some after the file that built the App, and sets the root's level
# on each.
TALKATIVE: Final = re.compile(r"[/\\](slack_bolt|slack_sdk|asyncio|aiohttp|apscheduler|redis|stamina)[/\\]")
CONTENT: Final = re.compile(r"""[{(\["'<\n]""")


def configure(log: Log, stream: TextIO = sys.stderr) -> None:
    """Everything that is logged by whomever goes to `stream` through one chain. May be called again."""
    terminal = stream.isatty()
    text = log.format == "text" or (log.format == "auto" and terminal)
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=terminal) if text else structlog.processors.JSONRenderer(json.dumps)
    )
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                describe_error,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                *([flatten] if text else []),
                render,
            ],
        ),
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _Handler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(log.level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.captureWarnings(capture=True)
    sys.excepthook = _unhandled


class _Handler(logging.StreamHandler[TextIO]):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            held = hold(record)
        except Exception:  # noqa: BLE001  # arguments that do not fit: what logging itself does with them
            self.handleError(record)
            return
        if held is not None:
            super().emit(held)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """The standard one prints the arguments that it could not format."""
        error = sys.exc_info()[0]
        sys.stderr.write(
            f"A log line of {record.name} could not be written ({error.__name__ if error else 'unknown'}).\n"
        )


def _unhandled(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("bot").critical("Countersign stops: an error that nobody handles.", exc_info=(kind, error, trace))


def hold(record: logging.LogRecord) -> logging.LogRecord | None:
    """Of the talkative libraries only warnings, and of those only the words before any content."""
    if not TALKATIVE.search(record.pathname):
        return record
    if record.levelno < logging.WARNING:
        return None
    message = record.getMessage()
    cut = CONTENT.split(message, maxsplit=1)[0][:CUT].rstrip(" :,")
    held = logging.makeLogRecord(record.__dict__)
    held.msg, held.args = cut if cut == message else f"{cut} {HIDDEN}", ()
    return held


def describe_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Types, our own sentences and places; the words of somebody else's error may quote what it choked on."""
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["raised"] = [_one_error(each) for each in _chain(error)]
    return event


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _chain(member)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _one_error(error: BaseException) -> dict[str, Any]:
    described: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
    if isinstance(error, AccessError):
        described["sentence"] = error.sentence
    elif isinstance(error, OSError) and error.errno is not None:
        described["sentence"] = error.strerror if isinstance(error.strerror, str) else str(error.errno)
    elif code := _slack_code(error):
        described["sentence"] = code
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    described["at"] = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return described


def _slack_code(error: BaseException) -> str | None:
    """`channel_not_found` and the like, from a SlackApiError; its text holds the whole response."""
    response = getattr(error, "response", None)
    code = response.get("error") if response is not None and hasattr(response, "get") else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) else None


def _short(filename: str) -> str:
    return "/".join(Path(filename).parts[-3:])


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    clean: dict[str, Any] = _clean(event, DEPTH)
    return clean


def _clean(value: Any, depth: int) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return mask(value)
        case Secret() | bytes() | bytearray() | memoryview():
            return HIDDEN
        case _ if depth == 0:
            return HIDDEN
        case Mapping():
            return {
                mask(str(key)): HIDDEN if secret_name(str(key)) else _clean(each, depth - 1)
                for key, each in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(each, depth - 1) for each in value]
        case BaseException():
            return _one_error(value)["type"]
        case _:
            return mask(str(value))


def secret_name(key: str) -> bool:
    return any(word.lower() in SECRET_WORDS for word in WORD.findall(key))


def mask(text: str) -> str:
    if HARMLESS.fullmatch(text):
        return text
    for pattern, left in MASKS:
        text = pattern.sub(left, text)
    return CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def flatten(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """For a person at a terminal: errors as indented lines below the event."""
    if errors := event.pop("raised", None):
        event["exception"] = "\n".join(
            "\n".join(
                [
                    f"  {error['type']}: {error.get('sentence', '')}".rstrip(": "),
                    *(f"    {place}" for place in error["at"]),
                ]
            )
            for error in errors
        )
    return event
