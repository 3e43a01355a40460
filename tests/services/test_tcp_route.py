"""A machine without a route to it, told apart from one that does not answer."""

import asyncio
import errno
import os

import pytest

from core.errors import NoRouteError
from core.transport import tcp


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_no_route_is_said_with_what_to_check(number, monkeypatch):
    async def refused_by_the_kernel(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tcp, "_first_that_answers", refused_by_the_kernel)
    with pytest.raises(NoRouteError, match=r"no route to 127\.0\.0\.1:17450; check the address"):
        asyncio.run(tcp.open_socket("127.0.0.1", 17450))
