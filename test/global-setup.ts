import { requireControllerNamespace } from '../lab/lab.ts'

/** Fails the whole project at once, with one clear message, where its tests could only fail one by one. */
export default function setup(): void {
  requireControllerNamespace()
}
