// The benchmarks run on this clock too, and they import nothing from the tests.
export { FakeClock } from "../../bench/support/fake-clock.js";
