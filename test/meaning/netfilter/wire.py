"""Frames in and out of one network namespace. Everything ends by itself.

exchange   reads {"send": [[device, hex], …], "devices": […]}, sends in order, prints [[device, hex], …] that arrived
listen DEV prints "ready", then, when stdin ends, all [device, hex] that arrived since
local      prints "ready", then, when stdin ends, a list of the hex IP payloads that raw sockets got
output     reads [hex, …], IP packets with their headers, and sends them as the host itself
"""
import json, select, socket, sys, time

ETH_P_ALL = 3
IPV6_HDRINCL = 36
QUIET = 0.15
LONGEST = 8.0


def packet_socket(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    sock.bind((device, 0))
    return sock


def collect(sockets, seen, quiet):
    """Until nothing came for `quiet` seconds."""
    end = time.time() + LONGEST
    while time.time() < end:
        ready, _, _ = select.select(list(sockets), [], [], quiet)
        if not ready:
            return
        for sock in ready:
            data, address = sock.recvfrom(4000)
            if address[2] != socket.PACKET_OUTGOING:
                seen.append([sockets[sock], data.hex()])


def exchange(task):
    by_device = {device: packet_socket(device) for device in task["devices"]}
    sockets = {sock: device for device, sock in by_device.items()}
    seen = []
    for index, (device, frame) in enumerate(task["send"]):
        by_device[device].send(bytes.fromhex(frame))
        if index % 20 == 19:
            collect(sockets, seen, 0.002)
    collect(sockets, seen, QUIET)
    return seen


def listen(device):
    sock = packet_socket(device)
    print("ready", flush=True)
    sys.stdin.read()
    seen = []
    collect({sock: device}, seen, QUIET)
    return seen


def local():
    sockets = []
    for protocol in (1, 6, 17, 47, 50, 112, 132):
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol))
    for protocol in (58, 6, 17, 47, 50, 112, 132):
        sockets.append(socket.socket(socket.AF_INET6, socket.SOCK_RAW, protocol))
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    print("ready", flush=True)
    sys.stdin.read()
    time.sleep(QUIET)
    seen = []
    while True:
        ready, _, _ = select.select(sockets, [], [], 0)
        if not ready:
            return seen
        for sock in ready:
            data = sock.recv(4000)
            seen.append(data[(data[0] & 15) * 4 :].hex() if sock.family == socket.AF_INET else data.hex())


def output(packets):
    v4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    v6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    v6.setsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL, 1)
    for packet in map(bytes.fromhex, packets):
        try:
            if packet[0] >> 4 == 4:
                v4.sendto(packet, (socket.inet_ntop(socket.AF_INET, packet[16:20]), 0))
            else:
                v6.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))
        except PermissionError:
            pass  # dropped in OUTPUT


verb = sys.argv[1]
if verb == "exchange":
    print(json.dumps(exchange(json.load(sys.stdin))))
elif verb == "listen":
    print(json.dumps(listen(sys.argv[2])))
elif verb == "local":
    print(json.dumps(local()))
elif verb == "output":
    output(json.load(sys.stdin))
