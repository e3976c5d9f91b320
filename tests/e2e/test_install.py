"""`make install`: the program, its manual and units that start just this program."""
import pathlib

from harness import C8S, run


def test_install(tmp_path):
    run("meson", "install", "-C", pathlib.Path(C8S).parent, "--no-rebuild", "--destdir", tmp_path)
    prefix = tmp_path / "usr" / "local"
    assert run(prefix / "bin" / "c8s", "version").stdout == run(C8S, "version").stdout
    assert list((prefix / "share" / "man" / "man1").glob("c8s.1*"))
    for unit, command in ("c8s-server", "server"), ("c8s-agent", "agent"):
        text = (prefix / "lib" / "systemd" / "system" / f"{unit}.service").read_text()
        assert f"ExecStart=/usr/local/bin/c8s {command} $OPTIONS" in text and "KillMode=process" in text
