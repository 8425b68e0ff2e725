#!/usr/bin/env python3
"""Plays scenarios twice, in the lab and on this machine's kernel, and compares what the driver does.

    sudo tests/kernel/driver.py CARDIOGRAM EXAMPLES [NAME...]

CARDIOGRAM is the program, EXAMPLES the folder with `lines_client` and `lines_server`. For each scenario of
tests/kernel/driver/scenarios, or those named, there are three network namespaces: a client, a router with nftables, which is
the NAT, and a server. What the scenario does to its world is done to them, at the same times after the client's start. The
scenarios run side by side. The client is `cardiogram-tokio` under the scenario's first strategy; what it should do, and when, is what
`cardiogram trace` says of the lab's device.

Both have to do the same, in the same order. How much the times may differ is said at ALLOWANCE and below it. Prints a table, and
exits with 1 where they differ three times in a row. It needs Linux, the right to make network namespaces, `ip`, `nft`, and Python 3.11.
"""

import json
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

from space import Space, ip

FOLDER = Path(__file__).parent / "driver" / "scenarios"
ADDRESSES = {"client": "10.0.0.1", "inside": "10.0.0.254", "outside": "203.0.113.1", "server": "203.0.113.10"}
PORT = 7000
RULES = """
table ip nat {
    chain after { type nat hook postrouting priority 100; oifname "outside" masquerade; }
}
table ip filter {
    chain input { type filter hook input priority 0; policy drop; }
    chain forward { type filter hook forward priority 0; ct state invalid UNKNOWN; }
}
"""
# What the router does with a packet in the middle of a connection that it does not know: whether it takes the connection up, and what
# it does otherwise.
AFTER_EXPIRY = {
    "drop-silent": (0, "drop"),
    "remap-same-port": (1, "drop"),
    "rst-inside-on-send": (0, "meta l4proto tcp reject with tcp reset"),
}

# Seconds that the driver may be early or late, for what a program waits for: tokio's millisecond, and processes that take turns.
ALLOWANCE = 0.05
# For what the kernel's own timers decide, as well: they fire at the end of a slot of its wheel, and the lab's when they are due.
KERNEL = 0.3
# A path without a delay answers within this time, but where the kernel sends again, or waits.
AT_ONCE = 0.1
# Beside the scenarios runs a chain of such waits. As late as that is, the machine itself was.
CONTROL = 0.25


def seconds(span):
    """A span of a scenario file, as far as these here have it."""
    number, unit = re.fullmatch(r"(\d+)(us|ms|s)", span).groups()
    return int(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit]


class Control:
    """A chain of waits: how late a program was that does nothing else, by when."""

    def __init__(self):
        self.ticks, self.is_over = [(time.monotonic(), 0.0)], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        start = now = time.monotonic()
        while not self.is_over:
            # As a driver does: what was late is late from then on.
            time.sleep(max(0.0, now + CONTROL - time.monotonic()))
            now = time.monotonic()
            self.ticks.append((now, now - start - len(self.ticks) * CONTROL))

    def late(self, since, until):
        """How late it became from one moment to another."""
        by = lambda moment: next((late for at, late in self.ticks if at >= moment), self.ticks[-1][1])
        return by(until) - by(since)

    def end(self):
        self.is_over = True
        self.thread.join()


class Machine:
    """Three namespaces of this machine, a server in one of them, and later a client in another."""

    def __init__(self, name, examples):
        self.names = {role: f"cardiogram-{name}-{role}" for role in ("client", "router", "server")}
        self.examples, self.processes = examples, {}

    def build(self, nat):
        client, router, server = self.names.values()
        for space in self.names.values():
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        for near, device in [(client, "inside"), (server, "outside")]:
            ip("-n", router, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", near)
        for space, device, place in [
            (client, "eth0", "client"), (router, "inside", "inside"), (router, "outside", "outside"), (server, "eth0", "server"),
        ]:
            ip("-n", space, "addr", "add", f"{ADDRESSES[place]}/24", "dev", device)
            ip("-n", space, "link", "set", device, "up")
        ip("-n", client, "route", "add", "default", "via", ADDRESSES["inside"])
        self.router = Space(router)
        is_loose, unknown = AFTER_EXPIRY[nat.get("after_expiry", "drop-silent")]
        with self.router:
            subprocess.run(["nft", "-f", "-"], input=RULES.replace("UNKNOWN", unknown), text=True, check=True)
        self.router.sysctl("ipv4/ip_forward", 1)
        self.router.sysctl("netfilter/nf_conntrack_tcp_loose", is_loose)
        if "established" in nat:
            self.router.sysctl("netfilter/nf_conntrack_tcp_timeout_established", int(seconds(nat["established"])))
        self.serve()

    def serve(self):
        self.start("server", "lines_server", f"{ADDRESSES['server']}:{PORT}").stdout.readline()

    def connect(self, strategy, duration):
        return self.start("client", "lines_client", strategy, f"{ADDRESSES['server']}:{PORT}", str(duration))

    def start(self, role, program, *words):
        with Space(self.names[role]):
            self.processes[role] = subprocess.Popen([self.examples / program, *words], stdout=subprocess.PIPE, text=True)
        return self.processes[role]

    def kill_server(self):
        self.processes["server"].kill()
        self.processes["server"].wait()

    def route(self, verb):
        ip("-n", self.names["router"], "route", verb, "unreachable", ADDRESSES["server"])

    def plug(self, state):
        ip("-n", self.names["router"], "link", "set", "inside", state)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        for space in self.names.values():
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL)

    def strikes(self, faults):
        """What the faults of a scenario are here: when, and what is done."""
        send = lambda role, signal: lambda: self.processes[role].send_signal(signal)
        strikes = []
        for fault in faults:
            (kind, keys), = fault.items()
            match kind, keys.get("answers", keys.get("carrier")):
                case "cut", None:
                    forward = lambda value: lambda: self.router.sysctl("ipv4/ip_forward", value)
                    begin, end = forward(0), forward(1)
                case "cut", "host-unreachable":
                    begin, end = lambda: self.route("add"), lambda: self.route("del")
                case "cut", "lost":
                    begin, end = lambda: self.plug("down"), lambda: self.plug("up")
                case ("server-stall" | "device-stall"), None:
                    role = {"server-stall": "server", "device-stall": "client"}[kind]
                    begin, end = send(role, signal.SIGSTOP), send(role, signal.SIGCONT)
                case "server-crash", None:
                    begin, end = self.kill_server, self.serve
                case _:
                    raise ValueError(f"no way to do this here: {fault}")
            for at in map(seconds, keys["when"]["at"]):
                strikes += [(at, begin), (at + seconds(keys["lasts"]), end)]
        return sorted(strikes, key=lambda strike: strike[0])


class Case:
    """A scenario, what the lab says of it, and what happened here."""

    def __init__(self, path):
        self.path, self.scenario = path, tomllib.loads(path.read_text())
        self.strategy = (path.parent / self.scenario["strategies"][0]).resolve()
        self.name, self.duration = self.scenario["name"], seconds(self.scenario["duration"])

    def predict(self, cardiogram):
        words = [cardiogram, "trace", self.path, "--strategy", self.strategy, "--heartbeats", "show", "--json", "-"]
        run = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
        self.predicted = events(run.stdout.splitlines())

    def play(self, machine):
        """Notes what the driver did, when it began, and the moments and the lateness of what was done to it."""
        strikes = machine.strikes(self.scenario.get("faults", []))
        while strikes and strikes[0][0] == 0:
            strikes.pop(0)[1]()
        client = machine.connect(self.strategy, self.duration)
        first = client.stdout.readline()
        self.begin, self.late = time.monotonic(), []
        for at, strike in strikes:
            time.sleep(max(0.0, self.begin + at - time.monotonic()))
            strike()
            self.late.append((at, time.monotonic() - self.begin - at))
        # One that does not end is ended.
        watch = threading.Timer(self.duration + 60, client.kill)
        watch.start()
        self.measured = events([first, *client.stdout])
        watch.cancel()

    def compare(self, control):
        """Notes the rows of the table, and returns what differs first, if anything does."""
        self.rows, self.worst = [], {True: 0.0, False: 0.0}
        attempt, shift = 0.0, 0.0
        for (lab, event), (here, same) in zip(self.predicted, self.measured):
            attempt = lab if "attempt-started" in event else attempt
            is_kernels = is_timed_by_kernel(event, lab - attempt)
            allowed = ALLOWANCE + is_kernels * KERNEL + control.late(self.begin, self.begin + here)
            # What was done late to this world.
            allowed += max((late for at, late in self.late if at <= lab + ALLOWANCE), default=0.0)
            off = here - lab - shift
            if words(event) != words(same) or abs(off) > allowed:
                return (
                    f"{self.name}: in the lab {words(event)} at {lab:.3f} s, here {words(same)} at {here:.3f} s,"
                    f" {shift:.3f} s of it the kernel's before, {allowed:.3f} s allowed"
                )
            # What follows waits from then on.
            if is_kernels and "heartbeat-answered" not in event:
                shift += off
            self.worst[is_kernels] = max(self.worst[is_kernels], abs(off))
            if is_told(event):
                self.rows.append((words(event), f"{lab:.3f}", f"{here:.3f}"))
        common = min(len(self.predicted), len(self.measured))
        for who, side in [("the lab", self.predicted), ("the driver", self.measured)]:
            if side[common:]:
                return f"{self.name}: {who} alone goes on: {', '.join(words(event) for _, event in side[common:])}"
        return None


# Of the lab's device, and not the driver's.
SYSTEM = {"attached", "detached", "goes-on", "radio-up", "stands-still", "started"}


def events(lines):
    """The events of a record: seconds, and what happened. One without parts is a word there, and a table here."""
    found = []
    for line in map(json.loads, lines):
        if line["what"] in ("device", "link"):
            event = line["event"] if isinstance(line["event"], dict) else {line["event"]: None}
            if not SYSTEM & event.keys():
                found.append((float(line["t_s"]), event))
    return found


def span(of):
    return of["secs"] + of["nanos"] / 1e9


def is_answered_at_once(event):
    return "heartbeat-answered" in event and span(event["heartbeat-answered"]["rtt"]) < AT_ONCE


def is_timed_by_kernel(event, since_attempt):
    """Whether it happens when a timer of the kernel fires: one of a connection, or of an attempt that began so long before."""
    (what, parts), = event.items()
    return (
        what == "lost" and parts["reason"] in ("keepalive-timeout", "user-timeout", "retransmission-timeout", "unreachable")
        or what == "heartbeat-answered" and not is_answered_at_once(event)
        or (what == "connected" or parts == "unreachable") and since_attempt > AT_ONCE
    )


def is_told(event):
    """Whether it stands in the table: all but replies that come at once, and what is said by the next event."""
    return not ({"suspect", "retry-after"} & event.keys() or is_answered_at_once(event))


def words(event):
    """What both have to agree on: all of it but numbers of ports and round trips."""
    (what, parts), = event.items()
    if what == "retry-after":
        return f"{what} {span(parts):.3f} s"
    if isinstance(parts, dict):
        parts = ", ".join(str(value) for key, value in parts.items() if key not in ("port", "rtt", "server"))
    return f"{what} ({parts})" if parts else what


def play(cases, examples):
    """Plays cases side by side, and returns how late the machine was meanwhile."""
    machines = [Machine(case.name, examples) for case in cases]
    failed = []
    try:
        for case, machine in zip(cases, machines):
            machine.build(case.scenario.get("nat", {}))
        control = Control()
        try:
            threads = [threading.Thread(target=case.play, args=(machine,)) for case, machine in zip(cases, machines)]
            # A thread that fails says so, and leaves nothing to compare.
            threading.excepthook = lambda args: (failed.append(args), sys.__excepthook__(args.exc_type, args.exc_value, args.exc_traceback))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            control.end()
    finally:
        for machine in machines:
            machine.close()
    if failed:
        sys.exit(1)
    return control


def main():
    cardiogram, examples, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    cases = [Case(path) for path in sorted(FOLDER.glob("*.toml")) if not names or path.stem in names]
    for case in cases:
        case.predict(cardiogram)
    # A machine that is busy may hold one of them up for longer than is allowed: they are asked three times.
    left = cases
    for _ in range(3):
        control = play(left, examples)
        different = {case: what for case in left if (what := case.compare(control))}
        for what in different.values():
            print(what, file=sys.stderr)
        left = list(different)
        if not left:
            break
    else:
        sys.exit("the driver does not do as the lab says, three times in a row")
    worst = lambda is_kernels: 1_000 * max(case.worst[is_kernels] for case in cases)
    print(
        f"{len(cases)} scenarios, {sum(len(case.measured) for case in cases)} events. The driver and the lab are up to"
        f" {worst(False):.0f} ms apart, and where a timer of the kernel fires {worst(True):.0f} ms. A program that does nothing"
        f" but wait was {1_000 * control.ticks[-1][1]:.0f} ms late by the end.\n"
    )
    print("| Scenario | What the driver does | The lab (s) | This kernel (s) |\n|---|---|---:|---:|")
    for case in cases:
        what = f"`{case.name}`: {case.scenario['about']}"
        print(f"| {what} | {' | '.join('<br>'.join(column) for column in zip(*case.rows))} |")


if __name__ == "__main__":
    main()
