"""Command-line clients that know nothing of Muster but what reflection tells: grpcurl and buf curl. The JSON is what a
user would paste. Standard Python only; the environment says where the programs are (GRPCURL, BUF)."""

import base64
import json
import os
import re
import subprocess
import unittest

import runner

GRPCURL = os.environ.get("GRPCURL", "grpcurl")
BUF = os.environ.get("BUF", "buf")
SERVICE = "muster.v1.FutureService"


class ReflectedCase(unittest.TestCase):
    def setUp(self):
        self.server = runner.server_with()

    def grpcurl(self, *arguments, data=None):
        flags = ["-plaintext", "-max-time", "30"] + (["-d", json.dumps(data)] if data is not None else [])
        before = [argument for argument in arguments if argument.startswith("-")]
        after = [argument for argument in arguments if not argument.startswith("-")]
        argv = [GRPCURL, *flags, *before, self.server.grpc, *after]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def call(self, method, data):
        done = self.grpcurl(f"{SERVICE}/{method}", data=data)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Grpcurl(ReflectedCase):
    def test_it_lists_the_services(self):
        services = self.grpcurl("list").stdout.split()
        self.assertLessEqual({SERVICE, "grpc.health.v1.Health"}, set(services))

    def test_it_lists_the_methods(self):
        methods = self.grpcurl("list", SERVICE).stdout.split()
        self.assertEqual(len(methods), 16)
        self.assertIn(f"{SERVICE}.AsCompleted", methods)

    def test_it_describes_messages_in_the_words_of_the_proto(self):
        text = self.grpcurl("describe", "muster.v1.WaitRequest").stdout
        self.assertIn(".muster.v1.ReturnWhen return_when = 3;", text)
        text = self.grpcurl("describe", f"{SERVICE}.Run").stdout
        self.assertIn("stream", text)

    def test_a_call_with_json(self):
        data = {"future": {"call": {"function": "echo", "input": {"json": {"message": "hello", "list": [1, 2.5, None]}}}}}
        answer = self.call("Call", data)
        self.assertEqual(answer["completion"]["state"], "FUTURE_STATE_SUCCEEDED")
        self.assertEqual(answer["completion"]["outcome"]["value"]["json"], {"message": "hello", "list": [1, 2.5, None]})

    def test_submit_wait_and_gather(self):
        ids = [
            self.call("Submit", {"namespace": "by-hand", "future": {"call": {"function": "echo", "input": {"text": text}}}})["id"]
            for text in ("one", "two")
        ]
        request = {"namespace": "by-hand", "set": {"ids": ids}, "return_when": "RETURN_WHEN_ALL_COMPLETED", "timeout": "20s"}
        answer = self.call("Wait", request)
        self.assertEqual({done["id"] for done in answer["done"]}, set(ids))
        answer = self.call("Gather", {"namespace": "by-hand", "set": {"ids": ids}})
        self.assertEqual([outcome["value"]["text"] for outcome in answer["outcomes"]], ["one", "two"])

    def test_a_refusal_is_shown_with_its_details(self):
        done = self.grpcurl(f"{SERVICE}/Submit", data={"future": {"call": {"function": "ecko"}}})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("NotFound", done.stderr)
        self.assertIn("echo", done.stderr)  # what was probably meant
        # The server does not offer google.rpc's own descriptors, so grpcurl shows the bytes.
        values = re.findall(r'"@value": "([^"]+)"', done.stderr)
        self.assertTrue(any(b"UNKNOWN_FUNCTION" in base64.b64decode(value) for value in values), done.stderr)


class BufCurl(ReflectedCase):
    def test_a_call_over_reflection(self):
        data = json.dumps({"future": {"call": {"function": "checksum", "input": {"json": {"data": "hello"}}}}})
        argv = [BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", "grpc-v1alpha"]
        argv += ["--data", data, f"http://{self.server.grpc}/{SERVICE}/Call"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        value = json.loads(done.stdout)["completion"]["outcome"]["value"]["json"]
        self.assertEqual(value["checksum"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")

    def test_a_stream_of_completions(self):
        id_ = self.call("Submit", {"future": {"call": {"function": "sleep", "input": {"json": 0.2}}}})["id"]
        argv = [BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--reflect-protocol", "grpc-v1alpha"]
        argv += ["--data", json.dumps({"set": {"ids": [id_]}}), f"http://{self.server.grpc}/{SERVICE}/AsCompleted"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(id_, done.stdout)
        self.assertIn("WAIT_END_SATISFIED", done.stdout)


if __name__ == "__main__":
    runner.main()
