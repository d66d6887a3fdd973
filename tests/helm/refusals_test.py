#!/usr/bin/env python3
"""What the chart refuses, and the words that it says: each sentence of its templates, and the schema.

usage: refusals_test.py [TEST...]
"""

import re
import unittest

import chart
from cluster import Cluster

VALIDATE = chart.CHART / "templates/_validate.tpl"

# Values that contradict one another: (values, what the refusal must say). Everything here passes the schema.
CONTRADICTIONS = [
    ({"replicaCount": 2}, ["replicaCount is 2", "one volume", "Use 1"]),
    ({"persistence.enabled": False}, ["persistence.enabled is false", "durability is sync", "durability=none"]),
    ({"persistence.enabled": False, "durability": "async"}, ["persistence.enabled is false", "durability is async"]),
    ({"tls.enabled": True}, ["tls.enabled needs tls.existingSecret", "tls.crt and tls.key"]),
    ({"tls.clientCAKey": "ca.crt"}, ["tls.clientCAKey is set while tls.enabled is false"]),
    ({"terminationGracePeriodSeconds": 54}, ["terminationGracePeriodSeconds is 54", "take up to 55", "graceSeconds 30"]),
    ({"terminationGracePeriodSeconds": 60, "drain.graceSeconds": 120},
     ["terminationGracePeriodSeconds is 60", "take up to 145", "drain.graceSeconds 120"]),
    ({"ports.admin": 7411}, ["grpc 7411, admin 7411 and probes 7413", "three different ports"]),
    ({"ports.probes": 7412}, ["admin 7412 and probes 7412"]),
    ({"persistence.size": "400Mi"}, ["persistence.size is 400Mi", "twice", "256MiB", "STORE_FULL"]),
    ({"persistence.size": "1G", "config.store.free_bytes_min": "1 gib"}, ["persistence.size is 1G", "1 gib"]),
    ({"config.store.bytes_max": "9GiB"}, ["config.store.bytes_max is 9GiB", "persistence.size (8Gi)"]),
    ({"config.store.bytes_max": 8589934593}, ["config.store.bytes_max is 8589934593", "persistence.size (8Gi)"]),
    ({"service.nodePort": 30000}, ["service.nodePort is 30000", "service.type is ClusterIP"]),
    ({"service.externalTrafficPolicy": "Local"}, ["service.externalTrafficPolicy is Local", "ClusterIP"]),
    ({"service.loadBalancerSourceRanges": ["10.0.0.0/8"]}, ["service.loadBalancerSourceRanges", "ClusterIP"]),
    ({"service.type": "NodePort", "service.loadBalancerClass": "own"}, ["service.loadBalancerClass", "NodePort"]),
    ({"podDisruptionBudget.enabled": True, "podDisruptionBudget.maxUnavailable": 0},
     ["podDisruptionBudget.maxUnavailable is 0", "no node could ever be drained"]),
    ({"metrics.prometheusRule.enabled": True, "metrics.prometheusRule.disabled": ["MusterDown"]},
     ["metrics.prometheusRule.disabled", "no alert MusterDown", "docs/runbooks"]),
    ({"metrics.serviceMonitor.enabled": True, "metrics.podMonitor.enabled": True}, ["both enabled", "counted twice"]),
]

# What only a cluster shows: (keys of the Secret muster-tls or None, value for tls.clientCAKey, what is said or None).
OF_THE_CLUSTER = [
    (None, "", ['there is no Secret "muster-tls" in namespace "shop"', "kubectl -n shop create secret tls muster-tls"]),
    (["tls.crt"], "", ['the Secret "muster-tls" has no key "tls.key"']),
    (["tls.crt", "tls.key"], "ca.crt", ['the Secret "muster-tls" has no key "ca.crt"']),
    (["tls.crt", "tls.key", "ca.crt"], "ca.crt", None),
    (["tls.crt", "tls.key"], "", None),
]

# What the chart sets itself in musterd's configuration: (key, value, what to use instead).
OF_THE_CHART = [
    ("grpc.listen", "0.0.0.0:1", "listenAddress and ports.grpc"), ("grpc.plaintext_listen", "0.0.0.0:1", "ports.probes"),
    ("admin.listen", "0.0.0.0:1", "listenAddress and ports.admin"), ("insecure", True, "tls.enabled"),
    ("tls.cert", "a", "tls.existingSecret"), ("tls.key", "a", "tls.existingSecret"),
    ("tls.client_ca", "a", "tls.clientCAKey"), ("durability", "none", "durability"),
    ("store.dir", "/tmp", "persistence.folder"), ("drain.grace", "1m", "drain.graceSeconds"), ("ready_file", "/tmp/a", "probes"),
    ("clock", "manual", "nothing: it is for tests"),
]

# One value that the schema refuses, and a word of what it expects.
BY_THE_SCHEMA = [
    ("replicas", 1, "replicas"), ("replicaCount", -1, "greater than or equal to 0"), ("replicaCount", "1", "integer"),
    ("replicaCount", 1.5, "integer"), ("replicaCount", None, "replicaCount"), ("image", "muster:1", "object"),
    ("image.name", "muster", "name"), ("image.pullPolicy", "always", "Always"), ("image.tag", 1.0, "string"),
    ("image.tag", "a b", "pattern"), ("image.digest", "sha256:12", "pattern"), ("image.repository", "", "pattern"),
    ("imagePullSecrets", ["registry"], "object"), ("imagePullSecrets", [{"nam": "a"}], "name"),
    ("fullnameOverride", "Muster", "pattern"), ("nameOverride", "a.b", "pattern"), ("commonLabels.a", 1, "string"),
    ("commonLabels", {"app.kubernetes.io/name": "a"}, "Property name"), ("podLabels", {"a": "b c"}, "pattern"),
    ("podLabels", {"app.kubernetes.io/component": "a"}, "Property name"), ("commonAnnotations", {"a b": "c"}, "Property name"),
    ("podAnnotations", {"a": True}, "string"), ("durability", "fsync", "async"), ("durability", None, "durability"),
    ("extraArgs", "--loops=2", "array"), ("extraArgs", ["loops"], "pattern"), ("extraEnv", [{"value": "a"}], "name"),
    ("extraVolumes", {"name": "a"}, "array"), ("extraVolumeMounts", [{"name": "a", "mountPath": "a"}], "pattern"),
    ("persistence.enabled", "yes", "boolean"), ("persistence.size", 8, "string"), ("persistence.size", "8GB", "pattern"),
    ("persistence.size", "-8Gi", "pattern"), ("persistence.accessModes", [], "1 items"),
    ("persistence.accessModes", ["ReadOnlyMany"], "ReadWriteOnce"), ("persistence.retentionPolicy.whenDeleted", "Keep", "Retain"),
    ("resources.limit", {}, "limit"), ("listenAddress", "localhost", "pattern"), ("listenAddress", "::", "pattern"),
    ("ports.grpc", 0, "greater than or equal to 1"), ("ports.grpc", 70000, "less than or equal to 65535"),
    ("ports.admin", "http", "integer"), ("ports.http", 80, "http"), ("ports.probes", None, "probes"),
    ("tls.enabled", "true", "boolean"), ("tls.secretName", "a", "secretName"), ("tls.certKey", "", "pattern"),
    ("service.type", "ExternalName", "ClusterIP"), ("service.port", 0, "greater than or equal to 1"),
    ("service.nodePort", 70000, "less than or equal to 65535"), ("service.externalTrafficPolicy", "local", "Local"),
    ("service.loadBalancerSourceRanges", ["10.0.0.1"], "pattern"), ("serviceAccount.create", 1, "boolean"),
    ("probes.startup.recoverySeconds", 0, "greater than or equal to 1"), ("probes.readiness.timeoutSeconds", "3s", "integer"),
    ("probes.liveness.failureThreshold", 0, "greater than or equal to 1"), ("probes.liveness.path", "/", "path"),
    ("drain.graceSeconds", "30s", "integer"), ("drain.graceSeconds", -1, "greater than or equal to 0"),
    ("drain.flushSeconds", 5, "greater than or equal to 15"), ("terminationGracePeriodSeconds", 0, "greater than or equal to 1"),
    ("tolerations", {}, "array"), ("nodeSelector.a", 1, "string"), ("affinity.podAffinty", {}, "podAffinty"),
    ("topologySpreadConstraints", [{"maxSkew": 1}], "topologyKey"), ("podDisruptionBudget.maxUnavailable", "0%", "pattern"),
    ("podDisruptionBudget.minAvailable", 1, "minAvailable"), ("networkPolicy.clients", {}, "array"),
    ("metrics.enabled", True, "enabled"), ("metrics.serviceMonitor.interval", "15", "pattern"),
    ("metrics.podMonitor.scrapeTimeout", "1 s", "pattern"), ("metrics.prometheusRule.disabled", "A", "array"),
    ("metrics.prometheusRule.namespace", "a/b", "pattern"), ("grafana.dashboards.label", "", "length"),
    ("grafana.dashboards.labelValue", 1, "string"), ("grafana.folder", "a", "folder"), ("extraObjects", [1], "string"),
    ("config.limit", {}, "limit"), ("config.limits.pending_max", 1, "pending_max"),
    ("config.limits.pending_futures_max", 0, "greater than or equal to 1"),
    ("config.limits.pending_futures_max", "many", "integer"), ("config.limits.payload_bytes_max", "1M", "pattern"),
    ("config.limits.poll_max", "1.5m", "pattern"), ("config.limits.poll_max", 90, "less than or equal to 0"),
    ("config.log.level", "trace", "debug"), ("config.loops", 65, "less than or equal to 64"),
    ("config.http.allow_private", "10.0.0.0/8", "array"), ("config.store.fail_unknown_functions", "no", "boolean"),
]


class Refusals(unittest.TestCase):
    said = {}  # two tests ask for the same ones

    def refusal(self, values):
        """What helm says of values given by path; null reaches the chart, as with `--set key=null`."""
        key = str(values)
        if key not in self.said:
            with self.assertRaises(chart.Refused, msg=f"{values} was taken") as caught:
                chart.render_text(chart.merged(*(chart.nested(path, value) for path, value in values.items())))
            self.said[key] = str(caught.exception)
        return self.said[key]

    def test_contradictions(self):
        for values, words in CONTRADICTIONS:
            with self.subTest(values=values):
                said = self.refusal(values)
                for word in words:
                    self.assertIn(word, said)
                self.assertNotIn("values don't meet the specifications of the schema", said)

    def test_options_that_the_chart_sets(self):
        for key, value, instead in OF_THE_CHART:
            with self.subTest(key=key):
                self.assertIn(f"config.{key} is set by the chart: use {instead}.", self.refusal({f"config.{key}": value}))

    def test_options_that_the_chart_sets_by_their_other_names(self):
        """A flag or a variable would win over the file."""
        for key, _, instead in OF_THE_CHART:
            flag, variable = "--" + key.replace(".", "-").replace("_", "-"), "MUSTER_" + key.replace(".", "_").upper()
            for values, word in (({"extraArgs": [f"{flag}=1"]}, f"extraArgs has {flag}=1"),
                                 ({"extraArgs": ["--loops=2", flag]}, f"extraArgs has {flag}"),
                                 ({"extraEnv": [{"name": variable, "value": "1"}]}, f"extraEnv has {variable}")):
                with self.subTest(values=values):
                    self.assertIn(f"{word}, which is set by the chart: use {instead}.", self.refusal(values))
        chart.render_text({"extraArgs": ["--limits-set-max=7"], "extraEnv": [{"name": "MUSTER_SERVER", "value": "a:1"}]})

    def ask_a_cluster(self, keys, client_ca, namespace="shop"):
        tls = {"enabled": True, "existingSecret": "muster-tls", "clientCAKey": client_ca}
        with Cluster(namespace, {} if keys is None else {"muster-tls": keys}) as url:
            return chart.render_text({"tls": tls}, cluster=url)

    def test_secrets_of_the_cluster(self):
        for keys, client_ca, words in OF_THE_CLUSTER:
            with self.subTest(keys=keys, client_ca=client_ca):
                if words is None:
                    self.assertIn("kind: StatefulSet", self.ask_a_cluster(keys, client_ca))
                    continue
                with self.assertRaises(chart.Refused) as caught:
                    self.ask_a_cluster(keys, client_ca)
                for word in words:
                    self.assertIn(word, str(caught.exception))

    def test_without_the_namespace_nothing_is_known_of_secrets(self):
        """`helm install --create-namespace` makes it after this."""
        self.assertIn("kind: StatefulSet", self.ask_a_cluster(None, "", namespace=None))

    def test_every_sentence_has_its_case(self):
        files = [path for path in sorted((chart.CHART / "templates").rglob("*")) if path.is_file()]
        text = "".join(path.read_text(encoding="utf-8") for path in files)
        sentences = re.findall(r'fail \(?(?:printf )?"((?:[^"\\]|\\.)*)"', text)
        self.assertEqual(len(sentences), text.count("{{- fail "))
        said = [self.refusal(values) for values, _ in CONTRADICTIONS]
        said += [self.refusal({f"config.{key}": value}) for key, value, _ in OF_THE_CHART]
        said += [self.refusal({"extraArgs": ["--insecure"]}), self.refusal({"extraEnv": [{"name": "MUSTER_INSECURE"}]})]
        for keys, client_ca, words in OF_THE_CLUSTER:
            if words:
                with self.assertRaises(chart.Refused) as caught:
                    self.ask_a_cluster(keys, client_ca)
                said.append(str(caught.exception))
        for sentence in sentences:
            with self.subTest(sentence=sentence):
                pattern = ".*".join(re.escape(part) for part in re.split(r"%[dsqv]", sentence))
                self.assertTrue(any(re.search(pattern, one) for one in said))

    def test_options_of_the_chart_are_all_here(self):
        owned = re.search(r"\$owned := dict (.*) }}", VALIDATE.read_text(encoding="utf-8"))[1]
        self.assertEqual(re.findall(r'"([^"]*)" "[^"]*"', owned), [key for key, _, _ in OF_THE_CHART])

    def test_the_schema(self):
        for path, value, word in BY_THE_SCHEMA:
            with self.subTest(path=path, value=value):
                said = self.refusal({path: value})
                self.assertIn("values don't meet the specifications of the schema", said)
                self.assertIn(word, said)
                # The value is named, or for a missing or unknown one the map that it is missing from.
                self.assertIn(path.split(".")[0], said)

    def test_what_a_parent_chart_sets_is_taken(self):
        self.assertEqual(chart.render({"global": {"a": 1}, "enabled": True}), chart.render())


if __name__ == "__main__":
    chart.main()
