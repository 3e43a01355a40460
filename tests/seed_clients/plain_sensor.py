"""Sensors as the exercise's text describes them, written without any class of ours: a socket, a thread, `recv(1024)`.

import socket, json
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((HOST, PORT))
client.send(json.dumps({"capteur_id": "capteur_1", "temperature": 23.5}).encode())
"""

from __future__ import annotations

import json
import socket
import threading


def send_once(port: int, octets: bytes) -> None:
    """Connect, send, close without reading: the end of the message is the end of the link."""
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.connect(("127.0.0.1", port))
    client.send(octets)
    client.close()


def exchange(port: int, *pieces: bytes) -> bytes:
    """Connect, send each piece, end, and read with `recv(1024)` until the server closes."""
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    for piece in pieces:
        client.send(piece)
    client.shutdown(socket.SHUT_WR)
    received = b""
    while True:
        data = client.recv(1024)
        if not data:
            break
        received += data
    client.close()
    return received


class SensorThread(threading.Thread):
    """A sensor in a thread of its own: one measure after another on one link, each answer awaited."""

    def __init__(self, port: int, name: str, temperatures: list[float]) -> None:
        super().__init__()
        self.port = port
        self.sensor = name
        self.temperatures = temperatures
        self.answers: list[dict[str, object]] = []

    def run(self) -> None:
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        for temperature in self.temperatures:
            client.send(json.dumps({"capteur_id": self.sensor, "temperature": temperature}).encode("utf-8"))
            self.answers.append(json.loads(client.recv(1024).decode("utf-8")))
        client.close()


class GreetedThread(threading.Thread):
    """A sensor that waits for the server to speak first, then sends, then closes without another word."""

    def __init__(self, port: int, name: str, temperature: float) -> None:
        super().__init__()
        self.port = port
        self.sensor = name
        self.temperature = temperature
        self.greeting = b""

    def run(self) -> None:
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        self.greeting = client.recv(1024)
        client.send(json.dumps({"capteur_id": self.sensor, "temperature": self.temperature}).encode())
        client.close()
