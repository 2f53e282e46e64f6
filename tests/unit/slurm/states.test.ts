import { describe, expect, it } from 'vitest';
import {
  outcomeOf,
  parseJobState,
  phaseOf,
  stateRow,
  stateRows,
  stateSentence,
  stateText,
} from '../../../src/slurm/states.js';

describe('the table of states', () => {
  it('has the 12 base states and 17 flags of Slurm', () => {
    expect(stateRows.filter((row) => row.kind === 'base').map((row) => row.word)).toHaveLength(12);
    expect(stateRows.filter((row) => row.kind === 'flag').map((row) => row.word)).toHaveLength(17);
    const words = stateRows.flatMap((row) => (row.compact === null ? [row.word] : [row.word, row.compact]));
    expect(new Set(words).size).toBe(words.length);
  });

  it('gives an outcome to every final state and to no other', () => {
    for (const row of stateRows) expect(row.outcome !== null, row.word).toBe(row.phase === 'ended');
  });

  it('takes no flag for a final state', () => {
    for (const row of stateRows.filter((row) => row.kind === 'flag')) {
      expect(phaseOf({ base: row.word, flags: [] }), row.word).not.toBe('ended');
      expect(phaseOf({ base: 'RUNNING', flags: [row.word] }), row.word).not.toBe('ended');
    }
  });
});

describe('parseJobState', () => {
  it.each([
    ['RUNNING', 'RUNNING', []],
    ['R', 'RUNNING', []],
    ['  COMPLETED  ', 'COMPLETED', []],
    ['CANCELLED by 1000', 'CANCELLED', []],
    ['CANCELLED+', 'CANCELLED', []],
    ['RUNNING+', 'RUNNING', []],
    ['OUT_OF_ME+', 'OUT_OF_MEMORY', []],
    ['OOM', 'OUT_OF_MEMORY', []],
    // could be REQUEUED, REQUEUE_FED or REQUEUE_HOLD
    ['REQUEUE+', 'REQUEUE', []],
    ['COMPLETED,COMPLETING', 'COMPLETED', ['COMPLETING']],
    ['PENDING|REQUEUE_HOLD', 'PENDING', ['REQUEUE_HOLD']],
    ['COMPLETING+FAILED', 'FAILED', ['COMPLETING']],
    ['COMPLETING', 'COMPLETING', []],
    ['LEVITATING', 'LEVITATING', []],
    ['', '', []],
  ])('reads %j', (text, base, flags) => {
    expect(parseJobState(text)).toEqual({ base, flags });
  });
});

describe('phase and outcome', () => {
  it.each([
    ['PENDING', '', 'waiting', null],
    ['PENDING', 'JobHeldUser', 'held', null],
    ['PENDING', 'job requeued in held state', 'held', null],
    ['PENDING', 'job_requeued_in_held_state', 'held', null],
    ['RUNNING', '', 'running', null],
    ['RUNNING', 'Prolog', 'starting', null],
    ['SUSPENDED', '', 'paused', null],
    ['CONFIGURING', '', 'starting', null],
    ['COMPLETING', '', 'ending', null],
    ['COMPLETED,COMPLETING', '', 'ending', null],
    ['COMPLETED,UPDATE_DB', '', 'ended', 'succeeded'],
    ['COMPLETED,REQUEUED', '', 'waiting', null],
    ['FAILED', 'NonZeroExitCode', 'ended', 'failed'],
    ['TIMEOUT', 'TimeLimit', 'ended', 'failed'],
    ['CANCELLED by 0', '', 'ended', 'canceled'],
    ['NODE_FAIL', '', 'ended', 'depends'],
    ['PREEMPTED', '', 'ended', 'depends'],
    ['SPECIAL_EXIT', '', 'held', null],
    ['REVOKED', '', 'waiting', null],
    ['LEVITATING', '', 'unknown', null],
    ['', '', 'unknown', null],
  ])('%s (%s) is %s, %s', (text, reason, phase, outcome) => {
    const state = parseJobState(text);
    expect(phaseOf(state, reason)).toBe(phase);
    expect(outcomeOf(state)).toBe(outcome);
  });

  it('has a sentence for every state', () => {
    for (const row of stateRows) expect(stateSentence({ base: row.word, flags: [] })).toMatch(/^[A-Z].*\.$/);
    expect(stateSentence(parseJobState('LEVITATING'))).toContain('LEVITATING');
    expect(stateText(parseJobState('COMPLETED,COMPLETING'))).toBe('COMPLETED+COMPLETING');
    expect(stateText(parseJobState(''))).toBe('unknown');
    expect(stateRow('pd')?.word).toBe('PENDING');
  });
});
