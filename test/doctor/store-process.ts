import { diagnose } from "../../src/doctor/diagnose.js";
import { fileStore } from "../../src/stores/index.js";

/** Prints what the doctor finds about the file store in a directory: `store-process.ts DIRECTORY`. */
const [, , directory] = process.argv;
const { findings } = await diagnose({
  store: fileStore({ directory }),
  assume: false,
  env: { AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1", AWS_REGION: "eu-west-1" },
});
const shown = findings.filter(({ id }) => id.startsWith("store-"));
process.stdout.write(JSON.stringify(shown));
process.exit(0);
