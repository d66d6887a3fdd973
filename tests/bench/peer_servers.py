"""What a user would pick instead of Muster, as processes: each on a free port of 127.0.0.1, with a folder of its own,
nothing kept on disk, stopped by its process id. How each is set up, and why so, is in docs/how-to/benchmarks.md.

A peer has a name, and
- missing(rig): why it cannot be measured here, or None
- builds(rig): its versions
- serve(rig, folder): a context that gives its Service
"""

import contextlib
import dataclasses
import glob
import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import time

from rig import Failure, cpu_us

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "peers")
VENV = os.path.realpath(os.path.join(HERE, "..", "..", "build", "bench", "peers", "venv"))
PYTHON = os.path.join(VENV, "bin", "python")
START_SECONDS = 30
STOP_SECONDS = 15
# Another process may take the port that was free a moment ago.
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class Service:
    """A peer that runs: how to start its load, and the processes that serve it."""

    load: list
    processes: list = dataclasses.field(default_factory=list)
    env: dict = dataclasses.field(default_factory=dict)

    def measure(self, rig, arguments):
        before = self._cpu_us()
        sample = rig.measure([*self.load, *arguments], environment(self.env))
        if self.processes:
            sample["server_cpu_us"] = (self._cpu_us() - before) / sample["operations_total"]
        return sample

    def _cpu_us(self):
        return sum(cpu_us(pid) for process in self.processes for pid in _family(process.pid))


def _family(pid):
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):  # it has ended, or this kernel does not say
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            for child in file.read().split():
                found += _family(int(child))
    return found


def command(name):
    """Where a program is: servers are often in folders that are not in a user's path."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin")


def not_installed(name):
    return f"{name} is not installed: ./dev bench --peers installs it"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(env):
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}


@contextlib.contextmanager
def running(argv, log, env=None):
    """A process that is told to end, and in the end made to."""
    program = os.path.abspath(argv[0])  # it runs in a folder of its own
    with open(log, "wb") as file:
        process = subprocess.Popen([program, *argv[1:]], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                   cwd=os.path.dirname(log), env=environment(env))
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(process, port):
    """Whether it accepts connections; False when it has ended before."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process.poll() is None
        time.sleep(0.02)
    return False


def start(stack, argv_of, folder, name, env=None):
    """(port, process) of a server that listens; argv_of(port) is its command line."""
    log = os.path.join(folder, f"{name}.log")
    for _ in range(ATTEMPTS):
        attempt = contextlib.ExitStack()
        port = free_port()
        process = attempt.enter_context(running(argv_of(port), log, env))
        if _listens(process, port):
            stack.push(attempt)
            return port, process
        attempt.close()
    raise Failure(f"{name} does not start:\n{_tail(log)}")


def _tail(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        return file.read()[-2000:]


def _version(argv, pattern):
    said = subprocess.run(argv, capture_output=True, text=True, timeout=START_SECONDS)
    match = re.search(pattern, said.stdout + said.stderr)
    return {"version": match.group(1) if match else "unknown"}


# --- gearmand ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Gearmand:
    threads: int
    workers: int
    name = "gearmand"

    def missing(self, rig):
        if command("gearmand") is None:
            return not_installed("gearmand")
        if not os.access(rig.program("bench_gearman"), os.X_OK):
            return "bench_gearman is not built: ./dev bench --peers builds it"
        return None

    def builds(self, rig):
        return {
            "gearmand": _version([command("gearmand"), "--version"], r"gearmand (\S+)"),
            "libgearman": _version([rig.program("bench_gearman"), "--version"], r'"libgearman": "([^"]+)"'),
        }

    @contextlib.contextmanager
    def serve(self, rig, folder):
        def argv(port):
            return [command("gearmand"), "--listen=127.0.0.1", f"--port={port}", f"--threads={self.threads}",
                    "--worker-wakeup=1", "--log-file=stderr", f"--pid-file={folder}/gearmand.pid"]

        with contextlib.ExitStack() as stack:
            port, server = start(stack, argv, folder, "gearmand")
            program = [rig.program("bench_gearman"), f"--port={port}"]
            workers = [
                stack.enter_context(running([*program, "--role=worker"], os.path.join(folder, f"worker-{number}.log")))
                for number in range(self.workers)
            ]
            yield Service([*program, "--role=client"], [server, *workers])


# --- Redis ------------------------------------------------------------------------------------------------------------


def start_redis(stack, folder):
    return start(
        stack,
        lambda port: [command("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--save", "",
                      "--appendonly", "no", "--dir", folder],
        folder, "redis-server",
    )


def redis_build():
    return {"redis": _version([command("redis-server"), "--version"], r" v=(\S+)")}


@dataclasses.dataclass(frozen=True)
class RedisList:
    """A queue of two lists; `taking` says how both ends take from theirs."""

    taking: tuple
    name = "Redis lists"

    def missing(self, rig):
        if command("redis-server") is None:
            return not_installed("redis-server")
        if not os.access(rig.program("bench_redis_list"), os.X_OK):
            return "bench_redis_list is not built: ./dev bench --peers builds it"
        return None

    def builds(self, rig):
        return {**redis_build(),
                "hiredis": _version([rig.program("bench_redis_list"), "--version"], r'"hiredis": "([^"]+)"')}

    @contextlib.contextmanager
    def serve(self, rig, folder):
        with contextlib.ExitStack() as stack:
            port, server = start_redis(stack, folder)
            program = [rig.program("bench_redis_list"), f"--port={port}", *self.taking]
            worker = stack.enter_context(running([*program, "--role=worker"], os.path.join(folder, "worker.log")))
            yield Service([*program, "--role=client"], [server, worker])


# --- Python's ---------------------------------------------------------------------------------------------------------


def in_venv(package):
    return bool(glob.glob(os.path.join(VENV, "lib", "python*", "site-packages", package)))


def python_builds(*packages):
    """Of Python itself and of these packages, as the venv has them; by names that no server or C library has."""
    builds = {"python": _version([PYTHON, "--version"], r"Python (\S+)")}
    folders = glob.glob(os.path.join(VENV, "lib", "python*", "site-packages"))
    for package in packages:
        versions = [found.version for found in importlib.metadata.distributions(name=package, path=folders)]
        builds[f"{package} (Python)"] = {"version": versions[0] if versions else "unknown"}
    return builds


def script(name):
    return [PYTHON, os.path.join(PROGRAMS, name)]


@dataclasses.dataclass(frozen=True)
class Celery:
    concurrency: int
    name = "Celery"

    def missing(self, rig):
        del rig
        if command("redis-server") is None:
            return not_installed("redis-server")
        return None if in_venv("celery") else not_installed("Celery")

    def builds(self, rig):
        del rig
        return {**redis_build(), **python_builds("celery", "redis", "hiredis")}

    @contextlib.contextmanager
    def serve(self, rig, folder):
        del rig
        with contextlib.ExitStack() as stack:
            port, server = start_redis(stack, folder)
            env = {"BENCH_REDIS": f"redis://127.0.0.1:{port}"}
            worker = stack.enter_context(running(
                [PYTHON, "-m", "celery", f"--workdir={PROGRAMS}", "--app=celery_app", "worker", "--pool=prefork",
                 f"--concurrency={self.concurrency}", "--without-gossip", "--without-mingle", "--without-heartbeat",
                 "--loglevel=WARNING"],
                os.path.join(folder, "worker.log"), env,
            ))
            yield Service(script("celery_load.py"), [server, worker], env)


@dataclasses.dataclass(frozen=True)
class Dask:
    workers: int
    name = "Dask"

    def missing(self, rig):
        del rig
        return None if in_venv("distributed") else not_installed("Dask")

    def builds(self, rig):
        del rig
        return python_builds("distributed")

    @contextlib.contextmanager
    def serve(self, rig, folder):
        del rig
        env = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "inf"}
        dask = [PYTHON, "-m", "dask"]
        with contextlib.ExitStack() as stack:
            port, server = start(
                stack,
                lambda port: [*dask, "scheduler", "--host=127.0.0.1", f"--port={port}", "--no-dashboard", "--no-show"],
                folder, "dask-scheduler", env,
            )
            address = f"tcp://127.0.0.1:{port}"
            workers = [
                stack.enter_context(running(
                    [*dask, "worker", address, "--no-nanny", "--nthreads=1", "--no-dashboard", "--host=127.0.0.1",
                     f"--local-directory={folder}/worker-{number}"],
                    os.path.join(folder, f"worker-{number}.log"), env,
                ))
                for number in range(self.workers)
            ]
            yield Service([*script("dask_load.py"), f"--scheduler={address}", f"--workers={self.workers}"],
                          [server, *workers], env)


@dataclasses.dataclass(frozen=True)
class Asyncio:
    """No server: the tasks of a loop in the process that measures."""

    name: str  # asyncio, uvloop

    def missing(self, rig):
        del rig
        return None if in_venv("uvloop") else not_installed("the venv of the peers")

    def builds(self, rig):
        del rig
        return python_builds(*(["uvloop"] if self.name == "uvloop" else []))

    @contextlib.contextmanager
    def serve(self, rig, folder):
        del rig, folder
        yield Service([*script("asyncio_load.py"), *(["--uvloop"] if self.name == "uvloop" else [])])
