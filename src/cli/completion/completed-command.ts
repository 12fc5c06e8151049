/** What the scripts of all shells are made of. */

/** A command with what a shell can complete in it. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** Whether a command follows `--`. */
  readonly runsCommand: boolean;
  /** What its own argument can be. */
  readonly argument: readonly string[];
}

/** An option, with its dashes. */
export interface CompletedOption {
  readonly name: string;
  readonly short: string | undefined;
  readonly help: string;
  /** `undefined` for an option without a value. */
  readonly value: CompletedValue | undefined;
  readonly isRepeatable: boolean;
}

/** The value of an option. Free text has the kind `words` and no words. */
export interface CompletedValue {
  readonly title: string;
  readonly kind: "file" | "directory" | "words";
  readonly words: readonly string[];
}
