"""NetworkPolicies: the tutorial word by word, and what packets do on three nodes."""
from harness import EXAMPLES, eventually, on_node

NODE = "k8s-master"


def rules(node):
    done = on_node(node, "nft", "list", "table", "inet", "c8s-policy", check=False)
    return done.stdout if done.returncode == 0 else ""


def test_declare_network_policy(default_empty):
    """kubernetes.io/docs/tasks/administer-cluster/declare-network-policy"""
    kubectl = default_empty
    kubectl("create", "deployment", "nginx", "--image=nginx")
    kubectl("expose", "deployment", "nginx", "--port=80")
    kubectl.ready_pods("app=nginx", 1)

    def wget(answers, *options):
        """From a busybox that is gone afterwards; its first packet comes right after its start. Debian's wget knows no --timeout."""
        terminal = kubectl.terminal("run", "busybox", "--rm", "-ti", "--image=busybox:latest", "--image-pull-policy=IfNotPresent",
                                    "--restart=Never", *options, "--", "/bin/sh")
        terminal.expect(r"[#$] ")
        once = "timeout 1 wget --spider nginx"
        terminal.type(f"until {once}; do :; done; echo code=$?\n" if answers else f"{once}; echo code=$?\n")
        terminal.expect("code=0" if answers else "code=143")
        terminal.type("exit\n")
        terminal.close()
        eventually(lambda: "busybox" not in kubectl("get", "pods", "-o", "name"), "busybox is gone")

    assert rules(NODE) == ""
    wget(True)
    assert kubectl("apply", "-f", EXAMPLES / "nginx-policy.yaml") == "networkpolicy.networking.k8s.io/access-nginx created\n"
    assert "access=true" in kubectl("describe", "networkpolicy", "access-nginx")
    eventually(lambda: "default/access-nginx" in rules(NODE), "the policy is in force")
    wget(False)
    wget(True, "--labels=access=true")
    kubectl("delete", "networkpolicy", "access-nginx")
    eventually(lambda: rules(NODE) == "", "nothing is left of it")
    wget(True)
