#!/usr/bin/env python3
"""Records what this machine's kernel does: two network namespaces, and between them a wire that this program is. Where routers
matter, a third namespace stands between the wire and the server.

    sudo tests/kernel/record.py DIR [NAME...]

Writes DIR/NAME.csv for every experiment below, or for those named, in the form of sim/tests/data/linux. It needs Linux, the
right to make network namespaces, `ip`, and nothing beyond Python's own library. tests/kernel/run compares.

The wire carries frames from one end to the other, later by a delay, or loses them. It is the capture, too: a packet's time is
the one that the kernel noted when it left its host, or when the wire handed it over.
"""

import errno
import json
import multiprocessing
import os
import select
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from space import Space, ip

AT_A_TIME = 8
CLIENT, SERVER = 0, 1
ROUTER_SPACE = 2
ADDRESSES = ["10.77.0.2", "10.77.0.1"]
# The server behind a router.
ROUTER = "10.77.0.1"
BEHIND_ROUTER = ["10.77.0.2", "10.78.0.2"]
PORT = 7000
SO_TIMESTAMPNS = 35
ETH_P_ALL = 3
FLAGS = [(0x02, "S"), (0x01, "F"), (0x04, "R"), (0x08, "P"), (0x10, ".")]
TCP, ICMP = 6, 1
# The ports of clients that open connections and say nothing else.
FLOOD = range(50_000, 50_010)
UNREACHABLE = {0: "net-unreachable", 1: "host-unreachable", 13: "prohibited"}


class Lab:
    """Two hosts with a wire between them, and what was seen on it; `routed`: with a router before the server; `asks`: the
    client has to ask for the other end's hardware.
    """

    def __init__(self, name, delay=0.0, routed=False, asks=False):
        self.name, self.delay, self.cut = name, delay, False
        # Experiments run at the same time: each has its own namespaces and its own wire.
        number = name.partition("_")[0]
        self.names = [f"cardiogram-{number}-{role}" for role in ("client", "server", "router")]
        self.wires = [f"cdg-{number}-{end}" for end in (CLIENT, SERVER)]
        self.routed, self.asks = routed, asks
        self.addresses = BEHIND_ROUTER if routed else ADDRESSES
        # What passes the router passes no further.
        self.blocked = False
        self.rows, self.flights = [], []
        self.bases, self.known = {}, set()
        self.client, self.listener, self.accepted = None, None, []
        self.told = float("inf")
        # The server's process reads nothing.
        self.stopped = False
        # The client's last segment.
        self.last_sent = None
        self.spaces, self.raw, self.hardware = [], [], []

    def prepare(self):
        """Makes the namespaces, and the wire between them."""
        on_wire = [self.names[CLIENT], self.names[ROUTER_SPACE if self.routed else SERVER]]
        for space in self.names if self.routed else self.names[:ROUTER_SPACE]:
            ip("netns", "add", space)
            # A host tells itself of what it cannot deliver.
            ip("-n", space, "link", "set", "lo", "up")
        for end, space in enumerate(on_wire):
            ip("link", "add", self.wires[end], "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("-n", space, "addr", "add", f"{ADDRESSES[end]}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("link", "set", self.wires[end], "up")
            self.spaces.append(Space(self.names[end]))
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            raw.bind((self.wires[end], 0))
            self.raw.append(raw)
        # Each host knows the other one's hardware, so that nothing but TCP is on the wire; the client may not.
        self.hardware = [hardware_of(space) for space in on_wire]
        for end, space in enumerate(on_wire):
            if self.asks and end == CLIENT:
                continue
            other = self.hardware[1 - end]
            ip("-n", space, "neigh", "replace", ADDRESSES[1 - end], "lladdr", other, "dev", "eth0")
        if self.routed:
            self.stand_behind_router()
        self.event("harness", "start", {"exp": self.name})

    def stand_behind_router(self):
        server, router = self.names[SERVER], self.names[ROUTER_SPACE]
        ip("-n", router, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", server)
        for space, device, address in [(router, "eth1", "10.78.0.1"), (server, "eth0", BEHIND_ROUTER[SERVER])]:
            ip("-n", space, "addr", "add", f"{address}/24", "dev", device)
            ip("-n", space, "link", "set", device, "up")
        ip("-n", self.names[CLIENT], "route", "add", "default", "via", ROUTER)
        ip("-n", server, "route", "add", "default", "via", "10.78.0.1")
        Space(router).sysctl("ipv4/ip_forward", 1)

    def close(self):
        for wire in self.wires:
            subprocess.run(["ip", "link", "del", wire], stderr=subprocess.DEVNULL)
        for space in self.names:
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL)

    # What the hosts do.

    def listen(self, backlog=None):
        with self.spaces[SERVER]:
            self.listener = socket.create_server((self.addresses[SERVER], PORT), backlog=backlog)
        self.listener.setblocking(False)
        self.event("server", "listening")

    def connect(self, port=0, options=()):
        with self.spaces[CLIENT]:
            self.client = socket.socket()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option, value in options:
            level = socket.SOL_SOCKET if option == socket.SO_KEEPALIVE else socket.IPPROTO_TCP
            self.client.setsockopt(level, option, value)
        self.client.bind((self.addresses[CLIENT], port))
        self.client.setblocking(False)
        self.told = float("inf")
        self.event("client", "connect_start")
        self.client.connect_ex((self.addresses[SERVER], PORT))

    def write(self, size=5):
        self.event("client", "WRITE", {"len": size})
        self.client.send(b"x" * size)

    def shut_down(self):
        """The client has nothing more to say, and reads on."""
        self.event("client", "SHUTDOWN")
        self.client.shutdown(socket.SHUT_WR)

    def abort(self):
        """Ends the client's connection with RST."""
        self.event("client", "ABORT")
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.client = None

    def lose_everything(self):
        self.cut = True
        self.event("fault", "FAULT", {"what": "blackhole"})

    def heal(self):
        self.cut = False
        self.event("fault", "RESTORE")

    def unplug(self):
        """The client's link has no carrier any more, and its kernel has had the time to see it."""
        ip("link", "set", self.wires[CLIENT], "down")
        self.event("fault", "FAULT", {"what": "no-carrier"})
        self.run(2.0)

    def plug_in(self):
        ip("link", "set", self.wires[CLIENT], "up")
        self.event("fault", "RESTORE")

    def stop(self):
        """The server's process stands still, its kernel goes on."""
        self.stopped = True
        self.event("fault", "FAULT", {"what": "SIGSTOP"})

    def flood(self, count):
        """Half-open connections of others: more than the server's kernel remembers."""
        hardware = [bytes.fromhex(self.hardware[end].replace(":", "")) for end in (CLIENT, SERVER)]
        ends = [socket.inet_aton(self.addresses[end]) for end in (CLIENT, SERVER)]
        for port in FLOOD[:count]:
            tcp = struct.pack("!HHIIBBHHHBBH", port, PORT, port, 0, 6 << 4, 0x02, 64_240, 0, 0, 2, 4, 1_460)
            header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, TCP, 0, *ends)
            header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
            self.raw[SERVER].send(with_checksum(hardware[SERVER] + hardware[CLIENT] + b"\x08\x00" + header + tcp))

    def repeat_as(self, flags):
        """The server gets the client's last segment again, as one of another kind: by its flag's letter."""
        frame = bytearray(self.last_sent)
        header = (frame[14] & 15) * 4
        frame[14 + header + 13] = next(bit for bit, name in FLAGS if name == flags)
        frame = with_checksum(bytes(frame))
        self.event("harness", "REPEAT", {"as": flags})
        self.note(SERVER, time.time(), frame)
        self.raw[SERVER].send(frame)

    def forget_server(self):
        """Nobody answers any more to the server's address on the client's own network."""
        ip("-n", self.names[SERVER], "addr", "flush", "dev", "eth0")
        ip("-n", self.names[CLIENT], "neigh", "flush", "dev", "eth0")
        self.event("fault", "FAULT", {"what": "no-carrier: nobody answers"})

    def vanish(self, known):
        """The server's host is gone, of which the router still knows the hardware (`stale`), or does not."""
        ip("-n", self.names[SERVER], "addr", "flush", "dev", "eth0")
        if known:
            ip("-n", self.names[ROUTER_SPACE], "neigh", "change", BEHIND_ROUTER[SERVER], "dev", "eth1", "nud", "stale")
        else:
            ip("-n", self.names[ROUTER_SPACE], "neigh", "flush", "dev", "eth1")
        # What comes to the router comes no further.
        self.blocked = True
        self.event("fault", "FAULT", {"what": "blackhole: the host is gone"})

    def block(self, route):
        """The router has no way to the server any more: a route of this type, or none."""
        self.blocked = True
        if route == "none":
            ip("-n", self.names[ROUTER_SPACE], "route", "del", "10.78.0.0/24")
        else:
            ip("-n", self.names[ROUTER_SPACE], "route", "add", route, BEHIND_ROUTER[SERVER])
        self.event("fault", "FAULT", {"what": f"blackhole: route {route}"})

    def unblock(self, route):
        if route == "none":
            ip("-n", self.names[ROUTER_SPACE], "route", "add", "10.78.0.0/24", "dev", "eth1")
        else:
            ip("-n", self.names[ROUTER_SPACE], "route", "del", route, BEHIND_ROUTER[SERVER])
        self.blocked = False
        self.event("fault", "RESTORE")

    # The wire.

    def run(self, seconds):
        """Lets things happen for a while, or until shortly after the client's process was told of an error."""
        end = time.time() + seconds
        while time.time() < min(end, self.told + 0.1):
            due = min([end, self.told + 0.1] + [flight[0] for flight in self.flights])
            accepted = [] if self.stopped else self.accepted
            watched = self.raw + [s for s in [self.listener, *accepted, self.client] if s]
            ready, _, _ = select.select(watched, [], [], max(0.0, due - time.time()))
            for ready_one in ready:
                if ready_one in self.raw:
                    self.carry(self.raw.index(ready_one))
                elif ready_one is self.listener:
                    accepted, _ = self.listener.accept()
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    accepted.setblocking(False)
                    self.accepted.append(accepted)
                elif ready_one is self.client:
                    self.read_client()
                else:
                    self.echo(ready_one)
            while self.flights and self.flights[0][0] <= time.time():
                _, to, frame = self.flights.pop(0)
                # Noted first: the answer may leave before this program runs again. What a router does not forward never
                # arrives.
                if not (self.blocked and to == SERVER) and frame[12:14] == b"\x08\x00":
                    self.note(to, time.time(), frame)
                self.raw[to].send(frame)

    def carry(self, end):
        try:
            frame, notes, _, address = self.raw[end].recvmsg(65_536, 256)
        except OSError:
            # The link is down.
            return
        if frame[12:14] == b"\x08\x06" and address[2] != socket.PACKET_OUTGOING:
            self.flights.append((time.time(), 1 - end, frame))
            return
        # What the wire itself sends comes back marked as outgoing; IPv4, TCP and ICMP's errors are all that matters.
        if address[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or frame[23] not in (TCP, ICMP):
            return
        seconds, nanos = struct.unpack("qq", notes[0][2][:16])
        if frame[23] == TCP:
            frame = with_checksum(frame)
            if end == SERVER and struct.unpack("!H", frame[36:38])[0] in FLOOD:
                # Nobody reads what they are answered.
                return
            if end == CLIENT:
                self.last_sent = frame
            self.note(end, seconds + nanos / 1e9, frame)
        if not self.cut:
            self.flights.append((time.time() + self.delay, 1 - end, frame))

    def echo(self, accepted):
        try:
            data = accepted.recv(65_536)
        except OSError:
            data = b""
        if data:
            accepted.send(data)
        else:
            self.accepted.remove(accepted)
            accepted.close()

    def read_client(self):
        try:
            if not self.client.recv(65_536):
                self.client.close()
                self.client = None
        except BlockingIOError:
            pass
        except OSError as error:
            self.told = time.time()
            self.event("client", "DETECT", {"op": "recv", "err": errno.errorcode[error.errno]})
            self.client.close()
            self.client = None

    # What is written down.

    def event(self, actor, what, note=None):
        self.rows.append((time.time(), ["event", actor, what, "", "", "", "", "", "", json.dumps(note) if note else ""]))

    def note(self, place, at, frame):
        packet = frame[14:]
        header = (packet[0] & 15) * 4
        if packet[9] == ICMP:
            self.note_error(place, at, packet[header:])
            return
        tcp = packet[header : struct.unpack("!H", packet[2:4])[0]]
        source, target, seq, ack = struct.unpack("!HHII", tcp[:12])
        flags = "".join(name for bit, name in FLAGS if tcp[13] & bit)
        size = len(tcp) - (tcp[12] >> 4) * 4
        from_client = socket.inet_ntoa(packet[12:16]) == self.addresses[CLIENT]
        known = (place, from_client, seq, size, flags.strip(".P"))
        again = known in self.known and (size > 0 or flags != ".")
        self.known.add(known)
        bases = self.bases.setdefault(place, [None, None])
        mine, other = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
        if "S" in flags and not again:
            bases[mine] = seq
            # Until the peer's own SYN its numbers are those of a connection of before.
            bases[other] = bases[other] if not from_client else None
        relative = lambda value, base: "" if base is None else (value - base) % 2**32
        seq = "" if "R" in flags else relative(seq, bases[mine])
        ack = relative(ack, bases[other]) if "." in flags else ""
        if not from_client and bases[SERVER] is None:
            ack = ""
        row = ["client" if place == CLIENT else "server", "c>s" if from_client else "s>c", "tcp"]
        ends = [f"{self.addresses[mine]}:{source}", f"{self.addresses[other]}:{target}"]
        self.rows.append((at, row + ends + [flags, size, seq, ack, "retransmission" if again else ""]))

    def note_error(self, place, at, icmp):
        """An ICMP error at the client: what it says, and the number of the segment that it is about."""
        quoted = icmp[8:]
        segment = quoted[(quoted[0] & 15) * 4 :]
        base = self.bases.get(place, [None, None])[CLIENT]
        seq = (struct.unpack("!I", segment[4:8])[0] - base) % 2**32
        kind = f"icmp3/{icmp[1]}"
        row = ["client", "s>c", "icmp", ROUTER, self.addresses[CLIENT], kind, len(icmp), seq, "", UNREACHABLE[icmp[1]]]
        self.rows.append((at, row))

    def save(self, folder):
        self.event("harness", "teardown")
        self.rows.sort(key=lambda row: row[0])
        fault = next(at for at, row in self.rows if row[2] == "FAULT")
        before = [at for at, row in self.rows if row[2] == "tcp" and at < fault]
        origin = before[-1] if before else fault
        with open(os.path.join(folder, f"{self.name}.csv"), "w") as file:
            file.write("t_since_last_exchange,t_since_fault,capture,dir_or_actor,proto_or_event,src,dst,flags,len,seq_rel,ack_rel,note\n")
            for at, row in self.rows:
                note = f'"{row[-1].replace(chr(34), chr(34) * 2)}"' if row[-1].startswith("{") else row[-1]
                file.write(f"{at - origin:.6f},{at - fault:.6f},{','.join(map(str, row[:-1]))},{note}\n")


def hardware_of(space):
    link = subprocess.run(["ip", "-n", space, "-j", "link", "show", "eth0"], check=True, capture_output=True, text=True)
    return json.loads(link.stdout)[0]["address"]


def with_checksum(frame):
    """Hosts leave the checksum of TCP to their network card; this wire has none."""
    header = (frame[14] & 15) * 4
    end = 14 + struct.unpack("!H", frame[16:18])[0]
    tcp = bytearray(frame[14 + header : end])
    tcp[16:18] = b"\0\0"
    pseudo = frame[26:34] + struct.pack("!BBH", 0, 6, len(tcp))
    tcp[16:18] = struct.pack("!H", checksum(pseudo + bytes(tcp)))
    return frame[: 14 + header] + bytes(tcp)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def exchange(lab, options=()):
    """A connection, and one message and its echo."""
    lab.listen()
    lab.connect(options=options)
    lab.run(0.2)
    lab.write()
    lab.run(0.8)


def through_router(lab, route, heals_after=None, options=(), writes=True):
    """Data into a path that a router ends, and says so; given up after 12.6 s at the earliest, or healed."""
    lab.spaces[CLIENT].sysctl("ipv4/tcp_retries2", 5)
    exchange(lab, options)
    lab.block(route)
    if writes:
        lab.write()
    if heals_after is not None:
        lab.run(heals_after)
        lab.unblock(route)
    lab.run(30 if heals_after is None else 10)


# The experiments. Names are those of the replays in sim/src/captures.


def keepalive_under_user_timeout(lab):
    """5 s, 2 s, 3 and a user timeout of 8 s: it replaces the count, and is looked at when a probe is due."""
    exchange(lab, [
        (socket.SO_KEEPALIVE, 1), (socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3),
        (socket.TCP_USER_TIMEOUT, 8_000),
    ])
    lab.lose_everything()
    lab.run(20)


def retries2_5(lab):
    """Data into the void with tcp_retries2 = 5: given up after 12.6 s at the earliest."""
    lab.spaces[CLIENT].sysctl("ipv4/tcp_retries2", 5)
    exchange(lab)
    lab.lose_everything()
    lab.write()
    lab.run(30)


def syn_retries_2(lab):
    """A SYN into the void with one linear timeout and two retries after it."""
    lab.spaces[CLIENT].sysctl("ipv4/tcp_syn_linear_timeouts", 1)
    lab.spaces[CLIENT].sysctl("ipv4/tcp_syn_retries", 2)
    lab.listen()
    lab.lose_everything()
    lab.connect()
    lab.run(15)


def nagle(lab):
    """Three small writes at once without TCP_NODELAY, over a round trip of 100 ms."""
    lab.listen()
    lab.connect(options=[(socket.TCP_NODELAY, 0)])
    lab.run(0.5)
    lab.event("fault", "FAULT", {"what": "a mark"})
    for _ in range(3):
        lab.write()
    lab.run(1.0)


def half_close(lab):
    """The client closes its direction behind its last word: the answer and the server's FIN come after that."""
    lab.listen()
    lab.connect()
    lab.run(0.5)
    lab.event("fault", "FAULT", {"what": "a mark"})
    lab.write()
    lab.shut_down()
    lab.run(1.0)


def lost_acknowledgement(lab, others):
    """The last packet of a handshake is lost: the server repeats its SYN-ACK. It repeats none that it sent with a cookie, since it
    remembers nothing of it, and finds the connection in the client's data.
    """
    lab.listen(backlog=1)
    lab.flood(others)
    lab.run(0.2)
    lab.connect()
    # The SYN-ACK is under way.
    lab.run(0.075)
    lab.lose_everything()
    lab.run(2.5)
    lab.heal()
    lab.write()
    lab.run(1.0)


def reset_behind_fin(lab):
    """An RST that has the number of the FIN before it ends the connection at a server that still has something to say; whoever asks
    after that is told that there is none.
    """
    exchange(lab)
    lab.stop()
    lab.run(0.1)
    lab.shut_down()
    lab.run(0.3)
    lab.repeat_as("R")
    lab.run(0.3)
    lab.repeat_as(".")
    lab.run(0.5)


def conflict(lab):
    """A client that has gone without a word comes back on the same port: the server challenges, the client resets."""
    lab.listen()
    lab.connect(port=41_000)
    lab.run(0.2)
    lab.write()
    lab.run(0.8)
    lab.lose_everything()
    lab.abort()
    lab.run(1.0)
    lab.heal()
    lab.connect(port=41_000)
    lab.run(0.5)
    lab.write()
    lab.run(0.5)


def error_host(lab):
    """Host unreachable: the doublings of the timeout are undone, and EHOSTUNREACH is the last word."""
    through_router(lab, "unreachable")


def error_net(lab):
    """Net unreachable: the same with ENETUNREACH."""
    through_router(lab, "none")


def error_prohibited(lab):
    """Prohibited: nothing is undone."""
    through_router(lab, "prohibit")


def error_heals(lab):
    """Host unreachable for 10 s: the data is delivered sooner than after a silent cut."""
    through_router(lab, "unreachable", heals_after=10)


def error_keepalive(lab):
    """Host unreachable about keepalive probes changes nothing, nor the ETIMEDOUT."""
    options = [(socket.SO_KEEPALIVE, 1), (socket.TCP_KEEPIDLE, 4), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3)]
    through_router(lab, "unreachable", options=options, writes=False)


def error_syn(lab, route):
    """An attempt to connect ends at the first error."""
    lab.listen()
    lab.block(route)
    lab.connect()
    lab.run(5)


def vanished(lab, known):
    """The server's host is gone: the last router asks for it in vain, and says so after three questions."""
    lab.spaces[CLIENT].sysctl("ipv4/tcp_retries2", 6)
    exchange(lab)
    lab.vanish(known)
    lab.write()
    lab.run(60)


def unplugged(lab):
    """Data without a carrier: it waits for an answer to a question that is asked every second, and not for TCP's timeout."""
    exchange(lab)
    lab.unplug()
    lab.write()
    lab.run(3.6)
    lab.plug_in()
    lab.run(3)


def unplugged_syn(lab):
    """An attempt without a carrier ends when three questions were not answered."""
    lab.listen()
    lab.unplug()
    lab.connect()
    lab.run(10)


def plugged_in_too_late(lab):
    """The carrier is back between the last question and the end of waiting: an attempt ends all the same."""
    lab.listen()
    lab.unplug()
    lab.connect()
    lab.run(2.5)
    lab.plug_in()
    lab.run(5)


def nobody_answers(lab):
    """An attempt whose peer does not answer on the client's own network."""
    lab.listen()
    lab.forget_server()
    lab.connect()
    lab.run(10)


EXPERIMENTS = {
    "K1_keepalive_under_user_timeout": (keepalive_under_user_timeout, 0.0),
    "K2_retries2_5": (retries2_5, 0.0),
    "K3_syn_retries_2": (syn_retries_2, 0.0),
    "K4_nagle_rtt100": (nagle, 0.05),
    "K5_conflict": (conflict, 0.0),
    "K6_error_host": (error_host, 0.0),
    "K7_error_net": (error_net, 0.0),
    "K8_error_prohibited": (error_prohibited, 0.0),
    "K9_error_heals": (error_heals, 0.0),
    "K10_error_keepalive": (error_keepalive, 0.0),
    "K11_error_syn_host": (lambda lab: error_syn(lab, "unreachable"), 0.0),
    "K12_error_syn_net": (lambda lab: error_syn(lab, "none"), 0.05),
    "K13_error_syn_prohibited": (lambda lab: error_syn(lab, "prohibit"), 0.0),
    "K14_asks_unplugged": (unplugged, 0.0),
    "K15_asks_unplugged_syn": (unplugged_syn, 0.0),
    "K16_asks_nobody": (nobody_answers, 0.0),
    "K17_half_close_rtt100": (half_close, 0.05),
    "K18_error_vanished_unknown": (lambda lab: vanished(lab, False), 0.0),
    "K19_error_vanished_stale": (lambda lab: vanished(lab, True), 0.0),
    "K20_asks_plugged_in_too_late": (plugged_in_too_late, 0.0),
    "K21_cookie_rtt100": (lambda lab: lost_acknowledgement(lab, others=2), 0.05),
    "K22_no_cookie_rtt100": (lambda lab: lost_acknowledgement(lab, others=0), 0.05),
    "K23_reset_behind_fin": (reset_behind_fin, 0.0),
}
ROUTED = [name for name in EXPERIMENTS if "_error_" in name]
ASKING = [name for name in EXPERIMENTS if "_asks_" in name]


def record(name, folder):
    experiment, delay = EXPERIMENTS[name]
    lab = Lab(name, delay, name in ROUTED, name in ASKING)
    try:
        lab.prepare()
        experiment(lab)
        lab.save(folder)
    finally:
        lab.close()


def main():
    folder, names = sys.argv[1], sys.argv[2:] or list(EXPERIMENTS)
    # They wait nearly all of the time.
    with ProcessPoolExecutor(AT_A_TIME, multiprocessing.get_context("fork")) as pool:
        for recording in [pool.submit(record, name, folder) for name in names]:
            recording.result()


if __name__ == "__main__":
    main()
