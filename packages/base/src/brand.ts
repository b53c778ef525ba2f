// Nominal types over primitives, so that numbers and strings that must not mix do not mix.

declare const brand: unique symbol

/** `Base` with a compile-time name; costs nothing at run time. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }
