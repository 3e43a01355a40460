"""A link fed with whatever an agent may send."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.protocol.frames import encode_frame
from core.protocol.messages import ExecExit, StatusMessage, encode_notification
from core.records import Machine
from core.services.agent_link import AgentLink

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
methods = st.sampled_from(["status", "exec.opened", "exec.exit", "not_trusted", "pairing_closed", "hello", "later"])


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_aborted = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # what links write is bytes
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.is_aborted = True


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def on_status(self, message: StatusMessage) -> None:
        self.told.append(message)

    def on_exec_opened(self, exec_id: str) -> None:
        self.told.append(exec_id)

    def on_output(self, exec_id: str, fd: int, content: bytes) -> None:
        self.told.append((exec_id, fd, content))

    def on_exec_exit(self, message: ExecExit) -> None:
        self.told.append(message)


def fed(*pieces: bytes) -> tuple[AgentLink, FakeTransport, Heard]:
    async def feed() -> tuple[AgentLink, FakeTransport, Heard]:
        heard, transport = Heard(), FakeTransport()
        link = AgentLink(Machine(name="m1", host="127.0.0.1"), heard.on_status, heard)
        link.connection_made(transport)
        for piece in pieces:
            link.data_received(piece)
        return link, transport, heard

    return asyncio.run(feed())


@settings(max_examples=80, deadline=None)
@given(pieces=st.lists(st.binary(max_size=60), max_size=4))
def test_random_octets_end_the_link_or_are_awaited(pieces: list[bytes]) -> None:
    link, transport, heard = fed(*pieces)
    assert heard.told == []
    assert link.is_up or (isinstance(link.lost.result(), RemoteProtocolError) and transport.is_aborted)


@settings(max_examples=120, deadline=None)
@given(method=methods, params=values, number=st.none() | st.integers(0, 5))
def test_any_json_is_answered_ignored_or_ends_the_link(method: str, params: object, number: int | None) -> None:
    document: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        document["id"] = number
    fed(encode_frame(0, json.dumps(document).encode()))


def test_nothing_is_taken_after_the_link_has_ended() -> None:
    bad = encode_frame(0, b"{")
    good = encode_frame(0, encode_notification("exec.opened", {"exec_id": "x", "stream": 1}))
    link, _transport, heard = fed(bad + good, good)
    assert not link.is_up
    assert heard.told == []


@pytest.mark.parametrize(
    "field",
    [{"exit_status": 10**30}, {"exit_status": -(2**40)}, {"dropped_bytes": 10**25}, {"dropped_bytes": -1},
     {"duration_s": 1e300}, {"duration_s": -1}],
)  # fmt: skip
def test_an_end_of_a_command_with_numbers_that_no_history_holds_ends_the_link(field: dict[str, object]) -> None:
    said = {"exec_id": "e1", "state": "ok", "exit_status": 0, "dropped_bytes": 0, "duration_s": 0.1, **field}
    link, _transport, heard = fed(encode_frame(0, encode_notification("exec.exit", said)))
    assert heard.told == []
    assert isinstance(link.lost.result(), RemoteProtocolError)


def test_an_unknown_request_is_answered_so() -> None:
    link, transport, _heard = fed(encode_frame(0, b'{"jsonrpc":"2.0","id":7,"method":"what"}'))
    assert link.is_up
    assert b"-32601" in transport.written[0]


def test_a_frame_above_4_kib_is_refused_before_hello() -> None:
    link, transport, _heard = fed(b"\x00\x00\x20\x00\x00" + bytes(10))
    assert isinstance(link.lost.result(), RemoteProtocolError)
    assert transport.is_aborted


def test_output_of_a_stream_that_was_never_opened_is_dropped() -> None:
    link, _transport, heard = fed(encode_frame(1, b"\x00\x00\x00\x09\x01text"))
    assert link.is_up
    assert heard.told == []
