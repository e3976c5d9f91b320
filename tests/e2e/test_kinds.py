"""Every kind: one example of each is applied, applied again, read in every way, explained and deleted, by both kubectls."""
import json
import pathlib

from harness import eventually

EXAMPLES = sorted((pathlib.Path(__file__).parent / "kinds").glob("*.yaml"))


def names(kubectl, *args):
    return kubectl("api-resources", "-o", "name", *args).split()


def test_every_example_is_taken_and_read(kubectl, cluster, namespace):
    old = cluster.kubectl("old")
    for path in EXAMPLES:
        kubectl("-n", namespace, "apply", "-f", str(path))
        before = kubectl.json("-n", namespace, "get", "-f", str(path))
        again = kubectl("-n", namespace, "apply", "-f", str(path)).strip()
        assert again.endswith(" unchanged") or kubectl.binary == old.binary, (path.name, again)  # it sends a patch for what it does not know
        after = kubectl.json("-n", namespace, "get", "-f", str(path))
        assert before["spec" if "spec" in before else "metadata"] == after["spec" if "spec" in before else "metadata"], path.name
        assert before["metadata"].get("generation") == after["metadata"].get("generation"), path.name
        name = after["metadata"]["name"]
        assert name in kubectl("-n", namespace, "get", "-f", str(path), "-o", "wide"), path.name
        assert name in kubectl("-n", namespace, "describe", "-f", str(path)), path.name
        kubectl("-n", namespace, "label", "-f", str(path), "seen=yes", "--overwrite")
        kubectl("-n", namespace, "delete", "-f", str(path), "--wait=false")


def test_every_resource_is_explained_and_listed(kubectl, namespace):
    resources = names(kubectl, "--verbs=list")
    assert "cronjobs.batch" in resources and "pods" in resources
    for resource in resources:
        assert "FIELDS" in kubectl("explain", resource.split(".")[0], "--recursive"), resource
        kubectl("-n", namespace, "get", resource)


def test_a_cron_job_runs_by_the_clock_and_by_hand(cluster):
    """The CronJob is made by the old kubectl, which knows batch/v1beta1 only."""
    old, new = cluster.kubectl("old"), cluster.kubectl("new")
    new("create", "namespace", "cron")
    old("-n", "cron", "create", "cronjob", "c", "--image=busybox", "--schedule=* * * * *", "--", "date")
    new("-n", "cron", "patch", "cronjob", "c", "-p", json.dumps({"spec": {"jobTemplate": {"spec": {"template": {"spec": {
        "containers": [{"name": "c", "imagePullPolicy": "IfNotPresent"}]}}}}}}))
    new("-n", "cron", "create", "job", "--from=cronjob/c", "by-hand")
    new("-n", "cron", "wait", "--for=condition=complete", "job/by-hand", "--timeout=50s")

    def complete():
        jobs = {j["metadata"]["name"]: j["status"] for j in new.json("-n", "cron", "get", "jobs")["items"]}
        return any(name[2:].isdigit() and status.get("completionTime") for name, status in jobs.items())

    eventually(complete, "a run of the schedule", timeout=90)
    assert new.json("-n", "cron", "get", "cronjob", "c")["status"]["lastScheduleTime"]
    assert "SuccessfulCreate" in new("-n", "cron", "describe", "cronjob", "c")
    assert "* * * * *" in old("-n", "cron", "get", "cronjobs.v1beta1.batch")
    assert "unknown time zone Mars" in new.fails("-n", "cron", "patch", "cronjob", "c", "-p", '{"spec":{"timeZone":"Mars"}}')
    assert "expected exactly 5 fields" in new.fails("-n", "cron", "patch", "cj", "c", "-p", '{"spec":{"schedule":"* * *"}}')
    old("-n", "cron", "delete", "cronjob", "c")
    eventually(lambda: new("-n", "cron", "get", "pods", "-o", "name") == "", "its Jobs and their pods are gone")
    new("delete", "namespace", "cron", "--wait=false")
