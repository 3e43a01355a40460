"""Recordings of lines: written as octets come, read back the same, joined by direction, only the owner's to read."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from core.errors import UsageError
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_mbus import virtual_bus
from core.meter.virtual_telegrams import push
from core.meter_records import LineOctets
from core.protocol.mbus_frames import short_frame
from core.services.decode import decode_capture
from core.services.line_recording import HEADING, LineRecording, pieces_of, recorded_line
from core.services.line_replay import LineReplay, is_recording, recorded_pieces

PUSH = push(VirtualE450(1), 1_790_000_000.0, 2)


def piece(time_s: float, octets: bytes, *, is_sent: bool = False, line: str | None = "9600 8N1") -> LineOctets:
    return LineOctets(name="hall\n", time_s=time_s, is_sent=is_sent, octets=octets, line=line)


def test_what_was_put_in_is_read_back_with_times_and_directions(tmp_path):
    path = tmp_path / "line.txt"
    recording = LineRecording(path)
    recording.put(piece(1_790_000_000.123, b"\x01\x02", is_sent=True))
    recording.put(piece(1_790_000_000.130, b"\x03", is_sent=True))
    recording.put(piece(1_790_000_000.140, b"\x04"))
    recording.put(piece(1_790_000_005.0, b"\x05", line="2400 8E1"))
    recording.close()
    text = path.read_text()
    assert text.startswith(HEADING + "\n# meter: hall, line: 9600 8N1\n2026-09-21T14:13:20.123Z  >  01 02 03\n")
    assert "# meter: hall, line: 2400 8E1\n" in text
    assert path.stat().st_mode & 0o777 == 0o600
    assert recording.octets == 5
    assert is_recording(text.encode())
    found = recorded_pieces(text.encode())
    assert [(one.is_sent, one.octets) for one in found] == [(True, b"\1\2\3"), (False, b"\4"), (False, b"\5")]
    assert found[0].time_s == pytest.approx(1_790_000_000.123)
    assert [one.octets for one in pieces_of(text.encode())] == [b"\1\2\3", b"\4\5"]


def test_a_recording_is_decoded_like_the_octets_of_the_meter(tmp_path):
    path = tmp_path / "line.txt"
    recording = LineRecording(path)
    for start in range(0, len(PUSH), 10):
        recording.put(piece(1_790_000_000.0 + start, PUSH[start : start + 10]))
    recording.close()
    assert decode_capture(path.read_bytes()) == decode_capture(PUSH)


def test_a_recorded_dialogue_of_m_bus_is_decoded():
    bus = virtual_bus(lambda: 1_790_000_000.0)
    lines = []
    for number, octets in enumerate((short_frame(0x40, 1), short_frame(0x7B, 1), short_frame(0x5B, 1))):
        lines += [
            recorded_line(1e9 + number, True, octets),
            recorded_line(1e9 + number + 0.5, False, bus.receive_data(octets)),
        ]
    result = decode_capture("\n".join(lines).encode())
    assert result.protocol == "mbus"
    assert result.errors == ()
    assert "1-0:72.7.0*255" in {reading.obis for reading in result.readings}


def test_a_trace_of_another_program_is_read_and_a_broken_one_is_named():
    trace = {"trace": [{"dir": "TX", "hex": "0102"}, {"dir": "RX", "hex": "03"}]}
    assert [one.octets for one in pieces_of(json.dumps(trace).encode())] == [b"\1\2", b"\3"]
    for broken in (b'{"trace": [{"dir": "TX"}]}', b'{"trace": [{"dir": "TX", "hex": "0"}]}', b'{"trace": '):
        with pytest.raises(UsageError, match="trace cannot be read"):
            pieces_of(broken)
    assert pieces_of(b"7EA0") is None


def test_a_recording_never_goes_over_a_file_that_is_there(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("dear diary")
    with pytest.raises(UsageError, match="exists already"):
        LineRecording(path)
    assert path.read_text() == "dear diary"
    with pytest.raises(UsageError, match="cannot be written"):
        LineRecording(tmp_path / "nowhere" / "line.txt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_is_full_is_said_in_words(tmp_path):
    recording = LineRecording(tmp_path / "line.txt")
    recording._stream.close()
    recording._stream = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  # closed below
    recording.put(piece(1.0, b"x"))
    with pytest.raises(UsageError, match="cannot be written"):
        recording.flush()
    with suppress(OSError):
        recording._stream.close()


def test_a_question_that_met_silence_is_no_part_of_the_next_one():
    asked = [
        piece(0.0, b"\x7e\x01", is_sent=True),
        piece(6.0, b"\x7e", is_sent=True),
        piece(6.1, b"\x02", is_sent=True),
    ]
    replay = LineReplay([*asked, piece(6.2, b"\x7e\x03")])
    assert replay._found(b"\x7e\x02") == 0
    assert replay._found(b"\x7e\x01") is None
