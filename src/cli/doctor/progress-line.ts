import type { Progress } from "../../doctor/diagnosis.js";
import type { Environment } from "../../runtime/environment.js";
import type { Terminal } from "../command.js";
import { clip, type Fit, fitFor, type Paint, widthOf } from "../terminal-text.js";

const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const FRAMES_IN_ASCII = "|/-\\";
const FRAME_MS = 100;
const CLEAR = "\r\u001b[2K";

/** One line on a terminal that shows the steps in progress. Prints nothing anywhere else. */
export class ProgressLine implements Disposable {
  readonly #terminal: Terminal;
  readonly #paint: Paint;
  readonly #fit: Fit;
  readonly #frames: readonly string[];
  readonly #running = new Map<string, number>();
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(terminal: Terminal, paint: Paint, env: Environment) {
    this.#terminal = terminal;
    this.#paint = paint;
    this.#fit = fitFor(terminal, env);
    this.#frames = [...(this.#fit(FRAMES) === FRAMES ? FRAMES : FRAMES_IN_ASCII)];
    // A dumb terminal can't clear a line.
    if (!terminal.isTTY || env.TERM === "dumb") return;
    this.#timer = setInterval(() => this.#draw(), FRAME_MS).unref();
  }

  /** Adds or removes a step. */
  readonly show = ({ label: text, state }: Progress): void => {
    const label = clip(text, 100);
    const before = this.#running.get(label) ?? 0;
    const now = before + (state === "started" ? 1 : -1);
    if (now > 0) this.#running.set(label, now);
    else this.#running.delete(label);
  };

  #draw(): void {
    this.#frame = (this.#frame + 1) % this.#frames.length;
    const elapsed = `${((performance.now() - this.#startedAt) / 1000).toFixed(1)} s`;
    // One column stays free, because some terminals wrap a line in the last column.
    const room = (this.#terminal.columns || 80) - elapsed.length - 4;
    const frame = this.#paint("cyan", this.#frames[this.#frame] ?? "");
    const what = this.#fit(namesIn([...this.#running.keys()], Math.max(1, room)));
    this.#terminal.write(`${CLEAR}${frame} ${what} ${this.#paint("dim", elapsed)}`);
  }

  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#terminal.write(CLEAR);
  }
}

/** As many complete names as fit, and the number of the others. */
function namesIn(names: readonly string[], width: number): string {
  for (let shown = names.length; shown > 0; shown -= 1) {
    const more = names.length - shown;
    const text = names.slice(0, shown).join(", ") + (more > 0 ? ` and ${more} more` : "");
    if (widthOf(text) <= width) return text;
  }
  return clip(names[0] ?? "checking", width);
}
