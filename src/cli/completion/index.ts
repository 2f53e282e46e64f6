import { readFile } from 'node:fs/promises';
import { Argument, type Command } from 'commander';
import { packageFile } from '../../base/package-file.js';
import { addExamples, type CliContext } from '../context.js';
import { suggest } from './suggest.js';

const shells = ['bash', 'zsh', 'fish'];

/** `dsa-slurm completion`: prints a shell's completion script, and answers that script's queries. */
export function define(command: Command, context: CliContext): void {
  command
    .description(
      'Print the completion script of a shell. It completes commands, options, settings, checks, profiles, image files and run ids.\n' +
        'With words of a command line, print the candidates for the last one: that is what the script does.',
    )
    .addArgument(new Argument('<shell>').choices(shells))
    .argument('[words...]', 'a command line after dsa-slurm; the last word is completed');
  addExamples(command, [
    [
      'dsa-slurm completion bash > ~/.local/share/bash-completion/completions/dsa-slurm',
      'bash, with the package bash-completion; new shells have it',
    ],
    ['source <(dsa-slurm completion bash)', 'bash, only this shell'],
    [
      'dsa-slurm completion zsh > ~/.zfunc/_dsa-slurm',
      'zsh, with this in ~/.zshrc before compinit: fpath+=~/.zfunc',
    ],
    ['dsa-slurm completion fish > ~/.config/fish/completions/dsa-slurm.fish', 'fish'],
  ]);
  command.action(async (shell: string, words: string[]) => {
    if (words.length === 0) {
      context.stdout.write(await readFile(packageFile(`templates/completion/dsa-slurm.${shell}`), 'utf8'));
      return;
    }
    context.stdout.write(await suggest(command, words, context));
  });
}
