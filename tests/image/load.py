"""Clients that submit while a server is stopped under them, and what they were promised.

Each submit is a real `muster submit`. Its id is printed once the server has acknowledged it, so from then on it must be
there, whatever happens to the server. One that fails was not acknowledged and promises nothing.
"""

import os
import subprocess
import threading


class Load:
    def __init__(self, muster, server, clients=4):
        self._muster = muster
        self._environment = {**os.environ, "MUSTER_SERVER": server}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged = {}  # id -> the value that it must come to
        self.refused = 0
        self._threads = [threading.Thread(target=self._submit, args=(number,)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _submit(self, client):
        count = 0
        while not self._stop.is_set():
            count += 1
            value = client * 1_000_000 + count
            # In turn: done at once; still running when the server is told to stop; not even started by then.
            job, expected = [
                (["echo", str(value)], value),
                (["sleep", '{"seconds": 1.5}'], None),
                (["echo", str(value), "--delay=4s"], value),
            ][count % 3]
            done = subprocess.run(
                [self._muster, "submit", *job, "--timeout=5s"],
                env=self._environment, capture_output=True, text=True, check=False,
            )
            with self._lock:
                if done.returncode == 0:
                    self.acknowledged[done.stdout.strip()] = expected
                else:
                    self.refused += 1
            if done.returncode:
                self._stop.wait(0.2)

    def count(self):
        with self._lock:
            return len(self.acknowledged)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
