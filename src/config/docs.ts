import * as z from 'zod';
import { catalog, valueText, type Setting } from './catalog.js';
import { settingInfo, settingsSchema } from './schema.js';

/** JSON Schema (2020-12) of a profile's file, in which every setting may be left out. */
export function profileJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(settingsSchema, {
    metadata: settingInfo,
    override: ({ jsonSchema }) => {
      for (const word of ['required', 'example', 'derived', 'legacyEnv', 'secret', 'path', 'sbatchOption'])
        delete jsonSchema[word];
    },
  });
  return {
    ...schema,
    title: 'A profile of dsa-slurm',
    properties: { $schema: { type: 'string' }, ...schema.properties },
  };
}

/** docs/configuration.md */
export function configurationPage(): string {
  const groups = [...new Set(catalog.map((setting) => setting.group))];
  const sections = groups.map((group) =>
    [`## ${group}`, ...catalog.filter((setting) => setting.group === group).map(entry)].join('\n\n'),
  );
  return `${intro}\n${sections.join('\n\n')}\n\n${resources}`;
}

/** A setting under a heading of its own, so that links lead to it and no line is too long for a terminal. */
function entry(setting: Setting): string {
  const { key, info, env, kind } = setting;
  const names = env.map((name) => `\`${name}\``).join(', ');
  const hasExample = kind !== 'boolean' && info.example !== valueText(info.default);
  return [
    `### \`${key}\``,
    '',
    ...folded(info.description),
    '',
    `- Default: ${defaultText(setting)}`,
    ...(hasExample ? [`- Example: \`${info.example}\``] : []),
    `- Environment: ${names}`,
  ].join('\n');
}

/** Text in lines of at most 116 characters; what stands in backquotes is not divided. */
function folded(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.match(/(?:`[^`]*`|[^\s`])+/g) ?? []) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 116) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function defaultText({ info }: Setting): string {
  if (info.derived !== undefined) return info.derived.text;
  return info.default === null ? 'not set' : `\`${valueText(info.default)}\``;
}

const resources = `## What a job asks Slurm for

Each option of sbatch comes from the first of these that names it:

1. the task: \`--slurm_mem 8G\` among its arguments, as far as \`slurm.userOptions\` lets it;
2. the first rule of \`slurm.rules\` that fits the run;
3. Girder's settings \`worker_slurm.*\`, if \`girder.apiKey\` and \`girder.apiUrl\` are set;
4. the settings of \`slurm\` above, such as \`slurm.partition\`;
5. the submit script, and then Slurm itself.

Girder's settings go before those of the profile because who changes them on Girder's page, while the worker runs, expects to
see them at work; the profile holds the defaults of the installation. A rule goes before both: it was written for
specific images by someone who knows the cluster.

A rule names the runs that it is for and what they get. All that it names has to fit: \`image\` and \`cli\` are patterns,
in which \`*\` stands for any text and \`?\` for one character; \`gpu\` is whether the run gets a GPU. What a rule does not
name stays as the other layers have it. A rule without conditions fits every run, and belongs at the end.

An image is compared by the name that its task carries. Stock Girder calls one that Docker has pulled by its digest,
\`example/train@sha256:…\`, so end its pattern with a star and without the colon of a tag: \`example/train*\`.

\`\`\`json
{
  "slurm": {
    "partition": "batch",
    "rules": [
      { "image": "example/train*", "gpu": true, "partition": "gpu", "gres": "gpu:a100:2", "time": "2-0" },
      { "image": "example/*", "cli": "Segment*", "mem": "64G", "cpus": 8 }
    ]
  }
}
\`\`\`

The worker reads Girder's settings anew every five minutes; while Girder is silent, the last ones stay, and the console says
so. A value that sbatch would not take is left out, with a warning.

| Girder's setting | what it does |
| --- | --- |
| \`worker_slurm.account\`, \`qos\`, \`mem\`, \`ntasks\`, \`partition\`, \`time\` | the option of sbatch with that name |
| \`worker_slurm.cpus\` | \`--cpus-per-task\` |
| \`worker_slurm.gres_config\` | \`--gres\`: of jobs with a GPU if it names \`gpu\`, else of those without |
| \`worker_slurm.gpu\` | \`true\`: every job gets a GPU; a number: so many, as \`--gres=gpu:<n>\` unless \`gres_config\` says otherwise |
| \`worker_slurm.gpu_partition\` | \`--partition\` of jobs with a GPU |

\`dsa-slurm config explain <image> [<cli>]\` shows the rule that fits, who named each option, and the command lines that come of it.
\`dsa-slurm explain <message.json>\` shows the same for one task message, without asking Girder.
`;

const intro = `# Configuration

This page is made from the schema in \`src/config/schema.ts\` by \`scripts/generate-docs.mjs\`. Change that, not this.

A setting comes from the first of these that has it:

1. a flag: \`--set slurm.partition=batch\`, or one of its own such as \`--log-level\`;
2. the environment, in the order of the names below; an empty value counts as not set;
3. the profile: \`~/.config/dsa-slurm/<profile>.json\`, below \`$XDG_CONFIG_HOME\` where that is set, or in
   \`$DSA_SLURM_CONFIG_DIR\`. The profile is \`default\` unless \`--profile\` names one;
4. the default.

\`dsa-slurm config show\` prints every value and where it came from. \`dsa-slurm config set <key> <value>\` writes the
profile, with mode 0600; \`dsa-slurm config set <key> -\` reads the value from standard input, which keeps a password out
of the shell's history. The file is JSON, and \`config.schema.json\` beside this page describes it:

\`\`\`json
{
  "slurm": { "partition": "batch", "time": "04:00:00" },
  "dirs": { "images": "/shared/images", "logs": "/shared/logs" }
}
\`\`\`

In flags, environment names and \`config set\`, a list is JSON or words with commas between them, and a table is JSON or
\`from=to\` pairs with commas between them. Paths must be visible under the same name on the compute nodes where a
setting says shared.
`;
