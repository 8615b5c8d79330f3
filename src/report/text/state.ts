import type { HostState } from '../../kernel/backend.ts'
import { plain } from '../escape.ts'
import type { Paint } from './paint.ts'

/** What a host holds or should hold, by kind and key, complete. */
export function formatState(state: HostState, paint: Paint): readonly string[] {
  return [...state].flatMap(([kind, objects]) => [
    `${paint('bold', kind)} (${objects.size} ${objects.size === 1 ? 'object' : 'objects'})`,
    ...[...objects].flatMap(([key, text]) => [
      `  ${plain(key)}`,
      ...text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => `    ${plain(line)}`),
    ]),
  ])
}
