import { type ChildProcess, spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LocalSts } from "../../src/testing/index.js";
import {
  FAILURES_PER_SESSION,
  sessionOutcomes,
  stormBeforeEachSession,
} from "../support/issuer-storm.js";
import { findProgram, findPythonWithBoto3, leaveOut } from "../support/program.js";
import { startCredentialsWorld } from "./credentials-world.js";
import { finished, startCli, waitFor } from "./run-cli.js";

/** Long enough for the refresh in the middle of a session to get through the storm before its end. */
const SESSION_SECONDS = 12;

/** A program uses three sessions until they expire, and then a fourth. */
const SESSIONS = 4;

/** Calls GetCallerIdentity without retries until the file STOP exists, then prints the failures. */
const BOTO3_PROGRAM = `
import json, os, time, boto3, botocore.config
config = botocore.config.Config(retries={"total_max_attempts": 1})
sts = boto3.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"], config=config)
requests, failures = 0, []
while not os.path.exists(os.environ["STOP"]):
    requests += 1
    try:
        sts.get_caller_identity()
    except Exception as error:
        failures.append(str(error))
    time.sleep(0.1)
print(json.dumps({"requests": requests, "failures": failures}))
`;

/** Does the same with one process for each request. */
const AWS_CLI_PROGRAM = `
requests=0
: >"$STOP.failures"
while [ ! -e "$STOP" ]; do
  requests=$((requests + 1))
  aws sts get-caller-identity --endpoint-url "$AWS_ENDPOINT_URL_STS" >/dev/null 2>>"$STOP.failures"
  sleep 1
done
printf '{"requests": %s, "failures": [%s]}' "$requests" "$(sed '/./!d; s/.*/"&"/' "$STOP.failures")"
`;

async function startStormyWorld() {
  const world = await startCredentialsWorld({
    credentialLifetimeSeconds: SESSION_SECONDS,
    jwksCacheSeconds: 0,
  });
  const { idp, sts, folder } = world;
  await writeFile(world.tokenFile, await idp.issueToken({ expiresInSeconds: 3_600 }));
  const storm = stormBeforeEachSession(idp, sts);
  const stopFile = join(folder, "stop");
  return {
    folder,
    env: {
      ...world.env,
      STOP: stopFile,
      AWS_MAX_ATTEMPTS: "1",
      // As in production, the issuer check reads the issuer.
      RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS: "true",
    },
    /** Lets the program use the sessions, then stops it. Returns its report and the responses of STS. */
    async outcomeOf(program: ChildProcess, moreThan: number) {
      const ended = finished(program);
      await Promise.race([ended, sessionsUsed(sts, moreThan)]);
      await writeFile(stopFile, "");
      const { exitCode, stdout, stderr } = await ended;
      const { requests, failures } = JSON.parse(stdout || "{}");
      // On a slow machine, further sessions may have begun.
      const stsResponses = sessionOutcomes(sts).slice(0, NO_FAILURES.stsResponses.length);
      return { exitCode, stderr, requests, failures, stsResponses };
    },
    async [Symbol.asyncDispose]() {
      storm[Symbol.dispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** Settles when the last session was used, and more than this many requests have got a response. */
async function sessionsUsed({ requests }: LocalSts, moreThan: number): Promise<void> {
  const areUsed = () => {
    const sessions = requests.flatMap(({ granted }) => granted?.accessKeyId ?? []);
    const last = sessions[SESSIONS - 1];
    const responded = requests.filter(
      ({ action, outcome }) => action === "GetCallerIdentity" && outcome === "ok",
    );
    const isLastUsed =
      last !== undefined && responded.some(({ accessKeyId }) => accessKeyId === last);
    return isLastUsed && responded.length > moreThan;
  };
  await expect.poll(areUsed, { timeout: 100_000, interval: 100 }).toBe(true);
}

/** What each program must report: the issuer failed, and no request did. */
const NO_FAILURES = {
  exitCode: 0,
  stderr: "",
  failures: [],
  stsResponses: Array.from({ length: SESSIONS }, () => [
    ...Array<string>(FAILURES_PER_SESSION).fill("InvalidIdentityToken"),
    "ok",
  ]).flat(),
};

const python = findPythonWithBoto3();
const PROGRAMS = [
  { name: "boto3", command: python && [python, "-c", BOTO3_PROGRAM], moreThan: 50 },
  {
    name: "the AWS CLI",
    command: findProgram("aws") && ["sh", "-c", AWS_CLI_PROGRAM],
    moreThan: 5,
  },
];

describe("an issuer that fails before each of three sessions", { timeout: 120_000 }, () => {
  for (const { name, command, moreThan } of PROGRAMS) {
    if (!command) {
      leaveOut(`three sessions of ${name}`, name);
      continue;
    }

    test.concurrent(`fails no request of ${name} under exec`, async () => {
      await using world = await startStormyWorld();
      const outcome = await world.outcomeOf(startCli(["exec", "--", ...command], world), moreThan);
      expect(outcome).toMatchObject(NO_FAILURES);
      expect(outcome.requests).toBeGreaterThan(moreThan);
    });

    test.concurrent(`fails no request of ${name} with serve`, async () => {
      await using world = await startStormyWorld();
      const tokens = join(world.folder, "tokens");
      const server = startCli(["serve", "--listen", "127.0.0.1:0", "--token-dir", tokens], world);
      const url = /ready at (\S+)/.exec(await waitFor(server, /ready at/))?.[1];
      const [program = "", ...args] = command;
      const { STOP, AWS_ENDPOINT_URL_STS, AWS_MAX_ATTEMPTS } = world.env;
      const outcome = await world.outcomeOf(
        spawn(program, args, {
          env: {
            ...{ PATH: process.env.PATH, STOP, AWS_ENDPOINT_URL_STS, AWS_MAX_ATTEMPTS },
            ...{ AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" },
            AWS_DEFAULT_REGION: "eu-west-1",
            AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/roles/default`,
            AWS_CONTAINER_AUTHORIZATION_TOKEN: await readFile(
              join(tokens, "default.token"),
              "utf8",
            ),
          },
        }),
        moreThan,
      );
      server.kill("SIGTERM");
      await finished(server);
      expect(outcome).toMatchObject(NO_FAILURES);
      expect(outcome.requests).toBeGreaterThan(moreThan);
    });
  }
});
