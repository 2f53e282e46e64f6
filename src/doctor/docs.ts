import { groups, type Check } from './check.js';

const anchorOf = (id: string): string => id.replaceAll('.', '-');

/** Where a check is described. */
export const docsOf = (id: string): string => `docs/doctor.md#${anchorOf(id)}`;

/** docs/doctor.md, from the checks themselves. */
export function doctorPage(checks: readonly Check[]): string {
  const tables = groups.map((group) => {
    const rows = checks
      .filter((check) => check.group === group)
      .map(({ id, title, needs, deep }) => {
        const needed = (needs ?? []).map((need) => `\`${need}\``).join(', ');
        return `| <a id="${anchorOf(id)}"></a>\`${id}\` | ${title} | ${needed} | ${deep === true ? 'only with `--deep`' : ''} |`;
      });
    return [
      `## ${group}`,
      '',
      '| check | what is looked at | needs | |',
      '| --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return `${intro}\n${tables.join('\n\n')}\n`;
}

const intro = `# dsa-slurm doctor

This page is made from the checks in \`src/doctor/checks\` by \`scripts/generate-docs.mjs\`. Change those, not this.

\`dsa-slurm doctor\` looks at the whole way of a task, from Girder's settings to a compute node, and says what is wrong,
where, and how to mend it. Checks run side by side; each has its own time limit, and the whole run ends after 8 seconds
whatever is down. A check is skipped if one that it needs has failed.

\`--deep\` takes longer. It sends a small job to each partition that is in use, which looks at the shared directories and
at \`girder.apiUrl\` from a compute node; it starts a container of each image on this machine, which looks for the entry
point; and it sends a task \`dsa_slurm.doctor.ping\` through the queue, which the worker answers at once and of which
nothing stays, neither in its journal nor in the console.

| option | meaning |
| --- | --- |
| \`--only <id or group>\` | these checks and what they need; may be given several times |
| \`--skip <id or group>\` | not these |
| \`--deep\` | also what takes a job, a container or a task |
| \`--site <dir>\` | compare with run.sh, docker-compose.yml and worker.dist.cfg in that directory |
| \`--fix\` | mend what is safe, asking before each; \`--yes\` agrees to all of it |
| \`--strict\` | a warning counts as a failure |
| \`--watch [seconds]\` | look again and again, in a terminal |
| \`-v\` | evidence of what is well, too; of the rest, where the check is described |
| \`--json\` | for scripts |
| \`--list\` | the checks, without running them |

It ends with 0 if nothing failed, with 1 if something did (or warned, with \`--strict\`), and with 2 if the doctor itself
could not run. \`--fix\` changes modes of files, makes missing directories, removes what finished runs have left behind,
and sets Girder's settings for the worker; nothing else. The exit code tells what was found before: run it again to see
what is left.

## --json

\`\`\`json
{
  "checks": [
    {
      "id": "slurm.controller",
      "group": "slurm",
      "status": "ok",
      "title": "controller",
      "evidence": ["Slurmctld(primary) at head1 is UP", "answered after 12 ms"],
      "fix": null,
      "ms": 14,
      "docs": "docs/doctor.md#slurm-controller"
    }
  ],
  "summary": { "ok": 1, "warn": 0, "fail": 0, "skip": 0, "ms": 14 }
}
\`\`\`

\`status\` is \`ok\`, \`warn\`, \`fail\` or \`skip\`. \`evidence\` holds one fact a line; of a skipped check, why it was skipped.
\`fix\` is a sentence or a command to paste, one a line, or null. \`docs\` is the place of the check in this page. Passwords, tokens and keys are masked. With \`--fix\` there
is also \`"repairs": {"done": 0, "declined": 0, "failed": 0}\`.
`;
