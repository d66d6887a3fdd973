"""What the demo stands on: the two servers it starts, the `muster` command, and what is printed.

Everything listens on 127.0.0.1, lives in one temporary folder, and is stopped by its process id. Standard Python only.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
START_SECONDS = 20  # a server that is not up by then will not come


class DemoError(Exception):
    """The demo cannot go on."""


class Printer:
    """Prints for people: colour on a terminal only and never under NO_COLOR; a copy without colour goes to a file."""

    COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}

    def __init__(self, log_path=None):
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._log = open(log_path, "w", encoding="utf-8") if log_path else None
        self.failures = []
        self.checks = 0

    def line(self, text="", colour=None):
        shown = f"\x1b[{self.COLOURS[colour]}m{text}\x1b[0m" if colour and self._colour and text else text
        print(shown, flush=True)
        if self._log:
            print(text, file=self._log, flush=True)

    def title(self, text):
        self.line()
        self.line(text, "bold")

    def command(self, argv, behind=""):
        """A command as one would type it, `behind` as it stands."""
        words = [w if re.fullmatch(r"[\w@%+=:,./-]+", w) else "'" + w.replace("'", "'\\''") + "'" for w in argv]
        self.line("  $ " + " ".join(words) + behind, "cyan")

    def result(self, text):
        for line in text.rstrip("\n").split("\n"):
            self.line("    " + line)

    def check(self, holds, text):
        """Something that was shown, and must be so. The demo goes on, and fails at its end."""
        self.checks += 1
        if holds:
            self.line(f"  ok  {text}", "green")
        else:
            self.failures.append(text)
            self.line(f"  FAILED  {text}", "red")

    def close(self):
        if self._log:
            self._log.close()


def find_program(name, *folders):
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if not found:
        raise DemoError(f"there is no program {name}; `./dev demo` builds and installs what is missing")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process of ours, its output in a file, stopped by its id."""

    def __init__(self, name, argv, log_path, cwd):
        self.name = name
        self.log_path = log_path
        with open(log_path, "wb") as log:
            # A session of its own: Ctrl-C on the terminal reaches the demo alone, which then stops it in order.
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, start_new_session=True
            )

    def wait_until(self, is_up, what):
        end = time.monotonic() + START_SECONDS
        while not is_up():
            if self.process.poll() is not None:
                return False
            if time.monotonic() > end:
                raise DemoError(f"{self.name} did not {what} within {START_SECONDS} s:\n{self.tail()}")
            time.sleep(0.02)
        return True

    def tail(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def stop(self, grace=20):
        """Asks it to end; the exit status, or None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Completed:
    """What a `muster` command printed, how it ended and how long it took."""

    def __init__(self, out, err, code, seconds):
        self.out, self.err, self.code, self.seconds = out, err, code, seconds

    def json(self):
        return json.loads(self.out)


class Stage:
    """The temporary folder, both servers, and the client's command bound to them."""

    def __init__(self, printer, bin_folder):
        self.printer = printer
        self.muster_program = find_program("muster", bin_folder)
        self.musterd_program = find_program("musterd", bin_folder)
        self.nginx_program = find_program("nginx")
        self.folder = tempfile.mkdtemp(prefix="muster-demo-")
        os.chmod(self.folder, 0o755)  # nginx's worker is another user when root starts it
        self.site = os.path.join(self.folder, "nginx", "site")
        self.files = os.path.join(self.folder, "files")
        for path in (self.site, self.files, os.path.join(self.folder, "nginx", "tmp")):
            os.makedirs(path)
        self.musterd = self.nginx = None
        self.children = []
        self.web = self.grpc = self.admin = None

    # --- servers ---------------------------------------------------------------------------------------------------

    def start_nginx(self):
        prefix = os.path.join(self.folder, "nginx")
        with open(os.path.join(HERE, "nginx.conf"), encoding="utf-8") as file:
            template = file.read()
        for _ in range(5):  # somebody may take the port between the look and the bind
            port = free_port()
            with open(os.path.join(prefix, "nginx.conf"), "w", encoding="utf-8") as file:
                file.write(template.replace("@PORT@", str(port)))
            argv = [self.nginx_program, "-p", prefix, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"]
            self.nginx = Server("nginx", argv, os.path.join(prefix, "output.log"), prefix)
            self.web = f"http://127.0.0.1:{port}"
            if self.nginx.wait_until(lambda: self._answers(f"{self.web}/up"), "answer"):
                return
        raise DemoError(f"nginx does not start:\n{self.nginx.tail()}")

    @staticmethod
    def _answers(url):
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return response.status == 204
        except OSError:
            return False

    def start_musterd(self):
        ready = os.path.join(self.folder, "ready.json")
        argv = [
            self.musterd_program,
            "--grpc-listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
            f"--files-root={self.files}",
            f"--store-dir={os.path.join(self.folder, 'store')}",
            "--http-allow-private=127.0.0.1/32",
            "--log-format=json",
            f"--ready-file={ready}",
        ]
        environment_is_ours = [name for name in os.environ if name.startswith("MUSTER_")]
        for name in environment_is_ours:  # settings of the caller's own server are not this one's
            del os.environ[name]
        self.musterd = Server("musterd", argv, os.path.join(self.folder, "musterd.log"), self.folder)
        if not self.musterd.wait_until(lambda: os.path.exists(ready), "get ready"):
            raise DemoError(f"musterd does not start:\n{self.musterd.tail()}")
        with open(ready, encoding="utf-8") as file:
            addresses = json.load(file)
        self.grpc, self.admin = addresses["grpc"], addresses["admin"]

    def stop(self, keep=False):
        """Stops all that was started; musterd's exit status."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        status = self.musterd.stop() if self.musterd else None
        if self.nginx:
            self.nginx.stop()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return status

    # --- the client ------------------------------------------------------------------------------------------------

    def _argv(self, arguments):
        return [self.muster_program, "--server", self.grpc, *arguments]

    def muster(self, *arguments, stdin=None, show=True, expect=0):
        """Runs `muster ARGUMENT...` to its end. Another exit code than the expected one ends the demo."""
        if show:
            self.printer.command(["muster", *arguments])
        start = time.monotonic()
        done = subprocess.run(
            self._argv(arguments), input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        seconds = time.monotonic() - start
        if done.returncode != expect:
            raise DemoError(f"`muster {arguments[0]}` ended with {done.returncode}, not {expect}: {done.stderr.strip()}")
        return Completed(done.stdout, done.stderr, done.returncode, seconds)

    def submit(self, *arguments, stdin=None, show=True):
        """The id of what `muster submit` submitted."""
        return self.muster("submit", *arguments, stdin=stdin, show=show).out.strip()

    def start_muster(self, *arguments, show=True):
        """Starts `muster ARGUMENT...` beside the demo: another client, with pipes to it."""
        if show:
            self.printer.command(["muster", *arguments], " &")
        child = subprocess.Popen(
            self._argv(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.children.append(child)
        return child

    def finish(self, child, expect=0, timeout=30):
        """What a started command printed, once it has ended."""
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"a client is still waiting after {timeout} s") from error
        if child.returncode != expect:
            raise DemoError(f"a client ended with {child.returncode}, not {expect}: {err.strip()}")
        return Completed(out, err, child.returncode, 0)

    # --- metrics ---------------------------------------------------------------------------------------------------

    def metrics(self):
        """/metrics as {name with labels: value}."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=10) as response:
            text = response.read().decode("utf-8")
        samples = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in samples}

    def wait_for_metric(self, name, holds, seconds=5):
        """Until the metric is as wanted; whether it came to that."""
        end = time.monotonic() + seconds
        while not holds(self.metrics().get(name, 0.0)):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True
