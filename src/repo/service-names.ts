import { fail, failUnknown } from './collect.ts'
import type { Problem } from './problem.ts'
import { quote } from './quote.ts'
import type { ServiceDocument, ServiceMatch } from './repo.ts'
import { isReservedService, mergeServices, parseService } from './service.ts'
import { builtInServices } from './services.ts'
import { type Entry, type Node, itemsOf, textOf } from './yaml-node.ts'

/** Services by name, and whether that is all of them: after an unreadable file an unknown name proves nothing. */
export interface ServiceNames {
  readonly byName: ReadonlyMap<string, ServiceDocument>
  readonly complete: boolean
}

/** The built-in services, as documents without a place. */
export function builtInDocuments(): ReadonlyMap<string, ServiceDocument> {
  return new Map(
    Object.entries(builtInServices).map(([name, literals]) => [
      name,
      { name, matches: builtInMatches(name, literals) },
    ]),
  )
}

/** Reads a service of the user: literals and built-in names. Services of the user do not refer to each other. */
export function readService(
  entry: Entry,
  builtIn: ReadonlyMap<string, ServiceDocument>,
  problems: Problem[],
): ServiceDocument | undefined {
  if (builtIn.has(entry.key) || isReservedService(entry.key)) {
    fail(
      problems,
      'built-in-service',
      entry.at,
      `service ${quote(entry.key)} is built in: choose another name`,
    )
    return undefined
  }
  const names = { byName: builtIn, complete: true }
  return { name: entry.key, matches: readServices(entry.value, names, problems), source: entry.at }
}

/** Reads one service or a list of them: names and literals. */
export function readServices(
  node: Node | undefined,
  names: ServiceNames,
  problems: Problem[],
): readonly ServiceMatch[] {
  return mergeServices(itemsOf(node).flatMap((item) => readOne(item, names, problems)))
}

function readOne(node: Node, names: ServiceNames, problems: Problem[]): readonly ServiceMatch[] {
  const text = textOf(node)
  if (text === undefined) return []
  const reading = parseService(text)
  switch (reading.kind) {
    case 'match':
      return [reading.match]
    case 'refused':
      fail(problems, 'bad-service', node.at, reading.message)
      return []
    case 'unknown':
      return readName(text, node, names, problems)
  }
}

function readName(
  name: string,
  node: Node,
  names: ServiceNames,
  problems: Problem[],
): readonly ServiceMatch[] {
  const service = names.byName.get(name)
  if (service !== undefined) return service.matches
  const otherwise = /^\d/.test(name)
    ? 'write the protocol, too: "tcp/443"'
    : 'define it in "services:", or write tcp/443'
  if (names.complete)
    failUnknown(problems, { what: 'service', name, at: node.at, known: names.byName.keys(), otherwise })
  return []
}

function builtInMatches(name: string, literals: readonly string[]): readonly ServiceMatch[] {
  return mergeServices(
    literals.map((literal) => {
      const reading = parseService(literal)
      if (reading.kind !== 'match') throw new Error(`built-in service ${name}: ${literal} cannot be read`)
      return reading.match
    }),
  )
}
