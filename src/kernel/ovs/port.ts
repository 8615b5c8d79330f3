import type { HostFacts } from '../facts.ts'

/**
 * A port of a bridge. Identity is the name (invariant 4): a number stands only where the switch is spoken to, and for a number
 * of the live state that has no interface any more.
 */
export type Port =
  | { readonly kind: 'local' }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'number'; readonly number: number }

/** The bridge's own port, towards the hypervisor. */
export const local: Port = { kind: 'local' }

/** The port of that interface name. */
export function named(name: string): Port {
  return { kind: 'name', name }
}

/** Reads `LOCAL`, `"tap101i0"` or a number; `undefined` when it is none. Names are JSON strings, whatever is in them. */
export function parsePort(text: string): Port | undefined {
  if (text === 'LOCAL') return local
  const name = parseName(text)
  if (name !== undefined) return named(name)
  return /^(0|[1-9]\d{0,4})$/.test(text) ? { kind: 'number', number: Number(text) } : undefined
}

/** `LOCAL`, `"tap101i0"`, `7`. */
export function formatPort(port: Port): string {
  switch (port.kind) {
    case 'local':
      return 'LOCAL'
    case 'name':
      return JSON.stringify(port.name)
    case 'number':
      return `${port.number}`
  }
}

/** Like `parsePort` for a register, where numbers are hexadecimal and LOCAL never stands. */
export function parseRegisterPort(text: string): Port | undefined {
  const name = parseName(text)
  if (name !== undefined) return named(name)
  return /^(0x[1-9a-f][0-9a-f]{0,3})$/.test(text) ? { kind: 'number', number: Number(text) } : undefined
}

/** `"tap101i0"`, `0x7`. */
export function formatRegisterPort(port: Port): string {
  return port.kind === 'number' ? `0x${port.number.toString(16)}` : formatPort(port)
}

function parseName(text: string): string | undefined {
  if (!/^"(?:[^"\\]|\\.)*"$/.test(text)) return undefined
  try {
    const name: unknown = JSON.parse(text)
    return typeof name === 'string' ? name : undefined
  } catch {
    return undefined
  }
}

/** Another way to say a port; `undefined` when there is none. */
export type PortMapping = (port: Port) => Port | undefined

/** Numbers of a bridge as names; a number without an interface stays. */
export function numbersToNames(bridge: string, facts: HostFacts): PortMapping {
  const nameByNumber = new Map(portsOf(bridge, facts).map(({ name, ofport }) => [ofport, name]))
  return (port) => {
    const name = port.kind === 'number' ? nameByNumber.get(port.number) : undefined
    return name === undefined ? port : named(name)
  }
}

/** Names as numbers of a bridge; `undefined` for a name that the bridge does not have. */
export function namesToNumbers(bridge: string, facts: HostFacts): PortMapping {
  const numberByName = new Map(portsOf(bridge, facts).map(({ name, ofport }) => [name, ofport]))
  return (port) => {
    if (port.kind !== 'name') return port
    const number = numberByName.get(port.name)
    return number === undefined ? undefined : { kind: 'number', number }
  }
}

/** LOCAL has a name of its own in OpenFlow, and is left out. */
function portsOf(bridge: string, facts: HostFacts): readonly { name: string; ofport: number }[] {
  return [...facts.ovsPorts]
    .filter(([, port]) => port.bridge === bridge && port.ofport !== localNumber)
    .map(([name, { ofport }]) => ({ name, ofport }))
}

/** OFPP_LOCAL of OpenFlow 1.0, which ovs-vsctl(8) shows as `ofport`. */
const localNumber = 65534
