/** Does all the work, so many pieces at a time. */
export async function sideBySide<T>(
  pieces: readonly T[],
  atATime: number,
  work: (piece: T, index: number) => Promise<void>,
): Promise<void> {
  const waiting = [...pieces.entries()];
  const next = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const [index, piece] = one;
      await work(piece, index);
    }
  };
  await Promise.all(Array.from({ length: atATime }, next));
}
