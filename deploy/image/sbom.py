#!/usr/bin/env python3
"""The list of what is in the image, CycloneDX 1.5; `sbom.py FILE` prints a summary of such a list.

Imported by collect.py, which says where the files are from. A component is marked by the property `muster:part`:
`shipped` packages have files in the image, those `compiled in` gave headers or static libraries to the programs.
"""

import json
import pathlib
import subprocess
import sys

PATH = "/usr/share/muster/sbom.cdx.json"


class Packages:
    """Debian's packages in this stage of the build: who owns which file, in which version."""

    def __init__(self, database="/var/lib/dpkg/info"):
        self._owner = {}
        for listing in pathlib.Path(database).glob("*.list"):
            for path in listing.read_text().splitlines():
                self._owner[path] = listing.name[: -len(".list")]
        self._fields = {}
        form = "${binary:Package}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"
        text = subprocess.run(["dpkg-query", "-W", "-f", form], check=True, capture_output=True, text=True).stdout
        for line in text.splitlines():
            key, *fields = line.split("\t")
            self._fields[key] = fields
        release = pathlib.Path("/etc/os-release").read_text().splitlines()
        self.distribution = dict(line.split("=", 1) for line in release if "=" in line)

    def owner(self, path):
        """The package of a file, also of one that Debian lists below /lib and that lies below /usr/lib."""
        for name in (path, path[len("/usr") :] if path.startswith("/usr/") else "/usr" + path):
            if name in self._owner:
                return self._owner[name]
        return None

    def owners(self, paths):
        return {owner for owner in map(self.owner, paths) if owner is not None}

    def fields(self, package):
        """name, version, architecture, source package, its version"""
        return self._fields[package] if package in self._fields else self._fields[package.partition(":")[0]]

    def status(self, package):
        return subprocess.run(["dpkg-query", "-s", package], check=True, capture_output=True, text=True).stdout


def package(packages, key, part, files):
    """The component of one Debian package; `files` is path -> SHA-256 of those that the image has."""
    name, version, architecture, source, source_version = packages.fields(key)
    distribution = packages.distribution.get("ID", "debian").strip('"')
    release = packages.distribution.get("VERSION_ID", "").strip('"')
    component = {
        "type": "library",
        "bom-ref": f"deb:{name}",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/{distribution}/{name}@{version.replace('+', '%2B').replace(':', '%3A')}"
        f"?arch={architecture}&distro={distribution}-{release}",
        "properties": [
            {"name": "muster:part", "value": part},
            {"name": "muster:source", "value": f"{source} {source_version}"},
        ],
    }
    if files:
        component["components"] = [
            {"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": digest}]}
            for path, digest in sorted(files.items())
        ]
    return component


def read_contents(path):
    """What grpc.sh built from source: a line each of name, version and purl."""
    file = pathlib.Path(path)
    lines = file.read_text().splitlines() if file.exists() else []
    return [
        {
            "type": "library",
            "bom-ref": f"source:{name}",
            "name": name,
            "version": version,
            "purl": purl,
            "properties": [{"name": "muster:part", "value": "compiled in"}],
        }
        for name, version, purl in map(str.split, lines)
    ]


def document(serial, version, revision, created, programs, packages, sources):
    components = sorted([*packages, *sources], key=lambda component: component["bom-ref"])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "component": {
                "type": "container",
                "bom-ref": "muster",
                "name": "muster",
                "version": version,
                "purl": f"pkg:oci/muster@{version}",
                "properties": [{"name": "muster:revision", "value": revision}],
            },
        },
        "components": [
            {
                "type": "application",
                "bom-ref": f"program:{path}",
                "name": path.rpartition("/")[2],
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "components": [{"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": digest}]}],
            }
            for path, digest in sorted(programs.items())
        ]
        + components,
        "dependencies": [
            {"ref": "muster", "dependsOn": sorted(f"program:{path}" for path in programs)},
            *(
                {"ref": f"program:{path}", "dependsOn": [component["bom-ref"] for component in components]}
                for path in sorted(programs)
            ),
        ],
    }


def to_text(content):
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def summary(content):
    """A few lines for people: how much there is, and the versions that one asks for first."""
    parts = {"shipped": [], "compiled in": []}
    for component in content["components"]:
        for entry in component.get("properties", []):
            if entry["name"] == "muster:part":
                parts[entry["value"]].append(component)
    files = sum(len(component.get("components", [])) for component in content["components"])
    version = {component["name"]: component["version"] for component in content["components"]}
    lines = [
        f"{len(content['components'])} components: musterd and muster {version['musterd']}, {len(parts['shipped'])} "
        f"packages with {files - 2} files, {len(parts['compiled in'])} more that are compiled in",
    ]
    wanted = ("grpc", "libgrpc++1", "libprotobuf", "librocksdb", "libssl", "libcurl", "libc6", "libstdc++6", "ca-cert")
    named = [f"{n} {v}" for n, v in sorted(version.items()) if n.startswith(wanted) and not n.endswith("-dev")]
    return "\n".join(lines + ["among them " + ", ".join(named)])


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        sys.exit(0 if len(sys.argv) == 2 else 2)
    print(summary(json.loads(pathlib.Path(sys.argv[1]).read_text())))
