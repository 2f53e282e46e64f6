import type { Choice } from '../questions/index.js';

/** The operator's answer. */
export type Reply = { kind: 'text'; text: string } | { kind: 'back' };

interface TextRequest {
  message: string;
  /** Shown in brackets; accepted with Enter. */
  proposal: string | undefined;
  /** Read without echo. */
  hidden: boolean;
  /** For hidden input: what Enter does. */
  onEnter: string | undefined;
  /** Printed for `?`. */
  help: string;
  /** Null if the text is valid, or what is wrong with it and how to fix it. */
  check(text: string): Promise<string | null>;
}

/** Asks the operator at a terminal. All methods throw {@link Stopped} on Ctrl-C. */
export interface Prompter {
  print(text?: string): void;
  text(request: TextRequest): Promise<Reply>;
  /** @param back whether to offer going back */
  choose(request: {
    message: string;
    choices: readonly Choice[];
    proposal: string | undefined;
    back: boolean;
    /** Printed for `?`; absent: there is nothing to explain. */
    help?: string;
  }): Promise<Reply>;
  /** `<` answers `back`. @param help printed for `?` */
  confirm(message: string, proposal: boolean, help: string): Promise<boolean | 'back'>;
  /** Prints a long text, page by page on a terminal that is smaller. */
  page(text: string): Promise<void>;
  /** Shows a spinner with the message while `work` runs, unless it ends at once. */
  busy<T>(message: string, work: () => Promise<T>): Promise<T>;
  /** Shows a status line while `work` runs; `s` postpones the work. */
  wait<T>(work: (show: (line: string) => void, signal: AbortSignal) => Promise<T>): Promise<T | 'postponed'>;
}

/** The operator pressed Ctrl-C, or the process received a signal. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}
