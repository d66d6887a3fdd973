"""Which futures the functions over several take, and what they say of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Iterable, List, Optional, TypeVar

from muster import errors
from muster.future import RemoteFuture

if TYPE_CHECKING:
    from muster._core import Core
    from muster.client import AsyncClient

    _Base = asyncio.Future[Any]
else:
    _Base = asyncio.Future

F = TypeVar("F", bound="asyncio.Future[Any]")


class Combined(_Base):
    """What `gather` and `shield` give: a local future of remote ones."""

    _core: Optional[Core] = None  # none: a gather of nothing, or of such; it is done


def members_of(futures: Iterable[F], who: str, client: Optional[AsyncClient] = None) -> List[F]:
    """A list of them, once each is found to be a remote future, all of one server, on this loop, of an open client."""
    members = list(futures)
    first: Optional[Core] = client._core if client is not None else None
    loop = asyncio._get_running_loop()
    seen = None
    core: Optional[Core]
    for member in members:
        if isinstance(member, RemoteFuture):
            core = member._client
        elif isinstance(member, Combined):
            core = member._core
        else:
            raise errors.NotARemoteFutureError(_not_remote(member, who))
        if core is seen or core is None:  # as nearly always
            continue
        seen = core
        if first is None:
            first = core
        elif (core.address, core.namespace) != (first.address, first.namespace):
            raise errors.MixedServersError(
                f"{who} was given {member!r} of namespace {core.namespace!r} at {core.address} beside futures of "
                f"{first.namespace!r} at {first.address}: one call takes futures of one server and namespace; "
                "asyncio's own functions take any"
            )
        if core.loop is not loop:
            raise errors.WrongLoopError(f"{who} runs on another event loop than the one that {member!r} belongs to")
    return members


def _not_remote(member: Any, who: str) -> str:
    if isinstance(member, str):
        advice = "make a future of an id with client.future(id)"
    elif asyncio.iscoroutine(member):
        advice = "a coroutine runs here: submit a call of a function of the server, or use asyncio's function"
        member.close()  # nobody will await it
    elif asyncio.isfuture(member):
        advice = f"local tasks and futures go to asyncio.{who}, which takes remote futures as well"
    else:
        advice = "give what client.submit, client.future or client.create_promise returned"
    return f"{who} takes remote futures, not {type(member).__name__}: {advice}"


def single(futures: Any, who: str) -> None:
    if asyncio.isfuture(futures) or asyncio.iscoroutine(futures):
        if asyncio.iscoroutine(futures):
            futures.close()
        raise errors.NotARemoteFutureError(f"{who} takes a list of remote futures, not {type(futures).__name__}")


def core_of(members: Iterable[Any]) -> Optional[Core]:
    """That of their client, which is open. None: they are gathers of nothing, and done."""
    for member in members:
        core: Optional[Core] = member._client if isinstance(member, RemoteFuture) else member._core
        if core is not None:
            core.check()
            return core
    return None
