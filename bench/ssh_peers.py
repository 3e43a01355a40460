"""One command on many machines by the choices that users have now: clush, and asyncssh with links kept open.

    python -m bench.ssh_peers FOLDER

is the asyncssh server: one process that answers all links and really starts `true` for each. Nothing of it runs
in the product.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

NO_ASYNCSSH = "asyncssh is not installed: pip install .[bench]"
NO_CLUSH = "clush is not installed: pip install .[bench]"
NO_SSHD = "no sshd: apt install openssh-server"


def has_asyncssh() -> bool:
    """Whether the peer is there."""
    return importlib.util.find_spec("asyncssh") is not None


def clush_program() -> str | None:
    """Where clush is, None where it is not."""
    beside = Path(sys.executable).with_name("clush")
    return str(beside) if beside.exists() else shutil.which("clush")


def sshd_program() -> str | None:
    """Where sshd is, None where it is not."""
    return shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def clush_local_s(count: int, rounds: int) -> float:
    """Median seconds of clush that starts `true` itself, so many times: no ssh, no network."""
    return _clush_s(["-R", "exec"], count, rounds)


def clush_ssh_s(folder: Path, count: int) -> float:
    """Seconds of clush over ssh to an sshd on 127.0.0.1 that answers for all of them; a new link for each."""
    with _sshd(folder) as settings:
        return _clush_s(["-o", f"-F {settings}"], count, 1)


def _clush_s(options: list[str], count: int, rounds: int) -> float:
    words = [str(clush_program()), *options, "-f", str(count), "-w", f"machine[0-{count - 1}]", "-S", "true"]
    elapsed = []
    for _round in range(rounds):
        start_s = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        elapsed.append(time.perf_counter() - start_s)
    return statistics.median(elapsed)


@contextlib.contextmanager
def _sshd(folder: Path) -> Iterator[Path]:
    """A configuration of ssh by which every `machineN` is an sshd of ours."""
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    shutil.copy(folder / "user.pub", folder / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    rules = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "MaxStartups": "1000",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in rules.items()))
    settings = folder / "ssh_config"
    settings.write_text(
        f"Host machine*\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder / 'user'}\n"
        f" IdentitiesOnly yes\n StrictHostKeyChecking no\n UserKnownHostsFile {folder / 'known'}\n LogLevel ERROR\n"
    )
    log = (folder / "log").open("w")
    words = [str(sshd_program()), "-D", "-e", "-f", str(folder / "sshd_config")]
    with log, subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL) as child:
        try:
            subprocess.run(
                ["ssh", "-F", str(settings), "-o", "ConnectionAttempts=20", "machine0", "true"],
                check=True,
                timeout=30,
                stdin=subprocess.DEVNULL,
            )
            yield settings
        finally:
            child.terminate()


def asyncssh_s(folder: Path, count: int, rounds: int) -> float:
    """Median seconds of `true` over so many asyncssh links that stay open, from the first request to the last exit."""
    words = [sys.executable, "-m", "bench.ssh_peers", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            port = int(child.stdout.readline().rpartition(":")[2])
            return asyncio.run(_asyncssh_s(port, folder / "user", count, rounds))
        finally:
            child.terminate()


async def _asyncssh_s(port: int, key: Path, count: int, rounds: int) -> float:
    import asyncssh

    links = [
        await asyncssh.connect("127.0.0.1", port, known_hosts=None, client_keys=[str(key)], config=None)
        for _number in range(count)
    ]
    elapsed = []
    for _round in range(rounds):
        start_s = time.perf_counter()
        ended = await asyncio.gather(*(link.run("true") for link in links))
        elapsed.append(time.perf_counter() - start_s)
        assert all(one.exit_status == 0 for one in ended)
    for link in links:
        link.abort()
    await asyncio.gather(*(link.wait_closed() for link in links))
    return statistics.median(elapsed)


async def _answer(process: object) -> None:
    """What an ssh server does for a command, without a shell between."""
    assert process.command == "true"  # type: ignore[attr-defined]  # asyncssh comes without the bench too
    started = await asyncio.create_subprocess_exec("true", stdin=subprocess.DEVNULL)
    process.exit(await started.wait())  # type: ignore[attr-defined]  # as above


async def _serve(folder: Path) -> None:
    import asyncssh

    folder.mkdir(mode=0o700, exist_ok=True)
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _key in range(2))
    user.write_private_key(str(folder / "user"))
    user.write_public_key(str(folder / "authorized"))
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host],
        authorized_client_keys=str(folder / "authorized"),
        process_factory=_answer,
        backlog=512,
    )
    print(f"listening on 127.0.0.1:{server.get_port()}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
