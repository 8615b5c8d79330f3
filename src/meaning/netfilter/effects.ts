import type { Item } from './chain.ts'
import { type Mark, eitherMark, mixMark, maskMark, setMark, unknownMark } from './mark.ts'
import { type Passage, hasConnection, trackingOf } from './passage.ts'
import { type Doubt, doubt } from './truth.ts'

/** Something that changes the packet's mark, or its connection's, as far as it surely happened. */
function markEffect(target: 'mark' | 'connectionMark', change: (passage: Passage) => Mark): Item {
  return {
    kind: 'effect',
    apply(passage, unsure) {
      const tracking = trackingOf(passage)
      if (target === 'connectionMark' && typeof tracking === 'string' && !hasConnection(tracking)) return
      const isSure = unsure === undefined && (target === 'mark' || typeof tracking === 'string')
      const after = change(passage)
      passage[target] = isSure ? after : eitherMark(passage[target], after)
    },
  }
}

/** `(mark & ~mask) ^ value`. */
export function setMarkEffect(target: 'mark' | 'connectionMark', value: number, mask: number): Item {
  return markEffect(target, (passage) => setMark(passage[target], value, mask))
}

/** A mark that comes from what we do not follow. */
export function unknownMarkEffect(target: 'mark' | 'connectionMark'): Item {
  return markEffect(target, () => unknownMark)
}

/** From the connection to the packet, or back, through masks of both. See `xt_connmark.c`. */
export function copyMarkEffect(way: 'save' | 'restore', packetMask: number, connectionMask: number): Item {
  if (way === 'save')
    return markEffect('connectionMark', (passage) =>
      mixMark(passage.connectionMark, maskMark(passage.mark, packetMask), connectionMask),
    )
  return markEffect('mark', (passage) => {
    const tracking = trackingOf(passage)
    if (typeof tracking === 'object') return unknownMark
    if (!hasConnection(tracking)) return passage.mark
    return mixMark(passage.mark, maskMark(passage.connectionMark, connectionMask), packetMask)
  })
}

/** Takes the packet out of conntrack, where it has not been there yet. */
export const notrack: Item = {
  kind: 'effect',
  apply(passage, unsure) {
    if (passage.isTracked || passage.isExempt === true) return
    passage.isExempt = unsure ?? true
  },
}

/** A rule adds to, or removes from, a set: what it then holds depends on more than this packet. */
export function changeSetEffect(name: string): Item {
  return { kind: 'effect', apply: ({ changedSets }) => void changedSets.add(name) }
}

const changedHopLimit: Doubt = doubt('a rule changed the hop limit')

/** TTL or hop limit is set anew. */
export const hopLimitEffect: Item = {
  kind: 'effect',
  apply(passage) {
    passage.hopLimit = changedHopLimit
  },
}
