import { expect, test } from 'vitest'
import { matchPattern, parsePattern } from '../../src/repo/pattern.ts'
import { fleet, load, policy } from './repository.ts'

const { inventory } = load({ 'inventory/hosts.yaml': fleet, 'policies/p.yaml': policy }).repo

function match(text: string): { hosts: readonly string[]; unknown: readonly string[] } | string {
  const reading = parsePattern(text)
  return reading.kind === 'refused' ? reading.message : matchPattern(reading.pattern, inventory)
}

test.each([
  { pattern: 'web', hosts: ['web-1', 'web-2'] },
  { pattern: 'web-2', hosts: ['web-2'] },
  { pattern: 'app:web', hosts: ['web-1', 'web-2', 'app-1'], says: 'in the order of the inventory' },
  { pattern: 'app, web', hosts: ['web-1', 'web-2', 'app-1'] },
  {
    pattern: '!web:all',
    hosts: ['hv-1', 'hv-2', 'app-1'],
    says: 'exclusions come last, wherever they stand',
  },
  { pattern: '!hypervisors', hosts: ['web-1', 'web-2', 'app-1'], says: 'only exclusions start from all' },
  { pattern: '*-1:&web', hosts: ['web-1'] },
  { pattern: 'all', hosts: ['hv-1', 'hv-2', 'web-1', 'web-2', 'app-1'] },
  { pattern: '*', hosts: ['hv-1', 'hv-2', 'web-1', 'web-2', 'app-1'] },
  { pattern: '[ah]*-[!2]', hosts: ['hv-1', 'app-1'] },
  { pattern: 'w?b', hosts: ['web-1', 'web-2'], says: 'a glob matches groups, too' },
  { pattern: 'ungrouped', hosts: [] },
])('$pattern matches $hosts', ({ pattern, hosts }) => {
  expect(match(pattern)).toEqual({ hosts, unknown: [] })
})

test.each([
  { pattern: 'wbe:app', hosts: ['app-1'], unknown: ['unknown host or group "wbe": did you mean "web"?'] },
  {
    pattern: 'nothing-like-it',
    hosts: [],
    unknown: ['unknown host or group "nothing-like-it": add it to the inventory, or correct the name'],
  },
  {
    pattern: 'x*:!y*',
    hosts: [],
    unknown: [
      'no host or group matches "x*": correct the pattern',
      'no host or group matches "y*": correct the pattern',
    ],
  },
  {
    pattern: 'localhost',
    hosts: [],
    unknown: ['unknown host or group "localhost": add it to the inventory, or correct the name'],
  },
])('$pattern names what it cannot find', ({ pattern, hosts, unknown }) => {
  expect(match(pattern)).toEqual({ hosts, unknown })
})

test.each([
  ['~web.*', 'regular expression'],
  ['web:!~x', 'regular expression'],
  ['web[0]', 'picks by position'],
  ['web[-1]', 'picks by position'],
  ['web[0:2]', 'picks by position'],
  ['web-[12]', 'picks by position'],
  ['@hosts.retry', 'is a file of hosts'],
  ['web,app:!db', 'mixes "," and ":"'],
  ['web:', 'empty term'],
  ['', 'empty term'],
  ['web:&', 'names nothing'],
  ['!&web', 'two signs'],
  ['web app', 'has a space'],
  ['web[', 'bracket without its pair'],
  ['web;reboot', 'character that no name has'],
  ['a'.repeat(5000), 'longer than 4096'],
])('%s is refused: %s', (pattern, message) => {
  expect(match(pattern)).toContain(message)
})

test('many stars cost little', () => {
  const hosts = new Map([...inventory.hosts].map(([, host]) => ['a'.repeat(63), host]))
  const reading = parsePattern(`${'*a'.repeat(60)}*b`)
  expect(
    reading.kind === 'pattern' && matchPattern(reading.pattern, { hosts, groups: new Map() }).hosts,
  ).toEqual([])
})
