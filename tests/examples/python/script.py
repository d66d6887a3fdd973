import concurrent.futures
import sys

import muster

with muster.Client(sys.argv[1]) as client:
    futures = [client.submit("checksum", {"data": text}, name=text) for text in ("spring", "summer")]
    for future in concurrent.futures.as_completed(futures, timeout=30):
        print(future.get_name(), future.result()["checksum"][:16])

with muster.Executor(sys.argv[1]) as pool:
    print(pool.submit("sleep", seconds=0.01).result())
    print(list(pool.map("echo", range(3))))
