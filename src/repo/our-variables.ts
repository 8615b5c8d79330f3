import { fail, warn } from './collect.ts'
import type { Problem } from './problem.ts'
import { hasHarmful, quote } from './quote.ts'
import { suggest } from './suggest.ts'
import { ansibleReads, isSexagesimal } from './yaml-dialect.ts'
import { type Entry, type Node, type Scalar, entriesOf } from './yaml-node.ts'

/** The variables that are ours. */
const ourVariables = ['gitwall', 'gitwall_networks', 'gitwall_management']

const wayOut = 'write the plain value (ansible-inventory --list --export prints it)'

/** Checks the variables of one mapping that are ours: plain values only, and the same for Ansible as for us. */
export function checkOurVariables(variables: Node, problems: Problem[]): void {
  for (const entry of entriesOf(variables)) {
    if (ourVariables.includes(entry.key)) checkPlainValue(entry.value, entry.key, problems)
    else if (/^git_?wall/i.test(entry.key) || isSlip(entry.key)) {
      const near = suggest(entry.key, ourVariables)
      const advice =
        near === undefined ? `ours are ${ourVariables.map(quote).join(', ')}` : `did you mean ${quote(near)}?`
      fail(problems, 'unknown-variable', entry.at, `unknown variable ${quote(entry.key)}: ${advice}`)
    }
  }
}

/** Refuses what only Ansible can read: templates and vaults. True: the value is plain. */
export function checkTemplates(node: Node, problems: Problem[]): boolean {
  if (node.kind === 'list') return node.items.map((item) => checkTemplates(item, problems)).every(Boolean)
  if (node.kind === 'mapping')
    return entriesOf(node)
      .map((entry) => checkTemplates(entry.value, problems))
      .every(Boolean)
  if (node.tag === '!vault' || node.tag === '!vault-encrypted') {
    fail(problems, 'vault', node.at, `the value is encrypted for Ansible: ${wayOut}`)
    return false
  }
  if (typeof node.value !== 'string' || !/\{[{%#]/.test(node.value)) return true
  fail(problems, 'template', node.at, `${quote(node.value)} is a template, which is not evaluated: ${wayOut}`)
  return false
}

function checkPlainValue(node: Node, key: string, problems: Problem[]): void {
  if (!checkTemplates(node, problems)) return
  for (const { scalar, under } of scalarsOf(node, key)) {
    if (typeof scalar.value === 'string' && hasHarmful(scalar.value))
      fail(
        problems,
        'control-character',
        scalar.at,
        `${quote(scalar.value)} has a control character: remove it`,
      )
    checkDialect(scalar, under, problems)
  }
}

/** Ansible reads YAML 1.1, we 1.2: what both do not read alike is to be quoted. */
function checkDialect(scalar: Scalar, key: string, problems: Problem[]): void {
  const reading = ansibleReads(scalar)
  // `on` and `off` are what the schema offers for `antispoof`; we take Ansible's reading of them, too.
  if (reading === undefined || scalar.plain === undefined || key === 'antispoof') return
  const message = `Ansible reads ${quote(scalar.plain)} as ${reading}: quote it`
  if (isSexagesimal(scalar.plain) && scalar.plain.split(':').length > 2)
    fail(problems, 'quote-it', scalar.at, message)
  else warn(problems, 'quote-it', scalar.at, message)
}

function scalarsOf(node: Node, under: string): readonly { scalar: Scalar; under: string }[] {
  switch (node.kind) {
    case 'scalar':
      return [{ scalar: node, under }]
    case 'list':
      return node.items.flatMap((item) => scalarsOf(item, under))
    case 'mapping':
      return entriesOf(node).flatMap((entry: Entry) => scalarsOf(entry.value, entry.key))
  }
}

/** `gitwal`, `gitwall-networks`: nobody else's variable is that near. */
function isSlip(name: string): boolean {
  return name.length > 4 && /^g/i.test(name) && suggest(name, ourVariables) !== undefined
}
