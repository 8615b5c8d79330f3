import type { HostFacts } from '../kernel/facts.ts'
import type { Capture } from './capture.ts'

/** Static shell text for each file of a capture, foreign objects included. A tool that is not there prints nothing. */
export const captureProbes: readonly { readonly name: string; readonly script: string }[] = [
  { name: 'iptables-save', script: ifThere('iptables-save', 'iptables-save') },
  { name: 'ip6tables-save', script: ifThere('ip6tables-save', 'ip6tables-save') },
  { name: 'ipset-save', script: ifThere('ipset', 'ipset save') },
  { name: 'nft-ruleset', script: ifThere('nft', 'nft -s list ruleset') },
  {
    name: 'flows',
    script: `command -v ovs-vsctl >/dev/null 2>&1 || exit 0
[ -S "\${OVS_RUNDIR:-/var/run/openvswitch}/db.sock" ] || exit 0
for bridge in $(ovs-vsctl --timeout=10 list-br); do
  printf 'bridge %s\\n' "$bridge"
  ovs-ofctl -O OpenFlow14 --timeout=60 --no-names dump-flows "$bridge" || exit 1
done`,
  },
]

function ifThere(tool: string, command: string): string {
  return `command -v ${tool} >/dev/null 2>&1 || exit 0; ${command}`
}

/** The capture that `captureProbes` printed; `output` gives a probe's stdout. */
export function captureFrom(output: (name: string) => string, facts: HostFacts): Capture {
  const flows = new Map<string, string>()
  for (const block of output('flows')
    .split(/^bridge /m)
    .slice(1)) {
    const end = block.indexOf('\n')
    flows.set(block.slice(0, end), block.slice(end + 1))
  }
  return {
    flows,
    ports: new Map([...facts.ovsPorts].map(([name, { bridge, ofport }]) => [name, { bridge, ofport }])),
    iptables: output('iptables-save'),
    ip6tables: output('ip6tables-save'),
    ipset: output('ipset-save'),
    nft: output('nft-ruleset'),
  }
}
