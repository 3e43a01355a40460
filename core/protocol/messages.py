"""Messages of the link between console and agent: JSON-RPC 2.0 objects, decoded straight into typed records.

    console                          agent
    hello (request)              ->
                                 <-  result: Hello
    subscribe (request)          ->
                                 <-  status (notification), at each tick
    processes (request)          ->
                                 <-  result: ProcessPage, several until `is_last`
    exec.start (request)         ->
                                 <-  result: ExecAccepted, or error with ExecDenied
                                 <-  output (frames of kind 1), exec.exit (notification)
    exec.credit, exec.cancel, exec.acknowledge (notifications)  ->
    exec.fetch (request)         ->
                                 <-  as exec.start of a command that is known; ExecDenied(reason="unknown") otherwise
    policy (request)             ->
                                 <-  result: PolicyPage (core.protocol.policy_messages), several until `is_last`

The life of a command: `exec.start` is answered; then come `exec.opened`, frames of output as far as the credit goes,
and `exec.exit` after the last of them, which the console acknowledges. After a broken link the console sends the same
`exec.start` again: the command is not run twice, its output comes once more from its first octet, after a new
`exec.opened`, with a fresh credit. A console that was itself started anew asks by `exec.fetch` for the ids it had
written down: an agent that says `unknown` has not run the command, and never will. A notification `not_trusted` tells a
console whose line is gone, has expired or does not cover its address; then the agent closes.

A peer without a certificate speaks only:

    pair.begin (request)         ->
                                 <-  result: PairChallenge, or the notification pairing_closed
    pair.prove (request)         ->
                                 <-  result: PairProof

Every text is capped; what is longer is malformed and closes the link.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder, Encoder

from core.errors import RemoteProtocolError
from core.records import Level, Process, Status

PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 0

Short = Annotated[str, Meta(max_length=256)]
Line = Annotated[str, Meta(max_length=4096)]
Identifier = Annotated[str, Meta(min_length=1, max_length=64)]
Id = Annotated[int, Meta(ge=0, le=2**53)]

NOT_FOUND = -32601
INVALID_PARAMETERS = -32602
DENIED = -32001
BUSY = -32002
WRONG_CODE = -32010

CREDIT = 64 * 1024
"""Octets of output that an agent may send of a command before the console gives more."""


class Envelope(Struct, frozen=True, omit_defaults=True):
    """Any JSON-RPC object before its parameters are known; a request has `id` and `method`, an answer `id` alone.

    An absent `params` or `result` is an empty Raw.
    """

    jsonrpc: Literal["2.0"]
    method: Short | None = None
    id: Id | None = None
    params: Raw = Raw()
    result: Raw = Raw()
    error: Error | None = None


class Error(Struct, frozen=True, omit_defaults=True):
    """Why a request is not answered; `data` is a typed record for some codes (ExecDenied for DENIED)."""

    code: int
    message: Line = ""
    data: Raw = Raw()


class Hello(Struct, frozen=True, kw_only=True):
    """Who speaks, in which protocol range; `run_id` is new at each start of an agent, `level` the console's there."""

    major: int = PROTOCOL_MAJOR
    minor: int = PROTOCOL_MINOR
    capabilities: tuple[Short, ...] = ()
    name: Short = ""
    version: Short = ""
    os: Short = ""
    boot_id: Short = ""
    run_id: Short = ""
    time_s: float = 0.0
    level: Level | None = None


class Subscribe(Struct, frozen=True, kw_only=True):
    """Send a status every `interval_s` (0.2 to 3600); first those of run `run_id` numbered above `after`."""

    interval_s: Annotated[float, Meta(ge=0.2, le=3600)]
    sections: tuple[Short, ...] | None = None
    run_id: Short = ""
    after: int | None = None


class StatusMessage(Struct, frozen=True, kw_only=True):
    """`status` notification; `is_missed` marks one measured while the link was down."""

    status: Status
    is_missed: bool = False


class ProcessQuery(Struct, frozen=True, kw_only=True):
    """`processes` request: the table in pages of at most 128 KiB, all answers with the request's id."""


class ProcessPage(Struct, frozen=True, kw_only=True):
    """One page of the table of one pass."""

    time_s: float
    processes: tuple[Process, ...]
    is_last: bool


class ExecStart(Struct, frozen=True, kw_only=True):
    """Run `words` (a built-in, or a command of the policy); `exec_id` is the idempotency key of the command here.

    `shell` is the prefix that was typed and `line` the text after it, which a shell gets at level raw.
    """

    exec_id: Identifier
    words: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=256)]
    timeout_s: Annotated[float, Meta(gt=0, le=600)]
    operator: Short = ""
    shell: Literal["linux", "dos", "powershell"] | None = None
    line: Annotated[str, Meta(max_length=65536)] = ""


class ExecAccepted(Struct, frozen=True, kw_only=True):
    """The command runs, or waits its turn."""

    exec_id: Identifier
    is_queued: bool = False


class ExecDenied(Struct, frozen=True, kw_only=True):
    """Why a command may not run: `reason` is `level`, `policy`, `wrong_os`, `parameter` or `busy`.

    Of a command that is fetched: `unknown`, it was not run here and never will be; `done`, it has ended and its result
    is no longer kept; `lost`, the agent was started anew while it ran or waited, and nobody knows how it ended. `rule`
    names the rule that decided, `policy_line` what the agent's administrator can add to allow it.
    """

    reason: Short
    rule: Line = ""
    policy_line: Line = ""


class ExecCredit(Struct, frozen=True, kw_only=True):
    """The console has consumed `octets` of output and can take as many more (64 KiB are open at the start)."""

    exec_id: Identifier
    octets: Annotated[int, Meta(ge=0, le=1 << 20)]


class ExecReference(Struct, frozen=True, kw_only=True):
    """`exec.cancel`, `exec.acknowledge` and `exec.fetch`."""

    exec_id: Identifier


class ExecOpened(Struct, frozen=True, kw_only=True):
    """`exec.opened` notification: frames of kind 1 whose stream is `stream` belong to `exec_id` from now on."""

    exec_id: Identifier
    stream: Annotated[int, Meta(ge=0, lt=2**32)]


class ExecExit(Struct, frozen=True, kw_only=True):
    """`exec.exit` notification, after the last output; kept by the agent until acknowledged (or for an hour).

    `dropped_bytes` were left out between the first and the last 512 KiB. A program that is not there, or may not be
    started, is `failed` with 127 or 126 and says so in `message`.
    """

    exec_id: Identifier
    state: Literal["ok", "failed", "timeout", "cancelled"]
    exit_status: Annotated[int, Meta(ge=-(2**31), lt=2**32)] | None
    dropped_bytes: Annotated[int, Meta(ge=0, le=2**53)]
    duration_s: Annotated[float, Meta(ge=0, le=2**31)]
    message: Line = ""


class PairBegin(Struct, frozen=True, kw_only=True):
    """A console that asks to be paired shows its certificate and a nonce of 16 octets, in base64.

    It says which kind of code its user has typed, since an agent may have a window open for each.
    """

    name: Short
    is_site_code: bool = False
    certificate_pem: Annotated[str, Meta(max_length=3000)]
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]


class PairChallenge(Struct, frozen=True, kw_only=True):
    """Salt and nonce of the agent, 16 octets each, in base64."""

    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]


class PairProve(Struct, frozen=True, kw_only=True):
    """HMAC-SHA-256 of the transcript (docs/security.md), 32 octets, in base64."""

    proof: Annotated[bytes, Meta(min_length=32, max_length=32)]


class PairProof(Struct, frozen=True, kw_only=True):
    """The agent's own HMAC, and the level it grants."""

    proof: Annotated[bytes, Meta(min_length=32, max_length=32)]
    level: Level
    name: Short


class PairingClosed(Struct, frozen=True, kw_only=True):
    """`pairing_closed` notification to a peer without a certificate; then the agent closes.

    The reason is `closed` (never opened), `used`, `expired` or `tries` (too many wrong ones).
    """

    reason: Short = ""


class NotTrusted(Struct, frozen=True, kw_only=True):
    """`not_trusted` notification to a console that the agent no longer trusts: `removed`, `expired` or `address`."""

    reason: Short = ""


_T = TypeVar("_T")
_encoder = Encoder()
_envelope_decoder = Decoder(Envelope)
_decoders: dict[object, Decoder[Any]] = {
    # All are made here, in one thread: two that meet a type for the first time at once crash msgspec (0.22), whose
    # description of a type is there for the others before it is whole.
    kind: Decoder(kind)
    for kind in (
        Hello, Subscribe, StatusMessage, ProcessQuery, ProcessPage, ExecStart, ExecAccepted, ExecDenied, ExecCredit,
        ExecReference, ExecOpened, ExecExit, PairBegin, PairChallenge, PairProve, PairProof, PairingClosed, NotTrusted,
    )
}  # fmt: skip


def register(*kinds: type[Struct]) -> None:
    """Make `decode_as` know more kinds of message; called where they are defined, at import, in one thread."""
    for kind in kinds:
        _decoders[kind] = Decoder(kind)


def encode_request(number: int, method: str, params: object) -> bytes:
    """Payload of a request; its answer bears the same number."""
    return _encoder.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def encode_notification(method: str, params: object) -> bytes:
    """Payload of a notification, which has no answer."""
    return _encoder.encode({"jsonrpc": "2.0", "method": method, "params": params})


def encode_result(number: int, result: object) -> bytes:
    """Payload of the answer to request `number`."""
    return _encoder.encode({"jsonrpc": "2.0", "id": number, "result": result})


def encode_error(number: int, code: int, message: str, data: object = None) -> bytes:
    """Payload of a refusal of request `number`; `data` is a typed record or None."""
    error: dict[str, object] = {"code": code, "message": message[:4096]}
    if data is not None:
        error["data"] = data
    return _encoder.encode({"jsonrpc": "2.0", "id": number, "error": error})


def decode_envelope(payload: bytes) -> Envelope:
    """The object of a JSON frame; raises RemoteProtocolError for anything else."""
    try:
        return _envelope_decoder.decode(payload)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"a message is malformed: {error}") from error


def decode_as(kind: type[_T], raw: Raw | bytes) -> _T:
    """Parameters, result or error data as a record of type `kind`; raises RemoteProtocolError."""
    try:
        decoded: _T = _decoders[kind].decode(raw)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"{kind.__name__} is malformed: {error}") from error
    return decoded


def plain_text(text: str, limit: int = 256) -> str:
    """`text` from a peer as one line fit to be shown: control characters replaced by a space, `limit` characters."""
    cut = text[:limit]
    return cut if cut.isprintable() else "".join(character if character.isprintable() else " " for character in cut)
