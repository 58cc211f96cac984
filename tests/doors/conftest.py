"""A house as in the stories."""

from tests.stories.conftest import open_house

__all__ = ["open_house"]
