"""Writes ../recorded/ipaddress.json: what Python's ipaddress says of random and of odd addresses and prefixes. Run it to record anew."""

import ipaddress
import json
import pathlib
import random

random.seed(7)


def some_address(family):
    bits = 32 if family == 4 else 128
    value = random.getrandbits(bits)
    if family == 6 and random.random() < 0.7:
        for group in range(8):
            if random.random() < 0.6:
                value &= ~(0xFFFF << (16 * group))
    return ipaddress.ip_address(value) if family == 4 else ipaddress.IPv6Address(value)


def some_network(family):
    """Of one small neighbourhood, so that networks overlap and touch."""
    bits = 32 if family == 4 else 128
    base = int(ipaddress.ip_address("10.0.0.0" if family == 4 else "2001:db8::"))
    length = random.randint(bits - 9, bits)
    value = base + random.getrandbits(9)
    return ipaddress.ip_network((value, length), strict=False)


def spelled_oddly(address):
    text = address.exploded if random.random() < 0.5 else str(address)
    return text.upper() if random.random() < 0.3 else text


def or_none(make):
    try:
        return str(make())
    except ValueError:
        return None


def exclude(networks, holes):
    rest = list(networks)
    for hole in holes:
        cut = []
        for network in rest:
            if not network.overlaps(hole):
                cut.append(network)
            elif hole != network and hole.subnet_of(network):
                cut.extend(network.address_exclude(hole))
        rest = cut
    return texts(ipaddress.collapse_addresses(rest))


def texts(networks):
    return [str(network) for network in networks]


odd = """
1.2.3.4 1.2.3 1.2.3.4.5 01.2.3.4 1.2.3.04 256.1.1.1 1.2.3.-4 +1.2.3.4 1.2.3.4\u0660 0x1.2.3.4 1..2.3 .1.2.3.4 1.2.3.4. 16909060 0.0.0.0
255.255.255.255 :: ::1 1:: 1::2::3 ::: 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1:2:3:4::5:6:7:8
12345::1 g::1 fe80::1 FE80::ABCD 2001:DB8::1 0:0:1:0:0:0:1:0 1:0:0:2:0:0:3:4 1:0:2:3:4:5:6:7 64:ff9b::192.0.2.1 ::192.0.2.1 1:2:3:4:5:6:192.0.2.1
1:2:3:4:5:192.0.2.1 ::192.0.2 ::192.0.2.256 ::192.0.2.01 :1 1: 1:2:3:4:5:6:7: [::1] ::1/128 1.2.3.4/32 1.2.3.4:80 ::0001 ::00001 0000::
""".split()

addresses = odd + [spelled_oddly(some_address(family)) for family in (4, 6) for _ in range(150)]
prefixes = [f"{some_address(family)}/{random.randint(0, 32 if family == 4 else 128)}" for family in (4, 6) for _ in range(100)]
prefixes += "10.0.0.0/33 10.0.0.0/-1 10.0.0.0/ /8 10.0.0.0/8/8 ::/129 ::/0 0.0.0.0/0 10.0.0.0/+8".split()


def lists(family):
    return [some_network(family) for _ in range(random.randint(0, 8))]


def algebra(family):
    left, right = lists(family), lists(family)
    return {
        "left": texts(left),
        "right": texts(right),
        "aggregate": texts(ipaddress.collapse_addresses(left)),
        "subtract": exclude(left, right),
        "contains": [[a.supernet_of(b) for b in right] for a in left],
    }


def span(family):
    first, last = sorted(some_network(family)[0] for _ in range(2))
    return {"first": str(first), "last": str(last), "prefixes": texts(ipaddress.summarize_address_range(first, last))}


oracle = {
    "addresses": [[text, or_none(lambda: ipaddress.ip_address(text))] for text in addresses],
    "masked": [[text, or_none(lambda: ipaddress.ip_network(text, strict=False))] for text in prefixes],
    "strict": [[text, or_none(lambda: ipaddress.ip_network(text))] for text in prefixes],
    "algebra": [algebra(family) for family in (4, 6) for _ in range(100)],
    "spans": [span(family) for family in (4, 6) for _ in range(60)],
}

lines = [f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]" for name, cases in oracle.items()]
(pathlib.Path(__file__).parents[1] / "recorded/ipaddress.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
