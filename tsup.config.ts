import { defineConfig, type Options } from "tsup";

const library = { index: "src/index.ts", testing: "src/testing/index.ts" };

const shared = {
  target: "node20.19",
  platform: "node",
  sourcemap: true,
  splitting: true,
  treeshake: true,
  dts: { entry: library },
} satisfies Options;

export default defineConfig([
  { ...shared, format: "esm", entry: { ...library, cli: "src/cli/main.ts" } },
  { ...shared, format: "cjs", entry: library },
]);
