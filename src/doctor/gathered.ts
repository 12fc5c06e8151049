import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import type { Timing } from "./diagnosis.js";
import type { Facts } from "./facts.js";

/** Everything the conclusions are drawn from. */
export interface Gathered {
  readonly facts: Facts;
  readonly timings: readonly Timing[];
  /** Read off the token alone. */
  readonly token: readonly Finding[];
  /** Read off the request alone. */
  readonly request: readonly Finding[];
  /** The pre-flight's. */
  readonly issuer: readonly Finding[];
  /** Of the real call, where it failed. */
  readonly failure?: Failure | undefined;
}
