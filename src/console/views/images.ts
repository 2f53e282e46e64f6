import type { RunView } from '../../worker/views/handle.js';
import type { ImageDetail, ImageRow } from '../../worker/views/live-views.js';
import { age, bytes, clockText, count, counted } from './format.js';
import { detailOf, runsByFile } from '../data/images.js';
import type { ConsoleState } from '../state/state.js';
import { rowStatus } from './row-status.js';
import { textColumn, type Column } from '../table/column.js';
import { defineTable } from '../table/table.js';
import { cleanText, fit } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import { factLines } from './facts.js';
import type { TableView } from './table-view.js';

/** An image file with what it said of itself (null: not asked yet) and the runs that are known to have used it. */
export interface ImageItem {
  /** Its name in `dirs.images`. */
  id: string;
  image: ImageRow;
  detail: ImageDetail | null;
  runs: readonly RunView[];
}

const refused = ({ detail }: ImageItem): string | null => (detail?.ok === false ? detail.said : null);

/** The CLIs that runs have asked of it: a file does not say which it has. */
function clisOf({ runs }: ImageItem): string {
  return [...new Set(runs.map(({ cli }) => cli).filter(Boolean))].sort().join(', ');
}

function entryOf({ detail }: ImageItem): string | null {
  if (detail?.ok !== true) return null;
  const { workingDirectory, workingDirectoryFrom, entrypoint } = detail.facts;
  if (workingDirectoryFrom === 'label') return workingDirectory;
  const entry = entrypoint?.[0] ?? '';
  if (entry === '' || entry.startsWith('/')) return entry || workingDirectory;
  return `${(workingDirectory ?? '').replace(/\/$/u, '')}/${entry.replace(/^\.\//u, '')}`;
}

const columns: readonly Column<ImageItem>[] = [
  textColumn(
    { id: 'file', title: 'FILE', min: 18, comfort: 34, grow: 2, priority: 1, sortKey: 'N' },
    ({ id }) => id,
  ),
  textColumn(
    { id: 'size', title: 'SIZE', min: 7, comfort: 8, priority: 2, align: 'right', sortKey: 'Z' },
    ({ image }) => image.bytes,
    { shownAs: (size) => bytes(Number(size)) },
  ),
  textColumn(
    { id: 'age', title: 'AGE', min: 9, comfort: 10, priority: 3, align: 'right', sortKey: 'A' },
    ({ image }, { now }) => Math.max(0, (now - image.modifiedAt) / 1_000),
    { shownAs: (seconds) => age(Number(seconds) * 1_000) },
  ),
  {
    id: 'inuse',
    title: 'IN USE',
    min: 6,
    comfort: 6,
    grow: 0,
    priority: 4,
    align: 'right',
    sortKey: 'U',
    value: ({ image }) => image.inUse,
    cell: ({ image: { inUse } }, width) => [
      span(fit(count(inUse), width, 'right'), inUse > 0 ? 'good' : 'muted'),
    ],
  },
  {
    id: 'entry',
    title: 'ENTRY PATH',
    min: 14,
    comfort: 26,
    grow: 1,
    priority: 5,
    align: 'left',
    sortKey: 'P',
    value: (item) => refused(item) ?? entryOf(item),
    cell(item, width, { theme: { glyphs } }) {
      const trouble = refused(item);
      if (trouble !== null) {
        return [span(fit(`${glyphs.failed} ${cleanText(trouble)}`, width, 'left', glyphs.ellipsis), 'bad')];
      }
      const text = item.detail === null ? glyphs.ellipsis : cleanText(entryOf(item) ?? '');
      return [span(fit(text, width, 'left', glyphs.ellipsis), 'muted')];
    },
  },
  textColumn({ id: 'clis', title: 'CLIS', min: 10, comfort: 24, grow: 2, priority: 6, sortKey: 'C' }, clisOf),
  textColumn(
    { id: 'used', title: 'LAST USED', min: 9, comfort: 11, priority: 7, align: 'right', sortKey: 'L' },
    ({ runs }, { now }) => (runs[0] === undefined ? null : Math.max(0, (now - runs[0].acceptedAt) / 1_000)),
    { shownAs: (seconds) => age(Number(seconds) * 1_000) },
  ),
  textColumn({ id: 'gpu', title: 'GPU', min: 3, comfort: 3, priority: 8 }, ({ detail }) =>
    detail?.ok === true && detail.facts.needsGpu ? 'yes' : '',
  ),
];

export const imagesView: TableView = {
  table: defineTable<ImageItem>({
    columns,
    squeezable: 6,
    texts: ({ runs }) => [...new Set(runs.map(({ image }) => image))],
    isError: (item) => refused(item) !== null,
  }),
  noun: 'images',
  needs: ['images'],
  readsRuns: true,
  rows({ watched: { images }, imageDetails, snapshot }) {
    if (images === undefined) return [];
    const runs = runsByFile(snapshot.runs);
    return images.rows.map((image): ImageItem => ({
      id: image.file,
      image,
      detail: detailOf(imageDetails, image),
      runs: runs.get(image.file) ?? [],
    }));
  },
  age: ({ watched: { images } }) => images ?? { at: null, trouble: null },
  unlisted: ({ watched: { images } }) => images?.unlisted ?? 0,
  nothing({ watched: { images } }) {
    if (images === undefined || (images.at === null && images.trouble === null))
      return 'The directory of images is being read.';
    if (images.at === null) return `What images there are is not known: ${images.trouble ?? ''}`;
    return `There is no image file (*.sif) in ${images.directory ?? 'dirs.images'}.`;
  },
  about(raw) {
    const item = raw as ImageItem;
    const { image, runs } = item;
    return [
      image.file,
      bytes(image.bytes),
      refused(item) ?? entryOf(item),
      clisOf(item),
      runs.length === 0 ? 'no run of it is known' : `${counted(runs.length, 'run')} of it known`,
    ];
  },
  opens: () => ({ kind: 'page' }),
  page: (item, state, theme) => imagePage(item as ImageItem, state, theme),
  sums,
  copies: ({ id }) => id,
};

function sums({ watched: { images } }: ConsoleState): Span[] {
  if (images === undefined || images.at === null) return [span('')];
  const size = images.rows.reduce((sum, row) => sum + row.bytes, 0);
  return [span(`${counted(images.rows.length, 'file')}, ${bytes(size)}`, 'muted')];
}

/** Runs of an image that its page lists. */
const mostRuns = 100;

function imagePage(item: ImageItem, state: ConsoleState, theme: Theme): Line[] {
  const { image, detail, runs } = item;
  const { columns: width } = state.size;
  const trouble = refused(item);
  return [
    ...factLines(
      'File',
      [
        ['name', image.file],
        ['directory', state.watched.images?.directory],
        ['size', `${bytes(image.bytes)} (${count(image.bytes)} bytes)`],
        ['modified', `${clockText(image.modifiedAt)}, ${age(state.now - image.modifiedAt)} ago`],
        ['in use', image.inUse === 0 ? 'by no run in flight' : `by ${counted(image.inUse, 'run')} in flight`],
        ['CLIs', clisOf(item) === '' ? null : `${clisOf(item)} (asked for by runs)`],
      ],
      width,
    ),
    ...(detail === null
      ? [{ spans: [span(' It is being asked what it says of itself.', 'muted')] }, { spans: [] }]
      : []),
    ...(trouble === null ? [] : factLines('What it says of itself', [['trouble', trouble, 'bad']], width)),
    ...(detail?.ok === true ? saidLines(item, detail, width) : []),
    ...runLines(runs, theme),
  ];
}

function from(word: 'label' | 'oci' | null): string {
  return word === null ? '' : ` (${word === 'label' ? 'its label' : 'its OCI config'})`;
}

function saidLines(item: ImageItem, { facts }: Extract<ImageDetail, { ok: true }>, width: number): Line[] {
  const { workingDirectory, workingDirectoryFrom, entrypoint, cmd, needsGpu, labels } = facts;
  return [
    ...factLines(
      'What it says of itself',
      [
        ['entry path', entryOf(item)],
        ['runs in', workingDirectory === null ? null : workingDirectory + from(workingDirectoryFrom)],
        [
          'entry point',
          entrypoint === null ? null : entrypoint.join(' ') || 'none: the arguments are the command',
        ],
        ['arguments', cmd.join(' ')],
        ['GPU', needsGpu ? 'needed: --nv' : 'not asked for'],
      ],
      width,
    ),
    ...factLines('Labels', Object.entries(labels), width),
  ];
}

function runLines(runs: readonly RunView[], { glyphs }: Theme): Line[] {
  if (runs.length === 0) return [{ spans: [span(' No run of it is known to this worker.', 'muted')] }];
  const more = runs.length - mostRuns;
  return [
    { spans: [span(' Runs of it, the newest first', 'strong')] },
    ...runs.slice(0, mostRuns).map((run): Line => {
      const { glyph, word, tone } = rowStatus({ id: run.id, group: 'finished', run, job: null });
      return {
        spans: [
          span(`   ${glyphs[glyph]} ${fit(cleanText(word), 11)} `, tone),
          span(`${clockText(run.acceptedAt).slice(5)}  ${run.id.slice(0, 8)}  ${cleanText(run.cli)}`),
          span(run.title === null ? '' : `  ${cleanText(run.title)}`, 'muted'),
        ],
      };
    }),
    ...(more > 0 ? [{ spans: [span(`   and ${count(more)} more`, 'muted')] }] : []),
  ];
}
