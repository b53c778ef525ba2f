// The language that settings are declared in. A setting is data: kind, default, bounds, unit, description.
// That one declaration drives validation, the environment variables, the reference table, `--help` and the
// TypeScript type of the result, so none of them can disagree. Pure.

interface Described {
  /** One sentence for the reference and for `--help`. */
  readonly describes: string
}

/** What a text must look like, and the words a fault uses for it. */
export interface TextForm {
  readonly pattern: RegExp
  readonly says: string
}

export interface TextSetting<Default extends string | undefined = string | undefined>
  extends Described {
  readonly kind: 'text'
  /** Undefined makes the setting optional. */
  readonly default: Default
  readonly form?: TextForm
}

export interface IntegerSetting extends Described {
  readonly kind: 'integer'
  readonly default: number
  readonly min: number
  readonly max: number
  /** Plural noun: `ms`, `bytes`, `messages`. */
  readonly unit: string
}

export interface FlagSetting extends Described {
  readonly kind: 'flag'
  readonly default: boolean
}

export interface ChoiceSetting<Choice extends string = string> extends Described {
  readonly kind: 'choice'
  readonly choices: readonly Choice[]
  readonly default: Choice
}

export interface ListSetting<Item extends string = string> extends Described {
  readonly kind: 'list'
  readonly default: readonly Item[]
  /** The items allowed, where they are a closed list. */
  readonly choices?: readonly Item[]
  /** What each item must look like, where they are not. */
  readonly form?: TextForm
  readonly itemsMin?: number
  readonly itemsMax?: number
}

export type Setting = TextSetting | IntegerSetting | FlagSetting | ChoiceSetting | ListSetting

export interface Group<Members extends GroupMembers = GroupMembers> extends Described {
  readonly kind: 'group'
  readonly members: Members
}

export interface GroupMembers {
  readonly [name: string]: Setting | Group
}

/** The type of the values that a declaration describes. */
export type ValueOf<Node> =
  Node extends Group<infer Members>
    ? { readonly [Name in keyof Members]: ValueOf<Members[Name]> }
    : Node extends TextSetting<infer Default>
      ? string | (undefined extends Default ? undefined : never)
      : Node extends IntegerSetting
        ? number
        : Node extends FlagSetting
          ? boolean
          : Node extends ChoiceSetting<infer Choice>
            ? Choice
            : Node extends ListSetting<infer Item>
              ? readonly Item[]
              : never

/** The same values, each of them optional: what code may pass. */
export type PartialValueOf<Node> =
  Node extends Group<infer Members>
    ? { readonly [Name in keyof Members]?: PartialValueOf<Members[Name]> | undefined }
    : ValueOf<Node>

export interface Leaf {
  /** Names joined with dots: `log.level`. */
  readonly path: string
  readonly setting: Setting
}

export function group<const Members extends GroupMembers>(
  describes: string,
  members: Members,
): Group<Members> {
  return { kind: 'group', describes, members }
}

export function text<const Default extends string | undefined>(
  describes: string,
  parts: { readonly default: Default; readonly form?: TextForm },
): TextSetting<Default> {
  return { kind: 'text', describes, ...parts }
}

export function integer(
  describes: string,
  parts: Omit<IntegerSetting, 'kind' | 'describes'>,
): IntegerSetting {
  return { kind: 'integer', describes, ...parts }
}

export function flag(describes: string, parts: { readonly default: boolean }): FlagSetting {
  return { kind: 'flag', describes, ...parts }
}

export function choice<const Choice extends string>(
  describes: string,
  parts: { readonly choices: readonly Choice[]; readonly default: NoInfer<Choice> },
): ChoiceSetting<Choice> {
  return { kind: 'choice', describes, ...parts }
}

/** A list of free texts. */
export function texts(
  describes: string,
  parts: Omit<ListSetting<string>, 'kind' | 'describes' | 'choices'>,
): ListSetting<string> {
  return { kind: 'list', describes, ...parts }
}

/** A list of some of the choices, in the order of preference. */
export function selection<const Item extends string>(
  describes: string,
  parts: { readonly choices: readonly Item[]; readonly default: readonly NoInfer<Item>[] },
): ListSetting<Item> {
  return { kind: 'list', describes, itemsMin: 1, ...parts }
}

/** All settings below a group, in the order of their declaration. */
export function leavesOf(root: Group, prefix = ''): Leaf[] {
  return Object.entries(root.members).flatMap(([name, node]) =>
    node.kind === 'group'
      ? leavesOf(node, `${prefix}${name}.`)
      : [{ path: `${prefix}${name}`, setting: node }],
  )
}
