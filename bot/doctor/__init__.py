"""Doctor: what the bot stands on, looked at part by part, each finding with a word and what to do. It changes nothing."""

from bot.doctor.examination import examine
from bot.doctor.finding import Finding, Word

__all__ = ["Finding", "Word", "examine"]
