"""Runs a program as the unit of systemd confines it, as far as one process can: its filter of system calls (seccomp),
no new privileges, an empty bounding set of capabilities. Linux on x86-64 alone; the arguments are numbers of the calls
that are allowed, with commas, then the words of the program."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

PR_CAPBSET_DROP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 24, 22, 38
SECCOMP_MODE_FILTER = 2
RET_ALLOW, RET_ERRNO, RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
AUDIT_ARCH_X86_64 = 0xC000003E
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def bpf(allowed: list[int]) -> bytes:
    """A filter that lets these calls through and answers EPERM to all others (seccomp(2))."""
    lines = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, AUDIT_ARCH_X86_64), (RETURN, 0, 0, RET_KILL), (LOAD, 0, 0, 0)]
    for number in allowed:
        lines += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, RET_ALLOW)]
    lines.append((RETURN, 0, 0, RET_ERRNO | errno.EPERM))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def confine(allowed: list[int]) -> None:
    """From here on, for this process and all that it starts."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prctl(*numbers: object) -> None:
        if libc.prctl(*numbers) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {numbers[0]}")

    if os.geteuid() == 0:
        for capability in range(41):
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    filled = bpf(allowed)
    program = Program(len(filled) // 8, filled)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


if __name__ == "__main__":
    confine([int(number) for number in sys.argv[1].split(",")])
    os.execv(sys.argv[2], sys.argv[2:])
