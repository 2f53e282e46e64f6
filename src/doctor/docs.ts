import { groups, type Check } from './check.js';

const anchorOf = (id: string): string => id.replaceAll('.', '-');

/** Link to a check's documentation. */
export const docsOf = (id: string): string => `docs/doctor.md#${anchorOf(id)}`;

/** The text of docs/doctor.md. */
export function doctorPage(checks: readonly Check[]): string {
  const lists = groups.map((group) => {
    const items = checks
      .filter((check) => check.group === group)
      .map(({ id, title, needs = [], deep = false }) => {
        const notes = [
          ...(needs.length === 0 ? [] : [`needs ${needs.map((need) => `\`${need}\``).join(', ')}`]),
          ...(deep ? ['only with `--deep`'] : []),
        ];
        const note = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
        return `- <a id="${anchorOf(id)}"></a>\`${id}\`: ${title}${note}`;
      });
    return [`## ${group}`, '', ...items].join('\n');
  });
  return `${intro}\n${lists.join('\n\n')}\n`;
}

const intro = `# dsa-slurm doctor

This page is generated from the checks in \`src/doctor/checks\` by \`scripts/generate-docs.mjs\`; edit those instead.

\`dsa-slurm doctor\` follows the path of a task from Girder's settings to a compute node. Each finding names the problem, its evidence and the
fix. The report begins with the verdict and the numbered problems; groups of checks follow in one line each, and the command to run next is
the last line. Checks run side by side, each with a time limit of its own, and the whole run ends after 8 seconds. A check is skipped if one that it needs
has failed.

\`--deep\` takes longer:

- it submits a small job to each partition in use, which checks the shared directories and \`girder.apiUrl\` from a compute node;
- it starts a container of each image on this host and checks that the entry point exists;
- it publishes a task \`dsa_slurm.doctor.ping\`, which the worker answers at once and does not record.

| option | meaning |
| --- | --- |
| \`--only <id or group>\` | only these checks and those they need; repeatable |
| \`--skip <id or group>\` | leave these out; repeatable |
| \`--deep\` | also the checks that need a job, a container or a task |
| \`--site <dir>\` | compare with run.sh, docker-compose.yml and worker.dist.cfg in that directory |
| \`--fix\` | apply safe fixes, asking before each; \`--yes\` applies all |
| \`--strict\` | treat warnings as failures |
| \`--watch [seconds]\` | repeat, in a terminal, every 10 seconds unless another number is given; Ctrl-C ends it |
| \`-v\` | list all checks, with the evidence of passed ones, why others were not run, and where the problems are documented |
| \`--json\` | for scripts |
| \`--list\` | list the checks without running them |

Exit codes: 0 if no check failed, 1 if one did (or warned, with \`--strict\`), 2 if the doctor itself could not run. \`--fix\` changes file modes,
creates missing directories, removes leftovers of finished runs and updates Girder's settings for the worker; nothing else. The exit code describes the
state before the fixes: run it again to see what is left.

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

\`status\` is \`ok\`, \`warn\`, \`fail\` or \`skip\`. \`evidence\` has one fact per line; for a skipped check, the reason. \`fix\` is a
sentence or a command to paste, one per line, or null. \`docs\` points to the check on this page. Passwords, tokens and keys are masked. With
\`--fix\` there is also \`"repairs": {"done": 0, "declined": 0, "failed": 0}\`.
`;
