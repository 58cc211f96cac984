"""A house as in the stories."""

from tests.stories.conftest import open_house as open_house
