import { type DirectedTraffic, type MeaningChange, rulesOfChange } from '../../meaning/difference.ts'
import { type Namer, namer } from '../../meaning/names.ts'
import { formatServices } from '../../meaning/service-names.ts'
import { plainJson } from '../escape.ts'
import type { MeaningReport } from '../meaning.ts'

/** The difference of two commits as JSON by `schemas/report.schema.json`, with a final newline. */
export function formatMeaningJson(report: MeaningReport): string {
  const names = namer(report.names)
  const rules = new Set(report.changes.flatMap(rulesOfChange))
  return `${plainJson({
    version: 1,
    command: 'diff',
    base: report.base,
    commit: report.commit,
    changes: report.changes.map((change) => changeObject(change, names)),
    objects: report.objects.map(({ host, objects }) => ({ host, kinds: Object.fromEntries(objects) })),
    rules: Object.fromEntries([...report.rules].filter(([id]) => rules.has(id))),
  })}\n`
}

function changeObject(change: MeaningChange, names: Namer): object {
  const common = { kind: change.kind, where: names.places(change.places), places: change.places }
  switch (change.kind) {
    case 'opened':
    case 'closed':
      return { ...common, traffic: [trafficObject(change.traffic, names)], may: [] }
    case 'granted':
    case 'revoked':
      return { ...common, traffic: [], may: [change.privilege.text] }
    case 'came':
    case 'went':
      return {
        ...common,
        traffic: change.traffic.map((traffic) => trafficObject(traffic, names)),
        may: change.privileges.map((privilege) => privilege.text),
      }
  }
}

function trafficObject({ direction, peers, services, rules }: DirectedTraffic, names: Namer): object {
  return { direction, peers: names.peers(peers), prefixes: peers, services: formatServices(services), rules }
}
