import { isNodePlace, isWorkerMissing } from '../../state/state.js';
import { themeNames } from '../../terminal/theme.js';
import type { Command, CommandContext } from '../command.js';
import { command } from './definition.js';

function chooseTheme({ dispatch, notify }: CommandContext, word: string | undefined): void {
  const theme = themeNames.find((one) => one === word);
  if (theme === undefined) return notify('bad', `Use :theme with one of ${themeNames.join(', ')}.`);
  dispatch({ type: 'themeChosen', theme });
  return notify('good', `Theme: ${theme}`);
}

/** The worker and the screen. */
export const workerCommands: readonly Command[] = [
  command({
    id: 'start',
    keys: ['u'],
    name: 'start',
    dangerous: true,
    help: 'Start a worker, if none is running',
    pinned: true,
    hint: ({ canStart, snapshot }) => (canStart && isWorkerMissing(snapshot) ? 'start worker' : null),
    run: ({ worker }) => worker.askStart(),
  }),
  command({
    id: 'freeze',
    keys: ['z'],
    name: 'freeze',
    help: 'Freeze or unfreeze the screen',
    run: ({ dispatch }) => dispatch({ type: 'freezeToggled' }),
  }),
  command({
    id: 'mouse',
    name: 'mouse',
    help: 'Use the mouse, or not: tabs, rows, the wheel; Shift selects text',
    run: ({ state, dispatch, notify }) => {
      dispatch({ type: 'mouseToggled' });
      notify('good', state().mouse ? 'Mouse on; hold Shift to select text.' : 'Mouse off.');
    },
  }),
  command({
    id: 'themeNext',
    keys: ['T'],
    help: 'Next theme: dark, light, high contrast, plain 16 colors',
    hint: 'theme',
    run: (context) => {
      const { theme, defaultTheme } = context.state();
      const at = themeNames.indexOf(theme ?? defaultTheme);
      chooseTheme(context, themeNames[(at + 1) % themeNames.length]);
    },
  }),
  command({
    id: 'theme',
    name: 'theme',
    argument: 'dark|light|contrast|plain',
    completions: themeNames,
    help: 'Choose a theme',
    run: (context, [word]) => chooseTheme(context, word),
  }),
  command({
    id: 'pollLessOften',
    keys: ['+'],
    help: 'Query job states less often',
    run: ({ worker }) => worker.pollLessOften(),
  }),
  command({
    id: 'pollMoreOften',
    keys: ['-'],
    help: 'Query job states more often, as far as the site allows',
    run: ({ worker }) => worker.pollMoreOften(),
  }),
  command({
    id: 'togglePause',
    keys: ['p'],
    dangerous: true,
    help: 'Pause or resume accepting tasks; asks before it pauses',
    hint: ({ snapshot }) => (snapshot.health.intake === 'paused' ? 'resume' : 'pause'),
    run: ({ worker }) => worker.togglePause(),
  }),
  command({
    id: 'pause',
    name: 'pause',
    dangerous: true,
    help: 'Stop accepting tasks',
    run: ({ worker }) => worker.pause(),
  }),
  command({
    id: 'resume',
    name: 'resume',
    dangerous: true,
    help: 'Accept tasks again; on :nodes, resume a node',
    run: ({ state, nodes, worker }) => (isNodePlace(state()) ? nodes.ask('resume', []) : worker.resume()),
  }),
  command({
    id: 'drain',
    name: 'drain',
    dangerous: true,
    argument: '[reason]',
    help: 'Stop accepting tasks; on :nodes, drain a node',
    run({ state, nodes, worker, notify }, words) {
      if (isNodePlace(state())) nodes.ask('drain', words);
      else if (words.length === 0) worker.drain();
      else notify('warning', 'Only nodes are drained with a reason: go to :nodes first.');
    },
  }),
  command({
    id: 'commandOpen',
    keys: [':'],
    help: 'Enter a command',
    hint: 'command',
    run: ({ dispatch }) => dispatch({ type: 'commandOpened' }),
  }),
];
