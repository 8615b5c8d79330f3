import type { Scalar } from './yaml-node.ts'

/** What a plain scalar is for PyYAML, which reads YAML 1.1 for Ansible. */
type Reading =
  | { readonly kind: 'text' }
  | { readonly kind: 'boolean' | 'number' | 'null' | 'date' | 'other'; readonly value: string }

/**
 * How Ansible reads a plain scalar when that is not how we (YAML 1.2) read it: `the number 41135085296`. `undefined` when
 * both read the same. Source: the resolvers of PyYAML 6.0, yaml/resolver.py.
 */
export function ansibleReads(scalar: Pick<Scalar, 'value' | 'plain'>): string | undefined {
  if (scalar.plain === undefined) return undefined
  const reading = resolve11(scalar.plain)
  switch (reading.kind) {
    case 'text':
      return typeof scalar.value === 'string' ? undefined : 'text'
    case 'boolean':
      return String(scalar.value) === reading.value && typeof scalar.value === 'boolean'
        ? undefined
        : `the truth value ${reading.value}`
    case 'null':
      return scalar.value === undefined ? undefined : 'null'
    case 'number':
      return typeof scalar.value === 'number' && sameNumber(scalar.value, reading.value)
        ? undefined
        : `the number ${reading.value}`
    case 'date':
      return 'a date'
    case 'other':
      return reading.value
  }
}

/** Base 60: `52:54:00:12:34:56` is a number in YAML 1.1. */
export function isSexagesimal(plain: string): boolean {
  return /^[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+$/.test(plain)
}

function sameNumber(value: number, text: string): boolean {
  return value === Number(text) || Number.isNaN(value)
}

function resolve11(text: string): Reading {
  if (/^(~|null|Null|NULL|)$/.test(text)) return { kind: 'null', value: '' }
  if (/^(yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(text)) return { kind: 'boolean', value: 'true' }
  if (/^(no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(text)) return { kind: 'boolean', value: 'false' }
  if (text === '=') return { kind: 'other', value: 'an error' }
  if (/^\d{4}-\d\d-\d\d$/.test(text) || /^\d{4}-\d\d?-\d\d?([Tt]|[ \t]+)\d\d?:\d\d:\d\d/.test(text))
    return { kind: 'date', value: text }
  const number = integer11(text) ?? float11(text)
  return number === undefined ? { kind: 'text' } : { kind: 'number', value: number }
}

function integer11(text: string): string | undefined {
  const digits = text.replaceAll('_', '')
  if (/^[-+]?0b[01_]+$/.test(text)) return signed(digits, (body) => BigInt(body))
  if (/^[-+]?0x[0-9a-fA-F_]+$/.test(text)) return signed(digits, (body) => BigInt(body))
  if (/^[-+]?0[0-7_]+$/.test(text)) return signed(digits, (body) => BigInt(`0o${body}`))
  if (/^[-+]?(0|[1-9][0-9_]*)$/.test(text)) return signed(digits, (body) => BigInt(body))
  if (isSexagesimal(text))
    return signed(digits, (body) => body.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n))
  return undefined
}

function float11(text: string): string | undefined {
  const decimal =
    /^[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?$/.test(text) ||
    /^\.[0-9][0-9_]*([eE][-+][0-9]+)?$/.test(text)
  if (decimal) return String(Number(text.replaceAll('_', '')))
  if (/^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*$/.test(text)) return 'in base 60'
  if (/^[-+]?\.(inf|Inf|INF)$/.test(text)) return text.startsWith('-') ? '-Infinity' : 'Infinity'
  return /^\.(nan|NaN|NAN)$/.test(text) ? 'NaN' : undefined
}

function signed(text: string, valueOf: (body: string) => bigint): string {
  const body = text.replace(/^[-+]/, '')
  const value = valueOf(body)
  return String(text.startsWith('-') ? -value : value)
}
