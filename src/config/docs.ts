import * as z from 'zod';
import { catalog, valueText, type Setting } from './catalog.js';
import { settingInfo, settingsSchema } from './schema.js';

/** JSON Schema (2020-12) of a profile's file, in which every setting may be left out. */
export function profileJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(settingsSchema, {
    metadata: settingInfo,
    override: ({ jsonSchema }) => {
      for (const word of ['required', 'example', 'derived', 'legacyEnv', 'secret', 'path'])
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
  const tables = groups.map((group) => {
    const rows = catalog.filter((setting) => setting.group === group).map(row);
    return [
      `## ${group}`,
      '',
      '| setting | meaning | default | environment |',
      '| --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return `${intro}\n${tables.join('\n\n')}\n`;
}

function row(setting: Setting): string {
  const { key, info, env, kind } = setting;
  const names = env.map((name) => `\`${name}\``).join(', ');
  const telling = kind !== 'boolean' && info.example !== valueText(info.default);
  const meaning = telling ? `${info.description} Example: \`${info.example}\`` : info.description;
  return `| \`${key}\` | ${meaning} | ${defaultText(setting)} | ${names} |`;
}

function defaultText({ info }: Setting): string {
  if (info.derived !== undefined) return info.derived.text;
  return info.default === null ? 'not set' : `\`${valueText(info.default)}\``;
}

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
\`from=to\` pairs with commas between them. Paths must be visible under the same name on the compute nodes where the
table says shared.
`;
