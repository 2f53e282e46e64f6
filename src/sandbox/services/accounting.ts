import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFailure, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { HostAddress } from './host-address.js';

/** Accounting of the private Slurm. */
export interface AccountingOptions {
  /** `AccountingStorageEnforce` of slurm.conf. Default `associations,limits,qos`. */
  enforce?: string;
  /** Arguments of the `sacctmgr` calls that set up accounts, users and QOS, before slurmctld starts. */
  sacctmgr?: readonly (readonly string[])[];
}

export interface AccountingFiles {
  /** Directory of slurm.conf, where slurmdbd looks for its own configuration. */
  dir: string;
  /** Short: holds the database's Unix socket. */
  socketDir: string;
  mungeSocket: string;
  /** Whether slurmdbd, like Slurm's other daemons, needs `EnableIPv6`; see `hostAddress`. */
  enableIpv6: boolean;
  /** Login name under which the daemons run. */
  user: string;
  databasePort: number;
  port: number;
}

/** An accounting daemon and its arguments. */
export interface AccountingDaemon {
  file: string;
  args: string[];
}

/** Name of the database and of its only account that can log in with a password. */
const databaseUser = 'slurm';

/**
 * Writes the configuration of slurmdbd and creates an empty database for it in a directory of its own, both reachable on
 * loopback only and with a random password.
 * @throws DsaSlurmError `sandbox` if MariaDB's own set-up fails
 */
export async function prepareAccounting(
  files: AccountingFiles,
  run: RunCommand,
): Promise<{ mariadb: AccountingDaemon; slurmdbd: AccountingDaemon }> {
  const { dir, socketDir, user } = files;
  const data = join(dir, 'database');
  const initFile = join(dir, 'database.sql');
  // a starting MariaDB removes temporary tables from its directory: in /tmp they might be those of another one
  const temporary = join(dir, 'database-tmp');
  const password = randomBytes(24).toString('hex');
  for (const directory of [data, temporary]) await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(
    initFile,
    [
      'CREATE DATABASE IF NOT EXISTS slurm_acct_db;',
      // A second start in the same directory uses another password.
      `CREATE OR REPLACE USER '${databaseUser}'@'127.0.0.1' IDENTIFIED BY '${password}';`,
      `GRANT ALL ON slurm_acct_db.* TO '${databaseUser}'@'127.0.0.1';`,
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  await writeFile(join(dir, 'slurmdbd.conf'), slurmdbdConf(files, password), { mode: 0o600 });
  const installed = await run(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${data}`,
      `--tmpdir=${temporary}`,
      `--user=${user}`,
      '--auth-root-authentication-method=socket',
      '--skip-test-db',
    ],
    { timeoutMs: 120_000 },
  );
  const error = describeFailure(installed);
  if (error !== '') {
    throw new DsaSlurmError('sandbox', `The accounting database could not be created: ${error}`, {
      next: 'Install mariadb-server, or start the sandbox without accounting.',
    });
  }
  return {
    mariadb: {
      file: 'mariadbd',
      args: [
        '--no-defaults',
        `--user=${user}`,
        `--datadir=${data}`,
        `--tmpdir=${temporary}`,
        `--socket=${join(socketDir, 'db.socket')}`,
        `--pid-file=${join(dir, 'mariadbd.pid')}`,
        '--bind-address=127.0.0.1',
        `--port=${files.databasePort}`,
        `--init-file=${initFile}`,
        '--skip-log-bin',
        '--performance-schema=OFF',
        '--innodb-buffer-pool-size=64M',
        // the data need not survive a power failure
        '--innodb-flush-log-at-trx-commit=0',
        '--innodb-lock-wait-timeout=900',
      ],
    },
    slurmdbd: { file: 'slurmdbd', args: ['-D'] },
  };
}

function slurmdbdConf(files: AccountingFiles, password: string) {
  const { dir, mungeSocket, user, databasePort, port, enableIpv6 } = files;
  return [
    ...(enableIpv6 ? ['CommunicationParameters=EnableIPv6'] : []),
    'AuthType=auth/munge',
    `AuthInfo=socket=${mungeSocket}`,
    'DbdHost=localhost',
    'DbdAddr=127.0.0.1',
    `DbdPort=${port}`,
    `SlurmUser=${user}`,
    `LogFile=${join(dir, 'log', 'slurmdbd.log')}`,
    `PidFile=${join(dir, 'slurmdbd.pid')}`,
    'StorageType=accounting_storage/mysql',
    'StorageHost=127.0.0.1',
    `StoragePort=${databasePort}`,
    `StorageUser=${databaseUser}`,
    `StoragePass=${password}`,
    'StorageLoc=slurm_acct_db',
    'CommitDelay=0',
    '',
  ].join('\n');
}

/**
 * Lines of slurm.conf that send every job to slurmdbd.
 *
 * slurmdbd sends changes to the address from which slurmctld connects. That is 127.0.0.1 even if the host name resolves to
 * 127.0.1.1, as on Debian; slurmctld therefore listens on every address in that case.
 */
export function accountingConf(
  { port, mungeSocket, host }: Pick<AccountingFiles, 'port' | 'mungeSocket'> & { host: HostAddress },
  options: AccountingOptions,
): string[] {
  return [
    ...(/^127\.(?!0\.0\.1$)/.test(host.address)
      ? [`CommunicationParameters=NoInAddrAny${host.enableIpv6 ? ',EnableIPv6' : ''}`]
      : []),
    'AccountingStorageType=accounting_storage/slurmdbd',
    'AccountingStorageHost=127.0.0.1',
    `AccountingStoragePort=${port}`,
    // with auth/munge this is the socket of munged (slurm.conf(5), AccountingStoragePass)
    `AccountingStoragePass=${mungeSocket}`,
    `AccountingStorageEnforce=${options.enforce ?? 'associations,limits,qos'}`,
  ];
}

/** Creates the cluster and everything in `sacctmgr`. @throws DsaSlurmError `sandbox` with sacctmgr's message */
export async function fillAccounting(
  run: RunCommand,
  cluster: string,
  { sacctmgr = [] }: AccountingOptions,
): Promise<void> {
  for (const args of [['add', 'cluster', cluster], ...sacctmgr]) {
    const result = await run('sacctmgr', ['--immediate', ...args]);
    const error = describeFailure(result);
    if (error !== '') {
      throw new DsaSlurmError('sandbox', `sacctmgr ${args.join(' ')}: ${error}`);
    }
  }
}
