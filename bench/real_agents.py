"""Many real agents in one process: each with its own port, folder, policy, executor, children and audit log.

    python -m bench.real_agents FOLDER CONSOLE_CERTIFICATE COUNT

prints `listening on HOST:PORT` once for each. A program for each would take 27 MiB two hundred times over; here only
the interpreter and the collector are shared, and whatever a command passes on its way is the product's own.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from pathlib import Path

from core.agent.consoles import AuthorizedConsole, Consoles
from core.agent.desks import open_desks
from core.agent.pairing import PairingDesk
from core.agent.platform_collector import new_collector
from core.agent.server import AgentServer
from core.audit import AuditLog
from core.home import make_private_folder
from core.records import Level
from core.transport.identity import ensure_identity, fingerprint_of


async def _serve(folder: Path, console_pem: str, count: int) -> None:
    identity = ensure_identity(folder, "real")
    fingerprint = fingerprint_of(ssl.PEM_cert_to_DER_cert(console_pem))
    collector = new_collector(time.monotonic())
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            own = make_private_folder(folder / f"agent-{number}")
            consoles = Consoles(own)
            consoles.add(AuthorizedConsole(fingerprint=fingerprint, level=Level.RUN, name="bench"), console_pem)
            consoles.read()
            desk = PairingDesk(own, identity, consoles, Level.RUN)
            log = AuditLog(own / "audit.log")
            server = AgentServer(own, identity, desk, consoles, collector, log, Level.RUN)
            open_desks(server, own / "policy.toml")
            host, port = await server.listen("127.0.0.1", 0)
            tasks.create_task(server.serve())
            print(f"listening on {host}:{port}", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="ascii"), int(sys.argv[3])))
