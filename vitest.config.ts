import { availableParallelism } from "node:os";
import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { QuietReporter } from "./test/support/quiet-reporter.js";

const report = process.env.TEST_REPORT;
const json = (outputFile: string): ["json", { outputFile: string }] => ["json", { outputFile }];

/**
 * What the library would read of the machine: AWS settings, proxies, and the platforms that it finds a
 * token of. A developer's profile or a CI's own token is not part of any test.
 */
const OF_THE_MACHINE =
  /^(?:(?:AWS|RESILIENT_STS|ACTIONS_ID_TOKEN|GITLAB|GITHUB|CIRCLE|BUILDKITE|BITBUCKET|TFC|VERCEL|FLY|KUBERNETES|AZURE|GCE|IDENTITY|SPIFFE|CLOUD_RUN|GAE)_.*|K_SERVICE|(?:HTTPS?|NO|ALL)_PROXY|NODE_USE_ENV_PROXY|CI_SERVER_URL|(?:NO|FORCE)_COLOR)$/i;
for (const name of Object.keys(process.env)) {
  if (OF_THE_MACHINE.test(name)) delete process.env[name];
}

const SETUP = ["test/support/rsa-key-pairs.ts", "test/support/undo-stubs.ts"];

/** Many processes against limits of real time: nothing else runs beside them. */
const CROWDS = [
  "test/cli/credential-process/many-processes.test.ts",
  "test/stores/processes.test.ts",
];

/**
 * What does not depend on Node's version: pages in the browser, the rules on sources and documents, the
 * simulations, the examples, programs in other languages and shells, and what takes long for its number
 * of processes. CI leaves these out on the other Node lines.
 */
const SAME_EVERYWHERE = [
  "test/{bench,documents,examples,house}/**",
  "test/cli/html/browser.test.ts",
  "test/cli/{completion/completion-command,exec/exec-clients,leaks,three-sessions}.test.ts",
  "test/integration/outage.test.ts",
  "test/serve/real-clients.test.ts",
];
const isOtherLine = process.env.TEST_NODE_LINE === "other";

/** These see every secret that their process has read, so each file has modules of its own. */
const OF_REDACTION = [
  "test/runtime/{known-secrets,redact,redact-time,spellings,token-shapes}.test.ts",
];

/** These wait much longer than they compute, so they start first and run beside the others. */
const MOSTLY_WAITING = [
  "test/integration/outage.test.ts",
  "test/cli/three-sessions.test.ts",
  "test/serve/real-clients.test.ts",
];

class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const waits = ({ moduleId }: TestSpecification) =>
      MOSTLY_WAITING.some((path) => moduleId.endsWith(`/${path}`));
    return [...sorted.filter(waits), ...sorted.filter((file) => !waits(file))];
  }
}

const alone: TestProjectInlineConfiguration = {
  extends: true,
  test: { name: "alone", include: CROWDS, maxWorkers: 1, sequence: { groupOrder: 1 } },
};

/** The mutation runner asks for the unit tests of one folder, or of some files, alone. */
const mutated = process.env.MUTATION_TESTS;

export default defineConfig({
  test: {
    // It bundles the sources as they are, without the runner's mutants.
    globalSetup: mutated === undefined ? ["test/support/bundle-programs.ts"] : [],
    // A worker keeps the modules it has loaded: loading them again for each file took a third of the time.
    // So a test leaves nothing behind that another could see.
    // Processes and not threads: to start a child process, Node copies the page tables of all threads' memory,
    // 28 ms for 1.2 GB.
    pool: "forks",
    isolate: false,
    sequence: { sequencer: WaitingFirst },
    // Many tests wait for sockets and child processes: two more than there are cores keep them busy.
    maxWorkers: availableParallelism() + 2,
    env: {
      // The SDK's advice about Node's version, once for each worker.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      // Not the profiles in the home of whoever runs the tests, and not the role of the machine.
      AWS_CONFIG_FILE: "/nonexistent/config",
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    setupFiles: SETUP,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // CI counts the tests of all its runs from these reports.
    reporters: [new QuietReporter(), ...(report === undefined ? [] : [json(report)])],
    // What a test that passes writes to the console says nothing.
    silent: "passed-only",
    ...(mutated === undefined
      ? {
          projects: [
            {
              extends: true,
              test: {
                name: "side by side",
                include: ["test/**/*.test.ts"],
                exclude: [
                  ...configDefaults.exclude,
                  ...OF_REDACTION,
                  ...CROWDS,
                  ...(isOtherLine ? SAME_EVERYWHERE : []),
                ],
                sequence: { groupOrder: 0 },
              },
            },
            {
              extends: true,
              test: {
                name: "redaction",
                include: OF_REDACTION,
                isolate: true,
                sequence: { groupOrder: 0 },
              },
            },
            ...(isOtherLine ? [] : [alone]),
          ],
        }
      : {
          include: mutated.split(","),
          setupFiles: [...SETUP, "test/support/few-runs.ts"],
        }),
  },
});
