"""What ours is measured beside: `python -m bench.sensor_servers exercise DATABASE`, or `bare`.

`exercise` is the server as the exercise's text leads to it: a thread for each client, `recv(1024)`, `json.loads`, one
INSERT and one commit a message under a lock; it answers, so that a client can wait instead of gluing two messages,
which it could not tell apart. `bare` is the floor: an asyncio loop that reads, counts braces and answers.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import sys
import threading
import time

import core.transport.listener

OK = b'{"ok":true}\n'


def exercise(path: str) -> None:
    database = sqlite3.connect(path, check_same_thread=False)
    database.execute("CREATE TABLE mesures (identifiant TEXT, temperature REAL, timestamp REAL)")
    database.commit()
    lock = threading.Lock()

    def serve(client: socket.socket) -> None:
        while True:
            data = client.recv(1024)
            if not data:
                client.close()
                return
            measure = json.loads(data.decode("utf-8"))
            with lock:
                row = (measure["capteur_id"], measure["temperature"], time.time())
                database.execute("INSERT INTO mesures VALUES (?, ?, ?)", row)
                database.commit()
            client.send(OK)

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        client, _address = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


class Bare(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(OK * data.count(b"}"))


async def bare() -> None:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0, backlog=1024)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    core.transport.listener.allow_open_files(20_000)
    if sys.argv[1] == "bare":
        asyncio.run(bare())
    else:
        exercise(sys.argv[2])
