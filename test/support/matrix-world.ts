import { diagnoseWith } from "../../src/doctor/diagnose.js";
import type { Diagnosis } from "../../src/doctor/diagnosis.js";
import type { DiagnoseOptions } from "../../src/doctor/options.js";
import type { DoctorRuntime } from "../../src/doctor/run.js";
import { resolveHost } from "../../src/preflight/guarded-lookup.js";
import { systemClock } from "../../src/runtime/clock.js";
import {
  type LocalIdp,
  type LocalIdpOptions,
  type LocalSts,
  type LocalStsOptions,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";
import { makePool } from "./make-pool.js";

export const ROLE_ARN = "arn:aws:iam::123456789012:role/app";
export const REGION = "eu-west-1";

/** No shared file of this machine has a say. */
export const ENV = {
  AWS_CONFIG_FILE: "/nonexistent/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
};

/** What a world hands to the doctor. */
export interface Patient {
  readonly options: DiagnoseOptions;
  readonly runtime?: Partial<DoctorRuntime>;
}

/** Servers and files of one world, that end with it. */
export class Site implements AsyncDisposable {
  readonly #ends: (() => unknown)[] = [];

  keep<T extends AsyncDisposable>(part: T): T {
    this.#ends.push(() => part[Symbol.asyncDispose]());
    return part;
  }

  onEnd(end: () => unknown): void {
    this.#ends.push(end);
  }

  async idp(options: LocalIdpOptions = {}): Promise<LocalIdp> {
    return this.keep(await startLocalIdp({ algorithm: "ES256", ...options }));
  }

  async sts(options: LocalStsOptions = {}): Promise<LocalSts> {
    return this.keep(await startLocalSts(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.toReversed()) await end();
  }
}

/** What the doctor says of a world. */
export async function examine(build: (site: Site) => Promise<Patient>): Promise<Diagnosis> {
  await using site = new Site();
  const { options, runtime } = await build(site);
  return await diagnoseWith(options, {
    clock: systemClock,
    env: ENV,
    resolve: resolveHost,
    pool: makePool({ env: ENV }),
    ...runtime,
  });
}

/** An IdP and an STS that trusts it, with a patient whose settings are right. */
export async function healthy(
  site: Site,
  how: { readonly idp?: LocalIdpOptions; readonly sts?: LocalStsOptions } = {},
) {
  const idp = await site.idp(how.idp);
  const sts = await site.sts({ providers: [idp], ...how.sts });
  return { idp, sts, options: settingsFor(sts, await idp.issueToken()) };
}

export function settingsFor({ url }: { readonly url: string }, token: string): DiagnoseOptions {
  return {
    token,
    roleArn: ROLE_ARN,
    region: REGION,
    endpointUrl: url,
    allowPrivateIssuers: true,
  };
}

/** Every name is this machine: what the SDK would ask of AWS goes no further. */
export const TO_LOOPBACK: Partial<DoctorRuntime> = {
  resolve: async () => [{ address: "127.0.0.1", family: 4 }],
};
