"""Every sentence of the wire facts, by clients that know nothing of ours, against our servers in both their forms."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import time

import pytest
from plain_sensor import GreetedThread, SensorThread, exchange, send_once
from sensor_server import SensorServer, listed

EXAMPLE = b"""{
    "capteur_id": "capteur_1",
    "temperature": 23.5
}
"""
OK = '{"ok":true}'


@pytest.fixture(params=[(), ("--threads",)], ids=["loop", "threads"])
def server(request, tmp_path):
    made = SensorServer(tmp_path / "home", "--file", str(tmp_path / "donnees.txt"), *request.param)
    yield made
    made.stop()


def test_the_wire_facts(server, tmp_path):
    assert re.fullmatch(r"listening on 127\.0\.0\.1:\d+\n", server.first_line)
    waiting = GreetedThread(server.port, "patient", 19.5)
    waiting.start()
    sensors = [SensorThread(server.port, f"capteur_{n}", [20 + n / 10, 21 + n / 10]) for n in range(2, 12)]
    for sensor in sensors:
        sensor.start()
    send_once(server.port, EXAMPLE)
    send_once(server.port, b"")  # closes at once
    answers = {
        "glued": exchange(server.port, b'{"id": "glued", "temperature": 1}{"id": "glued", "temperature": 2}'),
        "cut": exchange(server.port, b'{"name": "caf\xc3', b'\xa9", "temperature": 3}'),
        "broken": exchange(server.port, b'{"id": "b", "temperature": 1,5}{"sensor_id": "b", "temperature": 1.5}'),
        "text": exchange(server.port, b"temperature:16.37"),
        "line": exchange(server.port, b"temp: 15\n"),
        "degrees": exchange(server.port, "TEMP:28.5 °C".encode()),
        "named": exchange(server.port, b"TEMPERATURE: 41.27: SENSOR1"),
        "nan": exchange(server.port, b'{"id": "n", "temperature": NaN}{"id": "n", "temperature": true}'),
        "several": exchange(server.port, b'{"id": "m", "temperature": 20, "humidity": 45}'),
        "http": exchange(server.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "long": exchange(server.port, b'{"id": "' + b"x" * 70_000 + b'", "temperature": 1}'),
    }
    for sensor in [*sensors, waiting]:
        sensor.join(timeout=20)
    lines = {name: answer.decode().splitlines() for name, answer in answers.items()}
    assert lines["glued"] == [OK, OK]
    for name in ("cut", "text", "line", "degrees", "named", "several"):
        assert lines[name] == [OK]
    assert [json.loads(line)["ok"] for line in lines["broken"]] == [False, True]
    assert "1,5" in json.loads(lines["broken"][0])["error"]
    assert [json.loads(line)["ok"] for line in lines["nan"]] == [False, False]
    assert len(lines["http"]) == 1
    assert "no web pages" in lines["http"][0]
    assert "65536" in json.loads(lines["long"][0])["error"]
    assert waiting.greeting == b'{"hello":"beffroi"}\n'
    assert all(sensor.answers == [{"ok": True}, {"ok": True}] for sensor in sensors)

    status, out, err = server.stop()
    assert (status, out) == (0, "")
    assert "refused (" in err
    assert "Traceback" not in err
    expected = {
        ("capteur_1", 23.5), ("patient", 19.5), ("glued", 1.0), ("glued", 2.0), ("café", 3.0), ("b", 1.5),
        ("127.0.0.1", 16.37), ("127.0.0.1", 15.0), ("127.0.0.1", 28.5), ("SENSOR1", 41.27), ("m", 20.0),
        *((sensor.sensor, value) for sensor in sensors for value in sensor.temperatures),
    }  # fmt: skip
    assert sorted(server.measures()) == sorted(expected)
    rows = {(row["id"], row["quantity"]): row for row in listed(server.home)}
    assert rows["m", "humidity_percent"]["unit"] == "%"
    assert (rows["glued", "temperature_c"]["count"], rows["glued", "temperature_c"]["value"]) == (2, 2.0)
    in_file = (tmp_path / "donnees.txt").read_text(encoding="utf-8").splitlines()
    assert len(in_file) == len(expected) + 1  # and the humidity
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z;[^;]+;-?[\d.]+(;\w+)?$", line) for line in in_file)


def test_what_is_no_temperature_is_refused_said_and_counted(server):
    wrong = {
        b'{"capteur_id": "c", "temperature": "23.5"}': "send a number without quotes",
        b'{"capteur_id": "c", "temperature": Infinity}': "no number that can be kept",
        b'{"capteur_id": "c", "temperature": false}': "false, not a number",
        b'{"capteur_id": "c", "data": {"temperature": 1}}': "send its values beside the identifier",
        b"{'capteur_id': 'c', 'temperature': 23.5}": "double quotes",
        b'{"capteur_id": "c"}': "there is no value in it",
        b"Hello|Zoe": "no room to talk in",
    }
    for sent, said in wrong.items():
        (answer,) = exchange(server.port, sent).decode().splitlines()
        told = json.loads(answer)
        assert list(told) == ["ok", "error"]
        assert told["ok"] is False
        assert said in told["error"]
    status, _out, err = server.stop()
    assert status == 0
    assert re.search(rf"refused \({len(wrong)} so far\)", err)
    assert server.measures() == []


def test_a_sensor_that_reads_no_answer_loses_nothing_and_is_no_error(server):
    for number in range(20):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b'{"capteur_id": "c", "temperature": %d}' % number)
        client.close()
    for _closed_at_once in range(20):
        socket.create_connection(("127.0.0.1", server.port)).close()
    deadline_s = time.monotonic() + 10
    while len(server.measures()) < 20 and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert server.stop() == (0, "", "")
    assert sorted(value for _sensor, value in server.measures()) == [float(number) for number in range(20)]
    log = server.home / "beffroi.log"
    assert not log.exists() or " ERROR " not in log.read_text(encoding="utf-8")


def test_another_program_may_hold_the_database_for_a_while(server):
    sensor = SensorThread(server.port, "capteur_1", [20.0, 21.0])
    other = sqlite3.connect(server.home / "beffroi.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sensor.start()
    sensor.join(timeout=0.5)
    assert sensor.answers == []
    other.execute("COMMIT")
    other.close()
    sensor.join(timeout=20)
    assert sensor.answers == [{"ok": True}, {"ok": True}]
    assert server.stop()[0] == 0
