"""The reference page is what the docstrings say."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_the_reference_is_up_to_date():
    tool = os.path.join(ROOT, "docs", "tools", "python_reference.py")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    done = subprocess.run([sys.executable, tool, "--check", ROOT], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_public_is_described():
    import muster

    for name in muster.__all__:
        thing = getattr(muster, name)
        assert isinstance(thing, (str, tuple)) or thing.__doc__, f"muster.{name} has no docstring"
