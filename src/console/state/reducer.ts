import type { LogTail, RunView, WorkerSnapshot } from '../../worker/views/handle.js';
import type { ImageDetail, ImageRow, JobDetail, RunDetail, Watched } from '../../worker/views/live-views.js';
import { noDoctorYet, reduceDoctor, type DoctorAction } from './doctor-state.js';
import { back, pageLineFound, searched, stepped, went } from './navigation-reducer.js';
import { followToggled, lineFound, openLog, withTail } from './log-reducer.js';
import type { LogSearch } from './log-search.js';
import {
  detailsFor,
  heard,
  jobDetailCame,
  listed,
  snapshotCame,
  thawed,
  watchedCame,
} from './worker-data-reducer.js';
import { noPreferences, preferredTables, type Preferences } from './preferences.js';
import { mergeRows, type JobScope } from './rows.js';
import { change, settle, withRows, withTable } from './derive-state.js';
import {
  isTable,
  type ActionTarget,
  type Afterwards,
  type ConsoleState,
  type Message,
  type Place,
  type Size,
} from './state.js';
import type { Step } from './cursor-movement.js';
import type { TableAction } from '../table/table-reducer.js';
import { unmark } from '../table/table-state.js';

export type Action =
  | TableAction
  | DoctorAction
  | { type: 'snapshot'; snapshot: WorkerSnapshot; now: number }
  | { type: 'watched'; what: keyof Watched; view: Watched[keyof Watched]; now: number }
  | { type: 'runDetailCame'; rowId: string; detail: RunDetail | null }
  | { type: 'jobDetailCame'; rowId: string; detail: JobDetail }
  /** Slurm is to be asked anew about the job of the page. */
  | { type: 'detailsAsked' }
  | { type: 'scopeChosen'; scope: JobScope }
  | { type: 'imageDetailCame'; image: ImageRow; detail: ImageDetail }
  | { type: 'tick'; now: number }
  | { type: 'resized'; size: Size }
  | { type: 'lent'; lent: boolean }
  | { type: 'tail'; logId: string; tail: LogTail }
  | { type: 'step'; step: Step }
  /** To a view of its own; with `deeper` to something that belongs to this one, to which Esc then leads back. */
  | { type: 'went'; place: Place; deeper?: true }
  /** These runs and jobs are over, as the operator wished: marks on them would be in the way. */
  | { type: 'rowsEnded'; ids: readonly string[] }
  | { type: 'filterOpened' }
  | { type: 'filterKept' }
  /** `text`: what is typed already. */
  | { type: 'commandOpened'; text?: string }
  /** The line of a command or of a search. */
  | { type: 'lineSet'; text: string }
  | { type: 'searchOpened' }
  | { type: 'searched'; search: LogSearch | null }
  | { type: 'lineFound'; line: number }
  | { type: 'wholeToggled' }
  | { type: 'freezeToggled' }
  | { type: 'logToggled' }
  | { type: 'focusToggled' }
  | { type: 'followToggled' }
  | { type: 'wrapToggled' }
  | { type: 'stampsToggled' }
  | { type: 'helpOpened' }
  | { type: 'menuOpened' }
  | { type: 'actionAsked'; target: ActionTarget }
  | { type: 'quitAsked' }
  | { type: 'quitCancelAsked'; runs: readonly RunView[] }
  | { type: 'back' }
  | { type: 'said'; message: Message }
  | { type: 'titled'; title: string }
  | { type: 'keyPressed' };

export interface Beginning {
  snapshot: WorkerSnapshot;
  now: number;
  size: Size;
  title?: string;
  readOnly?: boolean;
  afterwards?: Afterwards;
  /** As the operator left it the last time. */
  preferences?: Preferences;
}

export function initialState(beginning: Beginning): ConsoleState {
  const { snapshot, now, size, title, readOnly = false, afterwards = 'stops' } = beginning;
  const { preferences = noPreferences } = beginning;
  const { scope, wrap, stamps } = preferences;
  const tables = preferredTables(preferences);
  return settle({
    title: title ?? null,
    readOnly,
    afterwards,
    size,
    lent: false,
    now,
    snapshot,
    details: null,
    asked: 0,
    watched: {},
    imageDetails: new Map(),
    doctor: noDoctorYet,
    frozen: null,
    place: { view: 'jobs' },
    trail: [],
    scope,
    tables: {
      ...tables,
      jobs: { ...tables.jobs, rows: mergeRows(snapshot, [], { scope, jobs: snapshot.jobs }) },
    },
    overlay: { kind: 'none' },
    log: null,
    pageSearch: null,
    wrap,
    stamps,
    message: null,
  });
}

/** What an event makes of a state; the same object where it changes nothing. */
export function reduce(state: ConsoleState, action: Action): ConsoleState {
  switch (action.type) {
    case 'snapshot':
      return snapshotCame(state, action.snapshot, action.now);
    case 'watched':
      return watchedCame(state, { ...heard(state), [action.what]: action.view }, action.now);
    case 'runDetailCame':
      return settle({
        ...state,
        details: { ...detailsFor(state, action.rowId), run: action.detail },
      });
    case 'jobDetailCame':
      return settle({ ...state, details: jobDetailCame(state, action.rowId, action.detail) });
    case 'scopeChosen':
      return settle(listed({ ...state, scope: action.scope }, state));
    case 'detailsAsked':
      return { ...state, asked: state.asked + 1 };
    case 'imageDetailCame': {
      const { file, modifiedAt } = action.image;
      const imageDetails = new Map(state.imageDetails).set(file, { modifiedAt, detail: action.detail });
      return settle(withRows({ ...state, imageDetails }, ['images']));
    }
    case 'doctorBegan':
    case 'doctorFound':
    case 'doctorEnded':
      return settle(withRows({ ...state, doctor: reduceDoctor(state.doctor, action) }, ['doctor']));
    case 'tick': {
      const until = state.message?.until ?? null;
      const over = until !== null && until <= action.now;
      return change(state, over ? { now: action.now, message: null } : { now: action.now });
    }
    case 'resized': {
      const { columns, rows } = action.size;
      if (columns === state.size.columns && rows === state.size.rows) return state;
      return settle({ ...state, size: action.size });
    }
    case 'lent':
      return { ...state, lent: action.lent };
    case 'tail':
      return state.log?.logId === action.logId ? withTail(state, state.log, action.tail) : state;
    case 'step':
      return stepped(state, action.step);
    case 'went':
      return went(state, action.place, action.deeper === true);
    case 'filterOpened':
      return settle({ ...state, overlay: { kind: 'filter' } });
    case 'filterKept':
      return { ...state, overlay: { kind: 'none' } };
    case 'commandOpened':
      return { ...state, overlay: { kind: 'command', text: action.text ?? '' } };
    case 'lineSet': {
      const { overlay } = state;
      if (overlay.kind !== 'command' && overlay.kind !== 'search') return state;
      return { ...state, overlay: { ...overlay, text: action.text.slice(0, 200) } };
    }
    case 'searchOpened':
      return { ...state, overlay: { kind: 'search', text: '' } };
    case 'searched':
      return searched(state, action.search);
    case 'lineFound':
      return isTable(state.place)
        ? lineFound(state, action.line)
        : pageLineFound(state, state.place, action.line);
    case 'wholeToggled':
      return state.log === null
        ? state
        : settle({ ...state, log: { ...state.log, whole: !state.log.whole } });
    case 'filterTyped':
    case 'filterErased':
    case 'filterSet':
    case 'sortedBy':
    case 'sortedNext':
    case 'markToggled':
    case 'rangeMarked':
    case 'allMarked':
    case 'wideToggled':
    case 'errorsToggled':
    case 'columnsChosen':
      return withTable(state, action);
    case 'rowsEnded': {
      const jobs = unmark(state.tables.jobs, action.ids);
      return jobs === state.tables.jobs ? state : { ...state, tables: { ...state.tables, jobs } };
    }
    case 'freezeToggled':
      return state.frozen === null
        ? { ...state, frozen: { since: state.now, news: state.snapshot, watched: state.watched } }
        : thawed({ ...state, frozen: null }, state.frozen);
    case 'logToggled':
      return state.log === null ? settle(openLog(state)) : settle({ ...state, log: null });
    case 'focusToggled':
      // A table that has the keyboard is in sight.
      return state.log === null
        ? state
        : settle({ ...state, log: { ...state.log, focused: !state.log.focused, whole: false } });
    case 'followToggled':
      return followToggled(state);
    case 'wrapToggled':
      return { ...state, wrap: !state.wrap };
    case 'stampsToggled':
      return { ...state, stamps: !state.stamps };
    case 'helpOpened':
      return settle({ ...state, overlay: { kind: 'help', top: 0 } });
    case 'menuOpened':
      return settle({ ...state, overlay: { kind: 'menu' } });
    case 'actionAsked':
      return settle({ ...state, overlay: { kind: 'confirm', target: action.target } });
    case 'quitAsked':
      return settle({ ...state, overlay: { kind: 'quit' } });
    case 'quitCancelAsked':
      return settle({ ...state, overlay: { kind: 'quitCancel', runs: action.runs } });
    case 'back':
      return settle(back(state));
    case 'said':
      return { ...state, message: action.message };
    case 'titled':
      return { ...state, title: action.title };
    case 'keyPressed':
      return state.message?.until === null ? { ...state, message: null } : state;
  }
}
