import { userInfo } from 'node:os';
import { describeFailure } from '../../../base/command.js';
import type { Settings } from '../../../config/index.js';
import type { ClusterInfo } from '../../../slurm/site.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, fail, ok, skip, warn } from '../../check-result.js';

/** One association of the user: what they may charge, and with which quality of service. */
export interface Association {
  account: string;
  partition: string;
  qos: readonly string[];
  isDefault: boolean;
}

/** Reads `sacctmgr --parsable2 show user … withassoc` with the format below. */
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

/** The configured account and QOS against what the accounting knows. Pure. */
export function judgeAccount(
  { account, qos }: Pick<Settings['slurm'], 'account' | 'qos'>,
  associations: readonly Association[],
  user: string,
  profile: string,
  isEnforced = true,
): Finding {
  const accounts = [...new Set(associations.map((one) => one.account))];
  if (accounts.length === 0 && !isEnforced) {
    return ok(`The accounting knows no account of ${user}, and jobs need none (AccountingStorageEnforce).`);
  }
  if (accounts.length === 0) {
    return warn(`The accounting knows no account of ${user}.`, `sacctmgr add user ${user} account=<account>`);
  }
  if (account !== null && !accounts.includes(account)) {
    return fail(
      `${user} may not charge account "${account}". There are: ${accounts.join(', ')}.`,
      configSet(profile, 'slurm.account', accounts[0] ?? ''),
    );
  }
  const ours = associations.filter((one) =>
    account === null ? one.isDefault || associations.length === 1 : one.account === account,
  );
  const allowed = [...new Set(ours.flatMap((one) => one.qos))];
  const findings = [
    ok(`${user} charges ${account ?? 'the default account'}; accounts: ${accounts.join(', ')}`),
  ];
  if (qos !== null && allowed.length > 0 && !allowed.includes(qos)) {
    findings.push(
      fail(
        `QOS "${qos}" is not open to ${user}. There are: ${allowed.join(', ')}.`,
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
    const site = needed('slurm.version') as ClusterInfo;
    if (site.accounting !== true)
      return skip('this site keeps no accounting: account and QOS are not looked at');
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
        // the same database may serve other clusters, whose accounts cannot be charged here
        ...(site.cluster === null ? [] : [`cluster=${site.cluster}`]),
        'format=Account,Partition,QOS,DefaultAccount',
      ],
      { timeoutMs: 4_500, signal },
    );
    const trouble = describeFailure(result);
    if (trouble !== '' || result.kind !== 'exited') {
      return warn(`sacctmgr ${trouble}.`, 'sacctmgr show user withassoc   # is slurmdbd there?');
    }
    const isEnforced = site.enforced === null || site.enforced.length > 0;
    return judgeAccount(settings.slurm, parseAssociations(result.stdout), user, profile, isEnforced);
  },
};
