"""The official JavaScript client (@kubernetes/client-node): tests/clients/node/client.mjs does and checks everything."""
import json

from harness import ROOT, run

CLIENT = ROOT / "build" / "clients" / "node"


def test_the_javascript_client(kubectl_new, cluster):
    log = CLIENT.parent / "node.log"
    assert (CLIENT / "node_modules").is_dir(), f"npm could not install the client: {log.read_text() if log.exists() else 'run tools/node-client'}"
    container = {"name": "c", "image": "yanbin/python-web:latest", "imagePullPolicy": "IfNotPresent"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
           "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    kubectl_new("create", "namespace", "javascript")
    try:
        kubectl_new("-n", "javascript", "create", "-f", "-", input=json.dumps(pod))
        kubectl_new("-n", "javascript", "wait", "--for=condition=Ready", "pod/web", "--timeout=50s")
        said = run("node", CLIENT / "client.mjs", cluster.kubeconfig, "javascript", "web").stdout
        assert said.split("\n")[-2] == "ok elects", said
    finally:
        kubectl_new("delete", "namespace", "javascript", "--wait=false")
