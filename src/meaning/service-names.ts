import { formatPorts } from '../net/port.ts'
import {
  type Services,
  everyService,
  icmpProtocols,
  portProtocols,
  wholeArea,
  without,
} from './space-services.ts'
import { type Area, areaKey } from './space-area.ts'
import { type Ranges, sameRanges } from './space-ranges.ts'

const nameByNumber: ReadonlyMap<number, string> = new Map(
  Object.entries({ ...portProtocols, ...icmpProtocols }).map(([name, number]) => [number, name]),
)

/** Parts shown of one set of services. */
const shownParts = 12

/** As policies write services: `tcp/443, udp/53, icmp/8`, `any`, `any except tcp/22`; `@` is followed by source ports. */
export function formatServices(services: Services): string {
  if (services.key === everyService.key) return 'any'
  if (services.others) return `any except ${formatServices(without(everyService, services))}`
  const parts = [...services.byProtocol].flatMap(([protocol, area]) => formatArea(protocol, area))
  const shown = parts.slice(0, shownParts).join(', ')
  return parts.length > shownParts ? `${shown}, … (${parts.length} parts)` : shown
}

function formatArea(protocol: number, area: Area): readonly string[] {
  const name = nameByNumber.get(protocol)
  if (name === undefined) return [`proto/${protocol}`]
  if (areaKey(area) === areaKey(wholeArea(protocol))) return [name]
  return name in portProtocols ? formatPortArea(name, area) : formatTypeArea(name, area)
}

/** Ports with the same source ports stand together. */
function formatPortArea(name: string, area: Area): readonly string[] {
  const groups: { ys: Ranges; xs: string[] }[] = []
  for (const { ys, ...ports } of area) {
    const group = groups.find((one) => sameRanges(one.ys, ys))
    if (group === undefined) groups.push({ ys, xs: [formatPorts(ports)] })
    else group.xs.push(formatPorts(ports))
  }
  return groups.map(({ ys, xs }) => {
    const isAnySource = sameRanges(ys, wholeArea(portProtocols.tcp)[0]?.ys ?? [])
    return `${name}/${xs.join(',')}${isAnySource ? '' : `@${ys.map(formatPorts).join(',')}`}`
  })
}

function formatTypeArea(name: string, area: Area): readonly string[] {
  return area.map(({ ys, ...types }) => {
    const isAnyCode = sameRanges(ys, wholeArea(icmpProtocols.icmp)[0]?.ys ?? [])
    return `${name}/${formatPorts(types)}${isAnyCode ? '' : `/${ys.map(formatPorts).join(',')}`}`
  })
}
