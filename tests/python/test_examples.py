"""The programs that the documentation shows, run as a reader would."""

import functools
import http.server
import os
import subprocess
import sys
import threading

import pytest

from muster.testing import Server

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "examples", "python")
SITE = {"index": ["spring", "summer", "autumn"], "spring": ["rain"], "summer": ["rain", "index"], "autumn": ["fog"], "rain": [], "fog": ["index"]}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A small web site."""
    folder = tmp_path_factory.mktemp("site")
    for name, links in SITE.items():
        (folder / f"{name}.html").write_text(f"<h1>{name}</h1>" + "".join(f'<a href="/{one}.html">{one}</a>' for one in links))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server():
    """A musterd that may call it."""
    with Server(clock="system", flags=["--http-allow-private=127.0.0.1/32"]) as started:
        yield started.address


def run(name, *arguments):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    argv = [sys.executable, os.path.join(EXAMPLES, name), *arguments]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not [line for line in done.stderr.splitlines() if "fork_posix" not in line], done.stderr
    return done.stdout.splitlines()


def test_the_plain_program_and_the_remote_one_say_the_same(server, site):
    said = run("plain.py", site)
    assert said == run("remote.py", server, site)
    assert said[3] == f"crawled {sorted(SITE)}" and len(said) == 8 and said[-1] == "the answer is 42"


def test_downloads(server, site):
    said = run("downloads.py", server, site)
    assert sorted(said[:3]) == ["autumn 200", "spring 200", "summer 200"]
    assert said[3] == str([sum(len(f'<a href="/{one}.html">{one}</a>') for one in SITE[name]) + len(f"<h1>{name}</h1>") for name in ("spring", "summer", "autumn")])


def test_mixed(server):
    assert run("mixed.py", server) == ["['done here', None, 'done there']", "too slow", "no such color"]


def test_promise(server):
    assert run("promise.py", server) == ["the answer is 42"]


def test_script(server):
    said = run("script.py", server)
    assert sorted(line.split()[0] for line in said[:2]) == ["spring", "summer"] and said[2:] == ["None", "[0, 1, 2]"]


def test_the_test_of_the_page_on_testing(tmp_path):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "muster.testing.plugin", "-p", "no:cacheprovider", os.path.join(EXAMPLES, "test_nap.py")]
    done = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
