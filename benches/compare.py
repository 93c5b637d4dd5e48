"""Runs perturb and its peers in turn on the same workloads and prints the ratio of their times.

    python benches/compare.py --peers PEERS.py [--perturb target/release/perturb] [--only NAME ...] [--rounds 3]

PEERS.py prints one JSON line per workload with the keys `workload`, `median_ms` and `check`; `perturb bench --json` prints
the same. Each round runs one after the other, so that both see the same machine; the medians over the rounds are compared.
A ratio above 1 means that perturb is faster.
"""

import argparse
import json
import statistics
import subprocess
import sys


def lines(command):
    """The JSON lines that a command prints, by workload."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["workload"]: line for line in found}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--perturb", default="target/release/perturb")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    ours_command = [arguments.perturb, "bench", "--json"]
    only = arguments.only or list(lines(ours_command + ["--repeats", "1"]))
    ours, theirs, checks, peers = {}, {}, {}, {}  # by workload
    for _ in range(arguments.rounds):
        for name in only:
            for command, times in ((ours_command, ours), ([sys.executable, arguments.peers], theirs)):
                line = lines(command + ["--only", name]).get(name, {})
                if "median_ms" in line:
                    times.setdefault(name, []).append(line["median_ms"])
                    checks.setdefault(name, {})[command[0]] = line.get("check")
                if times is theirs:
                    peers[name] = f"{line.get('peer', '?')} {line.get('version', '')}".strip()
    print("| workload | peer | peer ms | perturb ms | ratio | checks (perturb / peer) |\n|---|---|---|---|---|---|")
    for name in only:
        mine = statistics.median(ours[name])
        known = [c for c in checks.get(name, {}).values() if c is not None]
        agree = "-" if len(known) < 2 else f"{known[0]:.7g} / {known[1]:.7g}"
        if name not in theirs:
            print(f"| {name} | {peers.get(name, '?')} | did not run | {mine:.3f} | - | {agree} |")
            continue
        other = statistics.median(theirs[name])
        print(f"| {name} | {peers[name]} | {other:.3f} | {mine:.3f} | {other / mine:.2f} | {agree} |")


if __name__ == "__main__":
    main()
