import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Tally, disagreements, load, sample, withOwnPorts } from './compare.ts'
import { nftTable } from './random-nft.ts'
import { arpFrame, discoveryFrame, foreignMac, ipFrame, otherFrame } from './shots.ts'
import { type Wire, createWire } from './wire.ts'

const tally: Tally = new Map()

/** What a frame or a capture cannot tell: headers that only `@th` looks at, what nft does with tags, a port's own MAC. */
const mayDoubt =
  /says nothing of that header|behind a VLAN tag|bridge port itself|hypervisor makes|later fragment|mark was set by what|prints no family/

describe('the simulator says what the kernel does with nft', () => {
  let wire: Wire
  beforeAll(() => {
    wire = createWire('nft')
  })
  afterAll(() => wire.delete())

  test.each([...Array(10).keys()].map((i) => 1500 + i))('in the bridge family, by random rules (%i)', (seed) => {
    load(wire, { nft: sample(nftTable('bridge'), seed, 1)[0] ?? '' })
    const frames = fc.oneof(
      ipFrame({ hasFragments: true, hasFlags: true }),
      arpFrame,
      discoveryFrame,
      otherFrame,
    )
    expect(disagreements(wire, sample(frames, seed, 150), { tally, mayDoubt })).toEqual([])
  })

  test.each([...Array(110).keys()].map((i) => 1750 + i))('in the inet family, by random rules (%i)', (seed) => {
    load(wire, { nft: sample(nftTable('inet'), seed, 1)[0] ?? '' })
    expect(disagreements(wire, withOwnPorts(sample(ipFrame(), seed, 120)), { tally, mayDoubt })).toEqual([])
  })

  test('at a device, in several tables, and with a table that is switched off', () => {
    load(wire, { nft: severalTables })
    expect(disagreements(wire, sample(ipFrame(), 31, 150), { tally })).toEqual([])
  })

  test('and says yes and no often enough', () => {
    for (const kind of ['accept', 'drop']) expect(tally.get(kind) ?? 0).toBeGreaterThan(200)
    console.log(tally); expect(tally.get('unknown') ?? 0).toBeLessThan(200)
  })
})

const severalTables = `
table netdev early {
	chain in {
		type filter hook ingress device "tapa" priority 0; policy accept;
		ip saddr 10.0.0.12 drop
		ether saddr ${foreignMac} drop
	}
}
table bridge second {
	chain c {
		type filter hook forward priority 0; policy drop;
		accept
	}
}
table bridge first {
	chain c {
		type filter hook forward priority -10; policy accept;
		udp dport { 53, 1000-1023 } drop
	}
}
table ip later {
	chain c {
		type filter hook postrouting priority 5; policy accept;
		ip ttl 1 drop
	}
}
table inet off {
	flags dormant
	chain c {
		type filter hook forward priority 0; policy drop;
	}
}
`
