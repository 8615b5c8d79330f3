import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { ansibleReads } from '../../src/repo/yaml-dialect.ts'

const plain = [
  'yes',
  'No',
  'ON',
  'off',
  'y',
  'n',
  'true',
  'True',
  'TRUE',
  'tRue',
  'false',
  '~',
  'null',
  'Null',
  'nil',
  '0',
  '7',
  '-7',
  '+7',
  '010',
  '0o10',
  '0x1f',
  '0X1F',
  '0b11',
  '1_000',
  '08',
  '09',
  '0_',
  '00',
  '-010',
  '12345678',
  '22:22',
  '52:54:00:12:34:56',
  '52:54:00:00:01:01',
  '52:54:00:ab:cd:ef',
  '01:02:03:04:05:06',
  '1:60',
  '190:20:30',
  '-1:30',
  '1:2:3:4:5:6:7:8',
  '2001:db8::1',
  '::1',
  'fe80::1',
  '1.5',
  '10.0',
  '.5',
  '5.',
  '1e3',
  '1.0e3',
  '1.0e+3',
  '-.5',
  '+1.5',
  '1_0.5',
  '1:30.5',
  '.inf',
  '-.INF',
  '.nan',
  '1.2.3.4',
  '10.0.0.0/24',
  '2026-12-31',
  '2026-1-1',
  '2026-12-31T10:00:00',
  '2026-12-31 10:00:00Z',
  '12-31',
  '=',
  'a=b',
  'text',
  'web-1',
  'tcp/443',
  'set:office',
]

/** What a scalar is, as both sides can say it. */
function kindOf(value: string | number | boolean | null): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return Number.isNaN(value) ? 'number nan' : `number ${value}`
  return `${typeof value} ${String(value)}`
}

const script = `
import json, sys, yaml, datetime
def kind(text):
    try: value = yaml.safe_load(text)
    except yaml.YAMLError: return "error"
    if value is None: return "null"
    if isinstance(value, bool): return "boolean " + str(value).lower()
    if isinstance(value, datetime.date): return "date"
    if isinstance(value, (int, float)):
        return "number nan" if value != value else "number " + (str(value).replace("inf", "Infinity") if value in (float("inf"), float("-inf")) else str(int(value)) if value == int(value) else repr(value))
    return "string " + value
print(json.dumps([kind(text) for text in json.load(sys.stdin)]))
`

test('a scalar that Ansible reads differently is known as one, and no other', () => {
  const theirs = JSON.parse(
    execFileSync('/usr/bin/python3', ['-c', script], { input: JSON.stringify(plain) }).toString(),
  ) as readonly string[]
  for (const [index, text] of plain.entries()) {
    const value = parseDocument(text).toJS() as string | number | boolean | null
    const differs = kindOf(value) !== theirs[index]
    expect(`${text}: ${ansibleReads({ plain: text, value: value ?? undefined }) !== undefined}`).toBe(
      `${text}: ${differs}`,
    )
  }
})

test('the reading is told in words', () => {
  expect(ansibleReads({ plain: '52:54:00:12:34:56', value: '52:54:00:12:34:56' })).toBe(
    'the number 41135085296',
  )
  expect(ansibleReads({ plain: 'off', value: 'off' })).toBe('the truth value false')
  expect(ansibleReads({ plain: '010', value: 10 })).toBe('the number 8')
  expect(ansibleReads({ plain: '2026-12-31', value: '2026-12-31' })).toBe('a date')
  expect(ansibleReads({ plain: '1e3', value: 1000 })).toBe('text')
})

test('quoted text is what it says', () => {
  expect(ansibleReads({ value: '52:54:00:12:34:56' })).toBeUndefined()
})
