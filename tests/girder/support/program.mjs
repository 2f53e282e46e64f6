// The analyses of the test image. Imports nothing but Node's own modules: its text goes into the image.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const text = (value) => value.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** `kind name channel index-or-flag [default]`, and more elements of ctk_cli's schema where needed. */
function parameter({ kind, name, out = false, index, more = '', initial, attributes = '' }) {
  const place = index === undefined ? `<longflag>${name}</longflag>` : `<index>${index}</index>`;
  const channel = `<channel>${out ? 'output' : 'input'}</channel>`;
  const value = initial === undefined ? '' : `<default>${text(initial)}</default>`;
  return `<${kind}${attributes}><name>${name}</name><label>${name}</label><description>${name}</description>${channel}${place}${value}${more}</${kind}>`;
}

const input = { kind: 'image', name: 'input', index: 0 };
// Only an image that large_image knows can be one of a batch.
const file = { ...input, kind: 'file' };
const output = { kind: 'file', name: 'output', out: true, index: 1, attributes: ' fileExtensions=".txt"' };
const enumeration = ['red', 'green & blue'].map((each) => `<element>${text(each)}</element>`).join('');

const analyses = {
  Everything: [
    input,
    output,
    { kind: 'file', name: 'table' },
    { kind: 'directory', name: 'folder' },
    { kind: 'item', name: 'sample' },
    { kind: 'integer', name: 'count', initial: '3' },
    { kind: 'float', name: 'factor', initial: '0.5' },
    { kind: 'boolean', name: 'flag', initial: 'false' },
    { kind: 'string', name: 'words', initial: 'none' },
    { kind: 'region', name: 'region', initial: '-1,-1,-1,-1' },
    { kind: 'string-enumeration', name: 'color', initial: 'red', more: enumeration },
    { kind: 'directory', name: 'tiles', out: true },
    { kind: 'file', name: 'annotation', out: true, attributes: ' fileExtensions=".anot" reference="input"' },
    { kind: 'float', name: 'score', out: true },
  ],
  Copy: [file, output],
  Wait: [
    file,
    output,
    { kind: 'string', name: 'gate', initial: '' },
    { kind: 'integer', name: 'lines', initial: '0' },
  ],
  Fail: [file, { kind: 'integer', name: 'code', initial: '3' }],
  Nothing: [file, output],
  Tree: [{ kind: 'directory', name: 'folder', index: 0 }, output, { kind: 'item', name: 'sample' }],
  Join: [
    { kind: 'file', name: 'files', attributes: ' multiple="true"' },
    { ...output, index: 0 },
  ],
  Api: [
    { ...output, index: 0 },
    { kind: 'string', name: 'girderApiUrl', initial: '' },
    { kind: 'string', name: 'girderToken', initial: '' },
  ],
};

function specification(name) {
  const parameters = analyses[name].map(parameter).join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>
<executable>
<category>Tests</category><title>${name}</title><description>${name}</description><version>1</version>
<documentation-url></documentation-url><license>Apache-2.0</license><contributor>dsa-slurm</contributor><acknowledgements></acknowledgements>
<parameters><label>IO</label><description>IO</description>
${parameters}
</parameters>
</executable>
`;
}

const digest = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Every file below, with its path and what is in it. */
function tree(path) {
  if (statSync(path).isFile()) return { [basename(path)]: digest(path) };
  const files = readdirSync(path, { recursive: true }).filter((name) => statSync(join(path, name)).isFile());
  return Object.fromEntries(
    files.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => [name, digest(join(path, name))]),
  );
}

function parse(args) {
  const [flags, indexed] = [{}, []];
  for (let at = 0; at < args.length; at += 1) {
    if (args[at].startsWith('--')) flags[args[at].slice(2)] = args[(at += 1)];
    else indexed.push(args[at]);
  }
  return { flags, indexed };
}

const say = (line) => process.stdout.write(`${line}\n`);

const programs = {
  Everything({ flags, indexed: [slide, result] }) {
    say(
      '<filter-start><filter-name>Everything</filter-name><filter-comment>A &amp; B</filter-comment></filter-start>',
    );
    const seen = {
      input: { name: basename(slide), digest: digest(slide) },
      table: digest(flags.table),
      folder: tree(flags.folder),
      sample: tree(flags.sample),
    };
    for (const name of ['count', 'factor', 'flag', 'words', 'region', 'color']) seen[name] = flags[name];
    writeFileSync(result, JSON.stringify(seen));
    mkdirSync(join(flags.tiles, 'deep'), { recursive: true });
    writeFileSync(join(flags.tiles, 'one'), 'tile one');
    writeFileSync(join(flags.tiles, 'deep', 'two'), 'tile two');
    writeFileSync(flags.annotation, '{"name": "nothing", "elements": []}');
    writeFileSync(flags.returnparameterfile, 'score = 0.25\n');
    say('<filter-progress>1</filter-progress>');
    say('everything was seen');
  },
  Copy({ indexed: [from, to] }) {
    say(`copying ${statSync(from).size} bytes`);
    writeFileSync(to, readFileSync(from));
    say('done: é漢🔬');
  },
  async Wait({ flags, indexed: [, to] }) {
    let line = 0;
    while (line < Number(flags.lines ?? 0) || (flags.gate && !existsSync(flags.gate))) {
      say(`line ${(line += 1)}`);
      await delay(100);
    }
    writeFileSync(to, `${line} lines`);
    say(`that was line ${line}`);
  },
  Fail({ flags }) {
    say('reading the slide');
    process.stderr.write('the slide has no tissue\n');
    process.exitCode = Number(flags.code ?? 3);
  },
  Nothing() {
    say('nothing to write');
  },
  Join({ flags, indexed: [to] }) {
    const paths = flags.files.split(',');
    writeFileSync(to, JSON.stringify(paths.map((path) => ({ name: basename(path), digest: digest(path) }))));
  },
  Tree({ flags, indexed: [folder, to] }) {
    const sample = flags.sample === undefined ? {} : { sample: tree(flags.sample) };
    writeFileSync(to, JSON.stringify({ folder: tree(folder), ...sample }));
  },
  async Api({ flags, indexed: [to] }) {
    const url = `${flags.girderApiUrl.replace(/\/$/, '')}/folder?parentType=folder&parentId=0`;
    const answer = await fetch(url, { headers: { 'Girder-Token': flags.girderToken } });
    writeFileSync(
      to,
      JSON.stringify({ url: flags.girderApiUrl, status: answer.status, text: await answer.text() }),
    );
  },
};

const [name, ...args] = process.argv.slice(2);
if (name === '--list_cli') {
  say(JSON.stringify(Object.fromEntries(Object.keys(analyses).map((each) => [each, { type: 'node' }]))));
} else if (args[0] === '--xml') say(specification(name));
else await programs[name](parse(args));
