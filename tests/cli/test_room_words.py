"""What `beffroi room serve` and `room join` promise, run as programs: pipes and a real terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plain_chat_client import PlainChatClient

from core.cli.app import main
from core.home import Home
from core.store.history import History

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "LANGUAGE": "en", "TERM": "xterm", "COLUMNS": "80"}


def words(home: Home, *rest: str) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), "--home", str(home.path), *rest]


@contextlib.contextmanager
def serving(home: Home, *rest: str):
    command = words(home, "room", "serve", "--listen", "127.0.0.1:0", *rest)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as server:
        try:
            first = server.stdout.readline()
            assert first.startswith("listening on 127.0.0.1:"), server.stderr.read()
            server.address = first.split()[-1]
            yield server
        finally:
            if server.poll() is None:
                server.terminate()
            server.communicate(timeout=10)


def join(home: Home, address: str, name: str, *rest: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = words(home, "room", "join", address, name, *rest)
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=20, env=ENVIRONMENT, check=False
    )


def test_a_talk_by_pipes_is_kept_logged_and_ended_by_its_operator(home, tmp_path):
    stranger = Home(tmp_path / "other").make()
    with serving(home) as server:
        plain = PlainChatClient(server.address, "Hello|bob")
        plain.wait_for("Annonce : bob a rejoint la chatroom")
        plain.send("\x1b[2Jcoucou @Anne")
        plain_port = plain.name
        talked = join(stranger, server.address, "Anne", typed="salut\narret\n")
        plain.wait_for("Anne a dit : salut")
        plain.wait_for("Annonce : Anne a quitté la chatroom")
        back = join(stranger, server.address, "Anne", "--json", typed="re\n")
        ended = join(home, server.address, "Olga", typed="ARRÊT\n")
        plain.wait_for_end()
        printed, problems = server.communicate(timeout=10)
    assert (talked.returncode, back.returncode, ended.returncode, server.returncode) == (0, 0, 0, 0)
    assert re.search(r"\[\d\d:\d\d\] You said: salut\n", talked.stdout)
    assert re.search(r"\[\d\d:\d\d\] bob said: \[2Jcoucou @Anne\n", talked.stdout)
    assert "* no: only the operator" in talked.stdout
    assert "\x1b" not in talked.stdout
    documents = [json.loads(line) for line in back.stdout.splitlines()]
    assert all(list(one) == ["id", "room", "author", "text", "time", "kind", "link", "is_own"] for one in documents)
    assert [one["text"] for one in documents if one["is_own"]] == ["salut", "re"]
    assert f"Message received from {plain_port} : \\x1b[2Jcoucou @Anne" in printed
    assert problems == ""
    with History.open(home.database_path) as history:
        said = [line.text for line in history.chat_lines("general") if line.kind.value == "message"]
    assert said == ["[2Jcoucou @Anne", "salut", "re"]


def test_options_beat_the_configuration_file(home):
    home.config_path.write_text('[room]\nlisten = "127.0.0.1:1"\n')
    with serving(home) as server:
        assert not server.address.endswith(":1")


def test_a_signal_ends_the_server_with_0_and_its_clients_say_so_with_1(home):
    with serving(home) as server:
        command = words(home, "room", "join", server.address, "Anne")
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        ) as client:
            assert "you are in general" in client.stdout.readline()
            server.send_signal(signal.SIGTERM)
            _out, problems = client.communicate(timeout=10)
            server.communicate(timeout=10)
    assert (server.returncode, client.returncode) == (0, 1)
    assert problems == f"beffroi: the room at {server.address} has ended\n"


def test_a_server_whose_output_nobody_reads_goes_on(home):
    with serving(home, "--json") as server:
        bob, anne = PlainChatClient(server.address, "Hello|bob"), PlainChatClient(server.address, "Hello|anne")
        anne.wait_for("Annonce : anne a rejoint la chatroom")
        for number in range(6):  # far more than a pipe holds
            bob.send(f"{number}" + "x" * 60_000 + "\n")
        anne.wait_for("bob a dit : 5" + "x" * 60_000)
        server.send_signal(signal.SIGINT)
        anne.wait_for_end()
        anne.close()
        bob.close()
        server.wait(10)
    assert server.returncode == 0


def test_a_port_that_is_taken_says_so(home, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["room", "serve", "--listen", address, "--home", str(home.path)]) == 1
    assert "another program listens" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        (["join", "127.0.0.1:1", "Anne"], 1, "nothing listens at 127.0.0.1:1; is the room open there"),
        (["join", "127.0.0.1:x", "Anne"], 2, "is not an address"),
        (["join", "127.0.0.1:1", "\u200f"], 2, "is no name that can be shown"),
        (["serve", "--listen", "nonsense:x"], 2, "is not an address"),
        (["serve", "--listen", "nonsense.invalid"], 1, "nonsense.invalid is not an address of this machine"),
    ],
)
def test_what_goes_wrong_is_said(home, capsys, typed, status, message):
    assert main(["room", *typed, "--home", str(home.path)]) == status
    assert message in capsys.readouterr().err


def test_in_a_terminal_what_comes_never_breaks_what_is_typed(home):
    with serving(home) as server:
        plain = PlainChatClient(server.address, "Hello|bob")
        plain.wait_for("Annonce : bob a rejoint la chatroom")
        ours, theirs = pty.openpty()
        command = words(home, "room", "join", server.address, "Anne")
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT) as client:
            os.close(theirs)
            terminal = Terminal(ours)
            terminal.wait_for("you are in general")
            terminal.type("bon")
            terminal.wait_for("> bon")
            plain.send("je t'interromps")
            terminal.wait_for("je t'interromps\r\n")
            shown = terminal.text[terminal.text.rindex("bob\x1b[0m said") :]
            terminal.wait_for("> bon", after=terminal.text.index("je t'interromps"))
            terminal.type("jour\r")
            plain.wait_for("Anne a dit : bonjour")
            terminal.wait_for("You said: bonjour")
            terminal.type("bye\r")
            assert client.wait(10) == 0
        os.close(ours)
        plain.close()
    assert shown.startswith("bob\x1b[0m said: je t'interromps\r\n")
    assert re.search(r"\r\x1b\[K\[\d\d:\d\d\] \x1b\[1;\d\dmbob", terminal.text)


class Terminal:
    """The other end of a pseudo-terminal."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.text = ""

    def type(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def wait_for(self, text: str, after: int = 0) -> None:
        deadline_s = time.monotonic() + 10
        while text not in self.text[after:]:
            ready, _w, _x = select.select([self._handle], [], [], max(0.0, deadline_s - time.monotonic()))
            assert ready, f"{text!r} was not shown: {self.text!r}"
            self.text += os.read(self._handle, 65536).decode("utf-8", "replace")
