import type { HostModel, RuleId } from '../../model/model.ts'
import { type Prefix, ofFamily } from '../../net/prefix.ts'
import { type Backend, type State, UnreadableOutput } from '../backend.ts'
import { linuxRulesets } from '../linux-nics.ts'
import { managementList, peerForm, setName, speaksOf } from '../set-name.ts'
import { formatSet, headerFor, membersOf, readMember, sortMembers } from './set.ts'
import { stepsFor, undoFor } from './steps.ts'

/** Sets of addresses that iptables rules name. Key: the set's name. Text: see `formatSet`. Ours are `gw-…`. */
export const ipset: Backend = {
  name: 'ipset',
  probe: probe(),
  live: liveSets,
  desired: desiredSets,
  steps: stepsFor,
  undo: undoFor,
  ruleIds: () => [],
  users: usersOfSets,
}

/**
 * Names first, then only our own sets: a foreign set of a type that this ipset does not know makes a plain `save` fail. What
 * the kernel chooses (`initval` is random) or counts down is cut off, and the lines sorted, so that equal sets print equally.
 */
function probe(): string {
  return String.raw`command -v ipset >/dev/null 2>&1 || exit 0
names=$(ipset list -n) || exit 1
sets=$(
  for name in $(printf '%s\n' "$names" | grep '^gw-'); do
    ipset save "$name" || exit 1
  done
) || exit 1
printf '%s\n' "$sets" |
  sed -e '/^create /{s/ hashsize [0-9]*//;s/ bucketsize [0-9]*//;s/ initval 0x[0-9a-f]*//;}' \
    -e '/^add /{s/ timeout [0-9]*//;s/ packets [0-9]* bytes [0-9]*//;}' |
  LC_ALL=C sort
`
}

function liveSets(output: string): State {
  const headers = new Map<string, string>()
  const members = new Map<string, string[]>()
  for (const line of output.split('\n')) {
    if (line === '') continue
    const [, verb, name, rest] = /^(create|add) (gw-\S*) (.+)$/.exec(line) ?? []
    if (name === undefined || rest === undefined)
      throw new UnreadableOutput(`ipset save: not a line of ours: "${line.slice(0, 80)}"`)
    if (verb === 'create') headers.set(name, rest)
    else if (members.get(name)?.push(readMember(rest)) === undefined) members.set(name, [readMember(rest)])
  }
  const orphan = [...members.keys()].find((name) => !headers.has(name))
  if (orphan !== undefined)
    throw new UnreadableOutput(`ipset save: members of "${orphan}" without its "create" line`)
  return new Map(
    [...headers].map(([name, header]) => [
      name,
      formatSet({ header, members: sortMembers(members.get(name) ?? []) }),
    ]),
  )
}

function desiredSets(host: HostModel): State {
  const sets = new Map<string, string>()
  for (const { list, family } of neededSets(host)) {
    const members = membersOf(ofFamily(list.prefixes, family))
    sets.set(setName(list.name, family), formatSet({ header: headerFor(family, members.length), members }))
  }
  return sets
}

function usersOfSets(host: HostModel): ReadonlyMap<string, readonly RuleId[]> {
  const users = new Map<string, RuleId[]>()
  for (const { list, family, id } of neededSets(host)) {
    const ids = users.get(setName(list.name, family)) ?? []
    if (id !== undefined && !ids.includes(id)) ids.push(id)
    users.set(setName(list.name, family), ids)
  }
  return users
}

/** A list in a family whose rules name it as a set, and the rule that does; none for the management floor. */
interface NeededSet {
  readonly list: { readonly name: string; readonly prefixes: readonly Prefix[] }
  readonly family: 4 | 6
  readonly id?: RuleId
}

function neededSets(host: HostModel): readonly NeededSet[] {
  const isFiltered = [host.own.inbound, host.own.outbound].some(({ kind }) => kind === 'filtered')
  return ([4, 6] as const).flatMap((family) => {
    const management = managementList(host)
    const floor =
      isFiltered && peerForm(management, family).kind === 'set' ? [{ list: management, family }] : []
    const rules = linuxRulesets(host).flatMap((ruleset) => ruleset.rules)
    const named = rules.flatMap((rule): NeededSet[] => {
      if (rule.peer === 'any' || !speaksOf(rule, family) || peerForm(rule.peer, family).kind !== 'set')
        return []
      return [{ list: rule.peer, family, id: rule.id }]
    })
    return [...floor, ...named]
  })
}
