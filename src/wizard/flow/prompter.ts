import type { Choice } from '../questions/index.js';

/** What a person answered. */
export type Reply = { kind: 'text'; text: string } | { kind: 'back' };

export interface TextRequest {
  message: string;
  /** In brackets; Enter takes it. */
  proposal: string | undefined;
  /** Read without showing it. */
  hidden: boolean;
  /** Behind the message of a hidden one: what Enter does. */
  onEnter: string | undefined;
  /** Null if the text can be used, or what is wrong with it and what to do. */
  check(text: string): Promise<string | null>;
}

/** A person at a terminal. Everything throws {@link Stopped} when they press Ctrl-C. */
export interface Asker {
  say(text?: string): void;
  text(request: TextRequest): Promise<Reply>;
  /** @param back whether going back is offered */
  choose(request: {
    message: string;
    choices: readonly Choice[];
    proposal: string | undefined;
    back: boolean;
  }): Promise<Reply>;
  yesNo(message: string, proposal: boolean): Promise<boolean>;
  /** Shows a line that changes while something goes on; `s` puts it off. */
  wait<T>(work: (show: (line: string) => void, signal: AbortSignal) => Promise<T>): Promise<T | 'put-off'>;
}

/** The person pressed Ctrl-C, or the program was told to end. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}
