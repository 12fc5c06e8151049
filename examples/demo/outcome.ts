import type { LocalSts } from "../../src/testing/index.js";
import { duration, type Printer, type Speaker } from "./print.js";

/** What one caller achieved. */
export interface Outcome {
  /** Its session name, which distinguishes it at STS. */
  readonly session: string;
  readonly tookMs: number;
  readonly arn: string | undefined;
  readonly error: string | undefined;
}

interface Caller {
  readonly speaker: Speaker;
  readonly session: string;
  /** @returns the ARN that STS reports for it. */
  readonly whoAmI: () => Promise<string | undefined>;
}

/** Lets a caller call GetCallerIdentity, and prints the result. */
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

/** Prints two callers in the same outage, side by side. */
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
    ["same outage", ...columns.map(([heading]) => heading)],
    row("attempts", ({ session }) => String(attempts(session))),
    row("ended after", ({ tookMs }) => duration(tookMs)),
    row("outcome", ({ arn, error }) =>
      arn === undefined ? `${error}` : "GetCallerIdentity succeeded",
    ),
  ]);
}
