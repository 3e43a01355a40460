"""An agent that speaks the wire wrongly on purpose: it is left in words, and nobody else notices."""

from __future__ import annotations

import asyncio
import struct

import pytest
from hostile_agent import HostileLink, Script

from core.protocol.frames import LIMIT_AFTER_HELLO
from core.protocol.messages import Envelope
from core.records import MachineState


def after_hello(octets: bytes) -> Script:
    """Polite until the first subscription, then this."""

    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "subscribe":
            link.raw(octets)
            return True
        return False

    return script


def json_frame(payload: bytes) -> bytes:
    return struct.pack("!IB", len(payload) + 1, 0) + payload


DEEP = 10_000
WRONG = {
    "length 0": (struct.pack("!I", 0), "0 octets"),
    "length 2^32-1": (struct.pack("!I", 2**32 - 1), "4294967295 octets"),
    "one octet above the limit": (struct.pack("!IB", LIMIT_AFTER_HELLO + 1, 0), f"{LIMIT_AFTER_HELLO + 1} octets"),
    "unknown kind": (struct.pack("!IB", 10, 7), "kind 7"),
    "output without its head": (struct.pack("!IB", 3, 1) + b"ab", "no room for its stream"),
    "output for fd 9": (struct.pack("!IBIB", 7, 1, 1, 9) + b"x", "fd 9"),
    "no JSON": (json_frame(b"\x00\xff"), "malformed"),
    "half of JSON": (json_frame(b'{"jsonrpc":"2.0"'), "malformed"),
    "a list": (json_frame(b"[" * 3 + b"]" * 3), "malformed"),
    "nested 10,000 deep": (
        json_frame(b'{"jsonrpc":"2.0","method":"status","params":' + b"[" * DEEP + b"]" * DEEP + b"}"),
        "malformed",
    ),
    "nested objects": (
        json_frame(b'{"jsonrpc":"2.0","method":"status","params":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}"),
        "malformed",
    ),
    "another JSON-RPC": (json_frame(b'{"jsonrpc":"1.0","method":"status"}'), "malformed"),
    "a method of 300 letters": (json_frame(b'{"jsonrpc":"2.0","method":"' + b"m" * 300 + b'"}'), "malformed"),
    "an id below zero": (json_frame(b'{"jsonrpc":"2.0","id":-1,"result":{}}'), "malformed"),
    "an id above all": (json_frame(b'{"jsonrpc":"2.0","id":9223372036854775808,"result":{}}'), "malformed"),
    "NaN": (json_frame(b'{"jsonrpc":"2.0","method":"status","params":{"status":{"number":NaN}}}'), "malformed"),
    "infinity": (json_frame(b'{"jsonrpc":"2.0","method":"status","params":{"status":{"time_s":1e999}}}'), "malformed"),
    "a status without anything": (json_frame(b'{"jsonrpc":"2.0","method":"status","params":{}}'), "malformed"),
    "broken UTF-8": (json_frame(b'{"jsonrpc":"2.0","method":"\xc3\x28"}'), "malformed"),
    "opened without being asked": (
        json_frame(b'{"jsonrpc":"2.0","method":"exec.opened","params":{"exec_id":"x","stream":1}}'),
        "not asked to run",
    ),
    "an end of what never began": (
        json_frame(
            b'{"jsonrpc":"2.0","method":"exec.exit","params":'
            b'{"exec_id":"x","state":"ok","exit_status":0,"dropped_bytes":0,"duration_s":1}}'
        ),
        "not asked to run",
    ),
}


def test_each_wrong_frame_ends_its_link_in_words_and_nobody_else_notices(attacked):
    async def main() -> None:
        async with attacked.by(*(after_hello(octets) for octets, _words in WRONG.values())):
            await attacked.until_left([words for _octets, words in WRONG.values()])

    asyncio.run(main())


def before_hello(octets: bytes) -> Script:
    def script(link: HostileLink, envelope: Envelope) -> bool:
        link.raw(octets)
        return False

    return script


def test_work_before_hello_and_frames_above_4_kib_are_refused(attacked):
    status = b'{"jsonrpc":"2.0","method":"status","params":{"status":{"number":1,"time_s":1}}}'
    scripts = [
        before_hello(json_frame(status)),
        before_hello(struct.pack("!IB", 4097, 0)),
        before_hello(json_frame(b'{"jsonrpc":"2.0","id":1,"result":{"name":"' + b"n" * 300 + b'"}}')),
        before_hello(json_frame(b'{"jsonrpc":"2.0","id":1,"result":{"level":"god"}}')),
    ]

    async def main() -> None:
        async with attacked.by(*scripts):
            await attacked.until_left(["before its hello", "4097 octets", "malformed", "malformed"])
            for number in range(4):
                assert MachineState.ONLINE not in attacked.states(f"evil{number}")

    asyncio.run(main())


def test_a_second_hello_and_answers_to_nothing_are_ignored(attacked):
    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "subscribe":
            for number in (1, 1, 2, 77, 2**53):
                link.text(b'{"jsonrpc":"2.0","id":%d,"result":{"name":"x","level":"raw","run_id":"other"}}' % number)
                link.text(b'{"jsonrpc":"2.0","id":%d,"error":{"code":-1,"message":"\\u001b[2J"}}' % number)
            link.text(b'{"jsonrpc":"2.0","id":5,"method":"later","params":[]}')
        return False

    async def main() -> None:
        async with attacked.by(script):
            await attacked.until(lambda: any(report.is_new for report in attacked.reports("evil0")))
            assert attacked.reports("evil0")[-1].level.value == "run"
            assert len(attacked.evil[0].links) == 1

    asyncio.run(main())


def test_half_a_frame_for_ever_is_a_silent_machine(attacked, monkeypatch):
    monkeypatch.setattr("core.services.agent_link.HELLO_TIMEOUT_S", 1.0)

    def drip(link: HostileLink, envelope: Envelope) -> bool:
        async def go() -> None:
            link.raw(struct.pack("!IB", 200_000, 0))
            while True:
                link.raw(b" ")
                await asyncio.sleep(0.02)

        if envelope.method == "subscribe":
            link.later(go())
            return True
        return False

    def mute(_link: HostileLink, _envelope: Envelope) -> bool:
        return True

    async def main() -> None:
        async with attacked.by(drip, mute):
            await attacked.until(lambda: any("no word from it" in said for said in attacked.said_of(0)), 6)
            await attacked.until(lambda: any("no hello" in said for said in attacked.said_of(1)), 8)

    asyncio.run(main())


def flooding(octets: bytes) -> Script:
    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "subscribe":
            link.flood(octets)
            return True
        return False

    return script


NOTHING = json_frame(b'{"jsonrpc":"2.0","method":"later"}')
STATUS = b'{"jsonrpc":"2.0","method":"status","params":{"status":{"number":1,"time_s":1}%s}}'


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (json_frame(STATUS % b""), "statuses in a second"),
        (json_frame(STATUS % b',"is_missed":true'), "more than anybody asked for"),
        (NOTHING, "more than anybody asked for"),
        (json_frame(b'{"jsonrpc":"2.0","id":1,"result":{}}'), "more than anybody asked for"),
        (struct.pack("!IBIB", 6, 1, 9, 1), "more than anybody asked for"),
        (struct.pack("!IBIB", 60_006, 1, 9, 1) + bytes(60_000), "more than anybody asked for"),
        (json_frame(b'{"jsonrpc":"2.0","method":"later","params":"' + b"x" * 200_000 + b'"}'), "more than anybody"),
    ],
    ids=["statuses", "missed statuses", "notifications", "answers", "empty output", "output", "long messages"],
)
def test_a_flood_is_cut_and_the_others_are_polled_meanwhile(attacked, octets, words):
    async def main() -> None:
        async with attacked.by(flooding(octets)):
            await attacked.until_left([words])

    asyncio.run(main())


def test_one_that_asks_and_never_reads_costs_no_memory(attacked):
    question = json_frame(b'{"jsonrpc":"2.0","id":1,"method":"what"}')

    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "subscribe":
            link.transport.pause_reading()
            link.flood(question)
            return True
        return False

    async def main() -> None:
        async with attacked.by(script):
            words = ("does not take what is sent", "more than anybody asked for")
            await attacked.until(lambda: any(word in said for said in attacked.said_of(0) for word in words), 15)

    asyncio.run(main())


def test_a_link_ended_in_every_way_is_offline_in_words(attacked):
    def closing(how: str) -> Script:
        def script(link: HostileLink, envelope: Envelope) -> bool:
            if envelope.method == "subscribe":
                if how == "eof":
                    link.transport.write(b"\x00\x00")
                    link.transport.close()
                elif how == "tcp eof":  # without the close_notify of TLS
                    link.transport._ssl_protocol._transport.close()
                elif how == "clear text":
                    link.transport._ssl_protocol._transport.write(b"HTTP/1.1 200 OK\r\n\r\n" * 20)
                else:
                    link.transport.abort()
                return True
            return False

        return script

    async def main() -> None:
        async with attacked.by(*map(closing, ("eof", "tcp eof", "clear text", "abort"))):
            for number in range(4):
                await attacked.until(lambda number=number: "closed the link" in "".join(attacked.said_of(number)), 10)

    asyncio.run(main())
