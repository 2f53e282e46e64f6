import { formatAge } from '../../../base/text/duration.js';
import { sifFileName } from '../../../apptainer/image-name.js';
import type { RunView } from '../../../worker/views/handle.js';
import type { ImageDetail } from '../../../worker/views/live-views.js';
import { formatBytes, formatDateTime, formatCount, pluralize } from '../format.js';
import { knownDetail, type ConsoleState } from '../../state/state.js';
import type { ImageItem } from '../../state/table-rows.js';
import { rowStatus } from './row-status.js';
import { textColumn, type Column } from '../../table/column.js';
import { defineTable } from '../../table/table.js';
import { cleanText, fit } from '../../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../../terminal/theme.js';
import { factLines } from '../pages/facts.js';
import type { TableView } from './table-view.js';

const inspectionError = ({ detail }: ImageItem): string | null =>
  detail?.ok === false ? detail.message : null;

/** The CLIs that runs have used: an image file does not list the ones that it contains. */
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
    { id: 'file', title: 'FILE', min: 18, comfortable: 34, grow: 2, priority: 1, sortKey: 'N' },
    ({ id }) => id,
  ),
  textColumn(
    { id: 'size', title: 'SIZE', min: 7, comfortable: 8, priority: 2, align: 'right', sortKey: 'Z' },
    ({ image }) => image.bytes,
    { shownAs: (size) => formatBytes(Number(size)) },
  ),
  textColumn(
    { id: 'age', title: 'AGE', min: 9, comfortable: 10, priority: 3, align: 'right', sortKey: 'A' },
    ({ image }, { now }) => Math.max(0, (now - image.modifiedAt) / 1_000),
    { shownAs: (seconds) => formatAge(Number(seconds) * 1_000) },
  ),
  {
    id: 'inuse',
    title: 'IN USE',
    min: 6,
    comfortable: 6,
    grow: 0,
    priority: 4,
    align: 'right',
    sortKey: 'U',
    value: ({ image }) => image.inUse,
    cell: ({ image: { inUse } }, width) => [
      span(fit(formatCount(inUse), width, 'right'), inUse > 0 ? 'good' : 'muted'),
    ],
  },
  {
    id: 'entry',
    title: 'ENTRY PATH',
    min: 14,
    comfortable: 26,
    grow: 1,
    priority: 5,
    align: 'left',
    sortKey: 'P',
    value: (item) => inspectionError(item) ?? entryOf(item),
    cell(item, width, { theme: { glyphs } }) {
      const error = inspectionError(item);
      if (error !== null) {
        return [span(fit(`${glyphs.failed} ${cleanText(error)}`, width, 'left', glyphs.ellipsis), 'bad')];
      }
      const text = item.detail === null ? glyphs.ellipsis : cleanText(entryOf(item) ?? '');
      return [span(fit(text, width, 'left', glyphs.ellipsis), 'muted')];
    },
  },
  textColumn(
    { id: 'clis', title: 'CLIS', min: 10, comfortable: 24, grow: 2, priority: 6, sortKey: 'C' },
    clisOf,
  ),
  textColumn(
    { id: 'used', title: 'LAST USED', min: 9, comfortable: 11, priority: 7, align: 'right', sortKey: 'L' },
    ({ runs }, { now }) => (runs[0] === undefined ? null : Math.max(0, (now - runs[0].acceptedAt) / 1_000)),
    { shownAs: (seconds) => formatAge(Number(seconds) * 1_000) },
  ),
  textColumn({ id: 'gpu', title: 'GPU', min: 3, comfortable: 3, priority: 8 }, ({ detail }) =>
    detail?.ok === true && detail.facts.needsGpu ? 'yes' : '',
  ),
];

export const imagesView: TableView<ImageItem> = {
  table: defineTable<ImageItem>({
    columns,
    squeezablePriority: 6,
    searchTexts: ({ runs }) => [...new Set(runs.map(({ image }) => image))],
    isError: (item) => inspectionError(item) !== null,
  }),
  label: 'images',
  liveViews: ['images'],
  readsRuns: true,
  rows({ liveViews: { images }, imageDetails, snapshot }) {
    if (images === undefined) return [];
    const runs = runsByFile(snapshot.runs);
    return images.rows.map((image): ImageItem => ({
      id: image.file,
      image,
      detail: knownDetail(imageDetails, image),
      runs: runs.get(image.file) ?? [],
    }));
  },
  age: ({ liveViews: { images } }) => images ?? { at: null, problem: null },
  unlisted: ({ liveViews: { images } }) => images?.unlisted ?? 0,
  emptyReason({ liveViews: { images } }) {
    if (images === undefined || (images.at === null && images.problem === null))
      return 'Reading the image directory.';
    if (images.at === null) return `The image directory cannot be read: ${images.problem ?? ''}`;
    return `${images.directory ?? 'dirs.images'} contains no image files (*.sif).`;
  },
  details(item) {
    const { image, runs } = item;
    return [
      image.file,
      formatBytes(image.bytes),
      inspectionError(item) ?? entryOf(item),
      clisOf(item),
      runs.length === 0 ? 'no known runs' : pluralize(runs.length, 'known run'),
    ];
  },
  openTarget: () => ({ kind: 'page' }),
  page: imagePage,
  totals,
  copyText: ({ id }) => id,
};

function totals({ liveViews: { images } }: ConsoleState): Span[] {
  if (images === undefined || images.at === null) return [span('')];
  const size = images.rows.reduce((sum, row) => sum + row.bytes, 0);
  return [span(`${pluralize(images.rows.length, 'file')}, ${formatBytes(size)}`, 'muted')];
}

/** Maximum number of runs on the page about an image. */
const maxRuns = 100;

function imagePage(item: ImageItem, state: ConsoleState, theme: Theme): Line[] {
  const { image, detail, runs } = item;
  const { columns: width } = state.size;
  const error = inspectionError(item);
  return [
    ...factLines(
      'File',
      [
        ['name', image.file],
        ['directory', state.liveViews.images?.directory],
        ['size', `${formatBytes(image.bytes)} (${formatCount(image.bytes)} bytes)`],
        ['modified', `${formatDateTime(image.modifiedAt)}, ${formatAge(state.now - image.modifiedAt)} ago`],
        ['in use', image.inUse === 0 ? 'no' : `by ${pluralize(image.inUse, 'run')} in flight`],
        ['CLIs', clisOf(item) === '' ? null : `${clisOf(item)} (used by runs)`],
      ],
      width,
    ),
    ...(detail === null
      ? [{ spans: [span(' Reading the metadata of the image.', 'muted')] }, { spans: [] }]
      : []),
    ...(error === null ? [] : factLines('Metadata', [['error', error, 'bad']], width)),
    ...(detail?.ok === true ? metadataLines(item, detail, width) : []),
    ...runLines(runs, theme),
  ];
}

function sourceLabel(word: 'label' | 'oci' | null): string {
  return word === null ? '' : ` (${word === 'label' ? 'label' : 'OCI config'})`;
}

function metadataLines(
  item: ImageItem,
  { facts }: Extract<ImageDetail, { ok: true }>,
  width: number,
): Line[] {
  const { workingDirectory, workingDirectoryFrom, entrypoint, cmd, needsGpu, labels } = facts;
  return [
    ...factLines(
      'Metadata',
      [
        ['entry path', entryOf(item)],
        [
          'working dir',
          workingDirectory === null ? null : workingDirectory + sourceLabel(workingDirectoryFrom),
        ],
        [
          'entry point',
          entrypoint === null ? null : entrypoint.join(' ') || 'none: the first argument is the command',
        ],
        ['arguments', cmd.join(' ')],
        ['GPU', needsGpu ? 'required: --nv' : 'not requested'],
      ],
      width,
    ),
    ...factLines('Labels', Object.entries(labels), width),
  ];
}

function runLines(runs: readonly RunView[], { glyphs }: Theme): Line[] {
  if (runs.length === 0) return [{ spans: [span(' This worker knows of no run of this image.', 'muted')] }];
  const more = runs.length - maxRuns;
  return [
    { spans: [span(' Runs, newest first', 'strong')] },
    ...runs.slice(0, maxRuns).map((run): Line => {
      const { glyph, word, tone } = rowStatus({ id: run.id, group: 'finished', run, job: null });
      return {
        spans: [
          span(`   ${glyphs[glyph]} ${fit(cleanText(word), 11)} `, tone),
          span(`${formatDateTime(run.acceptedAt).slice(5)}  ${run.id.slice(0, 8)}  ${cleanText(run.cli)}`),
          span(run.title === null ? '' : `  ${cleanText(run.title)}`, 'muted'),
        ],
      };
    }),
    ...(more > 0 ? [{ spans: [span(`   and ${formatCount(more)} more`, 'muted')] }] : []),
  ];
}

/** Groups runs by their image file, newest first. */
export function runsByFile(runs: readonly RunView[]): ReadonlyMap<string, readonly RunView[]> {
  const byFile = new Map<string, RunView[]>();
  const files = new Map<string, string | null>();
  for (const run of runs) {
    const { image } = run;
    if (image === '') continue;
    const file = files.get(image) ?? sifFileOrNull(image);
    files.set(image, file);
    if (file === null) continue;
    const group = byFile.get(file) ?? [];
    group.push(run);
    byFile.set(file, group);
  }
  for (const group of byFile.values()) group.sort((a, b) => b.acceptedAt - a.acceptedAt);
  return byFile;
}

function sifFileOrNull(image: string): string | null {
  try {
    return sifFileName(image);
  } catch {
    return null;
  }
}
