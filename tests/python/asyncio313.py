"""asyncio's functions as CPython 3.13 has them, on earlier Pythons too: they are what remote futures are compared with."""

import asyncio
import sys
from typing import Any, Optional


async def wait_for(future: Any, timeout: Optional[float]) -> Any:
    """That of 3.12; of those before, 3.11 is made up for."""
    if sys.version_info >= (3, 12):
        return await asyncio.wait_for(future, timeout)
    if timeout is not None and timeout <= 0:
        if future.done():
            return future.result()
        future.cancel()
        await asyncio.wait([future])
        try:
            return future.result()
        except asyncio.CancelledError as error:
            raise asyncio.TimeoutError from error
    if sys.version_info < (3, 11):
        return await asyncio.wait_for(future, timeout)
    cancellation = None
    try:
        async with asyncio.timeout(timeout):
            try:
                return await future
            except asyncio.CancelledError as error:
                cancellation = error
                raise
    except asyncio.TimeoutError as error:
        if cancellation is not None:
            error.__cause__ = cancellation  # 3.11.2 does not say it
        raise


async def as_completed(futures: Any, timeout: Optional[float] = None) -> Any:
    """The futures themselves; before 3.13 only their results came."""
    if sys.version_info >= (3, 13):
        async for future in asyncio.as_completed(futures, timeout=timeout):
            yield future
        return
    stand_ins = []
    for future in dict.fromkeys(futures):
        stand_in = asyncio.get_running_loop().create_future()
        stand_ins.append(stand_in)
        if future.done():
            stand_in.set_result(future)
        else:
            future.add_done_callback(stand_in.set_result)
    for coming in asyncio.as_completed(stand_ins, timeout=timeout):
        yield await coming
