#!/usr/bin/env python3
"""Collects what programs need to run into a folder that becomes the image, and writes the list of its contents.

usage: collect.py --root DIR --store DIR --version V --revision R --created T --license FILE --config FILE
                  --headers FILE PROGRAM...

Runs in a stage of the build, on Debian. The folder gets the programs, the shared libraries that the loader finds for
them, the certificates of the authorities, a user, and for every package a file comes from its copyright notice and its
entry in the form that scanners of images read (var/lib/dpkg/status.d). A file that no package owns and that is not
made here stops the build, so that the list (usr/share/muster/sbom.cdx.json, CycloneDX 1.5) is whole.
"""

import argparse
import calendar
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time
import uuid

import sbom

USER = 65532
PASSWD = f"root:x:0:0:root:/:/sbin/nologin\nmuster:x:{USER}:{USER}:muster:/var/lib/muster:/sbin/nologin\n"
GROUP = f"root:x:0:\nmuster:x:{USER}:\n"
# Names first from /etc/hosts, then from DNS; both are in libc itself.
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def loaded_by(program):
    """The shared libraries of a program, as the loader finds them, and the loader."""
    text = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    missing = re.findall(r"^\s*(\S+) => not found", text, re.MULTILINE)
    if missing:
        raise SystemExit(f"collect: {program} needs {', '.join(missing)}, which the build stage does not have")
    return sorted(set(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", text, re.MULTILINE)))


class Root:
    """The folder that becomes the image."""

    def __init__(self, path, stamp):
        self.path = pathlib.Path(path)
        self.stamp = stamp
        self.copied = {}  # path in the image -> the file of the build stage that it is a copy of
        self.made = []  # paths in the image that were written here

    def copy(self, source):
        """Copies a file to its own place, with the links that lead to it."""
        source = os.path.normpath(source)
        # Debian's /lib and /lib64 are links to folders below /usr: keep the links, copy below /usr.
        folder = os.path.realpath(os.path.dirname(source))
        first = source.split("/")[1]
        if os.path.islink("/" + first) and not os.path.lexists(self.path / first):
            (self.path / first).symlink_to(os.readlink("/" + first))
        place = os.path.join(folder, os.path.basename(source))
        target = self.path / place.lstrip("/")
        if os.path.lexists(target):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.islink(place):
            target.symlink_to(os.readlink(place))
            self.copy(os.path.join(folder, os.readlink(place)))
        else:
            shutil.copyfile(place, target)
            target.chmod(0o755 if os.access(place, os.X_OK) else 0o644)
            self.copied[place] = place

    def put(self, path, content, mode=0o644):
        """A file that no package owns: text, or a path to copy from."""
        target = self.path / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pathlib.Path):
            shutil.copyfile(content, target)
        else:
            target.write_text(content)
        target.chmod(mode)
        self.made.append(path)

    def finish(self):
        """The same inputs give the same bytes: no time of the build in there."""
        for folder, folders, files in os.walk(self.path, topdown=False):
            for name in files + folders:
                os.utime(os.path.join(folder, name), (self.stamp, self.stamp), follow_symlinks=False)
            os.utime(folder, (self.stamp, self.stamp))


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("root", "store", "version", "revision", "created", "license", "config", "headers"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    stamp = calendar.timegm(time.strptime(options.created, "%Y-%m-%dT%H:%M:%SZ"))

    root = Root(options.root, stamp)
    packages = sbom.Packages()
    for program in options.programs:
        root.put("/usr/bin/" + os.path.basename(program), pathlib.Path(program), 0o755)
        for library in loaded_by(program):
            root.copy(library)
    root.put("/etc/passwd", PASSWD)
    root.put("/etc/group", GROUP)
    root.put("/etc/nsswitch.conf", NSSWITCH)
    root.put("/etc/muster/musterd.yaml", pathlib.Path(options.config))
    root.put("/usr/share/doc/muster/copyright", pathlib.Path(options.license))
    root.copy("/etc/os-release")
    root.put(AUTHORITIES, pathlib.Path(AUTHORITIES))

    # Who owns what. The bundle of authorities is made when its package is installed, so no list of files has it.
    files_of = {"ca-certificates": [AUTHORITIES]}
    for path, source in root.copied.items():
        owner = packages.owner(source)
        if owner is None:
            raise SystemExit(f"collect: {source} belongs to no package, so the list of contents would miss it")
        files_of.setdefault(owner, []).append(path)
    compiled_in = packages.owners(pathlib.Path(options.headers).read_text().split()) - set(files_of)
    for package in files_of:
        name = package.partition(":")[0]
        root.put(f"/var/lib/dpkg/status.d/{name}", packages.status(package))
        root.put(f"/usr/share/doc/{name}/copyright", pathlib.Path(f"/usr/share/doc/{name}/copyright"))

    digest = {path: sha256(root.path / path.lstrip("/")) for paths in files_of.values() for path in paths}
    programs = {path: sha256(root.path / path.lstrip("/")) for path in root.made if path.startswith("/usr/bin/")}
    seed = "".join(sorted([*digest.values(), *programs.values()])) + options.version + options.created
    document = sbom.document(
        serial=str(uuid.uuid5(uuid.NAMESPACE_URL, seed)),
        version=options.version,
        revision=options.revision,
        created=options.created,
        programs=programs,
        packages=[sbom.package(packages, name, "shipped", {p: digest[p] for p in paths}) for name, paths in files_of.items()]
        + [sbom.package(packages, name, "compiled in", {}) for name in compiled_in],
        sources=sbom.read_contents("/opt/grpc/contents"),
    )
    root.put(sbom.PATH, sbom.to_text(document))
    root.finish()

    # Its parent is copied, so that the folder itself keeps this mode.
    store = pathlib.Path(options.store, "muster")
    store.mkdir(parents=True)
    store.chmod(0o770)
    os.utime(store, (stamp, stamp))
    print(f"collected {len(root.copied) + len(root.made)} files of {len(files_of)} packages and of muster itself")


if __name__ == "__main__":
    main()
