import type { LocalSts } from "../../src/testing/index.js";
import { duration, type Printer, type Speaker } from "./print.js";

/** How one caller fared. */
export interface Outcome {
  /** Its session name, by which STS tells the callers apart. */
  readonly session: string;
  readonly tookMs: number;
  readonly arn: string | undefined;
  readonly error: string | undefined;
}

interface Caller {
  readonly speaker: Speaker;
  readonly session: string;
  /** @returns the ARN that STS knows it by. */
  readonly whoAmI: () => Promise<string | undefined>;
}

/** Lets a caller ask STS who it is, and prints the answer. */
export async function outcomeOf(
  { speaker, session, whoAmI }: Caller,
  printer: Printer,
): Promise<Outcome> {
  const start = performance.now();
  const tookMs = () => performance.now() - start;
  try {
    const arn = await whoAmI();
    printer.event(speaker, `GetCallerIdentity: ${arn}`, "good");
    return { session, tookMs: tookMs(), arn, error: undefined };
  } catch (error) {
    const { name, message } = error as Error;
    printer.event(speaker, `GetCallerIdentity failed: ${name}: ${message}`, "bad");
    return { session, tookMs: tookMs(), arn: undefined, error: name };
  }
}

/** Two callers in the same storm, side by side. */
export function compare(
  printer: Printer,
  { requests }: LocalSts,
  columns: readonly (readonly [heading: string, outcome: Outcome])[],
): void {
  const attempts = (session: string) =>
    requests.filter(
      ({ action, parameters }) =>
        action === "AssumeRoleWithWebIdentity" && parameters.RoleSessionName === session,
    ).length;
  const row = (label: string, text: (outcome: Outcome) => string) => [
    label,
    ...columns.map(([, outcome]) => text(outcome)),
  ];
  printer.text();
  printer.table([
    ["same storm", ...columns.map(([heading]) => heading)],
    row("attempts", ({ session }) => String(attempts(session))),
    row("ended after", ({ tookMs }) => duration(tookMs)),
    row("outcome", ({ arn, error }) =>
      arn === undefined ? `${error}` : "GetCallerIdentity answered",
    ),
  ]);
}
