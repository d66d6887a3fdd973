"""A real Kubernetes of one node: etcd, control plane, kubelet, kube-proxy and containerd, in namespaces of its own.

`enter()` starts the program again in new network, mount and process namespaces: addresses, rules of iptables and mounts
are gone when it ends, and so is every process. What is not namespaced is looked after: a kubelet sets some of the
machine's sysctls, so it gets files to write to instead; its control groups lie below one of their own, which is removed.

What it is not: the network enforces no NetworkPolicy, and there is one node.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid

ADDRESS = "10.200.0.1"  # the node's, on its loopback device; everything is in a network namespace
PODS, SERVICES, DNS_ZONE = "10.244.0.0/24", "10.96.0.0/16", "cluster.local"
PROGRAMS = {"containerd": "containerd", "runc": "runc", "iptables": "iptables", "conntrack": "conntrack", "ip": "iproute2",
            "unshare": "util-linux", "podman": "podman", "openssl": "openssl"}
CNI_PLUGINS = "/usr/lib/cni"
# What a kubelet insists on; see setupKernelTunables in its sources.
SYSCTLS = {"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
           "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000"}
ENTERED, FOLDER = "MUSTER_CLUSTER_GROUP", "MUSTER_CLUSTER_FOLDER"
PAUSE = "localhost/muster-test-pause:1"


def missing():
    """Why no cluster can be had on this machine, or an empty text."""
    if os.geteuid():
        return "a cluster needs root: it makes namespaces and control groups"
    lacking = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if not os.path.exists(os.path.join(CNI_PLUGINS, "ptp")):
        lacking.append("containernetworking-plugins")
    return f"not installed: {' '.join(lacking)}" if lacking else ""


def enter(programs, images):
    """Returns the folder to use, in new namespaces; the outer program ends with the inner one's status, and clears up.

    What is podman's is done outside: in another process namespace it would take its containers for dead.
    """
    if os.environ.get(ENTERED):
        return os.environ[FOLDER]
    group = f"muster-cluster-{os.getpid()}"
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
               sys.executable, *sys.argv]
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        os.chmod(folder, 0o755)
        save_images(folder, programs, images)
        try:
            code = subprocess.run(command, env={**os.environ, ENTERED: group, FOLDER: folder}, check=False).returncode
        finally:
            remove_groups(group)
    sys.exit(code)


def save_images(folder, programs, images):
    tar = os.path.join(folder, "pause.tar")
    must(["tar", "-C", programs, "-cf", tar, "pause"])
    must(["podman", "import", "-q", "--change", 'ENTRYPOINT ["/pause"]', tar, PAUSE])
    for number, image in enumerate([PAUSE, *images]):
        must(["podman", "save", "-q", "-o", os.path.join(folder, f"image-{number}.tar"), image], timeout=300)
    must(["podman", "rmi", PAUSE])


def remove_groups(group):
    """Its processes are gone with their namespace, the last ones perhaps a moment ago."""
    for _ in range(20):
        left = []
        for parent, _, _ in os.walk("/sys/fs/cgroup", topdown=False):
            if group in parent.split("/"):
                try:
                    os.rmdir(parent)
                except OSError as problem:
                    left.append(f"{parent} is left: {problem.strerror}")
        if not left:
            return
        time.sleep(0.5)
    print("\n".join(left), file=sys.stderr)


def output_of(command, timeout=60, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **more)
    return done.returncode, done.stdout, done.stderr


def must(command, timeout=120, **more):
    code, out, err = output_of(command, timeout, **more)
    if code:
        raise RuntimeError(f"{' '.join(command[:6])}: {code}: {(err or out).strip()[-2000:]}")
    return out


def until(truth, what, seconds=60, pause=0.3):
    """Waits for truth() and returns it; what() or a text says what it was about when it never comes."""
    deadline = time.monotonic() + seconds
    while True:
        value = truth()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(pause)


class Cluster:
    """Started by `with`; `kubectl` and `environment` (KUBECONFIG) are for whoever uses it."""

    def __init__(self, programs, folder):
        self.kube = os.path.join(programs, "kube")
        self.folder = folder
        self.group = os.environ[ENTERED]
        self.kubeconfig = self._path("kubeconfig")
        self.environment = {**os.environ, "KUBECONFIG": self.kubeconfig, "HOME": folder}
        self.containerd = self._path("containerd.sock")
        self._running = {}

    def _path(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self._path(name)

    def __enter__(self):
        try:
            self._prepare_machine()
            self._start_runtime()
            self._start_control_plane()
            self._start_node()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for name in reversed(list(self._running)):
            self._running[name].terminate()
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    # -- parts

    def _prepare_machine(self):
        must(["ip", "link", "set", "lo", "up"])
        must(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"])
        # kube-proxy gives such a connection another end, but without a way it is not even tried.
        must(["ip", "route", "add", SERVICES, "dev", "lo", "src", ADDRESS])
        for name, value in SYSCTLS.items():
            if os.path.exists(f"/proc/sys/{name}"):
                must(["mount", "--bind", self._write(f"sysctl/{name.replace('/', '.')}", value), f"/proc/sys/{name}"])
        kubelet = os.path.dirname(self._path("kubelet", "x"))
        must(["mount", "--bind", kubelet, kubelet])
        must(["mount", "--make-rshared", kubelet])
        # The sockets of containerd's shims lie here, whatever its configuration says.
        os.makedirs("/run/containerd", exist_ok=True)
        must(["mount", "-t", "tmpfs", "none", "/run/containerd"])
        for controller in self._controllers():
            os.makedirs(os.path.join(controller, self.group), exist_ok=True)

    @staticmethod
    def _controllers():
        """The folders that a group has to be made in: one, or one a controller in the old layout."""
        root = "/sys/fs/cgroup"
        if os.path.exists(os.path.join(root, "cgroup.controllers")):
            return [root]
        return [os.path.join(root, name) for name in os.listdir(root) if name not in ("unified",)]

    def start(self, name, command, **more):
        log = open(self._path("logs", name), "ab")  # pylint: disable=consider-using-with
        self._running[name] = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment, **more)

    def _until_up(self, name, truth, seconds=60):
        def check():
            if self._running[name].poll() is not None:
                raise RuntimeError(f"{name} has ended:\n{self.log_of(name)}")
            return truth()

        until(check, lambda: f"{name} is up:\n{self.log_of(name)}", seconds)

    def log_of(self, name):
        with open(self._path("logs", name), encoding="utf-8", errors="replace") as log:
            return log.read()[-3000:]

    def _start_runtime(self):
        plugin = {"cniVersion": "0.4.0", "name": "pods", "plugins": [{
            "type": "ptp", "ipMasq": False,
            "ipam": {"type": "host-local", "dataDir": self._path("cni-data"), "ranges": [[{"subnet": PODS}]],
                     "routes": [{"dst": "0.0.0.0/0"}]}}, {"type": "portmap", "capabilities": {"portMappings": True}}]}
        self._write("cni/10-pods.conflist", json.dumps(plugin))
        config = self._write("containerd.toml", f"""
version = 2
root = "{self._path('containerd-root')}"
state = "{self._path('containerd-state')}"
[grpc]
address = "{self.containerd}"
[plugins."io.containerd.internal.v1.opt"]
path = "{self._path('containerd-opt')}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{self._path('cni')}"
""")
        self.start("containerd", ["containerd", "--config", config])
        self._until_up("containerd", lambda: output_of(["ctr", "-a", self.containerd, "version"])[0] == 0)
        for name in os.listdir(self.folder):
            if name.startswith("image-"):
                must(["ctr", "-a", self.containerd, "-n", "k8s.io", "images", "import", self._path(name)], timeout=300)

    def _start_control_plane(self):
        self.start("etcd", [self.kube, "etcd", "--dir", self._path("etcd")])
        token = uuid.uuid4().hex
        tokens = self._write("tokens.csv", f'{token},admin,admin,"system:masters"\n')
        self._write("kubeconfig", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": f"https://{ADDRESS}:6443", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "default"}}]}))
        key = self._path("service-accounts.key")
        must(["openssl", "genrsa", "-out", key, "2048"])
        self._until_up("etcd", lambda: self._answers("127.0.0.1", 2379))
        self.start("apiserver", [
            self.kube, "apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--cert-dir={self._path('certs')}",
            f"--bind-address={ADDRESS}", f"--advertise-address={ADDRESS}", f"--service-cluster-ip-range={SERVICES}",
            f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--allow-privileged",
            "--service-account-issuer=https://cluster.invalid", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP"])
        self._until_up("apiserver", lambda: output_of([self.kube, "kubectl", "get", "--raw=/readyz"],
                                                      env=self.environment)[0] == 0, 120)
        self.start("controller-manager", [
            self.kube, "controller-manager", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false",
            f"--service-account-private-key-file={key}", "--use-service-account-credentials=false"])
        self.start("scheduler", [self.kube, "scheduler", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false"])

    def _start_node(self):
        resolv = self._write("resolv.conf", "")
        config = self._write("kubelet.json", json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"}, "address": ADDRESS,
            "containerRuntimeEndpoint": f"unix://{self.containerd}", "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.group}", "enforceNodeAllocatable": [], "failSwapOn": False, "failCgroupV1": False,
            "clusterDNS": [ADDRESS], "clusterDomain": DNS_ZONE, "resolvConf": resolv, "makeIPTablesUtilChains": False,
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%",
                             "nodefs.inodesFree": "0%", "imagefs.inodesFree": "0%"},
            "imageGCHighThresholdPercent": 100, "registerNode": True, "podLogsDir": self._path("pod-logs"),
            "volumePluginDir": self._path("volume-plugins")}))
        self.start("kubelet", [
            self.kube, "kubelet", f"--config={config}", f"--kubeconfig={self.kubeconfig}", "--hostname-override=node",
            f"--node-ip={ADDRESS}", f"--root-dir={self._path('kubelet')}", f"--cert-dir={self._path('kubelet-certs')}"])
        proxy = self._write("proxy.json", json.dumps({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables",
            "clientConnection": {"kubeconfig": self.kubeconfig}, "clusterCIDR": PODS, "hostnameOverride": "node",
            "conntrack": {"maxPerCore": 0, "min": 0}, "healthzBindAddress": f"{ADDRESS}:10256"}))
        self._until_up("kubelet", lambda: '"Ready"' in output_of(
            [self.kube, "kubectl", "get", "node", "node", "-o",
             'jsonpath="{.status.conditions[?(@.status=="True")].type}"'], env=self.environment)[1], 120)
        self.start("proxy", [self.kube, "proxy", f"--config={proxy}"])
        self.start("dns", [self.kube, "dns", f"--listen={ADDRESS}:53", f"--kubeconfig={self.kubeconfig}"])

    @staticmethod
    def _answers(host, port):
        try:
            with socket.create_connection((host, port), timeout=1):
                return True
        except OSError:
            return False

    # -- for those who use it

    def kubectl(self, *arguments, code=0, timeout=120, **more):
        done, out, err = output_of([self.kube, "kubectl", *arguments], timeout, env=self.environment, **more)
        if code is not None and done != code:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done}: {(err or out).strip()[-2000:]}")
        return out if code is not None else out + err

    def apply(self, *objects):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "-f", "-", input=text)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def volume(self, name, size="9Gi", disk=""):
        """A volume of class `local` that belongs to root, as storage usually comes: only fsGroup opens it. `disk` gives it a
        disk of its own, by options of a tmpfs such as `size=100m` or `ro`."""
        folder = os.path.dirname(self._path("volumes", name, "x"))
        if disk:
            must(["mount", "-t", "tmpfs", "-o", f"mode=755,{disk}", "none", folder])
        self.apply({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "local",
                     "persistentVolumeReclaimPolicy": "Retain", "local": {"path": folder},
                     "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                         {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node"]}]}]}}}})
