import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatService, mergeServices, parseService } from '../../src/repo/service.ts'
import { builtInDocuments } from '../../src/repo/service-names.ts'
import type { ServiceMatch } from '../../src/repo/repo.ts'
import type { PortRange } from '../../src/net/port.ts'

const ports = (...ranges: readonly (readonly [number, number])[]): readonly PortRange[] =>
  ranges.map(([first, last]) => ({ first, last }))

test.each<[string, ServiceMatch]>([
  ['any', { protocol: 'any' }],
  ['tcp', { protocol: 'tcp', ports: [], sourcePorts: [] }],
  ['tcp/443', { protocol: 'tcp', ports: ports([443, 443]), sourcePorts: [] }],
  ['udp/9000-9010', { protocol: 'udp', ports: ports([9000, 9010]), sourcePorts: [] }],
  ['sctp/443,80,81-90', { protocol: 'sctp', ports: ports([80, 90], [443, 443]), sourcePorts: [] }],
  ['udp/67-68@67-68', { protocol: 'udp', ports: ports([67, 68]), sourcePorts: ports([67, 68]) }],
  ['tcp/0-65535', { protocol: 'tcp', ports: [], sourcePorts: [] }],
  ['icmp', { protocol: 'icmp' }],
  ['icmp/8', { protocol: 'icmp', type: 8 }],
  ['icmp/3/4', { protocol: 'icmp', type: 3, code: 4 }],
  ['icmp/fragmentation-needed', { protocol: 'icmp', type: 3, code: 4 }],
  ['icmp/echo-request', { protocol: 'icmp', type: 8 }],
  ['icmp6/echo-request', { protocol: 'icmp6', type: 128 }],
  ['icmp6/destination-unreachable/4', { protocol: 'icmp6', type: 1, code: 4 }],
  ['gre', { protocol: 'number', number: 47 }],
  ['esp', { protocol: 'number', number: 50 }],
  ['ah', { protocol: 'number', number: 51 }],
  ['vrrp', { protocol: 'number', number: 112 }],
  ['igmp', { protocol: 'number', number: 2 }],
  ['proto/47', { protocol: 'number', number: 47 }],
  ['proto/6', { protocol: 'tcp', ports: [], sourcePorts: [] }],
  ['proto/1', { protocol: 'icmp' }],
  ['proto/58', { protocol: 'icmp6' }],
])('%s is read', (text, match) => {
  expect(parseService(text)).toEqual({ kind: 'match', match })
})

test.each([
  'tcp/',
  'tcp/http',
  'tcp/65536',
  'tcp/90-80',
  'tcp/080',
  'tcp/-1',
  'tcp/1-2-3',
  'tcp/1,',
  'tcp/1@',
  'tcp/1@2@3',
  'tcp/ ',
  'TCP/80',
  'icmp/255',
  'icmp6/255',
  'icmp/256',
  'icmp/8/256',
  'icmp/8/0/0',
  'icmp/fragmentation-needed/4',
  'icmp6/timestamp-request',
  'proto/0',
  'proto/256',
  'proto/gre',
  'gre/1',
  'any/80',
  'ftp/21',
  '/80',
])('%s is refused with advice', (text) => {
  const reading = parseService(text)
  expect(reading.kind).toBe('refused')
  expect(reading.kind === 'refused' && reading.message).toMatch(/^".*": |is not a type of ICMP: /)
})

test('what is formatted reads the same', () => {
  const port = fc.tuple(fc.nat(65_535), fc.nat(65_535)).map(([a, b]) => (a < b ? `${a}-${b}` : `${b}-${a}`))
  const list = fc.array(port, { minLength: 1, maxLength: 4 }).map((all) => all.join(','))
  const literal = fc.oneof(
    fc.tuple(fc.constantFrom('tcp', 'udp', 'sctp'), list).map(([protocol, to]) => `${protocol}/${to}`),
    fc
      .tuple(fc.constantFrom('tcp', 'udp'), list, list)
      .map(([protocol, to, from]) => `${protocol}/${to}@${from}`),
    fc.tuple(fc.constantFrom('icmp', 'icmp6'), fc.nat(254), fc.nat(255)).map((parts) => parts.join('/')),
    fc.integer({ min: 1, max: 255 }).map((number) => `proto/${number}`),
  )
  fc.assert(
    fc.property(literal, (text) => {
      const reading = parseService(text)
      expect(reading.kind === 'match' && parseService(formatService(reading.match))).toEqual(reading)
    }),
  )
})

test('merged services match the same ports', () => {
  const literals = ['tcp/80', 'tcp/81-90', 'udp/53', 'tcp/85-100', 'tcp/80@7', 'icmp/8', 'icmp/8']
  const matches = literals.flatMap((text) => {
    const reading = parseService(text)
    return reading.kind === 'match' ? [reading.match] : []
  })
  expect(mergeServices(matches).map(formatService)).toEqual(['tcp/80-100', 'udp/53', 'tcp/80@7', 'icmp/8'])
  expect(mergeServices([...matches, { protocol: 'any' }])).toEqual([{ protocol: 'any' }])
  expect(
    mergeServices([...matches, { protocol: 'tcp', ports: [], sourcePorts: [] }]).map(formatService),
  ).toContain('tcp')
})

test('every built-in service can be read and has a name in lower case', () => {
  const services = builtInDocuments()
  expect(services.size).toBeGreaterThan(80)
  for (const [name, service] of services) {
    expect(name).toMatch(/^[a-z][a-z0-9]*$/)
    expect(service.matches.length).toBeGreaterThan(0)
    // A list of ports that came out empty would mean every port.
    expect(service.matches.filter((match) => 'ports' in match && match.ports.length === 0)).toEqual([])
  }
})

test.each([
  ['ssh', ['tcp/22']],
  ['dns', ['tcp/53', 'udp/53']],
  ['ping', ['icmp/8', 'icmp6/128']],
  ['web', ['tcp/80,443']],
  ['pptp', ['tcp/1723', 'proto/47']],
])('the service %s is %s', (name, literals) => {
  expect(builtInDocuments().get(name)?.matches.map(formatService)).toEqual(literals)
})
