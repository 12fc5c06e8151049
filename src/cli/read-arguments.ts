import { type ParseArgsConfig, parseArgs } from "node:util";
import { safeText } from "../runtime/redact.js";
import { wrongUsage } from "./command-failure.js";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The flags of a command; what it does not know ends it. */
export function readArguments<T extends Options>(command: string, args: string[], options: T) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Node's message goes on with advice about positional arguments, which no command has.
    const [problem = ""] = (error as Error).message.split(/\. |\n/);
    throw wrongUsage(`${safeText(problem, 200)}; see resilient-sts ${command}--help`);
  }
}
