import { createHash } from 'node:crypto'

/** The first conntrack zone of the range we derive from names; below it live VLAN tags and other tools' zones. */
const firstDerivedZone = 0x4000
const derivedZones = 0x4000

/**
 * Conntrack zone of a network, from its name alone: 0x4000–0x7fff. Zones are 16 bits wide (ovs-fields(7), `ct_zone`) and 0 is
 * everybody's. Two names may meet; the caller must look for that.
 */
export function zoneOfNetwork(name: string): number {
  const hash = createHash('sha256').update(`network\n${name}`).digest()
  return firstDerivedZone + (hash.readUInt32BE(0) % derivedZones)
}
