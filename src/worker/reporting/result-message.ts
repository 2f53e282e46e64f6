import type { CommandAnswer } from '../views/handle.js';

/** Sentences of an answer that is made of several. */
export interface Words {
  say(sentence: string): void;
  refuse(sentence: string): void;
  answer(): CommandAnswer;
}

/** Bytes of an answer: thousands of ids may each have their own reason. */
const longestAnswer = 4_000;

export function createWords(): Words {
  const said: string[] = [];
  let ok = true;
  return {
    say: (sentence) => void said.push(sentence),
    refuse(sentence) {
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
