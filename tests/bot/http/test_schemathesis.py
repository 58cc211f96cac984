"""What schemathesis finds in the whole API, through real sockets, as a person and as a machine: nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from hypothesis import HealthCheck, given, settings

from tests import servers
from tests.bot.http.served import Served, serving
from tests.lengths import length

EXAMPLES: Final = length(1, 10, 400)


@pytest.fixture(scope="module")
def served(real_server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(real_server, Path(tmp_path_factory.mktemp("served"))) as one:
        one.loop.call_soon_threadsafe(one.house.app.waiting.close)  # nobody waits for half a minute here
        yield one


@pytest.mark.search
@pytest.mark.parametrize("who", ["rosa", pytest.param("machine", marks=pytest.mark.slow)])
def test_it_finds_nothing(served: Served, who: str) -> None:
    import schemathesis  # half a second, which every process of the tests would wait for

    modes = schemathesis.GenerationMode
    description = requests.get(f"{served.url}/openapi.json", timeout=10).json()
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=served.url)
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]  # the other kind of result is a description that is none
        seen.add(operation.label)
        headers = {"Authorization": f"Bearer {served.token(who)}"}  # one of them ends what is shown
        _tried(operation, modes.POSITIVE, headers)
        if operation.body or any(True for _ in operation.iter_parameters()):
            _tried(operation, modes.NEGATIVE, headers)
    assert len(seen) == sum(len(methods) for methods in description["paths"].values())


def _tried(operation: Any, mode: Any, headers: dict[str, str]) -> None:
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        # Which targets and requests there are no schema can say: what is asked for in vain is refused as a bad request.
        spared = [positive_data_acceptance] if case.method == "POST" else []
        case.call_and_validate(headers=headers, excluded_checks=spared)

    one()
