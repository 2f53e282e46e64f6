import type { CommandAnswer } from '../views/handle.js';

/** Builds an answer of several sentences. */
export interface MessageBuilder {
  add(sentence: string): void;
  addError(sentence: string): void;
  answer(): CommandAnswer;
}

/** Maximum length of an answer: each of thousands of ids may have its own reason. */
const maxLength = 4_000;

export function createMessageBuilder(): MessageBuilder {
  const sentences: string[] = [];
  let ok = true;
  return {
    add: (sentence) => void sentences.push(sentence),
    addError(sentence) {
      ok = false;
      // errors come first
      sentences.unshift(sentence);
    },
    answer() {
      const text = sentences.join('\n');
      if (text === '') return { ok: false, message: 'Nothing was named.' };
      return { ok, message: text.length > maxLength ? `${text.slice(0, maxLength)} …` : text };
    },
  };
}
