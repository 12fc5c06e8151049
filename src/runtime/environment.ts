/** The environment variables of the process, or a substitute for them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The value of a variable; an empty or blank variable counts as unset. */
export function readVariable(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === "" ? undefined : value;
}
