import { wrap } from '../config/docs.js';
import { environmentName, questions, sections, type Question } from './questions/index.js';

/** docs/init.md */
export function initPage(): string {
  const lists = sections.map((section) =>
    [`### ${section}`, ...questions.filter((question) => question.section === section).map(entry)].join(
      '\n\n',
    ),
  );
  return `${intro}\n${lists.join('\n\n')}\n`;
}

function entry(question: Question): string {
  const about = question.optional === true ? `${question.about} Optional.` : question.about;
  const flag = question.flag === undefined ? '' : `flag \`${question.flag}\`, `;
  return [
    wrap(`- \`${question.key}\`: ${about}`, '  '),
    `  ${wrap(`(${flag}environment \`${environmentName(question)}\`)`, '  ')}`,
  ].join('\n');
}

const intro = `# Setting up a site

The lists of answers on this page are generated from \`src/wizard/questions/\` by \`scripts/generate-docs.mjs\`. Do not edit it.

\`\`\`sh
dsa-slurm init
\`\`\`

on a login node detects what it can, asks for the rest, and writes the profile, the submit script, and a systemd unit or script
that runs the worker. For a site that also runs the Digital Slide Archive, it writes a compose file and related files.

- **Enter** accepts the answer in brackets: the previous one, one from an existing site (\`--from\`), or one that was detected.
  \`<\` goes back, also at yes/no questions; \`-\` means none; \`?\` explains the question with its reason and an example. Long lists
  are searched by typing.
- Each answer is checked immediately. Directories must be yours, closed to others, on a shared file system and have free
  space; RabbitMQ must accept the login; resources are checked with \`sbatch --test-only\`. Problems come with a solution.
- Then a job on each chosen partition checks the directories from the compute nodes. While it waits, **s** postpones it;
  \`dsa-slurm doctor --deep\` repeats the check later.
- **Ctrl-C** stops. Answers are kept, with mode 0600, in \`init\` next to the profiles; the next start offers to continue.
- Nothing is written before you have seen all your answers, the list of files (new, changed, same, edited) and, if you like, the differences.
  You are asked about each edited file, and a backup of it is kept. Either all files are written or none.
- At the end, init offers to start the worker, as a service or in the console. The last line says what works now and what to run next.
- Passwords are not echoed. They are stored in the profile and in \`init\`, and never appear in flags, the process list or the
  screen.

## Migrating from the Python worker

\`\`\`sh
dsa-slurm init --from /opt/dsa/worker
\`\`\`

reads \`run.sh\`, \`worker.local.cfg\`, \`worker.dist.cfg\` and \`docker-compose.yml\` in that directory without executing
anything, and proposes their values. \`dsa-slurm migrate from\` does the same, shows what becomes of each value, and can be undone:
see [migrate.md](migrate.md). An archive that has a compose file is not set up again unless \`--deploy\` asks for it.

## Without a terminal

\`\`\`sh
dsa-slurm init --print-answers > site.yaml                # the answers of this site, without secrets
dsa-slurm init --answers site.yaml --yes --dry-run        # what they would write
DSA_SLURM_INIT_BROKER_PASSWORD=... dsa-slurm init --answers site.yaml --yes
\`\`\`

An answer comes from the first of these that contains it:

1. a flag, or \`--answer key=value\`;
2. standard input with \`--answers-stdin\`: lines of \`key=value\`, intended for secrets;
3. the environment;
4. the answers file;
5. an existing site (\`--from\`);
6. the profile, and the previous answers;
7. what was detected on the machine.

If answers are missing or invalid, all of them are listed, the exit code is 2, and nothing is written. The same answers
produce the same files, byte for byte, so it is safe to run the command again. \`--yes\` agrees to creating directories; edited
files are kept unless \`--overwrite\` is given. \`--probe\` first checks the directories from the compute nodes; \`--json\` prints
the result for scripts.

| exit code | meaning |
| --- | --- |
| 0 | files were written, or shown with \`--dry-run\` |
| 1 | files could not be written; nothing was changed |
| 2 | answers are missing or invalid; nothing was written |
| 130 | stopped; the answers are kept |

## Answers
`;
