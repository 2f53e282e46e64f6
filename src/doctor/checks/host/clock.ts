import { describeFailure } from '../../../base/command.js';
import type { Check, Finding } from '../../check.js';
import { ok, skip, warn } from '../../check-result.js';

/** Seconds. Tokens and accounting queries tolerate a few minutes; munge fails at five. */
const tolerated = 30;

/** @param skew seconds that the other clock is ahead */
export function judgeSkew(skew: number, whose: string): Finding {
  const rounded = Math.round(skew);
  if (Math.abs(skew) <= tolerated) return ok(`${whose} differs by ${Math.abs(rounded)} s`);
  const way = skew > 0 ? 'ahead' : 'behind';
  return warn(
    `${whose} is ${Math.abs(rounded)} s ${way === 'ahead' ? 'ahead of' : 'behind'} this host's clock.`,
    'timedatectl status   # on both hosts; then: systemctl enable --now chronyd',
  );
}

/** `sdiag output at Mon Nov 23 20:17:41 2026 (1795464000)`: the controller's time, in seconds. */
export function sdiagTime(printed: string): number | null {
  const seconds = /^sdiag output at .*\((\d{9,11})\)/m.exec(printed)?.[1];
  return seconds === undefined ? null : Number(seconds);
}

export const clockSlurm: Check = {
  id: 'host.clock-slurm',
  group: 'host',
  title: 'clock against the Slurm controller',
  needs: ['slurm.controller'],
  async run({ run, clock, signal }) {
    const result = await run('sdiag', [], { timeoutMs: 4_000, signal });
    const time = result.kind === 'exited' ? sdiagTime(result.stdout) : null;
    if (time === null)
      return skip(
        `sdiag did not report the controller's time${describeFailure(result) === '' ? '' : ` (it ${describeFailure(result)})`}`,
      );
    return judgeSkew(time - clock.now() / 1_000, "The Slurm controller's clock");
  },
};

export const clockGirder: Check = {
  id: 'host.clock-girder',
  group: 'host',
  title: 'clock against Girder',
  needs: ['girder.reach'],
  async run({ needed }) {
    const { skew } = needed('girder.reach');
    return skew === null ? skip("Girder's answer has no Date header") : judgeSkew(skew, "Girder's clock");
  },
};
