"""`meter record`: the line of a simulated meter recorded, decoded, and played again as a meter."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
from child_program_of_tests import PROGRAM, program

from core.cli.app import main
from core.services.line_replay import recorded_pieces


@pytest.fixture
def recorded(tmp_path, capfd):
    """A file with two seconds of a meter that pushes."""
    path = tmp_path / "line.txt"
    with program(
        tmp_path / "m", "meter", "simulate", "--listen", "127.0.0.1:0", "--interval", "0.4", "--baud", "115200"
    ) as (_child, said):
        port = said.rpartition(":")[2]
        words = ["meter", "record", "--port", f"socket://127.0.0.1:{port}", "-o", str(path), "--seconds", "1.2"]
        assert main(["--home", str(tmp_path / "h"), *words, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["octets"] > 400
    assert told["telegrams"] >= 1
    return path


def test_what_was_recorded_is_decoded_and_played_again(recorded, tmp_path, capfd):
    home = ["--home", str(tmp_path / "h")]
    assert main([*home, "meter", "decode", str(recorded), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["protocol"] == "push"
    with program(
        tmp_path / "m", "meter", "simulate", "--listen", "127.0.0.1:0", "--replay", str(recorded), "--baud", "115200"
    ) as (
        _child,
        said,
    ):
        port = said.rpartition(":")[2]
        assert main([*home, "meter", "read", "--port", f"socket://127.0.0.1:{port}", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["meter"] == document["meter"]


def test_a_signal_ends_a_recording_whole(tmp_path):
    path = tmp_path / "line.txt"
    with program(
        tmp_path / "m", "meter", "simulate", "--listen", "127.0.0.1:0", "--interval", "0.2", "--baud", "115200"
    ) as (_meter, said):
        place = "socket://" + said.rpartition(" ")[2]
        child = subprocess.Popen(
            [*PROGRAM, "--home", str(tmp_path / "h"), "meter", "record", "--port", place, "-o", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in child.stderr:
            if "found" in line:
                break
        child.send_signal(signal.SIGINT)
        out, _err = child.communicate(timeout=10)
    assert child.returncode == 0
    assert "recorded" in out
    assert path.read_text().endswith("\n")
    assert recorded_pieces(path.read_bytes())
