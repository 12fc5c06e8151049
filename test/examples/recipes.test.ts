import { execFile, spawn } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { PROGRAMS } from "../support/bundle-programs.js";
import { findProgram, leaveOut } from "../support/program.js";
import { ROOT } from "../support/sources.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { type ExampleWorld, startSmallServer, startWorld } from "./example-world.js";

const run = promisify(execFile);

const RECIPES = {
  "github-actions.yaml": "yaml",
  "kubernetes-sidecar.yaml": "yaml",
  Dockerfile: "dockerfile",
  "developer-profile.sh": "sh",
  crontab: "crontab",
} as const;

const readRecipe = (name: keyof typeof RECIPES) =>
  readFile(join(ROOT, "examples/recipes", name), "utf8");

test.each(Object.entries(RECIPES))("the guide quotes %s exactly", async (name, language) => {
  const guide = await readFile(join(ROOT, "docs/reach.md"), "utf8");
  const recipe = await readRecipe(name as keyof typeof RECIPES);
  expect(guide).toContain(`\n\`\`\`${language}\n${recipe}\`\`\`\n`);
});

/** A machine with a folder of programs. There, `resilient-sts` and `npx resilient-sts` run this package. */
async function startMachine(world: ExampleWorld) {
  const folder = temporaryFolder();
  const bin = join(folder.path, "bin");
  await mkdir(bin);
  const addProgram = async (name: string, script: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, name), 0o700);
  };
  const program = `exec "${process.execPath}" "${join(PROGRAMS, "cli.mjs")}" "$@"`;
  await addProgram("resilient-sts", program);
  await addProgram("npx", `[ "$1" = resilient-sts ] || exit 9\nshift\n${program}`);
  await addProgram("npm", `echo "$@" >"${folder.path}/npm"`);
  return {
    folder: folder.path,
    addProgram,
    /** The only AWS setting is the endpoint of the local STS. */
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: folder.path,
      ...(process.env.PYENV_ROOT !== undefined && { PYENV_ROOT: process.env.PYENV_ROOT }),
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** A program with the SDK's default chain. `body` calls GetCallerIdentity by `whoAmI()`. */
function client(body: string): string {
  const script = `
    import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
    const sts = new STSClient({});
    const whoAmI = () => sts.send(new GetCallerIdentityCommand({}));
    const [...args] = process.argv.slice(1);
    ${body}`;
  return `cd "${ROOT}" && exec "${process.execPath}" --input-type=module --eval '${script}' -- "$@"`;
}

const PRINT_ARN = client("console.log((await whoAmI()).Arn);");

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: {
    readonly apply: {
      readonly "timeout-minutes": number;
      readonly env: Readonly<Record<string, string>>;
      readonly steps: readonly { readonly run?: string }[];
    };
  };
}

describe("the workflow for GitHub Actions", { timeout: 60_000 }, () => {
  test("lets Terraform run longer than one session, and requests a new token for each session", async () => {
    await using world = await startWorld();
    // Like a session of one hour in a job of three.
    world.sts.configure({ credentialLifetimeSeconds: 4 });
    using machine = await startMachine(world);
    let tokens = 0;
    await using github = await startSmallServer(async (_, response) => {
      tokens += 1;
      response.end(
        JSON.stringify({ value: await world.idp.issueToken({ expiresInSeconds: 300 }) }),
      );
    });
    await machine.addProgram(
      "terraform",
      client(`
        const sessions = new Set();
        while (args[0] === "apply" && sessions.size < 3) {
          await whoAmI();
          sessions.add((await sts.config.credentials()).accessKeyId);
        }
        console.log(...args);`),
    );

    const { permissions, jobs } = parse(await readRecipe("github-actions.yaml")) as Workflow;
    expect(permissions["id-token"]).toBe("write");
    expect(jobs.apply["timeout-minutes"]).toBe(180);
    const output = [];
    for (const { run: script } of jobs.apply.steps) {
      if (script === undefined) continue;
      const { stdout } = await run("bash", ["-e", "-c", script], {
        env: {
          ...machine.env,
          ...jobs.apply.env,
          ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/?api-version=2.0`,
          ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer",
        },
      });
      output.push(stdout);
    }
    expect(output).toEqual(["init -backend=false\n", "apply -auto-approve\n"]);
    const sessions = world.sts.requests.filter(({ granted }) => granted !== undefined);
    expect(sessions.length).toBeGreaterThanOrEqual(3);
    expect(tokens).toBe(sessions.length);
    expect(world.sts.requests.filter(({ outcome }) => outcome !== "ok")).toEqual([]);
  });
});

interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly restartPolicy?: string;
  readonly startupProbe: { readonly exec: { readonly command: readonly [string, ...string[]] } };
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Pod {
  readonly spec: {
    readonly volumes: readonly { readonly name: string }[];
    readonly initContainers: readonly [Container];
    readonly containers: readonly [Container];
  };
}

describe("the Kubernetes sidecar", { timeout: 60_000 }, () => {
  test("serves credentials to the app, which starts when the probe succeeds", async () => {
    await using world = await startWorld();
    using machine = await startMachine(world);
    await machine.addProgram("report", PRINT_ARN);
    const volume = join(machine.folder, "volume");
    await mkdir(volume);
    const { spec } = parse(await readRecipe("kubernetes-sidecar.yaml")) as Pod;
    const [sidecar] = spec.initContainers;
    const [app] = spec.containers;
    expect(sidecar.restartPolicy).toBe("Always");
    for (const { volumeMounts } of [sidecar, app]) {
      expect(volumeMounts).toMatchObject([{ name: spec.volumes[0]?.name, mountPath: "/run/aws" }]);
    }

    const here = (words: readonly string[]) =>
      words.map((word) => word.replace("/run/aws", volume)) as [string, ...string[]];
    const probe = () => {
      const [program, ...args] = here(sidecar.startupProbe.exec.command);
      return run(program, args).then(
        () => true,
        () => false,
      );
    };
    expect(await probe()).toBe(false);
    const [program, ...args] = here([...sidecar.command, ...sidecar.args]);
    // Any free port: the port in the manifest may be in use on this machine.
    const server = spawn(program, [...args, "--listen", "127.0.0.1:0"], {
      // As the webhook of EKS sets them.
      env: {
        ...machine.env,
        AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/report",
        AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
        AWS_REGION: "eu-west-1",
      },
    });
    const ended = new Promise((resolve) => server.once("close", resolve));
    try {
      await expect.poll(probe, { timeout: 30_000 }).toBe(true);
      const url = /http:\S+/.exec(await readFile(join(volume, "ready"), "utf8"))?.[0] ?? "";
      const variables = app.env.map(({ name, value }) => [
        name,
        value.replace("/run/aws", volume).replace("http://127.0.0.1:9912", url),
      ]);
      const { stdout } = await run("sh", ["-c", "report"], {
        env: { ...machine.env, ...Object.fromEntries(variables), AWS_REGION: "eu-west-1" },
      });
      expect(stdout).toContain(":assumed-role/report/");
    } finally {
      server.kill("SIGTERM");
    }
    expect(await ended).toBe(0);
  });

  test("names the address on which serve listens by default", async () => {
    const { stdout } = await run(process.execPath, [join(PROGRAMS, "cli.mjs"), "serve", "--help"]);
    expect(stdout).toContain("127.0.0.1:9912");
    expect(await readRecipe("kubernetes-sidecar.yaml")).toContain(
      "http://127.0.0.1:9912/v1/roles/",
    );
  });
});

describe("a developer's profile", { timeout: 60_000 }, () => {
  const aws = findProgram("aws");
  if (aws === undefined) return leaveOut("a profile of the AWS CLI", "aws");

  test("gives the AWS CLI credentials after the script has run", async () => {
    await using world = await startWorld();
    using machine = await startMachine(world);
    // Without this option, older versions call AWS's STS.
    await machine.addProgram("aws", `exec "${aws}" "$@" --endpoint-url "$AWS_ENDPOINT_URL_STS"`);
    await mkdir(join(machine.folder, ".oidc"));
    await writeFile(join(machine.folder, ".oidc/token"), await world.idp.issueToken());
    const { stdout, stderr } = await run(
      "bash",
      ["-e", "-c", await readRecipe("developer-profile.sh")],
      { env: { ...machine.env, AWS_REGION: "eu-west-1" } },
    );
    expect(stderr).toBe("");
    expect(JSON.parse(stdout).Arn).toContain(":assumed-role/dev/");
    const installed = await readFile(join(machine.folder, "npm"), "utf8");
    expect(installed).toBe("install --global resilient-sts\n");
  });
});

describe("the crontab", { timeout: 60_000 }, () => {
  test("runs its command with the variables that it sets, and its jobs share one session", async () => {
    await using world = await startWorld();
    using machine = await startMachine(world);
    await machine.addProgram("report", PRINT_ARN);
    const lines = (await readRecipe("crontab")).split("\n").filter((line) => /^[^#]/.test(line));
    const variables = lines.flatMap((line) => {
      const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
      return name === undefined || name === "PATH" ? [] : [[name, value ?? ""] as const];
    });
    const [, command = ""] = /^(?:[\d*]+ ){5}(.*)$/.exec(lines.at(-1) ?? "") ?? [];
    const here = command
      .replace("/var/run/secrets/aws/token", world.tokenFile)
      .replace("/usr/local/bin/report", "report");
    expect(here.match(/report$|token-file \/tmp/g)).toHaveLength(2);
    // A percent sign would end the line for cron.
    expect(command).not.toContain("%");

    const job = () =>
      run("/bin/sh", ["-c", here], {
        env: { ...machine.env, ...Object.fromEntries(variables) },
      });
    const first = await job();
    expect(first.stdout).toContain(":assumed-role/report/");
    // The second job starts while STS can't verify tokens.
    await world.idp.refuseConnections();
    world.sts.setFault("idp-unreachable", {
      when: ({ action }) => action === "AssumeRoleWithWebIdentity",
    });
    expect(await job()).toEqual(first);
    const sessions = world.sts.requests.filter(({ action }) => action !== "GetCallerIdentity");
    expect(sessions).toHaveLength(1);
  });
});
