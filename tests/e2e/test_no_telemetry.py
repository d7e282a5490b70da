"""Record all connections of Ray, TensorFlow and the bot, and expect none to other hosts."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# A machine with a way out that leads nowhere.
NETWORK = """
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || true
    ip link add out type veth peer name far
    ip addr add 198.51.100.7/24 dev out
    ip link set lo up; ip link set far up; ip link set out up
    ip route add default via 198.51.100.1
    ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev out
"""
# Runs a command there, and tells last to whom packets left: addresses, and the names that were looked up.
WATCH = """
import json, socket, subprocess, sys, threading
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("far", 0))
wire.settimeout(0.5)
ended, seen = threading.Event(), set()

def watch():
    while True:
        try:
            frame = wire.recv(2000)
        except TimeoutError:
            if ended.is_set():
                return
            continue
        if frame[12:14] != b"\\x08\\x00":
            seen.add(frame[12:14].hex())
            continue
        packet = frame[14:]
        body = packet[(packet[0] & 15) * 4:]
        port = int.from_bytes(body[2:4])
        if packet[9] == 17 and port == 53:
            name, rest = [], body[20:]
            while rest[0]:
                name.append(rest[1 : 1 + rest[0]].decode())
                rest = rest[1 + rest[0] :]
            seen.add(".".join(name))
        else:
            seen.add(f"{socket.inet_ntoa(packet[16:20])}:{port}")

watching = threading.Thread(target=watch)
watching.start()
code = subprocess.run(sys.argv[1:]).returncode
ended.set()
watching.join()
print(json.dumps(sorted(seen)))
sys.exit(code)
"""
# Ray looks whether it runs in a cloud, also where it is told to report nothing: the address at which a cloud tells a
# machine about itself is the machine's own host, and what it says stays there.
CLOUDS = {"169.254.169.254:80", "metadata.google.internal"}


def on_that_network(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in that network."""
    return subprocess.run(
        ["unshare", "--net", "sh", "-ec", f'{NETWORK}\nexec "$@"', "sh", sys.executable, "-c", WATCH, *command],
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | variables,
        capture_output=True,
        text=True,
        timeout=900,
    )


def sent(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not all(map(shutil.which, ("unshare", "ip"))) or on_that_network("true").returncode != 0,
        reason="this user cannot make a network of its own: nothing is watched",
    ),
]


def test_recorder_sees_outgoing_connections_only() -> None:
    connect = "import socket, sys; s = socket.socket(); s.settimeout(0.3); s.connect_ex((sys.argv[1], 80))"
    assert sent(on_that_network(sys.executable, "-c", connect, "127.0.0.1")) == set()
    assert sent(on_that_network(sys.executable, "-c", connect, "192.0.2.1")) == {"192.0.2.1:80"}


def test_indexing_and_searching_open_no_outside_connection(samples: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("cat.png", "eagle.jpg"):
        shutil.copy(samples / name, pictures)
    ask = tmp_path / "ask.py"
    ask.write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from tests.bot.person import words
        from tests.bot.team import Team

        team = Team("socket", Path({str(tmp_path)!r}), Path({str(tmp_path / "cache")!r}), {str(tmp_path / "library")!r})
        try:
            answer = words(team.person.command(team.person.channel(), "/findimg cat"))
            assert "cat.png" in answer, answer
        finally:
            team.close()
        """)
    )
    index = f"'{Path(sys.executable).with_name('findimg-jobs')}' index '{pictures}' --engine ray --json"
    run = f"{index} && '{sys.executable}' '{ask}'"
    done = on_that_network(
        "sh", "-c", run, FINDIMG_LIBRARY=str(tmp_path / "library"), FINDIMG_CACHE=str(tmp_path / "cache")
    )
    assert sent(done) <= CLOUDS
    assert json.loads(done.stdout.splitlines()[0])["images"] == 2


def test_ray_usage_reports_are_disabled() -> None:
    # Of a cluster that `ray start` made Ray tells its authors even that nothing is reported, unless the address leads
    # nowhere.
    from ray._common.usage import usage_lib

    import findimg_jobs.engines.ray_cluster  # noqa: F401

    assert not usage_lib.usage_stats_enabled()
    nowhere = "http://127.0.0.1:9"
    assert usage_lib._usage_stats_report_url() == nowhere
    dockerfile = (PROJECT / "infra" / "docker" / "Dockerfile").read_text()
    cluster = (PROJECT / "infra" / "aws" / "ray-cluster.yaml").read_text()
    for text in (dockerfile, cluster):
        assert "RAY_USAGE_STATS_ENABLED=0" in text
        assert f"RAY_USAGE_STATS_REPORT_URL={nowhere}" in text
