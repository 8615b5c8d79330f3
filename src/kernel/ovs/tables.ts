/** The first of the tables that are ours alone. Table 0 is where every frame enters; it is shared with other writers. */
const base = 10

/** OpenFlow tables of the pipeline, in the order in which a frame from one guest to another passes them. */
export const tables = {
  /** By the port it came from. */
  classify: 0,
  /** From uplinks, LOCAL and unmanaged ports: by where it goes. */
  arrive: base,
  /** From a guest: what it claims to be, by type of packet. */
  outBase: base + 1,
  /** Neighbour discovery that speaks for an address: is it the guest's own? */
  outNeighbour: base + 2,
  /** Source MAC and source address, in pairs. */
  outSource: base + 3,
  /** What needs no conntrack goes on, the rest is looked up there. */
  outTrack: base + 4,
  outState: base + 5,
  outMembers: base + 6,
  outRules: base + 7,
  /** Accepted by the sender's rules: to a guest of this bridge, or away. */
  deliver: base + 8,
  /** Leaves through ports that belong to no guest. */
  leave: base + 9,
  /** To a guest: what needs no conntrack, and the rest. */
  inBase: base + 10,
  inState: base + 11,
  inMembers: base + 12,
  inRules: base + 13,
  /** Accepted by the receiver's rules. */
  inAccept: base + 14,
  /** One flow that no frame ever meets: while it stands, the switch has not lost our flows. */
  canary: base + 15,
} as const

/** High 16 bits of the cookie of every flow of ours, as hex digits. */
export const cookieMagic = '6777'

/** Matches the cookie of every flow of ours; see ovs-ofctl(8), `cookie=value/mask`. */
export const cookieFilter = `0x${cookieMagic}000000000000/0xffff000000000000`

/**
 * Low 48 bits of the cookie of flows that no rule asked for, as twelve hex digits. Everything below 0x10000 is reserved for
 * them; what is above is the id of a rule. They are told apart for the sake of counters.
 */
export const purposes = {
  plumbing: '000000000000',
  canary: '000000000001',
  /** Drops what comes from a port that was not there when the flows were made. */
  unknownPort: '000000000002',
  /** Drops what a guest may not claim to be, and frame types that guests may not send or get. */
  spoofed: '000000000003',
  /** Drops DHCP service, router advertisements and redirects of guests that may not offer them. */
  unoffered: '000000000004',
  /** Drops what conntrack calls invalid. */
  invalid: '000000000005',
  /** Drops what no rule allowed. */
  unmatched: '000000000006',
} as const

/** Does the low part of a cookie name a rule? */
export function isRuleCookie(id: string): boolean {
  return !id.startsWith('00000000')
}
