import { homedir } from 'node:os';
import { readCommands } from './shell-words.js';

/** What a script like run.sh sets, read as data. */
export interface RunScript {
  /** Variables with their values. */
  values: ReadonlyMap<string, string>;
  notes: string[];
}

/**
 * Reads assignments of a shell script: `NAME=value`, `export NAME=value`, and those in front of a command. Later ones win.
 * Of everything else the script does, nothing happens.
 * @param directory where the script is; what its own way of finding that out stands for
 */
export function readRunScript(text: string, directory: string): RunScript {
  const values = new Map<string, string>();
  const unknown = new Set<string>();
  const passedOver = new Set<string>();
  const commands = readCommands(text, {
    variable: (name) =>
      unknown.has(name) ? null : (values.get(name) ?? (name === 'HOME' ? homedir() : undefined)),
    substitution: (command) => (namesOwnDirectory(command) ? directory : null),
  });
  for (const words of commands) {
    const exported = words[0]?.text === 'export';
    for (const { text: word, known } of exported ? words.slice(1) : words) {
      const [, name, value] = /^([A-Za-z_]\w{0,127})=(.*)$/s.exec(word) ?? [];
      if (name !== undefined && value !== undefined) {
        // a value that is not known any more must not keep its old one
        values.delete(name);
        unknown.delete(name);
        if (known) values.set(name, value);
        else unknown.add(name);
      } else if (!exported) {
        // a command with its arguments
        passedOver.add(known && /^[\w./-]{1,40}$/.test(word) ? word : 'a command');
        break;
      }
    }
  }
  const notes = [...unknown].slice(0, 20).map((name) => `${name} cannot be told without running the script.`);
  if (passedOver.size > 0) notes.push(`Read, not run: ${[...passedOver].slice(0, 8).join(', ')}.`);
  return { values, notes };
}

/** `cd "$(dirname "${BASH_SOURCE[0]}")" && pwd`, and the shorter forms of it. */
function namesOwnDirectory(command: string): boolean {
  if (command.trim() === 'pwd') return true;
  return (
    /^\s*(cd|dirname)\s/.test(command) && /dirname\s+(--\s+)?"?(\$\{BASH_SOURCE[^}]*\}|\$0)"?/.test(command)
  );
}
