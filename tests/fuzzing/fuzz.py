"""Every decoder and session fed with altered messages of our own encoders, for as long as one likes.

    make fuzz                              two minutes
    make fuzz ARGS="--seconds=3600"        an hour
    make fuzz ARGS="--seed=7 --target=mbus"

A target may return, or raise the errors it names; anything else, a case that takes longer than CASE_S, or memory that
grows beyond GROWTH_MIB is a failure, printed with the seed and the octets that show it again.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import time
import traceback
from collections.abc import Callable
from random import Random

import fuzz_samples as samples
from fuzz_sessions import SESSIONS, run_session

from core.errors import BeffroiError, RemoteProtocolError, UsageError
from core.meter.readings_mbus import readings_of_mbus
from core.meter.virtual_dlms import Access, VirtualDlms
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_mbus import virtual_bus
from core.protocol.acse import (
    decode_association_request,
    decode_association_response,
    decode_confirmed_service_error,
    decode_initiate_request,
    decode_initiate_response,
    decode_release,
)
from core.protocol.apdu import block_at, notification_at
from core.protocol.axdr import value_at
from core.protocol.ciphering import ciphered_apdu_at, open_apdu
from core.protocol.get_messages import decode_request, decode_response, results_of
from core.protocol.hdlc import HdlcReader, encode_frame
from core.protocol.hdlc_control import client_octets, decode_parameters, i_control
from core.protocol.iec62056_21 import decode_telegrams
from core.protocol.mbus_frames import MbusReader
from core.protocol.mbus_records import records_of
from core.protocol.mbus_telegram import telegram_of
from core.protocol.push import PushSession
from core.protocol.session import NEED_DATA
from core.protocol.wrapper import WrapperFrame, WrapperReader, encode_wrapper
from core.services.decode import PROTOCOLS, decode_capture
from core.services.explain import explain, explained_document, explained_lines
from core.services.line_recording import pieces_of

CASE_S = 5.0
"""How long one case may take at most, on a slow machine that does other things."""
HANG_S = 60
GROWTH_MIB = 400

Target = Callable[[bytes, Random], object]


def _reader(make: Callable[[], HdlcReader | MbusReader | WrapperReader]) -> Target:
    def run(octets: bytes, random: Random) -> None:
        reader = make()
        for part in _parts(octets, random):
            reader.receive_data(part)
            for _turn in range(len(octets) + 10):
                try:
                    if reader.next_frame() is None:
                        break
                except RemoteProtocolError:
                    if isinstance(reader, WrapperReader):
                        return  # a stream without marks ends with the first error
            else:
                raise AssertionError("the reader has no end")

    return run


def _push(octets: bytes, random: Random) -> None:
    session = PushSession(samples.KEY, samples.AUTH_KEY)
    now_s = 0.0
    for part in _parts(octets, random):
        now_s += random.choice((0.0, 0.01, 2.0, 9.0))
        session.receive_data(part, now_s)
        while session.next_event() is not NEED_DATA:
            pass
    session.receive_data(b"", now_s + 10)
    session.finish()


def _telegram(octets: bytes, _random: Random) -> None:
    reader = MbusReader()
    reader.receive_data(octets)
    while True:
        try:
            frame = reader.next_frame()
        except RemoteProtocolError:
            continue
        if frame is None:
            return
        try:
            readings_of_mbus(telegram_of(frame, samples.KEY))
        except RemoteProtocolError:
            continue


def _explain(octets: bytes, _random: Random) -> None:
    tree = explain(octets, key=samples.KEY, auth_key=samples.AUTH_KEY)
    explained_lines(tree)
    explained_document(tree)


def _decode(octets: bytes, random: Random) -> None:
    result = decode_capture(octets, protocol=random.choice(PROTOCOLS), key=samples.KEY, auth_key=samples.AUTH_KEY)
    if not result.telegrams and not result.errors:
        raise AssertionError("nothing was found, and nothing said why")


def _bus(octets: bytes, random: Random) -> None:
    bus = virtual_bus(lambda: 1.79e9)
    for part in _parts(octets, random):
        bus.receive_data(part)


def _dlms_meter(octets: bytes, random: Random) -> None:
    """The simulated meter: a client that connects, associates, and goes on with altered messages."""
    is_wrapper = random.random() < 0.4
    access = Access(client=17, password=b"12345678") if random.random() < 0.7 else Access()
    meter = VirtualDlms(VirtualE450(1), lambda: 1.79e9, access, is_wrapper=is_wrapper)
    client = 17 if access.password is not None else 16
    if is_wrapper:
        messages = [samples.AARQ, octets[:2000], octets[2000:9000]]
        for message in messages:
            meter.receive_data(encode_wrapper(WrapperFrame(client, 1, message)))
    else:
        ends = {"destination": b"\x03", "source": client_octets(client)}
        meter.receive_data(encode_frame(b"", control=0x93, **ends))
        for number, message in enumerate((samples.AARQ, octets[:120], octets[120:240])):
            control = i_control(number, number, is_final=True)
            meter.receive_data(encode_frame(b"\xe6\xe6\x00" + message, control=control, **ends))
    for part in _parts(octets, random):
        meter.receive_data(part)


def _ciphered(octets: bytes, _random: Random) -> None:
    open_apdu(ciphered_apdu_at(_behind(0xDB, octets), 0)[0], samples.KEY, samples.AUTH_KEY)


def _behind(tag: int, octets: bytes) -> bytes:
    """These functions are given messages whose tag has been looked at."""
    return octets if octets[:1] == bytes((tag,)) else bytes((tag,)) + octets


def _plain(decode: Callable[[bytes], object]) -> Target:
    return lambda octets, _random: decode(octets)


TARGETS: dict[str, Target] = {
    "push": _push,
    "hdlc": _reader(HdlcReader),
    "axdr": _plain(lambda octets: value_at(octets, 0)),
    "apdu": _plain(lambda octets: notification_at(_behind(0x0F, octets), 0)),
    "block": _plain(lambda octets: block_at(_behind(0xE0, octets), 0)),
    "ciphering": _ciphered,
    "iec": _plain(decode_telegrams),
    "mbus": _telegram,
    "mbus-line": _reader(MbusReader),
    "mbus-records": lambda octets, random: records_of(octets, is_reversed=random.random() < 0.2),
    "mbus-slave": _bus,
    "dlms-meter": _dlms_meter,
    "wrapper": _reader(WrapperReader),
    "parameters": _plain(decode_parameters),
    "aarq": _plain(decode_association_request),
    "aare": _plain(decode_association_response),
    "release": _plain(decode_release),
    "initiate": _plain(decode_initiate_request),
    "initiated": _plain(decode_initiate_response),
    "service-error": _plain(decode_confirmed_service_error),
    "request": _plain(decode_request),
    "response": _plain(decode_response),
    "results": _plain(results_of),
    "recording": _plain(pieces_of),
    "decode": _decode,
    "explain": _explain,
    **{
        name: (lambda octets, random, make=make: run_session(make(), octets, random)) for name, make in SESSIONS.items()
    },
}
_NEVER = ("push", "explain", "mbus", "mbus-line", "mbus-slave", "dlms-meter", "hdlc", "wrapper", "iec", *SESSIONS)
"""Targets that tell what is wrong instead of raising it."""
ALLOWED: dict[str, tuple[type[BaseException], ...]] = {
    "decode": (UsageError,),
    "recording": (UsageError,),
    **dict.fromkeys(_NEVER, ()),
}
"""What a target may raise; all others RemoteProtocolError alone."""


def _parts(octets: bytes, random: Random) -> list[bytes]:
    """`octets` as a line may give them."""
    size = random.choice((1, 7, 64, 300, 1 << 16))
    size = max(size, len(octets) // 2000)
    return [octets[start : start + size] for start in range(0, len(octets), size)]


def run_case(name: str, octets: bytes, seed: str) -> str | None:
    """One case; what went wrong with it, None where nothing did."""
    began_s = time.monotonic()
    try:
        TARGETS[name](octets, Random(seed))
    except ALLOWED.get(name, (RemoteProtocolError,)):
        pass
    except BeffroiError as error:
        return f"{type(error).__name__} where it may not be: {error}"
    except Exception:
        return traceback.format_exc(limit=-4)
    took_s = time.monotonic() - began_s
    return f"took {took_s:.1f} s" if took_s > CASE_S else None


def run(seconds: float, seed: int, names: list[str]) -> tuple[int, list[str]]:
    """Cases until the time is over: how many, and what went wrong."""
    made = samples.Samples(seed)
    failures: list[str] = []
    told_of: dict[str, int] = {}
    count = 0
    end_s = time.monotonic() + seconds
    before_mib = _memory_mib()
    while time.monotonic() < end_s and len(failures) < 30:
        for name in names:
            case = f"{seed}:{count}"
            octets = made.altered(Random(case))
            faulthandler.dump_traceback_later(HANG_S, exit=True)
            problem = run_case(name, octets, case)
            if problem is not None and told_of.setdefault(name, 0) < 3:
                told_of[name] += 1
                failures.append(f"{name}, case {case}, {len(octets)} octets {octets[:2000].hex()}\n{problem}")
            count += 1
        grown_mib = _memory_mib() - before_mib
        if grown_mib > GROWTH_MIB:
            failures.append(f"memory has grown by {grown_mib:.0f} MiB in {count} cases")
            break
    faulthandler.cancel_dump_traceback_later()
    return count, failures


def _memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> int:
    """The command: 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(description="alter messages and see that every decoder only says so")
    parser.add_argument("--seconds", type=float, default=120.0, metavar="S", help="how long (120)")
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="the same cases again")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="this one only; may be repeated")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    names = options.target or list(TARGETS)
    print(f"seed {seed}, {len(names)} targets, {options.seconds:g} s", flush=True)
    count, failures = run(options.seconds, seed, names)
    for failure in failures:
        print(f"\n{failure}", file=sys.stderr)
    print(f"{count} cases, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
