"""What is altered: messages of our own encoders, and how they are altered so that the checks hold now and then."""

from __future__ import annotations

import struct
from random import Random

from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_mbus import virtual_bus
from core.meter.virtual_telegrams import push, readout
from core.protocol.acse import (
    AssociationRequest,
    AssociationResponse,
    InitiateRequest,
    InitiateResponse,
    Mechanism,
    encode_association_request,
    encode_association_response,
    encode_initiate_request,
    encode_initiate_response,
)
from core.protocol.ciphering import seal_apdu
from core.protocol.data_sets import encode_block, encode_command
from core.protocol.get_messages import (
    Attribute,
    GetBlockResponse,
    GetRequest,
    GetResponse,
    GetResult,
    encode_request,
    encode_response,
    entry_parameters,
)
from core.protocol.hdlc import encode_frame
from core.protocol.hdlc_control import LinkParameters, encode_parameters
from core.protocol.mbus_frames import frames_of, long_frame, short_frame
from core.protocol.mbus_push import in_fragments
from core.protocol.wrapper import WrapperFrame, encode_wrapper
from core.services.line_recording import recorded_line

KEY = bytes(range(16))
AUTH_KEY = bytes(range(0xD0, 0xE0))
TITLE = b"LGZ\x00\x00\x00\x00\x01"
NOON_S = 1_790_000_000.0
CODE = bytes((1, 0, 1, 8, 0, 255))
AARQ = encode_association_request(
    AssociationRequest(
        mechanism=Mechanism.LOW,
        authentication=b"12345678",
        user_information=encode_initiate_request(InitiateRequest(conformance=0x1E5D)),
    )
)
_EXTREMES = (0x00, 0x01, 0x7F, 0x80, 0x81, 0x84, 0xFE, 0xFF)
_TOKENS = (
    b"\x02\x82\xff\xff", b"\x01\x84\xff\xff\xff\xff", b"\x7e\xa0", b"\x68\xff\xff\x68", b"\x13\x02\xff", b"\xdb\x08",
    b"\xe0\xc0\x00\x01", b"/", b"(", b")", b"\x02", b"\x03", b"!", b"\r\n", b"\xfd\xfd", b"\xfc\xff", b"\x0d\xbf",
    b"\x1f", b"\x2f", b"\x8f", b"\x01\x00", b"\x09\x0c\xff\xff\xff\xff",
)  # fmt: skip


def sealed(message: bytes, counter: int) -> bytes:
    """`message` ciphered by the keys of this module."""
    return seal_apdu(message, system_title=TITLE, invocation_counter=counter, key=KEY, auth_key=AUTH_KEY)


def plain_samples(seed: int) -> list[bytes]:
    """Whole messages of every protocol."""
    meter = VirtualE450(seed)
    found = [push(meter, NOON_S, layout) for layout in (1, 2, 3, 4)]
    found += [push(meter, NOON_S, layout, key=KEY, auth_key=AUTH_KEY, invocation_counter=layout) for layout in (1, 2)]
    found.append(readout(meter, NOON_S))
    found.append(
        b"/LGZ5\\2ZMD310\r\n" + encode_block(b"1.8.0(000285.4*kWh)\r\nP.01(2609210000)(00)(15)(2)(1.5)(W)\r\n!\r\n")
    )
    found.append(b"/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n1-0:1.8.1(000671.578*kWh)\r\n!AF0C\r\n")
    found += [encode_command("R1", b"1.8.0()"), b"/?!\r\n", b"\x06050\r\n"]
    requests = [
        AARQ,
        encode_association_response(
            AssociationResponse(
                responding_title=TITLE,
                user_information=encode_initiate_response(InitiateResponse(conformance=0x1E5D, maximum_pdu=512)),
            )
        ),
        encode_request(GetRequest(1, (Attribute(3, CODE, 2),))),
        encode_request(GetRequest(1, (Attribute(7, CODE, 2, 2, entry_parameters(1, 96)), Attribute(3, CODE, 3)))),
        encode_response(GetResponse(1, (GetResult(b"\x06\x00\x00\x30\x39"),))),
        encode_response(GetResponse(1, (GetResult(b"\x02\x02\x0f\xff\x16\x23"), GetResult(None, 3)), is_list=True)),
        encode_response(GetBlockResponse(1, True, 1, b"\x01\x02\x12\x00\x01\x12\x00\x02")),
        encode_parameters(LinkParameters(transmit=512, receive=512)),
        seal_apdu(
            b"\x0f\0\0\0\1\0\x02\x01\x06\0\0\0\1", system_title=TITLE, invocation_counter=9, key=KEY, auth_key=AUTH_KEY
        ),
        b"\x02\x03\x09\x06" + CODE + b"\x06\x00\x00\x00\x01\x02\x02\x0f\x00\x16\x1e",
        b"\x13\x02\x02\x12\x0f\x06" + bytes(6),
    ]
    found += requests
    ends = {"destination": b"\x03", "source": b"\x21"}
    found += [encode_frame(b"\xe6\xe6\x00" + one, control=0x10, **ends) for one in requests]
    found += [encode_wrapper(WrapperFrame(1, 1, one)) for one in requests[:4]]
    found.append(encode_frame(b"", control=0x93, **ends) + found[-6])
    bus = virtual_bus(lambda: NOON_S, seed)
    for address in (1, 2, 3):
        for control in (0x7B, 0x5B):
            found.append(bus.receive_data(short_frame(control, address)))
    found.append(short_frame(0x40, 1) + b"\xe5" + found[-1])
    found.append(long_frame(0x08, 5, 0x73, bytes.fromhex("78563412 0A 00 E97E 01000000 35010000")))
    found.append(
        long_frame(0x08, 5, 0x72, bytes.fromhex("78563412 2440 01 07 55 00") + struct.pack("<H", 0x0510) + bytes(16))
    )
    found.append(in_fragments(found[4][9:] * 4))
    found.append(
        "\n".join(recorded_line(NOON_S + place, place % 2 == 0, one) for place, one in enumerate(requests)).encode()
    )
    found.append(b'{"trace": [{"dir": "TX", "hex": "7EA0"}, {"dir": "RX", "hex": "7EA0"}]}')
    return found


class Samples:
    """Alters the samples of a seed."""

    def __init__(self, seed: int) -> None:
        self.plain = plain_samples(seed % 1000)

    def altered(self, random: Random) -> bytes:
        """One sample, altered a little or much, its checks made to hold again now and then."""
        octets = random.choice(self.plain)
        kind = random.random()
        if kind < 0.05:
            return random.randbytes(random.choice((0, 1, 5, 60, 3000)))
        if kind < 0.25:
            return wrapped(_changed(_inside(octets), random), random)
        octets = _changed(octets, random)
        if kind < 0.35:
            octets += random.choice(self.plain)
        if kind < 0.37:
            octets *= random.randrange(2, 60)
        return octets


def _changed(octets: bytes, random: Random) -> bytes:
    changed = bytearray(octets)
    for _turn in range(random.choice((0, 1, 1, 1, 2, 4, 30))):
        place = random.randrange(len(changed) + 1)
        what = random.randrange(7)
        if what == 0 and place < len(changed):
            changed[place] ^= 1 << random.randrange(8)
        elif what == 1 and place < len(changed):
            changed[place] = random.choice(_EXTREMES)
        elif what == 2:
            del changed[place : place + random.choice((1, 2, 20))]
        elif what == 3:
            changed[place:place] = random.randbytes(random.choice((1, 3, 40)))
        elif what == 4:
            changed[place:place] = random.choice(_TOKENS)
        elif what == 5:
            end = place + random.choice((2, 10, 80))
            changed[place:place] = changed[place:end] * random.choice((1, 1, 2, 9))
        else:
            del changed[place:]
    return bytes(changed[: 1 << 17])


def _inside(octets: bytes) -> bytes:
    """What stands inside the frame of a sample."""
    if octets[:1] == b"\x7e":
        return octets[8:-3]
    if octets[:1] == b"\x68":
        try:
            return frames_of(octets)[0].content
        except Exception:
            return octets
    return octets


def wrapped(content: bytes, random: Random) -> bytes:
    """`content` in a frame whose checks hold."""
    what = random.randrange(6)
    if what == 0:
        return encode_frame(content[:1900], control=random.choice((0x13, 0x10, 0x30, 0x63, 0x93)))
    if what == 1:
        ci = random.choice((0x72, 0x76, 0x7A, 0x78, 0x73, 0x70, 0x71, 0x00, 0x10, 0x52))
        return long_frame(random.choice((0x08, 0x18, 0x53)), 1, ci, content[:252])
    if what == 2:
        return seal_apdu(
            content[:9000], system_title=TITLE, invocation_counter=random.randrange(1 << 32), key=KEY, auth_key=AUTH_KEY
        )
    if what == 3:
        return in_fragments(content[:3000])
    if what == 4:
        return encode_block(bytes(octet & 0x7F for octet in content[:5000]).replace(b"\x03", b"").replace(b"\x04", b""))
    return encode_wrapper(WrapperFrame(1, 1, content[:9000]))
