"""Records of machines for the tests of the window."""

import time

from core.records import Cpu, Machine, MachineReport, MachineState, Memory, Status, System, TopProcess

GIB = 1 << 30


def machine(name, *groups, **fields):
    return Machine(name=name, host=fields.pop("host", "192.0.2.1"), groups=groups, **fields)


def status(cpu=10.0, memory=40.0, *, process="postgres", total=16 * GIB):
    return Status(
        number=1,
        time_s=time.time(),
        system=System(
            hostname="h",
            os="Linux",
            os_version="Debian 12",
            kernel="6.1",
            architecture="x86_64",
            ip_addresses=("10.9.8.7",),
            uptime_s=5000,
            python="3.11.2",
        ),
        cpu=Cpu(percent=cpu, per_core_percent=(cpu,), load_average=(1.0,)),
        memory=Memory(
            total_bytes=total,
            used_bytes=int(total * memory / 100),
            free_bytes=0,
            available_bytes=int(total * (1 - memory / 100)),
            percent=memory,
        ),
        top_process=TopProcess(name=process, pid=7, cpu_percent=cpu),
    )


def report(name, state=MachineState.ONLINE, *, cpu=10.0, memory=40.0, seen=True, **fields):
    return MachineReport(
        machine=name,
        address="192.0.2.1:17450",
        state=state,
        since_s=fields.pop("since_s", time.time() - 60),
        status=status(cpu, memory) if seen else None,
        is_new=True,
        time_s=time.time(),
        **fields,
    )
