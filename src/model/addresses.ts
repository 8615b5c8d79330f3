import { type Address, parseAddress } from '../net/address.ts'
import { type Prefix, aggregate, hostPrefix, subtract } from '../net/prefix.ts'
import type { InventoryHost, PeerDocument, Repo, RuleDocument } from '../repo/repo.ts'
import type { AddressList, RuleId } from './model.ts'

/** Turns a rule's peers into addresses. Names are known to exist: the loader has refused all others. */
export interface AddressBook {
  /** What a rule of this id speaks of. One reference keeps its name, so that rules and hosts share the list. */
  peerOf(rule: Pick<RuleDocument, 'peers'>, id: RuleId): 'any' | AddressList
  /** Every address a reference stands for, aggregated. `any` is both whole families. */
  prefixesOf(peer: PeerDocument): readonly Prefix[]
}

/** Address book of a repository. Members of a group are the addresses of its guests' NICs and of its hypervisors. */
export function addressBook(repo: Repo): AddressBook {
  const listByName = new Map<string, AddressList>()

  function named(name: string, prefixes: () => readonly Prefix[]): AddressList {
    const known = listByName.get(name)
    if (known !== undefined) return known
    const list = { name, prefixes: aggregate(prefixes()) }
    listByName.set(name, list)
    return list
  }

  function listOf(peer: PeerDocument & { kind: 'set' | 'group' | 'guest' | 'host' }): AddressList {
    return named(`${peer.kind}:${peer.name}`, () => {
      switch (peer.kind) {
        case 'set': {
          const set = repo.sets.get(peer.name)
          return set === undefined ? [] : subtract(set.include, set.exclude)
        }
        case 'group':
          return (repo.inventory.groups.get(peer.name) ?? []).flatMap((host) =>
            addressesOf(repo.inventory.hosts.get(host)),
          )
        case 'guest':
        case 'host':
          return addressesOf(repo.inventory.hosts.get(peer.name))
      }
    })
  }

  function prefixesOf(peer: PeerDocument): readonly Prefix[] {
    switch (peer.kind) {
      case 'any':
        return ['0.0.0.0/0' as Prefix, '::/0' as Prefix]
      case 'prefixes':
        return aggregate(peer.prefixes)
      default:
        return listOf(peer).prefixes
    }
  }

  return {
    prefixesOf,
    peerOf(rule, id) {
      if (rule.peers.some((peer) => peer.kind === 'any')) return 'any'
      const [only] = rule.peers
      if (rule.peers.length === 1 && only !== undefined && only.kind !== 'prefixes' && only.kind !== 'any')
        return listOf(only)
      return named(`rule:${id}`, () => rule.peers.flatMap(prefixesOf))
    },
  }
}

function addressesOf(host: InventoryHost | undefined): readonly Prefix[] {
  return host === undefined ? [] : hostAddresses(host).map(hostPrefix)
}

/** Addresses of a guest's NICs, or of a hypervisor: its `ansible_host`, when that is an address. */
export function hostAddresses(host: InventoryHost): readonly Address[] {
  switch (host.role.kind) {
    case 'guest':
      return host.role.nics.flatMap((nic) => nic.addresses)
    case 'hypervisor': {
      const address = parseAddress(host.ansible.host ?? host.name)
      return address === undefined ? [] : [address]
    }
    case 'none':
      return []
  }
}
