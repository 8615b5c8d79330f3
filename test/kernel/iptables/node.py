"""Traffic of one node, run inside its network namespace. Everything ends by itself.

serve SECONDS              listens on the ports below and answers whoever connects
try                        reads a JSON list of probes, tries all at once, prints what became of each
stream ADDRESS SECONDS     prints a line for every message that arrives from the stream port
forge                      reads frames in hex, one a line, and sends them out of eth0
sniff SECONDS              prints "ready", then every frame that arrives at eth0, in hex; until told to end, and all is read
"""
import asyncio, json, signal, socket, struct, sys, time

TCP = [22, 80, 81, 443, 5432, 8443]
UDP = [53, 123]
STREAM = 9000
PATIENCE = 0.4


async def answer(reader, writer):
    writer.write(b"hello\n")
    await writer.drain()
    writer.close()


async def stream_out(reader, writer):
    try:
        while True:
            writer.write(b"tick\n")
            await writer.drain()
            await asyncio.sleep(0.02)
    except OSError:
        pass


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


async def serve(seconds):
    for port in TCP:
        await asyncio.start_server(answer, "::", port)
        await asyncio.start_server(answer, "0.0.0.0", port)
    await asyncio.start_server(stream_out, "0.0.0.0", STREAM)
    loop = asyncio.get_running_loop()
    for port in UDP:
        for family, any_address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
            sock = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((any_address, port))
            await loop.create_datagram_endpoint(Echo, sock=sock)
    print("ready", flush=True)
    await asyncio.sleep(seconds)


async def ping(target):
    v6 = ":" in target
    protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, protocol)
    sock.setblocking(False)
    request, reply, ident = (128, 129, 0x4777) if v6 else (8, 0, 0x4777)
    body = struct.pack("!BBHHH", request, 0, 0, ident, 1)
    if not v6:
        body = struct.pack("!BBHHH", request, 0, 0xffff - ((request << 8) + ident + 1) % 0xffff, ident, 1)
    loop, end = asyncio.get_running_loop(), time.time() + PATIENCE
    sock.sendto(body, (target, 0))
    while time.time() < end:
        try:
            data, sender = await asyncio.wait_for(loop.sock_recvfrom(sock, 200), end - time.time())
        except (OSError, asyncio.TimeoutError):
            break
        if data[0 if v6 else 20] == reply and sender[0] == target:
            return "passed"
    return "silent"


async def try_one(probe):
    kind, target, source = probe["kind"], probe["to"], probe.get("from")
    patience = probe.get("patienceSeconds", PATIENCE)
    if kind == "ping":
        return await ping(target)
    local = (source, 0) if source else None
    if kind == "tcp":
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(target, probe["port"], local_addr=local), patience)
            data = await asyncio.wait_for(reader.readline(), patience)
            writer.close()
            return "passed" if data else "silent"
        except ConnectionRefusedError:
            return "refused"
        except (OSError, asyncio.TimeoutError):
            return "silent"
    sock = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if local:
        sock.bind(local)
    try:
        sock.connect((target, probe["port"]))
        sock.send(b"x")
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 10), PATIENCE)
        return "passed"
    except ConnectionRefusedError:
        return "refused"
    except (OSError, asyncio.TimeoutError):
        return "silent"


async def try_all(probes):
    return await asyncio.gather(*[try_one(probe) for probe in probes])


def stream(address, seconds):
    end = time.time() + seconds
    sock = socket.create_connection((address, STREAM), timeout=2)
    sock.settimeout(0.05)
    while time.time() < end:
        try:
            if sock.recv(100):
                print(f"{time.time():.3f}", flush=True)
            sock.send(b"tock\n")
        except OSError:
            pass


def forge(lines):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("eth0", 0))
    for line in lines:
        sock.send(bytes.fromhex(line.strip()))


def sniff(seconds):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind(("eth0", 0))
    sock.settimeout(0.05)
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    print("ready", flush=True)
    end = time.time() + seconds
    while time.time() < end:
        try:
            frame, address = sock.recvfrom(2000)
        except TimeoutError:
            if told:
                return
            continue
        if address[2] != socket.PACKET_OUTGOING:
            print(frame.hex(), flush=True)


verb, rest = sys.argv[1], sys.argv[2:]
if verb == "serve":
    asyncio.run(serve(float(rest[0])))
elif verb == "try":
    print(json.dumps(asyncio.run(try_all(json.load(sys.stdin)))))
elif verb == "stream":
    stream(rest[0], float(rest[1]))
elif verb == "forge":
    forge(sys.stdin)
elif verb == "sniff":
    sniff(float(rest[0]))
