#!/usr/bin/env python3
"""What is made from other files is current: schema and README of the chart, musterd's options in the schema; and the
examples on the pages are taken.

usage: generated_test.py --bin FOLDER [TEST...]
"""

import json
import re
import subprocess
import sys
import tempfile
import unittest

import chart

GENERATE = chart.ROOT / "helm/generate"


class Generated(unittest.TestCase):
    def check(self, *arguments):
        ran = subprocess.run([sys.executable, GENERATE, "--check", *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_schema_and_readme_are_current(self):
        self.check()

    def test_the_schema_knows_the_options_of_this_musterd(self):
        if chart.OPTIONS.bin is None:
            self.skipTest("no --bin with musterd")
        page = subprocess.run([chart.OPTIONS.bin / "musterd", "--print-reference=configuration"], capture_output=True,
                              text=True, check=True).stdout
        with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
            file.write(page)
            file.flush()
            self.check("--reference", file.name)

    def test_every_map_is_closed_and_every_value_described(self):
        schema = json.loads((chart.CHART / "values.schema.json").read_text(encoding="utf-8"))

        def look(at, path):
            self.assertIs(at.get("additionalProperties"), False, path)
            for key, below in at["properties"].items():
                if "properties" in below:
                    look(below, f"{path}.{key}")
                else:
                    self.assertTrue(below.get("description"), f"{path}.{key}")

        for value in ("resources", "affinity"):  # closed as well, but what is below is Kubernetes' to describe
            self.assertIs(schema["properties"].pop(value)["additionalProperties"], False, value)
        look(schema, "values")

    def test_versions_agree(self):
        """musterd's version and the chart's, and the Kubernetes versions that are tried and that Chart.yaml allows."""
        about = chart.read_yaml(chart.CHART / "Chart.yaml")
        self.assertEqual(about["kubeVersion"], f">= {chart.VERSIONS[0]}.0-0")
        built = sorted(path.name.removeprefix("strict-") for path in chart.TOOLS.glob("strict-*"))
        self.assertEqual(built, sorted(chart.VERSIONS))
        if chart.OPTIONS.bin is not None:
            said = subprocess.run([chart.OPTIONS.bin / "musterd", "--version"], capture_output=True, text=True, check=True)
            self.assertEqual(about["appVersion"], re.search(r"\d+\.\d+\.\d+\S*", said.stdout)[0])

    def test_every_value_is_used_by_a_template(self):
        text = "".join(p.read_text(encoding="utf-8") for p in (chart.CHART / "templates").rglob("*") if p.is_file())
        names = {name.split(".")[0] for name in re.findall(r"[.$]Values\.([A-Za-z.]+)|\$values\.([A-Za-z.]+)", text)
                 for name in name if name}
        self.assertEqual(names, set(chart.read_yaml(chart.CHART / "values.yaml")))

    def test_the_examples_of_the_pages_are_taken(self):
        """Each YAML example, and the values of each `helm install` and `helm upgrade`."""
        count = 0
        for page in (chart.ROOT / "docs/how-to/kubernetes.md", chart.CHART / "README.md"):
            text = page.read_text(encoding="utf-8")
            for example in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
                with self.subTest(page=page.name, example=example):
                    values = chart.yaml.safe_load(example)
                    chart.render({"extraObjects": [values]} if "kind" in values else values)
                    count += 1
            for command in re.findall(r"\bhelm (?:install|upgrade) ((?:[^\n]*\\\n)*[^\n]*)", text):
                sets = re.findall(r"--set[ =](\S+)", command)
                with self.subTest(page=page.name, sets=sets):
                    chart.helm("template", "muster", str(chart.CHART), *(f"--set={one}" for one in sets))
                    count += 1
        self.assertGreaterEqual(count, 6, "the pages have lost their examples, or this no longer finds them")


if __name__ == "__main__":
    chart.main()
