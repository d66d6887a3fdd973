"""One measurement of the Python client, or of what it is compared with, in a process of its own; prints a line of JSON.

usage: python_load.py MODE ADDRESS [COUNT]

Modes that need a musterd: submit, gather, map, future_bytes. A server that echoes Call: echo. None: local, task_bytes.
"""

import asyncio
import gc
import json
import sys
import time
import tracemalloc

INPUT = b"x" * 16


async def each(count, operate):
    """Microseconds of one at a time, the median, after a tenth of them to warm up."""
    for _ in range(count // 10):
        await operate()
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await operate()
        taken.append(time.perf_counter() - began)
    return {"operations_total": count, "p50_us": sorted(taken)[count // 2] * 1e6}


async def whole(count, operate):
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    done = await operate()
    if done != count:
        raise SystemExit(f"{done} of {count} ended")
    seconds = time.perf_counter() - began
    return {"operations_total": count, "seconds": seconds, "client_cpu_us": (time.process_time() - cpu) / count * 1e6}


async def echo(address, count):
    import grpc.aio
    from muster.v1 import future_pb2, future_service_pb2

    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(
            "/muster.v1.FutureService/Call",
            request_serializer=future_service_pb2.CallRequest.SerializeToString,
            response_deserializer=future_service_pb2.CallResponse.FromString,
        )
        request = future_service_pb2.CallRequest()
        request.future.call.function = "echo"
        request.future.call.input.CopyFrom(future_pb2.Payload(data=INPUT))
        return await each(count, lambda: call(request))


async def submit(client, count):
    return await each(count, lambda: client.submit("echo", INPUT))


async def gather(client, count):
    import muster

    await client.submit("echo")

    async def all_of_them():
        return len(await muster.gather(*[client.submit("echo") for _ in range(count)]))

    return await whole(count, all_of_them)


async def map_(client, count):
    await client.submit("echo")

    async def all_of_them():
        done = 0
        async for _ in client.map("echo", (None for _ in range(count))):
            done += 1
        return done

    return await whole(count, all_of_them)


async def local(_, count):
    async def nothing():
        pass

    async def all_of_them():
        return len(await asyncio.gather(*[nothing() for _ in range(count)]))

    return await whole(count, all_of_them)


async def future_bytes(client, count):
    await client.submit("echo")
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    futures = [client.submit("sleep", 3600) for _ in range(count)]
    await client.flush()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    if any(future.done() for future in futures):
        raise SystemExit("a future is not pending")
    return {"operations_total": count, "bytes": grown / count}


async def task_bytes(_, count):
    event = asyncio.Event()

    async def wait():
        await event.wait()

    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tasks = [asyncio.ensure_future(wait()) for _ in range(count)]
    await asyncio.sleep(0)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    event.set()
    await asyncio.gather(*tasks)
    return {"operations_total": count, "bytes": grown / count}


WITH_CLIENT = {"submit": submit, "gather": gather, "map": map_, "future_bytes": future_bytes}
WITHOUT = {"echo": echo, "local": local, "task_bytes": task_bytes}


async def measure(mode, address, count):
    if mode in WITHOUT:
        return await WITHOUT[mode](address, count)
    import muster

    async with muster.connect(address) as client:
        return await WITH_CLIENT[mode](client, count)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
