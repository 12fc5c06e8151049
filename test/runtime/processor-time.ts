/** The mutation runner's own code slows the sources down by as much. */
const SLOWER = process.env.MUTATION_TESTS === undefined ? 1 : 10;

/**
 * The processor time of the work, in milliseconds: other processes of the machine do not change it as
 * they change the time that passes.
 */
export function processorMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / SLOWER;
}
