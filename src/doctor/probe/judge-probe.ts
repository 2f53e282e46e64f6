import { basename } from 'node:path';
import type { Finding } from '../check.js';
import { squashfuseFix } from '../checks/apptainer/privileges.js';
import { siteTrouble } from '../image-look.js';
import { combine, fail, ok, quoted, warn } from '../check-result.js';
import type { ProbeAnswer } from './probe-job.js';

type Answered = Extract<ProbeAnswer, { kind: 'answered' }>;

/** Milliseconds after which a shared file system is slow to show files. */
const slowMs = 3_000;

/**
 * What a probe's answer means for the site. Pure.
 * @param images the directory of images, which nodes only read
 */
export function judgeProbe(answer: ProbeAnswer, images: string | null, profile = 'default'): Finding {
  const { partition } = answer;
  switch (answer.kind) {
    case 'refused':
      return fail(
        `Partition ${partition}: the probe could not be submitted: ${answer.said}`,
        `sbatch --test-only -p ${quoted(partition)} --wrap=true`,
      );
    case 'silent':
      return fail(
        [
          `Partition ${partition}: ${answer.said}`,
          'The directory is not shared with the node, or cannot be written there.',
        ],
        `srun -p ${quoted(partition)} df -h   # shows what the node has mounted`,
      );
    case 'canceled':
      return warn(
        `Partition ${partition}: the probe did not get to run. ${answer.said}`,
        'dsa-slurm doctor --deep --only directories.probe   # later',
      );
    case 'answered':
      break;
  }
  const { host, uid, ownUid, apptainer, namespaces, directories, girder, container, ms } = answer;
  const findings: Finding[] = [
    ok(
      `Partition ${partition}: ${host} answered after ${Math.round(ms / 100) / 10} s as uid ${uid ?? 'unknown'}; ${apptainer}`,
    ),
  ];
  if (uid !== ownUid) {
    findings.push(
      fail(
        `On ${host} this user has uid ${uid ?? 'unknown'}, here ${ownUid ?? 'unknown'}.`,
        'getent passwd "$USER"   # must agree on login and compute nodes',
      ),
    );
  }
  if (!/^(apptainer|singularity)\S* version /m.test(apptainer)) {
    findings.push(
      fail(
        `${host} has no container runtime: ${apptainer === '' ? 'no answer' : apptainer}`,
        'Install Apptainer on the nodes, or load its module in the submit script (module load apptainer).',
      ),
    );
  } else if (container !== null) {
    findings.push(judgeContainer(host, container, profile));
  } else if (!namespaces && uid !== 0) {
    findings.push(
      warn(
        `User namespaces are closed on ${host}; containers start there only with a setuid Apptainer.`,
        'sysctl -w user.max_user_namespaces=15000   # as root on the nodes, or install apptainer-suid there',
      ),
    );
  }
  if (girder !== null) findings.push(judgeGirder(girder, answer));
  for (const directory of directories) {
    const { path, shared, writable, answerMs } = directory;
    if (!shared) {
      findings.push(
        fail(
          `${host} does not see ${path} as it is here.`,
          `srun -p ${quoted(partition)} ls -ld ${quoted(path)}   # mount it there under the same path`,
        ),
      );
    } else if (path === images) {
      findings.push(ok(`${path}: seen on ${host} in ${directory.ms ?? '?'} ms`));
    } else if (!writable) {
      findings.push(
        fail(
          `${host} cannot write to ${path}.`,
          `srun -p ${quoted(partition)} touch ${quoted(`${path}/x`)}   # read-only mount, or root squash?`,
        ),
      );
    } else if (answerMs === null) {
      findings.push(
        fail(
          `What ${host} writes to ${path} is not seen here.`,
          `srun -p ${quoted(partition)} df ${quoted(path)}   # another file system under the same path?`,
        ),
      );
    } else {
      const seen = `${path}: read and written on ${host} in ${directory.ms ?? '?'} ms, seen here after ${answerMs} ms`;
      findings.push(
        answerMs > slowMs
          ? warn(seen, 'mount | grep nfs   # a shorter actimeo shows files sooner')
          : ok(seen),
      );
    }
  }
  return combine(findings);
}

/** A container that started there is worth more than what could be read of the node. */
function judgeContainer(
  host: string,
  { image, said, unpacked }: NonNullable<Answered['container']>,
  profile: string,
): Finding {
  const name = basename(image);
  const started = said === 'started' || /FATAL: +"sh": executable file not found/.test(said);
  if (started && unpacked) {
    return warn(
      `On ${host} a container of ${name} started, but the whole image was unpacked for it, as for every job: there is no squashfuse.`,
      `${squashfuseFix}   # on the nodes`,
    );
  }
  if (started) return ok(`a container of ${name} started on ${host}`);
  const trouble = siteTrouble(said, profile);
  if (trouble !== null) return { ...trouble, evidence: trouble.evidence.map((line) => `${host}: ${line}`) };
  return fail(
    `On ${host} no container of ${name} starts: ${said}`,
    `dsa-slurm doctor --deep --only images   # shows whether it starts on this machine`,
  );
}

/** Only analyses that ask Girder themselves need it from a node; the worker does not. */
function judgeGirder(
  { url, said }: { url: string; said: string },
  { host, partition }: { host: string; partition: string },
): Finding {
  if (said === 'open') return ok(`${host} reaches the port of ${url}`);
  if (said === '200') return ok(`${host} reaches Girder: ${url}`);
  // curl writes 000 beside its sentence
  const why = /^[1-9]\d\d$/.test(said) ? `HTTP status ${said}` : said.replaceAll(/^000 ?| ?000$/g, '');
  return warn(
    `${host} does not reach Girder at ${url}: ${why}. Analyses that ask Girder themselves fail there.`,
    `srun -p ${quoted(partition)} curl -sS ${quoted(url)}   # girder.apiUrl must be an address that nodes know, not localhost`,
  );
}
