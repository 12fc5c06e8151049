// npm runs this before it publishes, because a published version can't be changed.
import { readFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const { version } = manifest;

const missing = ["repository", "bugs", "homepage"].filter((name) => manifest[name] === undefined);
const heading = readFileSync("CHANGELOG.md", "utf8")
  .split("\n")
  .find((line) => line.startsWith(`## [${version}]`));
const isDated = / - \d{4}-\d{2}-\d{2}$/.test(heading ?? "");

const problems = [
  ...(missing.length === 0 ? [] : [`package.json has no ${missing.join(", no ")}`]),
  ...(isDated ? [] : [`CHANGELOG.md has no release date for ${version}`]),
];
if (problems.length > 0) {
  process.stderr.write(`Not published: ${problems.join(", and ")}; see docs/releasing.md.\n`);
  process.exitCode = 1;
}
