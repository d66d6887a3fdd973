"""What an image may and must hold: its configuration, and its files against its own list of contents."""

import hashlib
import json
import re
import tarfile

SBOM = "usr/share/muster/sbom.cdx.json"
LABELS = ("title", "description", "source", "documentation", "licenses", "version", "revision", "created")
# Written by the build or by the engine, so no package's; the list of contents is one of them.
OWN = re.compile(
    r"etc/(passwd|group|nsswitch\.conf|muster/musterd\.yaml|os-release|resolv\.conf|hosts|hostname|mtab)"
    r"|usr/lib/os-release|usr/share/doc/[^/]+/copyright|var/lib/dpkg/status\.d/[^/]+|" + re.escape(SBOM)
    + r"|\.dockerenv|run/\.containerenv|dev/(console|shm|pts)|etc/?|proc|sys|dev"
)
SHELLS = re.compile(r"(^|/)(ba|da|z|k|a)?sh$|busybox|(^|/)(apt|dpkg|perl|python)[^/]*$")


def expect(truth, message):
    if not truth:
        raise AssertionError(message)


def check_configuration(image):
    config = image.get("Config") or image["config"]
    expect(config["User"] == "65532:65532", f"user {config['User']}")
    expect(config["Entrypoint"] == ["/usr/bin/musterd"], config["Entrypoint"])
    expect(list(config["Volumes"]) == ["/var/lib/muster"], config["Volumes"])
    expect(set(config["ExposedPorts"]) == {"7411/tcp", "7412/tcp", "7413/tcp"}, config["ExposedPorts"])
    expect(config["StopSignal"] in ("SIGTERM", "15"), config["StopSignal"])
    expect("MUSTER_CONFIG=/etc/muster/musterd.yaml" in config["Env"], config["Env"])
    check = image.get("HealthCheck") or image.get("Healthcheck") or config.get("Healthcheck")
    expect(check and check["Test"][:3] == ["CMD", "/usr/bin/muster", "health"], f"health check {check}")
    labels = config["Labels"]
    for name in LABELS:
        expect(labels.get(f"org.opencontainers.image.{name}"), f"no label org.opencontainers.image.{name}")
    # What the builder's machine said about apt and the network stays there.
    told = json.dumps([config["Env"], image.get("History", [])])
    leak = re.search(r"https?_proxy|Acquire::|apt-conf=|https?://(?!(deb|security)\.debian\.org|github\.com)[^\"\s]+", told)
    expect(leak is None, f"the history or the environment tells of the builder's machine: {leak and leak[0]}")
    return f"version {labels['org.opencontainers.image.version']}, {labels['org.opencontainers.image.revision']}"


def check_files(path):
    """Each regular file is listed, with the digest that it has; each that is listed is there; nothing else can run."""
    found, problems = {}, []
    with tarfile.open(path) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if SHELLS.search(name) and not member.isdir() and not name.startswith(("var/lib/dpkg/status.d/", "usr/share/doc/")):
                problems.append(f"{name}: a shell, an interpreter or a package manager")
            if member.mode & 0o6000:
                problems.append(f"{name}: runs as its owner (mode {member.mode:o})")
            if member.isfile() and member.mode & 0o002:
                problems.append(f"{name}: anyone may write it")
            if name == "var/lib/muster":
                expect((member.uid, member.gid, member.mode & 0o777) == (65532, 0, 0o770),
                       f"the store's folder is {member.uid}:{member.gid} {member.mode:o}, not 65532:0 770")
                found[name] = ""
            elif member.isfile():
                data = tar.extractfile(member).read()
                found[name] = hashlib.sha256(data).hexdigest()
                if name == SBOM:
                    bom = json.loads(data)
    expect("var/lib/muster" in found, "no folder for the store")
    expect(SBOM in found, f"no {SBOM}")
    listed = {}
    for component in bom["components"]:
        expect(component.get("version"), f"no version of {component['name']}")
        for file in component.get("components", []):
            listed[file["name"].lstrip("/")] = file["hashes"][0]["content"]
    problems += [f"{name}: listed, but not there" for name in listed if name not in found]
    for name, digest in found.items():
        if name in listed:
            if listed[name] != digest:
                problems.append(f"{name}: not the bytes that are listed")
        elif name != "var/lib/muster" and not OWN.fullmatch(name):
            problems.append(f"{name}: not in the list of contents")
    expect(not problems, "; ".join(problems[:10]))
    expect({"usr/bin/musterd", "usr/bin/muster", "etc/ssl/certs/ca-certificates.crt"} <= set(listed), "programs, authorities")
    return f"{len(listed)} files listed, {len(found) - len(listed) - 1} notices and settings"
