// One value against one setting: is it right, and if not, what would be? And the other way in: a text from
// the environment or a flag, read as the setting's kind. Pure.

import { quote } from './config-faults.ts'
import { listItemsMax, textLengthMax } from './config-limits.ts'
import type { IntegerSetting, ListSetting, Setting, TextForm } from './config-schema.ts'

export type Verdict =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string; readonly expected: string }

/** Checks a value that already has a type: from a file or from code. */
export function checkValue(setting: Setting, value: unknown): Verdict {
  switch (setting.kind) {
    case 'text':
      // `null` in YAML and JSON takes an optional setting back.
      if (setting.default === undefined && (value === null || value === undefined))
        return right(undefined)
      return checkText(value, setting.form, expectation(setting))
    case 'integer':
      return checkInteger(setting, value)
    case 'flag':
      return typeof value === 'boolean' ? right(value) : wrong(value, expectation(setting))
    case 'choice':
      return includes(setting.choices, value) ? right(value) : wrong(value, expectation(setting))
    case 'list':
      return checkList(setting, value)
  }
}

/**
 * Reads a text as the setting's kind would be written, then checks it. Lists are separated by commas or are
 * a JSON array. What cannot be read stays a text, so that the check names it.
 */
export function checkWrittenValue(setting: Setting, written: string): Verdict {
  switch (setting.kind) {
    case 'integer':
      return checkValue(setting, /^[+-]?\d{1,16}$/.test(written) ? Number(written) : written)
    case 'flag':
      return checkValue(setting, written === 'true' ? true : written === 'false' ? false : written)
    case 'list':
      return checkValue(setting, readList(written))
    case 'text':
    case 'choice':
      return checkValue(setting, written)
  }
}

/** What a right value looks like, for faults and for the reference. */
export function expectation(setting: Setting): string {
  switch (setting.kind) {
    case 'text':
      return setting.form?.says ?? 'a text'
    case 'integer':
      return `a whole number of ${setting.unit} from ${setting.min} to ${setting.max}`
    case 'flag':
      return 'true or false'
    case 'choice':
      return `one of ${setting.choices.join(', ')}`
    case 'list': {
      const item = setting.choices ? `of ${setting.choices.join(', ')}` : formOf(setting)
      return `a list ${item}${setting.itemsMin === 1 ? ', not empty' : ''}, each once`
    }
  }
}

function formOf(setting: ListSetting): string {
  return setting.form === undefined ? 'of texts' : `of which each is ${setting.form.says}`
}

function checkText(value: unknown, form: TextForm | undefined, expected: string): Verdict {
  if (typeof value !== 'string') return wrong(value, expected)
  if (value.length > textLengthMax) {
    return { ok: false, problem: `${value.length} characters are too many`, expected }
  }
  return form === undefined || form.pattern.test(value) ? right(value) : wrong(value, expected)
}

function checkInteger(setting: IntegerSetting, value: unknown): Verdict {
  const expected = expectation(setting)
  if (typeof value === 'bigint') return outOfRange(value, expected)
  if (typeof value !== 'number') return wrong(value, expected)
  if (!Number.isInteger(value)) {
    return { ok: false, problem: `${value} is not a whole number`, expected }
  }
  return value < setting.min || value > setting.max
    ? outOfRange(value, expected)
    : right(value === 0 ? 0 : value)
}

function checkList(setting: ListSetting, value: unknown): Verdict {
  const expected = expectation(setting)
  if (!Array.isArray(value)) return wrong(value, expected)
  const itemsMin = setting.itemsMin ?? 0
  const itemsMax = setting.itemsMax ?? listItemsMax
  if (value.length < itemsMin || value.length > itemsMax) {
    const problem = `${value.length} items are ${value.length < itemsMin ? 'too few' : 'too many'}`
    return { ok: false, problem, expected: `${itemsMin} to ${itemsMax} items` }
  }
  const seen = new Set<unknown>()
  for (const [index, item] of value.entries()) {
    const verdict = checkText(item, setting.form, expected)
    const isAllowed =
      verdict.ok && (setting.choices === undefined || includes(setting.choices, item))
    if (!isAllowed) {
      return { ok: false, problem: `item ${index + 1}, ${quote(item)}, is not allowed`, expected }
    }
    if (seen.has(item)) {
      return { ok: false, problem: `item ${index + 1}, ${quote(item)}, is there twice`, expected }
    }
    seen.add(item)
  }
  return right(Object.freeze([...seen]))
}

function readList(written: string): unknown {
  if (!written.trimStart().startsWith('[')) return written.split(',').map((item) => item.trim())
  try {
    return JSON.parse(written)
  } catch {
    return written
  }
}

function includes(choices: readonly string[], value: unknown): boolean {
  return typeof value === 'string' && choices.includes(value)
}

function right(value: unknown): Verdict {
  return { ok: true, value }
}

function wrong(value: unknown, expected: string): Verdict {
  return { ok: false, problem: `${quote(value)} is not allowed`, expected }
}

function outOfRange(value: number | bigint, expected: string): Verdict {
  return { ok: false, problem: `${quote(value)} is out of range`, expected }
}
