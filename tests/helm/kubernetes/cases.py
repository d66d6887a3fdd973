"""What happens to a release in its life; each case of cluster_test.py."""

import json
import os
import signal
import subprocess
import time

import yaml
from cluster import must, until
from cluster_test import CHART, NAMESPACE, expect

CASES = []


def case(function):
    CASES.append(function)
    return function


# -- before anything is half installed


@case
def a_server_accepts_all_that_the_chart_makes_in_a_restricted_namespace(lab):
    """Each file of values that the chart is rendered with elsewhere."""
    files = [name for name in sorted(os.listdir(os.path.join(CHART, "ci"))) if name.endswith("-values.yaml")]
    expect(len(files) > 5, f"{files}")
    for name in files:
        lab.accepts(name, monitoring=False)


@case
def a_monitor_without_its_definition_is_refused_and_nothing_is_made(lab):
    release = lab.release("early", "metrics.serviceMonitor.enabled=true", volume=False)
    out = release.helm("install", code=1)
    expect('no matches for kind "ServiceMonitor"' in out, out)
    expect(not lab.objects_of(release), f"half installed: {lab.objects_of(release)}")
    expect(release.name not in lab.helm("list", "-a", "-q"), "a release is left")


@case
def a_secret_that_is_missing_is_refused_and_nothing_is_made(lab):
    release = lab.release("secretless", "tls.enabled=true", "tls.existingSecret=nowhere", volume=False)
    out = release.helm("install", code=1)
    expect(f'there is no Secret "nowhere" in namespace "{NAMESPACE}"' in out and "kubectl" in out, out)
    expect(not lab.objects_of(release), f"half installed: {lab.objects_of(release)}")
    lab.cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", "nowhere", "--from-literal=tls.crt=x")
    out = release.helm("install", code=1)
    expect('the Secret "nowhere" has no key "tls.key"' in out, out)


# -- a release that works


@case
def it_is_installed_tested_and_the_notes_are_right(lab):
    release = lab.release("muster")
    notes = release.install()
    release.kubectl("rollout", "status", f"statefulset/{release.full}", "--timeout=30s")
    expect(f"exec {release.pod} -- muster call echo" in notes, notes)
    answer = release.kubectl("exec", release.pod, "--", "muster", "call", "echo", '{"hello": "world"}')
    expect(json.loads(answer) == {"hello": "world"}, answer)
    answer = release.client("call", "echo", "7")
    expect(answer.strip() == "7", answer)
    forward = f"port-forward service/{release.full} 7411"
    expect(forward in notes, notes)
    with subprocess.Popen([lab.cluster.kube, "kubectl", "-n", NAMESPACE, *forward.split()], env=lab.cluster.environment,
                          stdout=subprocess.DEVNULL) as process:
        try:
            call = [lab.muster, "--server", "localhost:7411", "call", "echo", '{"hello": "world"}', "--timeout=20s"]
            expect(json.loads(must(call)) == {"hello": "world"}, "no answer by way of the forwarded port")
        finally:
            process.terminate()
    out = lab.helm("test", release.name, "--logs", "--timeout=60s")
    expect("Phase:          Succeeded" in out and '{"from":"helm test"}' in out.replace(": ", ":"), out)
    owner = os.stat(next(_claims(lab)))
    expect(owner.st_gid == 65532, f"the volume is not opened for the group: {owner}")
    container = release.state()["status"]["containerStatuses"][0]
    expect(container["restartCount"] == 0, release.story())


def _claims(lab):
    for volume in lab.cluster.get("pv")["items"]:
        if volume["status"]["phase"] == "Bound":
            yield volume["spec"]["local"]["path"]


@case
def an_upgrade_under_load_rolls_the_pod_and_loses_nothing(lab):
    release = lab.release("muster")
    release.install()
    first = release.uid()
    with release.under_load("upgrade"):
        release.upgrade("config.log.level=debug")
        expect(release.uid() != first, "a changed configuration made no new pod")
    second = release.uid()
    release.upgrade("config.log.level=debug", "service.annotations.a=b")
    expect(release.uid() == second, "what the pod does not see has made a new one")
    with release.under_load("rollback"):
        lab.helm("rollback", release.name, "1", "--wait", "--timeout=90s")
        expect(release.uid() != second, "the rollback made no new pod")


@case
def a_drained_node_and_a_killed_process_lose_nothing(lab):
    release = lab.release("muster", "podDisruptionBudget.enabled=true")
    release.install()
    first = release.uid()
    with release.under_load("drain"):
        lab.cluster.kubectl("drain", "node", "--timeout=60s")
        expect(release.uid() != first, "the pod was not evicted")
        lab.cluster.kubectl("uncordon", "node")
        release.wait_ready()
    with release.under_load("kill -9"):
        os.kill(release.process(), signal.SIGKILL)
        until(lambda: release.restarts() == 1, release.story)
        release.wait_ready()


@case
def a_process_that_hangs_is_restarted_by_its_liveness_probe(lab):
    release = lab.release("muster", "probes.liveness.periodSeconds=1", "probes.liveness.timeoutSeconds=1",
                          "probes.liveness.failureThreshold=3", "drain.graceSeconds=1")
    release.install()
    future = release.client("submit", "echo", "5").strip()
    os.kill(release.process(), signal.SIGSTOP)
    until(lambda: not release.is_ready(), "it is no longer ready", 20)
    until(lambda: release.restarts() == 1, release.story, 60)
    release.wait_ready()
    expect("5" in release.client("gather", future), "the future is gone")


@case
def a_server_that_drains_is_not_ready_and_ends_with_its_job(lab):
    release = lab.release("muster", "drain.preStopSeconds=0", "drain.graceSeconds=20")
    release.install()
    release.client("submit", "sleep", '{"seconds": 8}')
    first, begin = release.uid(), time.monotonic()
    release.kubectl("delete", "pod", release.pod, "--wait=false")
    until(lambda: not release.is_ready(), "a draining server is not ready", 10)
    until(lambda: release.uid() != first, "the pod ends", 40)
    took = time.monotonic() - begin
    expect(7 < took < 20, f"it took {took:.1f} s: not as long as its job, or cut short")
    release.wait_ready()


@case
def what_was_stopped_or_uninstalled_finds_its_futures_again(lab):
    release = lab.release("muster")
    release.install()
    future = release.client("submit", "echo", "42", "--retention=1h").strip()
    release.upgrade("replicaCount=0")
    until(lambda: not release.state(), "no pod is left")
    release.upgrade("replicaCount=1")
    expect("42" in release.client("gather", future), "gone after replicaCount=0")
    lab.helm("uninstall", release.name, "--wait")
    claim = f"PersistentVolumeClaim/store-{release.pod}"
    until(lambda: lab.objects_of(release) == [claim], lambda: str(lab.objects_of(release)))
    release.install()
    expect("42" in release.client("gather", future), "gone after it was uninstalled")


@case
def tls_with_a_secret_is_served_and_the_probes_have_their_own_port(lab):
    folder = lab.cluster.folder
    cert, key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
    release = lab.release("muster")
    release.install()
    address = release.server.rsplit(":", 1)[0]
    _certificate(cert, key, address)
    lab.cluster.kubectl("-n", NAMESPACE, "create", "secret", "tls", "muster-tls", f"--cert={cert}", f"--key={key}")
    notes = release.upgrade("tls.enabled=true", "tls.existingSecret=muster-tls")
    expect("--ca" in notes and "WARNING: TLS is off" not in notes, notes)
    expect(release.client("--ca", cert, "call", "echo", "7").strip() == "7", "no answer over TLS")
    release.client("call", "echo", "7", code=7)
    out = lab.helm("test", release.name, "--logs", "--timeout=60s")
    expect("SERVING" in out, out)
    expect(f"exec {release.pod} -- muster health" in notes, notes)
    for more in ([], ["--live"]):
        health = release.kubectl("exec", release.pod, "--", "muster", "health", *more)
        expect(health.strip() == "SERVING", health)
    # A renewed certificate: the kubelet takes up to a minute and a half to write it.
    _certificate(cert + "2", key + "2", address)
    secret = lab.cluster.kubectl("-n", NAMESPACE, "create", "secret", "tls", "muster-tls", f"--cert={cert}2", f"--key={key}2",
                                 "--dry-run=client", "-o", "json")
    lab.cluster.kubectl("replace", "-n", NAMESPACE, "-f", "-", input=secret)
    first = release.uid()
    until(lambda: _answers(lab, release, cert + "2"), "the renewed certificate is taken up", 120, 2)
    expect(release.uid() == first and release.restarts() == 0, "it took a new pod")


def _answers(lab, release, cert):
    done = subprocess.run([lab.muster, "--server", release.server, "--ca", cert, "call", "echo", "7", "--timeout=3s"],
                          capture_output=True, check=False, timeout=30)
    return done.returncode == 0


def _certificate(cert, key, address):
    must(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
          "/CN=muster", "-addext", f"subjectAltName=DNS:localhost,IP:{address}", "-keyout", key, "-out", cert])


@case
def a_backup_is_made_and_restored_as_the_page_says(lab):
    with open(os.path.join(CHART, "..", "..", "docs", "how-to", "kubernetes.md"), encoding="utf-8") as page:
        blocks = [each.split("```", 1)[0] for each in page.read().split("```yaml\n")[1:]]
    pod = yaml.safe_load(next(block for block in blocks if "kind: Pod" in block))
    release = lab.release("muster")
    release.install()
    kept = release.client("submit", "echo", "42", "--retention=1h").strip()
    reuse = ["upgrade", release.name, CHART, "--reuse-values", "--wait", "--timeout=90s"]
    lab.helm(*reuse, "--set", "config.store.backup_dir=/var/lib/muster")
    release.kubectl("exec", release.pod, "--", "muster", "admin", "backup", "monday")
    later = release.client("submit", "echo", "43", "--retention=1h").strip()
    lab.helm(*reuse, "--set", "replicaCount=0")
    until(lambda: not release.state(), "no pod is left")
    pod["spec"]["containers"][0].update(image=lab.image, imagePullPolicy="Never")
    pod["metadata"]["namespace"] = NAMESPACE
    lab.cluster.apply(pod)
    release.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/muster-restore", "--timeout=60s")
    lab.helm(*reuse, "--set", "replicaCount=1", "--set", "persistence.folder=restored")
    expect("42" in release.client("gather", kept), "what was in the backup is gone")
    refusal = release.client("get", later, code=None)
    expect("43" not in refusal, f"what came after the backup is there: {refusal}")


# -- bad input


@case
def a_configuration_that_musterd_refuses_is_named_in_the_log(lab):
    release = lab.release("wrong", "config.http.allow_private={nonsense}")
    release.helm("install")
    until(lambda: release.restarts() >= 1 or "nonsense" in release.log(), release.story)
    log = release.log() + release.log("--previous")
    expect("http.allow_private" in log and "nonsense" in log, log)
    # Whoever looks at the pod alone reads it, too.
    until(lambda: "nonsense" in release.kubectl("describe", "pod", release.pod), release.story)


@case
def a_pod_that_never_was_ready_is_replaced_by_a_rollback_and_by_mended_values(lab):
    """With podManagementPolicy OrderedReady it would stay, and both would wait for it. (Not if the configuration alone was
    wrong: its container is started again with the mended one.)"""
    release = lab.release("muster")
    release.install()
    future = release.client("submit", "echo", "42").strip()
    for mend in (lambda: lab.helm("rollback", release.name, "--wait", "--timeout=60s"),
                 lambda: release.upgrade("config.http.allow_private={10.0.0.0/8}")):
        release.helm("upgrade", values=["image.tag=nowhere", "config.http.allow_private={nonsense}"])
        until(lambda: "ErrImageNeverPull" in json.dumps(release.state()), release.story)
        mend()
        release.wait_ready()
        expect("42" in release.client("gather", future), "gone")


@case
def reused_values_stay_what_they_were(lab):
    """Helm keeps values as JSON: a large number must not come back as 2e+06, nor the pod be started anew."""
    release = lab.release("muster", "config.limits.pending_futures_max=2000000", "config.limits.wait_members_max=30000000")
    release.install()
    first = release.uid()
    lab.helm("upgrade", release.name, CHART, "--reuse-values", "--set", "service.annotations.a=b", "--wait")
    expect(release.uid() == first, "the same configuration made a new pod")
    info = release.client("info")
    expect("2000000" in info.replace(",", ""), info)


@case
def a_larger_volume_is_refused_by_kubernetes_and_the_way_in_upgrading_works(lab):
    release = lab.release("muster")
    release.install()
    first = release.uid()
    out = release.helm("upgrade", values=["persistence.size=9Gi"], code=1)
    expect("Forbidden" in out and "updates to statefulset spec" in out, out)
    expect(release.uid() == first and release.is_ready(), "the pod suffered")
    release.kubectl("delete", "statefulset", release.full, "--cascade=orphan")
    release.upgrade("persistence.size=9Gi")
    expect(release.uid() == first, "the pod was started anew for nothing")
    expect(release.client("call", "echo", "7").strip() == "7", "no answer")


@case
def two_releases_on_one_claim_are_kept_apart_by_the_store(lab):
    first = lab.release("muster")
    first.install()
    second = lab.release("second", f"persistence.existingClaim=store-{first.pod}", volume=False)
    second.helm("install")
    until(lambda: "in use by another server" in second.log() + second.log("--previous"), second.story)
    expect(first.client("call", "echo", "7").strip() == "7", "the first one has been disturbed")


@case
def a_volume_that_the_group_cannot_write_is_named_in_the_log(lab):
    release = lab.release("closed", "podSecurityContext.fsGroup=null")
    release.helm("install")
    until(lambda: "Permission denied" in release.log() + release.log("--previous"), release.story)
    expect("/var/lib/muster/store" in release.log() + release.log("--previous"), release.log())


@case
def a_volume_that_is_read_only_is_named_in_the_log_and_in_the_pod(lab):
    release = lab.release("readonly", disk="ro")
    release.helm("install")
    said = "/var/lib/muster/store: Read-only file system"
    until(lambda: said in release.kubectl("describe", "pod", release.pod, code=None), release.story)
    expect(said in release.log() + release.log("--previous"), release.story())


@case
def a_disk_that_is_smaller_than_its_claim_says_refuses_work_and_stays_up(lab):
    release = lab.release("muster", disk="size=100m")
    release.install()
    refusal = release.client("submit", "echo", "7", "--timeout=3s", code=None)
    expect("STORE_FULL" in refusal, refusal)
    expect(release.is_ready() and release.restarts() == 0, release.story())
    release.upgrade("config.store.free_bytes_min=16MiB")
    release.client("submit", "echo", "7")


# -- with the Prometheus operator's definitions


@case
def monitors_rules_and_dashboards_are_accepted_by_their_definitions(lab):
    lab.cluster.kubectl("apply", "--server-side", *lab.definitions(), timeout=120)
    lab.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    release = lab.release("muster", "metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true",
                          "metrics.serviceMonitor.labels.release=prometheus", "grafana.dashboards.enabled=true")
    release.install()
    monitor = lab.cluster.get("servicemonitor", release.full, "-n", NAMESPACE)
    expect(monitor["metadata"]["labels"]["release"] == "prometheus", str(monitor["metadata"]))
    selected = lab.cluster.get("service", "-n", NAMESPACE, "-l", ",".join(
        f"{key}={value}" for key, value in monitor["spec"]["selector"]["matchLabels"].items()))["items"]
    expect(len(selected) == 1, f"the monitor selects {[each['metadata']['name'] for each in selected]}")
    rules = lab.cluster.get("prometheusrule", release.full, "-n", NAMESPACE)["spec"]["groups"]
    alerts = [rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule]
    expect("MusterTargetDown" in alerts, str(alerts))
    boards = lab.cluster.get("configmap", "-n", NAMESPACE, "-l", "grafana_dashboard=1")["items"]
    expect(len(boards) == 3, f"{len(boards)} dashboards")
    lab.accepts("monitoring-values.yaml", monitoring=True)
    lab.accepts("podmonitor-values.yaml", monitoring=True)
