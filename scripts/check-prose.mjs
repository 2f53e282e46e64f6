// Part of `npm run check`: finds turns of phrase that readers of comments, screens, errors, test titles and pages have stumbled
// over, and names the usual one. It reads comments and texts of two words or more; names in code are not its business.
//
//   node scripts/check-prose.mjs            every file of the repository
//   node scripts/check-prose.mjs src/slurm  those below a folder
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What to write instead, by pattern. */
const patterns = [
  [/(?<!\bthere )\b(?:is|are|was|were|be|been) none\b(?! of)/i, '"is not a …", "there is none"'],
  [
    /(?<!\bthere )\bis no (?!longer|more|different|other|need|reason|use\b|way|one\b|such)[a-z]/i,
    '"is not a …"',
  ],
  [/\bwho(?:so)?ever\b/i, 'the noun: "the caller", "the user"'],
  [/\banew\b/i, '"again"'],
  [/\bmend(?:s|ed|ing)?\b/i, '"fix", "repair"'],
  [/\bshall\b/i, '"must", "should", "will"'],
  [/\btroubles?\b(?!shoot)/i, '"error", "problem", "warning"'],
  [/(?<!\b(?:no|not|never|n't|would|will|may|might) )\b(?:has|have) to\b/i, '"must", "needs to"'],
  [/\bgo(?:es)? (?:over|before) (?:the|a|it|them|what|every)\b/i, '"overrides", "takes precedence over"'],
  [/\bin words\b/i, '"as text", "human-readable"'],
  [/\bby (?:itself|themselves|himself)\b/i, '"automatically", "on its own"'],
  [/\bfor good\b/i, '"permanently", "final"'],
  [/\b(?:is|are|was|were|be|been|being) told\b/i, '"is notified", "is reported", "receives"'],
  [/\bwithout meaning\b|\bmeans? nothing (?:here|to)\b/i, '"is ignored", "has no effect"'],
  [/\bnobody(?:'s)?\b(?= (?:asks|asked|is to|has to|waits|needs))/i, 'the noun, or the passive voice'],
  [/\blook(?:s|ed)? at (?:the|a|its)\b/i, '"check", "inspect", "see"'],
];

/** What belongs to the repository; a checkout without git is checked as well. */
const everything = [
  'src',
  'tests',
  'scripts',
  'docs',
  'bin',
  'templates',
  ...readdirSync('.').filter(isFile),
];

const roots = process.argv.length > 2 ? process.argv.slice(2) : everything;
const files = roots
  .flatMap((root) =>
    isFile(root) ? [root] : readdirSync(root, { recursive: true }).map((name) => join(root, name)),
  )
  .filter((file) => /\.(?:ts|tsx|mjs|js|md|sh|slurm)$/.test(file) && isFile(file))
  .filter((file) => !/^tests\/fixtures\/|^scripts\/check-prose\.mjs$|^CHANGELOG\.md$/.test(file));

let count = 0;
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  for (const { at, prose } of file.endsWith('.md') ? pageTexts(text) : codeTexts(text)) {
    for (const [pattern, instead] of patterns) {
      const found = pattern.exec(prose);
      if (found === null) continue;
      const line = text.slice(0, at + found.index).split('\n').length;
      process.stdout.write(`${file}:${line}: "${found[0].replaceAll(/\s+/g, ' ')}": write ${instead}\n`);
      count += 1;
    }
  }
}
if (count > 0) {
  process.stdout.write(`${count} turns of phrase to rewrite\n`);
  process.exitCode = 1;
}

function isFile(path) {
  return statSync(path).isFile();
}

/** Text of a page outside of code, line by line so that positions stay. */
function pageTexts(text) {
  const plain = text
    .replaceAll(/^( *)```[^]*?^\1```$/gm, blank)
    .replaceAll(/`[^`\n]*`/g, blank)
    .replaceAll(/^ {4}.*$/gm, blank);
  return paragraphs(plain, 0);
}

/** Comments and string literals with a space in them. */
function codeTexts(text) {
  const tokens =
    /\/\*[^]*?\*\/|(?<=^|\s)\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|(?<=^)#[^\n]*/gm;
  return (
    [...text.matchAll(tokens)]
      // expressions inside of a template are code
      .map((found) => Object.assign(found, [found[0].replaceAll(/\$\{[^{}]*\}/g, blank)]))
      .filter(([token]) => /\S \S/.test(token))
      .flatMap(({ 0: token, index }) =>
        paragraphs(
          token.replaceAll(/`[^`\n]*`/g, (code) => (code === token ? code : blank(code))),
          index,
        ),
      )
  );
}

function paragraphs(text, offset) {
  return [...text.matchAll(/[^\n]+/g)].map(({ 0: prose, index }) => ({ at: offset + index, prose }));
}

function blank(text) {
  return text.replaceAll(/[^\n]/g, ' ');
}
