#!/usr/bin/env python3
"""SimPy, as a researcher writes it: a process a device and one for the server, links that are delays. No TCP, no NAT, no loss."""

import random
import resource
import sys
import time

import simpy

INTERVAL, ACCESS, CORE = 270.0, 0.025, 0.010


def link(env, into, what, *delays):
    for delay in delays:
        yield env.timeout(delay)
    yield into.put(what)


def device(env, server, start, replies):
    inbox = simpy.Store(env)
    yield env.timeout(start)
    while True:
        yield env.timeout(INTERVAL)
        env.process(link(env, server, inbox, ACCESS, CORE))
        yield inbox.get()
        replies.append(None)


def serve(env, inbox):
    while True:
        device = yield inbox.get()
        env.process(link(env, device, None, CORE, ACCESS))


def main():
    devices = int(sys.argv[1])
    # As the others: few devices have to run for long to be measured at all.
    duration = max(INTERVAL * (100_000 // devices), 7_200.0)
    chance, env, replies = random.Random(1), simpy.Environment(), []
    inbox = simpy.Store(env)
    env.process(serve(env, inbox))
    for _ in range(devices):
        env.process(device(env, inbox, chance.random() * INTERVAL, replies))
    before = time.process_time()
    env.run(until=duration)
    each = 1e6 * (time.process_time() - before) / len(replies)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{'SimPy':<26} {devices:>6} devices, {duration / 3_600:>9.2f} h  {each:>10.2f} us an exchange  {peak:>5} MiB")


if __name__ == "__main__":
    main()
