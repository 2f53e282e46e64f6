import { homedir } from 'node:os';
import { readCommands } from './shell-words.js';

/** Variables that a script such as run.sh sets. */
export interface RunScript {
  /** Values by name. */
  values: ReadonlyMap<string, string>;
  /** Variables whose value only a shell can determine. */
  unknown: readonly string[];
  /** Commands with their arguments, without assignments before them. Null: a word that only a shell can determine. */
  commands: readonly (readonly (string | null)[])[];
  notes: string[];
}

/**
 * Reads assignments in a shell script without running it: `NAME=value`, `export NAME=value`, and those before a command. Later
 * ones override earlier ones.
 * @param directory of the script; replaces expressions that compute it, such as `$(dirname "$0")`
 */
export function readRunScript(text: string, directory: string): RunScript {
  const values = new Map<string, string>();
  const unknown = new Set<string>();
  const skipped = new Set<string>();
  const commands: (string | null)[][] = [];
  const lines = readCommands(text, {
    variable: (name) =>
      unknown.has(name) ? null : (values.get(name) ?? (name === 'HOME' ? homedir() : undefined)),
    substitution: (command) => (isOwnDirectory(command) ? directory : null),
  });
  for (const words of lines) {
    const exported = words[0]?.text === 'export';
    const parts = exported ? words.slice(1) : words;
    for (const [index, { text: word, known }] of parts.entries()) {
      const [, name, value] = /^([A-Za-z_]\w{0,127})=(.*)$/s.exec(word) ?? [];
      if (name !== undefined && value !== undefined) {
        // an unknown value also replaces a known one
        values.delete(name);
        unknown.delete(name);
        if (known) values.set(name, value);
        else unknown.add(name);
      } else if (!exported) {
        // a command with its arguments
        skipped.add(known && /^[\w./-]{1,40}$/.test(word) ? word : 'a command');
        commands.push(parts.slice(index).map((each) => (each.known ? each.text : null)));
        break;
      }
    }
  }
  const notes = [...unknown]
    .slice(0, 20)
    .map((name) => `The value of ${name} cannot be determined without running the script.`);
  if (skipped.size > 0) notes.push(`These commands were not run: ${[...skipped].slice(0, 8).join(', ')}.`);
  return { values, unknown: [...unknown], commands, notes };
}

/** Recognizes `cd "$(dirname "${BASH_SOURCE[0]}")" && pwd` and shorter forms. */
function isOwnDirectory(command: string): boolean {
  if (command.trim() === 'pwd') return true;
  return (
    /^\s*(cd|dirname)\s/.test(command) && /dirname\s+(--\s+)?"?(\$\{BASH_SOURCE[^}]*\}|\$0)"?/.test(command)
  );
}
