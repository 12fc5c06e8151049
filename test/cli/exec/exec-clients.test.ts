import { describe, expect, test } from "vitest";
import { startClientWorld } from "../../serve/client-world.js";
import { ENDPOINT_CLIENTS, RUBY_COMMAND } from "../../serve/real-clients.js";
import { leaveOut } from "../../support/program.js";
import { ROLE_ARN } from "../credentials-world.js";
import { runCli } from "../run-cli.js";

const CLIENTS = [
  ...ENDPOINT_CLIENTS.map(({ name, command }) => ({
    name,
    command,
    role: ["--role-arn", ROLE_ARN],
  })),
  {
    // Debian's version does not support the endpoint.
    name: "AWS SDK for Ruby, by the profile of a named role",
    command: RUBY_COMMAND && ["env", "AWS_PROFILE=app", ...RUBY_COMMAND],
    role: ["--role", `app=${ROLE_ARN}`],
  },
];

describe("under exec, among inherited keys, profiles, roles and proxies, and with an issuer that fails at first,", {
  timeout: 60_000,
}, () => {
  for (const { name, command, role } of CLIENTS) {
    if (!command) {
      leaveOut("a client under exec", name);
      continue;
    }

    test.concurrent(`every request of ${name} has the credentials of the role`, async () => {
      await using world = await startClientWorld(12);
      const options = [...role, "--token-file", world.tokenFile, "--region", "eu-west-1"];
      const { exitCode, stderr } = await runCli(["exec", ...options, "--", ...command], {
        env: {
          ...world.env,
          AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/inherited",
          AWS_ROLE_SESSION_NAME: "inherited",
          AWS_WEB_IDENTITY_TOKEN_FILE: "/nonexistent/inherited",
        },
      });
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(world.signed()).toEqual(Array(5).fill({ isGranted: true }));
      expect(world.proxied).toEqual([]);
    });
  }
});
