"""The bot: who is speaking."""

from typing import Final

VERSION: Final = "0.1.0"  # also in pyproject.toml
