"""Nothing speaks to anybody who was not configured: Ray, TensorFlow, boto3 and the bot on a network that counts."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# A machine with a way out that leads nowhere; whatever is sent that way is counted, and to whom it was.
NETWORK = """
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || true
    ip link add out type veth peer name far
    ip addr add 198.51.100.7/24 dev out
    ip link set lo up; ip link set far up; ip link set out up
    ip route add default via 198.51.100.1
    ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev out
"""
SENT = "awk -v name=out: '$1 == name { print $11 }' /proc/net/dev"


def on_that_network(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script there; its last line says how many packets left."""
    whole = textwrap.dedent(NETWORK) + script + f"\n{SENT}\n"
    return subprocess.run(
        ["unshare", "--net", "sh", "-ec", whole],
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | variables,
        capture_output=True,
        text=True,
        timeout=900,
    )


def sent(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.split()[-1])


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("unshare", "ip", "awk"))) or on_that_network("true").returncode != 0,
        reason="this user cannot make a network of its own: nothing is counted",
    ),
]


def test_the_network_counts_what_goes_out_and_not_what_stays() -> None:
    connect = "import socket, sys; s = socket.socket(); s.settimeout(0.3); s.connect_ex((sys.argv[1], 80))"
    assert sent(on_that_network(f"'{sys.executable}' -c '{connect}' 127.0.0.1")) == 0
    assert sent(on_that_network(f"'{sys.executable}' -c '{connect}' 192.0.2.1")) > 0


def test_indexing_on_ray_and_a_bot_that_is_asked_send_nothing_out(samples: Path, tmp_path: Path) -> None:
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
    folder = Path(sys.executable).parent
    done = on_that_network(
        f"'{folder}/findimg-jobs' index '{pictures}' --engine ray --json\n'{sys.executable}' '{ask}'",
        FINDIMG_LIBRARY=str(tmp_path / "library"),
        FINDIMG_CACHE=str(tmp_path / "cache"),
    )
    assert sent(done) == 0
    assert json.loads(done.stdout.splitlines()[0])["images"] == 2
