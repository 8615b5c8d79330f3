import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { LabHost } from '../../lab/host.ts'

/** Everything that a host's own tools print of its filters, without what counts or names the moment. */
export function dumpFilters(host: LabHost): string {
  const text = (argv: readonly string[]) => host.run(argv).stdout
  return [
    ...['iptables-save', 'ip6tables-save'].map((tool) => text([tool])),
    text(['ipset', 'save', '-sorted']),
    text(['nft', '-s', 'list', 'table', 'bridge', 'gitwall']),
    host.ovs === undefined
      ? ''
      : // Flows of one priority come in no order.
        text(['ovs-ofctl', '-O', 'OpenFlow14', 'dump-flows', 'br0', '--no-stats'])
          .split('\n')
          .sort()
          .join('\n'),
  ]
    .join('\n')
    .replaceAll(/^#.*$/gm, '')
    .replaceAll(/\[\d+:\d+\]/g, '')
    .replaceAll(/ initval 0x[0-9a-f]+/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .join('\n')
}

/** `dumpFilters`, and what the host remembers of us: its record, and the names of its snapshots and transactions. */
export function dumpHost(host: LabHost): string {
  const at = (name: string) => join(host.stateDirectory, name)
  const names = (name: string) => (existsSync(at(name)) ? readdirSync(at(name)).sort().join(' ') : '')
  const record = existsSync(at('confirmed')) ? readFileSync(at('confirmed'), 'utf8') : ''
  return [dumpFilters(host), record, names('snapshots'), names('tx')].join('\n')
}
