import * as z from 'zod';
import { catalog, formatValue, type Setting } from './catalog.js';
import { settingsSchema } from './schema.js';
import { settingInfo } from './setting-info.js';

/** JSON Schema (2020-12) of a profile, in which every setting is optional. */
export function profileJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(settingsSchema, {
    metadata: settingInfo,
    override: ({ jsonSchema }) => {
      for (const name of [
        'required',
        'example',
        'derived',
        'legacyEnv',
        'secret',
        'path',
        'sbatchOption',
        'advanced',
      ])
        delete jsonSchema[name];
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
  const usual = catalog.filter(({ info }) => info.advanced !== true);
  const groups = [...new Set(usual.map(({ group }) => group))];
  const sections = groups.map((group) =>
    [`## ${group}`, ...usual.filter((setting) => setting.group === group).map(entry)].join('\n\n'),
  );
  const advanced = catalog.filter(({ info }) => info.advanced === true).map(entry);
  return [intro, ...sections, resources, advancedIntro, ...advanced].join('\n\n') + '\n';
}

/** A setting under its own heading, so that links can point to it and lines fit into a terminal. */
function entry(setting: Setting): string {
  const { key, info, env, kind } = setting;
  const names = env.map((name) => `\`${name}\``).join(', ');
  const hasExample = kind !== 'boolean' && info.example !== formatValue(info.default);
  return [
    `### \`${key}\``,
    '',
    wrap(info.description),
    '',
    `- Default: ${defaultText(setting)}`,
    ...(hasExample ? [`- Example: \`${info.example}\``] : []),
    `- Environment: ${names}`,
  ].join('\n');
}

/** Wraps Markdown text at 116 characters; text in backquotes is not divided. @param indent of all lines but the first */
export function wrap(text: string, indent = ''): string {
  const lines: string[] = [];
  for (const word of text.match(/(?:`[^`]*`|[^\s`])+/g) ?? []) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + indent.length < 116)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${indent}`);
}

function defaultText({ info }: Setting): string {
  if (info.derived !== undefined) return info.derived.text;
  return info.default === null ? 'not set' : `\`${formatValue(info.default)}\``;
}

const resources = `## What a job requests from Slurm

Each option of sbatch comes from the first of these that sets it:

1. the task: \`--slurm_mem 8G\` among its arguments, if \`slurm.userOptions\` allows it;
2. the first rule of \`slurm.rules\` that matches the run;
3. Girder's settings \`worker_slurm.*\`, if \`girder.apiKey\` and \`girder.apiUrl\` are set;
4. the settings of \`slurm\` above, such as \`slurm.partition\`;
5. the submit script, and then Slurm itself.

Girder's settings take precedence over the profile, because someone who changes them on Girder's page while the worker runs
expects them to take effect; the profile contains the defaults of the installation. Rules take precedence over both: they are
written for specific images by someone who knows the cluster.

A rule contains conditions and options. All of its conditions must match: \`image\` and \`cli\` are patterns in which \`*\`
matches any text and \`?\` one character; \`gpu\` is whether the run uses a GPU. Options that the rule does not contain come
from the other layers. A rule without conditions matches every run, and belongs at the end.

An image is compared by the name in its task. Stock Girder refers to an image that Docker has pulled by its digest,
\`example/train@sha256:…\`, so end the pattern with a star and without the colon of a tag: \`example/train*\`.

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

The worker reads Girder's settings every five minutes. While Girder does not answer, it uses the last ones, and the console
says so. Values that sbatch would reject are ignored, with a warning.

- \`worker_slurm.account\`, \`qos\`, \`mem\`, \`ntasks\`, \`partition\`, \`time\`: the option of sbatch with that name
- \`worker_slurm.cpus\`: \`--cpus-per-task\`
- \`worker_slurm.gres_config\`: \`--gres\`, for jobs with a GPU if it contains \`gpu\`, else for those without
- \`worker_slurm.gpu\`: \`true\`: every job gets a GPU; a number: that many, as \`--gres=gpu:<n>\` unless \`gres_config\` is set
- \`worker_slurm.gpu_partition\`: \`--partition\` of jobs with a GPU

\`dsa-slurm config explain <image> [<cli>]\` shows which rule matches, where each option comes from, and the resulting command
lines. \`dsa-slurm explain <message.json>\` shows the same for one task message, without contacting Girder.`;

const advancedIntro = `## Advanced settings

The defaults of these settings suit almost every site.`;

const intro = `# Configuration

This page is generated from \`src/config/sections\` by \`scripts/generate-docs.mjs\`. Do not edit it.

A setting comes from the first of these that contains it:

1. a flag: \`--set slurm.partition=batch\`, or a specific one such as \`--log-level\`;
2. the environment, in the order of the variables listed below; an empty variable counts as unset;
3. the profile: \`<profile>.json\` in \`$DSA_SLURM_CONFIG_DIR\`, by default \`$XDG_CONFIG_HOME/dsa-slurm\` or
   \`~/.config/dsa-slurm\`. The profile is \`default\`, or the one named by \`--profile\`;
4. the default.

\`dsa-slurm config show\` prints the values that differ from the defaults and where they come from, \`--all\` all of them.
\`dsa-slurm config set <key> <value>\` changes the
profile, whose file has mode 0600; \`dsa-slurm config set <key> -\` reads the value from standard input, which keeps a
password out of the shell's history. The file is JSON, described by \`config.schema.json\` next to this page:

\`\`\`json
{
  "slurm": { "partition": "batch", "time": "04:00:00" },
  "dirs": { "images": "/shared/images", "logs": "/shared/logs" }
}
\`\`\`

In flags, the environment and \`config set\`, a list is JSON or comma-separated, and a table is JSON or comma-separated
\`from=to\` pairs. Paths of shared directories must be the same on the compute nodes.`;
