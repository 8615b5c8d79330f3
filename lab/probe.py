"""Packets of the lab: one process per node and task, in that node's network namespace. Standard library only.

  probe.py probe     JSON list of probes on stdin  -> JSON list of fates on stdout
  probe.py serve     JSON {"tcp": [...], "udp": [...]} as the first line of stdin; prints "ready"
  probe.py stream    JSON {"kind", "to", "port", "intervalSeconds"} as the first line; prints a number per echo that came,
                     and "closed" at the end of the connection
  probe.py send      JSON {"link", "frames": [hex, ...]} on stdin
  probe.py capture   JSON {"link"} as the first line; prints "ready", then a frame in hex per line

All but `probe` and `send` end when their stdin is closed, so that none outlives who started it.
"""

import asyncio
import errno
import json
import os
import socket
import struct
import subprocess
import sys

IP_PKTINFO = 8  # ip(7); not in every version of Python's socket module
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 0x10
MESSAGE = b"gitwall\n"


def main():
    task = {"probe": probe, "serve": serve, "stream": stream, "send": send, "capture": capture}[sys.argv[1]]
    asyncio.run(task(json.loads(sys.stdin.readline())))


async def stdin_closes():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# -- probes ------------------------------------------------------------------------------------------------------------


async def probe(tasks):
    refusals = Refusals()
    run = {"tcp": probe_tcp, "udp": probe_udp, "ping": probe_ping}
    say(json.dumps(await asyncio.gather(*(run[task["kind"]](task, refusals) for task in tasks))))


class Refusals:
    """ICMP errors that came from somebody else.

    The kernel tells a socket "no route to host" both when a firewall rejects and when it got no answer to its own ARP
    or neighbour request; only the former is a refusal.
    """

    def __init__(self):
        loop = asyncio.get_running_loop()
        self.seen = set()
        for family, protocol in ((socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6)):
            raw = socket.socket(family, socket.SOCK_RAW, protocol)
            raw.setblocking(False)
            loop.add_reader(raw, self.drain, raw)
        self.own = own_addresses()

    def drain(self, raw):
        while True:
            try:
                data, sender = raw.recvfrom(2048)
            except BlockingIOError:
                return
            if sender[0].split("%")[0] not in self.own:
                self.note(raw.family, data)

    def note(self, family, data):
        if family == socket.AF_INET:
            data = data[(data[0] & 15) * 4 :]
        unreachable = 3 if family == socket.AF_INET else 1
        if len(data) < 8 or data[0] != unreachable:
            return
        packet = data[8:]
        header = (packet[0] & 15) * 4 if family == socket.AF_INET else 40
        target = packet[16:20] if family == socket.AF_INET else packet[24:40]
        protocol = packet[9] if family == socket.AF_INET else packet[6]
        if len(packet) >= header + 8:
            self.seen.add((protocol, bytes(target), packet[header : header + 8]))

    def of_ports(self, protocol, to, source_port, port):
        start = struct.pack("!HH", source_port, port)
        target = packed(to)
        return any(seen[0] == protocol and seen[1] == target and seen[2][:4] == start for seen in self.seen)

    def of_echo(self, to, identifier):
        target = packed(to)
        return any(
            seen[0] in (1, 58) and seen[1] == target and seen[2][4:6] == identifier for seen in self.seen
        )


def own_addresses():
    own = {"127.0.0.1", "::1"}
    listing = json.loads(subprocess.run(["ip", "-j", "address", "show"], capture_output=True, check=True).stdout)
    for link in listing:
        own.update(each["local"] for each in link.get("addr_info", []) if "local" in each)
    return own


def packed(address):
    return socket.inet_pton(family_of(address), address)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bound_socket(task, kind, protocol=0):
    sock = socket.socket(family_of(task["to"]), kind, protocol)
    sock.setblocking(False)
    if "sourceAddress" in task or "sourcePort" in task:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        anywhere = "::" if ":" in task["to"] else "0.0.0.0"
        sock.bind((task.get("sourceAddress", anywhere), task.get("sourcePort", 0)))
    return sock


async def probe_tcp(task, refusals):
    """The first of several attempts that gets an answer: the very first packets after a start may be lost."""
    attempts = 1 if "sourcePort" in task else task["attempts"]
    spacing = task["timeoutSeconds"] / attempts
    deadline = asyncio.get_running_loop().time() + task["timeoutSeconds"]
    pending = set()
    try:
        for _ in range(attempts):
            pending.add(asyncio.ensure_future(attempt_tcp(task, refusals)))
            fate, pending = await first_answer(pending, spacing)
            if fate:
                return fate
        fate, pending = await first_answer(pending, max(0, deadline - asyncio.get_running_loop().time()))
        return fate or "silent"
    finally:
        for each in pending:
            each.cancel()


async def first_answer(pending, seconds):
    """Waits so long even when every attempt has failed by itself: the next one shall not come early."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return None, pending
        if not pending:
            await asyncio.sleep(left)
            return None, pending
        done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            if each.result() != "silent":
                return each.result(), pending


async def attempt_tcp(task, refusals):
    loop = asyncio.get_running_loop()
    sock = bound_socket(task, socket.SOCK_STREAM)
    try:
        await loop.sock_connect(sock, (task["to"], task["port"]))
        await loop.sock_sendall(sock, MESSAGE)
        return "passed" if await loop.sock_recv(sock, 64) else "refused"
    except (ConnectionRefusedError, ConnectionResetError):
        return "refused"
    except OSError as error:
        return await judged(error, lambda: refusals.of_ports(6, task["to"], sock.getsockname()[1], task["port"]))
    finally:
        sock.close()


async def judged(error, was_refused):
    if error.errno not in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.ENOPROTOOPT):
        raise error
    await asyncio.sleep(0.01)  # lets the reader of ICMP errors have its turn
    return "refused" if was_refused() else "silent"


async def probe_udp(task, refusals):
    loop = asyncio.get_running_loop()
    sock = bound_socket(task, socket.SOCK_DGRAM)
    try:
        sock.connect((task["to"], task["port"]))
        for _ in range(task["attempts"]):
            try:
                await loop.sock_sendall(sock, MESSAGE)
                await asyncio.wait_for(loop.sock_recv(sock, 64), task["timeoutSeconds"] / task["attempts"])
                return "passed"
            except asyncio.TimeoutError:
                continue
            except ConnectionRefusedError:
                return "refused"
            except OSError as error:
                port = sock.getsockname()[1]
                if await judged(error, lambda: refusals.of_ports(17, task["to"], port, task["port"])) == "refused":
                    return "refused"
        return "silent"
    except OSError as error:
        return await judged(error, lambda: False)
    finally:
        sock.close()


async def probe_ping(task, refusals):
    version6 = ":" in task["to"]
    sock = bound_socket(task, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if version6 else socket.IPPROTO_ICMP)
    identifier = os.urandom(2)
    try:
        sock.connect((task["to"], 0))  # then it hears this peer only
        for sequence in range(task["attempts"]):
            try:
                sock.send(echo_request(version6, identifier, sequence))
                await asyncio.wait_for(echo_reply(sock, version6, identifier), task["timeoutSeconds"] / task["attempts"])
                return "passed"
            except asyncio.TimeoutError:
                pass
            except OSError:  # an ICMP error, of others or of our own kernel; or a firewall of our own
                await asyncio.sleep(0.01)
            if refusals.of_echo(task["to"], identifier):
                return "refused"
        return "silent"
    except OSError as error:  # no route
        return await judged(error, lambda: False)
    finally:
        sock.close()


def echo_request(version6, identifier, sequence):
    packet = struct.pack("!BBH", 128 if version6 else 8, 0, 0) + identifier + struct.pack("!H", sequence) + MESSAGE
    # The kernel computes the checksum of ICMPv6, not of ICMP.
    return packet if version6 else packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


async def echo_reply(sock, version6, identifier):
    while True:
        data = await asyncio.get_running_loop().sock_recv(sock, 2048)
        if not version6:
            data = data[(data[0] & 15) * 4 :]
        if data[0] == (129 if version6 else 0) and data[4:6] == identifier:
            return


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# -- servers and streams -----------------------------------------------------------------------------------------------


async def serve(task):
    for port in task["tcp"]:
        await asyncio.start_server(echo, None, port)
    for port in task["udp"]:
        for family in (socket.AF_INET, socket.AF_INET6):
            serve_udp(family, port)
    say("ready")
    await stdin_closes()


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def serve_udp(family, port):
    """Answers from the address that was asked: a node may have many."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind(("", port))

    def answer():
        try:
            data, controls, _, sender = sock.recvmsg(65536, 256)
            sock.sendmsg([data], [own_source(control) for control in controls], 0, sender)
        except OSError:  # the answer's way is blocked; the asker will see silence
            pass

    asyncio.get_running_loop().add_reader(sock, answer)


def own_source(control):
    level, kind, info = control
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
        interface, _, asked = struct.unpack("=I4s4s", info)
        return level, kind, struct.pack("=I4s4s", 0, asked, bytes(4))
    return control


async def stream(task):
    """One message in flight: the next one leaves when the echo of the last is here and the interval is over."""
    connect = stream_udp if task["kind"] == "udp" else stream_tcp
    turn = asyncio.ensure_future(connect(task))
    done = asyncio.ensure_future(stdin_closes())
    await asyncio.wait({turn, done}, return_when=asyncio.FIRST_COMPLETED)
    if turn.done():
        turn.result()


async def stream_tcp(task):
    sock = bound_socket(task, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    loop = asyncio.get_running_loop()
    try:
        await asyncio.wait_for(loop.sock_connect(sock, (task["to"], task["port"])), 5)
        for number in range(1_000_000):
            message = b"%08d" % number
            await loop.sock_sendall(sock, message)
            got = b""
            while len(got) < len(message):
                data = await loop.sock_recv(sock, len(message) - len(got))
                if not data:
                    return say("closed")
                got += data
            say(str(number))
            await asyncio.sleep(task["intervalSeconds"])
    except (OSError, asyncio.TimeoutError):
        say("closed")


async def stream_udp(task):
    """Keeps sending when no echo comes: UDP has no end."""
    sock = bound_socket(task, socket.SOCK_DGRAM)
    loop = asyncio.get_running_loop()
    sock.connect((task["to"], task["port"]))
    for number in range(1_000_000):
        message = b"%08d" % number
        try:
            await loop.sock_sendall(sock, message)
            while await asyncio.wait_for(loop.sock_recv(sock, 64), 2 * task["intervalSeconds"]) != message:
                pass
            say(str(number))
        except (OSError, asyncio.TimeoutError):
            pass
        await asyncio.sleep(task["intervalSeconds"])


# -- raw frames --------------------------------------------------------------------------------------------------------


async def send(task):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((task["link"], 0))
        for frame in task["frames"]:
            sock.send(bytes.fromhex(frame))


async def capture(task):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setblocking(False)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.bind((task["link"], ETH_P_ALL))

    def drain():
        while True:
            try:
                data, controls, _, sender = sock.recvmsg(65536, 256)
            except BlockingIOError:
                return
            if sender[2] != PACKET_OUTGOING:
                say(with_tag(data, controls)[:512].hex())

    asyncio.get_running_loop().add_reader(sock, drain)
    say("ready")
    await stdin_closes()
    drain()


def with_tag(data, controls):
    """The kernel takes an 802.1Q tag out of the frame and tells it beside; see packet(7), PACKET_AUXDATA."""
    for level, kind, info in controls:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tag, protocol = struct.unpack("=IIIHHHH", info[:20])
            if status & TP_STATUS_VLAN_VALID:
                return data[:12] + struct.pack("!HH", protocol or 0x8100, tag) + data[12:]
    return data


if __name__ == "__main__":
    main()
