"""An independent DLMS client, a program of its own, reads our simulated meter."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from asked_meter import simulator

from core.transport.line import LineSettings

PYDLMS = Path(sys.executable).with_name("pydlms")
KEY, AUTH_KEY = bytes(range(16)), bytes(range(0xD0, 0xE0))
KEYS = ("--key", KEY.hex(), "--auth-key", AUTH_KEY.hex(), "--system-title", "4D4D4D0000000001")
pytestmark = pytest.mark.skipif(not PYDLMS.exists(), reason="pydlms-client is not installed")


async def pydlms(command, scheme, url, *options):
    """Exit status and all that it prints."""
    endpoint = url.replace("socket://", scheme)
    process = await asyncio.create_subprocess_exec(
        PYDLMS,
        command,
        "--client",
        "1",
        *options,
        endpoint,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _nothing = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode()


def test_it_reads_by_low_security_over_hdlc_and_is_refused_with_a_wrong_password(monkeypatch):
    monkeypatch.setattr(LineSettings, "octet_s", 1e-5)

    async def scenario():
        async with simulator(protocol="dlms", password=b"12345678") as url:
            low = ("--auth", "lls", "--password", "12345678")
            profile = await pydlms("profile", "tcp+hdlc://", url, *low, "--obis", "1.0.99.1.0.255", "--last", "3")
            wrong = await pydlms(
                "read", "tcp+hdlc://", url, "--auth", "lls", "--password", "87654321", "--obis", "1.0.1.8.0.255"
            )
            register = await pydlms("read", "tcp+hdlc://", url, *low, "--obis", "1.0.32.7.0.255", "--register")
            return profile, wrong, register

    (profile_status, profile), (wrong_status, _said), (status, register) = asyncio.run(scenario())
    assert profile_status == 0, profile
    assert len([line for line in profile.splitlines() if "20" in line]) >= 3
    assert wrong_status != 0
    assert status == 0
    assert " V " in register


def test_it_reads_by_gmac_over_the_wrapper_and_its_counter_must_rise():
    async def scenario():
        async with simulator(protocol="dlms", framing="wrapper", key=KEY, auth_key=AUTH_KEY) as url:
            found = []
            for counter in ("500", "400"):
                found.append(
                    await pydlms(
                        "read", "tcp://", url, "--auth", "gmac", *KEYS, "--invocation-counter", counter,
                        "--obis", "1.0.1.8.0.255", "--register",
                    )
                )  # fmt: skip
            return found

    (status, register), (stale_status, _said) = asyncio.run(scenario())
    assert status == 0, register
    assert " Wh " in register
    assert "not authenticated" not in register
    assert stale_status != 0
