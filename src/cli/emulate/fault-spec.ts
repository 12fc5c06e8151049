import type { IdpFault, IdpFaultRule } from "../../testing/idp/idp-fault.js";
import type { LocalIdp } from "../../testing/idp/local-idp.js";
import type { LocalSts } from "../../testing/sts/local-sts.js";
import { STS_FAULT_NAMES, type StsFaultOptions } from "../../testing/sts/sts-fault.js";
import { wrongUsage } from "../command.js";
import { durationFrom, splitOnce } from "../option-values.js";

export interface Servers {
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
}

/** Puts a fault of the command line into the local servers. */
export type ApplyFault = (servers: Servers) => Promise<void>;

interface Rule {
  readonly times?: number;
  readonly probability?: number;
}

/** The parts of a fault as it was written. */
interface WrittenFault {
  /** The whole of it, for errors. */
  readonly spec: string;
  readonly name: string;
  readonly value: string | undefined;
  readonly rule: Rule;
}

/**
 * Reads `idp:jwks:slow=6s,probability=0.3` and the like.
 *
 * @throws CommandFailure for a fault that does not exist.
 */
export function readFault(spec: string): ApplyFault {
  const [what = "", ...conditions] = spec.split(",");
  const [head, value] = splitOnce(what, "=");
  const [party, ...rest] = head.split(":");
  const fault = { spec, name: rest.at(-1) ?? "", value, rule: readRule(spec, conditions) };
  if (party === "sts" && rest.length === 1) return stsFault(fault);
  const on = rest.length === 2 ? rest[0] : undefined;
  const isIdp = party === "idp" && rest.length <= 2;
  if (isIdp && (on === undefined || on === "jwks" || on === "discovery")) {
    return idpFault(fault, on === undefined ? fault.rule : { ...fault.rule, on });
  }
  throw unknownFault(spec);
}

function idpFault({ spec, name, value }: WrittenFault, rule: IdpFaultRule): ApplyFault {
  const isPlain = Object.keys(rule).length === 0 && value === undefined;
  const set =
    (fault: IdpFault): ApplyFault =>
    async ({ idp }) =>
      idp.setFault(fault);
  switch (name) {
    case "slow":
      return set({ ...rule, kind: "slow", delayMs: readDelay("fault", value ?? "6s") });
    case "status":
      return set({ ...rule, kind: "status", httpStatus: readStatus(spec, value) });
    case "redirect":
      if (value === undefined || !URL.canParse(value)) break;
      return set({ ...rule, kind: "redirect", location: value });
    case "rate-limit":
    case "html":
    case "hang":
    case "reset":
    case "truncate":
    case "trickle":
      if (value !== undefined) break;
      return set({ ...rule, kind: name });
    case "down":
      if (!isPlain) break;
      return async ({ idp }) => await idp.refuseConnections();
    case "no-cache":
      if (!isPlain) break;
      return async ({ idp }) => idp.setHeaders({ "cache-control": "no-cache, no-store" });
    case "missing-key":
      if (!isPlain) break;
      return async ({ idp }) => void (await idp.rotateKeys({ publish: false }));
  }
  throw unknownFault(spec);
}

function stsFault({ spec, name, value, rule }: WrittenFault): ApplyFault {
  if (name === "down" && value === undefined && Object.keys(rule).length === 0) {
    return async ({ sts }) => await sts.refuseConnections();
  }
  const fault = STS_FAULT_NAMES.find((known) => known === name);
  if (fault === undefined || (value !== undefined && fault !== "slow")) throw unknownFault(spec);
  const options: StsFaultOptions =
    value === undefined ? rule : { ...rule, delayMs: readDelay("fault", value) };
  return async ({ sts }) => sts.setFault(fault, options);
}

const readDelay = durationFrom(1, 600_000);

function readRule(spec: string, conditions: readonly string[]): Rule {
  const rule: { times?: number; probability?: number } = {};
  for (const condition of conditions) {
    const [name, text = ""] = splitOnce(condition, "=");
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (name === "times" && Number.isInteger(value) && value > 0) rule.times = value;
    else if (name === "probability" && value >= 0 && value <= 1) rule.probability = value;
    else throw unknownFault(spec);
  }
  return rule;
}

function readStatus(spec: string, text: string | undefined): number {
  const status = /^[2-5]\d\d$/.test(text ?? "") ? Number(text) : undefined;
  if (status === undefined) throw unknownFault(spec);
  return status;
}

function unknownFault(spec: string) {
  return wrongUsage(
    `--fault ${JSON.stringify(spec.slice(0, 80))} does not exist; resilient-sts emulate --help lists the faults`,
  );
}
