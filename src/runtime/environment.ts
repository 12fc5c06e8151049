/** The process's environment variables, or a stand-in for them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable's value; unset, empty and blank are the same. */
export function readVariable(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === "" ? undefined : value;
}
