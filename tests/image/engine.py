#!/usr/bin/env python3
"""podman or docker as the smoke test sees it: finds out how containers run on this machine, and runs them.

Containers within containers and small virtual machines refuse some of what an engine asks for by default: limits above
their own, a runtime that needs a newer control group, ports. `Engine` tries from the plain to the careful and says what
it settled on, so that a result can be read.
"""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time


class Missing(Exception):
    """What this machine lacks to run containers at all."""


def output_of(command, timeout=120, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **more)
    return done.returncode, done.stdout, done.stderr


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Engine:
    """Runs containers of one image with what works here; remembers what it made, and removes it in close()."""

    def __init__(self, image, tool=None):
        self.image = image
        self.tool = tool or self.find()
        self.prefix = f"muster-smoke-{os.getpid()}"
        self._made = []
        self._volumes = []
        self._count = 0
        self.arguments = self._settle(
            "containers", [[], self._ulimits(), ["--runtime", "runc", *self._ulimits()]], ["--network", "none"]
        )
        self.limits = self._settle("limits", [["--memory", "512m", "--cpus", "1", "--pids-limit", "512"], []])
        self.publishes = self._can_publish()

    @staticmethod
    def find():
        for tool in ("podman", "docker"):
            if shutil.which(tool) and output_of([tool, "info"], timeout=30)[0] == 0:
                return tool
        raise Missing("neither podman nor a docker engine works here (on Debian: ./dev deps image)")

    @staticmethod
    def _ulimits():
        """Those that an engine asks for by default may be more than this machine allows itself."""
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
        return ["--ulimit", f"nofile={files}:{files}", "--ulimit", "nproc=4096:4096"]

    def _settle(self, what, candidates, more=()):
        """The first list of arguments with which the image's own program runs."""
        problem = ""
        for candidate in candidates:
            base = candidate if what == "containers" else [*self.arguments, *candidate]
            code, _, problem = output_of([self.tool, *self._split(base, ["run", "--rm", "--no-healthcheck", *more], [self.image, "--version"])])
            if code == 0:
                return candidate
        raise Missing(f"{self.tool} cannot run a container of {self.image} here: {problem.strip()}")

    @staticmethod
    def _split(arguments, before, after):
        """`--runtime` stands before podman's verb, the rest behind it."""
        if arguments[:1] == ["--runtime"]:
            return [*arguments[:2], *before, *arguments[2:], *after]
        return [*before, *arguments, *after]

    def _can_publish(self):
        """Whether a port of a container can be published on loopback; otherwise containers share the host's network."""
        name = f"{self.prefix}-port"
        port = free_port()
        try:
            code, _, _ = self.run_detached(name, ["-p", f"127.0.0.1:{port}:7412"], ["--durability=none"])
            deadline = time.monotonic() + 10
            while code == 0 and time.monotonic() < deadline:
                try:
                    # Some relays accept before the container does: only an answer counts.
                    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                        if connection.recv(12):
                            return True
                except OSError:
                    pass
                time.sleep(0.1)
            return False
        finally:
            self.remove(name)

    def describe(self):
        network = "ports published on loopback" if self.publishes else "the host's network"
        words = " ".join([*self.arguments, *self.limits])
        return f"{self.tool} {words}, {network}"

    # -- containers

    def name(self):
        self._count += 1
        return f"{self.prefix}-{self._count}"

    def run_detached(self, name, options, command=()):
        self._made.append(name)
        return output_of(
            [self.tool, *self._split(self.arguments, ["run", "-d", "--name", name], [*options, self.image, *command])]
        )

    def run(self, options, command=()):
        """Runs it to its end: exit code, stdout, stderr. One that does not end fails the case and is removed."""
        name = self.name()
        self._made.append(name)
        before = ["run", "--rm", "--no-healthcheck", "--name", name]
        try:
            done = output_of([self.tool, *self._split(self.arguments, before, [*options, self.image, *command])], timeout=30)
        except subprocess.TimeoutExpired:
            problem = self.logs(name)
            self.remove(name)
            raise AssertionError(f"it runs on, with {options} {list(command)}: {problem[:500]}") from None
        self._made.remove(name)
        return done

    def exec(self, name, *command):
        code, out, err = output_of([self.tool, *self._runtime(), "exec", name, *command])
        return code, out + err

    def _runtime(self):
        return self.arguments[:2] if self.arguments[:1] == ["--runtime"] else []

    def start(self, name):
        code, _, err = output_of([self.tool, *self._runtime(), "start", name])
        if code:
            raise AssertionError(f"{name} does not start again: {err.strip()}")

    def stop(self, name, seconds):
        output_of([self.tool, *self._runtime(), "stop", "-t", str(seconds), name], timeout=seconds + 60)

    def kill(self, name):
        output_of([self.tool, *self._runtime(), "kill", "-s", "KILL", name])
        output_of([self.tool, "wait", name], timeout=30)

    def logs(self, name):
        _, out, err = output_of([self.tool, "logs", name])
        return out + err

    def state(self, name):
        return json.loads(output_of([self.tool, "inspect", name])[1])[0]["State"]

    def healthcheck(self, name):
        """What the image's own health check says, asked now; None where the engine cannot be asked."""
        if self.tool != "podman":
            return None
        return output_of([self.tool, *self._runtime(), "healthcheck", "run", name])[0] == 0

    def remove(self, name):
        output_of([self.tool, *self._runtime(), "rm", "-f", "-v", name])
        if name in self._made:
            self._made.remove(name)

    def volume(self):
        name = f"{self.name()}-store"
        code, _, err = output_of([self.tool, "volume", "create", name])
        if code:
            raise Missing(f"{self.tool} cannot make a volume: {err.strip()}")
        self._volumes.append(name)
        return name

    def inspect_image(self):
        return json.loads(output_of([self.tool, "image", "inspect", self.image])[1])[0]

    def export(self, path):
        """The image's files as a tar."""
        name = self.name()
        output_of([self.tool, *self._runtime(), "create", "--no-healthcheck", "--name", name, self.image])
        self._made.append(name)
        code, _, err = output_of([self.tool, "export", "-o", path, name])
        self.remove(name)
        if code:
            raise AssertionError(f"cannot export {self.image}: {err.strip()}")

    def close(self):
        for name in list(self._made):
            self.remove(name)
        for name in self._volumes:
            code, _, err = output_of([self.tool, "volume", "rm", "-f", name])
            if code:
                print(f"volume {name} is left: {err.strip()}")


if __name__ == "__main__":
    # Before an image is built: whether there is anything to run it with.
    try:
        Engine.find()
    except Missing as why:
        print(f"skip: {why}")
        sys.exit(1)
