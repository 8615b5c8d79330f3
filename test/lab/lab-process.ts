import { startLab } from '../../lab/lab.ts'
import { smallPlan } from './small-plan.ts'

/** A lab in a process of its own: prints its prefix when it runs, and stops it when stdin is closed. */
const lab = await startLab(smallPlan)
console.log(lab.prefix)
process.stdin.resume()
process.stdin.once('end', () => lab.stop())
