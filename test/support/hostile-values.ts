/** Values that code may throw, among them some that throw when they are read. */
export const HOSTILE: readonly (readonly [string, () => unknown])[] = [
  ["an object without a prototype", () => Object.create(null)],
  ["a getter that throws", () => thrower("message")],
  ["a name that throws", () => thrower("name")],
  ["a stack that throws", () => thrower("stack")],
  ["a cause that throws", () => thrower("cause")],
  ["a code that throws", () => thrower("code")],
  ["a message that is a number", () => Object.assign(new Error("x"), { message: 5 })],
  ["a message that is an object", () => Object.assign(new Error("x"), { message: {} })],
  ["a name that is null", () => Object.assign(new Error("x"), { name: null })],
  ["a stack that is an array", () => Object.assign(new Error("x"), { stack: [] })],
  ["a proxy that throws at everything", () => hostileProxy()],
  ["a revoked proxy", () => revokedProxy()],
  [
    "toString that throws",
    () => ({
      toString: () => {
        throw new Error("no");
      },
    }),
  ],
  ["toString that gives an object", () => ({ toString: () => ({}) })],
  ["a symbol", () => Symbol("s")],
  ["a bigint", () => 10n],
  ["a function", () => () => {}],
  ["undefined", () => undefined],
  ["null", () => null],
  ["an aggregate", () => new AggregateError([new Error("a"), null], "both failed")],
  [
    "errors whose copy is not a list",
    () => Object.assign(new Error("x"), { errors: hostileList() }),
  ],
  ["a frozen error", () => Object.freeze(new Error("x"))],
];

function thrower(field: string): Error {
  return Object.defineProperty(new Error("x"), field, {
    get: () => {
      throw new Error(`${field} is hostile`);
    },
  });
}

/** A list whose methods return an object that is not a list. */
function hostileList(): unknown[] {
  class HostileList extends Array<unknown> {
    static override get [Symbol.species]() {
      return class {} as unknown as ArrayConstructor;
    }
  }
  return HostileList.of(new Error("a"));
}

function hostileProxy(): unknown {
  const refuse = () => {
    throw new Error("hostile");
  };
  return new Proxy({}, { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse });
}

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
