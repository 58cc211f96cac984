"""The steps in docs/ci.md, as a runner would run them: the lines of their shell, with what the runner sets."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from playground import seed
from playground.house import House
from tests.stories.people import card, press
from tests.stories.test_deploy_ci import ci, reports, told

ROOT: Final = Path(__file__).parents[2]
SHA: Final = "9f2c41d0" * 5
RUNNERS: Final[dict[str, dict[str, str]]] = {
    "GitHub Actions": {
        "GITHUB_REF_NAME": "v1.2.3", "GITHUB_SHA": SHA, "GITHUB_WORKFLOW": "Release", "GITHUB_RUN_NUMBER": "7",
        "GITHUB_ACTOR": "octocat", "GITHUB_RUN_ID": "9876543210",
    },
    "GitLab CI": {
        "CI_COMMIT_REF_NAME": "v1.2.3", "CI_COMMIT_SHA": SHA, "CI_PROJECT_PATH": "acme/payments", "CI_PIPELINE_IID": "7",
        "GITLAB_USER_LOGIN": "tanuki", "CI_PIPELINE_ID": "123456",
    },
}  # fmt: skip


def snippet(runner: str) -> Any:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").partition(f"## {runner}\n")[2]
    return yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])


def step(runner: str) -> tuple[str, str, dict[str, str]]:
    """The shell that such a runner uses, its lines, and what the step sets."""
    found = snippet(runner)
    if runner == "GitLab CI":
        (lines,) = found["deploy"]["script"]
        return "sh", lines, found["deploy"]["variables"]
    last = found["jobs"]["deploy"]["steps"][-1]
    return "bash", last["run"], last["env"]


@pytest.mark.parametrize("runner", RUNNERS)
async def test_the_step_waits_until_it_is_deployed(house: House, tmp_path: Path, runner: str) -> None:
    shell, lines, sets = step(runner)
    assert sets["COUNTERSIGN_URL"].startswith("https://")
    run = await _started(shell, lines, tmp_path, {
        **RUNNERS[runner], **sets, "COUNTERSIGN_TOKEN": await ci(house), "COUNTERSIGN_URL": f"http://127.0.0.1:{house.app.http.port}",
    })  # fmt: skip
    try:
        asked = await card(
            house,
            "Waiting for approval",
            "deploy v1.2.3",
            SHA,
            "the machine `ci`",
            RUNNERS[runner].get("GITHUB_ACTOR", "tanuki"),
        )
        await press(house, seed.BEN, asked, "approve_and_deploy")
        await reports(house, await told(house), "succeeded")
        async with asyncio.timeout(30):
            out, err = await run.communicate()
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()
    assert (run.returncode, b"is deployed" in out) == (0, True), err.decode()


async def _started(shell: str, lines: str, home: Path, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    program = home / "bin" / "countersign"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m bot "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return await asyncio.create_subprocess_exec(
        shell, "-e", "-c", lines,
        env={"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(home), **environ}, cwd=home,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
