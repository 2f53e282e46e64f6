import type { LogTail, RunView, WorkerSnapshot } from '../../worker/views/handle.js';
import type {
  ImageDetail,
  ImageRow,
  JobDetail,
  JobScript,
  RunDetail,
  LiveViews,
} from '../../worker/views/live-views.js';
import type { TableAction } from '../table/table-reducer.js';
import type { CursorMove } from './cursor-movement.js';
import type { DoctorAction } from './doctor-state.js';
import type { LogSearch } from './log-search.js';
import type { JobScope } from './rows.js';
import type { ThemeName } from '../terminal/theme.js';
import type { ActionTarget, BatchTarget, ConsoleState, Message, NodeTarget, Place, Size } from './state.js';

/** Everything that can change the state. */
export type Action =
  | TableAction
  | DoctorAction
  | { type: 'snapshot'; snapshot: WorkerSnapshot; now: number }
  | { type: 'liveViewChanged'; name: keyof LiveViews; view: LiveViews[keyof LiveViews]; now: number }
  | { type: 'runDetailReceived'; rowId: string; detail: RunDetail | null }
  | { type: 'jobDetailReceived'; rowId: string; detail: JobDetail }
  | { type: 'jobScriptReceived'; script: JobScript }
  | { type: 'imageDetailReceived'; image: ImageRow; detail: ImageDetail }
  /** Ask Slurm again about the job of the open page. */
  | { type: 'refreshRequested' }
  | { type: 'scopeChosen'; scope: JobScope }
  | { type: 'tick'; now: number }
  | { type: 'resized'; size: Size }
  /** Another program got the terminal, or gave it back. */
  | { type: 'suspendChanged'; suspended: boolean }
  | { type: 'tailReceived'; logId: string; tail: LogTail }
  | { type: 'cursorMoved'; move: CursorMove }
  /** `deeper`: Esc leads back to the present place; otherwise to none. */
  | { type: 'navigated'; place: Place; deeper?: true }
  /** The operator ended these runs and jobs: they lose their marks. */
  | { type: 'rowsEnded'; ids: readonly string[] }
  | { type: 'filterOpened' }
  | { type: 'filterKept' }
  | { type: 'commandOpened'; text?: string }
  /** New text of the command line or search line. */
  | { type: 'lineSet'; text: string }
  | { type: 'searchOpened' }
  /** Null ends the search. */
  | { type: 'searchStarted'; search: LogSearch | null }
  | { type: 'lineFound'; line: number }
  | { type: 'fullScreenToggled' }
  | { type: 'freezeToggled' }
  | { type: 'logToggled' }
  /** Switches the log between standard output and standard error; opens it if necessary. */
  | { type: 'stderrToggled' }
  | { type: 'focusToggled' }
  | { type: 'followToggled' }
  | { type: 'wrapToggled' }
  | { type: 'timestampsToggled' }
  | { type: 'paneToggled' }
  | { type: 'mouseToggled' }
  /** The row at this index of the visible ones was clicked. */
  | { type: 'rowClicked'; index: number }
  | { type: 'themeChosen'; theme: ThemeName }
  | { type: 'helpOpened' }
  /** A new text that the help is searched for; `typing`: it is not complete. */
  | { type: 'helpSearched'; query: string; typing: boolean }
  /** Highlights one of the commands that match what was typed after `:`. */
  | { type: 'paletteMoved'; index: number }
  | { type: 'menuOpened'; index: number }
  | { type: 'confirmOpened'; target: ActionTarget | BatchTarget | NodeTarget }
  /** Slurm does not allow this user to change nodes. */
  | { type: 'nodesRefused'; message: string }
  | { type: 'quitOpened' }
  | { type: 'quitCancelOpened'; runs: readonly RunView[] }
  | { type: 'startOpened' }
  | { type: 'pauseOpened' }
  | { type: 'back' }
  | { type: 'messageShown'; message: Message }
  | { type: 'titleChanged'; title: string }
  | { type: 'keyPressed' };

/** The state, changed only by actions. */
export interface Store {
  get: () => ConsoleState;
  dispatch: (action: Action) => void;
  subscribe: (listener: () => void) => () => void;
}
