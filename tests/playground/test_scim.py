"""The SCIM server is the real one: bearer, filter, PATCH, and members that outlive a restart."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from playground.scim import ScimServer

PEOPLE = [("ana@example.com", "Ana"), ("ben@example.com", "Ben")]


def start(path: Path) -> ScimServer:
    server = ScimServer(token="letmein", users=PEOPLE, groups=["aws-admins"], path=path)
    server.start()
    return server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scim.json"


async def call(server: ScimServer, method: str, at: str, *, token="letmein", body=None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{server.url}{at}", json=body, headers=headers) as response,
    ):
        text = await response.text()
        return response.status, (await response.json(content_type=None) if text else None)


async def found(server: ScimServer, at: str) -> Any:
    status, answer = await call(server, "GET", at)
    assert status == 200
    [one] = answer["Resources"]
    return one


async def test_a_member_enters_a_group_and_is_there_after_a_restart(path):
    server = start(path)
    try:
        assert (await call(server, "GET", "/Groups", token="wrong"))[0] == 401
        ana = await found(server, '/Users?filter=userName eq "ana@example.com"')
        group = await found(server, '/Groups?filter=displayName eq "aws-admins"')
        assert server.rows() == [{"group": "aws-admins", "members": []}]
        patch = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "path": "members", "value": [{"value": ana["id"]}]}],
        }
        assert (await call(server, "PATCH", f"/Groups/{group['id']}", body=patch))[0] in (200, 204)
        assert server.rows() == [{"group": "aws-admins", "members": ["Ana"]}]
        before = await found(server, "/Groups")
    finally:
        server.stop()

    server = start(path)
    try:
        assert server.members("aws-admins") == ["ana@example.com"]
        after = await found(server, "/Groups")
        assert (after["id"], after["meta"]["version"]) == (before["id"], before["meta"]["version"])
        status, _ = await call(
            server,
            "PATCH",
            f"/Groups/{group['id']}",
            body=patch | {"Operations": [{"op": "remove", "path": "members"}]},
        )
        assert status in (200, 204)
        now = (await found(server, "/Groups"))["meta"]["version"]
        assert now > before["meta"]["version"]  # a version never comes back
        assert server.members("aws-admins") == []
        status, answer = await call(server, "GET", "/Users")
        assert (status, answer["totalResults"]) == (200, 2)
    finally:
        server.stop()
