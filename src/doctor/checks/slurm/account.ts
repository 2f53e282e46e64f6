import { userInfo } from 'node:os';
import { describeFailure } from '../../../base/command.js';
import type { Settings } from '../../../config/index.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, fail, ok, skip, warn } from '../../check-result.js';

/** An association of the user: an account, and the QOS allowed with it. */
export interface Association {
  account: string;
  partition: string;
  qos: readonly string[];
  isDefault: boolean;
}

/** Parses `sacctmgr --parsable2 show user … withassoc` with the format below. */
export function parseAssociations(text: string): Association[] {
  return text.split('\n').flatMap((line) => {
    const [account, partition, qos, standard] = line.trim().split('|');
    if (account === undefined || partition === undefined || account === '') return [];
    return [
      {
        account,
        partition,
        qos: (qos ?? '').split(',').filter((name) => name !== ''),
        isDefault: standard === account,
      },
    ];
  });
}

/** Compares the configured account and QOS with the user's associations. */
export function judgeAccount(
  { account, qos }: Pick<Settings['slurm'], 'account' | 'qos'>,
  associations: readonly Association[],
  user: string,
  profile: string,
  isEnforced = true,
): Finding {
  const accounts = [...new Set(associations.map((one) => one.account))];
  if (accounts.length === 0 && !isEnforced) {
    return ok(`${user} has no Slurm account, and jobs need none (AccountingStorageEnforce).`);
  }
  if (accounts.length === 0) {
    return warn(`${user} has no Slurm account.`, `sacctmgr add user ${user} account=<account>`);
  }
  if (account !== null && !accounts.includes(account)) {
    return fail(
      `${user} may not use account "${account}". Available: ${accounts.join(', ')}.`,
      configSet(profile, 'slurm.account', accounts[0] ?? ''),
    );
  }
  const own = associations.filter((one) =>
    account === null ? one.isDefault || associations.length === 1 : one.account === account,
  );
  const allowed = [...new Set(own.flatMap((one) => one.qos))];
  const findings = [ok(`${user} uses ${account ?? 'the default account'}; accounts: ${accounts.join(', ')}`)];
  if (qos !== null && allowed.length > 0 && !allowed.includes(qos)) {
    findings.push(
      fail(
        `${user} may not use QOS "${qos}". Available: ${allowed.join(', ')}.`,
        configSet(profile, 'slurm.qos', allowed[0] ?? ''),
      ),
    );
  }
  return combine(findings);
}

export const account: Check = {
  id: 'slurm.account',
  group: 'slurm',
  title: 'account and QOS',
  needs: ['slurm.version'],
  async run({ run, settings, profile, needed, signal }) {
    const site = needed('slurm.version');
    if (site.accounting !== true)
      return skip('this cluster has no accounting, so account and QOS are not checked');
    const user = userInfo().username;
    const result = await run(
      'sacctmgr',
      [
        '--noheader',
        '--parsable2',
        'show',
        'user',
        user,
        'withassoc',
        // slurmdbd may serve other clusters, too
        ...(site.cluster === null ? [] : [`cluster=${site.cluster}`]),
        'format=Account,Partition,QOS,DefaultAccount',
      ],
      { timeoutMs: 4_500, signal },
    );
    const problem = describeFailure(result);
    if (problem !== '' || result.kind !== 'exited') {
      return warn(`sacctmgr ${problem}.`, 'sacctmgr show user withassoc   # is slurmdbd running?');
    }
    const isEnforced = site.enforced === null || site.enforced.length > 0;
    return judgeAccount(settings.slurm, parseAssociations(result.stdout), user, profile, isEnforced);
  },
};
