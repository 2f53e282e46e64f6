import { environmentName, questions, sections } from './questions/index.js';

/** docs/init.md */
export function initPage(): string {
  const tables = sections.map((section) => {
    const rows = questions
      .filter((question) => question.section === section)
      .map((question) => {
        const flag = question.flag === undefined ? 'none: it is a secret' : `\`${question.flag}\``;
        const name = `\`${environmentName(question)}\``;
        const about = question.optional === true ? `${question.about} May be left out.` : question.about;
        return `| \`${question.key}\` | ${about} | ${flag} | ${name} |`;
      });
    return [
      `### ${section}`,
      '',
      '| key | meaning | flag | environment |',
      '| --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return `${intro}\n${tables.join('\n\n')}\n`;
}

const intro = `# Setting a site up

The tables on this page are made from the questions in \`src/wizard/questions/\` by \`scripts/generate-docs.mjs\`. Change those, not
this.

\`\`\`sh
dsa-slurm init
\`\`\`

on a login node looks around, asks what it cannot see, and writes the profile, the submit script, and what keeps the worker
running; for a site that also runs the archive, its compose file and what belongs to it.

- **Enter** takes the answer in brackets: what was so before, what an old site has (\`--from\`), or what was found on the machine.
  \`<\` goes back, \`-\` means none.
- Each answer is looked at at once. Directories have to be yours, closed to others, on a shared file system and with room; RabbitMQ has
  to let the user in; Slurm is asked with \`sbatch --test-only\`. What is wrong comes with what to do.
- A job on each chosen partition then looks at the directories from the nodes. It waits visibly; **s** puts it off, and
  \`dsa-slurm doctor --deep\` does it later.
- **Ctrl-C** stops. Answers are kept, with mode 0600, in \`init\` beside the profiles, and the next start offers to go on.
- Nothing is written before you have seen the list of files (new, changed, same, changed by hand) and, if you like, the differences. A
  file that was changed by hand is asked about, and a backup stays. Either all files are written or none.
- Passwords are read hidden. They are in the profile and in \`init\`, never in flags, in the list of processes or on the screen.

## Coming from the Python worker

\`\`\`sh
dsa-slurm init --from /opt/dsa/worker
\`\`\`

reads \`run.sh\`, \`worker.local.cfg\`, \`worker.dist.cfg\` and \`docker-compose.yml\` there, as data: nothing of it is executed. What they say is
proposed.

## Without a terminal

\`\`\`sh
dsa-slurm init --print-answers > site.yaml                # the answers of this site, without secrets
dsa-slurm init --answers site.yaml --yes --dry-run        # what they would write
DSA_SLURM_INIT_BROKER_PASSWORD=... dsa-slurm init --answers site.yaml --yes
\`\`\`

An answer comes from the first of these that has it: a flag (or \`--answer key=value\`), standard input (\`--answers-stdin\`, lines of
\`key=value\`, made for secrets), the environment, the answers file, an old site, the profile and the answers of the last time, what was
found on the machine. Everything that is missing or cannot be used is listed at once, with exit code 2, and then nothing is written. The
same answers write the same files, byte for byte, so running it again is safe. \`--yes\` agrees to making directories; files that were changed
by hand stay unless \`--overwrite\` is given. \`--probe\` has the job look from the nodes first, and \`--json\` prints the result for a script.

| exit code | meaning |
| --- | --- |
| 0 | written, or shown with \`--dry-run\`; what the doctor thinks of it is printed |
| 1 | it could not be written; everything is as it was |
| 2 | answers are missing or cannot be used; nothing was written |
| 130 | stopped; the answers are kept |

## Answers
`;
