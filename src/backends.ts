import type { Backend } from './kernel/backend.ts'
import { ipset } from './kernel/ipset/backend.ts'
import { iptables } from './kernel/iptables/backend.ts'
import { nft } from './kernel/nft/backend.ts'
import { ovs } from './kernel/ovs/backend.ts'

/** Every kind, in the order in which they are written within a phase. The one place to touch when a kind is added. */
export const backends: readonly Backend[] = [ipset, nft, iptables, ovs]
