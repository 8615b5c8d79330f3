import { readPrefixes } from './address-text.ts'
import { fail, failUnknown } from './collect.ts'
import type { Problem } from './problem.ts'
import { quote } from './quote.ts'
import type { PeerDocument } from './repo.ts'
import { type Node, textOf } from './yaml-node.ts'

/** Every name a policy may refer to. `undefined`: the files that define them could not all be read, so nothing is unknown. */
export interface Names {
  readonly sets: ReadonlySet<string> | undefined
  readonly fleet: FleetNames | undefined
}

export interface FleetNames {
  readonly groups: ReadonlySet<string>
  readonly guests: ReadonlySet<string>
  readonly hypervisors: ReadonlySet<string>
}

const kinds = ['set', 'group', 'guest', 'host'] as const

type PeerKind = (typeof kinds)[number]

/** Reads `any`, `set:x`, `group:x`, `guest:x`, `host:x`, an address, a prefix or a range. */
export function readPeer(node: Node, names: Names, problems: Problem[]): PeerDocument | undefined {
  const text = textOf(node)
  if (text === undefined) return undefined
  if (text === 'any') return { at: node.at, kind: 'any' }
  const match = /^([a-z]+):(.*)$/i.exec(text)
  const kind = kinds.find((one) => one === match?.[1])
  if (kind !== undefined) return readReference(kind, match?.[2] ?? '', node, names, problems)
  if (/^[0-9a-f:]+([.:/]|$)/i.test(text) && /[.:/]/.test(text)) {
    const prefixes = readPrefixes(node, problems)
    return prefixes && { at: node.at, kind: 'prefixes', prefixes }
  }
  fail(problems, 'bad-peer', node.at, `${quote(text)} ${bareWordAdvice(text, names)}`)
  return undefined
}

function readReference(
  kind: PeerKind,
  name: string,
  node: Node,
  names: Names,
  problems: Problem[],
): PeerDocument | undefined {
  const known = namesOf(kind, names)
  if (name === '' || name !== name.trim()) {
    fail(problems, 'bad-peer', node.at, `${quote(`${kind}:${name}`)}: write the name right after the colon`)
    return undefined
  }
  if (known !== undefined && !known.has(name)) failReference(kind, name, node, known, names, problems)
  return { at: node.at, kind, name }
}

function failReference(
  kind: PeerKind,
  name: string,
  node: Node,
  known: ReadonlySet<string>,
  names: Names,
  problems: Problem[],
): void {
  const other = kinds.find((one) => one !== kind && namesOf(one, names)?.has(name))
  if (other !== undefined) {
    const message = `${quote(name)} is a ${other}, not a ${kind}: write ${quote(`${other}:${name}`)}`
    return fail(problems, `unknown-${kind}`, node.at, message)
  }
  const place = kind === 'set' ? '"sets:"' : 'the inventory'
  failUnknown(problems, {
    what: kind,
    name,
    at: node.at,
    known,
    otherwise: `define it in ${place}, or correct the name`,
  })
}

function namesOf(kind: PeerKind, names: Names): ReadonlySet<string> | undefined {
  switch (kind) {
    case 'set':
      return names.sets
    case 'group':
      return names.fleet?.groups
    case 'guest':
      return names.fleet?.guests
    case 'host':
      return names.fleet?.hypervisors
  }
}

/** A name could mean a group here and a guest there: the kind is always written. */
function bareWordAdvice(text: string, names: Names): string {
  if (text.toLowerCase() === 'any' || text === '*' || text === 'all')
    return 'is not a peer: did you mean "any"?'
  const kind = kinds.find((one) => namesOf(one, names)?.has(text))
  if (kind !== undefined) return `does not say what it is: did you mean ${quote(`${kind}:${text}`)}?`
  return 'is neither an address nor a reference: write an address, any, set:NAME, group:NAME, guest:NAME or host:NAME'
}
