import type { Capture } from './capture.ts'

/** Names of the files of a capture that are not one for each bridge. */
const plainFiles = {
  iptables: 'iptables-save.txt',
  ip6tables: 'ip6tables-save.txt',
  ipset: 'ipset-save.txt',
  nft: 'nft-ruleset.txt',
} as const

/** A capture as files: what the tools printed, unchanged, and `ports.json` (interface name → bridge and OpenFlow number). */
export function formatCapture(capture: Capture): ReadonlyMap<string, string> {
  return new Map([
    ...[...capture.flows].map(([bridge, text]) => [`flows.${bridge}.txt`, text] as const),
    ['ports.json', `${JSON.stringify(Object.fromEntries(capture.ports), undefined, 2)}\n`],
    ...Object.entries(plainFiles).map(
      ([part, file]) => [file, capture[part as keyof typeof plainFiles]] as const,
    ),
  ])
}

/**
 * Reads `formatCapture`'s files back, or such that a person collected by hand: a file that is not there is empty. Gives back what is
 * wrong as text: only `ports.json` can be.
 */
export function parseCapture(files: ReadonlyMap<string, string>): Capture | string {
  const ports = parsePorts(files.get('ports.json') ?? '{}')
  if (typeof ports === 'string') return ports
  const flows = [...files].flatMap(([file, text]) => {
    const bridge = /^flows\.(.+)\.txt$/.exec(file)?.[1]
    return bridge === undefined ? [] : [[bridge, text] as const]
  })
  const text = (part: keyof typeof plainFiles) => files.get(plainFiles[part]) ?? ''
  return {
    flows: new Map(flows),
    ports,
    iptables: text('iptables'),
    ip6tables: text('ip6tables'),
    ipset: text('ipset'),
    nft: text('nft'),
  }
}

function parsePorts(text: string): Capture['ports'] | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'ports.json: not JSON'
  }
  if (typeof value !== 'object' || value === null) return 'ports.json: not an object'
  const ports = new Map<string, { readonly bridge: string; readonly ofport: number }>()
  for (const [name, port] of Object.entries(
    value as Record<string, { bridge?: unknown; ofport?: unknown } | null>,
  )) {
    if (typeof port?.bridge !== 'string' || typeof port.ofport !== 'number')
      return `ports.json: "${name.slice(0, 40)}" needs "bridge" and "ofport"`
    ports.set(name, { bridge: port.bridge, ofport: port.ofport })
  }
  return ports
}
