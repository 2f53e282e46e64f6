import { Document } from 'yaml';

import { formatAge } from '../../base/text/duration.js';
import { oneLine } from '../../base/text/one-line.js';
import { formatMemory } from '../../slurm/requested.js';
import type { Rule } from '../job-request/rules.js';
import type { Advice, Evidence } from './advise.js';

/** All proposed rules, then those of the profile, as YAML with the evidence in comments. */
export function renderAdvice(advice: readonly Advice[], rules: readonly Rule[]): string {
  const lines: string[] = [];
  const proposed = advice.filter(({ rule }) => rule !== null);
  if (proposed.length > 0) {
    lines.push('slurm:', '  rules:');
    for (const one of proposed) {
      lines.push(...evidenceLines(one).map((line) => `    # ${line}`));
      if (one.rule !== null) lines.push(...ruleLines(one.rule));
    }
    if (rules.length > 0) lines.push('    # the rules of the profile: the first rule that matches applies');
    for (const rule of rules) lines.push(...ruleLines(rule));
  }
  for (const { refusal, ...one } of advice) {
    if (refusal !== null) lines.push(`# ${nameOf(one)}: nothing is proposed. ${refusal}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function evidenceLines(one: Advice): string[] {
  const { runs, outOfMemory, outOfTime, memory, time, cpus } = one;
  const ended = [
    ...(outOfMemory === 0 ? [] : [`${outOfMemory} ran out of memory`]),
    ...(outOfTime === 0 ? [] : [`${outOfTime} ran out of time`]),
  ];
  return [
    `${nameOf(one)}: ${[`${runs} runs`, ...ended].join(', ')}`,
    ...evidenceLine('memory', memory, formatMemory),
    ...evidenceLine('time', time, formatAge),
    ...evidenceLine('CPUs', cpus, (value) => value.toFixed(1)),
  ];
}

function evidenceLine(name: string, evidence: Evidence | null, text: (value: number) => string): string[] {
  if (evidence === null) return [];
  const { p50, p95, max, requested, above } = evidence;
  const parts = [
    `half of the runs up to ${text(p50)}`,
    `95% up to ${text(p95)}`,
    `at most ${text(max)}`,
    requested === null ? 'nothing requested' : `requested ${text(requested)}`,
    ...(above === 0 ? [] : [`${above} needed more than proposed`]),
  ];
  return [`  ${name}: ${parts.join('; ')}`];
}

function nameOf({ image, cli, gpu }: Pick<Advice, 'image' | 'cli' | 'gpu'>): string {
  return oneLine(`${cli === '' ? 'no CLI' : cli} of ${image}${gpu ? ', with a GPU' : ''}`);
}

function ruleLines(rule: Rule): string[] {
  const text = new Document([rule]).toString({
    lineWidth: 0,
    // some readers of YAML take 0:20:00 for a number
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
  });
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`);
}
