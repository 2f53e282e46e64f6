import type { ThemeName } from '../terminal/theme.js';
import type { WorkerSnapshot } from '../../worker/views/handle.js';
import { unmark } from '../table/table-state.js';
import type { Action } from './action.js';
import { applyTableAction, recompute, withRows } from './derive-state.js';
import { emptyDoctorState, reduceDoctor } from './doctor-state.js';
import { openLog, showLogLine, toggleFollow, toggleStderr, withTail } from './log-reducer.js';
import { back, clickRow, moveCursor, navigate, showPageLine, startSearch } from './navigation-reducer.js';
import { defaultPreferences, preferredTables, type Preferences } from './preferences.js';
import { mergeRows } from './rows.js';
import { paneRow } from './layout.js';
import { isTable, logIdOf, type ConsoleState, type Size, type WorkerLifetime } from './state.js';
import {
  applyLiveViews,
  applySnapshot,
  detailsFor,
  latestViews,
  mergeJobDetail,
  mergeJobScript,
  unfreeze,
  withJobRows,
} from './worker-data-reducer.js';

interface InitialState {
  snapshot: WorkerSnapshot;
  now: number;
  size: Size;
  title?: string;
  readOnly?: boolean;
  workerLifetime?: WorkerLifetime;
  canStart?: boolean;
  preferences?: Preferences;
  /** Default: dark. */
  defaultTheme?: ThemeName;
}

export function initialState({
  snapshot,
  now,
  size,
  title,
  readOnly = false,
  workerLifetime = 'ends',
  canStart = false,
  preferences = defaultPreferences,
  defaultTheme = 'dark',
}: InitialState): ConsoleState {
  const { scope, wrap, timestamps, pane, mouse, theme } = preferences;
  const tables = preferredTables(preferences);
  return recompute({
    title: title ?? null,
    readOnly,
    workerLifetime,
    canStart,
    size,
    suspended: false,
    now,
    snapshot,
    details: null,
    refreshCount: 0,
    liveViews: {},
    jobScript: null,
    nodesRefused: null,
    imageDetails: new Map(),
    doctor: emptyDoctorState,
    frozen: null,
    place: { view: 'jobs' },
    backStack: [],
    scope,
    tables: {
      ...tables,
      jobs: { ...tables.jobs, rows: mergeRows(snapshot, [], { scope, jobs: snapshot.jobs }) },
    },
    overlay: { kind: 'none' },
    log: null,
    pageSearch: null,
    wrap,
    timestamps,
    message: null,
    pane,
    mouse,
    peek: null,
    pulse: { at: now, samples: [snapshot.health.inFlight] },
    theme,
    defaultTheme,
  });
}

/** Selects the worst check, which comes first, until the operator moves the cursor. */
function withWorstCheck(state: ConsoleState): ConsoleState {
  const { doctor } = state.tables;
  if (!doctor.atTop) return state;
  const position = { selected: null, index: 0, top: 0 };
  return { ...state, tables: { ...state.tables, doctor: { ...doctor, position } } };
}

/** The state after an action; the same object if nothing changed. */
export function reduce(state: ConsoleState, action: Action): ConsoleState {
  switch (action.type) {
    case 'snapshot':
      return applySnapshot(state, action.snapshot, action.now);
    case 'liveViewChanged':
      return applyLiveViews(state, { ...latestViews(state), [action.name]: action.view }, action.now);
    case 'runDetailReceived':
      return recompute({
        ...state,
        details: { ...detailsFor(state, action.rowId), run: action.detail },
      });
    case 'jobDetailReceived':
      return recompute({ ...state, details: mergeJobDetail(state, action.rowId, action.detail) });
    case 'jobScriptReceived':
      return recompute({ ...state, jobScript: mergeJobScript(state, action.script) });
    case 'scopeChosen':
      return recompute(withJobRows({ ...state, scope: action.scope }, state));
    case 'refreshRequested':
      return { ...state, refreshCount: state.refreshCount + 1 };
    case 'imageDetailReceived': {
      const { file, modifiedAt } = action.image;
      const imageDetails = new Map(state.imageDetails).set(file, { modifiedAt, detail: action.detail });
      return recompute(withRows({ ...state, imageDetails }, ['images']));
    }
    case 'doctorStarted':
    case 'doctorResultReceived':
    case 'doctorFinished':
      return recompute(
        withWorstCheck(withRows({ ...state, doctor: reduceDoctor(state.doctor, action) }, ['doctor'])),
      );
    case 'tick': {
      const until = state.message?.until ?? null;
      const message = until !== null && until <= action.now ? null : state.message;
      if (action.now === state.now && message === state.message) return state;
      return { ...state, now: action.now, message, pulse: sampled(state, action.now) };
    }
    case 'resized': {
      const { columns, rows } = action.size;
      if (columns === state.size.columns && rows === state.size.rows) return state;
      return recompute({ ...state, size: action.size });
    }
    case 'suspendChanged':
      return { ...state, suspended: action.suspended };
    case 'tailReceived':
      if (state.log !== null)
        return state.log.logId === action.logId ? withTail(state, state.log, action.tail) : state;
      return logIdOf(paneRow(state)) === action.logId
        ? { ...state, peek: { logId: action.logId, tail: action.tail } }
        : state;
    case 'cursorMoved':
      return moveCursor(state, action.move);
    case 'navigated':
      return navigate(state, action.place, action.deeper === true);
    case 'filterOpened':
      return recompute({ ...state, overlay: { kind: 'filter' } });
    case 'filterKept':
      return { ...state, overlay: { kind: 'none' } };
    case 'commandOpened':
      return { ...state, overlay: { kind: 'command', text: action.text ?? '', index: null } };
    case 'lineSet': {
      const { overlay } = state;
      if (overlay.kind !== 'command' && overlay.kind !== 'search') return state;
      const text = action.text.slice(0, 200);
      return {
        ...state,
        overlay: overlay.kind === 'command' ? { ...overlay, text, index: null } : { ...overlay, text },
      };
    }
    case 'searchOpened':
      return { ...state, overlay: { kind: 'search', text: '' } };
    case 'searchStarted':
      return startSearch(state, action.search);
    case 'lineFound':
      return isTable(state.place)
        ? showLogLine(state, action.line)
        : showPageLine(state, state.place, action.line);
    case 'fullScreenToggled':
      return state.log === null
        ? state
        : recompute({ ...state, log: { ...state.log, fullScreen: !state.log.fullScreen } });
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
      return applyTableAction(state, action);
    case 'rowsEnded': {
      const jobs = unmark(state.tables.jobs, action.ids);
      return jobs === state.tables.jobs ? state : { ...state, tables: { ...state.tables, jobs } };
    }
    case 'freezeToggled':
      return state.frozen === null
        ? { ...state, frozen: { since: state.now, snapshot: state.snapshot, liveViews: state.liveViews } }
        : unfreeze({ ...state, frozen: null }, state.frozen);
    case 'logToggled':
      return state.log === null ? recompute(openLog(state)) : recompute({ ...state, log: null });
    case 'stderrToggled':
      return recompute(toggleStderr(state));
    case 'focusToggled':
      // a focused table must be visible
      return state.log === null
        ? state
        : recompute({ ...state, log: { ...state.log, focused: !state.log.focused, fullScreen: false } });
    case 'followToggled':
      return toggleFollow(state);
    case 'wrapToggled':
      return { ...state, wrap: !state.wrap };
    case 'mouseToggled':
      return { ...state, mouse: !state.mouse };
    case 'rowClicked':
      return clickRow(state, action.index);
    case 'paneToggled':
      return recompute({ ...state, pane: !state.pane });
    case 'themeChosen':
      return { ...state, theme: action.theme };
    case 'timestampsToggled':
      return { ...state, timestamps: !state.timestamps };
    case 'helpOpened':
      return recompute({ ...state, overlay: { kind: 'help', top: 0, query: '', typing: false } });
    case 'helpSearched': {
      const { query, typing } = action;
      return state.overlay.kind === 'help'
        ? { ...state, overlay: { kind: 'help', top: 0, query: query.slice(0, 200), typing } }
        : state;
    }
    case 'paletteMoved':
      return state.overlay.kind === 'command'
        ? { ...state, overlay: { ...state.overlay, index: action.index } }
        : state;
    case 'menuOpened':
      return recompute({ ...state, overlay: { kind: 'menu', index: action.index } });
    case 'confirmOpened':
      return recompute({ ...state, overlay: { kind: 'confirm', target: action.target } });
    case 'nodesRefused':
      return { ...state, nodesRefused: action.message };
    case 'quitOpened':
      return recompute({ ...state, overlay: { kind: 'quit' } });
    case 'quitCancelOpened':
      return recompute({ ...state, overlay: { kind: 'quitCancel', runs: action.runs } });
    case 'pauseOpened':
      return recompute({ ...state, overlay: { kind: 'pause' } });
    case 'startOpened':
      return recompute({ ...state, overlay: { kind: 'start' } });
    case 'back':
      return recompute(back(state));
    case 'messageShown':
      return { ...state, message: action.message };
    case 'titleChanged':
      return { ...state, title: action.title };
    case 'keyPressed':
      return state.message?.until === null ? { ...state, message: null } : state;
  }
}

/** How often the number of runs in flight is sampled, and how many samples are kept: two minutes. */
const sampleMs = 15_000;
const maxSamples = 8;

function sampled({ pulse, snapshot: { health } }: ConsoleState, now: number): ConsoleState['pulse'] {
  if (now - pulse.at < sampleMs) return pulse;
  return { at: now, samples: [...pulse.samples, health.inFlight].slice(-maxSamples) };
}
