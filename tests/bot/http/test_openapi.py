"""The description of the API: made of its own table, and valid."""

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from playground.house import House
from tests.doors.listing import routes
from tests.stories.conftest import house, open_house
from tests.stories.programs import got, program

__all__ = ["house", "open_house"]  # fixtures


async def test_it_is_a_description_of_every_operation(house: House) -> None:
    async with program(house, None) as nobody:
        described: dict[str, Any] = await got(nobody, "/openapi.json")
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []
    told = {f"route {method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    beside = {"route GET /healthz", "route GET /readyz", "route GET /metrics"}
    assert told == set(routes(house.app)) - beside
    operations = [one for methods in described["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"].endswith(".")
        assert "200" in one["responses"] or "201" in one["responses"]
        assert {"400", "401", "403", "404", "409", "429", "503"} <= one["responses"].keys()
