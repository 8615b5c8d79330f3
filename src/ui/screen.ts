import { plain } from '../report/escape.ts'

/** Where and how progress is shown. */
export interface ProgressStyle {
  /** `live`: redrawn in place, for a terminal. `lines`: one line per task that ends, for logs. `none`: nothing. */
  readonly mode: 'live' | 'lines' | 'none'
  /** Usually stderr. */
  readonly stream: ProgressStream
  /** SGR colours in `live` mode. */
  readonly color: boolean
}

/** The part of a terminal or a log file that is used. */
interface ProgressStream {
  write(text: string): unknown
  readonly columns?: number
}

/** What runs tell. Titles must differ. */
export interface Progress {
  start(title: string): void
  report(title: string, text: string): void
  end(title: string, how: 'done' | 'failed'): void
  /** Takes the drawing away. Nothing is written after it. */
  stop(): void
}

interface State {
  readonly total: number
  done: number
  failed: number
  /** Title → what it is at, in order of start. */
  readonly running: Map<string, string>
}

const framesPerSecond = 10
const maxRows = 12

/** Begins to show the progress of `total` tasks. The caller must `stop` it. */
export function startProgress(total: number, style: ProgressStyle): Progress {
  const state: State = { total, done: 0, failed: 0, running: new Map() }
  const drawing = style.mode === 'live' ? draw(state, style) : undefined
  const log =
    style.mode === 'lines' ? (text: string) => style.stream.write(`${plain(text)}\n`) : () => undefined
  return {
    start: (title) => state.running.set(title, ''),
    report: (title, text) => {
      if (state.running.has(title)) state.running.set(title, text)
    },
    end: (title, how) => {
      const last = state.running.get(title) ?? ''
      state.running.delete(title)
      state[how]++
      log(`[${state.done + state.failed}/${total}] ${title}: ${how}${last === '' ? '' : `: ${last}`}`)
    },
    stop: () => drawing?.stop(),
  }
}

/** Draws on a clock rather than on events: the cost does not grow with the number of tasks. */
function draw(state: State, style: ProgressStyle): { stop(): void } {
  const { stream } = style
  let drawnRows = 0
  const frame = (rows: readonly string[]) => {
    // CSI A: cursor up, CSI J: erase to the end of the screen (ECMA-48, 8.3.22 and 8.3.39).
    const up = drawnRows === 0 ? '' : `\u001b[${drawnRows}A\r`
    stream.write(`${up}\u001b[J${rows.map((row) => `${row}\n`).join('')}`)
    drawnRows = rows.length
  }
  const timer = setInterval(() => frame(rowsOf(state, style)), 1000 / framesPerSecond)
  timer.unref()
  return {
    stop: () => {
      clearInterval(timer)
      if (drawnRows > 0) frame([])
    },
  }
}

function rowsOf(state: State, style: ProgressStyle): readonly string[] {
  const { total, done, failed, running } = state
  const columns = Math.max(20, style.stream.columns ?? 80)
  const waiting = total - done - failed - running.size
  const counts = [`${done} of ${total} done`, `${running.size} running`, `${waiting} waiting`]
  const bad = failed === 0 ? '' : paint(`, ${failed} failed`, 31, style)
  const rows: string[] = []
  for (const [title, text] of running) {
    if (rows.length === maxRows) break
    rows.push(paint(fit(plain(`  ${title}${text === '' ? '' : `: ${text}`}`), columns), 2, style))
  }
  return [`${counts.join(', ')}${bad}`, ...rows]
}

function paint(text: string, code: number, { color }: ProgressStyle): string {
  return color ? `\u001b[${code}m${text}\u001b[0m` : text
}

/** Cut so that the terminal does not wrap it. From U+1100 on a character is counted as two columns, which is never too few. */
function fit(text: string, columns: number): string {
  let width = 0
  let kept = ''
  for (const character of text) {
    width += (character.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1
    if (width >= columns) return `${kept}…`
    kept += character
  }
  return kept
}
