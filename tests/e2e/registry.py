"""Debian's docker-registry on loopback, with or without a password, and images that tests put into it."""
import json
import pathlib
import shutil
import subprocess
import tempfile

from harness import IMAGES, ROOT, eventually, run

PROGRAM = ROOT / "build/docker-registry/usr/bin/docker-registry"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LOGIN = "someone:secret"
HTPASSWD = "someone:$2b$04$xU96Thp1FdJt/cvbVZXqvuEbrvHTS4wwuIMNE0S/A41bJybAR7FqC\n"  # the registry takes bcrypt alone
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    def __init__(self, port, private=False):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="c8s-registry-"))
        self.address, self.login = f"127.0.0.1:{port}", ["-u", LOGIN] if private else []
        config = {"version": 0.1, "log": {"level": "error"}, "http": {"addr": self.address},
                  "storage": {"filesystem": {"rootdirectory": str(self.home / "data")}, "delete": {"enabled": True}}}
        if private:
            (self.home / "htpasswd").write_text(HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.home / "htpasswd")}}
        (self.home / "config.yml").write_text(json.dumps(config))
        self.start()

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "serve", self.home / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: self.curl("/v2/", "-o", "/dev/null", "-w", "%{http_code}") == "200", "the registry answers")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def remove(self):
        self.stop()
        shutil.rmtree(self.home)

    def curl(self, path, *options):
        return run("curl", "-sS", *self.login, *options, f"http://{self.address}{path}", check=False).stdout

    def push(self, image, name, tag):
        """One of tests/images under a name of this registry; its digest."""
        login = ["--dest-creds", self.login[1]] if self.login else []
        run("skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", *login, f"oci-archive:{IMAGES / image}.tar",
            f"docker://{self.address}/{name}:{tag}")
        return self.digest(name, tag)

    def digest(self, name, tag):
        head = self.curl(f"/v2/{name}/manifests/{tag}", "-I", "-H", f"Accept: {MANIFEST_TYPE}", "-H", f"Accept: {INDEX_TYPE}")
        return [line.split(": ")[1].strip() for line in head.splitlines() if line.lower().startswith("docker-content-digest")][0]

    def push_index(self, name, tag, by_architecture):
        """An index of manifests that are there already: architecture -> tag."""
        manifests = [{"mediaType": MANIFEST_TYPE, "digest": self.digest(name, t), "platform": {"architecture": a, "os": "linux"},
                      "size": len(self.curl(f"/v2/{name}/manifests/{t}", "-H", f"Accept: {MANIFEST_TYPE}"))}
                     for a, t in by_architecture.items()]
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests})
        self.curl(f"/v2/{name}/manifests/{tag}", "-X", "PUT", "-H", f"Content-Type: {INDEX_TYPE}", "--data-binary", index)
        return self.digest(name, tag)
