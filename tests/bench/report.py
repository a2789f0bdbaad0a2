#!/usr/bin/env python3
"""Medians and ratios out of the driver's lines: report.py FOLDER"""
import os
import statistics
import sys

GOALS = [    # file, test, figure, peer, what it is, goal as a ratio to the peer
    ("smtp.txt", "in/c1", "in_rate", "postfix", "durable in, c1 /s", ""),
    ("smtp.txt", "in/c10", "in_rate", "postfix", "durable in, c10 /s", ""),
    ("smtp.txt", "in/c50", "in_rate", "postfix", "durable in, c50 /s",
     ">= 4"),
    ("smtp.txt", "in/c10", "e2e_rate", "postfix", "end to end, c10 /s", ""),
    ("smtp.txt", "in/c50", "e2e_rate", "postfix", "end to end, c50 /s",
     ">= 3"),
    ("smtp.txt", "in/c50", "p99_ms", "postfix", "p99 latency, c50 ms", ""),
    ("smtp.txt", "in/c10", "cpu_per_1000", "postfix",
     "CPU s per 1000, c10", "<= 0.25"),
    ("smtp.txt", "in/c50", "cpu_per_1000", "postfix",
     "CPU s per 1000, c50", "<= 0.25"),
    ("pop3.txt", "login", "sess_rate", "dovecot",
     "POP3 login+STAT /s", ">= 5"),
    ("pop3.txt", "login", "cpu_per_1000", "dovecot",
     "CPU s per 1000 logins", ""),
    ("pop3.txt", "retr", "s", "dovecot",
     "login to the last RETR, s", "<= 1"),
    ("pop3.txt", "retr", "retrall", "dovecot",
     "RETR of 10,000 alone, s", "<= 1"),
] + [
    ("tls.txt", f"{cert}-{kind}", figure, "postfix",
     f"{cert} {kind}, {what}", goal)
    for cert in ("rsa", "ec") for kind in ("full", "resumed12", "resumed13")
    for figure, what, goal in (("rate", "/s", ">= 3"),
                               ("cpu_per_1000", "CPU s", ""))
]


def rows(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [dict(w.split("=", 1) for w in line.split() if "=" in w)
                for line in f]


def value(row, figure):
    """A figure of a line, or the seconds of a step that is called so."""
    return row.get("total_s" if row.get("step") == figure else figure)


def median(folder, name, label, figure):
    got = [float(value(r, figure)) for r in rows(os.path.join(folder, name))
           if r.get("label") == label and value(r, figure) is not None and
           r.get("result", "ok") == "ok"]
    return (statistics.median(got), len(got)) if got else (None, 0)


def number(v):
    return "-" if v is None else f"{v:.0f}" if v >= 100 else f"{v:.3g}"


def main(folder):
    print(f"\n{'':26}{'peer':>16}{'theirs':>10}{'barid':>10}{'ratio':>8}"
          f"{'goal':>9}")
    for name, test, figure, peer, what, goal in GOALS:
        if not os.path.exists(os.path.join(folder, name)):
            continue
        theirs, n = median(folder, name, f"{test}/{peer}", figure)
        ours, m = median(folder, name, f"{test}/suite", figure)
        ratio = ours / theirs if theirs and ours else None
        print(f"{what:26}{peer:>16}{number(theirs):>10}{number(ours):>10}"
              f"{number(ratio):>8}{goal:>9}")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".txt"):
            bad = [r for r in rows(os.path.join(folder, name))
                   if r.get("result", "ok") != "ok"]
            for r in bad:
                print(f"failed its check: {r.get('label')} {r.get('err')}")
    for r in rows(os.path.join(folder, "idle.txt")):
        print("idle: " + " ".join(f"{k}={v}" for k, v in r.items()))


if __name__ == "__main__":
    main(sys.argv[1])
