"""What is shipped: an sdist that builds by itself, a wheel with everything in it, types that a strict checker takes."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 300


def run(argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(sdist, wheel), built from a copy of the tree: the wheel from the sdist, as an installer would."""
    pytest.importorskip("build")
    tree, dist = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    os.mkdir(tree / "client")
    shutil.copytree(os.path.join(ROOT, "client", "python"), tree / "client" / "python",
                    ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "v1"))
    shutil.copytree(os.path.join(ROOT, "proto"), tree / "proto")
    shutil.copy(os.path.join(ROOT, "LICENSE"), tree)
    before = sorted(str(path) for path in tree.rglob("*"))
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(tree / "client" / "python")])
    after = sorted(str(path) for path in tree.rglob("*") if "egg-info" not in str(path) and "__pycache__" not in str(path))
    assert after == before, "a build leaves nothing behind"
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    return sdist, wheel


def test_the_wheel_is_complete(built):
    names = set(zipfile.ZipFile(built[1]).namelist())
    sources = os.path.join(ROOT, "client", "python", "src")
    for folder, _, files in os.walk(os.path.join(sources, "muster")):
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), sources)
            assert "__pycache__" in path or "/v1/" in path or path in names, f"{path} is missing"
    assert {"muster/py.typed", "muster/v1/future_pb2.py", "muster/v1/future_pb2.pyi", "muster/v1/__init__.py"} <= names
    (metadata,) = [name for name in names if name.endswith("METADATA")]
    lines = zipfile.ZipFile(built[1]).read(metadata).decode().splitlines()
    needs = [line.split(":", 1)[1].strip() for line in lines if line.startswith("Requires-Dist")]
    assert [need.split(">")[0].split("<")[0] for need in needs] == ["grpcio", "protobuf"]
    assert "Requires-Python: >=3.9" in lines and any(name.endswith("LICENSE") for name in names)


def test_the_sdist_has_what_it_is_built_from(built):
    names = {name.split("/", 1)[-1] for name in tarfile.open(built[0]).getnames()}
    assert {"proto/muster/v1/future_service.proto", "build_backend.py", "pyproject.toml", "README.md", "LICENSE"} <= names


def test_an_installed_wheel_works(built, tmp_path, muster_server):
    target = tmp_path / "site"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(built[1])])
    program = (
        "import asyncio, muster\n"
        "async def main():\n"
        f"    async with muster.connect({muster_server.address!r}) as m:\n"
        "        print(muster.__version__, muster.__file__, await m.submit('echo', 'installed'))\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(target)}
    version, where, said = run([sys.executable, "-c", program], env=environment, cwd=tmp_path).split()
    assert version == "0.1.0" and where.startswith(str(target)) and said == "installed"
    test = tmp_path / "test_user.py"
    test.write_text("def test_fixture(muster_namespace):\n    assert muster_namespace.startswith('test-fixture-')\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    assert "1 passed" in run(argv, env=environment, cwd=tmp_path), "pytest finds the plugin by itself"


def test_versions_agree():
    with open(os.path.join(ROOT, "client", "python", "pyproject.toml"), encoding="utf-8") as file:
        said = [line.split('"')[1] for line in file if line.startswith("version = ")]
    import muster

    assert said == [muster.__version__]


def test_a_strict_checker_takes_a_users_program(built, tmp_path):
    pytest.importorskip("mypy")
    installed = tmp_path / "venv"  # what lies in site-packages is not checked itself
    run([sys.executable, "-m", "venv", "--without-pip", str(installed)])
    (target,) = (installed / "lib").glob("python*/site-packages")
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(built[1])])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio\n"
        "import muster\n"
        "async def main() -> int:\n"
        "    async with muster.connect('localhost:7411') as m:\n"
        "        a = m.submit('echo', 1, name='one')\n"
        "        done, pending = await muster.wait([a], timeout=2, return_when=muster.FIRST_COMPLETED)\n"
        "        names: list[str] = [one.get_name() for one in done]\n"
        "        async for future in muster.as_completed([a], timeout=30):\n"
        "            print(future.get_name(), await future, names)\n"
        "        values = await muster.gather(a, m.submit('echo', 2), return_exceptions=True)\n"
        "        p = m.create_promise()\n"
        "        await p.set_result(42)\n"
        "        async for one in m.map('checksum', ['a', 'b'], window=1000):\n"
        "            print(one)\n"
        "        await asyncio.wait_for(muster.shield(a), 1)\n"
        "        return len(values)\n"
        "with muster.Executor('localhost:7411') as pool:\n"
        "    print(pool.submit('echo', 1).result())\n"
        "raise SystemExit(asyncio.run(main()))\n"
    )
    argv = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--python-executable", str(installed / "bin" / "python")]
    run([*argv, str(program)], env=environment, cwd=tmp_path)
    program.write_text("import muster\nmuster.connect(7411)\n")
    wrong = subprocess.run([*argv, str(program)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT)
    assert wrong.returncode == 1 and 'expected "str"' in wrong.stdout, "and sees what is wrong in one"
