"""Messages by which a console asks what a machine runs and who uses it: only when somebody looks.

    console                          agent
    services (request)           ->
                                 <-  result: ServicePage, several until `is_last`
    sessions (request)           ->
                                 <-  result: SessionPage, several until `is_last`
    ports (request)              ->
                                 <-  result: PortPage, several until `is_last`

All three need level view. The pages of one answer bear the same time, manager and problem.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from core.machine_records import Port, Service, Session
from core.protocol.messages import Line, Short, register


class DetailQuery(Struct, frozen=True, kw_only=True):
    """What is asked with each of these requests: nothing."""


class ServicePage(Struct, frozen=True, kw_only=True):
    """Some of the services of a machine."""

    time_s: float
    services: Annotated[tuple[Service, ...], Meta(max_length=4096)]
    is_last: bool
    manager: Short = ""
    problem: Line = ""


class SessionPage(Struct, frozen=True, kw_only=True):
    """Some of those who are logged in."""

    time_s: float
    sessions: Annotated[tuple[Session, ...], Meta(max_length=4096)]
    is_last: bool
    problem: Line = ""


class PortPage(Struct, frozen=True, kw_only=True):
    """Some of the open ports."""

    time_s: float
    ports: Annotated[tuple[Port, ...], Meta(max_length=4096)]
    is_last: bool
    problem: Line = ""


register(DetailQuery, ServicePage, SessionPage, PortPage)
