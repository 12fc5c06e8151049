import type { AssumeRoleWithWebIdentityCommandInput } from "@aws-sdk/client-sts";
import {
  type LocalIdp,
  type SigningAlgorithm,
  startLocalSts,
  type TokenRequest,
  type TrustedRole,
} from "../../../src/testing/index.js";
import { type AssumeRoleReply, assumeRole } from "../../support/call-sts.js";

/** One IdP with a key for every algorithm, and the time that IdP and STS share. */
export interface ObservedWorld {
  readonly idp: LocalIdp;
  readonly kids: Readonly<Record<SigningAlgorithm, string>>;
  readonly clock: { seconds: number };
}

/** A recorded observation, and how to repeat it. */
export interface ObservedScenario {
  readonly scenario: string;
  /** The wire code, or `"ok"`. */
  readonly code: string;
  readonly httpStatus: number;
  /** The recorded words; `<claim>` stands for the name of the case. */
  readonly message?: string;
  readonly cases: Readonly<Record<string, (world: ObservedWorld) => Promise<AssumeRoleReply>>>;
}

/** Calls a new local STS that has the recorded provider. */
export async function callSts(
  { idp, clock }: ObservedWorld,
  token: TokenRequest = {},
  input: Partial<AssumeRoleWithWebIdentityCommandInput> = {},
  roles?: readonly TrustedRole[],
): Promise<AssumeRoleReply> {
  await using sts = await startLocalSts({
    providers: [{ issuer: idp.issuer, audiences: ["client-a", "client-b"] }],
    ...(roles && { roles }),
    now: () => clock.seconds * 1000,
  });
  return await assumeRole(sts, await idp.issueToken({ audience: "client-a", ...token }), input);
}

export const withToken = (token: TokenRequest) => (world: ObservedWorld) => callSts(world, token);

export const NOT_VALIDATED =
  "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.";

export const OK = { code: "ok", httpStatus: 200 };
export const INVALID = { code: "InvalidIdentityToken", httpStatus: 400 };
