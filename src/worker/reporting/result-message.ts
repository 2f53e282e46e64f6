import type { CommandAnswer } from '../views/handle.js';

/** Sentences of an answer that is made of several. */
export interface MessageBuilder {
  add(sentence: string): void;
  addError(sentence: string): void;
  answer(): CommandAnswer;
}

/** Bytes of an answer: thousands of ids may each have their own reason. */
const longestAnswer = 4_000;

export function createMessageBuilder(): MessageBuilder {
  const said: string[] = [];
  let ok = true;
  return {
    add: (sentence) => void said.push(sentence),
    addError(sentence) {
      ok = false;
      // what went wrong stands first
      said.unshift(sentence);
    },
    answer() {
      const text = said.join('\n');
      if (text === '') return { ok: false, said: 'Nothing was named.' };
      return { ok, said: text.length > longestAnswer ? `${text.slice(0, longestAnswer)} …` : text };
    },
  };
}
