/**
 * `npm run prove -- --policies N [--verdicts M] [--seed S]`: policy = Open vSwitch flows = chains and sets, on N random policies with
 * about M verdicts each (default 1,000). Ends with one line of counts; exit code 1 when any verdict differs.
 */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { prove } from '../test/meaning/proof.ts'
import { policyFile } from '../test/meaning/random-policy.ts'

const { values } = parseArgs({
  options: {
    policies: { type: 'string', default: '100' },
    verdicts: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
})
const [policies, limit, seed] = [Number(values.policies), Number(values.verdicts), Number(values.seed)]
const batch = 100
let verdicts = 0
let wrong = 0
for (let done = 0; done < policies; done += batch) {
  const count = Math.min(batch, policies - done)
  for (const policy of fc.sample(policyFile, { numRuns: count, seed: seed + done })) {
    const proof = prove(policy, { limit })
    verdicts += proof.verdicts
    wrong += proof.wrong.length
    for (const difference of proof.wrong) console.log(`${difference}\n  ${policy}`)
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${done + count} policies, ${verdicts} verdicts`)
}
console.log(`${policies} policies from seed ${seed}, ${verdicts} verdicts, ${wrong} wrong`)
process.exitCode = wrong === 0 ? 0 : 1
