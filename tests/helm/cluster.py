"""Answers helm's `lookup` as an API server would that has one namespace and the Secrets given. Standard Python only."""

import http.server
import json
import threading

_RESOURCES = {
    "kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "namespaces", "singularName": "", "kind": "Namespace", "namespaced": False, "verbs": ["get"]},
        {"name": "secrets", "singularName": "", "kind": "Secret", "namespaced": True, "verbs": ["get"]},
    ],
}


class Cluster:
    """with Cluster("shop", {"muster-tls": ["tls.crt", "tls.key"]}) as url: ..."""

    def __init__(self, namespace, secrets):
        answers = {"/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}, "/api/v1": _RESOURCES}
        if namespace:
            answers[f"/api/v1/namespaces/{namespace}"] = {
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        for name, keys in secrets.items():
            answers[f"/api/v1/namespaces/{namespace}/secrets/{name}"] = {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
                "data": {key: "" for key in keys}}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # the name that BaseHTTPRequestHandler calls
                found = answers.get(self.path.split("?")[0])
                body = json.dumps(found or {"apiVersion": "v1", "kind": "Status", "status": "Failure",
                                            "reason": "NotFound", "code": 404}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_error):
        self._server.shutdown()
        self._server.server_close()
