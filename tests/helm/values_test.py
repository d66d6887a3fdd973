#!/usr/bin/env python3
"""Every value has an effect: each is given another value, and what is rendered must change, or the chart refuses it.

A value that the chart forgets in a template, or spells otherwise there, fails here.

usage: values_test.py [TEST...]
"""

import importlib.machinery
import importlib.util
import unittest

import chart

# Another value, where the schema does not say one. Lists and maps have no other that could be guessed.
OTHERS = {
    "image.repository": "team/muster", "image.registry": "registry.example.com", "image.tag": "1.2.3",
    "image.digest": "sha256:" + "0" * 64, "imagePullSecrets": [{"name": "a"}],
    "commonLabels": {"a": "b"}, "commonAnnotations": {"a": "b"}, "config": {"loops": 2}, "extraArgs": ["--loops=2"],
    "extraEnv": [{"name": "A", "value": "b"}], "extraEnvFrom": [{"configMapRef": {"name": "a"}}],
    "extraVolumes": [{"name": "a", "emptyDir": {}}], "extraVolumeMounts": [{"name": "a", "mountPath": "/a"}],
    "initContainers": [{"name": "a", "image": "a"}], "extraContainers": [{"name": "a", "image": "a"}],
    "persistence.accessModes": ["ReadWriteOncePod"], "persistence.size": "9Gi", "persistence.folder": "b",
    "persistence.annotations": {"a": "b"}, "persistence.selector": {"matchLabels": {"a": "b"}}, "resources": {"limits": {"cpu": 1}}, "listenAddress": "[::]",
    "service.annotations": {"a": "b"}, "service.labels": {"a": "b"}, "service.nodePort": 30000,
    "service.loadBalancerSourceRanges": ["10.0.0.0/8"], "service.loadBalancerClass": "a",
    "serviceAccount.annotations": {"a": "b"}, "terminationGracePeriodSeconds": 100, "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"}, "podSecurityContext": {"runAsUser": 1}, "securityContext": {"privileged": False},
    "nodeSelector": {"a": "b"}, "tolerations": [{"key": "a"}], "affinity": {"podAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}],
    "networkPolicy.clients": [{"podSelector": {"a": "b"}}], "networkPolicy.scrapers": [{"podSelector": {}}],
    "networkPolicy.egress": [{"to": []}], "podDisruptionBudget.maxUnavailable": 2, "extraObjects": [{"kind": "A"}],
    "tls.existingSecret": "b", "metrics.prometheusRule.disabled": ["MusterAbsent"], "grafana.dashboards.labelValue": "2",
}
MONITOR = {"labels": {"a": "b"}, "annotations": {"a": "b"}, "interval": "15s", "scrapeTimeout": "5s",
           "relabelings": [{"a": "b"}], "metricRelabelings": [{"a": "b"}]}
# What else must be set for a value to matter, by the start of its path.
NEEDS = {
    "tls.": {"tls": {"enabled": True, "existingSecret": "a"}}, "ports.probes": {"tls": {"enabled": True, "existingSecret": "a"}},
    "service.nodePort": {"service": {"type": "NodePort"}}, "service.external": {"service": {"type": "NodePort"}},
    "service.load": {"service": {"type": "LoadBalancer"}}, "podDisruptionBudget.": {"podDisruptionBudget": {"enabled": True}},
    "networkPolicy.": {"networkPolicy": {"enabled": True}}, "grafana.": {"grafana": {"dashboards": {"enabled": True}}},
    "metrics.serviceMonitor.": {"metrics": {"serviceMonitor": {"enabled": True}}},
    "metrics.podMonitor.": {"metrics": {"podMonitor": {"enabled": True}}},
    "metrics.prometheusRule.": {"metrics": {"prometheusRule": {"enabled": True}}},
    "drain.flushSeconds": {"terminationGracePeriodSeconds": None},
}


def generator():
    """helm/generate as a module: it knows which values there are."""
    loader = importlib.machinery.SourceFileLoader("generate", str(chart.ROOT / "helm/generate"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(module)
    return module


def another(path, default, schema):
    """A value that is not the default and that the schema takes."""
    if path in OTHERS:
        return OTHERS[path]
    key = path.rsplit(".", 1)[-1]
    if path.startswith("metrics.") and key in MONITOR:
        return MONITOR[key]
    if "enum" in schema:
        return next(value for value in schema["enum"] if value != default and value is not None)
    if isinstance(default, int):
        return 0 if path == "replicaCount" else default + 10
    if isinstance(default, str):
        return "another"
    if isinstance(default, dict):
        return {"a": "b"}
    raise AssertionError(f"{path} has no other value here: add one to OTHERS")


class Values(unittest.TestCase):
    def test_each_has_an_effect(self):
        generate = generator()
        text = (chart.CHART / "values.yaml").read_text(encoding="utf-8")
        schema = chart.read_yaml(chart.CHART / "values.schema.json")
        bases = {}
        for path, default in generate.leaves(chart.read_yaml(chart.CHART / "values.yaml"), generate.descriptions(text)):
            with self.subTest(value=path):
                at = schema
                for key in path.split("."):
                    at = at["properties"][key]
                given = [needs for start, needs in NEEDS.items() if path.startswith(start)]
                base = chart.merged(*given)
                value = not self.is_on(path, base, default) if isinstance(default, bool) else another(path, default, at)
                if str(base) not in bases:
                    bases[str(base)] = chart.render_text(base)
                before = bases[str(base)]
                try:
                    after = chart.render_text(chart.merged(base, chart.nested(path, value)))
                except chart.Refused as refused:
                    self.assertIn(path, str(refused), "refused for something else")
                    continue
                self.assertTrue(before != after, f"{path}: {value!r} changes nothing")

    @staticmethod
    def is_on(path, base, default):
        """What a switch is in the base, or else by default."""
        for key in path.split("."):
            base = base.get(key, default) if isinstance(base, dict) else base
        return base

    def test_the_examples_of_ci_use_every_value(self):
        """A value that no file of ci/ sets is never read strictly in what it renders."""
        generate = generator()
        text = (chart.CHART / "values.yaml").read_text(encoding="utf-8")
        used = [chart.read_yaml(path) for path in chart.CI]

        def is_used(path):
            for values in used:
                for key in path.split("."):
                    values = values.get(key) if isinstance(values, dict) else None
                if values is not None:
                    return True
            return False

        unused = [path for path, _ in generate.leaves(chart.read_yaml(chart.CHART / "values.yaml"),
                                                      generate.descriptions(text)) if not is_used(path)]
        # Their defaults are rendered by every file.
        self.assertEqual(set(unused), {"image.tag", "ports.probes", "service.adminPort", "podSecurityContext",
                                       "securityContext", "metrics.podMonitor.namespace", "metrics.podMonitor.annotations"})


if __name__ == "__main__":
    chart.main()
